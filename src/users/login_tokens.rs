//! Tokens that log another client in once. spec: client-server §POST /login/get_token

use std::time::Duration;

use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::{
    Users,
    sessions::{Login, NewDevice, now},
    tokens::{self, TokenHash},
};
use crate::{
    Result,
    store::{Batch, Key, Table},
};

/// How long a login token can be used.
pub const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(2 * 60);

#[derive(Serialize, Deserialize)]
struct LoginToken {
    user_id: OwnedUserId,
    expires: u64,
}

impl Users {
    /// A token that logs in to the account of `user_id` once, for [`LOGIN_TOKEN_LIFETIME`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_login_token(&self, user_id: &UserId) -> Result<String> {
        let token = tokens::generate();
        let expires = now() + LOGIN_TOKEN_LIFETIME.as_millis() as u64;
        let row = LoginToken { user_id: user_id.to_owned(), expires };
        let mut batch = Batch::new();
        batch.put_json(Table::LoginTokens, Key::new().str(TokenHash::of(&token).as_str()), &row)?;
        self.inner.store.commit(batch).await?;
        Ok(token)
    }

    /// Logs in whom a login token is for, and uses it up; `None` when it is not valid.
    ///
    /// # Errors
    /// As [`Users::login`].
    pub async fn login_by_token(
        &self,
        token: &str,
        new: NewDevice,
    ) -> Result<Option<(OwnedUserId, Login)>> {
        let key = Key::new().str(TokenHash::of(token).as_str());
        let store = &self.inner.store;
        let row: Option<LoginToken> = store.get_json(Table::LoginTokens, &key).await?;
        let Some(LoginToken { user_id, .. }) = row else { return Ok(None) };
        let _guard = self.inner.locks.lock(user_id).await;
        // Somebody else may have used it while the lock was theirs.
        let row: Option<LoginToken> = store.get_json(Table::LoginTokens, &key).await?;
        let Some(row) = row else { return Ok(None) };
        let mut batch = Batch::new();
        batch.delete(Table::LoginTokens, key);
        let login = match row.expires > now() {
            true => Some(self.admit(&mut batch, &row.user_id, new).await?),
            false => None,
        };
        store.commit(batch).await?;
        Ok(login.map(|login| (row.user_id, login)))
    }
}
