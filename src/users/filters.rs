//! Filters. spec: client-server §Filtering

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedUserId, UserId};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Users;
use crate::{
    Error, Result, lengths,
    store::{Batch, Erasure, Expiry, Json, KeyOf, RawJson, Rows, Table},
};

/// User, filter id → filter. A user has so many at most; beyond that the oldest are removed.
pub(super) const FILTERS: Rows<(OwnedUserId, String), RawJson> =
    Rows::new(Table::Filters, Erasure::Removed).expiring(Expiry::Newest(1024));
/// User, the empty id, which no filter has, place → key of a filter: in which order filters were made.
/// Those that an older version made have no such row, and stay.
const ORDER: Rows<(OwnedUserId, String, u64), KeyOf<(OwnedUserId, String)>> = FILTERS.view();

/// How much of a filter's hash its id is made of.
const ID_BYTES: usize = 12;

impl Users {
    /// Keeps a filter; the same filter has the same id, so clients that set theirs at every start
    /// add nothing.
    ///
    /// # Errors
    /// 413 `M_TOO_LARGE`
    pub async fn create_filter(&self, user_id: &UserId, filter: &RawValue) -> Result<String> {
        lengths::part("The filter", filter)?;
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(filter.get())[..ID_BYTES]);
        let store = &self.inner.store;
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        if FILTERS.has(store, (user_id, &id)).await? {
            return Ok(id);
        }
        let newest = ORDER.scan((user_id, "")).backward().first_key(store).await?;
        let place = 1 + newest.map_or(0, |(place,)| place);
        let most = FILTERS.declaration().most() as u64;
        let oldest = (user_id, "", place.saturating_sub(most));
        let mut batch = Batch::new();
        if let Some((user_id, id)) = ORDER.get(store, oldest).await? {
            ORDER.delete(&mut batch, oldest);
            FILTERS.delete(&mut batch, (user_id, id));
        }
        ORDER.put(&mut batch, (user_id, "", place), (user_id, &id));
        FILTERS.put(&mut batch, (user_id, &id), filter);
        store.commit(batch).await?;
        Ok(id)
    }

    /// A filter of a user, as it was sent or as what it says.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn filter<T: DeserializeOwned>(&self, user_id: &UserId, id: &str) -> Result<T> {
        let filters = FILTERS.view::<(OwnedUserId, String), Json<T>>();
        let filter = filters.get(&self.inner.store, (user_id, id)).await?;
        filter.ok_or_else(|| Error::not_found("There is no such filter"))
    }
}
