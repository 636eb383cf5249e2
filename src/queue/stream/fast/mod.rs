//! Fast batches: messages that are acknowledged several at a time. ADR-50

mod batch;
pub(super) mod batches;
pub(super) mod place;

use std::rc::Rc;

use serde::Serialize;

use self::{
    batch::{FastBatch, Pace, Step, Then},
    place::{Operation, Place},
};
use super::{
    atomic::staged::{MAX_ID_LENGTH, PATIENCE},
    base::Stream,
    incoming::Incoming,
    pub_ack::PubAck,
};
use crate::{
    queue::{
        broker::CoreMessage,
        error::{Error, Result},
    },
    store::Submission,
};

/// JetStream's own limit.
const MOST_BATCHES: usize = 1000;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Flow<'a> {
    Ack { seq: u64, msgs: u64 },
    Gap { last_seq: u64, seq: u64 },
    Err { seq: u64, error: &'a Error },
}

impl Stream {
    /// Adds a message to a fast batch; returns its sequence number if it joins the store's batch.
    pub(super) fn add_fast(
        self: &Rc<Self>,
        store_batch: &mut Submission,
        message: &CoreMessage,
        place: Place<'_>,
    ) -> Result<Option<u64>> {
        let config = self.config();
        let reply = message.reply.as_deref().unwrap_or_default();
        if config.sealed {
            return Err(Error::STREAM_SEALED);
        }
        if !config.allow_batched {
            return Err(Error::BATCH_DISABLED);
        }
        if place.id.len() > MAX_ID_LENGTH {
            return Err(Error::BATCH_INVALID_ID);
        }
        self.begin_fast(place)?;
        let Some(Step { gap, then }) = self.with_fast(place.id, |batch| batch.step(place, reply))
        else {
            return Ok(None);
        };
        if let Some((last_seq, seq)) = gap {
            self.send_flow(reply, &Flow::Gap { last_seq, seq });
        }
        match then {
            Then::Store => {}
            Then::Acknowledge => {
                if !self.check_flow(place.id, reply) {
                    self.repeat_flow(place.id, reply);
                }
                return Ok(None);
            }
            Then::Skip => return Ok(None),
            Then::End => {
                self.end_fast(place.id, reply);
                return Ok(None);
            }
        }
        let commits = place.operation == Operation::Commit;
        if place.sequence == 1 && !commits {
            self.repeat_flow(place.id, reply);
        }
        let incoming = Incoming::new(&message.subject, &message.headers, &message.payload);
        match self.publish(store_batch, incoming) {
            Ok(ack) if ack.duplicate => self.skip_fast(reply, place, commits, ack),
            Ok(ack) => {
                self.with_fast(place.id, |batch| batch.pending += 1);
                return Ok(Some(ack.sequence));
            }
            Err(cause) => self.refuse_fast(reply, place, commits, &cause),
        }
        Ok(None)
    }

    /// A message of a fast batch is a duplicate.
    fn skip_fast(&self, reply: &str, place: Place<'_>, commits: bool, ack: PubAck) {
        let is_alone = self.with_fast(place.id, |batch| batch.skip(place)).unwrap_or_default();
        self.check_flow(place.id, reply);
        if commits && is_alone {
            self.fast.borrow_mut().batches.remove(place.id);
            let batch = Some((place.id.into(), place.sequence));
            self.answer(reply, &PubAck { batch, ..ack });
        } else if commits {
            self.end_fast(place.id, reply);
        }
    }

    /// A message of a fast batch is refused.
    fn refuse_fast(&self, reply: &str, place: Place<'_>, commits: bool, cause: &Error) {
        let goes_on = place.gap_ok && !commits;
        let is_alone = self.with_fast(place.id, |batch| batch.refuse(place, goes_on));
        if is_alone.unwrap_or_default() {
            self.fast.borrow_mut().batches.remove(place.id);
            return self.send_refusal(reply, cause);
        }
        self.send_flow(reply, &Flow::Err { seq: place.sequence, error: cause });
        if !goes_on {
            self.end_fast(place.id, reply);
        }
    }

    /// A message of a fast batch is durable under this sequence number.
    pub(super) fn fast_durable(&self, id: &str, place: u64, sequence: u64, reply: &str) {
        self.with_fast(id, |batch| batch.note_durable(place, sequence));
        if !self.acknowledge_fast(id) {
            self.check_flow(id, reply);
        }
    }

    /// A message of a fast batch could not be stored, which ends the batch.
    pub(super) fn fast_failed(&self, id: &str, reply: &str, cause: &Error) {
        let failed = self.fast.borrow_mut().batches.remove(id);
        if let Some(batch) = failed {
            self.send_refusal(&batch.last_reply(reply), cause);
        }
    }

    fn begin_fast(&self, place: Place<'_>) -> Result<()> {
        let now = self.clock.now();
        let mut fast = self.fast.borrow_mut();
        fast.batches.retain(|_, batch| batch.deadline > now || batch.pending > 0);
        if let Some(batch) = fast.batches.get_mut(place.id) {
            batch.deadline = now + PATIENCE;
            return Ok(());
        }
        if place.sequence != 1 || place.operation == Operation::Ping {
            return Err(Error::BATCH_UNKNOWN_ID);
        }
        if fast.batches.len() >= MOST_BATCHES {
            return Err(Error::BATCH_TOO_MANY);
        }
        let batch = FastBatch::new(place, fast.batches.len(), now + PATIENCE);
        fast.batches.insert(place.id.into(), batch);
        Ok(())
    }

    /// Ends a batch: it is acknowledged when all its messages are durable.
    fn end_fast(&self, id: &str, reply: &str) {
        self.with_fast(id, |batch| batch.end(reply));
        self.acknowledge_fast(id);
    }

    /// Acknowledges a batch if it has ended; returns whether it had.
    fn acknowledge_fast(&self, id: &str) -> bool {
        let Some((reply, sequence, count)) = self.with_fast(id, |batch| batch.outcome()).flatten()
        else {
            return false;
        };
        self.fast.borrow_mut().batches.remove(id);
        let batch = Some((id.into(), count));
        self.answer(&reply, &PubAck { batch, ..self.ack(sequence, false) });
        true
    }

    /// Sends the acknowledgement that is due; returns whether one was.
    fn check_flow(&self, id: &str, reply: &str) -> bool {
        let batches = self.fast.borrow().batches.len();
        let due = self.with_fast(id, |batch| batch.acknowledge(batches)).flatten();
        self.send_pace(reply, due)
    }

    fn repeat_flow(&self, id: &str, reply: &str) {
        self.send_pace(reply, self.with_fast(id, |batch| batch.pace()));
    }

    fn with_fast<T>(&self, id: &str, then: impl FnOnce(&mut FastBatch) -> T) -> Option<T> {
        self.fast.borrow_mut().batches.get_mut(id).map(then)
    }

    fn send_pace(&self, reply: &str, pace: Option<Pace>) -> bool {
        if let Some(Pace { acknowledged, flow }) = pace {
            self.send_flow(reply, &Flow::Ack { seq: acknowledged, msgs: flow });
        }
        pace.is_some()
    }

    fn send_flow(&self, reply: &str, flow: &Flow<'_>) {
        // Strings and numbers have a JSON form.
        let flow = serde_json::to_vec(flow).unwrap_or_default();
        self.broker.publish(&CoreMessage::new(reply, flow));
    }
}
