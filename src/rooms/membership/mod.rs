//! Who is in which room, and how that changes.

mod change;
mod member;
mod members;
mod roster;

pub(super) use self::{change::MemberContent, member::MemberChanges};
pub use self::{
    change::Profile,
    member::{Member, UserRoom, UserRooms},
    roster::Members,
};
