//! Where a user wants notifications to be sent. Kept and told; nothing is sent from here yet.
//! spec: client-server §Push Notifications
//!
//! A pusher goes with the device that set it: who is logged out there is not to be notified there.

use ruma::{
    DeviceId, OwnedUserId, UserId,
    api::client::push::{Pusher, PusherIds, PusherKind},
};
use url::Url;

use super::{
    Users,
    sessions::{Session, unknown_token},
};
use crate::{
    Error, Result, enumerations, lengths,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// The most bytes that a pushkey has, and characters that an app id has.
const MAX_PUSHKEY: usize = 512;
const MAX_APP_ID: usize = 64;
/// The path of every push gateway.
const NOTIFY: &str = "/_matrix/push/v1/notify";

fn key(user_id: &UserId, ids: &PusherIds) -> Key {
    Key::new().str(user_id).str(&ids.app_id).str(&ids.pushkey)
}

fn owners_key(ids: &PusherIds) -> Key {
    Key::new().str(&ids.app_id).str(&ids.pushkey)
}

impl Users {
    /// A user's pushers.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn pushers(&self, user_id: &UserId) -> Result<Vec<Pusher>> {
        let range = KeyRange::prefix(Key::new().str(user_id));
        let rows =
            self.inner.store.scan(Table::Pushers, range, Direction::Forward, usize::MAX).await?;
        rows.into_iter()
            .map(|(_, row)| serde_json::from_slice(&row).map_err(Error::internal))
            .collect()
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
            let range = KeyRange::prefix(owners_key(&pusher.ids));
            let store = &self.inner.store;
            let owners =
                store.scan(Table::PusherOwners, range, Direction::Forward, usize::MAX).await?;
            for (owner_key, _) in owners {
                let mut parts = KeyReader::new(&owner_key);
                let owner = parts.str().and(parts.str()).and(parts.str());
                if let Some(owner) = owner.and_then(|owner| OwnedUserId::try_from(owner).ok()) {
                    batch.delete(Table::Pushers, key(&owner, &pusher.ids));
                }
                batch.delete(Table::PusherOwners, &*owner_key);
            }
        }
        batch.put_json(Table::Pushers, key(user_id, &pusher.ids), pusher)?;
        let owner = owners_key(&pusher.ids).str(user_id);
        batch.put(Table::PusherOwners, owner, device_id.as_bytes());
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
            let owner = owners_key(&pusher.ids).str(user_id);
            let device = self.inner.store.get(Table::PusherOwners, owner).await?;
            let device = device.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            if goes((&*device).into()) {
                remove(batch, user_id, &pusher.ids);
            }
        }
        Ok(())
    }
}

fn remove(batch: &mut Batch, user_id: &UserId, ids: &PusherIds) {
    batch.delete(Table::Pushers, key(user_id, ids));
    batch.delete(Table::PusherOwners, owners_key(ids).str(user_id));
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
