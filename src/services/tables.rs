//! All tables of the homeserver.

use crate::{
    feed, follow_ups, media, push, rooms, search,
    store::{self, Tables},
    sync, users,
};

/// The tables of each part.
pub const TABLES: Tables = &[
    store::TABLES,
    feed::TABLES,
    follow_ups::TABLES,
    rooms::TABLES,
    users::TABLES,
    media::TABLES,
    push::TABLES,
    search::TABLES,
    sync::TABLES,
];
