//! Fast batches: messages that are acknowledged several at a time, over a channel that tells the
//! client how many. ADR-50

use std::{collections::HashMap, rc::Rc};

use serde::Serialize;

use super::{
    PubAck, Stream,
    atomic::{MAX_ID_LENGTH, PATIENCE},
    ingest::ErrorBody,
    publish::Incoming,
};
use crate::{
    queue::{
        broker::CoreMessage,
        error::{Error, Result},
    },
    store::Batch,
};

/// What the reply subject of a message of a fast batch ends with.
const SUFFIX: &str = ".$FI";
/// JetStream's own limits.
const MOST_BATCHES: usize = 1000;
const MOST_FLOW: u64 = 500;

/// What the reply subject of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) id: &'a str,
    flow: u64,
    gap_ok: bool,
    pub(super) sequence: u64,
    operation: Operation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Append,
    /// The last message.
    Commit,
    /// The end, which is no message.
    End,
    Ping,
}

/// The fast batches of a stream.
#[derive(Default)]
pub(super) struct FastBatches {
    batches: HashMap<Rc<str>, FastBatch>,
}

struct FastBatch {
    gap_ok: bool,
    /// How many messages at most are acknowledged at once, and how many are now.
    most: u64,
    flow: u64,
    /// The batch's sequence numbers of the last message that came, that is durable, and that was
    /// acknowledged.
    last: u64,
    durable: u64,
    acknowledged: u64,
    /// How many messages are not durable yet.
    pending: u64,
    /// The stream's sequence number of the last durable message.
    stored: u64,
    ends: bool,
    deadline: u64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Flow<'a> {
    Ack { seq: u64, msgs: u64 },
    Gap { last_seq: u64, seq: u64 },
    Err { seq: u64, error: ErrorBody<'a> },
}

impl<'a> Place<'a> {
    /// Reads `<prefix>.<id>.<flow>.<gap mode>.<sequence>.<operation>.$FI`; `None` when the reply
    /// subject is of another kind.
    pub(super) fn read(reply: &'a str) -> Option<Result<Self>> {
        let reply = reply.strip_suffix(SUFFIX)?;
        let mut tokens = reply.rsplit('.');
        let mut read = || {
            let operation = tokens.next()?.parse::<u8>().ok()?;
            let sequence = tokens.next()?.parse::<u64>().ok()?;
            let gap_ok = match tokens.next()? {
                "ok" => true,
                "fail" => false,
                _ => return None,
            };
            let flow = tokens.next()?.parse::<u64>().unwrap_or(0);
            let id = tokens.next()?;
            // It has a prefix.
            tokens.next()?;
            let operation = match (operation, sequence) {
                (_, 0 | u64::MAX) | (0, 2..) | (1 | 3, 1) => return None,
                (0 | 1, _) => Operation::Append,
                (2, _) => Operation::Commit,
                (3, _) => Operation::End,
                (4, _) => Operation::Ping,
                _ => return None,
            };
            let flow = if flow == 0 { 10 } else { flow.min(u16::MAX.into()) };
            Some(Self { id, flow, gap_ok, sequence, operation })
        };
        Some(read().ok_or(Error::BATCH_INVALID_PATTERN))
    }
}

impl FastBatches {
    /// How many messages at most are acknowledged at once when all get their share.
    fn share(&self) -> u64 {
        (MOST_FLOW / self.batches.len().max(1) as u64).max(1)
    }
}

impl Stream {
    /// Takes in a message of a fast batch; returns its answer if it joins the store's batch.
    pub(super) fn take_in_fast(
        self: &Rc<Self>,
        store_batch: &mut Batch,
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
        let (mut gap, mut stops, mut skips) = (None, false, false);
        self.with_fast(place.id, |batch| {
            if place.operation == Operation::Ping {
                if place.sequence > batch.last {
                    gap = Some((batch.last + 1, place.sequence + 1));
                    if batch.gap_ok {
                        batch.last = place.sequence;
                        if batch.pending == 0 {
                            batch.durable = batch.last;
                        }
                    } else {
                        stops = true;
                    }
                }
                return;
            }
            if batch.ends {
                skips = true;
                return;
            }
            let expected = batch.last + 1;
            if place.sequence > expected {
                gap = Some((expected, place.sequence));
            }
            if place.sequence != expected && !(batch.gap_ok && place.sequence > expected) {
                stops = true;
                return;
            }
            batch.last = place.sequence;
            if place.operation == Operation::End {
                batch.last -= 1;
                if batch.pending == 0 {
                    batch.durable = batch.last;
                }
                stops = true;
            }
        });
        if let Some((last_seq, seq)) = gap {
            self.tell_flow(reply, &Flow::Gap { last_seq, seq });
        }
        if stops {
            self.end_fast(place.id, reply);
            return Ok(None);
        }
        if place.operation == Operation::Ping {
            if !self.check_flow(place.id, reply) {
                self.repeat_flow(place.id, reply);
            }
            return Ok(None);
        }
        if skips {
            return Ok(None);
        }
        let commits = place.operation == Operation::Commit;
        if commits {
            self.with_fast(place.id, |batch| batch.ends = true);
        } else if place.sequence == 1 {
            self.repeat_flow(place.id, reply);
        }
        let incoming = Incoming::new(&message.subject, &message.headers, &message.payload);
        match self.publish(store_batch, incoming) {
            Ok(ack) if !ack.duplicate => {
                self.with_fast(place.id, |batch| batch.pending += 1);
                Ok(Some(ack.sequence))
            }
            outcome => {
                self.refuse_fast(reply, place, commits, outcome);
                Ok(None)
            }
        }
    }

    /// A message of a fast batch was not stored.
    fn refuse_fast(&self, reply: &str, place: Place<'_>, commits: bool, outcome: Result<PubAck>) {
        let duplicate = outcome.as_ref().is_ok_and(|ack| ack.duplicate);
        let mut first = false;
        self.with_fast(place.id, |batch| {
            if duplicate && batch.pending == 0 {
                batch.durable = place.sequence;
            }
            first = !batch.gap_ok && batch.last == 1;
        });
        if duplicate {
            self.check_flow(place.id, reply);
            if !commits {
                return;
            }
        }
        if first {
            self.fast.borrow_mut().batches.remove(place.id);
            match outcome {
                Ok(ack) => {
                    let batch = Some((place.id.into(), place.sequence));
                    self.answer(reply, &PubAck { batch, ..ack });
                }
                Err(cause) => self.tell_refusal(reply, &cause),
            }
            return;
        }
        if let Err(cause) = &outcome {
            self.tell_flow(reply, &Flow::Err { seq: place.sequence, error: cause.into() });
            if place.gap_ok && !commits {
                return;
            }
            self.with_fast(place.id, |batch| {
                batch.last -= 1;
                if batch.pending == 0 {
                    batch.durable = batch.last;
                }
            });
        }
        self.end_fast(place.id, reply);
    }

    /// A message of a fast batch is durable under this sequence number.
    pub(super) fn fast_durable(&self, id: &str, place: u64, sequence: u64, reply: &str) {
        let mut ended = None;
        self.with_fast(id, |batch| {
            batch.pending = batch.pending.saturating_sub(1);
            batch.stored = sequence;
            batch.durable = if batch.pending == 0 { batch.last } else { place };
            if batch.ends && batch.durable == batch.last {
                ended = Some((sequence, batch.last));
            }
        });
        match ended {
            Some((sequence, count)) => self.acknowledge_fast(id, reply, sequence, count),
            None => _ = self.check_flow(id, reply),
        }
    }

    /// A message of a fast batch could not be written: the batch is over.
    pub(super) fn fast_failed(&self, id: &str, reply: &str, cause: &Error) {
        if self.fast.borrow_mut().batches.remove(id).is_some() {
            self.tell_refusal(reply, cause);
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
        // Who is not alone begins slowly.
        let flow = if fast.batches.is_empty() { place.flow.min(MOST_FLOW) } else { 1 };
        let batch = FastBatch {
            gap_ok: place.gap_ok,
            most: place.flow,
            flow,
            last: 0,
            durable: 0,
            acknowledged: 0,
            pending: 0,
            stored: 0,
            ends: false,
            deadline: now + PATIENCE,
        };
        fast.batches.insert(place.id.into(), batch);
        Ok(())
    }

    /// Ends a batch: it is acknowledged when all that came of it is durable.
    fn end_fast(&self, id: &str, reply: &str) {
        let mut ended = None;
        self.with_fast(id, |batch| {
            batch.ends = true;
            if batch.last == batch.durable {
                ended = Some((batch.stored, batch.last));
            }
        });
        if let Some((sequence, count)) = ended {
            self.acknowledge_fast(id, reply, sequence, count);
        }
    }

    fn acknowledge_fast(&self, id: &str, reply: &str, sequence: u64, count: u64) {
        self.fast.borrow_mut().batches.remove(id);
        let batch = Some((id.into(), count));
        self.answer(reply, &PubAck { batch, ..self.ack(sequence, false) });
    }

    /// Acknowledges what is due, at the pace that is right now.
    fn check_flow(&self, id: &str, reply: &str) -> bool {
        let share = self.fast.borrow().share();
        let mut told = None;
        self.with_fast(id, |batch| {
            if batch.durable < batch.acknowledged + batch.flow {
                return;
            }
            let steps = (batch.durable - batch.acknowledged) / batch.flow;
            batch.acknowledged += steps * batch.flow;
            let most = share.min(batch.most);
            batch.flow = match batch.flow {
                slow if slow < most => (slow * 2).min(most),
                fast if fast > most => (fast / 2).max(most),
                right => right,
            };
            told = Some(Flow::Ack { seq: batch.acknowledged, msgs: batch.flow });
        });
        let is_told = told.is_some();
        if let Some(flow) = told {
            self.tell_flow(reply, &flow);
        }
        is_told
    }

    fn repeat_flow(&self, id: &str, reply: &str) {
        let mut flow = None;
        self.with_fast(id, |batch| {
            flow = Some(Flow::Ack { seq: batch.acknowledged, msgs: batch.flow });
        });
        if let Some(flow) = flow {
            self.tell_flow(reply, &flow);
        }
    }

    fn with_fast(&self, id: &str, then: impl FnOnce(&mut FastBatch)) {
        if let Some(batch) = self.fast.borrow_mut().batches.get_mut(id) {
            then(batch);
        }
    }

    fn tell_flow(&self, reply: &str, flow: &Flow<'_>) {
        // Strings and numbers have a JSON form.
        let flow = serde_json::to_vec(flow).unwrap_or_default();
        self.broker.publish(&CoreMessage::new(reply, flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_subjects_say_the_place() {
        let place = Place::read("_INBOX.x.id.10.ok.7.1.$FI").unwrap().unwrap();
        assert_eq!((place.id, place.flow, place.gap_ok, place.sequence), ("id", 10, true, 7));
        assert_eq!(Place::read("_INBOX.x"), None);
        for wrong in [
            "_INBOX.id.10.maybe.7.1.$FI",
            "_INBOX.id.10.ok.0.1.$FI",
            "_INBOX.id.10.ok.1.3.$FI",
            "_INBOX.id.10.ok.2.0.$FI",
            "_INBOX.id.10.ok.2.5.$FI",
            "x.1.$FI",
        ] {
            assert_eq!(Place::read(wrong), Some(Err(Error::BATCH_INVALID_PATTERN)), "{wrong}");
        }
    }
}
