//! Access tokens and whom they speak for.

use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::Users;
use crate::store::{Key, Result, Table};

/// Who a request speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device that logged in.
    pub device_id: OwnedDeviceId,
    /// Whether the user is a guest.
    #[serde(default)]
    pub guest: bool,
}

impl Users {
    /// The session of an access token, if there is one.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn session(&self, access_token: &str) -> Result<Option<Session>> {
        self.inner.store.get_json(Table::AccessTokens, Key::new().str(access_token)).await
    }
}
