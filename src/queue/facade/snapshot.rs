//! Snapshots of streams, and streams that are made of them.

use bytes::Bytes;

use super::{info::StreamInfo, queue::Queue};
use crate::{
    queue::{
        advisory::Action,
        config::StreamConfig,
        configurations,
        consumer::Consumers,
        error::{Error, Result},
        stream,
    },
    store::Batch,
};

/// A snapshot that is being read.
pub(in crate::queue) struct Snapshot {
    /// The stream as it is in the snapshot.
    pub(in crate::queue) info: StreamInfo,
    rows: stream::Snapshot,
}

/// A stream that is being restored; it is removed again unless it is finished.
pub(in crate::queue) struct Restore {
    queue: Queue,
    config: StreamConfig,
    rows: stream::Restored,
}

impl Queue {
    /// A snapshot of a stream, with its consumers or without.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub(in crate::queue) async fn snapshot(&self, name: &str, consumers: bool) -> Result<Snapshot> {
        let stream = self.consumers(name)?;
        let info = self.info_of(&stream).await?;
        let rows = stream::Snapshot::new(stream.stream, info.state.last_seq, consumers);
        Ok(Snapshot { info, rows })
    }

    /// Begins to restore a stream.
    ///
    /// # Errors
    /// 10130 when there is one of that name; the codes of what can't be configured so.
    pub(in crate::queue) async fn restore(&self, config: StreamConfig) -> Result<Restore> {
        let _admin = self.inner.admin.lock().await;
        let config = self.checked(config, false)?;
        self.inner.streams.check_not_offline(&config.name)?;
        self.check_restorable(&config)?;
        let id = self.next_stream_id();
        let mut batch = Batch::new();
        configurations::put_next_stream(&mut batch, id + 1)?;
        self.inner.store.commit(batch).await?;
        let made = Consumers::new(self.parts(&config), id, self.now(), config.clone());
        let rows = stream::Restored::begin(made.stream).await?;
        Ok(Restore { queue: self.clone(), config, rows })
    }

    fn check_restorable(&self, config: &StreamConfig) -> Result<()> {
        if self.stream(&config.name).is_ok() {
            return Err(Error::NAME_EXISTS_FOR_RESTORE);
        }
        self.inner.streams.check_overlap(config)
    }
}

impl Snapshot {
    /// At most so many bytes; fewer at the end, then none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(in crate::queue) async fn next(&mut self, size: usize) -> Result<Bytes> {
        self.rows.next(size).await
    }
}

impl Restore {
    /// Takes the next bytes of the snapshot.
    ///
    /// # Errors
    /// 10062 when it is none; when the store can't be written.
    pub(in crate::queue) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.rows.write(bytes).await
    }

    /// Finishes the stream, when the snapshot is complete.
    ///
    /// # Errors
    /// 10062 when something is missing; when the store can't be written.
    pub(in crate::queue) async fn finish(mut self) -> Result<StreamInfo> {
        let (row, batch) = self.rows.finish()?;
        let queue = self.queue.clone();
        let _admin = queue.inner.admin.lock().await;
        queue.check_restorable(&self.config)?;
        self.rows.keep(batch).await?;
        let made = Consumers::open(queue.parts(&self.config), row).await?;
        made.recount().await?;
        queue.start(made.clone());
        queue.advise(&self.config.name, Action::Create);
        queue.info_of(&made).await
    }
}
