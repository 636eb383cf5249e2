//! How rooms are found: their aliases, the published ones, and what a room says of itself.

mod aliases;
mod listing;
mod published;
mod summary;

pub use self::published::{DirectoryFilter, DirectoryPage};
pub(super) use self::{
    aliases::{ALIASES, ROOM_ALIASES, ReservedAlias},
    listing::Listing,
    published::PUBLISHED_ROOMS,
};
