//! A part of the homeserver that works on a consumer's messages for as long as it lives.

use std::{
    cell::Cell,
    fmt::Display,
    rc::{Rc, Weak},
    time::Duration,
};

use super::{Consumer, Message};
use crate::{
    platform,
    queue::{Error, notify::Notify},
};

/// How long a fetch waits before it looks whether its owner is still there.
const WAIT: Duration = Duration::from_secs(600);
/// How long the first message waits for more: whoever published it is answered first, and what
/// comes together is worked on together.
const GATHER: Duration = Duration::from_millis(10);
/// How long nothing is fetched after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// How far what [`work`] does with a consumer's messages has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Whether messages are being worked on.
    busy: Cell<bool>,
    /// Up to this sequence number everything was worked on, and what came of it is durable.
    done: Cell<u64>,
    /// Rings when some were worked on.
    advanced: Notify,
}

impl Consumer {
    /// Waits until everything that is in the stream by now was worked on ([`work`]), for at most
    /// `patience`; whether it was.
    pub async fn catch_up(&self, patience: Duration) -> bool {
        let newest = self.stream.counts.borrow().last;
        let progress = &self.inner.progress;
        let reached = async {
            loop {
                let advanced = progress.advanced.listen();
                if progress.done.get() >= newest || self.is_idle() {
                    return;
                }
                // The bell goes with the consumer, which this borrows.
                let _ = advanced.await;
            }
        };
        platform::timeout(patience, reached).await.is_some()
    }

    /// Whether there is nothing to work on. What was acknowledged is not durable before the work
    /// has ended.
    fn is_idle(&self) -> bool {
        let deliveries = self.inner.deliveries.borrow();
        !self.inner.progress.busy.get()
            && deliveries.pending.is_empty()
            && deliveries.num_pending() == 0
    }
}

/// Hands the consumer's messages to `work`, at most `max` at a time, until `owner` is gone or the
/// consumer deleted. What `work` fails on and does not acknowledge is delivered again.
pub fn work<T: 'static, E: Display>(
    owner: &Rc<T>,
    consumer: Consumer,
    max: usize,
    work: impl AsyncFn(Rc<T>, Vec<Message>) -> Result<(), E> + 'static,
) {
    let owner = Rc::downgrade(owner);
    platform::spawn(async move {
        while let Some(outcome) = next(&owner, &consumer, max, &work).await {
            if let Err(cause) = outcome {
                let name = consumer.info().name;
                tracing::error!("the consumer {name} can't work: {cause}");
                platform::sleep(RETRY).await;
            }
        }
    });
}

/// One fetch and the work on it; `None` when there will be no more.
async fn next<T, E: Display>(
    owner: &Weak<T>,
    consumer: &Consumer,
    max: usize,
    work: &impl AsyncFn(Rc<T>, Vec<Message>) -> Result<(), E>,
) -> Option<Result<(), String>> {
    let mut messages = match consumer.fetch(max, WAIT).await {
        Ok(messages) => messages,
        Err(cause) if cause == Error::CONSUMER_NOT_FOUND => return None,
        Err(cause) => return owner.upgrade().map(|_| Err(cause.to_string())),
    };
    let progress = &consumer.inner.progress;
    progress.busy.set(!messages.is_empty());
    if !messages.is_empty() && messages.len() < max {
        platform::sleep(GATHER).await;
        // What fails now fails the next fetch too.
        let more = consumer.fetch(max - messages.len(), Duration::ZERO).await;
        messages.extend(more.unwrap_or_default());
    }
    let owner = owner.upgrade()?;
    if messages.is_empty() {
        return Some(Ok(()));
    }
    let outcome = work(owner, messages).await;
    progress.busy.set(false);
    if outcome.is_ok() {
        let (_, floor) = consumer.inner.deliveries.borrow().ack_floor();
        progress.done.set(floor);
    }
    progress.advanced.wake();
    Some(outcome.map_err(|cause| cause.to_string()))
}
