//! Where a room stands: the graph's ends, its states, their resolution, and the room in memory.

mod auth_events;
mod live;
mod resolve;
mod state;
mod view;

use self::state::StateRow;
pub use self::state::{StateEntry, StateId, StateMap};
pub(super) use self::{
    live::LiveRoom,
    resolve::Resolved,
    state::{ROOM_STATES, StateGroup},
    view::{Head, ROOMS, View},
};
