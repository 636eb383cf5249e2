//! Streams and durable consumers with JetStream's behaviour, in the homeserver's own store.
//!
//! A publish joins the batch of what it tells of, and an acknowledgement the batch of what was
//! derived from the message: either all of it happens or nothing does. Sequence numbers are given
//! at once; consumers see a message when its batch is durable. docs/queue.md says what is promised.

mod ack;
mod admin;
mod broker;
mod clock;
mod codec;
mod config;
mod consumer;
mod error;
mod fetch;
mod headers;
mod ids;
mod message;
mod notify;
mod open;
mod row;
mod status;
mod stream;
pub mod subject;
mod tidy;
mod worker;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use self::{admin::StreamRow, row::MessageRow, stream::Stream};
pub use self::{
    broker::{Broker, ClientId, CoreMessage, Subscription},
    clock::{Clock, ManualClock, SystemClock},
    config::{AckPolicy, ConsumerConfig, DeliverPolicy, Discard, Retention, StreamConfig},
    error::{Error, Result},
    fetch::Consumer,
    headers::Headers,
    message::{Message, StoredMessage},
    status::{ConsumerInfo, SequenceInfo, StreamInfo, StreamState},
    stream::PubAck,
    worker::work,
};
use crate::{
    platform,
    store::{Batch, Direction, KeyRange, Store, Table},
};

/// A handle to the queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    clock: Rc<dyn Clock>,
    broker: Broker,
    streams: RefCell<BTreeMap<String, Rc<Stream>>>,
    next_stream: Cell<u64>,
    /// Held while streams are made, changed or deleted.
    admin: Mutex<()>,
}

/// Where the id of the next stream is kept: ids are never used again.
const NEXT_STREAM: [u8; 0] = [];

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
        let next = store.get_json(Table::QueueStreams, NEXT_STREAM).await?.unwrap_or(1);
        let rows = store
            .scan(Table::QueueStreams, KeyRange::all(), Direction::Forward, usize::MAX)
            .await?;
        let queue = Self {
            inner: Rc::new(Inner {
                store: store.clone(),
                clock: clock.clone(),
                broker: Broker::new(),
                streams: RefCell::default(),
                next_stream: Cell::new(next),
                admin: Mutex::new(()),
            }),
        };
        for (key, value) in rows {
            if *key == NEXT_STREAM {
                continue;
            }
            let Ok(row) = serde_json::from_slice::<StreamRow>(&value) else {
                // What can't be read is not touched.
                tracing::error!("the configuration of a stream can't be read");
                continue;
            };
            let stream = Rc::new(Stream::open(store.clone(), clock.clone(), row).await?);
            queue.start(stream);
        }
        Ok(queue)
    }

    /// Core NATS: where clients and the queue's parts publish and subscribe.
    pub fn broker(&self) -> &Broker {
        &self.inner.broker
    }

    /// Makes a stream; one of the same configuration may be there already.
    ///
    /// # Errors
    /// 10052 for a configuration that can't be used, 10058 for a name in use, 10065 when another
    /// stream takes some of the subjects.
    pub async fn create_stream(&self, config: StreamConfig) -> Result<StreamInfo> {
        let _admin = self.inner.admin.lock().await;
        let config = config.checked()?;
        if let Ok(existing) = self.stream(&config.name) {
            if *existing.config() != config {
                return Err(Error::STREAM_NAME_IN_USE);
            }
            return existing.info().await;
        }
        self.check_overlap(&config)?;
        let Inner { store, clock, next_stream, .. } = &*self.inner;
        let id = next_stream.replace(next_stream.get() + 1);
        let stream = Rc::new(Stream::new(store.clone(), clock.clone(), id, clock.now(), config));
        let mut batch = Batch::new();
        batch.put_json(Table::QueueStreams, NEXT_STREAM, &next_stream.get())?;
        stream.write_config(&mut batch)?;
        stream.write_counts(&mut batch);
        store.commit(batch).await?;
        self.start(stream.clone());
        stream.info().await
    }

    /// Changes the configuration of a stream.
    ///
    /// # Errors
    /// 10059 when there is none of that name; 10052, 10065 and 10069 for what can't be changed so.
    pub async fn update_stream(&self, config: StreamConfig) -> Result<StreamInfo> {
        let _admin = self.inner.admin.lock().await;
        let config = config.checked()?;
        let stream = self.stream(&config.name)?;
        self.check_overlap(&config)?;
        let before = stream.config();
        let work_queue = |config: &StreamConfig| config.retention == Retention::WorkQueue;
        if work_queue(&before) != work_queue(&config) {
            return Err(Error::stream_update(
                "stream configuration update can not change retention policy to/from workqueue",
            ));
        }
        if before.max_consumers != config.max_consumers {
            return Err(Error::stream_update(
                "stream configuration update can not change MaxConsumers",
            ));
        }
        if config.limits_subjects() && !before.limits_subjects() {
            return Err(Error::stream_update(
                "stream configuration update can not introduce max messages per subject",
            ));
        }
        let _stream_admin = stream.admin.lock().await;
        *stream.config.borrow_mut() = Rc::new(config);
        stream.ask_sweep();
        stream.next_expiry.set(0);
        let mut batch = Batch::new();
        let written = match stream.write_config(&mut batch) {
            Ok(()) => self.inner.store.commit(batch).await.map_err(Error::from),
            Err(cause) => Err(cause),
        };
        if let Err(cause) = written {
            *stream.config.borrow_mut() = before;
            return Err(cause);
        }
        drop(_stream_admin);
        stream.untidy.wake();
        stream.info().await
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
        stream.write_config(&mut batch)?;
        self.inner.streams.borrow_mut().remove(name);
        if let Err(cause) = self.inner.store.commit(batch).await {
            stream.deleted.set(false);
            self.inner.streams.borrow_mut().insert(name.to_owned(), stream.clone());
            return Err(cause.into());
        }
        for consumer in stream.consumers.borrow().values() {
            consumer.deleted.set(true);
            consumer.wake.wake();
        }
        stream.untidy.wake();
        drop(_stream_admin);
        stream.wipe().await
    }

    /// What is known of a stream.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn stream_info(&self, name: &str) -> Result<StreamInfo> {
        self.stream(name)?.info().await
    }

    /// Removes all messages of a stream; returns how many.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn purge_stream(&self, name: &str) -> Result<u64> {
        self.stream(name)?.purge().await
    }

    /// A message by its sequence number.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message.
    pub async fn message(&self, stream: &str, sequence: u64) -> Result<StoredMessage> {
        let stream = self.stream(stream)?;
        let visible = stream.counts.borrow().visible();
        let rows = stream.rows(sequence, sequence, Direction::Forward, 1).await?;
        let row = rows.first().filter(|_| {
            sequence <= visible && !stream.counts.borrow().removing.contains(&sequence)
        });
        let message = row.and_then(|(_, row)| MessageRow::decode(row));
        Ok(StoredMessage::new(sequence, &message.ok_or(Error::NO_MESSAGE_FOUND)?))
    }

    /// Removes a message by its sequence number.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message.
    pub async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.stream(stream)?.delete(sequence).await
    }

    /// Makes a durable consumer, or changes the one of that name.
    ///
    /// # Errors
    /// 10059 when there is no such stream; the codes of what can't be configured so.
    pub async fn create_consumer(&self, stream: &str, config: ConsumerConfig) -> Result<Consumer> {
        self.stream(stream)?.create_consumer(config).await
    }

    /// A consumer by its name.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub fn consumer(&self, stream: &str, name: &str) -> Result<Consumer> {
        self.stream(stream)?.consumer(name).ok_or(Error::CONSUMER_NOT_FOUND)
    }

    /// Deletes a consumer.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.stream(stream)?.delete_consumer(name).await
    }

    /// Stores a message with the batch, in the stream that takes its subject. From here to the
    /// submission of the batch there should be no `.await`: consumers are delivered nothing that
    /// was published later before it.
    ///
    /// # Errors
    /// When no stream takes the subject (code 503), and the codes of what the stream refuses.
    pub fn publish(
        &self,
        batch: &mut Batch,
        subject: &str,
        headers: &Headers,
        payload: impl AsRef<[u8]>,
    ) -> Result<PubAck> {
        if !subject::is_literal(subject) {
            return Err(Error::BAD_REQUEST);
        }
        let streams = self.inner.streams.borrow();
        let stream = streams.values().find(|stream| stream.config.borrow().takes(subject));
        stream.ok_or(Error::NO_RESPONDERS)?.publish(batch, subject, headers, payload.as_ref())
    }

    /// Stores a message by itself; durable when this returns.
    ///
    /// # Errors
    /// Those of [`Queue::publish`], and when the store can't be written.
    pub async fn publish_now(
        &self,
        subject: &str,
        headers: &Headers,
        payload: impl AsRef<[u8]>,
    ) -> Result<PubAck> {
        let mut batch = Batch::new();
        let answer = self.publish(&mut batch, subject, headers, payload)?;
        self.inner.store.commit(batch).await?;
        Ok(answer)
    }

    /// What is known of all streams and consumers, by name.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn status(&self) -> Result<Vec<StreamInfo>> {
        let streams: Vec<_> = self.inner.streams.borrow().values().cloned().collect();
        let mut all = Vec::with_capacity(streams.len());
        for stream in streams {
            all.push(stream.info().await?);
        }
        Ok(all)
    }

    fn stream(&self, name: &str) -> Result<Rc<Stream>> {
        self.inner.streams.borrow().get(name).cloned().ok_or(Error::STREAM_NOT_FOUND)
    }

    fn check_overlap(&self, config: &StreamConfig) -> Result<()> {
        let overlaps = |(name, stream): (&String, &Rc<Stream>)| {
            *name != config.name && stream.config.borrow().overlaps(config)
        };
        match self.inner.streams.borrow().iter().any(overlaps) {
            true => Err(Error::SUBJECTS_OVERLAP),
            false => Ok(()),
        }
    }

    /// Lets a stream work; finishes the deletion of one that was being deleted.
    fn start(&self, stream: Rc<Stream>) {
        if stream.deleted.get() {
            platform::spawn(async move {
                if let Err(cause) = stream.wipe().await {
                    tracing::error!("a deleted stream can't be removed: {cause}");
                }
            });
            return;
        }
        platform::spawn(tidy::keep_tidy(Rc::downgrade(&stream)));
        let name = stream.config().name.clone();
        self.inner.streams.borrow_mut().insert(name, stream);
    }
}
