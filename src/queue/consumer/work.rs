//! Parts of the homeserver that work on a consumer's messages for as long as they live.

use std::{
    fmt::Display,
    rc::{Rc, Weak},
    time::Duration,
};

use tracing::Instrument;

use super::{handle::Consumer, message::Message};
use crate::{
    platform,
    queue::error::{Error, Result},
    store::Batch,
};

/// How long a fetch waits until it is checked that the owner is still there.
const WAIT: Duration = Duration::from_secs(600);
/// How long the first message waits for more: its publisher is answered first, and what comes
/// together is worked on together.
const GATHER: Duration = Duration::from_millis(10);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// The longest wait when nothing can be written.
const LONGEST_RETRY: Duration = Duration::from_secs(8);

impl Consumer {
    /// Waits until everything that is in the stream by now was worked on ([`work`]), for at most
    /// `patience`; returns whether it was.
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

    /// Stores all deliveries.
    async fn record_deliveries(&self) -> Result<()> {
        Ok(self.inner.submit_state(&self.stream, Batch::new())?.await?)
    }

    /// Whether there is nothing to work on. Acknowledgements are durable only once the work has
    /// ended.
    fn is_idle(&self) -> bool {
        let state = self.inner.state.borrow();
        !self.inner.progress.busy.get() && state.pending.is_empty() && state.num_pending() == 0
    }
}

/// Hands the consumer's messages to `work`, at most `max` at a time, until `owner` is gone or the
/// consumer is deleted. Messages that `work` fails on come again one by one, then after longer and
/// longer delays.
///
/// A message may be what ends the whole worker. Its stored deliveries show that, but to store each
/// delivery before the work would cost a commit. So it is done only for messages that may have been
/// delivered when a worker ended: after a start, the pending ones and the `max` messages that
/// follow are worked on one by one. With `max_deliver`, a message that ends the worker each time is
/// set aside.
pub fn work<T: ?Sized + 'static, E: Display + 'static>(
    owner: &Rc<T>,
    consumer: Consumer,
    max: usize,
    work: impl AsyncFn(Rc<T>, Vec<Message>) -> Result<(), E> + 'static,
) {
    consumer.inner.progress.records.set(true);
    let suspects = consumer.inner.state.borrow().pending.len() + max;
    let worker = Worker { owner: Rc::downgrade(owner), consumer, max, work };
    platform::spawn(async move {
        worker.work_on_suspects(suspects).await;
        while worker.work_on_next().await.is_some() {}
    });
}

/// What works on the messages of a consumer.
struct Worker<T: ?Sized, W> {
    owner: Weak<T>,
    consumer: Consumer,
    max: usize,
    work: W,
}

impl<T: ?Sized, E: Display, W: AsyncFn(Rc<T>, Vec<Message>) -> Result<(), E>> Worker<T, W> {
    /// Works on messages that may have ended the worker before, at most so many: one after the
    /// other, also among the consumers of the stream, and each once its delivery is durable.
    async fn work_on_suspects(&self, most: usize) {
        for _ in 0..most {
            let _alone = self.consumer.set.suspects.lock().await;
            let Ok(messages) = self.consumer.fetch(1, Duration::ZERO).await else { return };
            if messages.is_empty() {
                return;
            }
            self.set_busy(true);
            let recorded = self.consumer.record_deliveries().await;
            if let Err(cause) = recorded {
                tracing::error!("deliveries can't be recorded: {cause}");
            }
            if self.finish(messages).await.is_none() {
                return;
            }
        }
    }

    /// One fetch and the work on it; `None` when there will be no more.
    async fn work_on_next(&self) -> Option<()> {
        let mut messages = match self.consumer.fetch(self.max, WAIT).await {
            Ok(messages) => messages,
            Err(cause) if cause == Error::CONSUMER_NOT_FOUND => return None,
            Err(cause) => {
                self.owner.upgrade()?;
                self.log_failure(&cause);
                platform::sleep(RETRY).await;
                return Some(());
            }
        };
        self.set_busy(!messages.is_empty());
        if !messages.is_empty() && messages.len() < self.max {
            platform::sleep(GATHER).await;
            // A failure here comes again with the next fetch.
            let more = self.consumer.fetch(self.max - messages.len(), Duration::ZERO).await;
            messages.extend(more.unwrap_or_default());
        }
        if messages.is_empty() {
            return self.owner.upgrade().map(drop);
        }
        self.finish(messages).await
    }

    /// Works on messages until each is done or delayed; `None` when the owner is gone.
    async fn finish(&self, messages: Vec<Message>) -> Option<()> {
        let progress = &self.consumer.inner.progress;
        let mut groups = vec![messages];
        let mut pause = RETRY;
        while let Some(messages) = groups.pop() {
            let (consumer, count) = (&*self.consumer.inner.name, messages.len());
            let span = tracing::info_span!("work", consumer, messages = count);
            let work = (self.work)(self.owner.upgrade()?, messages.clone());
            let Err(cause) = work.instrument(span).await else { continue };
            self.log_failure(&cause);
            platform::sleep(pause).await;
            self.owner.upgrade()?;
            if self.consumer.record_deliveries().await.is_err() {
                // When nothing can be written, it is not the messages' fault.
                groups.push(messages);
                pause = LONGEST_RETRY.min(pause * 2);
                continue;
            }
            pause = RETRY;
            match &*messages {
                [message] => message.put_off(),
                // One of them may keep the others from being done.
                _ => groups.extend(messages.into_iter().rev().map(|message| vec![message])),
            }
        }
        self.set_busy(false);
        let (_, floor) = self.consumer.inner.state.borrow().ack_floor();
        progress.done.set(floor);
        progress.advanced.notify();
        Some(())
    }

    fn set_busy(&self, busy: bool) {
        self.consumer.inner.progress.busy.set(busy);
    }

    fn log_failure(&self, cause: &dyn Display) {
        tracing::error!("the consumer {} can't work: {cause}", self.consumer.inner.name);
    }
}
