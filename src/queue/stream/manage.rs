//! Making, changing and deleting streams.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Parts, Purge, Stream, StreamInfo, purge::PurgeRow, tidy::keep_tidy};
use crate::{
    platform,
    queue::{
        Inner, Queue,
        advisory::{self, Action},
        config::{Checker, Storage, StreamConfig},
        configurations::{self, Offline},
        error::{Error, Result},
        reserved::Reserved,
    },
    store::Batch,
};

/// How long is waited before the rest of a deleted stream is removed, where that failed.
const RETRY: Duration = Duration::from_secs(10);

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

impl Queue {
    /// Makes a stream; one of the same configuration may be there already.
    ///
    /// # Errors
    /// 10052 for a configuration that can't be used, 10058 for a name in use, 10065 when another
    /// stream takes some of the subjects.
    pub async fn create_stream(&self, config: StreamConfig) -> Result<StreamInfo> {
        self.create_stream_as(config, false).await
    }

    /// The same; when `pedantic`, a default that would change what was asked for is an error.
    ///
    /// # Errors
    /// Those of [`Queue::create_stream`], and 10157.
    pub async fn create_stream_as(
        &self,
        config: StreamConfig,
        pedantic: bool,
    ) -> Result<StreamInfo> {
        let _admin = self.inner.admin.lock().await;
        if config.sealed {
            return Err(Error::stream_config("stream configuration for create can not be sealed"));
        }
        if config.mirror_direct && config.mirror.is_none() {
            return Err(Error::stream_config("stream has no mirror but does have mirror direct"));
        }
        let config = self.checked(config, pedantic)?;
        self.check_not_offline(&config.name)?;
        if let Ok(existing) = self.stream(&config.name) {
            if !existing.config().is_same(&config) {
                return Err(Error::STREAM_NAME_IN_USE);
            }
            return existing.info().await;
        }
        self.check_overlap(&config)?;
        let stream = self.make_stream(config, Reserved::No).await?;
        self.advise(stream.name(), Action::Create);
        stream.info().await
    }

    /// Makes a stream of a configuration that was checked, for who holds the lock.
    pub(in crate::queue) async fn make_stream(
        &self,
        config: StreamConfig,
        reserved: Reserved,
    ) -> Result<Rc<Stream>> {
        let id = self.inner.next_stream.replace(self.inner.next_stream.get() + 1);
        let parts = self.parts(&config);
        let now = parts.clock.now();
        let stream = Rc::new(Stream::new(parts, id, now, Rc::new(config)));
        stream.reserved.set(reserved);
        let mut batch = stream.batch_of_configuration();
        configurations::put_next_stream(&mut batch, self.inner.next_stream.get())?;
        stream.write_config(&mut batch)?;
        stream.write_counts(&mut batch);
        stream.store.commit(batch).await?;
        self.start(stream.clone());
        Ok(stream)
    }

    pub(super) fn parts(&self, config: &StreamConfig) -> Parts {
        let Inner { store, memory, clock, broker, .. } = &*self.inner;
        Parts {
            store: if config.storage == Storage::Memory { memory } else { store }.clone(),
            durable: store.clone(),
            clock: clock.clone(),
            broker: broker.clone(),
        }
    }

    pub(super) fn advise(&self, stream: &str, action: Action) {
        advisory::stream(self.broker(), self.inner.clock.now(), stream, action);
    }

    /// Changes the configuration of a stream.
    ///
    /// # Errors
    /// 10059 when there is none of that name; 10052, 10055 and 10065 for what can't be changed so.
    pub async fn update_stream(&self, config: StreamConfig) -> Result<StreamInfo> {
        self.update_stream_as(config, false).await
    }

    /// The same; when `pedantic`, a default that would change what was asked for is an error.
    ///
    /// # Errors
    /// Those of [`Queue::update_stream`], and 10157.
    pub async fn update_stream_as(
        &self,
        config: StreamConfig,
        pedantic: bool,
    ) -> Result<StreamInfo> {
        let _admin = self.inner.admin.lock().await;
        let stream = self.stream(&config.name)?;
        let before = stream.config();
        let config = self.checked(config, pedantic)?.updating(&before)?;
        stream.check_consumer_limits(&before, &config)?;
        self.check_overlap(&config)?;
        self.configure_stream(&stream, config).await?;
        self.advise(stream.name(), Action::Modify);
        stream.info().await
    }

    /// Gives a stream a configuration that was checked, for who holds the lock.
    pub(in crate::queue) async fn configure_stream(
        &self,
        stream: &Rc<Stream>,
        config: StreamConfig,
    ) -> Result<()> {
        let before = stream.config();
        let _stream_admin = stream.admin.lock().await;
        let (most, had) = (config.max_msgs_per_subject, before.max_msgs_per_subject);
        // A subject without limit before goes on with what it has until its next message.
        let fewer = (0 < most && most < had).then_some(most.unsigned_abs());
        stream.configure(Rc::new(config));
        stream.ask_sweep();
        stream.next_expiry.set(0);
        let mut batch = stream.batch_of_configuration();
        if let Some(most) = fewer {
            let below = stream.counts.borrow().last + 1;
            stream.put_purge(&mut batch, PurgeRow::of_each_subject(below, most));
        }
        let written = match stream.write_config(&mut batch) {
            Ok(()) => stream.store.commit(batch).await.map_err(Error::from),
            Err(cause) => Err(cause),
        };
        if let Err(cause) = written {
            stream.configure(before);
            return Err(cause);
        }
        self.listen(stream);
        self.copy_sources(stream);
        self.inner.changed.wake();
        stream.open_purges().await?;
        stream.untidy.wake();
        Ok(())
    }

    /// Deletes a stream with its messages and consumers.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn delete_stream(&self, name: &str) -> Result<()> {
        let _admin = self.inner.admin.lock().await;
        let stream = self.stream(name)?;
        let _stream_admin = stream.admin.lock().await;
        stream.deleted.set(true);
        let mut batch = Batch::new();
        batch.makes_room();
        stream.write_config(&mut batch)?;
        self.inner.streams.borrow_mut().remove(name);
        if let Err(cause) = stream.store.commit(batch).await {
            stream.deleted.set(false);
            self.inner.streams.borrow_mut().insert(name.to_owned(), stream.clone());
            return Err(cause.into());
        }
        let consumers: Vec<_> = stream.consumers.borrow().values().cloned().collect();
        for consumer in consumers {
            stream.dismiss(consumer);
        }
        self.inner.api.ingest.leave(name);
        stream.untidy.wake();
        self.inner.changed.wake();
        drop(_stream_admin);
        self.advise(name, Action::Delete);
        // Its messages may be many: they go bit by bit, after a restart too.
        self.start(stream);
        Ok(())
    }

    /// Removes messages of a stream; returns how many.
    ///
    /// # Errors
    /// 10059 when there is none of that name, 10003, 10109 and 10110 for what can't be purged.
    pub async fn purge_stream(&self, name: &str, purge: &Purge) -> Result<u64> {
        self.stream(name)?.purge(purge).await
    }

    /// Removes a message by its sequence number.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message; 10109 and 10057 when it may not go.
    pub async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.stream(stream)?.delete(sequence).await
    }

    /// The streams whose configuration can't be read, and why; what they hold is not touched. One
    /// whose name can't be read has a name that no stream may have: `stream <id>`.
    pub fn offline_streams(&self) -> BTreeMap<String, String> {
        self.inner.offline.borrow().clone()
    }

    /// Keeps a stream whose configuration can't be read.
    pub(in crate::queue) fn set_offline(&self, offline: Offline) {
        let (name, cause) = offline.told("stream");
        self.inner.offline.borrow_mut().insert(name, cause);
    }

    pub(in crate::queue) fn check_not_offline(&self, name: &str) -> Result<()> {
        match self.inner.offline.borrow().get(name) {
            Some(cause) => Err(Error::stream_offline(cause)),
            None => Ok(()),
        }
    }

    pub(in crate::queue) fn checked(
        &self,
        config: StreamConfig,
        pedantic: bool,
    ) -> Result<StreamConfig> {
        self.check_copied(&config)?;
        let stream = |name: &str| self.stream(name).ok().map(|stream| stream.config());
        Checker { pedantic, stream: &stream }.check(config)
    }

    pub(super) fn check_overlap(&self, config: &StreamConfig) -> Result<()> {
        let overlaps = |(name, stream): (&String, &Rc<Stream>)| {
            *name != config.name && stream.config.borrow().overlaps(config)
        };
        match self.inner.streams.borrow().iter().any(overlaps) {
            true => Err(Error::SUBJECTS_OVERLAP),
            false => Ok(()),
        }
    }

    /// Lets a stream work; finishes the deletion of one that was being deleted.
    pub(in crate::queue) fn start(&self, stream: Rc<Stream>) {
        if stream.deleted.get() {
            platform::spawn(async move {
                while let Err(cause) = stream.wipe().await {
                    tracing::error!("a deleted stream can't be removed: {cause}");
                    if stream.store.closed().is_some() {
                        return;
                    }
                    platform::sleep(RETRY).await;
                }
            });
            return;
        }
        platform::spawn(keep_tidy(Rc::downgrade(&stream)));
        self.listen(&stream);
        let name = stream.config().name.clone();
        self.inner.streams.borrow_mut().insert(name, stream.clone());
        stream.start_consumers();
        self.copy_sources(&stream);
        self.inner.changed.wake();
    }
}

impl Stream {
    /// Whether the consumers that there are keep within limits that are new.
    fn check_consumer_limits(&self, before: &StreamConfig, config: &StreamConfig) -> Result<()> {
        let (before, limits) = (&before.consumer_limits, &config.consumer_limits);
        if before == limits {
            return Ok(());
        }
        let consumers = self.consumers.borrow();
        let exceeding = consumers.iter().filter(|(_, consumer)| {
            let config = consumer.config();
            let (idle, pending) = (limits.inactive_threshold, limits.max_ack_pending);
            !idle.is_zero() && config.inactive_threshold > idle
                || pending > 0 && config.max_ack_pending > pending
        });
        let exceeding: Vec<_> = exceeding.map(|(name, _)| name.as_str()).collect();
        match exceeding.is_empty() {
            true => Ok(()),
            false => Err(Error::stream_update(format!(
                "change to limits violates consumers: {}",
                exceeding.join(", ")
            ))),
        }
    }

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
