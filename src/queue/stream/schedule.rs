//! Scheduled messages: the last message of a subject says when and where it is published. ADR-51

use std::rc::Rc;

use super::{
    base::Stream,
    cron::{self, Due, Wrong},
    directives::Ttl,
    incoming::{Incoming, Origin},
    stored::Stored,
};
use crate::{
    queue::{
        config::StreamConfig,
        error::{Error, Result},
        headers::{Block, names},
        subject,
        time::Timestamp,
    },
    store::{Batch, Submission},
};

/// The value of `Nats-Schedule-Next` when the schedule is over.
const PURGE: &str = "purge";

impl Stream {
    /// When a client's message is due, if it is a schedule.
    pub(super) fn check_schedule(
        &self,
        config: &StreamConfig,
        headers: &[u8],
        literal: &str,
    ) -> Result<Option<Due>> {
        let block = Block(headers);
        let due = self.due(headers, self.clock.now());
        if !config.allow_msg_schedules && !matches!(due, Ok(None)) {
            return Err(Error::SCHEDULES_DISABLED);
        }
        let Some(due) = due? else { return Ok(None) };
        let ttl = block.get(names::SCHEDULE_TTL).filter(|ttl| !ttl.is_empty());
        if let Some(ttl) = ttl {
            if Ttl::read(ttl) == Some(Ttl::Invalid) {
                return Err(Error::SCHEDULE_TTL_INVALID);
            }
            if !config.allow_msg_ttl {
                return Err(Error::MESSAGE_TTL_DISABLED);
            }
        }
        let rollup = |name| block.get(name).is_none_or(|value| value.is_empty() || value == "sub");
        if !rollup(names::SCHEDULE_ROLLUP) || !rollup(names::ROLLUP) {
            return Err(Error::SCHEDULE_ROLLUP_INVALID);
        }
        let takes = |of: &str| config.subjects.iter().any(|own| subject::matches(own, of));
        let target = block.get(names::SCHEDULE_TARGET).unwrap_or_default();
        if !subject::is_literal(target) || target == literal || !takes(target) {
            return Err(Error::SCHEDULE_TARGET_INVALID);
        }
        let source = block.get(names::SCHEDULE_SOURCE).unwrap_or_default();
        if !source.is_empty()
            && (!subject::is_literal(source)
                || [target, literal].contains(&source)
                || !takes(source))
        {
            return Err(Error::SCHEDULE_SOURCE_INVALID);
        }
        Ok(Some(due))
    }

    /// The subject of the schedule that ends with a client's message.
    pub(super) fn check_scheduler<'a>(
        &self,
        config: &StreamConfig,
        headers: &'a [u8],
        literal: &str,
    ) -> Result<Option<&'a str>> {
        let scheduler = ended_schedule(headers);
        let says = |name| Block(headers).get(name).is_some_and(|value| !value.is_empty());
        if !says(names::SCHEDULER) && !says(names::SCHEDULE_NEXT) {
            return Ok(None);
        }
        match scheduler {
            Some(scheduler) if subject::is_literal(scheduler) && scheduler != literal => {
                if !config.allow_msg_schedules {
                    return Err(Error::SCHEDULES_DISABLED);
                }
                let subjects = self.subjects.borrow();
                let known = subjects.get(scheduler).ok_or(Error::EXPECTATION_NOT_READY)?;
                match known.last() == 0 || known.is_schedule() {
                    true => Ok(Some(scheduler)),
                    false => Err(Error::SCHEDULE_SCHEDULER_INVALID),
                }
            }
            _ => Err(Error::SCHEDULE_SCHEDULER_INVALID),
        }
    }

    fn due(&self, headers: &[u8], since: u64) -> Result<Option<Due>> {
        let block = Block(headers);
        let Some(pattern) = block.get(names::SCHEDULE).filter(|pattern| !pattern.is_empty()) else {
            return Ok(None);
        };
        let zone = block.get(names::SCHEDULE_ZONE);
        match cron::due(pattern, zone, since, self.clock.now()) {
            Ok(due) => Ok(Some(due)),
            Err(Wrong::Pattern) => Err(Error::SCHEDULE_PATTERN_INVALID),
            Err(Wrong::Zone) => Err(Error::SCHEDULE_ZONE_INVALID),
        }
    }

    /// Publishes the message of a schedule that was due at `at`, with the batch that deletes its
    /// timer.
    pub(super) async fn fire(
        self: &Rc<Self>,
        mut timer: Batch,
        at: u64,
        schedule: &Stored,
    ) -> Result<()> {
        let block = Block(&schedule.headers);
        let target = block.get(names::SCHEDULE_TARGET).unwrap_or_default();
        let (Ok(Some(Due { repeats, .. })), Ok(Some(next))) =
            (self.due(&schedule.headers, 0), self.due(&schedule.headers, at))
        else {
            return Ok(self.store.commit(timer).await?);
        };
        // Without a message of its source the schedule's own content is published.
        let source = match block.get(names::SCHEDULE_SOURCE) {
            Some(source) if !source.is_empty() => self.get_last(source).await?,
            _ => None,
        };
        let (headers, payload) = match &source {
            Some(source) => (&source.header_block[..], &source.payload[..]),
            None => (&schedule.headers[..], &schedule.payload[..]),
        };
        let own = [names::MESSAGE_ID, names::TTL, names::ROLLUP];
        let mut headers = Block(headers).without(|name| {
            name.starts_with("Nats-Schedule")
                || name.starts_with("Nats-Expected-")
                || own.contains(&name)
        });
        let mut add = |name, value: &str| headers = Block(&headers).with(name, value);
        add(names::SCHEDULER, schedule.subject());
        match repeats {
            true => add(names::SCHEDULE_NEXT, &Timestamp::from_millis(next.at).to_string()),
            false => add(names::SCHEDULE_NEXT, PURGE),
        }
        for (from, to) in
            [(names::SCHEDULE_TTL, names::TTL), (names::SCHEDULE_ROLLUP, names::ROLLUP)]
        {
            if let Some(value) = block.get(from).filter(|value| !value.is_empty()) {
                add(to, value);
            }
        }
        if repeats {
            self.put_timer(&mut timer, next.at, schedule.sequence);
        }
        self.prepare_own(target, &headers).await?;
        let message = Incoming::new(target, &headers, payload).from(Origin::Stream);
        let publish = |batch: &mut Submission| {
            if let Err(cause) = self.publish(batch, message) {
                tracing::warn!("a schedule of stream {} can't be published: {cause}", self.name);
            }
            Ok::<_, Error>(())
        };
        self.store.commit_with(timer, publish).await?;
        self.finish_purges().await
    }
}

/// The subject of the schedule that ends with a message.
pub(super) fn ended_schedule(headers: &[u8]) -> Option<&str> {
    let block = Block(headers);
    block.get(names::SCHEDULE_NEXT).filter(|next| *next == PURGE)?;
    block.get(names::SCHEDULER).filter(|scheduler| !scheduler.is_empty())
}
