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

/// Resolves once the other tasks that can go on have done so.
pub async fn next_turn() {
    tokio::task::yield_now().await;
}

/// How many seconds the clocks of a time zone are ahead of UTC, so many seconds after the Unix
/// epoch; `None` when there is no such zone.
pub fn utc_offset(zone: &str, at: i64) -> Option<i64> {
    let zone = match zone {
        "Local" => jiff::tz::TimeZone::system(),
        zone => jiff::tz::TimeZone::get(zone).ok()?,
    };
    let at = jiff::Timestamp::from_second(at).ok()?;
    Some(zone.to_offset(at).seconds().into())
}
