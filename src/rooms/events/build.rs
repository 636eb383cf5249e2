//! Makes events: canonical JSON, hashes, signature, id.

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId,
    UserId,
    events::TimelineEventType,
    room_version_rules::{RoomIdFormatVersion, RoomVersionRules},
    signatures::{JsonError, reference_hash},
    state_res::check_pdu_format,
};

use super::{NewEvent, Pdu, ServerKey, limits};
use crate::{Error, Result, platform};

/// The greatest depth that canonical JSON can say. spec: appendices §Canonical JSON
const MAX_DEPTH: u64 = (1 << 53) - 1;

/// The place of a new event in the graph.
pub(in crate::rooms) struct Place<'a> {
    /// `None` for a create event that makes its room's id.
    pub(in crate::rooms) room_id: Option<&'a ruma::RoomId>,
    pub(in crate::rooms) prev_events: &'a [OwnedEventId],
    pub(in crate::rooms) auth_events: &'a [OwnedEventId],
    /// The greatest depth of the events before.
    pub(in crate::rooms) depth: u64,
}

/// Makes the event that `sender` wants.
///
/// # Errors
/// 400 `M_BAD_JSON` when the content is no canonical JSON object or the event has no valid form,
/// 413 `M_TOO_LARGE` when it is too large.
pub(in crate::rooms) fn build(
    key: &ServerKey,
    rules: &RoomVersionRules,
    sender: &UserId,
    new: &NewEvent,
    place: &Place<'_>,
) -> Result<Pdu> {
    let mut content: CanonicalJsonObject = serde_json::from_str(new.content.get())
        .map_err(|cause| Error::bad_json(format!("The content is not canonical JSON: {cause}")))?;
    let ids = |ids: &[OwnedEventId]| {
        let ids = ids.iter().map(|id| CanonicalJsonValue::String(id.to_string()));
        CanonicalJsonValue::Array(ids.collect())
    };
    let timestamp = new.timestamp.unwrap_or_else(platform::now);
    let mut event = CanonicalJsonObject::new();
    if new.kind == TimelineEventType::RoomRedaction
        && let Some(redacts) = &new.redacts
    {
        let redacts = redacts.to_string();
        if rules.redaction.content_field_redacts {
            content.insert("redacts".to_owned(), redacts.into());
        } else {
            // Sent as any event, a redaction has it in its content.
            // spec: client-server §PUT /rooms/{roomId}/send/{eventType}/{txnId}
            content.remove("redacts");
            event.insert("redacts".to_owned(), redacts.into());
        }
    }
    event.insert("auth_events".to_owned(), ids(place.auth_events));
    event.insert("content".to_owned(), content.into());
    event.insert("depth".to_owned(), integer((place.depth + 1).min(MAX_DEPTH))?);
    event.insert("origin_server_ts".to_owned(), milliseconds(timestamp));
    event.insert("prev_events".to_owned(), ids(place.prev_events));
    event.insert("sender".to_owned(), sender.as_str().into());
    event.insert("type".to_owned(), new.kind.to_string().into());
    if let Some(room_id) = place.room_id {
        event.insert("room_id".to_owned(), room_id.as_str().into());
    }
    if let Some(state_key) = &new.state_key {
        event.insert("state_key".to_owned(), state_key.as_str().into());
    }
    key.hash_and_sign(&mut event, &rules.redaction).map_err(refused)?;
    let event_id = event_id(&event, rules)?;
    let json = limits::written(&event)?;
    check_pdu_format(&event, &rules.event_format).map_err(Error::bad_json)?;
    Pdu::parse(event_id, json, rules, false).map_err(|cause| Error::bad_json(cause.to_string()))
}

/// An event's id. spec: server-server §Calculating the reference hash for an event
pub(in crate::rooms) fn event_id(
    event: &CanonicalJsonObject,
    rules: &RoomVersionRules,
) -> Result<OwnedEventId> {
    let hash = reference_hash(event, rules).map_err(refused)?;
    EventId::parse(format!("${hash}")).map_err(Error::internal)
}

/// Whether a create event makes its room's id.
pub(in crate::rooms) fn create_makes_room_id(rules: &RoomVersionRules) -> bool {
    rules.room_id_format == RoomIdFormatVersion::V2
}

fn refused(cause: JsonError) -> Error {
    match cause {
        JsonError::PduTooLarge => limits::too_large(),
        cause => Error::bad_json(cause.to_string()),
    }
}

fn integer(value: u64) -> Result<CanonicalJsonValue> {
    ruma::Int::try_from(value).map(CanonicalJsonValue::Integer).map_err(Error::internal)
}

fn milliseconds(timestamp: MilliSecondsSinceUnixEpoch) -> CanonicalJsonValue {
    CanonicalJsonValue::Integer(timestamp.0.into())
}
