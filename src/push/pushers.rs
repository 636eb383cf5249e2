//! Where a user wants notifications to be sent. Kept and told; nothing is sent from here yet.
//! spec: client-server §Push Notifications

use ruma::{
    OwnedUserId, UserId,
    api::client::push::{Pusher, PusherIds},
};

use super::Push;
use crate::{
    Error, Result,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

fn key(user_id: &UserId, ids: &PusherIds) -> Key {
    Key::new().str(user_id).str(&ids.app_id).str(&ids.pushkey)
}

fn owners_key(ids: &PusherIds) -> Key {
    Key::new().str(&ids.app_id).str(&ids.pushkey)
}

impl Push {
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

    /// Sets a pusher of a user. Unless `append`, others with the same ids lose theirs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_pusher(&self, user_id: &UserId, pusher: &Pusher, append: bool) -> Result<()> {
        let _only = self.inner.pushers.lock(()).await;
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
        batch.put(Table::PusherOwners, owners_key(&pusher.ids).str(user_id), []);
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Removes a pusher of a user, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_pusher(&self, user_id: &UserId, ids: &PusherIds) -> Result<()> {
        let _only = self.inner.pushers.lock(()).await;
        let mut batch = Batch::new();
        batch.delete(Table::Pushers, key(user_id, ids));
        batch.delete(Table::PusherOwners, owners_key(ids).str(user_id));
        Ok(self.inner.store.commit(batch).await?)
    }
}
