//! Events by their ids: those under way, those in memory, those in the store.

use ruma::EventId;

use crate::{
    Result,
    rooms::{
        Event, Rooms,
        events::{EVENT_INDEX, HIDDEN_EVENTS, TIMELINE},
        graph::LiveRoom,
    },
    store,
};

impl Rooms {
    /// An event of a room, durable or not.
    pub(in crate::rooms) async fn find_event(
        &self,
        live: &LiveRoom,
        event_id: &EventId,
    ) -> Result<Option<Event>> {
        let pending = live.pending.borrow().get(event_id).cloned();
        match pending {
            Some(event) => Ok(Some(event)),
            None => self.stored_event(live, event_id).await,
        }
    }

    /// A durable event of a room.
    pub(in crate::rooms) async fn stored_event(
        &self,
        live: &LiveRoom,
        event_id: &EventId,
    ) -> Result<Option<Event>> {
        let known = self.inner.events.borrow_mut().get(event_id);
        if let Some(event) = known {
            return Ok(Some(event).filter(|event| event.pdu.room_id == live.room_id));
        }
        let store = &self.inner.store;
        let key = (&live.room_id, event_id);
        let Some((position,)) = EVENT_INDEX.get(store, key).await? else { return Ok(None) };
        let row = match position {
            0 => HIDDEN_EVENTS.get(store, key).await?,
            position => TIMELINE.get(store, (&live.room_id, position)).await?,
        };
        let row = row.ok_or_else(|| store::Error::Corrupt(format!("{event_id} is gone")))?;
        // What has become durable meanwhile is newer than the row that was read.
        if let Some(event) = self.inner.events.borrow_mut().get(event_id) {
            return Ok(Some(event));
        }
        let event = Event::from_row(&row, position, &live.rules);
        let event = event.map_err(|cause| match position {
            0 => HIDDEN_EVENTS.unreadable(key, &cause),
            position => TIMELINE.unreadable((&live.room_id, position), &cause),
        })?;
        self.keep_event(event.clone());
        Ok(Some(event))
    }

    /// Keeps a durable event in memory.
    pub(in crate::rooms) fn keep_event(&self, event: Event) {
        let (event_id, weight) = (event.pdu.event_id.clone(), event.weight());
        self.inner.events.borrow_mut().insert(event_id, event, weight, |_| false);
    }
}
