//! Waiting for a batch to become durable.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures::channel::oneshot;

use super::{Error, Result};

/// A submitted batch; resolves when it is durable or has failed. Dropping it changes nothing.
#[must_use = "a batch is durable only when its commit has resolved"]
pub struct Commit {
    state: State,
}

/// Resolves a [`Commit`].
pub struct Outcome {
    sender: oneshot::Sender<Result<()>>,
}

enum State {
    Refused(Error),
    Submitted(oneshot::Receiver<Result<()>>),
}

impl Commit {
    /// Of a batch that was not taken.
    pub fn refused(cause: Error) -> Self {
        Self { state: State::Refused(cause) }
    }

    /// Of a batch that was taken, and what tells it the outcome.
    pub fn pending() -> (Outcome, Self) {
        let (sender, receiver) = oneshot::channel();
        (Outcome { sender }, Self { state: State::Submitted(receiver) })
    }
}

impl Outcome {
    /// Tells it.
    pub fn is(self, outcome: Result<()>) {
        // Who has dropped the commit does not want to know.
        let _ = self.sender.send(outcome);
    }
}

impl Future for Commit {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.state {
            State::Refused(cause) => Poll::Ready(Err(cause.clone())),
            State::Submitted(receiver) => {
                let gone = || Err(Error::Closed("the store was dropped".to_owned()));
                Pin::new(receiver).poll(context).map(|outcome| outcome.unwrap_or_else(|_| gone()))
            }
        }
    }
}
