//! The task that sources one source: it stores in its stream what the origin holds.
//!
//! The position is written with the messages, so that each is stored once. A stream that removes
//! acknowledged messages is sourced through a consumer of it, whose acknowledgements join the same
//! batches.

use std::{
    pin::pin,
    rc::{Rc, Weak},
    time::Duration,
};

use futures::{
    channel::oneshot,
    future::{Either, pending, select},
};

use super::{
    check::check_origin,
    source::{Original, Source},
};
use crate::{
    queue::{
        config::AckPolicy,
        consumer::{Action, Consumer, Consumers, Message},
        error::{Error, Result},
        stream::{Admin, Incoming, Origin, Stream, row},
        streams::Streams,
    },
    store::{Batch, Direction, Submission, Table},
};

/// How many messages are sourced in one batch.
const CHUNK: usize = 256;
/// How long after a failure it is tried again, in milliseconds.
const RETRY: u64 = 1_000;
/// How long to wait without new messages, in milliseconds.
const REST: u64 = 60_000;

type Bell = oneshot::Receiver<()>;

/// Sources until the source, the stream or the queue is gone.
pub(super) async fn run(source: Rc<Source>, target: Weak<Stream>, streams: Weak<Streams>) {
    loop {
        let (Some(target), Some(streams)) = (target.upgrade(), streams.upgrade()) else { return };
        if source.stopped.get() || target.deleted.get() {
            return;
        }
        let changed = streams.listen();
        let clock = target.clock.clone();
        let origin = streams.consumers(&source.config.name);
        let task = Task { source: &source, target };
        let mut retry = u64::MAX;
        let mut more = None;
        let settled = origin.as_ref().ok().map(|origin| origin.stream.settled.listen());
        let outcome = match &origin {
            Ok(origin) => task.step(origin).await,
            Err(cause) => Err(cause.clone()),
        };
        match outcome {
            Ok(Some(bell)) => {
                source.error.take();
                more = Some(bell);
                retry = clock.now().saturating_add(REST);
            }
            Ok(None) => continue,
            Err(cause) => {
                *source.error.borrow_mut() = Some(cause);
                if origin.is_ok() {
                    more = settled;
                    retry = clock.now().saturating_add(RETRY);
                }
            }
        }
        // Only bells and the clock are held while there is nothing to do.
        drop((task, streams, origin));
        let more = async {
            match more {
                Some(bell) => _ = bell.await,
                None => pending().await,
            }
        };
        match select(pin!(select(changed, pin!(more))), clock.sleep_until(retry)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

struct Task<'a> {
    source: &'a Source,
    target: Rc<Stream>,
}

impl Task<'_> {
    /// Sources what there is; returns what rings when there may be more, if there is none now.
    async fn step(&self, origin: &Consumers) -> Result<Option<Bell>> {
        let Self { source, target } = self;
        if source.created.get() != origin.stream.created {
            self.open_position(&origin.stream).await?;
        }
        let named = source.config.consumer.as_ref().map(|consumer| &consumer.name);
        check_origin(&origin.stream, named.is_some())?;
        if let Some(name) = named {
            let consumer = origin.get(name).ok_or(Error::CONSUMER_NOT_FOUND)?;
            if consumer.info().config.ack_policy != AckPolicy::FlowControl {
                return Err(match source.is_mirror {
                    true => Error::MIRROR_CONSUMER_ACK_POLICY,
                    false => Error::SOURCE_CONSUMER_ACK_POLICY,
                });
            }
            return self.source_through(&consumer).await;
        }
        if origin.stream.config().removes_acked() {
            let config = source.consumer(&target.name);
            let consumer = origin.create(config, Action::Any).await?.0;
            return self.source_through(&consumer).await;
        }
        let bell = origin.stream.settled.listen();
        origin.stream.within_limits().await?;
        match self.source_rows(&origin.stream).await? {
            true => Ok(None),
            false => Ok(Some(bell)),
        }
    }

    /// Finds out where the source goes on.
    async fn open_position(&self, origin: &Rc<Stream>) -> Result<()> {
        let Self { source, target } = self;
        let key = row::subject_key(target.id, &source.config.index_name());
        let stored = target.store.get(Table::QueueSources, key).await?;
        let stored = stored.as_deref().and_then(row::decode_position);
        // A mirror has the numbers of its origin, and goes on after its last one.
        let is_of = |created| source.is_mirror || created == 0 || created == origin.created;
        let start = match stored.filter(|(_, created)| is_of(*created)) {
            // A stream that was restored may be shorter than it was.
            Some((position, _)) => position.min(origin.counts.borrow().last),
            None => match (source.config.opt_start_seq, source.config.opt_start_time) {
                (0, Some(time)) => origin.first_at(time.millis_up()).await?.saturating_sub(1),
                (start, _) => start.saturating_sub(1),
            },
        };
        if stored.is_some_and(|(_, created)| !is_of(created)) {
            let (name, origin) = (&target.name, &source.config.name);
            tracing::info!("stream {name} sources {origin} from its beginning: it was made anew");
        }
        source.position.set(start);
        source.created.set(origin.created);
        Ok(())
    }

    /// Sources the next messages of a stream; returns whether there may be more.
    async fn source_rows(&self, origin: &Rc<Stream>) -> Result<bool> {
        let source = self.source;
        let from = source.position.get() + 1;
        let visible = origin.counts.borrow().visible();
        let rows = origin.rows(from, visible, Direction::Forward, CHUNK).await?;
        let complete = rows.len() < CHUNK;
        let end = match rows.last() {
            Some(last) if !complete => last.sequence,
            _ => visible.max(source.position.get()),
        };
        let messages = rows.iter().filter_map(|row| row.message.as_ref());
        let originals: Vec<_> = messages
            .filter(|message| !origin.counts.borrow().removing.contains(&message.sequence))
            .map(|message| Original {
                sequence: message.sequence,
                subject: message.subject(),
                headers: &message.headers,
                payload: &message.payload,
                time: message.time,
            })
            .collect();
        if end > source.position.get() {
            self.store(&originals, end, &[]).await?;
        }
        let visible = origin.counts.borrow().visible();
        source.lag.set(visible.saturating_sub(source.position.get()));
        Ok(source.position.get() < visible)
    }

    /// Sources what a consumer delivers next.
    async fn source_through(&self, consumer: &Consumer) -> Result<Option<Bell>> {
        let Self { source, target } = self;
        let bell = consumer.inner.wake.listen();
        let messages = consumer.fetch(CHUNK, Duration::ZERO).await?;
        if messages.is_empty() {
            source.lag.set(consumer.info().num_pending);
            return Ok(Some(bell));
        }
        if source.stopped.get() || target.deleted.get() {
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
        let end = end.unwrap_or(0).max(source.position.get());
        let stored = self.store(&originals, end, &messages).await;
        if stored.is_err() {
            messages.iter().for_each(|message| message.nak(None));
        }
        stored?;
        source.lag.set(consumer.info().num_pending);
        Ok(None)
    }

    /// Stores messages of the source, in one batch with the position and the acknowledgement of
    /// `delivered`.
    async fn store(
        &self,
        originals: &[Original<'_>],
        end: u64,
        delivered: &[Message],
    ) -> Result<()> {
        let Self { source, target } = self;
        let mut copies = Vec::new();
        for original in originals {
            let is_there = source.is_mirror && original.sequence <= target.counts.borrow().last;
            if let Some(subject) = source.transform(original.subject).filter(|_| !is_there) {
                let headers = source.headers(original);
                copies.push((original, subject, headers));
            }
        }
        let parts = copies.iter().map(|(_, subject, headers)| (&**subject, &**headers));
        target.prepare_all(parts, Admin::Free).await?;
        let mut batch = Batch::new();
        Message::ack_all(delivered, &mut batch);
        let put =
            |batch: &mut Submission| batch.to(&target.store, |batch| self.put(batch, &copies, end));
        target.durable.commit_with(batch, put).await?;
        source.position.set(end);
        source.active.set(target.clock.now());
        source.error.take();
        Ok(())
    }

    fn put(
        &self,
        batch: &mut Submission,
        copies: &[(&Original<'_>, String, Vec<u8>)],
        end: u64,
    ) -> Result<()> {
        let Self { source, target } = self;
        for (original, subject, headers) in copies {
            let origin = match source.is_mirror {
                true => Origin::Mirror { sequence: original.sequence, time: original.time },
                false => Origin::Source,
            };
            let message = Incoming::new(subject, headers, original.payload).from(origin);
            target.publish(batch, message)?;
        }
        let key = row::subject_key(target.id, &source.config.index_name());
        batch.put(Table::QueueSources, key, row::encode_position(end, source.created.get()));
        Ok(())
    }
}
