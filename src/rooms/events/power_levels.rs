//! Who may do what in a room. spec: client-server §m.room.power_levels

use std::{collections::HashSet, rc::Rc};

use ruma::{
    Int, OwnedUserId, UserId,
    events::{TimelineEventType, room::power_levels::UserPowerLevel},
    int,
    room_version_rules::AuthorizationRules,
    state_res::events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
};

use super::Pdu;

/// Who may do what in a room now.
pub struct PowerLevels {
    rules: AuthorizationRules,
    create: Rc<Pdu>,
    levels: Option<Rc<Pdu>>,
}

impl PowerLevels {
    /// By the create event and, where there is one, the power levels of a state.
    pub(in crate::rooms) fn new(
        rules: AuthorizationRules,
        create: Rc<Pdu>,
        levels: Option<Rc<Pdu>>,
    ) -> Self {
        Self { rules, create, levels }
    }

    /// A user's power level. spec: client-server §m.room.power_levels
    pub fn of(&self, user_id: &UserId) -> UserPowerLevel {
        let is_creator = RoomCreateEvent::new(&*self.create)
            .creators(&self.rules)
            .is_ok_and(|creators| creators.contains(user_id));
        if self.rules.explicitly_privilege_room_creators && is_creator {
            return UserPowerLevel::Infinite;
        }
        let level = match &self.levels {
            Some(levels) => RoomPowerLevelsEvent::new(&**levels)
                .user_power_level(user_id, &self.rules)
                .unwrap_or_default(),
            None if is_creator => int!(100),
            None => int!(0),
        };
        level.into()
    }

    /// Those whose power has no end. spec: room version 12 §Room creators
    pub fn privileged(&self) -> HashSet<OwnedUserId> {
        if !self.rules.explicitly_privilege_room_creators {
            return HashSet::new();
        }
        RoomCreateEvent::new(&*self.create).creators(&self.rules).unwrap_or_default()
    }

    /// The level that an action asks for.
    pub fn needed(&self, action: RoomPowerLevelsIntField) -> Int {
        match &self.levels {
            Some(levels) => RoomPowerLevelsEvent::new(&**levels)
                .get_as_int_or_default(action, &self.rules)
                .unwrap_or_else(|_| action.default_value()),
            None => action.default_value(),
        }
    }

    /// The level that sending an event asks for.
    pub fn needed_to_send(&self, kind: &TimelineEventType, state_key: Option<&str>) -> Int {
        let default = match state_key {
            Some(_) => RoomPowerLevelsIntField::StateDefault,
            None => RoomPowerLevelsIntField::EventsDefault,
        };
        match &self.levels {
            Some(levels) => RoomPowerLevelsEvent::new(&**levels)
                .event_power_level(kind, state_key, &self.rules)
                .unwrap_or_else(|_| default.default_value()),
            None => default.default_value(),
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
