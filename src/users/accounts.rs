//! Accounts: names, passwords, deactivation.

use http::StatusCode;
use ruma::{DeviceId, OwnedUserId, UserId, api::error::ErrorKind};
use serde::{Deserialize, Serialize};

use super::{
    Standing, Users,
    sessions::{Login, NewDevice, now},
};
use crate::{
    Error, Result,
    follow_ups::{FollowUp, Recorded},
    platform,
    store::{Batch, Erasure, Json, Rows, Table},
};

/// User → account.
pub(super) const ACCOUNTS: Rows<(OwnedUserId,), Json<Account>> =
    Rows::new(Table::Accounts, Erasure::Kept);

/// An account as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// When it was registered, in milliseconds since the Unix epoch.
    pub created: u64,
    /// The PHC string of its password; nobody logs in with a password where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Whether it is a guest's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// Whether it was given up; its name stays taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
    /// How it stands with the administrators.
    #[serde(default, skip_serializing_if = "Standing::is_good")]
    pub standing: Standing,
}

/// An account to register.
#[derive(Clone, Debug, Default)]
pub struct NewAccount {
    /// The localpart that is wanted; `None` takes a random one.
    pub username: Option<String>,
    /// The password; `None` for guests.
    pub password: Option<String>,
    /// Whether it is a guest's.
    pub guest: bool,
    /// The device to log in at once.
    pub device: Option<NewDevice>,
}

fn invalid_username(message: impl Into<String>) -> Error {
    Error::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidUsername, message)
}

fn user_in_use() -> Error {
    Error::new(StatusCode::BAD_REQUEST, ErrorKind::UserInUse, "The user id is already taken")
}

fn deactivated() -> Error {
    Error::new(StatusCode::FORBIDDEN, ErrorKind::UserDeactivated, "The account is deactivated")
}

impl Users {
    /// The account of a user of this homeserver.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn account(&self, user_id: &UserId) -> Result<Option<Account>> {
        Ok(ACCOUNTS.get(&self.inner.store, (user_id,)).await?)
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn count(&self) -> Result<usize> {
        Ok(self.inner.count.get(&self.inner.store).await?)
    }

    /// The account of a user, if it may be used.
    ///
    /// # Errors
    /// 403 `M_USER_DEACTIVATED`, 404 `M_NOT_FOUND`
    pub(super) async fn active_account(&self, user_id: &UserId) -> Result<Account> {
        match self.account(user_id).await? {
            Some(account) if account.deactivated => Err(deactivated()),
            Some(account) => Ok(account),
            None => Err(Error::not_found("There is no such user")),
        }
    }

    /// The user id that a client means by a user id or a localpart; capitals are lowered, since no
    /// user here has any.
    pub fn user_id(&self, name: &str) -> Option<OwnedUserId> {
        let name = name.to_lowercase();
        let id = UserId::parse_with_server_name(name, &self.inner.server_name).ok()?;
        (id.server_name() == self.inner.server_name).then_some(id)
    }

    /// The user id that a localpart would get.
    ///
    /// # Errors
    /// 400 `M_INVALID_USERNAME`, 400 `M_USER_IN_USE`
    pub async fn available(&self, username: &str) -> Result<OwnedUserId> {
        // spec: appendices §User Identifiers; capitals are mapped, all else is refused.
        let localpart = username.to_lowercase();
        let id = format!("@{localpart}:{}", self.inner.server_name);
        let id = <&UserId>::try_from(id.as_str())
            .map_err(|cause| invalid_username(cause.to_string()))?
            .to_owned();
        id.validate_strict().map_err(|cause| invalid_username(cause.to_string()))?;
        if id.localpart().is_empty() {
            return Err(invalid_username("A username has at least one character"));
        }
        match self.account(&id).await? {
            Some(_) => Err(user_in_use()),
            None => Ok(id),
        }
    }

    /// Registers an account and logs its first device in.
    ///
    /// # Errors
    /// 400 `M_INVALID_USERNAME`, 400 `M_USER_IN_USE`, 400 `M_WEAK_PASSWORD`
    pub async fn register(&self, new: NewAccount) -> Result<(OwnedUserId, Option<Login>)> {
        let username = new.username.unwrap_or_else(|| platform::random_string(12).to_lowercase());
        let user_id = self.available(&username).await?;
        let password = match &new.password {
            Some(password) => Some(self.accepted_hash(password).await?),
            None => None,
        };
        let _guard = self.inner.locks.lock(user_id.clone()).await;
        if self.account(&user_id).await?.is_some() {
            return Err(user_in_use());
        }
        let account = Account {
            created: now(),
            password,
            guest: new.guest,
            deactivated: false,
            standing: Standing::default(),
        };
        let mut batch = Batch::new();
        ACCOUNTS.put(&mut batch, (&user_id,), &account)?;
        self.inner.count.add(&mut batch);
        let login = match new.device {
            Some(device) => Some(self.log_in(&mut batch, &user_id, new.guest, device).await?),
            None => None,
        };
        self.inner.store.commit(batch).await?;
        Ok((user_id, login))
    }

    /// Makes a guest's account a user's, with a password; what the guest's tokens let them do was
    /// less, so they are void. spec: client-server §Guest Access
    ///
    /// # Errors
    /// 400 `M_WEAK_PASSWORD`, 401 `M_USER_LOCKED`, 403 `M_USER_DEACTIVATED`, 403 `M_FORBIDDEN` when
    /// it is no guest's any more.
    pub async fn upgrade_guest(
        &self,
        user_id: &UserId,
        password: &str,
        device: Option<NewDevice>,
    ) -> Result<Option<Login>> {
        let password = self.accepted_hash(password).await?;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut account = self.active_account(user_id).await?;
        account.standing.check_lock()?;
        if !account.guest {
            return Err(Error::forbidden("The account is no guest's"));
        }
        account.guest = false;
        account.password = Some(password);
        let mut batch = Batch::new();
        ACCOUNTS.put(&mut batch, (user_id,), &account)?;
        self.revoke_all(&mut batch, user_id).await?;
        let login = match device {
            Some(device) => Some(self.log_in(&mut batch, user_id, false, device).await?),
            None => None,
        };
        self.inner.store.commit(batch).await?;
        Ok(login)
    }

    /// Whether the password is that of the user, who has an account and may use it.
    ///
    /// # Errors
    /// 403 `M_USER_DEACTIVATED` when the account was given up.
    pub async fn check_password(&self, user_id: &UserId, password: &str) -> Result<bool> {
        Ok(self.matching_hash(user_id, password).await?.is_some())
    }

    /// The hash that is kept of a user's password, if that is `password`.
    async fn matching_hash(&self, user_id: &UserId, password: &str) -> Result<Option<String>> {
        let account = self.account(user_id).await?;
        if account.as_ref().is_some_and(|account| account.deactivated) {
            return Err(deactivated());
        }
        let kept = account.and_then(|account| account.password);
        let matches = self.inner.passwords.verify(password, kept.as_deref()).await?;
        Ok(kept.filter(|_| matches))
    }

    /// Logs a user in by their password; `None` when it is another.
    ///
    /// # Errors
    /// As [`Users::login`]; 429 `M_LIMIT_EXCEEDED` when too many log in at once.
    pub async fn login_by_password(
        &self,
        user_id: &UserId,
        password: &str,
        new: NewDevice,
    ) -> Result<Option<Login>> {
        let Some(hash) = self.matching_hash(user_id, password).await? else { return Ok(None) };
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        // It may have been changed meanwhile, and its devices deleted.
        if self.active_account(user_id).await?.password != Some(hash) {
            return Ok(None);
        }
        let mut batch = Batch::new();
        let login = self.admit(&mut batch, user_id, new).await?;
        self.inner.store.commit(batch).await?;
        Ok(Some(login))
    }

    /// Whether the user can log in with a password.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn has_password(&self, user_id: &UserId) -> Result<bool> {
        Ok(self.account(user_id).await?.is_some_and(|account| account.password.is_some()))
    }

    /// Sets a new password; with `only`, all devices but that one are deleted.
    ///
    /// # Errors
    /// 400 `M_WEAK_PASSWORD`
    pub async fn set_password(
        &self,
        user_id: &UserId,
        password: &str,
        only: Option<&DeviceId>,
    ) -> Result<()> {
        let password = self.accepted_hash(password).await?;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut account = self.active_account(user_id).await?;
        account.password = Some(password);
        let mut batch = Batch::new();
        ACCOUNTS.put(&mut batch, (user_id,), &account)?;
        if only.is_some() {
            self.remove_other_devices(&mut batch, user_id, only).await?;
        }
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Gives an account up: nobody logs in to it again, and its devices are gone; with `erase` also
    /// all else that is the user's and no event. To leave their rooms is left to do.
    ///
    /// # Errors
    /// When there is no such account, or the store fails.
    pub async fn deactivate(&self, user_id: &UserId, erase: bool) -> Result<Recorded> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut account = self.active_account(user_id).await?;
        account.password = None;
        account.deactivated = true;
        let mut batch = Batch::new();
        ACCOUNTS.put(&mut batch, (user_id,), &account)?;
        let rest = FollowUp::LeaveRooms { user_id: user_id.to_owned(), erase }.to_record();
        rest.write(&mut batch)?;
        let shown = erase && self.erase(&mut batch, user_id).await?;
        self.remove_other_devices(&mut batch, user_id, None).await?;
        if shown {
            self.record_device_list(&mut batch, user_id);
        }
        self.inner.store.commit(batch).await?;
        Ok(rest)
    }

    /// The hash of a password, if it is one that is taken: any that is not empty.
    async fn accepted_hash(&self, password: &str) -> Result<String> {
        if password.is_empty() {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::WeakPassword,
                "A password has at least one character",
            ));
        }
        self.inner.passwords.hash(password).await
    }
}
