//! An event as this server keeps it.

use std::{borrow::Cow, rc::Rc};

use ruma::{OwnedEventId, OwnedRoomId, room_version_rules::RoomVersionRules};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Pdu, Txn};
use crate::{
    feed::Position,
    rooms::StateId,
    store::{self, Batch, Erasure, KeyOf, Plain, Rows, Table},
};

/// Room, position → event.
pub(in crate::rooms) const TIMELINE: Rows<(OwnedRoomId, Position), Plain> =
    Rows::new(Table::Timeline, Erasure::Kept);
/// Room, event id → event, for those in no timeline.
pub(in crate::rooms) const HIDDEN_EVENTS: Rows<(OwnedRoomId, OwnedEventId), Plain> =
    Rows::new(Table::HiddenEvents, Erasure::Kept);
/// Room, event id → position; 0 for an event that is in no timeline.
pub(in crate::rooms) const EVENT_INDEX: Rows<(OwnedRoomId, OwnedEventId), KeyOf<(Position,)>> =
    Rows::new(Table::EventIndex, Erasure::Kept);

/// What became of an event. spec: server-server §Checks performed on receipt of a PDU
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is part of the room's timeline.
    #[default]
    Accepted,
    /// Allowed where it stands in the graph, but not by the current state: never shown.
    SoftFailed,
    /// Not allowed: never shown, and without effect on the state.
    Rejected,
}

/// An event with its place in this server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event.
    pub pdu: Rc<Pdu>,
    /// Its place in the feed, and so in the room's timeline; 0 when it is in no timeline.
    pub position: Position,
    /// The room's state before it.
    pub state_before: StateId,
    /// The room's state after it; the same for everything but state events.
    pub state_after: StateId,
    /// The room's current state once the event had come: other than `state_after` where branches
    /// of the graph lay side by side.
    pub room_state: StateId,
    /// What became of it.
    pub status: Status,
    /// The request that made it, for events of this server's users.
    pub txn: Option<Rc<Txn>>,
    /// The state event that it took the place of.
    pub replaces_state: Option<OwnedEventId>,
    /// The redaction that it was stripped for.
    pub redacted_because: Option<Rc<Pdu>>,
}

/// The row of an event.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    pdu: &'a RawValue,
    before: StateId,
    after: StateId,
    /// Left out when it is `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<StateId>,
    #[serde(default, skip_serializing_if = "is_accepted")]
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    txn: Option<Rc<Txn>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<OwnedEventId>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    because: Option<Because<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Because<'a> {
    event_id: Cow<'a, str>,
    #[serde(borrow)]
    pdu: &'a RawValue,
}

fn is_accepted(status: &Status) -> bool {
    *status == Status::Accepted
}

impl Event {
    /// The event as its row has it.
    ///
    /// # Errors
    /// Why it can't be read, when it is not one that [`Event::to_row`] wrote.
    pub(in crate::rooms) fn from_row(
        row: &[u8],
        position: Position,
        rules: &RoomVersionRules,
    ) -> Result<Self, String> {
        let row: Row<'_> = serde_json::from_slice(row).map_err(|cause| cause.to_string())?;
        let parse = |event_id: &str, pdu: &RawValue, rejected: bool| {
            let event_id = OwnedEventId::try_from(event_id).map_err(|cause| cause.to_string())?;
            let pdu = Pdu::parse(event_id, pdu.to_owned(), rules, rejected);
            pdu.map(Rc::new).map_err(|cause| cause.to_string())
        };
        Ok(Self {
            pdu: parse(&row.event_id, row.pdu, row.status == Status::Rejected)?,
            position,
            state_before: row.before,
            state_after: row.after,
            room_state: row.room.unwrap_or(row.after),
            status: row.status,
            txn: row.txn,
            replaces_state: row.replaces,
            redacted_because: row
                .because
                .map(|because| parse(&because.event_id, because.pdu, false))
                .transpose()?,
        })
    }

    /// The row to store.
    ///
    /// # Errors
    /// Never: everything in it has a JSON form.
    fn to_row(&self) -> store::Result<Vec<u8>> {
        let row = Row {
            event_id: self.pdu.event_id.as_str().into(),
            pdu: &self.pdu.json,
            before: self.state_before,
            after: self.state_after,
            room: (self.room_state != self.state_after).then_some(self.room_state),
            status: self.status,
            txn: self.txn.clone(),
            replaces: self.replaces_state.clone(),
            because: self
                .redacted_because
                .as_ref()
                .map(|pdu| Because { event_id: pdu.event_id.as_str().into(), pdu: &pdu.json }),
        };
        serde_json::to_vec(&row).map_err(store::Error::encoding)
    }

    /// How much memory it takes, about.
    pub(in crate::rooms) fn weight(&self) -> usize {
        self.pdu.weight() + self.redacted_because.as_ref().map_or(0, |pdu| pdu.weight())
    }

    /// Writes its row.
    pub(in crate::rooms) fn write(&self, batch: &mut Batch) -> store::Result<()> {
        let Pdu { room_id, event_id, .. } = &*self.pdu;
        match self.position {
            0 => HIDDEN_EVENTS.put(batch, (room_id, event_id), self.to_row()?),
            position => TIMELINE.put(batch, (room_id, position), self.to_row()?),
        }
        Ok(())
    }

    /// Writes where its row is.
    pub(in crate::rooms) fn write_index(&self, batch: &mut Batch) {
        let Pdu { room_id, event_id, .. } = &*self.pdu;
        EVENT_INDEX.put(batch, (room_id, event_id), (self.position,));
    }
}
