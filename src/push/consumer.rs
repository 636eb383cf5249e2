//! Listening to the rooms' output.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::StatusCode;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, push::Action};

use super::{Push, counts::Counting, evaluate::Meaning, notifications::NotificationRow};
use crate::{
    Error, Result, platform,
    queue::{self, Consumer, Message, Queue},
    rooms::{ROOM_EVENTS, RoomEvent, consumer_of_room_events},
    store::Batch,
};

/// The name of the consumer.
const CONSUMER: &str = "push";
/// How many events are worked on at once.
const EVENTS: usize = 64;
/// How long a list of notifications waits for the newest at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// Makes the consumer, unless it is there as it is to be.
pub(super) async fn create(queue: &Queue) -> Result<Consumer> {
    consumer_of_room_events(queue, CONSUMER).await
}

impl Push {
    pub(super) fn listen(&self) {
        let consumer = self.inner.consumer.clone();
        queue::work(&self.inner, consumer, EVENTS, async |inner, messages| {
            Self { inner }.process(messages).await
        });
    }

    /// Waits until everybody is notified of every event that there is by now, unless that takes too
    /// long.
    pub async fn catch_up(&self) {
        if !self.inner.consumer.catch_up(PATIENCE).await {
            tracing::warn!("a list of notifications does not wait for the newest any longer");
        }
    }

    /// Works on messages; those that fail come again later.
    async fn process(&self, messages: Vec<Message>) -> Result<()> {
        let mut meanings = Vec::new();
        let mut done = Vec::new();
        for message in messages {
            match self.meaning(&message).await {
                Ok(meaning) => {
                    meanings.extend(meaning);
                    done.push(message);
                }
                Err(cause) => {
                    tracing::error!("an event can't be pushed: {cause}");
                    message.put_off();
                }
            }
        }
        let places: BTreeSet<_> = meanings
            .iter()
            .flat_map(|meaning| {
                let room_id = &meaning.event.pdu.room_id;
                meaning.users().map(|user_id| (user_id.clone(), room_id.clone()))
            })
            .filter(|(user_id, _)| self.inner.rooms.is_local(user_id))
            .collect();
        let mut guards = Vec::with_capacity(places.len());
        let mut counting = BTreeMap::new();
        for place in places {
            guards.push(self.inner.counting.lock(place.clone()).await);
            counting.insert(place.clone(), self.counting(place).await?);
        }
        let mut batch = Batch::new();
        for meaning in &meanings {
            self.apply(&mut batch, &mut counting, meaning).await?;
        }
        for (_, counting) in counting {
            self.finish(&mut batch, counting)?;
        }
        Message::ack_all(&done, &mut batch);
        batch.wait_for_others();
        Ok(self.inner.store.commit(batch).await?)
    }

    async fn meaning(&self, message: &Message) -> Result<Option<Meaning>> {
        let told: RoomEvent<OwnedRoomId, OwnedEventId> =
            match serde_json::from_slice(&message.payload) {
                Ok(told) => told,
                Err(cause) => {
                    // Nor will it be understood the next time.
                    tracing::error!("a message of {ROOM_EVENTS} can't be understood: {cause}");
                    return Ok(None);
                }
            };
        match self.inner.rooms.room(&told.room_id).await {
            Ok(room) => {
                self.carry_over(&room, &told.event_id).await?;
                self.evaluate(&room, &told.event_id).await
            }
            Err(Error::Matrix(cause)) if cause.status_code == StatusCode::NOT_FOUND => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    async fn apply(
        &self,
        batch: &mut Batch,
        counting: &mut BTreeMap<super::counts::Place, Counting>,
        meaning: &Meaning,
    ) -> Result<()> {
        let Meaning { event, thread, notified, withdrawn, gone } = meaning;
        let room_id = &event.pdu.room_id;
        let place = |user_id: &OwnedUserId| (user_id.clone(), room_id.clone());
        for user_id in &withdrawn.1 {
            if let Some(counting) = counting.get_mut(&place(user_id)) {
                self.withdraw(batch, counting, withdrawn.0).await?;
            }
        }
        if let Some(counting) = gone.as_ref().and_then(|gone| counting.get_mut(&place(gone))) {
            self.read(batch, counting, None, event.position).await?;
        }
        // Who writes has read what was there before.
        if let Some(counting) = counting.get_mut(&place(&event.pdu.sender))
            && !counting.is_zero()
        {
            let part = thread.as_ref().map_or("main", |root| root.as_str());
            self.read(batch, counting, Some(part), event.position).await?;
        }
        for (user_id, actions) in notified {
            let Some(counting) = counting.get_mut(&place(user_id)) else {
                continue;
            };
            let highlight = actions.iter().any(Action::is_highlight);
            counting.notify(batch, event.position, thread.as_ref(), highlight)?;
            let row = NotificationRow {
                room_id: room_id.clone(),
                event_id: event.pdu.event_id.clone(),
                actions: actions.clone(),
                ts: platform::now(),
            };
            self.keep_notification(batch, user_id, event.position, &row).await?;
        }
        Ok(())
    }
}
