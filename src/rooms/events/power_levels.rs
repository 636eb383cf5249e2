//! Who may do what in a room. spec: client-server §m.room.power_levels

use std::collections::{BTreeMap, HashSet};

use ruma::{
    Int, OwnedUserId, UserId,
    events::{TimelineEventType, room::power_levels::UserPowerLevel},
    int,
    room_version_rules::AuthorizationRules,
    serde::{JsonObject, deserialize_v1_powerlevel},
    state_res::events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};
use serde_json::Value;

use super::Pdu;

/// Who may do what in a room now; read once, whoever is asked about then.
pub struct PowerLevels {
    privileges_creators: bool,
    creators: HashSet<OwnedUserId>,
    /// `None` where the room has no such state.
    levels: Option<Levels>,
}

/// What a power levels event says; what of it can't be read counts as not said.
struct Levels {
    users: BTreeMap<OwnedUserId, Int>,
    users_default: Int,
    /// `None` when these can't be read: then no type has a level of its own.
    events: Option<BTreeMap<TimelineEventType, Int>>,
    actions: BTreeMap<RoomPowerLevelsIntField, Int>,
}

impl Levels {
    fn read(levels: &Pdu, rules: &AuthorizationRules) -> Self {
        let event = RoomPowerLevelsEvent::new(levels);
        let level = |field: RoomPowerLevelsIntField| event.get_as_int_or_default(field, rules);
        let actions = ACTIONS.into_iter().filter_map(|field| Some((field, level(field).ok()?)));
        let (users, users_default) = match event.users(rules) {
            Ok(users) => (
                users.cloned().unwrap_or_default(),
                level(RoomPowerLevelsIntField::UsersDefault).unwrap_or_default(),
            ),
            Err(_) => (BTreeMap::new(), Int::default()),
        };
        let events = event.events(rules).ok().map(Option::unwrap_or_default);
        Self { users, users_default, events, actions: actions.collect() }
    }
}

/// What has a level in every room.
const ACTIONS: [RoomPowerLevelsIntField; 7] = [
    RoomPowerLevelsIntField::UsersDefault,
    RoomPowerLevelsIntField::EventsDefault,
    RoomPowerLevelsIntField::StateDefault,
    RoomPowerLevelsIntField::Ban,
    RoomPowerLevelsIntField::Redact,
    RoomPowerLevelsIntField::Kick,
    RoomPowerLevelsIntField::Invite,
];

impl PowerLevels {
    /// By the create event and, where there is one, the power levels of a state.
    pub(in crate::rooms) fn new(
        rules: &AuthorizationRules,
        create: &Pdu,
        levels: Option<&Pdu>,
    ) -> Self {
        Self {
            privileges_creators: rules.explicitly_privilege_room_creators,
            creators: RoomCreateEvent::new(create).creators(rules).unwrap_or_default(),
            levels: levels.map(|levels| Levels::read(levels, rules)),
        }
    }

    /// A user's power level. spec: client-server §m.room.power_levels
    pub fn of(&self, user_id: &UserId) -> UserPowerLevel {
        let is_creator = self.creators.contains(user_id);
        if self.privileges_creators && is_creator {
            return UserPowerLevel::Infinite;
        }
        let level = match &self.levels {
            Some(levels) => *levels.users.get(user_id).unwrap_or(&levels.users_default),
            None if is_creator => int!(100),
            None => int!(0),
        };
        level.into()
    }

    /// Those whose power has no end. spec: room version 12 §Room creators
    pub fn privileged(&self) -> HashSet<OwnedUserId> {
        match self.privileges_creators {
            true => self.creators.clone(),
            false => HashSet::new(),
        }
    }

    /// The level that an action asks for.
    pub fn needed(&self, action: RoomPowerLevelsIntField) -> Int {
        let said = self.levels.as_ref().and_then(|levels| levels.actions.get(&action).copied());
        said.unwrap_or_else(|| action.default_value())
    }

    /// The level that sending an event asks for.
    pub fn needed_to_send(&self, kind: &TimelineEventType, state_key: Option<&str>) -> Int {
        let default = match state_key {
            Some(_) => RoomPowerLevelsIntField::StateDefault,
            None => RoomPowerLevelsIntField::EventsDefault,
        };
        match self.levels.as_ref().map(|levels| &levels.events) {
            Some(Some(events)) => events.get(kind).copied().unwrap_or_else(|| self.needed(default)),
            _ => default.default_value(),
        }
    }

    /// Whether a user may do an action as far as levels go.
    pub fn allow(&self, user_id: &UserId, action: RoomPowerLevelsIntField) -> bool {
        self.of(user_id) >= self.needed(action)
    }

    /// Whether a user may send an event as far as levels go.
    pub fn allow_send(
        &self,
        user_id: &UserId,
        kind: &TimelineEventType,
        state_key: Option<&str>,
    ) -> bool {
        self.of(user_id) >= self.needed_to_send(kind, state_key)
    }
}

/// Power levels as room versions since 10 have them: those before also take integers in strings.
/// spec: room version 10 §Values in `m.room.power_levels` events must be integers
pub(in crate::rooms) fn with_integers(mut levels: JsonObject) -> JsonObject {
    let to_integer = |value: &mut Value| {
        if value.is_string()
            && let Ok(level) = deserialize_v1_powerlevel(&*value)
        {
            *value = i64::from(level).into();
        }
    };
    for field in ACTIONS {
        levels.get_mut(field.as_str()).into_iter().for_each(to_integer);
    }
    for map in ["events", "users", "notifications"] {
        let map = levels.get_mut(map).and_then(Value::as_object_mut);
        map.into_iter().flat_map(|map| map.values_mut()).for_each(to_integer);
    }
    levels
}
