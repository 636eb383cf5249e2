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
    store::{Batch, Erasure, Expires, Json, Rows, Table},
};

/// Hash of a login token → whom it logs in.
pub(super) const LOGIN_TOKENS: Rows<(TokenHash,), Json<LoginToken>> =
    Rows::new(Table::LoginTokens, Erasure::Expires).expiring_by_value();

/// How long a login token can be used.
pub const LOGIN_TOKEN_LIFETIME: Duration = Duration::from_secs(2 * 60);

#[derive(Serialize, Deserialize)]
pub(super) struct LoginToken {
    user_id: OwnedUserId,
    expires: u64,
}

impl Expires for LoginToken {
    fn expires(&self) -> u64 {
        self.expires
    }
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
        LOGIN_TOKENS.put(&mut batch, (TokenHash::of(&token),), &row)?;
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
        let hash = TokenHash::of(token);
        let store = &self.inner.store;
        let row = LOGIN_TOKENS.get(store, (&hash,)).await?;
        let Some(LoginToken { user_id, .. }) = row else { return Ok(None) };
        let _guard = self.inner.locks.lock(user_id).await;
        // Somebody else may have used it while the lock was theirs.
        let row = LOGIN_TOKENS.get(store, (&hash,)).await?;
        let Some(row) = row else { return Ok(None) };
        let mut batch = Batch::new();
        LOGIN_TOKENS.delete(&mut batch, (hash,));
        let login = match row.expires > now() {
            true => Some(self.admit(&mut batch, &row.user_id, new).await?),
            false => None,
        };
        store.commit(batch).await?;
        Ok(login.map(|login| (row.user_id, login)))
    }
}
