//! The parts of the homeserver, as its APIs get them.

mod follow_ups;
mod tables;

use std::rc::Rc;

pub use self::tables::TABLES;
use crate::{
    bus::Bus, config::Config, feed::Feed, http::RateLimits, media::Media, push::Push, queue::Queue,
    rooms::Rooms, search::Search, store::Store, sync::Sync, users::Users,
};

/// Everything that answers are made from.
pub struct Services {
    /// The options of the homeserver.
    pub config: Config,
    /// Where everything is kept.
    pub store: Store,
    /// The order of everything that clients see.
    pub feed: Feed,
    /// Streams and consumers, as clients reach them.
    pub queue: Queue,
    /// The same, as the parts use them.
    pub bus: Rc<dyn Bus>,
    /// Rooms and their events.
    pub rooms: Rooms,
    /// Accounts and what belongs to them.
    pub users: Users,
    /// Uploads, downloads, thumbnails.
    pub media: Media,
    /// Push rules, notifications, unread counts.
    pub push: Push,
    /// The words of messages.
    pub search: Search,
    /// What changed for whom.
    pub sync: Sync,
    /// How many requests are let in.
    pub limits: RateLimits,
}
