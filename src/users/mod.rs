//! Accounts and what belongs to them.

mod account_data;
mod accounts;
mod backup;
mod cross_signing;
mod device_keys;
mod device_lists;
mod device_record;
mod devices;
mod directory;
mod erasure;
mod expiry;
mod filters;
mod ignored;
mod individuals;
mod interactive;
mod invite_permission;
mod key_forms;
mod login_tokens;
mod moderation;
mod one_time_keys;
mod openid;
mod passwords;
mod profiles;
mod pushers;
mod remembered;
mod sessions;
mod signatures;
mod standing;
mod tables;
mod to_device;
mod tokens;

use std::rc::Rc;

use ruma::{OwnedServerName, OwnedUserId};

pub(crate) use self::tables::TABLES;
pub use self::{
    account_data::AccountData,
    accounts::{Account, NewAccount},
    backup::{BackedUp, Backup, BackupAlgorithm, BackupKeys, BackupState},
    cross_signing::CrossSigningKeys,
    devices::Device,
    directory::UserSearch,
    individuals::PUSH_RULES,
    interactive::{Fingerprint, Purpose, Stages},
    key_forms::Usage,
    login_tokens::LOGIN_TOKEN_LIFETIME,
    one_time_keys::{KeyCounts, KeysById},
    openid::OPENID_TOKEN_LIFETIME,
    profiles::Profile,
    sessions::{Login, NewDevice, Session},
    signatures::{SignatureFailure, SignedKey},
    standing::Standing,
    to_device::Messages,
};
use self::{
    individuals::Individuals, interactive::Interactive, one_time_keys::KeyCountCache,
    passwords::Passwords, sessions::SessionCache,
};
use crate::{
    feed::Feed,
    platform::KeyedMutex,
    store::{RowCount, Store, Table, Tables},
};

/// A handle to the users of this homeserver; clones share it.
#[derive(Clone)]
pub struct Users {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    feed: Feed,
    server_name: OwnedServerName,
    /// All tables of the homeserver, from which a user may be erased.
    tables: Tables,
    /// Held from reading what belongs to a user until what was made of it is durable.
    locks: KeyedMutex<OwnedUserId>,
    /// Held from looking a transaction up until it is durable.
    transactions: KeyedMutex<Vec<u8>>,
    /// Held while pushers are set, which can take those of others.
    pushers: KeyedMutex<()>,
    sessions: SessionCache,
    key_counts: KeyCountCache,
    interactive: Interactive,
    passwords: Passwords,
    individuals: Individuals,
    count: RowCount,
}

impl Users {
    /// The users of the homeserver `server_name` that `store` holds; `tables` are those of all parts.
    pub fn new(store: Store, feed: Feed, server_name: OwnedServerName, tables: Tables) -> Self {
        Self {
            inner: Rc::new(Inner {
                store,
                feed,
                server_name,
                tables,
                locks: KeyedMutex::default(),
                transactions: KeyedMutex::default(),
                pushers: KeyedMutex::default(),
                sessions: SessionCache::default(),
                key_counts: KeyCountCache::default(),
                interactive: Interactive::default(),
                passwords: Passwords::default(),
                individuals: Individuals::default(),
                count: RowCount::new(Table::Accounts),
            }),
        }
    }
}
