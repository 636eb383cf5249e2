//! Events as clients get them. spec: client-server §Types of room events

use std::borrow::Cow;

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, TransactionId, UserId,
    events::{AnyStrippedStateEvent, TimelineEventType, room::member::MembershipState},
    serde::Raw,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Bundles, Format, Viewer};
use crate::{
    Error, Result, platform,
    rooms::{Event, Pdu},
};

#[derive(Serialize)]
struct ClientEvent<'a> {
    content: Cow<'a, RawValue>,
    event_id: &'a EventId,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacts: Option<&'a EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a RoomId>,
    sender: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_key: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'a TimelineEventType,
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned: Option<Unsigned<'a>>,
}

#[derive(Serialize)]
struct Unsigned<'a> {
    age: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<MembershipState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted_because: Option<Box<RawValue>>,
    #[serde(rename = "m.relations", skip_serializing_if = "Option::is_none")]
    relations: Option<Bundles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_state: Option<&'a OwnedEventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a TransactionId>,
}

/// What a client that is invited or knocks is told of a room.
/// spec: client-server §Stripped state
///
/// # Errors
/// Never: every part has a JSON form.
pub fn stripped(pdu: &Pdu) -> Result<Raw<AnyStrippedStateEvent>> {
    #[derive(Serialize)]
    struct Stripped<'a> {
        content: &'a RawValue,
        sender: &'a UserId,
        state_key: &'a str,
        #[serde(rename = "type")]
        kind: &'a TimelineEventType,
    }
    let stripped = Stripped {
        content: &pdu.content,
        sender: &pdu.sender,
        state_key: pdu.state_key.as_deref().unwrap_or_default(),
        kind: &pdu.kind,
    };
    Ok(Raw::from_json(to_raw_value(&stripped).map_err(Error::internal)?))
}

impl Pdu {
    /// The event for a client, without `unsigned`: nothing that depends on who asks.
    ///
    /// # Errors
    /// Never: every part has a JSON form.
    pub fn client_json(&self, format: Format) -> Result<Box<RawValue>> {
        self.client_json_with(format, None)
    }

    fn client_json_with(
        &self,
        format: Format,
        unsigned: Option<Unsigned<'_>>,
    ) -> Result<Box<RawValue>> {
        if format == Format::Federation {
            return Ok(self.json.clone());
        }
        let event = ClientEvent {
            content: self.client_content(),
            event_id: &self.event_id,
            origin_server_ts: self.origin_server_ts,
            redacts: self.redacts.as_deref(),
            room_id: (format == Format::Timeline).then_some(&*self.room_id),
            sender: &self.sender,
            state_key: self.state_key.as_deref(),
            kind: &self.kind,
            unsigned,
        };
        to_raw_value(&event).map_err(Error::internal)
    }

    /// The content for a client: a redaction names its event there in every room version, as it
    /// does outside of it. spec: client-server §m.room.redaction
    fn client_content(&self) -> Cow<'_, RawValue> {
        let Some(redacts) = &self.redacts else { return Cow::Borrowed(&self.content) };
        let Some(mut content) = self.content_as::<ruma::serde::JsonObject>() else {
            return Cow::Borrowed(&self.content);
        };
        content.insert("redacts".to_owned(), redacts.as_str().into());
        match to_raw_value(&content) {
            Ok(content) => Cow::Owned(content),
            Err(_) => Cow::Borrowed(&self.content),
        }
    }
}

impl Viewer {
    /// An event for this viewer, with its aggregations.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn event<T>(&self, event: &Event, format: Format) -> Result<Raw<T>> {
        let bundles = self.bundles(event, format).await?;
        Ok(Raw::from_json(self.json(event, format, bundles).await?))
    }

    /// Events for this viewer, with their aggregations.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn events<T>(&self, events: &[Event], format: Format) -> Result<Vec<Raw<T>>> {
        let mut raw = Vec::with_capacity(events.len());
        for event in events {
            raw.push(self.event(event, format).await?);
        }
        Ok(raw)
    }

    pub(in crate::rooms) async fn json(
        &self,
        event: &Event,
        format: Format,
        relations: Option<Bundles>,
    ) -> Result<Box<RawValue>> {
        let replaced = match &event.replaces_state {
            Some(event_id) => self.room.event(event_id).await?,
            None => None,
        };
        let own_txn = event.txn.as_deref().filter(|txn| {
            txn.user_id == self.user_id && Some(&txn.device_id) == self.device_id.as_ref()
        });
        let age =
            u64::from(platform::now().0).saturating_sub(u64::from(event.pdu.origin_server_ts.0));
        let unsigned = Unsigned {
            age,
            membership: Some(self.membership_at(event).await?),
            prev_content: replaced.as_ref().map(|event| &*event.pdu.content),
            redacted_because: event
                .redacted_because
                .as_ref()
                .map(|pdu| pdu.client_json(format))
                .transpose()?,
            relations,
            replaces_state: event.replaces_state.as_ref(),
            transaction_id: own_txn.map(|txn| &*txn.txn_id),
        };
        event.pdu.client_json_with(format, Some(unsigned))
    }
}
