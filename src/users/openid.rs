//! Tokens by which a user shows a third party who they are. spec: client-server §OpenID

use std::time::Duration;

use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::{
    Users,
    sessions::now,
    tokens::{self, TokenHash},
};
use crate::{
    Result,
    store::{Batch, Erasure, Expires, Json, Rows, Table},
};

/// Hash of an OpenID token → whose it is.
pub(super) const OPENID_TOKENS: Rows<(TokenHash,), Json<OpenIdToken>> =
    Rows::new(Table::OpenIdTokens, Erasure::Expires).expiring_by_value();

/// How long an OpenID token is valid.
pub const OPENID_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

#[derive(Serialize, Deserialize)]
pub(super) struct OpenIdToken {
    user_id: OwnedUserId,
    expires: u64,
}

impl Expires for OpenIdToken {
    fn expires(&self) -> u64 {
        self.expires
    }
}

impl Users {
    /// A new OpenID token of a user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_openid_token(&self, user_id: &UserId) -> Result<String> {
        let token = tokens::generate();
        let expires = now() + OPENID_TOKEN_LIFETIME.as_millis() as u64;
        let row = OpenIdToken { user_id: user_id.to_owned(), expires };
        let mut batch = Batch::new();
        OPENID_TOKENS.put(&mut batch, (TokenHash::of(&token),), &row)?;
        self.inner.store.commit(batch).await?;
        Ok(token)
    }

    /// Whose OpenID token this is, while it is valid.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn openid_user(&self, token: &str) -> Result<Option<OwnedUserId>> {
        let row = OPENID_TOKENS.get(&self.inner.store, (TokenHash::of(token),)).await?;
        Ok(row.filter(|row| row.expires > now()).map(|row| row.user_id))
    }
}
