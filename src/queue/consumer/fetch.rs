//! Fetching messages from Rust.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};

use super::{handle::Consumer, info::ConsumerInfo, inner::Inner, message::Message, next::Wanted};
use crate::queue::error::Result;

impl Consumer {
    /// At most `max` messages: those that there are as soon as there is one, or none when `wait`
    /// has passed. Redeliveries come first, then new messages, each in the order of sequence
    /// numbers.
    ///
    /// # Errors
    /// 10014 when the consumer is deleted; when the store can't be read.
    pub async fn fetch(&self, max: usize, wait: Duration) -> Result<Vec<Message>> {
        let clock = self.stream.clock.clone();
        let until = clock.now().saturating_add(wait.as_millis() as u64);
        let _waits = Fetching::new(&self.inner);
        loop {
            let woken = self.inner.wake.listen();
            let delivery = self.next_messages(Wanted::messages(max)).await?.messages;
            if !delivery.is_empty() || clock.now() >= until {
                let messages =
                    delivery.into_iter().map(|delivery| Message::new(self.clone(), delivery));
                return Ok(messages.collect());
            }
            let due = self.next_due().min(until);
            match select(woken, pin!(clock.sleep_until(due))).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    /// Its state and configuration.
    pub fn info(&self) -> ConsumerInfo {
        ConsumerInfo::of(&self.stream, &self.inner)
    }

    /// When there is something to deliver next, leaving out new messages.
    pub(super) fn next_due(&self) -> u64 {
        let due = self.inner.state.borrow().redelivery().next().unwrap_or(u64::MAX);
        let paused = self.inner.config.borrow().paused_until();
        let now = self.stream.clock.now();
        if paused > now { paused } else { due }
    }
}

/// Counts as a waiting fetch while it lives.
struct Fetching<'a>(&'a Inner);

impl<'a> Fetching<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.fetching.set(inner.fetching.get() + 1);
        Self(inner)
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.fetching.set(self.0.fetching.get() - 1);
    }
}
