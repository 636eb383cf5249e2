//! Who is in which room, and how that changes.

mod change;
mod member;
mod members;
mod roster;

pub(crate) use self::member::USER_ROOMS;
pub(super) use self::{
    change::MemberContent,
    member::{MemberChanges, ROOM_MEMBERS},
};
pub use self::{
    change::Profile,
    member::{Member, UserRoom, UserRooms},
    roster::Members,
};
