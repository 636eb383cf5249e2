//! Creating, finding and deleting consumers.

use super::queue::Queue;
use crate::queue::{
    config::ConsumerConfig,
    consumer::{Action, Consumer},
    error::Result,
};

impl Queue {
    /// Creates a consumer, or updates the one of that name. Without a name it gets one, and is
    /// deleted when it is not used for a while.
    ///
    /// # Errors
    /// 10059 when there is no such stream; the codes of what can't be configured so.
    pub async fn create_consumer(&self, stream: &str, config: ConsumerConfig) -> Result<Consumer> {
        Ok(self.consumers(stream)?.create(config, Action::Any).await?.0)
    }

    /// A consumer by its name.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub fn consumer(&self, stream: &str, name: &str) -> Result<Consumer> {
        self.consumers(stream)?.find(name)
    }

    /// Deletes a consumer.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.consumers(stream)?.delete(name).await
    }
}
