//! An event as servers exchange it.

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId,
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A persistent data unit: an event, parsed once and never changed.
/// spec: room versions §Event format
#[derive(Debug)]
pub struct Pdu {
    /// Its id: the reference hash.
    pub event_id: OwnedEventId,
    /// The room that it belongs to.
    pub room_id: OwnedRoomId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// When its server made it.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// Its type.
    pub kind: TimelineEventType,
    /// Present in state events.
    pub state_key: Option<String>,
    /// Its content.
    pub content: Box<RawValue>,
    /// One more than the greatest depth of `prev_events`.
    pub depth: u64,
    /// The events before it in the graph.
    pub prev_events: Vec<OwnedEventId>,
    /// The events that allow it.
    pub auth_events: Vec<OwnedEventId>,
    /// For a redaction, what it redacts, wherever the room version keeps that.
    pub redacts: Option<OwnedEventId>,
    /// The whole event in canonical JSON.
    pub json: Box<RawValue>,
    /// Whether the authorization rules refused it.
    pub rejected: bool,
    /// Whether `json` names the room; not so in the create event since room version 12.
    names_room: bool,
}

#[derive(Deserialize)]
struct Fields {
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    #[serde(rename = "type")]
    kind: TimelineEventType,
    state_key: Option<String>,
    content: Box<RawValue>,
    depth: u64,
    prev_events: Vec<OwnedEventId>,
    auth_events: Vec<OwnedEventId>,
    redacts: Option<OwnedEventId>,
}

#[derive(Deserialize)]
struct RedactionContent {
    redacts: Option<OwnedEventId>,
}

impl Pdu {
    /// Parses an event whose id is known.
    ///
    /// # Errors
    /// When a field that every event has is missing or malformed.
    pub(in crate::rooms) fn parse(
        event_id: OwnedEventId,
        json: Box<RawValue>,
        rules: &RoomVersionRules,
        rejected: bool,
    ) -> serde_json::Result<Self> {
        let fields: Fields = serde_json::from_str(json.get())?;
        let names_room = fields.room_id.is_some();
        // Since room version 12 the room's id is the create event's, with another sigil.
        let room_id = match fields.room_id {
            Some(room_id) => room_id,
            None => room_id_of_create(&event_id).map_err(serde::de::Error::custom)?,
        };
        let redacts = match fields.kind {
            TimelineEventType::RoomRedaction if rules.redaction.content_field_redacts => {
                serde_json::from_str::<RedactionContent>(fields.content.get())
                    .ok()
                    .and_then(|content| content.redacts)
            }
            TimelineEventType::RoomRedaction => fields.redacts,
            _ => None,
        };
        Ok(Self {
            event_id,
            room_id,
            sender: fields.sender,
            origin_server_ts: fields.origin_server_ts,
            kind: fields.kind,
            state_key: fields.state_key,
            content: fields.content,
            depth: fields.depth,
            prev_events: fields.prev_events,
            auth_events: fields.auth_events,
            redacts,
            json,
            rejected,
            names_room,
        })
    }

    /// The content as a type; `None` when it has another form.
    pub fn content_as<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        serde_json::from_str(self.content.get()).ok()
    }

    /// The membership that it sets, for a membership event that says one.
    pub fn membership(&self) -> Option<MembershipState> {
        #[derive(Deserialize)]
        struct Content {
            membership: MembershipState,
        }
        if self.kind != TimelineEventType::RoomMember {
            return None;
        }
        Some(self.content_as::<Content>()?.membership)
    }

    /// The event as a canonical JSON object.
    ///
    /// # Errors
    /// Never for a stored event: it was canonical JSON when it came.
    pub(in crate::rooms) fn object(&self) -> serde_json::Result<CanonicalJsonObject> {
        // One by one: older versions kept contents that are as deep as a parser goes.
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(self.json.get())?;
        let parsed = |(name, member): (String, &RawValue)| {
            Ok((name, serde_json::from_str::<CanonicalJsonValue>(member.get())?))
        };
        members.into_iter().map(parsed).collect()
    }

    /// The key in the room's state that it sets, for a state event.
    pub fn state_entry(&self) -> Option<(StateEventType, &str)> {
        let key = self.state_key.as_deref()?;
        Some((StateEventType::from(self.kind.to_string()), key))
    }

    /// How much memory it takes, about.
    pub(in crate::rooms) fn weight(&self) -> usize {
        512 + 2 * self.json.get().len()
    }
}

/// The id of a room of version 12 or later. spec: room version 12 §Room IDs as hashes of the
/// create event
pub(in crate::rooms) fn room_id_of_create(
    event_id: &EventId,
) -> Result<OwnedRoomId, ruma::IdParseError> {
    RoomId::parse(format!("!{}", event_id.as_str().trim_start_matches('$')))
}

impl ruma::state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.names_room.then_some(&*self.room_id)
    }

    fn sender(&self) -> &UserId {
        &self.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.origin_server_ts
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }

    fn content(&self) -> &RawValue {
        &self.content
    }

    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.auth_events.iter())
    }

    fn redacts(&self) -> Option<&OwnedEventId> {
        self.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.rejected
    }
}
