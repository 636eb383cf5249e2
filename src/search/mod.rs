//! Search in messages, names and topics of rooms: a consumer of the rooms' output.
//! spec: client-server §Server Side Search

mod index;
mod words;

use std::{rc::Rc, time::Duration};

use http::StatusCode;
use ruma::{OwnedEventId, OwnedRoomId, events::TimelineEventType};

pub(crate) use self::index::TABLES;
pub use self::index::{Hit, SearchKey};
use crate::{
    Error, Result,
    bus::{self, Bus, Consumer, Message},
    rooms::{ROOM_EVENTS, RoomEvent, Rooms, consumer_of_room_events},
    store::{Batch, Store},
};

/// The name of the consumer.
const CONSUMER: &str = "search";
/// How many events are put into the index at once.
const EVENTS: usize = 64;
/// How long a search waits for the index at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// A handle to the index; clones share it.
#[derive(Clone)]
pub struct Search {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    rooms: Rooms,
    consumer: Rc<dyn Consumer>,
}

impl Search {
    /// Begins to listen to the rooms' output.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(store: Store, bus: &dyn Bus, rooms: Rooms) -> Result<Self> {
        let consumer = consumer_of_room_events(bus, CONSUMER).await?;
        let search = Self { inner: Rc::new(Inner { store, rooms, consumer: consumer.clone() }) };
        bus::work(&search.inner, &*consumer, EVENTS, async |inner, messages| {
            Self { inner }.process(messages).await
        });
        Ok(search)
    }

    /// Waits until every event that there is by now is in the index, unless that takes too long:
    /// who was told that an event is sent finds it.
    pub async fn catch_up(&self) {
        if !self.inner.consumer.catch_up(PATIENCE).await {
            tracing::warn!("a search does not wait for the index any longer");
        }
    }

    /// The words of a search term as the index has them, to be highlighted in what is found.
    pub fn words(&self, term: &str) -> Vec<String> {
        let mut words = words::words(term);
        words.sort_unstable();
        words.dedup();
        words
    }

    async fn process(&self, messages: Vec<Message>) -> Result<()> {
        let mut batch = Batch::new();
        let mut done = Vec::new();
        for message in messages {
            match self.index(&mut batch, &message).await {
                Ok(()) => done.push(message),
                Err(cause) => {
                    tracing::error!("an event can't be indexed: {cause}");
                    self.inner.consumer.put_off(&message);
                }
            }
        }
        self.inner.consumer.acknowledge(&mut batch, &done);
        batch.wait_for_others();
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Writes what an event changes in the index; nothing when it fails.
    async fn index(&self, batch: &mut Batch, message: &Message) -> Result<()> {
        let told: RoomEvent<OwnedRoomId, OwnedEventId> =
            match serde_json::from_slice(&message.payload) {
                Ok(told) => told,
                Err(cause) => {
                    // Nor will it be understood the next time.
                    tracing::error!("a message of {ROOM_EVENTS} can't be understood: {cause}");
                    return Ok(());
                }
            };
        let room = match self.inner.rooms.room(&told.room_id).await {
            Ok(room) => room,
            Err(Error::Matrix(cause)) if cause.status_code == StatusCode::NOT_FOUND => {
                return Ok(());
            }
            Err(cause) => return Err(cause),
        };
        let Some(event) = room.event(&told.event_id).await? else { return Ok(()) };
        if event.pdu.kind == TimelineEventType::RoomRedaction
            && let Some(redacts) = &event.pdu.redacts
            && let Some(target) = room.event(redacts).await?
            && target.redacted_because.is_some()
        {
            self.remove(batch, room.id(), target.position).await?;
        }
        if event.redacted_because.is_none() {
            index::add(batch, &event.pdu, event.position);
        }
        Ok(())
    }
}
