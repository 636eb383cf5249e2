//! Opening a queue: its streams work from then on, and the API answers.

use std::rc::Rc;

use super::{
    api,
    clock::{Clock, SystemClock},
    configurations::{self, Offline, Stored},
    consumer::Consumers,
    error::{Error, Result},
    facade::Queue,
    stream::StreamRow,
};
use crate::store::{Options, Store, memory::Disk};

impl Queue {
    /// The queue that `store` holds.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(store: Store) -> Result<Self> {
        Self::open_with(store, Rc::new(SystemClock)).await
    }

    /// The queue that `store` holds, with a clock of one's own.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open_with(store: Store, clock: Rc<dyn Clock>) -> Result<Self> {
        let (next, rows) = configurations::streams::<StreamRow>(&store).await?;
        // Gone with the queue.
        let memory = Store::open_memory(&Disk::new(), Options::default()).await?;
        let queue = Self::new(store, memory, clock, next);
        let streams = &queue.inner.streams;
        for row in rows {
            let row = match row {
                Stored::Read(row) => row,
                Stored::Offline(offline) => {
                    streams.set_offline(offline);
                    continue;
                }
            };
            let (id, name) = (row.id, row.config.name.clone());
            match Consumers::open(queue.durable_parts(), row).await {
                Ok(stream) => queue.start(stream),
                Err(cause) if cause.is(&Error::stream_offline("")) => {
                    let cause = cause.description.into_owned();
                    streams.set_offline(Offline { id, name: Some(name), cause });
                }
                Err(cause) => return Err(cause),
            }
        }
        *queue.inner.api.borrow_mut() = api::serve(&queue);
        Ok(queue)
    }
}
