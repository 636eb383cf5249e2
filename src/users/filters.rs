//! Filters. spec: client-server §Filtering

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::UserId;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Users;
use crate::{
    Error, Result, lengths,
    store::{Batch, Direction, Key, KeyRange, Table},
};

/// How much of a filter's hash its id is made of.
const ID_BYTES: usize = 12;

/// How many filters a user has at most; beyond that the oldest are removed.
const FILTERS: u64 = 1024;

impl Users {
    /// Keeps a filter; the same filter has the same id, so clients that set theirs at every start
    /// add nothing.
    ///
    /// # Errors
    /// 413 `M_TOO_LARGE`
    pub async fn create_filter(&self, user_id: &UserId, filter: &RawValue) -> Result<String> {
        lengths::part("The filter", filter)?;
        let filter = filter.get();
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(filter)[..ID_BYTES]);
        let key = Key::new().str(user_id).str(&id);
        let store = &self.inner.store;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        if store.get(Table::Filters, &key).await?.is_some() {
            return Ok(id);
        }
        // The rows under the empty id, which no filter has, say in which order filters were made.
        // Those that an older version made have no such row, and stay.
        let order = Key::new().str(user_id).str("");
        let range = KeyRange::prefix(order.clone());
        let newest = store.scan(Table::Filters, range, Direction::Backward, 1).await?;
        let newest = newest.first().and_then(|(key, _)| key.last_chunk().copied());
        let place = 1 + newest.map_or(0, u64::from_be_bytes);
        let oldest = order.clone().u64(place.saturating_sub(FILTERS));
        let mut batch = Batch::new();
        if let Some(forgotten) = store.get(Table::Filters, &oldest).await? {
            batch.delete(Table::Filters, oldest);
            batch.delete(Table::Filters, forgotten);
        }
        batch.put(Table::Filters, order.u64(place), &*key);
        batch.put(Table::Filters, key, filter);
        store.commit(batch).await?;
        Ok(id)
    }

    /// A filter of a user, as it was sent or as what it says.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn filter<T: DeserializeOwned>(&self, user_id: &UserId, id: &str) -> Result<T> {
        let key = Key::new().str(user_id).str(id);
        let filter = self.inner.store.get_json(Table::Filters, key).await?;
        filter.ok_or_else(|| Error::not_found("There is no such filter"))
    }
}
