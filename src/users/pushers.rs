//! Where a user wants notifications to be sent. Kept and told; nothing is sent from here yet.
//! spec: client-server §Push Notifications
//!
//! A pusher goes with the device that set it: who is logged out there is not to be notified there.

use ruma::{
    DeviceId, OwnedDeviceId, OwnedUserId, UserId,
    api::client::push::{Pusher, PusherIds, PusherKind},
};
use url::Url;

use super::{
    Users,
    sessions::{Session, unknown_token},
};
use crate::{
    Error, Result, enumerations, lengths,
    store::{AsPart, Batch, Erasure, Json, Key, KeyReader, Kind, Part, Rows, Table, Text},
};

/// User, app id, pushkey → pusher.
pub(super) const PUSHERS: Rows<(OwnedUserId, String, Pushkey), Json<Pusher>> =
    Rows::new(Table::Pushers, Erasure::Removed);
/// App id, pushkey, user → the device that set the user's pusher; of those of before, nothing.
pub(super) const PUSHER_OWNERS: Rows<(String, Pushkey, OwnedUserId), Text<OwnedDeviceId>> =
    Rows::new(Table::PusherOwners, Erasure::Removed);

/// The most bytes that a pushkey has, and characters that an app id has.
const MAX_PUSHKEY: usize = 512;
const MAX_APP_ID: usize = 64;
/// The path of every push gateway.
const NOTIFY: &str = "/_matrix/push/v1/notify";

/// A pushkey, which is a secret.
pub(super) struct Pushkey;

impl Part for Pushkey {
    const KIND: Kind = Kind::Secret;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.bytes().map(|_| Self)
    }
}

impl AsPart<Pushkey> for str {
    fn append(&self, key: Key) -> Key {
        key.str(self)
    }
}

impl Users {
    /// A user's pushers.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn pushers(&self, user_id: &UserId) -> Result<Vec<Pusher>> {
        Ok(PUSHERS.scan((user_id,)).values(&self.inner.store).await?)
    }

    /// Sets a pusher of the sender. Unless `append`, others with the same ids lose theirs.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM`; 401 `M_UNKNOWN_TOKEN` when the device is gone by now; when the store
    /// fails.
    pub async fn set_pusher(&self, sender: &Session, pusher: &Pusher, append: bool) -> Result<()> {
        let Session { user_id, device_id, .. } = sender;
        check(pusher)?;
        // In this order wherever both are taken: none waits for the other in a circle.
        let _own = self.inner.locks.lock(user_id.clone()).await;
        let _only = self.inner.pushers.lock(()).await;
        if self.device_record(user_id, device_id).await?.is_none() {
            return Err(unknown_token(false, "The device has logged out"));
        }
        let mut batch = Batch::new();
        if !append {
            let PusherIds { app_id, pushkey, .. } = &pusher.ids;
            let owners = PUSHER_OWNERS.scan((app_id, pushkey.as_str()));
            for (owner,) in owners.keys(&self.inner.store).await? {
                remove(&mut batch, &owner, &pusher.ids);
            }
        }
        let PusherIds { app_id, pushkey, .. } = &pusher.ids;
        PUSHERS.put(&mut batch, (user_id, app_id, pushkey.as_str()), pusher)?;
        PUSHER_OWNERS.put(&mut batch, (app_id, pushkey.as_str(), user_id), device_id);
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Removes a pusher of a user, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_pusher(&self, user_id: &UserId, ids: &PusherIds) -> Result<()> {
        let _own = self.inner.locks.lock(user_id.to_owned()).await;
        let mut batch = Batch::new();
        remove(&mut batch, user_id, ids);
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Writes into `batch` that the pushers go whose devices `goes` names; the caller holds the
    /// user's lock. Of pushers of before it is not known whose they are: to `goes` they are the
    /// device with the empty id.
    pub(super) async fn remove_pushers(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        goes: impl Fn(&DeviceId) -> bool,
    ) -> Result<()> {
        for pusher in self.pushers(user_id).await? {
            let PusherIds { app_id, pushkey, .. } = &pusher.ids;
            let owner = (app_id, pushkey.as_str(), user_id);
            let device = PUSHER_OWNERS.get(&self.inner.store, owner).await?;
            if goes(device.as_deref().unwrap_or_else(|| "".into())) {
                remove(batch, user_id, &pusher.ids);
            }
        }
        Ok(())
    }
}

fn remove(batch: &mut Batch, user_id: &UserId, ids: &PusherIds) {
    let PusherIds { app_id, pushkey, .. } = ids;
    PUSHERS.delete(batch, (user_id, app_id, pushkey.as_str()));
    PUSHER_OWNERS.delete(batch, (app_id, pushkey.as_str(), user_id));
}

/// What a pusher is allowed to be. spec: client-server §POST /pushers/set
fn check(pusher: &Pusher) -> Result<()> {
    let refused = |message: &str| Err(Error::invalid_param(message));
    if pusher.ids.pushkey.len() > MAX_PUSHKEY {
        return refused("A pushkey has at most 512 bytes");
    }
    if pusher.ids.app_id.chars().count() > MAX_APP_ID {
        return refused("An app id has at most 64 characters");
    }
    let json = serde_json::value::to_raw_value(pusher).map_err(Error::internal)?;
    lengths::part("A pusher", &json)?;
    let PusherKind::Http(data) = &pusher.kind else {
        return refused("Only pushers of the kind http are known here");
    };
    enumerations::check("format", &data.format)?;
    // The specification wants https; http is for gateways on the same machine, as tests have.
    let is_gateway = |url: Url| ["https", "http"].contains(&url.scheme()) && url.path() == NOTIFY;
    match Url::parse(&data.url).is_ok_and(is_gateway) {
        true => Ok(()),
        false => refused("The URL is not an http(s) URL whose path is /_matrix/push/v1/notify"),
    }
}
