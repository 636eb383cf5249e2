//! Streams and durable consumers with JetStream's behaviour, in the homeserver's own store.
//!
//! A publish joins the batch of what it tells of, and an acknowledgement the batch of what was
//! derived from the message: either all of it happens or nothing does. Sequence numbers are given
//! at once; consumers see a message when its batch is durable. docs/queue.md says what is promised.

mod advisory;
mod api;
mod broker;
mod clock;
mod codec;
mod config;
mod configurations;
mod consumer;
mod error;
mod headers;
mod json;
mod notify;
pub mod protocol;
mod reserved;
mod server;
mod stream;
pub mod subject;
mod summary;
pub mod time;
mod transform;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use self::configurations::{Offline, Stored};
use self::notify::Notify;
use self::stream::{Incoming, Parts, Stream, StreamRow};
pub use self::{
    broker::{Broker, ClientId, CoreMessage, Subscription},
    clock::{Clock, ManualClock, SystemClock},
    config::{
        AckPolicy, Compression, ConsumerConfig, ConsumerLimits, DeliverPolicy, Discard,
        ExternalStream, PersistMode, Placement, PriorityPolicy, ReplayPolicy, Republish, Retention,
        SourceConsumer, Storage, StreamConfig, StreamSource, SubjectTransform,
    },
    consumer::{Consumer, ConsumerInfo, Message, Pause, PriorityGroupState, SequenceInfo, work},
    error::{Error, Result},
    headers::Headers,
    stream::{
        DirectReply, DirectRequest, LostState, MessageRequest, PubAck, Purge, StoredMessage,
        StreamInfo, StreamSourceInfo, StreamState,
    },
    summary::{ConsumerStatus, OfflineStatus, StreamStatus},
};
use crate::store::{Batch, Store};

/// A handle to the queue; clones share it.
#[derive(Clone)]
pub struct Queue {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    /// The store of the streams that are kept in memory.
    memory: Store,
    clock: Rc<dyn Clock>,
    broker: Broker,
    api: api::Api,
    streams: RefCell<BTreeMap<String, Rc<Stream>>>,
    next_stream: Cell<u64>,
    /// Streams whose configuration can't be read, and why, by name or else by id: nothing of them is
    /// touched.
    offline: RefCell<BTreeMap<String, String>>,
    /// Rings when streams come or go, or are configured anew.
    changed: Notify,
    /// Held while streams are made, changed or deleted.
    admin: Mutex<()>,
}

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
        let queue = Self {
            inner: Rc::new(Inner {
                store: store.clone(),
                memory: Store::memory(),
                clock: clock.clone(),
                broker: Broker::new(),
                api: api::Api::default(),
                streams: RefCell::default(),
                next_stream: Cell::new(next),
                offline: RefCell::default(),
                changed: Notify::default(),
                admin: Mutex::new(()),
            }),
        };
        for row in rows {
            let row = match row {
                Stored::Read(row) => row,
                Stored::Offline(offline) => {
                    queue.set_offline(offline);
                    continue;
                }
            };
            let Inner { store, clock, broker, .. } = &*queue.inner;
            let parts = Parts {
                store: store.clone(),
                durable: store.clone(),
                clock: clock.clone(),
                broker: broker.clone(),
            };
            let (id, name) = (row.id, row.config.name.clone());
            match Stream::open(parts, row).await {
                Ok(stream) => queue.start(Rc::new(stream)),
                Err(cause) if cause.err_code == Error::OFFLINE => {
                    let cause = cause.description.into_owned();
                    queue.set_offline(Offline { id, name: Some(name), cause });
                }
                Err(cause) => return Err(cause),
            }
        }
        api::serve(&queue);
        Ok(queue)
    }

    /// Core NATS: where clients and the queue's parts publish and subscribe.
    pub fn broker(&self) -> &Broker {
        &self.inner.broker
    }

    /// Stores a message with the batch, in the stream that takes its subject. From here to the
    /// submission of the batch there should be no `.await`: consumers are delivered nothing that
    /// was published later before it.
    ///
    /// # Errors
    /// When no stream takes the subject (code 503), and the codes of what the stream refuses; 10163
    /// when it needs what [`Queue::prepare`] looks up.
    pub fn publish(
        &self,
        batch: &mut Batch,
        subject: &str,
        headers: &Headers,
        payload: impl AsRef<[u8]>,
    ) -> Result<PubAck> {
        let stream = self.stream_of(subject)?;
        if !headers.is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        let (block, payload) = (headers.encode(), payload.as_ref());
        let mut answer = Err(Error::BAD_REQUEST);
        stream.join(batch, |batch| {
            answer = stream.publish(batch, Incoming::new(subject, &block, payload));
        });
        answer
    }

    /// Looks up what [`Queue::publish`] has to know when the stream limits or counts messages by
    /// subject, or the headers expect something of one. Publish at once afterwards.
    ///
    /// # Errors
    /// When no stream takes the subject (code 503), and when the store can't be read.
    pub async fn prepare(&self, subject: &str, headers: &Headers) -> Result<()> {
        self.stream_of(subject)?.prepare(subject, &headers.encode()).await
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
        let stream = self.stream_of(subject)?;
        if !headers.is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        let block = headers.encode();
        stream.prepare(subject, &block).await?;
        let mut batch = Batch::new();
        let incoming = Incoming::new(subject, &block, payload.as_ref());
        let answer = stream.publish(&mut batch, incoming)?;
        stream.store.commit(batch).await?;
        Ok(answer)
    }

    /// The stream that takes messages of this subject.
    fn stream_of(&self, subject: &str) -> Result<Rc<Stream>> {
        if !subject::is_literal(subject) {
            return Err(Error::BAD_REQUEST);
        }
        let streams = self.inner.streams.borrow();
        let mut takes = streams.values().filter(|stream| stream.config.borrow().takes(subject));
        let first = takes.next().ok_or(Error::NO_RESPONDERS)?;
        // What clients of older versions made may take it too.
        let reserved = std::iter::once(first).chain(takes).find(|stream| stream.is_reserved());
        Ok(reserved.unwrap_or(first).clone())
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
        let stream = self.inner.streams.borrow().get(name).cloned();
        stream.ok_or_else(|| match self.inner.offline.borrow().get(name) {
            Some(cause) => Error::stream_offline(cause),
            None => Error::STREAM_NOT_FOUND,
        })
    }
}
