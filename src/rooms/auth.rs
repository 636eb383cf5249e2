//! Whether an event is allowed. The rules are ruma's; here is where their inputs come from.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use ruma::{
    EventId, Int, OwnedEventId, OwnedUserId, UserId,
    events::{StateEventType, TimelineEventType, room::power_levels::UserPowerLevel},
    int,
    room_version_rules::{AuthorizationRules, RoomVersionRules},
    state_res::{
        self, check_state_dependent_auth_rules, check_state_independent_auth_rules,
        events::{RoomCreateEvent, RoomPowerLevelsEvent, RoomPowerLevelsIntField},
    },
};
use serde_json::value::RawValue;

use super::{
    Pdu, Rooms,
    live::{LiveRoom, View},
};
use crate::{Error, Result};

/// What is known of an event whose authorization is asked for.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) kind: &'a TimelineEventType,
    pub(super) sender: &'a UserId,
    pub(super) state_key: Option<&'a str>,
    pub(super) content: &'a RawValue,
}

/// The keys of the state that an event's authorization looks at.
/// spec: server-server §Auth events selection
///
/// # Errors
/// 400 `M_BAD_JSON` when the content of a membership event has no membership.
pub(super) fn auth_keys(
    subject: Subject<'_>,
    rules: &AuthorizationRules,
) -> Result<Vec<(StateEventType, String)>> {
    state_res::auth_types_for_event(
        subject.kind,
        subject.sender,
        subject.state_key,
        subject.content,
        rules,
    )
    .map_err(Error::bad_json)
}

/// The state events that a view has for an event's authorization: first those to name in
/// `auth_events`, then, where the room version does not name it, the create event.
pub(super) fn auth_events(
    subject: Subject<'_>,
    rules: &RoomVersionRules,
    view: &View,
) -> Result<(Vec<OwnedEventId>, OwnedEventId)> {
    let named = auth_keys(subject, &rules.authorization)?
        .iter()
        .filter_map(|(kind, key)| view.state(kind, key).cloned())
        .collect();
    Ok((named, view.head.create.clone()))
}

/// State events by id, in memory.
pub(super) type Loaded = HashMap<OwnedEventId, Rc<Pdu>>;

/// Checks which events an event names as its auth events. spec: server-server §Authorization rules
pub(super) fn check_references(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    loaded: &Loaded,
) -> Result<(), String> {
    check_state_independent_auth_rules(&rules.authorization, pdu, |id: &EventId| {
        loaded.get(id).map(|pdu| &**pdu)
    })
}

/// Checks an event against the state that its own auth events make. For an event of this server
/// that is the current state.
pub(super) fn check_auth_events(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    loaded: &Loaded,
) -> Result<(), String> {
    check_references(pdu, rules, loaded)?;
    let state: HashMap<_, _> = pdu
        .auth_events
        .iter()
        .filter_map(|id| {
            let event = loaded.get(id)?;
            Some((event.state_entry()?, event))
        })
        .collect();
    // Since room version 12 the create event is implied by the room's id.
    let create = loaded.values().find(|pdu| pdu.kind == TimelineEventType::RoomCreate);
    check_state_dependent_auth_rules(&rules.authorization, pdu, |kind, key| {
        match state.get(&(kind.clone(), key)) {
            Some(event) => Some(&***event),
            None if *kind == StateEventType::RoomCreate => create.map(|event| &**event),
            None => None,
        }
    })
}

/// Checks an event against a state, whose relevant events are loaded.
pub(super) fn check_state<'a>(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    state: impl Fn(&StateEventType, &str) -> Option<&'a OwnedEventId>,
    loaded: &Loaded,
) -> Result<(), String> {
    check_state_dependent_auth_rules(&rules.authorization, pdu, |kind, key| {
        loaded.get(state(kind, key)?).map(|pdu| &**pdu)
    })
}

/// Who may do what in a room now.
pub struct PowerLevels {
    rules: AuthorizationRules,
    create: Rc<Pdu>,
    levels: Option<Rc<Pdu>>,
}

impl PowerLevels {
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

impl Rooms {
    /// The power levels that a view has.
    pub(super) async fn power_levels(&self, live: &LiveRoom, view: &View) -> Result<PowerLevels> {
        let create = self.auth_event(live, &view.head.create).await?;
        let levels = match view.state(&StateEventType::RoomPowerLevels, "") {
            Some(event_id) => Some(self.auth_event(live, event_id).await?),
            None => None,
        };
        Ok(PowerLevels { rules: live.rules.authorization.clone(), create, levels })
    }

    /// A state event of the room, read from the store if need be and kept in memory then.
    pub(super) async fn auth_event(&self, live: &LiveRoom, event_id: &EventId) -> Result<Rc<Pdu>> {
        if let Some(pdu) = live.auth_event(event_id) {
            return Ok(pdu);
        }
        let event = self.find_event(live, event_id).await?.ok_or_else(|| {
            Error::internal(format!("{}: the state names {event_id}, which is gone", live.room_id))
        })?;
        live.keep_auth_event(event.pdu.clone());
        Ok(event.pdu)
    }
}
