//! Accounts and what belongs to them.

mod sessions;

use std::rc::Rc;

pub use self::sessions::Session;
use crate::{feed::Feed, store::Store};

/// A handle to the users of this homeserver; clones share it.
#[derive(Clone)]
pub struct Users {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    #[expect(dead_code, reason = "the parts that record changes come with the next commits")]
    feed: Feed,
}

impl Users {
    /// The users that `store` holds.
    pub fn new(store: Store, feed: Feed) -> Self {
        Self { inner: Rc::new(Inner { store, feed }) }
    }
}
