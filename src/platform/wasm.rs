//! The platform in a browser: the event loop of the worker.

use std::{future::Future, time::Duration};

/// Lets `future` run by itself on the event loop.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// Resolves after `duration`; a hidden page may resolve later, since browsers throttle its timers.
pub async fn sleep(duration: Duration) {
    gloo::timers::future::sleep(duration).await;
}
