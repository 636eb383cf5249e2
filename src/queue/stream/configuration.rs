//! The configuration of a stream as it is stored.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{base::Stream, purge_row::PurgeRow};
use crate::{
    queue::{
        config::StreamConfig,
        configurations,
        error::{Error, Result},
    },
    store::Batch,
};

/// A stream as it is stored.
#[derive(Serialize, Deserialize)]
pub(in crate::queue) struct StreamRow {
    pub(in crate::queue) id: u64,
    pub(in crate::queue) created: u64,
    pub(in crate::queue) next_consumer: u64,
    /// Set while its messages are being deleted.
    #[serde(default)]
    pub(in crate::queue) deleted: bool,
    /// Whether its messages are in the index by subject.
    #[serde(default)]
    pub(in crate::queue) indexed: bool,
    pub(in crate::queue) config: StreamConfig,
}

impl Stream {
    /// Sets a configuration that was checked, durably.
    pub(in crate::queue) async fn configure(self: &Rc<Self>, config: StreamConfig) -> Result<()> {
        let before = self.config();
        let (most, had) = (config.max_msgs_per_subject, before.max_msgs_per_subject);
        // Without a limit before, a subject keeps what it has until its next message.
        let fewer = (0 < most && most < had).then_some(most.unsigned_abs());
        self.set_config(Rc::new(config));
        self.request_interest_check();
        self.next_expiry.set(0);
        let mut batch = self.batch_of_configuration();
        if let Some(most) = fewer {
            let below = self.counts.borrow().last + 1;
            self.put_purge(&mut batch, PurgeRow::of_each_subject(below, most));
        }
        let written = match self.write_config(&mut batch) {
            Ok(()) => self.store.commit(batch).await.map_err(Error::from),
            Err(cause) => Err(cause),
        };
        if written.is_err() {
            self.set_config(before);
        }
        written
    }

    /// Has the batch write the configuration.
    pub(in crate::queue) fn write_config(&self, batch: &mut Batch) -> Result<()> {
        let row = StreamRow {
            id: self.id,
            created: self.created,
            next_consumer: self.next_consumer.get(),
            deleted: self.deleted.get(),
            indexed: true,
            config: (*self.config()).clone(),
        };
        configurations::put_stream(batch, self.id, &row)
    }
}
