//! The answer to `/sync`. spec: client-server §GET /_matrix/client/v3/sync
//!
//! Not ruma's type: clients still ask for `state_after` under its unstable name (MSC4222), and the
//! events are JSON already.

use std::collections::BTreeMap;

use ruma::{OneTimeKeyAlgorithm, OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

/// An event in the client's form.
pub(super) type Json = Box<RawValue>;

/// A list under the name `events`.
#[derive(Debug, Default, Serialize)]
pub struct Events {
    /// The events.
    pub events: Vec<Json>,
}

impl Events {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// The whole answer.
#[derive(Debug, Default, Serialize)]
pub struct Response {
    /// The token for the next sync.
    pub next_batch: String,
    /// What is new in rooms.
    #[serde(skip_serializing_if = "Rooms::is_empty")]
    pub rooms: Rooms,
    /// Who is online.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub presence: Events,
    /// Global account data.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    /// Messages for this device.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub to_device: Events,
    /// Whose devices changed.
    #[serde(skip_serializing_if = "DeviceLists::is_empty")]
    pub device_lists: DeviceLists,
    /// How many one-time keys this device has left.
    pub device_one_time_keys_count: BTreeMap<OneTimeKeyAlgorithm, u64>,
    /// Which fallback keys of this device have not been used.
    pub device_unused_fallback_key_types: Vec<OneTimeKeyAlgorithm>,
}

impl Response {
    /// Whether there is nothing in it that a client waits for.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.presence.is_empty()
            && self.account_data.is_empty()
            && self.to_device.is_empty()
            && self.device_lists.is_empty()
    }
}

/// Rooms by the membership of the user.
#[derive(Debug, Default, Serialize)]
pub struct Rooms {
    /// Joined rooms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub join: BTreeMap<OwnedRoomId, JoinedRoom>,
    /// Rooms that the user is invited to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub invite: BTreeMap<OwnedRoomId, StrippedRoom>,
    /// Rooms that the user asked to be let into.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub knock: BTreeMap<OwnedRoomId, StrippedRoom>,
    /// Rooms that the user left or was removed from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leave: BTreeMap<OwnedRoomId, LeftRoom>,
}

impl Rooms {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.join.is_empty()
            && self.invite.is_empty()
            && self.knock.is_empty()
            && self.leave.is_empty()
    }
}

/// What is new in a joined room.
#[derive(Debug, Default, Serialize)]
pub struct JoinedRoom {
    /// For the name of the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// State and timeline.
    #[serde(flatten)]
    pub events: RoomEvents,
    /// Typing and receipts. Clients look for the list, empty or not.
    pub ephemeral: Events,
    /// The user's account data for the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
    /// What the user has not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_notifications: Option<Unread>,
    /// What the user has not read of threads.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread_thread_notifications: BTreeMap<OwnedEventId, Unread>,
}

impl JoinedRoom {
    /// Whether there is nothing new.
    pub fn is_empty(&self) -> bool {
        self.summary.is_none() && self.is_empty_but_for_the_summary()
    }

    /// Whether the summary is all that is new.
    pub(super) fn tells_members_alone(&self) -> bool {
        self.summary.is_some() && self.is_empty_but_for_the_summary()
    }

    fn is_empty_but_for_the_summary(&self) -> bool {
        self.events.is_empty()
            && self.ephemeral.is_empty()
            && self.account_data.is_empty()
            && self.unread_notifications.is_none()
            && self.unread_thread_notifications.is_empty()
    }
}

/// What the user may see of a room left.
#[derive(Debug, Default, Serialize)]
pub struct LeftRoom {
    /// State and timeline.
    #[serde(flatten)]
    pub events: RoomEvents,
    /// The user's account data for the room.
    #[serde(skip_serializing_if = "Events::is_empty")]
    pub account_data: Events,
}

/// What is shown of a room to users who are not in it. Under the name of their membership.
#[derive(Debug)]
pub struct StrippedRoom {
    /// `invite_state` or `knock_state`.
    pub name: &'static str,
    /// Stripped state.
    pub state: Events,
}

impl Serialize for StrippedRoom {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &self.state)?;
        map.end()
    }
}

/// State and timeline of a room.
#[derive(Debug, Default)]
pub struct RoomEvents {
    /// Where the state stands and what the client calls it.
    pub state_form: StateForm,
    /// What changed in the state, beside the timeline.
    pub state: Vec<Json>,
    /// The newest events.
    pub timeline: Vec<Json>,
    /// Whether events before those are left out.
    pub limited: bool,
    /// The place before the timeline, if there is anything before it.
    pub prev_batch: Option<String>,
}

impl RoomEvents {
    /// Whether there is nothing new.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.timeline.is_empty() && !self.limited
    }
}

impl Serialize for RoomEvents {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct List<'a> {
            events: &'a [Json],
        }
        #[derive(Serialize)]
        struct Timeline<'a> {
            events: &'a [Json],
            limited: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            prev_batch: Option<&'a str>,
        }
        let timeline = Timeline {
            events: &self.timeline,
            limited: self.limited,
            prev_batch: self.prev_batch.as_deref(),
        };
        // Both are always there: clients look for them, and `state_after` tells that the server
        // knows the form.
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.state_form.name(), &List { events: &self.state })?;
        map.serialize_entry("timeline", &timeline)?;
        map.end()
    }
}

/// Which state a client wants told. spec: MSC4222
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateForm {
    /// That before the timeline, as `state`.
    #[default]
    Before,
    /// That after the timeline, as `state_after`.
    After,
    /// That after the timeline, under the unstable name.
    UnstableAfter,
}

impl StateForm {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "state",
            Self::After => "state_after",
            Self::UnstableAfter => "org.matrix.msc4222.state_after",
        }
    }
}

/// From what a client makes a room's name.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Some of the other members, for rooms without a name.
    #[serde(rename = "m.heroes", skip_serializing_if = "Option::is_none")]
    pub heroes: Option<Vec<OwnedUserId>>,
    /// How many users are joined.
    #[serde(rename = "m.joined_member_count")]
    pub joined: usize,
    /// How many users are invited.
    #[serde(rename = "m.invited_member_count")]
    pub invited: usize,
}

/// Counts of what is not read.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Unread {
    /// Events that notify.
    pub notification_count: u64,
    /// Those of them that are highlighted.
    pub highlight_count: u64,
}

/// Whose devices changed. spec: client-server §Tracking the device list for a user
#[derive(Debug, Default, Serialize)]
pub struct DeviceLists {
    /// Users whose devices changed, or who now share a room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<OwnedUserId>,
    /// Users who share no room any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<OwnedUserId>,
}

impl DeviceLists {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}
