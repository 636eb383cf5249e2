//! What the other parts are told of each new event: a message in the stream `ROOM_EVENTS`, in the
//! event's own batch.

use ruma::{EventId, RoomId};
use serde::{Deserialize, Serialize};

use super::Rooms;
use crate::{
    Error, Result,
    feed::Position,
    queue::{Consumer, ConsumerConfig, Headers, Queue, Retention, StreamConfig},
    store::Submission,
};

/// The name of the stream.
pub const ROOM_EVENTS: &str = "ROOM_EVENTS";

/// How often a consumer of the homeserver is delivered a message. What still can't be worked on then,
/// or has ended the worker each time, is set aside, so that the rest goes on.
const MAX_DELIVER: i64 = 4;

/// Makes a part's consumer of the stream, unless it is there as it is to be.
///
/// # Errors
/// When the store fails.
pub async fn consumer_of_room_events(queue: &Queue, name: &str) -> Result<Consumer> {
    let config = ConsumerConfig {
        durable_name: name.to_owned(),
        max_deliver: MAX_DELIVER,
        ..ConsumerConfig::default()
    };
    Ok(queue.reserve_consumer(ROOM_EVENTS, config).await?)
}

/// The payload of its messages, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEvent<R, E> {
    /// The room.
    pub room_id: R,
    /// The event that is new in it.
    pub event_id: E,
    /// Its position.
    pub position: Position,
}

/// Makes the stream, unless it is there as it is to be.
pub(super) async fn create_stream(queue: &Queue) -> Result<()> {
    let config = StreamConfig {
        name: ROOM_EVENTS.to_owned(),
        subjects: vec!["room.event.*".to_owned()],
        retention: Retention::Interest,
        ..StreamConfig::default()
    };
    Ok(queue.reserve_stream(config).await?)
}

/// The subject of a room's events; its id is one token.
pub(super) fn subject(room_id: &RoomId) -> String {
    format!("room.event.{}", room_id.as_str().replace('.', "%2E"))
}

impl Rooms {
    pub(super) fn publish(
        &self,
        batch: &mut Submission,
        subject: &str,
        room_id: &RoomId,
        event_id: &EventId,
        position: Position,
    ) -> Result<()> {
        let payload = serde_json::to_vec(&RoomEvent { room_id, event_id, position })
            .map_err(Error::internal)?;
        self.inner.queue.publish(batch, subject, &Headers::new(), payload)?;
        Ok(())
    }
}
