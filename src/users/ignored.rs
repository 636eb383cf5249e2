//! Whom a user does not want to hear from. spec: client-server §Ignoring Users

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, de::IgnoredAny};

use super::Users;
use crate::Result;

/// The type of the account data that holds whom a user ignores.
pub(super) const IGNORED_USERS: &str = "m.ignored_user_list";

#[derive(Deserialize)]
struct Content {
    ignored_users: BTreeMap<OwnedUserId, IgnoredAny>,
}

impl Users {
    /// The users that a user ignores.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn ignored_users(&self, user_id: &UserId) -> Result<Rc<BTreeSet<OwnedUserId>>> {
        let content = self.account_data(user_id, None, IGNORED_USERS).await?;
        let content = content.and_then(|json| serde_json::from_str::<Content>(json.get()).ok());
        let mut ignored: BTreeSet<_> =
            content.map(|content| content.ignored_users.into_keys().collect()).unwrap_or_default();
        // Nobody is kept from what they wrote themselves.
        ignored.remove(user_id);
        Ok(Rc::new(ignored))
    }
}
