//! Access tokens and refresh tokens, and whom they speak for. spec: client-server §Using access
//! tokens, §Refreshing access tokens

mod cache;
mod seen;

use std::{cell::Cell, rc::Rc, time::Duration};

use http::StatusCode;
use ruma::{
    OwnedDeviceId, OwnedUserId, UserId,
    api::error::{ErrorKind, UnknownTokenErrorData},
};
use serde::{Deserialize, Serialize};

pub(super) use self::cache::SessionCache;
use super::{
    Standing, Users,
    device_record::DeviceRecord,
    tokens::{self, TokenHash, TokenPair},
};
use crate::{
    Error, Result, lengths, platform,
    store::{Batch, Erasure, Json, Rows, Table},
};

/// Hash of an access token → session.
pub(super) const ACCESS_TOKENS: Rows<(TokenHash,), Json<AccessToken>> =
    Rows::new(Table::AccessTokens, Erasure::WithDevice);
/// Hash of a refresh token → session.
pub(super) const REFRESH_TOKENS: Rows<(TokenHash,), Json<Session>> =
    Rows::new(Table::RefreshTokens, Erasure::WithDevice);

/// How long an access token lives whose client knows how to refresh it.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How many letters and digits a device's id has that the client leaves to this server.
const DEVICE_ID_LENGTH: usize = 10;

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
    /// How the user's account stands; kept with the account.
    #[serde(skip)]
    pub standing: Standing,
}

/// What a client says of the device that it logs in.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// The device's id, if the client chose one.
    pub device_id: Option<OwnedDeviceId>,
    /// What a new device is called.
    pub display_name: Option<String>,
    /// Whether the client knows how to refresh an access token.
    pub refreshes: bool,
}

/// What a client gets by logging in or refreshing.
#[derive(Clone, Debug)]
pub struct Login {
    /// The device that the tokens are for.
    pub device_id: OwnedDeviceId,
    /// The access token.
    pub access_token: String,
    /// The refresh token, where the client knows what it is for.
    pub refresh_token: Option<String>,
    /// How long the access token lives, where it does not live for ever.
    pub expires_in: Option<Duration>,
}

/// A row of access tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessToken {
    #[serde(flatten)]
    session: Session,
    /// When it expires, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    /// Whether it was given out by a refresh and not used yet: until then the tokens that it
    /// replaces are valid too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unused: bool,
    /// When its device was noted as seen, in milliseconds since the Unix epoch; 0 is not yet.
    #[serde(skip)]
    seen: Rc<Cell<u64>>,
}

/// How often the time at which a device was seen is written, in milliseconds.
const SEEN_EVERY: u64 = 5 * 60 * 1000;

/// The clock, in milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    platform::now().get().into()
}

pub(super) fn unknown_token(soft_logout: bool, message: &str) -> Error {
    let mut data = UnknownTokenErrorData::new();
    data.soft_logout = soft_logout;
    Error::new(StatusCode::UNAUTHORIZED, ErrorKind::UnknownToken(data), message)
}

impl Users {
    /// The session of an access token.
    ///
    /// # Errors
    /// 401 `M_UNKNOWN_TOKEN`, with `soft_logout` when the token has only expired; when the store
    /// can't be read.
    pub async fn session(&self, access_token: &str) -> Result<Session> {
        let hash = TokenHash::of(access_token);
        let cache = &self.inner.sessions;
        let row = match cache.get(&hash) {
            Some(row) => row,
            None => {
                let revocations = cache.revocations();
                let row = ACCESS_TOKENS.get(&self.inner.store, (&hash,)).await?;
                let row =
                    row.ok_or_else(|| unknown_token(false, "The access token is not known"))?;
                let mut row = if row.unused { self.first_use(&hash, row).await? } else { row };
                let account = self.account(&row.session.user_id).await?;
                row.session.standing = account.map(|account| account.standing).unwrap_or_default();
                // A token that was revoked while it was read must not come back, nor an old standing.
                if revocations == cache.revocations() {
                    cache.insert(hash, row.clone());
                }
                row
            }
        };
        if row.expires.is_some_and(|expires| expires <= now()) {
            return Err(unknown_token(true, "The access token has expired"));
        }
        let now = now();
        if now.saturating_sub(row.seen.get()) > SEEN_EVERY {
            row.seen.set(now);
            let (users, session) = (self.clone(), row.session.clone());
            platform::spawn(async move { users.note_seen(session, now).await });
        }
        Ok(row.session)
    }

    /// Logs a user in: makes the device, or gives the one that is there new tokens.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for an id or a name of the device that is too long, 401
    /// `M_USER_LOCKED`, 403 `M_USER_DEACTIVATED`, 403 `M_FORBIDDEN` when the device would have
    /// the id of a cross-signing key, 404 `M_NOT_FOUND`
    pub async fn login(&self, user_id: &UserId, new: NewDevice) -> Result<Login> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut batch = Batch::new();
        let login = self.admit(&mut batch, user_id, new).await?;
        self.inner.store.commit(batch).await?;
        Ok(login)
    }

    /// Writes a login into `batch`, if the user may log in; the caller holds the user's lock.
    pub(super) async fn admit(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        new: NewDevice,
    ) -> Result<Login> {
        let account = self.active_account(user_id).await?;
        account.standing.check_lock()?;
        // spec: client-server §POST /login; §Key and signature security
        if let Some(device_id) = &new.device_id
            && self.is_cross_signing_key(user_id, device_id.as_str()).await?
        {
            return Err(Error::forbidden("The device has the id of a cross-signing key"));
        }
        self.log_in(batch, user_id, account.guest, new).await
    }

    /// Writes a login into `batch`; the caller holds the user's lock.
    pub(super) async fn log_in(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        guest: bool,
        new: NewDevice,
    ) -> Result<Login> {
        let device_id =
            new.device_id.unwrap_or_else(|| platform::random_string(DEVICE_ID_LENGTH).into());
        lengths::id("The device's id", device_id.as_str())?;
        lengths::text("The device's name", new.display_name.as_deref())?;
        let device = self.device_record(user_id, &device_id).await?;
        let mut device = device.unwrap_or_else(|| DeviceRecord::new(new.display_name));
        // spec: client-server §Relationship between access tokens and devices
        for pair in std::mem::take(&mut device.tokens) {
            self.revoke(batch, &pair);
        }
        let standing = Standing::default();
        let session = Session { user_id: user_id.to_owned(), device_id, guest, standing };
        let login = self.issue(batch, &mut device, session, new.refreshes, false)?;
        self.put_device(batch, user_id, &login.device_id, &device)?;
        Ok(login)
    }

    /// Exchanges a refresh token for new tokens. The old ones go on working until the new ones
    /// are used, so that a client that loses the answer can ask again.
    ///
    /// # Errors
    /// 401 `M_UNKNOWN_TOKEN` when the refresh token is not known, 401 `M_USER_LOCKED`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Login> {
        let hash = TokenHash::of(refresh_token);
        let unknown = || unknown_token(false, "The refresh token is not known");
        let session = REFRESH_TOKENS.get(&self.inner.store, (&hash,)).await?;
        let session = session.ok_or_else(unknown)?;
        let _guard = self.inner.locks.lock(session.user_id.clone()).await;
        self.active_account(&session.user_id).await?.standing.check_lock()?;
        let device = self.device_record(&session.user_id, &session.device_id).await?;
        let mut device = device.ok_or_else(unknown)?;
        let mut batch = Batch::new();
        let mut known = false;
        for pair in std::mem::take(&mut device.tokens) {
            if pair.refresh.as_ref() == Some(&hash) {
                known = true;
                device.tokens.push(pair);
            } else {
                // Either what this token has replaced, or what nobody has used.
                self.revoke(&mut batch, &pair);
            }
        }
        if !known {
            return Err(unknown());
        }
        let user_id = session.user_id.clone();
        let login = self.issue(&mut batch, &mut device, session, true, true)?;
        self.put_device(&mut batch, &user_id, &login.device_id, &device)?;
        self.inner.store.commit(batch).await?;
        Ok(login)
    }

    /// Revokes what the tokens of a refresh replace, at their first use.
    async fn first_use(&self, hash: &TokenHash, row: AccessToken) -> Result<AccessToken> {
        let row = AccessToken { unused: false, ..row };
        let Session { user_id, device_id, .. } = &row.session;
        let _guard = self.inner.locks.lock(user_id.clone()).await;
        let device = self.device_record(user_id, device_id).await?;
        let unknown = || unknown_token(false, "The access token is not known");
        let mut device = device.ok_or_else(unknown)?;
        // It may have been revoked before the lock was ours.
        if !device.tokens.iter().any(|pair| pair.access == *hash) {
            return Err(unknown());
        }
        let mut batch = Batch::new();
        for pair in device.tokens.extract_if(.., |pair| pair.access != *hash) {
            self.revoke(&mut batch, &pair);
        }
        ACCESS_TOKENS.put(&mut batch, (hash,), &row)?;
        self.put_device(&mut batch, user_id, device_id, &device)?;
        self.inner.store.commit(batch).await?;
        Ok(row)
    }

    fn issue(
        &self,
        batch: &mut Batch,
        device: &mut DeviceRecord,
        session: Session,
        refreshes: bool,
        unused: bool,
    ) -> Result<Login> {
        let access_token = tokens::generate();
        let refresh_token = refreshes.then(tokens::generate);
        let expires_in = refreshes.then_some(ACCESS_TOKEN_LIFETIME);
        let pair = TokenPair {
            access: TokenHash::of(&access_token),
            refresh: refresh_token.as_deref().map(TokenHash::of),
        };
        if let Some(refresh) = &pair.refresh {
            REFRESH_TOKENS.put(batch, (refresh,), &session)?;
        }
        let device_id = session.device_id.clone();
        let expires = expires_in.map(|lifetime| now() + lifetime.as_millis() as u64);
        let row = AccessToken { session, expires, unused, seen: Rc::default() };
        ACCESS_TOKENS.put(batch, (&pair.access,), &row)?;
        device.tokens.push(pair);
        device.last_seen = Some(now());
        Ok(Login { device_id, access_token, refresh_token, expires_in })
    }

    /// Makes both tokens of a pair void.
    pub(super) fn revoke(&self, batch: &mut Batch, pair: &TokenPair) {
        ACCESS_TOKENS.delete(batch, (&pair.access,));
        if let Some(refresh) = &pair.refresh {
            REFRESH_TOKENS.delete(batch, (refresh,));
        }
        let (users, hash) = (self.clone(), pair.access.clone());
        batch.on_durable(move || users.inner.sessions.revoke(&hash));
    }
}
