//! Messages for the program itself, when it asks for them.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select};

use super::{handle::Consumer, info::ConsumerInfo, inner::Inner, message::Message, take::Wanted};
use crate::queue::error::Result;

impl Consumer {
    /// At most `max` messages: as soon as there is one, those that there are; none when `wait` has
    /// passed. What is due again comes first, then what is new, each in the order of sequence
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
            let taken = self.take(Wanted::messages(max)).await?.messages;
            if !taken.is_empty() || clock.now() >= until {
                let messages = taken.into_iter().map(|taken| Message::new(self.clone(), taken));
                return Ok(messages.collect());
            }
            let due = self.next_due().min(until);
            match select(woken, pin!(clock.sleep_until(due))).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    /// What is known of the consumer.
    pub fn info(&self) -> ConsumerInfo {
        ConsumerInfo::of(&self.stream, &self.inner)
    }

    /// When something is to be delivered that is not now.
    pub(super) fn next_due(&self) -> u64 {
        let due = self.inner.deliveries.borrow().redelivery().next().unwrap_or(u64::MAX);
        let paused = self.inner.config.borrow().paused_until();
        let now = self.stream.clock.now();
        if paused > now { paused } else { due }
    }
}

/// Counts as one who waits, as long as it lives.
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
