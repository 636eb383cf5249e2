//! A part of the homeserver that works on a consumer's messages for as long as it lives.

use std::{
    fmt::Display,
    rc::{Rc, Weak},
    time::Duration,
};

use super::{Consumer, Message};
use crate::{platform, queue::Error};

/// How long a fetch waits before it looks whether its owner is still there.
const WAIT: Duration = Duration::from_secs(600);
/// How long the first message waits for more: whoever published it is answered first, and what
/// comes together is worked on together.
const GATHER: Duration = Duration::from_millis(10);
/// How long nothing is fetched after a failure.
const RETRY: Duration = Duration::from_secs(1);

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
    Some(work(owner, messages).await.map_err(|cause| cause.to_string()))
}
