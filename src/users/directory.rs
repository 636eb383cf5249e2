//! The user directory. spec: client-server §User Directory

use ruma::{OwnedUserId, UserId};

use super::{Users, accounts::Account, profiles::Profile};
use crate::{
    Error, Result,
    store::{Direction, Key, KeyRange, KeyReader, Table},
};

/// How many accounts are read at once.
const PAGE: usize = 256;

/// Accounts that match a search, page by page.
pub struct UserSearch {
    users: Users,
    words: Vec<String>,
    next: Option<Key>,
}

impl Users {
    /// Searches the accounts in use: each word of `term` is in the name or the id.
    pub fn search(&self, term: &str) -> UserSearch {
        let term = term.to_lowercase();
        let words = term.split_whitespace().map(|word| word.trim_start_matches('@').to_owned());
        UserSearch { users: self.clone(), words: words.collect(), next: Some(Key::new()) }
    }
}

impl UserSearch {
    /// The next users that match, in the order of their ids; `None` when there are no more.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_page(&mut self) -> Result<Option<Vec<(OwnedUserId, Profile)>>> {
        let Some(start) = self.next.take() else { return Ok(None) };
        let range = KeyRange { start: Some(start.into()), end: None };
        let store = &self.users.inner.store;
        let rows = store.scan(Table::Accounts, range, Direction::Forward, PAGE).await?;
        let mut found = Vec::new();
        for (key, row) in &rows {
            let Some(user_id) = KeyReader::new(key).str() else { continue };
            let user_id = OwnedUserId::try_from(user_id).map_err(Error::internal)?;
            let account: Account = serde_json::from_slice(row).map_err(Error::internal)?;
            if account.deactivated || account.guest {
                continue;
            }
            let profile = self.users.profile(&user_id).await?;
            if self.matches(&user_id, &profile) {
                found.push((user_id, profile));
            }
        }
        if rows.len() == PAGE {
            // Behind the last key of this page, whose parts end before a number.
            let last = rows.last().and_then(|(key, _)| KeyReader::new(key).str());
            self.next = last.map(|last| Key::new().str(last).u64(0));
        }
        Ok(Some(found))
    }

    fn matches(&self, user_id: &UserId, profile: &Profile) -> bool {
        let name = profile.display_name().unwrap_or_default().to_lowercase();
        let id = user_id.as_str().trim_start_matches('@');
        self.words.iter().all(|word| name.contains(word) || id.contains(word))
    }
}
