//! Creating, changing and deleting streams.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use super::{info::StreamInfo, queue::Queue};
use crate::{
    platform,
    queue::{
        advisory::Action,
        config::{Checker, StreamConfig},
        configurations,
        consumer::Consumers,
        error::{Error, Result},
        sourcing::check_origins,
        stream::{Reserved, Stream, keep_within_limits},
    },
    store::Batch,
};

/// After how long the removal of a deleted stream is tried again.
const RETRY: Duration = Duration::from_secs(10);

impl Queue {
    /// Creates a stream; one of the same configuration may be there already.
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
        self.inner.streams.check_not_offline(&config.name)?;
        if let Ok(existing) = self.consumers(&config.name) {
            if !existing.stream.config().is_same(&config) {
                return Err(Error::STREAM_NAME_IN_USE);
            }
            return self.info_of(&existing).await;
        }
        self.inner.streams.check_overlap(&config)?;
        let stream = self.make_stream(config, Reserved::No).await?;
        self.advise(&stream.stream.name, Action::Create);
        self.info_of(&stream).await
    }

    /// Creates a stream of a configuration that was checked. The lock is held.
    pub(super) async fn make_stream(
        &self,
        config: StreamConfig,
        reserved: Reserved,
    ) -> Result<Consumers> {
        let id = self.next_stream_id();
        let parts = self.parts(&config);
        let made = Consumers::new(parts, id, self.now(), config);
        let stream = &made.stream;
        stream.reserved.set(reserved);
        let mut batch = stream.batch_of_configuration();
        configurations::put_next_stream(&mut batch, self.inner.next_stream.get())?;
        stream.write_config(&mut batch)?;
        stream.commit_counts(batch).await?;
        self.start(made.clone());
        Ok(made)
    }

    /// An id that no stream has had.
    pub(super) fn next_stream_id(&self) -> u64 {
        let next = &self.inner.next_stream;
        next.replace(next.get() + 1)
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
        let consumers = self.consumers(&config.name)?;
        let before = consumers.stream.config();
        let config = self.checked(config, pedantic)?.updating(&before)?;
        consumers.check_limits(&config)?;
        self.inner.streams.check_overlap(&config)?;
        self.configure_stream(&consumers.stream, config).await?;
        self.advise(&consumers.stream.name, Action::Modify);
        self.info_of(&consumers).await
    }

    /// Gives a stream a configuration that was checked. The lock is held.
    pub(super) async fn configure_stream(
        &self,
        stream: &Rc<Stream>,
        config: StreamConfig,
    ) -> Result<()> {
        let _admin = stream.admin.lock().await;
        stream.configure(config).await?;
        self.inner.listening.follow(stream);
        self.inner.sourcing.follow(stream, &self.inner.streams);
        self.inner.streams.note_change();
        stream.open_purges().await?;
        stream.check_limits.notify();
        Ok(())
    }

    /// Deletes a stream with its messages and consumers.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn delete_stream(&self, name: &str) -> Result<()> {
        let _admin = self.inner.admin.lock().await;
        let consumers = self.consumers(name)?;
        let stream = &consumers.stream;
        let stream_admin = stream.admin.lock().await;
        stream.deleted.set(true);
        let mut batch = Batch::new();
        batch.makes_room();
        stream.write_config(&mut batch)?;
        self.inner.streams.remove(name);
        if let Err(cause) = stream.store.commit(batch).await {
            stream.deleted.set(false);
            self.inner.streams.insert(consumers.clone());
            return Err(cause.into());
        }
        consumers.dismiss();
        self.inner.listening.leave(name);
        self.inner.sourcing.forget(stream);
        stream.check_limits.notify();
        self.inner.streams.note_change();
        drop(stream_admin);
        self.advise(name, Action::Delete);
        // Its messages may be many: they are deleted bit by bit, after a restart too.
        self.start(consumers);
        Ok(())
    }

    /// The streams whose configuration can't be read, and why; what they hold is not touched. One
    /// whose name can't be read has a name that no stream may have: `stream <id>`.
    pub fn offline_streams(&self) -> BTreeMap<String, String> {
        self.inner.streams.offline()
    }

    pub(super) fn checked(&self, config: StreamConfig, pedantic: bool) -> Result<StreamConfig> {
        let streams = &self.inner.streams;
        check_origins(streams, &config)?;
        Checker { pedantic, stream: &|name| streams.config(name) }.check(config)
    }

    /// Starts a stream, or goes on with its deletion.
    pub(in crate::queue) fn start(&self, consumers: Consumers) {
        let stream = consumers.stream.clone();
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
        platform::spawn(keep_within_limits(Rc::downgrade(&stream)));
        self.inner.listening.follow(&stream);
        self.inner.streams.insert(consumers.clone());
        consumers.start();
        self.inner.sourcing.follow(&stream, &self.inner.streams);
        self.inner.streams.note_change();
    }
}
