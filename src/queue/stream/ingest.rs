//! Storing what clients publish to a stream's subjects, and answering.

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;

use super::{
    atomic::staged::Staging, base::Stream, fast::place::Place, incoming::Incoming, pub_ack::PubAck,
};
use crate::{
    platform,
    queue::{
        broker::CoreMessage,
        config::PersistMode,
        error::{Error, Result},
        headers::{Block, names},
    },
    store::{Batch, Commit, Submission},
};

/// A batch takes no further messages beyond so many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// How much may be waiting to become durable: JetStream's own limits.
const MOST_MESSAGES: usize = 100_000;
const MOST_BYTES: usize = 128 << 20;

/// The answer when a message is durable.
enum Answer {
    Ack(Rc<str>, PubAck),
    /// Of a fast batch: its id, the place there, and the sequence number.
    Fast {
        id: Rc<str>,
        place: u64,
        sequence: u64,
        reply: Rc<str>,
    },
}

/// Bytes in flight, until this is dropped.
struct BytesInFlight(usize, Rc<Stream>);

impl Drop for BytesInFlight {
    fn drop(&mut self) {
        let mut inbox = self.1.inbox.borrow_mut();
        inbox.bytes = inbox.bytes.saturating_sub(self.0);
    }
}

fn size(message: &CoreMessage) -> usize {
    message.subject.len() + message.headers.len() + message.payload.len()
}

impl Stream {
    pub(in crate::queue) fn receive(self: &Rc<Self>, message: &CoreMessage) {
        let mut inbox = self.inbox.borrow_mut();
        let under_way = inbox.waiting.len() + self.counts.borrow().in_flight.len();
        if under_way >= MOST_MESSAGES || inbox.bytes >= MOST_BYTES {
            drop(inbox);
            return self.refuse(message, &Error::TOO_MANY_REQUESTS);
        }
        inbox.bytes += size(message);
        inbox.waiting.push_back(message.clone());
        if !std::mem::replace(&mut inbox.working, true) {
            let stream = self.clone();
            platform::spawn(async move { stream.ingest().await });
        }
    }

    async fn ingest(self: &Rc<Self>) {
        while let Some(message) = self.store_waiting() {
            // Earlier messages do not wait for this lookup.
            let in_flight = BytesInFlight(size(&message), self.clone());
            let outcome = match atomic_batch(&message) {
                Some(id) => self.add_atomic(&message, &id, in_flight).await,
                None => self.prepare_first(&message, in_flight).await,
            };
            if let Err(cause) = outcome {
                self.refuse(&message, &cause);
            }
        }
    }

    /// Stores what waits, up to a message that something has to be looked up for, or that may end an
    /// atomic batch. With nothing left the task ends.
    fn store_waiting(self: &Rc<Self>) -> Option<CoreMessage> {
        loop {
            let mut inbox = self.inbox.borrow_mut();
            let Some(next) = inbox.waiting.front() else {
                inbox.working = false;
                return None;
            };
            if self.has_to_wait(next) {
                return inbox.waiting.pop_front();
            }
            drop(inbox);
            let mut in_flight = BytesInFlight(0, self.clone());
            let add = |batch: &mut Submission, answers: &mut Vec<Answer>| {
                while in_flight.0 < BATCH_BYTES
                    && let Some(message) = self.next_at_once()
                {
                    in_flight.0 += size(&message);
                    if let Err(cause) = self.add_message(batch, answers, &message) {
                        self.refuse(&message, &cause);
                    }
                }
                Ok(())
            };
            match self.store_answered(add) {
                Ok(stored) => stored.settle(in_flight),
                // Nothing is taken any more.
                Err(cause) => {
                    while let Some(message) = self.next_at_once() {
                        in_flight.0 += size(&message);
                        self.refuse(&message, &cause);
                    }
                }
            }
        }
    }

    /// Whether a message can't be stored at once.
    fn has_to_wait(&self, message: &CoreMessage) -> bool {
        atomic_batch(message).is_some() || self.is_cold(&message.subject, &message.headers)
    }

    /// The next message, if it can be stored at once.
    fn next_at_once(&self) -> Option<CoreMessage> {
        let mut inbox = self.inbox.borrow_mut();
        inbox.waiting.pop_front_if(|message| !self.has_to_wait(message))
    }

    /// Looks up what a message needs, which is the next again then.
    async fn prepare_first(
        self: &Rc<Self>,
        message: &CoreMessage,
        in_flight: BytesInFlight,
    ) -> Result<()> {
        self.prepare(&message.subject, &message.headers).await?;
        drop(in_flight);
        let mut inbox = self.inbox.borrow_mut();
        inbox.bytes += size(message);
        inbox.waiting.push_front(message.clone());
        Ok(())
    }

    fn add_message(
        self: &Rc<Self>,
        batch: &mut Submission,
        answers: &mut Vec<Answer>,
        message: &CoreMessage,
    ) -> Result<()> {
        if let Some(reply) = &message.reply
            && let Some(place) = Place::read(reply)
        {
            let place = place?;
            if let Some(sequence) = self.add_fast(batch, message, place)? {
                let (id, reply) = (place.id.into(), reply.clone());
                answers.push(Answer::Fast { id, place: place.sequence, sequence, reply });
            }
            return Ok(());
        }
        let incoming = Incoming::new(&message.subject, &message.headers, &message.payload);
        let ack = self.publish(batch, incoming)?;
        if let Some(reply) = self.reply_of(message) {
            answers.push(Answer::Ack(reply, ack));
        }
        Ok(())
    }

    async fn add_atomic(
        self: &Rc<Self>,
        message: &CoreMessage,
        id: &str,
        in_flight: BytesInFlight,
    ) -> Result<()> {
        let reply = self.reply_of(message);
        let (id, messages) = match self.stage(message, id)? {
            Staging::Waits => {
                if let Some(reply) = reply {
                    self.broker.publish(&CoreMessage::new(&reply, Bytes::new()));
                }
                return Ok(());
            }
            Staging::Commit { id, messages } => (id, messages),
        };
        self.prepare_atomic(&messages).await?;
        let stored = self.store_answered(|batch, answers| {
            let ack = self.publish_atomic(batch, id, &messages)?;
            answers.extend(reply.map(|reply| Answer::Ack(reply, ack)));
            Ok(())
        });
        stored?.settle(in_flight);
        Ok(())
    }

    /// Submits a batch that `add` fills, and gives its answers when it is durable, or before with
    /// `persist_mode` `async`.
    fn store_answered(
        self: &Rc<Self>,
        add: impl FnOnce(&mut Submission, &mut Vec<Answer>) -> Result<()>,
    ) -> Result<Stored> {
        let is_async = self.config.borrow().persist_mode == PersistMode::Async;
        let answers = Rc::new(RefCell::new(Vec::new()));
        let fill = |batch: &mut Submission| {
            if is_async {
                batch.wait_for_others();
            } else {
                // The original of a duplicate may not be durable yet: a batch without writes waits
                // for it.
                let (stream, answers) = (self.clone(), answers.clone());
                batch.on_durable(move || stream.send_answers(answers.take()));
            }
            add(batch, &mut answers.borrow_mut())
        };
        let ((), commit) = self.store.submit_with(Batch::new(), fill)?;
        if is_async {
            self.send_answers(answers.take());
        }
        let commit = (!is_async).then_some(commit);
        Ok(Stored { stream: self.clone(), answers, commit })
    }

    fn send_answers(&self, answers: Vec<Answer>) {
        for answer in answers {
            match answer {
                Answer::Ack(reply, ack) => self.answer(&reply, &ack),
                Answer::Fast { id, place, sequence, reply } => {
                    self.fast_durable(&id, place, sequence, &reply);
                }
            }
        }
    }
}

/// What was submitted, with the answers that are due when it is durable, if they are.
struct Stored {
    stream: Rc<Stream>,
    answers: Rc<RefCell<Vec<Answer>>>,
    commit: Option<Commit>,
}

impl Stored {
    /// Refuses everything should it fail; until that is known `in_flight` counts.
    fn settle(self, in_flight: BytesInFlight) {
        let Self { stream, answers, commit } = self;
        let Some(commit) = commit else { return };
        platform::spawn(async move {
            let outcome = commit.await;
            drop(in_flight);
            if let Err(cause) = outcome {
                let cause = Error::from(cause);
                for answer in answers.take() {
                    match answer {
                        Answer::Ack(reply, _) => stream.send_refusal(&reply, &cause),
                        Answer::Fast { id, reply, .. } => stream.fast_failed(&id, &reply, &cause),
                    }
                }
            }
        });
    }
}

/// The id of the atomic batch that a message is part of.
fn atomic_batch(message: &CoreMessage) -> Option<String> {
    if message.headers.is_empty() {
        return None;
    }
    Block(&message.headers).get(names::BATCH_ID).map(str::to_owned)
}
