//! How one event relates to another. spec: client-server §Forming relationships between events

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, events::TimelineEventType};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    feed::Position,
    rooms::{Event, Pdu},
    store::{self, Batch, Erasure, Json, Rows, Table},
};

/// Room, parent, relation type, position of the child → child.
pub(in crate::rooms) const RELATIONS: Rows<
    (OwnedRoomId, OwnedEventId, String, Position),
    Json<Child>,
> = Rows::new(Table::Relations, Erasure::Kept);

/// How one event relates to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The event that it relates to.
    pub parent: OwnedEventId,
    /// How.
    pub rel_type: String,
    /// For an annotation, what it says.
    pub key: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "m.relates_to")]
    relates_to: Option<RelatesTo>,
}

#[derive(Deserialize)]
struct RelatesTo {
    rel_type: Option<String>,
    event_id: Option<OwnedEventId>,
    #[serde(default)]
    key: Option<serde_json::Value>,
}

impl Relation {
    /// The relation that an event has.
    pub fn of(pdu: &Pdu) -> Option<Self> {
        Self::in_content(&pdu.content)
    }

    /// The relation that a content has.
    pub(in crate::rooms) fn in_content(content: &RawValue) -> Option<Self> {
        // Most events have none: look before parsing.
        if !content.get().contains("m.relates_to") {
            return None;
        }
        let relates_to = serde_json::from_str::<Content>(content.get()).ok()?.relates_to?;
        let key = match relates_to.key {
            Some(serde_json::Value::String(key)) => Some(key),
            _ => None,
        };
        Some(Self { parent: relates_to.event_id?, rel_type: relates_to.rel_type?, key })
    }

    /// Whether it puts the event in a thread.
    pub(in crate::rooms) fn is_thread(&self) -> bool {
        self.rel_type == "m.thread"
    }

    pub(super) fn is_annotation(&self) -> bool {
        self.rel_type == "m.annotation"
    }

    pub(in crate::rooms) fn write(&self, batch: &mut Batch, event: &Event) -> store::Result<()> {
        let child = Child {
            event_id: event.pdu.event_id.clone(),
            kind: event.pdu.kind.clone(),
            sender: event.pdu.sender.clone(),
            key: self.key.clone().filter(|_| self.is_annotation()),
        };
        let row = (&event.pdu.room_id, &self.parent, &self.rel_type, event.position);
        RELATIONS.put(batch, row, &child)
    }

    pub(in crate::rooms) fn delete(&self, batch: &mut Batch, room_id: &RoomId, position: Position) {
        RELATIONS.delete(batch, (room_id, &self.parent, &self.rel_type, position));
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::rooms) struct Child {
    pub(super) event_id: OwnedEventId,
    #[serde(rename = "type")]
    pub(super) kind: TimelineEventType,
    pub(super) sender: OwnedUserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}
