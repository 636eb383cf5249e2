//! How rooms are found: their aliases, the published ones, and what a room says of itself.

mod aliases;
mod published;
mod summary;

pub use self::published::{DirectoryFilter, DirectoryPage};
