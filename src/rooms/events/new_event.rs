//! An event that a local user wants to send.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedDeviceId, OwnedEventId, OwnedTransactionId, OwnedUserId,
    UserId,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
    serde::JsonObject,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Result, follow_ups::Recorded};

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
    pub(in crate::rooms) content: Box<RawValue>,
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
    pub(in crate::rooms) fn state_of(
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
    pub(in crate::rooms) fn vouched_for(self, user_id: &UserId) -> Result<Self> {
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
