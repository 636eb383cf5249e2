//! Sessions in memory, so that a request needs no read of the store to know who sent it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use ruma::UserId;

use super::{AccessToken, TokenHash};

/// Half of the sessions that are kept at most.
const GENERATION: usize = 2048;

/// The sessions used last: those of the current generation, and of the one before.
#[derive(Default)]
pub(in crate::users) struct SessionCache {
    current: RefCell<HashMap<TokenHash, AccessToken>>,
    before: RefCell<HashMap<TokenHash, AccessToken>>,
    revocations: Cell<u64>,
}

impl SessionCache {
    pub(super) fn get(&self, hash: &TokenHash) -> Option<AccessToken> {
        if let Some(row) = self.current.borrow().get(hash) {
            return Some(row.clone());
        }
        let row = self.before.borrow_mut().remove(hash)?;
        self.insert(hash.clone(), row.clone());
        Some(row)
    }

    pub(super) fn insert(&self, hash: TokenHash, row: AccessToken) {
        let mut current = self.current.borrow_mut();
        if current.len() >= GENERATION {
            self.before.replace(std::mem::take(&mut current));
        }
        current.insert(hash, row);
    }

    /// How many tokens were revoked: who reads a token beside the cache compares before and after.
    pub(super) fn revocations(&self) -> u64 {
        self.revocations.get()
    }

    /// Reads a user's tokens again at their next request.
    pub(in crate::users) fn forget(&self, user_id: &UserId) {
        self.revocations.set(self.revocations.get() + 1);
        for rows in [&self.current, &self.before] {
            rows.borrow_mut().retain(|_, row| row.session.user_id != user_id);
        }
    }

    pub(super) fn revoke(&self, hash: &TokenHash) {
        self.revocations.set(self.revocations.get() + 1);
        self.current.borrow_mut().remove(hash);
        self.before.borrow_mut().remove(hash);
    }
}
