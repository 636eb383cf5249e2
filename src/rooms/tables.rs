//! The tables of rooms.

use super::{
    append::{EARLY_REDACTIONS, TRANSACTION_TIMES, TRANSACTIONS},
    directory::{ALIASES, PUBLISHED_ROOMS, ROOM_ALIASES},
    events::{EVENT_INDEX, HIDDEN_EVENTS, TIMELINE},
    graph::{ROOM_STATES, ROOMS},
    membership::{ROOM_MEMBERS, USER_ROOMS},
    timeline::{RELATIONS, THREAD_ORDER, THREADS},
};
use crate::store::Declaration;

/// All of them.
pub(crate) const TABLES: &[Declaration] = &[
    ALIASES.declaration(),
    EARLY_REDACTIONS.declaration(),
    EVENT_INDEX.declaration(),
    HIDDEN_EVENTS.declaration(),
    PUBLISHED_ROOMS.declaration(),
    RELATIONS.declaration(),
    ROOM_ALIASES.declaration(),
    ROOM_MEMBERS.declaration(),
    ROOM_STATES.declaration(),
    ROOMS.declaration(),
    THREAD_ORDER.declaration(),
    THREADS.declaration(),
    TIMELINE.declaration(),
    TRANSACTION_TIMES.declaration(),
    TRANSACTIONS.declaration(),
    USER_ROOMS.declaration(),
];
