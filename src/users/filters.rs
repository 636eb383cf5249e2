//! Filters. spec: client-server §Filtering

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::UserId;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Users;
use crate::{
    Error, Result, lengths,
    store::{Batch, Key, Table},
};

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
        let filter = filter.get();
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(filter)[..ID_BYTES]);
        let key = Key::new().str(user_id).str(&id);
        if self.inner.store.get(Table::Filters, &key).await?.is_none() {
            let mut batch = Batch::new();
            batch.put(Table::Filters, key, filter);
            self.inner.store.commit(batch).await?;
        }
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
