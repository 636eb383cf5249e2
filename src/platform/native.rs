//! The platform natively: a single-threaded tokio runtime.

use std::{
    future::Future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Runs a program of this crate: its tasks all live on this thread.
///
/// # Panics
/// When the operating system refuses to make a runtime.
#[expect(clippy::expect_used, reason = "a program has nothing to go on with then")]
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("the operating system gives a timer");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// Milliseconds since the Unix epoch, negative when it is still to come.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is asked")]
pub(super) fn wall_clock() -> f64 {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as f64,
        Err(until) => -(until.duration().as_millis() as f64),
    }
}

pub(super) fn spawn_task(future: impl Future<Output = ()> + 'static) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_before_the_epoch() {
        for (time, expected) in [
            (UNIX_EPOCH + Duration::from_millis(1_700_000_000_123), 1_700_000_000_123),
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH - Duration::from_secs(1), 0),
        ] {
            assert_eq!(millis(time) as u64, expected);
        }
    }
}
