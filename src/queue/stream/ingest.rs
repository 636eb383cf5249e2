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
    store::Batch,
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

impl BytesInFlight {
    fn of(stream: &Rc<Stream>) -> Self {
        Self(0, stream.clone())
    }

    fn take(&mut self) -> Self {
        Self(std::mem::take(&mut self.0), self.1.clone())
    }
}

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
        loop {
            let mut batch = Batch::new();
            let (mut answers, mut bytes) = (Vec::new(), BytesInFlight::of(self));
            while bytes.0 < BATCH_BYTES {
                let Some(message) = self.inbox.borrow_mut().waiting.pop_front() else { break };
                let atomic = atomic_batch(&message);
                if atomic.is_some() || self.is_cold(&message.subject, &message.headers) {
                    // Earlier messages must not wait for this lookup.
                    let (batch, answers) =
                        (std::mem::take(&mut batch), std::mem::take(&mut answers));
                    self.send_batch(batch, answers, bytes.take());
                }
                bytes.0 += size(&message);
                let in_flight = match &atomic {
                    Some(id) => self.add_atomic(&message, id).await,
                    None => self.add_message(&mut batch, &mut answers, &message).await,
                };
                if let Err(cause) = in_flight {
                    self.refuse(&message, &cause);
                }
            }
            self.send_batch(batch, answers, bytes);
            let mut inbox = self.inbox.borrow_mut();
            if inbox.waiting.is_empty() {
                inbox.working = false;
                return;
            }
        }
    }

    async fn add_message(
        self: &Rc<Self>,
        batch: &mut Batch,
        answers: &mut Vec<Answer>,
        message: &CoreMessage,
    ) -> Result<()> {
        self.prepare(&message.subject, &message.headers).await?;
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

    async fn add_atomic(self: &Rc<Self>, message: &CoreMessage, id: &str) -> Result<()> {
        let reply = self.reply_of(message);
        match self.stage(message, id)? {
            Staging::Waits => {
                if let Some(reply) = reply {
                    self.broker.publish(&CoreMessage::new(&reply, Bytes::new()));
                }
            }
            Staging::Commit { id, messages } => {
                let (batch, ack) = self.commit_atomic(id, &messages).await?;
                let answer = reply.map(|reply| Answer::Ack(reply, ack));
                self.send_batch(batch, answer.into_iter().collect(), BytesInFlight::of(self));
            }
        }
        Ok(())
    }

    /// Submits a batch. It is answered when it is durable, or before with `persist_mode` `async`.
    fn send_batch(
        self: &Rc<Self>,
        mut batch: Batch,
        answers: Vec<Answer>,
        in_flight: BytesInFlight,
    ) {
        if batch.is_empty() && answers.is_empty() {
            return;
        }
        // The original of a duplicate may not be durable yet: a batch without writes waits for it.
        if self.config.borrow().persist_mode == PersistMode::Async {
            batch.wait_for_others();
            drop(self.store.submit(batch));
            return self.send_answers(answers);
        }
        let answers = Rc::new(RefCell::new(answers));
        let (stream, waiting) = (self.clone(), answers.clone());
        batch.on_durable(move || stream.send_answers(waiting.take()));
        let (stream, commit) = (self.clone(), self.store.submit(batch));
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

/// The id of the atomic batch that a message is part of.
fn atomic_batch(message: &CoreMessage) -> Option<String> {
    if message.headers.is_empty() {
        return None;
    }
    Block(&message.headers).get(names::BATCH_ID).map(str::to_owned)
}
