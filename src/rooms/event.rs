//! An event as this server keeps it.

use std::{borrow::Cow, rc::Rc};

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedDeviceId, OwnedEventId, OwnedTransactionId, OwnedUserId,
    UserId,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
    serde::JsonObject,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Pdu, state::StateId};
use crate::{Error, Result, feed::Position, follow_ups::Recorded, store};

/// Which request of which device made an event.
/// spec: client-server §Transaction identifiers
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Txn {
    /// The sender.
    pub user_id: OwnedUserId,
    /// The sender's device.
    pub device_id: OwnedDeviceId,
    /// The transaction id that the client chose.
    pub txn_id: OwnedTransactionId,
}

/// An event to be made and sent by a local user.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its type.
    pub kind: TimelineEventType,
    /// Present for a state event.
    pub state_key: Option<String>,
    /// Its content: any JSON object, without what only this server decides.
    pub(super) content: Box<RawValue>,
    /// For a redaction, the event to redact.
    pub redacts: Option<OwnedEventId>,
    /// Another time than now, for application services.
    pub timestamp: Option<MilliSecondsSinceUnixEpoch>,
    /// The client's transaction, if the endpoint has one.
    pub txn: Option<Txn>,
    /// What there is to do once it is sent.
    pub follow_up: Option<Recorded>,
}

impl NewEvent {
    /// A message event.
    pub fn message(kind: TimelineEventType, content: Box<RawValue>) -> Self {
        Self {
            kind,
            state_key: None,
            content,
            redacts: None,
            timestamp: None,
            txn: None,
            follow_up: None,
        }
    }

    /// A state event. What only this server may say in its content is taken out, whoever wrote it.
    pub fn state(
        kind: StateEventType,
        state_key: impl Into<String>,
        content: Box<RawValue>,
    ) -> Self {
        let content = match kind {
            StateEventType::RoomMember => without_server_keys(content),
            _ => content,
        };
        Self { state_key: Some(state_key.into()), ..Self::message(kind.into(), content) }
    }

    /// A state event whose content is given as a value.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub(super) fn state_of(
        kind: StateEventType,
        state_key: impl Into<String>,
        content: &impl Serialize,
    ) -> Result<Self> {
        let content = serde_json::value::to_raw_value(content).map_err(Error::internal)?;
        Ok(Self::state(kind, state_key, content))
    }

    /// A redaction of `redacts`.
    ///
    /// # Errors
    /// Never: a reason is a string.
    pub fn redaction(redacts: OwnedEventId, reason: Option<&str>) -> Result<Self> {
        #[derive(Serialize)]
        struct Content<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        let content =
            serde_json::value::to_raw_value(&Content { reason }).map_err(Error::internal)?;
        Ok(Self {
            redacts: Some(redacts),
            ..Self::message(TimelineEventType::RoomRedaction, content)
        })
    }

    /// Which event this redacts; a redaction through /send names it in the content.
    /// spec: client-server §Redactions
    pub(crate) fn redacted(&self) -> Option<OwnedEventId> {
        #[derive(Deserialize)]
        struct Content {
            redacts: OwnedEventId,
        }
        if self.kind != TimelineEventType::RoomRedaction || self.redacts.is_some() {
            return self.redacts.clone();
        }
        let content = serde_json::from_str::<Content>(self.content.get()).ok();
        content.map(|content| content.redacts)
    }

    /// The same join, which `user_id` vouches for.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` when the content is no object.
    pub(super) fn vouched_for(self, user_id: &UserId) -> Result<Self> {
        let mut content: JsonObject = serde_json::from_str(self.content.get())
            .map_err(|cause| Error::bad_json(cause.to_string()))?;
        content.insert(AUTHORISED_VIA.to_owned(), user_id.as_str().into());
        let content = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
        Ok(Self { content, ..self })
    }

    /// What a membership event makes of its user, if it is one.
    pub(crate) fn membership(&self) -> Option<(&UserId, MembershipState)> {
        #[derive(Deserialize)]
        struct Content {
            membership: MembershipState,
        }
        let (TimelineEventType::RoomMember, Some(state_key)) = (&self.kind, &self.state_key) else {
            return None;
        };
        let user_id = <&UserId>::try_from(state_key.as_str()).ok()?;
        let content: Content = serde_json::from_str(self.content.get()).ok()?;
        Some((user_id, content.membership))
    }

    /// The same with a transaction.
    pub fn with_txn(self, txn: Option<Txn>) -> Self {
        Self { txn, ..self }
    }
}

/// Who vouches for a join. spec: room version 8 §Restricted rooms
const AUTHORISED_VIA: &str = "join_authorised_via_users_server";

/// What of a membership event only servers decide: who vouches for a join, and what an identity
/// server has signed of an invite. spec: client-server §m.room.member
const SERVER_KEYS: [&str; 2] = [AUTHORISED_VIA, "third_party_invite"];

fn without_server_keys(content: Box<RawValue>) -> Box<RawValue> {
    // What is no object is refused where the event is built.
    let Ok(mut object) = serde_json::from_str::<JsonObject>(content.get()) else { return content };
    let before = object.len();
    object.retain(|key, _| !SERVER_KEYS.contains(&key.as_str()));
    if object.len() == before {
        return content;
    }
    serde_json::value::to_raw_value(&object).unwrap_or(content)
}

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
    /// When the row is not one that [`Event::to_row`] wrote.
    pub(super) fn from_row(
        row: &[u8],
        position: Position,
        rules: &RoomVersionRules,
    ) -> store::Result<Self> {
        let row: Row<'_> = serde_json::from_slice(row).map_err(store::Error::encoding)?;
        let parse = |event_id: &str, pdu: &RawValue, rejected: bool| {
            let event_id = OwnedEventId::try_from(event_id).map_err(store::Error::encoding)?;
            Pdu::parse(event_id, pdu.to_owned(), rules, rejected)
                .map(Rc::new)
                .map_err(store::Error::encoding)
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
    pub(super) fn to_row(&self) -> store::Result<Vec<u8>> {
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
    pub(super) fn weight(&self) -> usize {
        self.pdu.weight() + self.redacted_because.as_ref().map_or(0, |pdu| pdu.weight())
    }
}
