//! How rooms begin, and how one goes on in another.

mod creation;
mod upgrade;

pub use self::creation::{CreateRoom, ROOM_VERSIONS, room_version};
