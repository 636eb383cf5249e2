//! Mirrors and sources: streams that store what other streams of the queue store. ADR-59, ADR-60
//!
//! How far a source was copied is written with its messages, so that each is copied once. A stream
//! that lets go of acknowledged messages is copied through a consumer of it, whose
//! acknowledgements join the same batches.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::{Rc, Weak},
    time::Duration,
};

use futures::future::{Either, select};
use serde::Serialize;

use super::{
    Stream,
    get::StoredMessage,
    publish::{Incoming, Origin},
    row,
};
use crate::{
    platform,
    queue::{
        Inner, Queue,
        config::{
            AckPolicy, ConsumerConfig, DeliverPolicy, ExternalStream, Retention, StreamSource,
            SubjectTransform,
        },
        consumer::{Action, Consumer, Message},
        error::{Error, Result},
        headers::{Block, names},
        subject,
        transform::Transform,
    },
    store::{Batch, Direction, Table},
};

/// How many messages are copied in one batch.
const CHUNK: usize = 256;
/// How long after a failure it is tried again, in milliseconds.
const RETRY: u64 = 1_000;
/// How long it is waited for something to ring, in milliseconds.
const REST: u64 = 60_000;

/// A stream that is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamSourceInfo {
    /// Its name.
    pub name: String,
    /// On another server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalStream>,
    /// How many messages it has that were not looked at yet.
    pub lag: u64,
    /// For how long nothing came of it, in nanoseconds; -1 when nothing ever did.
    pub active: i64,
    /// Why nothing comes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// The subjects that are copied.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// The subjects that are copied, and what they become.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_transforms: Vec<SubjectTransform>,
}

/// The copying of one source.
pub(super) struct Copying {
    source: StreamSource,
    is_mirror: bool,
    transforms: Vec<Transform>,
    /// Up to where the source was looked at.
    position: Cell<u64>,
    lag: Cell<u64>,
    /// When something came last, in milliseconds since the Unix epoch; 0 is never.
    active: Cell<u64>,
    error: RefCell<Option<Error>>,
    stopped: Cell<bool>,
}

/// A message to be copied.
struct Original<'a> {
    sequence: u64,
    subject: &'a str,
    headers: &'a [u8],
    payload: &'a [u8],
    time: u64,
}

impl Queue {
    /// Has a stream copy what its configuration says, and nothing else.
    pub(super) fn copy_sources(&self, stream: &Rc<Stream>) {
        let config = stream.config();
        let wanted: Vec<_> = config
            .mirror
            .iter()
            .map(|mirror| (mirror, true))
            .chain(config.sources.iter().map(|source| (source, false)))
            .collect();
        let mut copying = stream.copying.borrow_mut();
        copying.retain(|copying| {
            let stays = wanted.contains(&(&copying.source, copying.is_mirror));
            copying.stopped.set(!stays);
            stays
        });
        for (source, is_mirror) in wanted {
            if copying.iter().any(|copying| copying.source == *source) {
                continue;
            }
            let new = Rc::new(Copying::new(source.clone(), is_mirror));
            copying.push(new.clone());
            platform::spawn(copy(new, Rc::downgrade(stream), Rc::downgrade(&self.inner)));
        }
    }
}

impl Copying {
    fn new(source: StreamSource, is_mirror: bool) -> Self {
        let transforms = match source.subject_transforms.is_empty() {
            true => {
                vec![SubjectTransform { src: source.filter_subject.clone(), dest: String::new() }]
            }
            false => source.subject_transforms.clone(),
        };
        // What was checked can be made.
        let made = transforms.iter().filter_map(|t| Transform::new(&t.src, &t.dest).ok());
        Self {
            transforms: made.collect(),
            source,
            is_mirror,
            position: Cell::new(0),
            lag: Cell::new(0),
            active: Cell::new(0),
            error: RefCell::default(),
            stopped: Cell::new(false),
        }
    }

    pub(super) fn info(&self, now: u64) -> StreamSourceInfo {
        let idle = now.saturating_sub(self.active.get()).saturating_mul(1_000_000);
        StreamSourceInfo {
            name: self.source.name.clone(),
            external: None,
            lag: self.lag.get(),
            active: if self.active.get() == 0 { -1 } else { idle as i64 },
            error: self.error.borrow().clone(),
            filter_subject: self.source.filter_subject.clone(),
            subject_transforms: self.source.subject_transforms.clone(),
        }
    }

    pub(super) fn is_mirror(&self) -> bool {
        self.is_mirror
    }

    /// What a subject becomes; `None` when it is not copied.
    fn transform(&self, literal: &str) -> Option<String> {
        let made = self.transforms.iter().find_map(|transform| transform.apply(literal))?;
        Some(if subject::is_literal(&made) { made } else { literal.to_owned() })
    }

    /// `Nats-Stream-Source` of a copied message.
    fn source_header(&self, sequence: u64, literal: &str) -> String {
        let index = self.source.index_name();
        let (stream, rest) = index.split_once(' ').unwrap_or((&index, ""));
        format!("{stream} {sequence} {rest} {literal}")
    }

    /// The headers of a copied message.
    fn headers(&self, original: &Original<'_>) -> Vec<u8> {
        if self.is_mirror {
            return original.headers.to_vec();
        }
        let plain = Block(original.headers).without(|name| {
            name == names::STREAM_SOURCE
                || name.starts_with("Nats-Expected-")
                || name.starts_with("Nats-Batch-")
        });
        let source = self.source_header(original.sequence, original.subject);
        Block(&plain).with(names::STREAM_SOURCE, &source)
    }

    /// The consumer that an origin is copied through which lets go of acknowledged messages.
    fn consumer(&self, target: &Stream) -> ConsumerConfig {
        let kind = if self.is_mirror { "MIRROR" } else { "SRC" };
        let index = self.source.index_name();
        let suffix = crc32fast::hash(format!("{} {index}", target.name).as_bytes());
        let filters = self.transforms.iter().map(|transform| transform.source().to_owned());
        let filters: Vec<_> = filters.filter(|filter| filter != ">").collect();
        let kind_of = if self.is_mirror { "_nats.mirror.stream" } else { "_nats.src.stream" };
        ConsumerConfig {
            durable_name: format!("JS_{kind}_{suffix:08x}"),
            filter_subjects: filters,
            deliver_policy: match self.source.opt_start_seq {
                0 => DeliverPolicy::All,
                _ => DeliverPolicy::ByStartSequence,
            },
            opt_start_seq: (self.source.opt_start_seq > 0).then_some(self.source.opt_start_seq),
            ack_policy: AckPolicy::Explicit,
            metadata: [(kind_of.to_owned(), target.name.to_string())].into(),
            ..ConsumerConfig::default()
        }
    }
}

/// Copies until the source, the stream or the queue is gone.
async fn copy(copying: Rc<Copying>, target: Weak<Stream>, queue: Weak<Inner>) {
    let mut opened = false;
    loop {
        let (Some(stream), Some(inner)) = (target.upgrade(), queue.upgrade()) else { return };
        if copying.stopped.get() || stream.deleted.get() {
            return;
        }
        let changed = inner.changed.listen();
        let clock = inner.clock.clone();
        let queue = Queue { inner };
        let origin = queue.stream(&copying.source.name);
        let mut retry = u64::MAX;
        let mut more = None;
        let settled = origin.as_ref().ok().map(|origin| origin.settled.listen());
        let outcome = match &origin {
            Ok(origin) => copy_some(&copying, &stream, origin, &mut opened).await,
            Err(cause) => Err(cause.clone()),
        };
        match outcome {
            Ok(Some(bell)) => {
                more = Some(bell);
                retry = clock.now().saturating_add(REST);
            }
            Ok(None) => continue,
            Err(cause) => {
                *copying.error.borrow_mut() = Some(cause);
                if origin.is_ok() {
                    more = settled;
                    retry = clock.now().saturating_add(RETRY);
                }
            }
        }
        // Only bells and the clock are held while there is nothing to do.
        drop((stream, queue, origin));
        let more = async {
            match more {
                Some(bell) => _ = bell.await,
                None => futures::future::pending().await,
            }
        };
        match select(pin!(select(changed, pin!(more))), clock.sleep_until(retry)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

type Bell = futures::channel::oneshot::Receiver<()>;

/// Copies what there is; returns what rings when there may be more, if there is none now.
async fn copy_some(
    copying: &Rc<Copying>,
    target: &Rc<Stream>,
    origin: &Rc<Stream>,
    opened: &mut bool,
) -> Result<Option<Bell>> {
    if !std::mem::replace(opened, true) {
        let begun = target.open_position(copying, origin).await;
        *opened = begun.is_ok();
        begun?;
    }
    let through = copying.source.consumer.as_ref().map(|consumer| consumer.name.clone());
    let lets_go = origin.config().retention != Retention::Limits;
    if let Some(name) = through {
        let consumer = origin.consumer(&name).ok_or(Error::CONSUMER_NOT_FOUND)?;
        if consumer.info().config.ack_policy != AckPolicy::FlowControl {
            return Err(match copying.is_mirror {
                true => Error::MIRROR_CONSUMER_ACK_POLICY,
                false => Error::SOURCE_CONSUMER_ACK_POLICY,
            });
        }
        return target.copy_through(copying, &consumer).await;
    }
    if lets_go {
        let consumer = origin.create_consumer(copying.consumer(target), Action::Any).await?.0;
        return target.copy_through(copying, &consumer).await;
    }
    let bell = origin.settled.listen();
    origin.tidied().await?;
    match target.copy_rows(copying, origin).await? {
        true => Ok(None),
        false => Ok(Some(bell)),
    }
}

impl Stream {
    /// Finds out where the copying of a source goes on.
    async fn open_position(&self, copying: &Copying, origin: &Rc<Stream>) -> Result<()> {
        let key = row::subject_key(self.id, &copying.source.index_name());
        let stored = self.store.get(Table::QueueSources, key).await?;
        let start = match (stored, copying.source.opt_start_seq, copying.source.opt_start_time) {
            (Some(stored), ..) => row::decode_size(&stored),
            (None, 0, Some(time)) => origin.first_at(time.millis_up()).await?.saturating_sub(1),
            (None, start, _) => start.saturating_sub(1),
        };
        copying.position.set(start);
        Ok(())
    }

    /// Copies the next messages of a stream; tells whether there may be more.
    async fn copy_rows(self: &Rc<Self>, copying: &Copying, origin: &Rc<Stream>) -> Result<bool> {
        let from = copying.position.get() + 1;
        let visible = origin.counts.borrow().visible();
        let rows = origin.rows(from, visible, Direction::Forward, CHUNK).await?;
        let complete = rows.len() < CHUNK;
        let mut messages = Vec::with_capacity(rows.len());
        for (sequence, row) in &rows {
            if origin.counts.borrow().removing.contains(sequence) {
                continue;
            }
            match StoredMessage::read(*sequence, row) {
                Some(message) => messages.push(message),
                None => origin.note_lost(*sequence),
            }
        }
        let end = match rows.last() {
            Some((last, _)) if !complete => *last,
            _ => visible.max(copying.position.get()),
        };
        let originals: Vec<_> = messages
            .iter()
            .map(|message| Original {
                sequence: message.sequence,
                subject: &message.subject,
                headers: &message.header_block,
                payload: &message.payload,
                time: message.time,
            })
            .collect();
        if end > copying.position.get() {
            self.copy_all(copying, &originals, end, |_| {}).await?;
        }
        let visible = origin.counts.borrow().visible();
        copying.lag.set(visible.saturating_sub(copying.position.get()));
        Ok(copying.position.get() < visible)
    }

    /// Copies what a consumer delivers next.
    async fn copy_through(
        self: &Rc<Self>,
        copying: &Copying,
        consumer: &Consumer,
    ) -> Result<Option<Bell>> {
        let bell = consumer.inner.wake.listen();
        let messages = consumer.fetch(CHUNK, Duration::ZERO).await?;
        if messages.is_empty() {
            copying.lag.set(consumer.info().num_pending);
            return Ok(Some(bell));
        }
        if copying.stopped.get() || self.deleted.get() {
            messages.iter().for_each(|message| message.nak(None));
            return Ok(None);
        }
        let blocks: Vec<_> = messages.iter().map(|message| message.headers.encode()).collect();
        let originals: Vec<_> = messages
            .iter()
            .zip(&blocks)
            .map(|(message, headers)| Original {
                sequence: message.stream_sequence,
                subject: &message.subject,
                headers,
                payload: &message.payload,
                time: message.time,
            })
            .collect();
        let end = messages.iter().map(|message| message.stream_sequence).max();
        let end = end.unwrap_or(0).max(copying.position.get());
        let acknowledge = |batch: &mut Batch| Message::ack_all(&messages, batch);
        let copied = self.copy_all(copying, &originals, end, acknowledge).await;
        if copied.is_err() {
            messages.iter().for_each(|message| message.nak(None));
        }
        copied?;
        copying.lag.set(consumer.info().num_pending);
        Ok(None)
    }

    /// Copies messages, in one batch with how far that is.
    async fn copy_all(
        self: &Rc<Self>,
        copying: &Copying,
        originals: &[Original<'_>],
        end: u64,
        with: impl FnOnce(&mut Batch),
    ) -> Result<()> {
        let mut copies = Vec::new();
        for original in originals {
            let is_there = copying.is_mirror && original.sequence <= self.counts.borrow().last;
            if let Some(subject) = copying.transform(original.subject).filter(|_| !is_there) {
                let headers = copying.headers(original);
                copies.push((original, subject, headers));
            }
        }
        let batch = loop {
            for (_, subject, headers) in &copies {
                self.prepare(subject, headers).await?;
            }
            let mut batch = Batch::new();
            let mut outcome = Ok(());
            self.join(&mut batch, |batch| {
                outcome = self.put_copies(batch, copying, &copies, end);
            });
            match outcome {
                // What was looked up first may have been forgotten over what was looked up last.
                Err(cause) if cause == Error::EXPECTATION_NOT_READY && copies.len() > 1 => {}
                Err(cause) => return Err(cause),
                Ok(()) => break batch,
            }
        };
        let mut batch = batch;
        with(&mut batch);
        self.durable.commit(batch).await?;
        copying.position.set(end);
        copying.active.set(self.clock.now());
        copying.error.take();
        Ok(())
    }

    fn put_copies(
        self: &Rc<Self>,
        batch: &mut Batch,
        copying: &Copying,
        copies: &[(&Original<'_>, String, Vec<u8>)],
        end: u64,
    ) -> Result<()> {
        for (original, subject, headers) in copies {
            let origin = match copying.is_mirror {
                true => Origin::Mirror { sequence: original.sequence, time: original.time },
                false => Origin::Source,
            };
            let message = Incoming::new(subject, headers, original.payload).from(origin);
            self.publish(batch, message)?;
        }
        let key = row::subject_key(self.id, &copying.source.index_name());
        batch.put(Table::QueueSources, key, row::encode_size(end));
        Ok(())
    }
}
