//! Publishing: checking a message, and storing it with a batch.

use std::{borrow::Cow, rc::Rc};

use super::{
    base::Stream,
    counter::Added,
    directives::{Directives, Rollup, Ttl},
    in_flight::Publish,
    incoming::{Incoming, Origin},
    pub_ack::PubAck,
    purge_row::PurgeRow,
    row,
    schedule::ended_schedule,
};
use crate::{
    queue::{
        config::{Discard, LAST_SEQUENCE, Retention, StreamConfig, limit},
        error::{Error, Result},
        headers::{Block, names},
        subject,
    },
    store::{Batch, Submission, Table},
};

/// The largest header block.
const MAX_HEADER_BYTES: usize = 64 * 1024;

impl Stream {
    /// The subject under which a message is stored.
    pub(super) fn stored_subject<'s>(&self, published: &'s str) -> Cow<'s, str> {
        let transform = self.transform.borrow();
        match transform.as_ref().and_then(|transform| transform.apply(published)) {
            Some(subject) if subject::is_literal(&subject) => subject.into(),
            _ => published.into(),
        }
    }

    /// Stores a message with the batch. What the checks need to know of subjects must have been
    /// looked up.
    pub(in crate::queue) fn publish(
        self: &Rc<Self>,
        batch: &mut Submission,
        message: Incoming<'_>,
    ) -> Result<PubAck> {
        batch.to(&self.store, |batch| self.publish_here(batch, message))
    }

    fn publish_here(
        self: &Rc<Self>,
        batch: &mut Submission,
        message: Incoming<'_>,
    ) -> Result<PubAck> {
        let config = self.config();
        let client = message.origin == Origin::Client;
        let mirrored = matches!(message.origin, Origin::Mirror { .. });
        if self.deleted.get() {
            return Err(Error::STREAM_NOT_FOUND);
        }
        if config.sealed {
            return Err(Error::STREAM_SEALED);
        }
        let is_used_up = match message.origin {
            Origin::Mirror { sequence, .. } => sequence > LAST_SEQUENCE,
            _ => self.counts.borrow().last >= LAST_SEQUENCE,
        };
        if is_used_up {
            return Err(Error::store_failed("sequence numbers are used up"));
        }
        if client && !Block(message.headers).is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        let subject = match mirrored {
            true => message.subject.into(),
            false => self.stored_subject(message.subject),
        };
        let subject = &*subject;
        let directives = Directives::read(message.headers);
        let mut due = None;
        if client {
            self.check_directives(&config, &directives, subject, &message)?;
            if directives.is_about_schedules {
                due = self.check_schedule(&config, message.headers, subject)?;
                self.check_scheduler(&config, message.headers, subject)?;
            }
        }
        let now = match message.origin {
            Origin::Mirror { time, .. } => time,
            _ => self.clock.now(),
        };
        let id = directives.id.map(Rc::<str>::from);
        let oldest = self.clock.now().saturating_sub(config.duplicate_window.as_millis() as u64);
        if let (Some(id), false) = (&id, mirrored)
            && let Some(sequence) = self.ids.borrow().find(id, oldest)
        {
            return Ok(self.ack(sequence, true));
        }
        if client {
            self.check_last_directives(&config, &directives)?;
        }
        let mut value = None;
        let (mut headers, mut payload) =
            (Cow::Borrowed(message.headers), Cow::Borrowed(message.payload));
        let mut total = None;
        if let (Some(increment), true, false) =
            (directives.increment, config.allow_msg_counter, mirrored)
        {
            let added = self.add_to_counter(increment, subject, &headers, &payload)?;
            (value, total) = (Some(added.value), Some(added.total));
            payload = added.payload.into();
            headers = added.headers.map_or(headers, Into::into);
        }
        let purges = config.allow_rollup_hdrs && !config.deny_purge;
        let mut rollup = directives.rollup.filter(|_| purges);
        if due.is_some() && rollup.is_none() {
            // A subject has one schedule.
            headers = Block(&headers).with(names::ROLLUP, "sub").into();
            rollup = Some(Rollup::Subject);
        }
        let mut expires = None;
        if let (Some(Ttl::Seconds(seconds)), true) = (directives.ttl, config.allow_msg_ttl) {
            let least = config.least_ttl();
            if seconds < least {
                // Otherwise its delete marker could be missed.
                let plain = Block(&headers).without(|name| name == names::TTL);
                headers = Block(&plain).with(names::TTL, &least.to_string()).into();
            }
            let seconds = seconds.max(least);
            expires = Some(now.saturating_add(seconds.saturating_mul(1000)));
        }
        let size = row::message_size(subject, &headers, &payload);
        if client && (headers.len() + payload.len()) as u64 > limit(config.max_msg_size) {
            return Err(Error::MESSAGE_TOO_LARGE);
        }
        if headers.len() > MAX_HEADER_BYTES {
            return Err(Error::HEADERS_TOO_LARGE);
        }
        let stored =
            config.retention != Retention::Interest || self.interest.has_interest(self, subject);
        if config.discard == Discard::New && stored {
            self.check_room(&config, subject, size, rollup)?;
        }
        let sequence = self.next_sequence(message.origin);
        let mut publish = Publish {
            sequence,
            subject: subject.into(),
            size,
            time: now,
            stored,
            id,
            evicted: Vec::new(),
            purges: Vec::new(),
            republish: None,
            timer: u64::MAX,
        };
        if stored {
            self.put_message(batch, &publish, &headers, &payload);
            for at in expires.into_iter().chain(due.map(|due| due.at)) {
                self.put_timer(batch, at, sequence);
                publish.timer = publish.timer.min(at);
            }
            publish.republish = self.republication(&publish, &headers, &payload);
            if rollup == Some(Rollup::All) {
                self.subjects.borrow_mut().purge(None);
            }
            self.replace(batch, &config, &mut publish, rollup);
            self.subjects.borrow_mut().set_schedule(subject, due.is_some());
            if let (true, true, Some(scheduler)) =
                (directives.is_about_schedules, purges, ended_schedule(message.headers))
            {
                self.subjects.borrow_mut().purge(Some(scheduler));
                let row = PurgeRow::of_subject(scheduler, sequence + 1, 0);
                publish.purges.push(self.put_purge(batch, row));
            }
            if let Some(total) = total {
                self.subjects.borrow_mut().set_total(subject, total);
            }
        }
        self.keep_id(batch, &publish, oldest);
        self.put_in_flight(batch, publish);
        Ok(PubAck { value, ..self.ack(sequence, false) })
    }

    /// The message as it is stored that adds to the counter of its subject.
    fn add_to_counter(
        &self,
        increment: &str,
        subject: &str,
        headers: &[u8],
        payload: &[u8],
    ) -> Result<Added> {
        let subjects = self.subjects.borrow();
        let before = subjects.get(subject).ok_or(Error::EXPECTATION_NOT_READY)?;
        let before = match before.total() {
            Some(total) => total.clone(),
            None if before.last() == 0 => Rc::default(),
            None => return Err(Error::EXPECTATION_NOT_READY),
        };
        before.add(increment, headers, payload, subject)
    }

    /// The sequence number of a message.
    fn next_sequence(&self, origin: Origin) -> u64 {
        let mut counts = self.counts.borrow_mut();
        let next = counts.last + 1;
        let sequence = match origin {
            // Numbers of messages that the origin has deleted are skipped.
            Origin::Mirror { sequence, .. } => sequence.max(next),
            _ => next,
        };
        counts.last = sequence;
        counts.in_flight.insert(sequence);
        sequence
    }

    pub(super) fn ack(&self, sequence: u64, duplicate: bool) -> PubAck {
        PubAck { stream: self.name.clone(), sequence, duplicate, value: None, batch: None }
    }

    /// Checks that a stream with `discard` `new` has room.
    fn check_room(
        &self,
        config: &StreamConfig,
        subject: &str,
        size: u64,
        rollup: Option<Rollup>,
    ) -> Result<()> {
        let mut replaces = false;
        if let (true, Ok(most)) =
            (config.limits_subjects(), usize::try_from(config.max_msgs_per_subject))
        {
            let subjects = self.subjects.borrow();
            let known = subjects.get(subject).ok_or(Error::EXPECTATION_NOT_READY)?;
            replaces = known.count() >= most;
            if replaces && config.discard_new_per_subject && rollup.is_none() {
                return Err(Error::store_failed("maximum messages per subject exceeded"));
            }
        }
        // A message that takes the place of another needs no room of its own.
        if replaces || rollup.is_some() {
            return Ok(());
        }
        let counts = self.counts.borrow();
        if counts.messages >= limit(config.max_msgs) {
            return Err(Error::store_failed("maximum messages exceeded"));
        }
        if counts.bytes + size > limit(config.max_bytes) {
            return Err(Error::store_failed("maximum bytes exceeded"));
        }
        Ok(())
    }

    fn put_message(&self, batch: &mut Batch, publish: &Publish, headers: &[u8], payload: &[u8]) {
        let Publish { sequence, subject, time, size, .. } = publish;
        let message = row::encode_message(*time, subject, headers, payload);
        batch.put(Table::QueueMessages, row::message_key(self.id, *sequence), message);
        let key = row::index_key(self.id, subject, *sequence);
        batch.put(Table::QueueSubjects, key, row::encode_size(*size));
    }

    pub(super) fn put_timer(&self, batch: &mut Batch, at: u64, sequence: u64) {
        batch.put(Table::QueueTimers, row::id_key(self.id, at, sequence), []);
        self.next_expiry.set(self.next_expiry.get().min(at));
    }

    /// Finds what the message takes the place of.
    fn replace(
        &self,
        batch: &mut Batch,
        config: &StreamConfig,
        publish: &mut Publish,
        rollup: Option<Rollup>,
    ) {
        let most = usize::try_from(config.max_msgs_per_subject).ok().filter(|most| *most > 0);
        let keep = if rollup == Some(Rollup::Subject) { Some(1) } else { most };
        let whole = rollup == Some(Rollup::Subject);
        let Publish { subject, sequence, size, .. } = &*publish;
        let (subject, sequence, size) = (subject.clone(), *sequence, *size);
        let evicted = self.subjects.borrow_mut().publish(&subject, sequence, size, keep, whole);
        match (evicted, keep) {
            (Some(evicted), _) => publish.evicted = evicted,
            (None, None) => {}
            (None, Some(keep)) => {
                let row = PurgeRow::of_subject(&subject, sequence + 1, keep as u64);
                publish.purges.push(self.put_purge(batch, row));
            }
        }
        if rollup == Some(Rollup::All) {
            publish.purges.push(self.put_purge(batch, PurgeRow::of_all(sequence)));
        }
    }

    fn keep_id(&self, batch: &mut Batch, publish: &Publish, oldest: u64) {
        let mut ids = self.ids.borrow_mut();
        for (time, sequence) in ids.expire(oldest) {
            batch.delete(Table::QueueMessageIds, row::id_key(self.id, time, sequence));
        }
        if let Some(id) = &publish.id {
            ids.insert(id.clone(), publish.time, publish.sequence);
            let key = row::id_key(self.id, publish.time, publish.sequence);
            batch.put(Table::QueueMessageIds, key, id.as_bytes());
        }
    }
}
