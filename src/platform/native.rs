//! The platform natively: a single-threaded tokio runtime.

use std::{future::Future, time::Duration};

/// Runs a program of this crate: its tasks all live on this thread.
///
/// # Panics
/// When the operating system refuses to make a runtime.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("the operating system gives a timer");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Lets `future` run by itself; must be called inside [`run`].
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    tokio::task::spawn_local(future);
}

/// Resolves after `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}
