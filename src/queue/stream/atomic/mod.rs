//! Atomic batches: messages that are stored together or not at all. ADR-50
//!
//! Until its last message comes, a batch is kept in memory: one that was not committed is gone with
//! the queue.

pub(super) mod staged;

use std::{
    collections::HashSet,
    rc::{Rc, Weak},
};

use serde::Serialize;

use self::staged::{MAX_ID_LENGTH, MOST_BATCHES, MOST_MESSAGES, PATIENCE, Staged, Staging};
use super::{
    base::Stream,
    directives::{Directives, Rollup},
    incoming::Incoming,
    lookup::Admin,
    pub_ack::PubAck,
};
use crate::{
    platform,
    queue::{
        advisory,
        broker::CoreMessage,
        error::{Error, Result},
        headers::{Block, names},
        subject,
    },
    store::Submission,
};

#[derive(Serialize)]
struct Abandoned<'a> {
    stream: &'a str,
    batch: &'a str,
    reason: &'a str,
}

impl Stream {
    /// Adds a message to an atomic batch.
    pub(super) fn stage(self: &Rc<Self>, message: &CoreMessage, id: &str) -> Result<Staging> {
        let config = self.config();
        if config.sealed {
            return Err(Error::STREAM_SEALED);
        }
        if !config.allow_atomic {
            return Err(Error::ATOMIC_DISABLED);
        }
        if id.is_empty() || id.len() > MAX_ID_LENGTH {
            return Err(Error::ATOMIC_INVALID_ID);
        }
        let block = Block(&message.headers);
        let place = block.get(names::BATCH_SEQUENCE).and_then(|place| place.parse::<usize>().ok());
        let place = place.ok_or(Error::ATOMIC_MISSING_SEQUENCE)?;
        let commit = block.get(names::BATCH_COMMIT);
        let ends = commit == Some("eob");
        // A commit without a message does not count.
        let size = place - usize::from(ends && place > 0);
        let mut batches = self.atomic.borrow_mut();
        let now = self.clock.now();
        if batches.batches.get(id).is_some_and(|staged| staged.deadline <= now) {
            batches.batches.remove(id);
            self.advise_abandoned(id, "timeout");
        }
        if !batches.batches.contains_key(id) {
            if place != 1 {
                return Err(match size > MOST_MESSAGES {
                    true => Error::atomic_too_large(MOST_MESSAGES),
                    false => Error::ATOMIC_INCOMPLETE,
                });
            }
            if batches.batches.len() >= MOST_BATCHES {
                return Err(Error::ATOMIC_TOO_MANY);
            }
            let staged = Staged { messages: Vec::new(), deadline: 0 };
            batches.batches.insert(id.into(), staged);
        }
        // It was inserted if it was not there.
        let Some((key, mut staged)) = batches.batches.remove_entry(id) else {
            return Err(Error::ATOMIC_INCOMPLETE);
        };
        if commit.is_some_and(|commit| commit != "1" && !ends) {
            return Err(Error::ATOMIC_INVALID_COMMIT);
        }
        if staged.messages.len() + 1 != place || (place == 1 && ends) {
            self.advise_abandoned(id, "incomplete");
            return Err(Error::ATOMIC_INCOMPLETE);
        }
        if size > MOST_MESSAGES {
            self.advise_abandoned(id, "large");
            return Err(Error::atomic_too_large(MOST_MESSAGES));
        }
        if !ends {
            staged.messages.push(message.clone());
        } else if let Some(last) = staged.messages.last_mut() {
            last.headers = Block(&last.headers).with(names::BATCH_COMMIT, "1").into();
        }
        if commit.is_some() {
            return Ok(Staging::Commit { id: key, messages: staged.messages });
        }
        staged.deadline = now + PATIENCE;
        batches.batches.insert(key, staged);
        if !std::mem::replace(&mut batches.watched, true) {
            platform::spawn(abandon_stale(Rc::downgrade(self)));
        }
        Ok(Staging::Waits)
    }

    /// Looks up what the checks of the messages need.
    pub(super) async fn prepare_atomic(self: &Rc<Self>, messages: &[CoreMessage]) -> Result<()> {
        let parts = messages.iter().map(|message| (&*message.subject, &*message.headers));
        self.prepare_all(parts, Admin::Free).await
    }

    /// Publishes the messages of a batch. When this fails the batch of the store must not be
    /// submitted, which takes back what was published.
    pub(super) fn publish_atomic(
        self: &Rc<Self>,
        batch: &mut Submission,
        id: Rc<str>,
        messages: &[CoreMessage],
    ) -> Result<PubAck> {
        let mut written = HashSet::new();
        let mut last = Err(Error::ATOMIC_INCOMPLETE);
        let expected: Vec<_> =
            messages.iter().map(|message| self.last_before(message)).collect::<Result<_>>()?;
        for (place, (message, last_expected)) in messages.iter().zip(expected).enumerate() {
            let directives = Directives::read(&message.headers);
            directives.check_batch(place == 0, self.counts.borrow().last)?;
            let subject = self.stored_subject(&message.subject).into_owned();
            if directives.expects_of(&subject).is_some_and(|of| written.contains(of)) {
                return Err(Error::WRONG_LAST_SEQUENCE);
            }
            match directives.rollup {
                Some(Rollup::Subject) if written.contains(&subject) => {
                    return Err(Error::rollup("batch rollup sub invalid"));
                }
                Some(Rollup::All) if !written.is_empty() => {
                    return Err(Error::rollup("batch rollup all invalid"));
                }
                _ => {}
            }
            let incoming = Incoming::new(&message.subject, &message.headers, &message.payload);
            let ack = self.publish(batch, Incoming { last_expected, ..incoming })?;
            if ack.duplicate {
                return Err(Error::ATOMIC_DUPLICATE);
            }
            written.insert(subject);
            last = Ok(ack);
        }
        let count = messages.len() as u64;
        last.map(|ack| PubAck { batch: Some((id, count)), value: None, ..ack })
    }

    /// The last message before the batch of a subject with wildcards that the message has an
    /// expectation of: messages of the batch itself do not count.
    fn last_before(&self, message: &CoreMessage) -> Result<Option<u64>> {
        let directives = Directives::read(&message.headers);
        let of = directives.expects_of(&message.subject).filter(|of| !subject::is_literal(of));
        of.map(|of| self.known_last(of)).transpose()
    }

    fn advise_abandoned(&self, batch: &str, reason: &str) {
        let subject = format!("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.{}", self.name);
        let about = Abandoned { stream: &self.name, batch, reason };
        let kind = "advisory.v1.stream_batch_abandoned";
        advisory::publish(&self.broker, self.clock.now(), &subject, kind, about);
    }
}

/// Abandons batches that get no more messages.
async fn abandon_stale(stream: Weak<Stream>) {
    loop {
        let Some(strong) = stream.upgrade() else { return };
        let now = strong.clock.now();
        let mut abandoned = Vec::new();
        let next = {
            let mut batches = strong.atomic.borrow_mut();
            batches.batches.retain(|id, staged| {
                let stays = staged.deadline > now;
                if !stays {
                    abandoned.push(id.clone());
                }
                stays
            });
            let next = batches.batches.values().map(|staged| staged.deadline).min();
            batches.watched = next.is_some();
            next
        };
        for id in abandoned {
            strong.advise_abandoned(&id, "timeout");
        }
        let Some(next) = next else { return };
        let sleep = strong.clock.sleep_until(next);
        drop(strong);
        sleep.await;
    }
}
