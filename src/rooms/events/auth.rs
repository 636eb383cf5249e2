//! Whether an event is allowed. The rules are ruma's; here is where their inputs come from.

use std::{collections::HashMap, rc::Rc};

use ruma::{
    EventId, OwnedEventId, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::{AuthorizationRules, RoomVersionRules},
    state_res::{self, check_state_dependent_auth_rules, check_state_independent_auth_rules},
};
use serde_json::value::RawValue;

use super::Pdu;
use crate::{Error, Result};

/// What is known of an event whose authorization is asked for.
#[derive(Clone, Copy)]
pub(in crate::rooms) struct Subject<'a> {
    pub(in crate::rooms) kind: &'a TimelineEventType,
    pub(in crate::rooms) sender: &'a UserId,
    pub(in crate::rooms) state_key: Option<&'a str>,
    pub(in crate::rooms) content: &'a RawValue,
}

/// The keys of the state that an event's authorization looks at.
/// spec: server-server §Auth events selection
///
/// # Errors
/// 400 `M_BAD_JSON` when the content of a membership event has no membership.
pub(in crate::rooms) fn auth_keys(
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

/// State events by id, in memory.
pub(in crate::rooms) type Loaded = HashMap<OwnedEventId, Rc<Pdu>>;

/// Checks which events an event names as its auth events. spec: server-server §Authorization rules
pub(in crate::rooms) fn check_references(
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
pub(in crate::rooms) fn check_auth_events(
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
pub(in crate::rooms) fn check_state<'a>(
    pdu: &Pdu,
    rules: &RoomVersionRules,
    state: impl Fn(&StateEventType, &str) -> Option<&'a OwnedEventId>,
    loaded: &Loaded,
) -> Result<(), String> {
    check_state_dependent_auth_rules(&rules.authorization, pdu, |kind, key| {
        loaded.get(state(kind, key)?).map(|pdu| &**pdu)
    })
}
