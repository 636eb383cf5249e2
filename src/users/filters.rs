//! Filters. spec: client-server §Filtering

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{UserId, api::client::filter::FilterDefinition};
use sha2::{Digest, Sha256};

use super::Users;
use crate::{
    Error, Result,
    store::{Batch, Key, Table},
};

/// How much of a filter's hash its id is made of.
const ID_BYTES: usize = 12;

impl Users {
    /// Keeps a filter; the same filter has the same id, so clients that set theirs at every start
    /// add nothing.
    pub async fn create_filter(
        &self,
        user_id: &UserId,
        filter: &FilterDefinition,
    ) -> Result<String> {
        let filter = serde_json::to_vec(filter).map_err(Error::internal)?;
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(&filter)[..ID_BYTES]);
        let key = Key::new().str(user_id).str(&id);
        if self.inner.store.get(Table::Filters, &key).await?.is_none() {
            let mut batch = Batch::new();
            batch.put(Table::Filters, key, filter);
            self.inner.store.commit(batch).await?;
        }
        Ok(id)
    }

    /// A filter of a user.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn filter(&self, user_id: &UserId, id: &str) -> Result<FilterDefinition> {
        let key = Key::new().str(user_id).str(id);
        let filter = self.inner.store.get_json(Table::Filters, key).await?;
        filter.ok_or_else(|| Error::not_found("There is no such filter"))
    }
}
