//! The tables of unread counts and notifications.

use super::{
    counts::{UNREAD, UNREAD_COUNTS},
    notifications::NOTIFICATIONS,
    room_notifications::ROOM_NOTIFICATIONS,
};
use crate::store::Declaration;

/// All of them.
pub(crate) const TABLES: &[Declaration] = &[
    NOTIFICATIONS.declaration(),
    ROOM_NOTIFICATIONS.declaration(),
    UNREAD.declaration(),
    UNREAD_COUNTS.declaration(),
];
