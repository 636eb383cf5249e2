//! All tables of the homeserver.

use crate::{
    push, rooms,
    store::{self, Tables},
    sync, users,
};

/// The tables of each part.
pub const TABLES: Tables =
    &[store::TABLES, rooms::TABLES, users::TABLES, push::TABLES, sync::TABLES];
