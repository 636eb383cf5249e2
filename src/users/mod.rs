//! Accounts and what belongs to them.

mod account_data;
mod accounts;
mod devices;
mod filters;
mod interactive;
mod login_tokens;
mod passwords;
mod profiles;
mod sessions;
mod tokens;

use std::rc::Rc;

use ruma::{OwnedServerName, OwnedUserId};

pub use self::{
    account_data::AccountData,
    accounts::{Account, NewAccount},
    devices::Device,
    interactive::Stages,
    login_tokens::LOGIN_TOKEN_LIFETIME,
    profiles::Profile,
    sessions::{Login, NewDevice, Session},
};
use self::{interactive::Interactive, sessions::SessionCache};
use crate::{feed::Feed, platform::KeyedMutex, store::Store};

/// A handle to the users of this homeserver; clones share it.
#[derive(Clone)]
pub struct Users {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    feed: Feed,
    server_name: OwnedServerName,
    /// Held from reading what belongs to a user until what was made of it is durable.
    locks: KeyedMutex<OwnedUserId>,
    sessions: SessionCache,
    interactive: Interactive,
}

impl Users {
    /// The users of the homeserver `server_name` that `store` holds.
    pub fn new(store: Store, feed: Feed, server_name: OwnedServerName) -> Self {
        Self {
            inner: Rc::new(Inner {
                store,
                feed,
                server_name,
                locks: KeyedMutex::default(),
                sessions: SessionCache::default(),
                interactive: Interactive::default(),
            }),
        }
    }
}
