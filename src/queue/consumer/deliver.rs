//! The task that delivers a consumer's messages to clients. It ends when it has nothing to do.

use std::pin::pin;

use futures::future::{self, Either, OptionFuture, select};

use super::{advisory, handle::Consumer, inner::Inner};
use crate::{platform, queue::error::Result};

/// About how many bytes are delivered at once.
const AT_ONCE: u64 = 4 << 20;
/// How long it waits after a failure, in milliseconds.
const RETRY: u64 = 1000;

impl Inner {
    /// Whether something may become due with time or by what others do.
    fn needs_delivery(&self) -> bool {
        let config = self.config.borrow();
        config.is_push()
            || !config.inactive_threshold.is_zero()
            || self.paused.get()
            || !self.waiting.borrow().requests.is_empty()
    }
}

impl Consumer {
    /// Starts the task unless it runs or has nothing to do.
    pub(in crate::queue) fn start_delivery(&self) {
        if self.inner.needs_delivery() && !self.inner.delivering.replace(true) {
            let consumer = self.clone();
            platform::spawn(pump(consumer));
        }
    }

    /// Does what is due; returns when to look again.
    async fn step(&self) -> Result<u64> {
        let Self { stream, inner, .. } = self;
        let now = stream.clock.now();
        let pause = inner.pause(now);
        if !pause.paused && inner.paused.replace(false) {
            advisory::pause(stream, inner, pause);
        }
        self.enforce_max_deliver();
        let pushes = inner.config.borrow().is_push();
        let next = if pushes { self.push().await? } else { self.serve_requests().await? };
        let pin = inner.pin_ends_at().unwrap_or(u64::MAX);
        // What has been due before waits for a request or a subscription, which wakes this task.
        let due = Some(self.next_due()).filter(|due| *due > now).unwrap_or(u64::MAX);
        Ok(next.min(due).min(pin).min(self.end_of_interest()))
    }

    /// How many messages to deliver before checking that the clients keep up: at most `most`, fewer
    /// when the stream's messages are large.
    pub(super) fn at_once(&self, most: usize) -> usize {
        let counts = self.stream.counts.borrow();
        let size = (counts.bytes / counts.messages.max(1)).max(1);
        usize::try_from(AT_ONCE / size).unwrap_or(most).clamp(1, most)
    }

    /// When it is deleted, unless it is used before. Pulled messages may be worked on until they
    /// are due for redelivery.
    fn end_of_interest(&self) -> u64 {
        let Self { stream, inner, .. } = self;
        let threshold = inner.config.borrow().inactive_threshold.as_millis() as u64;
        if threshold == 0 {
            return u64::MAX;
        }
        let used =
            inner.is_bound(stream) || inner.fetching.get() > 0 || inner.num_waiting(stream) > 0;
        if used {
            inner.active_at.set(stream.clock.now());
        }
        let mut last = inner.active_at.get();
        if !inner.config.borrow().is_push() {
            last = last.max(inner.state.borrow().redelivery().last().unwrap_or(0));
        }
        last.saturating_add(threshold)
    }

    async fn delete_if_unused(&self) -> Result<bool> {
        let Self { stream, inner, .. } = self;
        if self.end_of_interest() > stream.clock.now() {
            return Ok(false);
        }
        self.consumers().delete(&inner.name).await?;
        advisory::deleted(stream, inner);
        Ok(true)
    }

    /// The next message for it from `from` to `to`, and when that was stored.
    pub(super) async fn next_message(&self, from: u64, to: u64) -> Result<Option<(u64, u64)>> {
        let next = self.stream.next_of_any(self.inner.config().filters(), from, to).await?;
        Ok(next.map(|message| (message.sequence, message.time)))
    }
}

async fn pump(consumer: Consumer) {
    let clock = consumer.stream.clock.clone();
    let broker = consumer.stream.broker.clone();
    let weak = consumer.downgrade();
    drop(consumer);
    loop {
        // Between steps the task keeps nothing alive.
        let Some(consumer) = weak.upgrade() else { return };
        let woken = consumer.inner.wake.listen();
        let watches = consumer.inner.config.borrow().is_push();
        let interest = watches.then(|| broker.watch_interest());
        if consumer.inner.deleted.get() {
            return;
        }
        let outcome = async {
            let next = consumer.step().await?;
            consumer.delete_if_unused().await.map(|gone| if gone { 0 } else { next })
        };
        let next = match outcome.await {
            Ok(next) => next,
            Err(_) if consumer.inner.deleted.get() => continue,
            Err(cause) => {
                tracing::error!("consumer {} can't deliver: {cause}", consumer.inner.name);
                clock.now() + RETRY
            }
        };
        if !consumer.inner.needs_delivery() {
            consumer.inner.delivering.set(false);
            return;
        }
        drop(consumer);
        let interest = OptionFuture::from(interest);
        let interest = async {
            if interest.await.is_none() {
                future::pending::<()>().await;
            }
        };
        match select(pin!(select(woken, pin!(interest))), clock.sleep_until(next)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}
