//! Listening to the rooms' output.

use std::{rc::Rc, time::Duration};

use http::StatusCode;
use ruma::{OwnedEventId, OwnedRoomId};

use super::{Push, effects::Effects};
use crate::{
    Error, Result,
    bus::{self, Bus, Consumer, Message},
    feed::Position,
    rooms::{ROOM_EVENTS, RoomEvent, consumer_of_room_events},
    store::{Batch, Fact},
};

/// Up to where the events are that were worked on before rooms had notifications.
const BEGINS: Fact<Position> = Fact::new("room_notifications");

/// The name of the consumer.
const CONSUMER: &str = "push";
/// How many events are worked on at once.
const EVENTS: usize = 64;
/// How long a list of notifications waits for the newest at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// Makes the consumer, unless it is there as it is to be.
pub(super) async fn create(bus: &dyn Bus) -> Result<Rc<dyn Consumer>> {
    consumer_of_room_events(bus, CONSUMER).await
}

impl Push {
    pub(super) fn listen(&self) {
        let consumer = self.inner.consumer.clone();
        bus::work(&self.inner, &*consumer, EVENTS, async |inner, messages| {
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
    pub(super) async fn process(&self, messages: Vec<Message>) -> Result<()> {
        self.begin().await?;
        let mut all = Vec::new();
        let mut done = Vec::new();
        for message in messages {
            match self.effects_of(&message).await {
                Ok(effects) => {
                    all.extend(effects);
                    done.push(message);
                }
                Err(cause) => {
                    tracing::error!("an event can't be pushed: {cause}");
                    self.inner.consumer.put_off(&message);
                }
            }
        }
        // One that comes again may be among newer ones.
        all.sort_by_key(Effects::position);
        let mut batch = Batch::new();
        self.apply(&mut batch, all).await?;
        self.inner.consumer.acknowledge(&mut batch, &done);
        batch.wait_for_others();
        Ok(self.inner.store.commit(batch).await?)
    }

    async fn effects_of(&self, message: &Message) -> Result<Option<Effects>> {
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
                self.effects(&room, &told, message.num_delivered > 1).await
            }
            Err(Error::Matrix(cause)) if cause.status_code == StatusCode::NOT_FOUND => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Reads, or notes for good, up to where the events are that were worked on before rooms had
    /// notifications; a database that had none learns who is to be asked one by one.
    async fn begin(&self) -> Result<()> {
        if self.inner.begins.get().is_some() {
            return Ok(());
        }
        let store = &self.inner.store;
        let begins = match BEGINS.get(store).await? {
            Some(begins) => begins,
            None => {
                let begins = self.inner.feed.current();
                let mut batch = Batch::new();
                BEGINS.put(&mut batch, &begins)?;
                self.inner.users.find_individuals(&mut batch).await?;
                store.commit(batch).await?;
                begins
            }
        };
        self.inner.begins.set(Some(begins));
        Ok(())
    }
}
