//! The user directory. spec: client-server §User Directory

use ruma::{OwnedUserId, UserId};

use super::{
    Users,
    accounts::{ACCOUNTS, Account},
    profiles::Profile,
};
use crate::{
    Result,
    store::{Json, Scan},
};

/// How many accounts are read at once.
const PAGE: usize = 256;

/// Accounts that match a search, page by page.
pub struct UserSearch {
    users: Users,
    words: Vec<String>,
    accounts: Scan<(OwnedUserId,), Json<Account>>,
}

impl Users {
    /// Searches the accounts in use: each word of `term` is in the name or the id.
    pub fn search(&self, term: &str) -> UserSearch {
        let term = term.to_lowercase();
        let words = term.split_whitespace().map(|word| word.trim_start_matches('@').to_owned());
        UserSearch { users: self.clone(), words: words.collect(), accounts: ACCOUNTS.scan(()) }
    }
}

impl UserSearch {
    /// The next users that match, in the order of their ids; `None` when there are no more.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_page(&mut self) -> Result<Option<Vec<(OwnedUserId, Profile)>>> {
        let accounts = self.accounts.next_page(&self.users.inner.store, PAGE).await?;
        let Some(accounts) = accounts else { return Ok(None) };
        let mut found = Vec::new();
        for ((user_id,), account) in accounts {
            if account.deactivated || account.guest {
                continue;
            }
            let profile = self.users.profile(&user_id).await?;
            if self.matches(&user_id, &profile) {
                found.push((user_id, profile));
            }
        }
        Ok(Some(found))
    }

    fn matches(&self, user_id: &UserId, profile: &Profile) -> bool {
        let name = profile.display_name().unwrap_or_default().to_lowercase();
        let id = user_id.as_str().trim_start_matches('@');
        self.words.iter().all(|word| name.contains(word) || id.contains(word))
    }
}
