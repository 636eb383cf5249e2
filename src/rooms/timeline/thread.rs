//! What is known of a thread. spec: client-server §Threading

use std::{collections::BTreeSet, rc::Rc};

use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};

use super::Relation;
use crate::{
    feed::Position,
    rooms::{Event, Pdu},
    store::{self, Batch, Key, Table},
};

/// What is known of a thread, apart from its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// How many events it has, without the root.
    pub count: u64,
    /// The newest of them.
    pub latest: Option<OwnedEventId>,
    /// Its position.
    pub latest_position: Position,
    /// Who sent any of them.
    pub participants: BTreeSet<OwnedUserId>,
}

/// What happens to a thread.
pub(in crate::rooms) enum ThreadChange<'a> {
    /// This event is new in it.
    Add(&'a Rc<Pdu>),
    /// This event is redacted; if it was the newest, the other is now.
    Remove(&'a EventId, Option<&'a Event>),
}

impl Thread {
    pub(in crate::rooms) fn apply(&mut self, change: ThreadChange<'_>) {
        match change {
            ThreadChange::Add(pdu) => {
                self.count += 1;
                self.latest = Some(pdu.event_id.clone());
                self.latest_position = 0;
                self.participants.insert(pdu.sender.clone());
            }
            ThreadChange::Remove(event_id, newest) => {
                self.count = self.count.saturating_sub(1);
                if self.latest.as_deref() == Some(event_id) {
                    self.latest = newest.map(|event| event.pdu.event_id.clone());
                    self.latest_position = newest.map_or(0, |event| event.position);
                }
            }
        }
    }

    /// How much memory it takes, about, in bytes.
    pub(in crate::rooms) fn weight(&self) -> usize {
        size_of::<Self>() + 64 * (1 + self.participants.len())
    }

    /// Learns the position that the newest event was given.
    pub(in crate::rooms) fn settle(&mut self, events: &[Event]) {
        let newest = events.iter().find(|event| Some(&event.pdu.event_id) == self.latest.as_ref());
        if let Some(newest) = newest {
            self.latest_position = newest.position;
        }
    }

    pub(in crate::rooms) fn write(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        root: &EventId,
        before: Option<&Thread>,
    ) -> store::Result<()> {
        let order = |position| Key::new().str(room_id).u64(position);
        if let Some(before) = before.filter(|before| before.latest_position != 0) {
            batch.delete(Table::ThreadOrder, order(before.latest_position));
        }
        let row = Key::new().str(room_id).str(root);
        if self.latest.is_none() {
            batch.delete(Table::Threads, row);
            return Ok(());
        }
        batch.put(Table::ThreadOrder, order(self.latest_position), root.as_str());
        batch.put_json(Table::Threads, row, self)
    }
}

/// The root of the thread that an event is in.
pub fn thread_root(pdu: &Pdu) -> Option<OwnedEventId> {
    Relation::of(pdu).filter(Relation::is_thread).map(|relation| relation.parent)
}
