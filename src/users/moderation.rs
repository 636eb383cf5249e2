//! What administrators keep users from. spec: client-server §Account moderation

use ruma::UserId;

use super::{Standing, Users, accounts::ACCOUNTS};
use crate::{Error, Result, store::Batch};

impl Users {
    /// How a user's account stands.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` for one that is not there or was given up.
    pub async fn standing(&self, user_id: &UserId) -> Result<Standing> {
        match self.account(user_id).await? {
            Some(account) if !account.deactivated => Ok(account.standing),
            _ => Err(Error::not_found("There is no such user")),
        }
    }

    /// Changes how a user's account stands; the next request of each of their devices meets it.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` for one that is not there or was given up.
    pub async fn moderate(
        &self,
        user_id: &UserId,
        change: impl FnOnce(&mut Standing),
    ) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let account = self.account(user_id).await?.filter(|account| !account.deactivated);
        let mut account = account.ok_or_else(|| Error::not_found("There is no such user"))?;
        change(&mut account.standing);
        let mut batch = Batch::new();
        ACCOUNTS.put(&mut batch, (user_id,), &account)?;
        self.inner.store.commit(batch).await?;
        self.inner.sessions.forget(user_id);
        Ok(())
    }
}
