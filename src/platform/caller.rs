//! Who waits for an answer, as who works on it sees them.

use std::{convert::Infallible, future::Future};

use futures::{
    FutureExt,
    channel::oneshot,
    future::{Either, Shared, select},
};

/// Who waits for an answer. They may leave, which ends waiting and nothing else: what waits for
/// something to come does so by [`Caller::wait_for`], and all other work goes on to its end.
/// By default somebody who never leaves.
#[derive(Clone, Debug, Default)]
pub struct Caller(Option<Shared<oneshot::Receiver<Infallible>>>);

/// Somebody waits as long as this is there.
#[derive(Debug)]
pub struct Waiting {
    _leaves_when_dropped: oneshot::Sender<Infallible>,
}

impl Caller {
    /// Somebody who leaves when the second half is dropped.
    pub fn new() -> (Self, Waiting) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(receiver.shared())), Waiting { _leaves_when_dropped: sender })
    }

    /// Runs `future` while they wait; `None` when they left, whereupon it is dropped unfinished. So
    /// it must be one that only waits or reads.
    pub async fn wait_for<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let Some(left) = &self.0 else { return Some(future.await) };
        match select(std::pin::pin!(future), left.clone()).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }
}
