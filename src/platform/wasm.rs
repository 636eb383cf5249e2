//! The platform in a browser: the event loop of the worker.

use std::{future::Future, time::Duration};

use futures::channel::oneshot;
use gloo::timers::callback::Timeout;

/// Lets `future` run by itself on the event loop.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// Resolves after `duration`; a hidden page may resolve later, since browsers throttle its timers.
pub async fn sleep(duration: Duration) {
    let (sender, receiver) = oneshot::channel();
    // Browsers count in whole milliseconds up to 2³¹; a longer sleep is cut there.
    let milliseconds = duration.as_millis().min(i32::MAX as u128) as u32;
    // Dropped with this future, which cancels it.
    let _timeout = Timeout::new(milliseconds, move || {
        // The receiver is gone only when nobody waits any longer.
        let _ = sender.send(());
    });
    // The sender is dropped only with the timeout.
    let _ = receiver.await;
}
