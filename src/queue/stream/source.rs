//! Mirrors and sources: streams that store what other streams of the queue store. ADR-59, ADR-60
//!
//! How far a source was copied is written with its messages, so that each is copied once. A stream
//! that lets go of acknowledged messages is copied through a consumer of it, whose
//! acknowledgements join the same batches.

use std::{
    pin::pin,
    rc::{Rc, Weak},
    time::Duration,
};

use futures::future::{Either, select};

use super::{
    Stream,
    copying::{Copying, Original},
    get::StoredMessage,
    lookup::Admin,
    publish::{Incoming, Origin},
    row,
};
use crate::{
    platform,
    queue::{
        Inner, Queue,
        config::AckPolicy,
        consumer::{Action, Consumer, Message},
        error::{Error, Result},
    },
    store::{Batch, Direction, Table},
};

/// How many messages are copied in one batch.
const CHUNK: usize = 256;
/// How long after a failure it is tried again, in milliseconds.
const RETRY: u64 = 1_000;
/// How long it is waited for something to ring, in milliseconds.
const REST: u64 = 60_000;

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

/// Copies until the source, the stream or the queue is gone.
async fn copy(copying: Rc<Copying>, target: Weak<Stream>, queue: Weak<Inner>) {
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
            Ok(origin) => copy_some(&copying, &stream, origin).await,
            Err(cause) => Err(cause.clone()),
        };
        match outcome {
            Ok(Some(bell)) => {
                copying.error.take();
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
) -> Result<Option<Bell>> {
    if copying.made.get() != origin.created {
        target.open_position(copying, origin).await?;
    }
    let through = copying.source.consumer.as_ref().map(|consumer| consumer.name.clone());
    origin.check_copied(through.is_some())?;
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
    if origin.config().lets_go() {
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
        let stored = stored.as_deref().and_then(row::decode_position);
        // A mirror has the numbers of what it copied, and goes on after these.
        let is_of = |made| copying.is_mirror || made == 0 || made == origin.created;
        let start = match stored.filter(|(_, made)| is_of(*made)) {
            // One that was restored may be shorter than it was.
            Some((position, _)) => position.min(origin.counts.borrow().last),
            None => match (copying.source.opt_start_seq, copying.source.opt_start_time) {
                (0, Some(time)) => origin.first_at(time.millis_up()).await?.saturating_sub(1),
                (start, _) => start.saturating_sub(1),
            },
        };
        if stored.is_some_and(|(_, made)| !is_of(made)) {
            let (name, source) = (&self.name, &copying.source.name);
            tracing::info!("stream {name} copies {source} from its beginning: it was made anew");
        }
        copying.position.set(start);
        copying.made.set(origin.created);
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
        let parts = copies.iter().map(|(_, subject, headers)| (&**subject, &**headers));
        self.prepare_all(parts, Admin::Free).await?;
        let mut batch = Batch::new();
        let mut outcome = Ok(());
        self.join(&mut batch, |batch| outcome = self.put_copies(batch, copying, &copies, end));
        outcome?;
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
        batch.put(Table::QueueSources, key, row::encode_position(end, copying.made.get()));
        Ok(())
    }
}
