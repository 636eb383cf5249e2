//! Enforcing limits: removing messages by number, size and age, by purges, and those that no
//! consumer needs any longer.

use std::rc::{Rc, Weak};

use futures::future::{Either, select};

use super::{
    base::Stream,
    directives::{Directives, Ttl},
    stored::{Stored, StoredRow},
};
use crate::{
    queue::error::Result,
    store::{Batch, Direction},
};

/// How many messages are removed in one batch.
const CHUNK: usize = 256;
/// After how many milliseconds it is tried again where that failed.
const RETRY: u64 = 10_000;

/// Keeps a stream within its limits until it is gone.
pub(in crate::queue) async fn keep_within_limits(stream: Weak<Stream>) {
    loop {
        let Some(strong) = stream.upgrade() else { return };
        let check_limits = strong.check_limits.listen();
        if strong.deleted.get() {
            return;
        }
        let mut next = match strong.enforce_limits().await {
            Ok(()) => strong.next_expiry.get(),
            Err(cause) => {
                tracing::error!("the limits of a stream can't be enforced: {cause}");
                strong.clock.now() + RETRY
            }
        };
        if let Err(cause) = strong.collect_garbage().await {
            tracing::error!("removed messages can't be deleted: {cause}");
            next = next.min(strong.clock.now() + RETRY);
        }
        let expiry = strong.clock.sleep_until(next);
        // Only the bell keeps the task alive, and it goes with the stream.
        drop(strong);
        match select(check_limits, expiry).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

impl Stream {
    /// Whether there may be messages to remove now.
    pub(in crate::queue) fn exceeds_limits(&self) -> bool {
        let (counts, config) = (self.counts.borrow(), self.config.borrow());
        counts.check_interest
            || counts.messages > config.max_kept().0
            || counts.bytes > config.max_kept().1
            || !self.purges.borrow().is_empty()
            || self.damage.borrow().is_new()
            || self.expiring.get()
            || self.next_expiry.get() <= self.clock.now()
    }

    /// Enforces the limits before messages are shown.
    pub(in crate::queue) async fn within_limits(self: &Rc<Self>) -> Result<()> {
        if self.exceeds_limits() { self.enforce_limits().await } else { Ok(()) }
    }

    /// Enforces the limits.
    pub(in crate::queue) async fn enforce_limits(self: &Rc<Self>) -> Result<()> {
        let _admin = self.admin.lock().await;
        if self.deleted.get() {
            return Ok(());
        }
        self.count_lost().await?;
        self.finish_purges().await?;
        self.enforce_max_msgs_and_bytes().await?;
        if self.counts.borrow().check_interest {
            self.remove_without_interest().await?;
        }
        self.expire().await
    }

    /// Removes the oldest messages until number and size are within limits.
    async fn enforce_max_msgs_and_bytes(self: &Rc<Self>) -> Result<()> {
        loop {
            let config = self.config();
            let (mut messages, mut bytes, first, visible) = {
                let counts = self.counts.borrow();
                (counts.messages, counts.bytes, counts.first, counts.visible())
            };
            let (max_msgs, max_bytes) = config.max_kept();
            if messages <= max_msgs && bytes <= max_bytes {
                return Ok(());
            }
            let mut rows = self.rows(first, visible, Direction::Forward, CHUNK).await?;
            let mut count = 0;
            for row in &rows {
                if messages <= max_msgs && bytes <= max_bytes {
                    break;
                }
                count += 1;
                if !self.counts.borrow().removing.contains(&row.sequence) {
                    messages -= 1;
                    bytes = bytes.saturating_sub(row.size());
                }
            }
            rows.truncate(count);
            if rows.is_empty() {
                // The rest is not durable yet; the limits are checked again when it is.
                return Ok(());
            }
            self.remove(&rows).await?;
        }
    }

    /// Removes what has expired, runs the timers that are due, and finds out when to do so next.
    async fn expire(self: &Rc<Self>) -> Result<()> {
        // Readers wait meanwhile.
        self.expiring.set(true);
        self.next_expiry.set(u64::MAX);
        let timers = self.run_timers().await;
        let aged = self.enforce_max_age().await;
        self.expiring.set(false);
        match (timers, aged) {
            (Ok(next), Ok(age)) => {
                // Something may have been published meanwhile.
                self.next_expiry.set(self.next_expiry.get().min(next).min(age));
                Ok(())
            }
            (timers, aged) => {
                self.next_expiry.set(0);
                timers.and(aged).map(|_| ())
            }
        }
    }

    /// Removes messages older than the stream's `max_age`; returns when the next one expires.
    async fn enforce_max_age(self: &Rc<Self>) -> Result<u64> {
        let max_age = self.config().max_age.as_millis() as u64;
        if max_age == 0 {
            return Ok(u64::MAX);
        }
        let mut from = self.counts.borrow().first;
        loop {
            let now = self.clock.now();
            let visible = self.counts.borrow().visible();
            let rows = self.rows(from, visible, Direction::Forward, CHUNK).await?;
            let (mut expired, mut next) = (0, None);
            for (place, row) in rows.iter().enumerate() {
                // The age of a damaged message is not known: it is removed with those after it.
                let Some(message) = &row.message else { continue };
                let expiry = message.time + max_age;
                if expiry > now {
                    next = Some(expiry);
                    break;
                }
                expired = place + 1;
            }
            let complete = rows.len() < CHUNK || next.is_some();
            from = rows.last().map_or(from, |last| last.sequence + 1);
            let expired = rows.into_iter().take(expired).filter(|row| !is_kept(row));
            self.remove_expired(expired.collect()).await?;
            if complete {
                // When there is none, what comes next does not expire before this.
                return Ok(next.unwrap_or_else(|| now.saturating_add(max_age)));
            }
        }
    }

    /// Removes messages that no consumer needs any longer.
    async fn remove_without_interest(self: &Rc<Self>) -> Result<()> {
        let (mut from, asked) = {
            let counts = self.counts.borrow();
            (counts.first, counts.interest_checks)
        };
        loop {
            let visible = self.counts.borrow().visible();
            let mut rows = self.rows(from, visible, Direction::Forward, CHUNK).await?;
            let Some(last) = rows.last() else { break };
            from = last.sequence + 1;
            rows.retain(|row| {
                let is_released =
                    |message: &Stored| self.releases(message.sequence, message.subject());
                row.message.as_ref().is_some_and(is_released)
            });
            self.remove(&rows).await?;
        }
        {
            let mut counts = self.counts.borrow_mut();
            if counts.interest_checks == asked {
                counts.check_interest = false;
            }
        }
        let mut batch = Batch::new();
        batch.makes_room();
        self.commit_counts(batch).await
    }
}

/// Whether a message is held whatever its age. ADR-43
fn is_kept(row: &StoredRow) -> bool {
    let is_kept = |message: &Stored| Directives::read(&message.headers).ttl == Some(Ttl::Never);
    row.message.as_ref().is_some_and(is_kept)
}
