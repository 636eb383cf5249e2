//! The tables of rooms.

use super::membership::{ROOM_MEMBERS, USER_ROOMS};
use crate::store::Declaration;

/// All of them.
pub(crate) const TABLES: &[Declaration] = &[ROOM_MEMBERS.declaration(), USER_ROOMS.declaration()];
