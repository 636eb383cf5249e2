//! What the other parts are told of each new event: a message in the stream `ROOM_EVENTS`, in the
//! event's own batch.

use std::rc::Rc;

use ruma::{EventId, RoomId};
use serde::{Deserialize, Serialize};

use super::Rooms;
use crate::{
    Error, Result,
    bus::{Bus, Consumer, Stream},
    feed::Position,
    store::Batch,
};

/// The name of the stream.
pub const ROOM_EVENTS: &str = "ROOM_EVENTS";

/// The stream.
pub(super) const STREAM: Stream = Stream { name: ROOM_EVENTS, subjects: &["room.event.*"] };

/// How often a consumer of the homeserver is delivered a message. What still can't be worked on then,
/// or has ended the worker each time, is set aside, so that the rest goes on.
const MAX_DELIVER: u32 = 4;

/// Makes a part's consumer of the stream, unless it is there as it is to be.
///
/// # Errors
/// When the store fails.
pub async fn consumer_of_room_events(bus: &dyn Bus, name: &str) -> Result<Rc<dyn Consumer>> {
    bus.ensure_consumer(ROOM_EVENTS, name, MAX_DELIVER).await
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

/// The subject of a room's events; its id is one token.
pub(super) fn subject(room_id: &RoomId) -> String {
    format!("room.event.{}", room_id.as_str().replace('.', "%2E"))
}

impl Rooms {
    pub(super) fn publish(
        &self,
        batch: &mut Batch,
        subject: Rc<str>,
        room_id: &RoomId,
        event_id: &EventId,
        position: Position,
    ) -> Result<()> {
        let payload = serde_json::to_vec(&RoomEvent { room_id, event_id, position })
            .map_err(Error::internal)?;
        self.inner.bus.publish(batch, subject, payload);
        Ok(())
    }
}
