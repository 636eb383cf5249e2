//! What the machine below gives: clock, timers, tasks, who waits for them, randomness, locks, large
//! values, and another thread for what would hold this one for long.
//!
//! With `store::indexeddb` and `web`, the only place that knows whether it is in a browser.

#[cfg(feature = "homeserver")]
mod argon2id;
mod blob;
#[cfg(feature = "homeserver")]
mod caller;
#[cfg(all(feature = "homeserver", target_arch = "wasm32"))]
pub mod helper;
#[cfg(feature = "homeserver")]
pub mod http;
#[cfg(feature = "homeserver")]
pub mod images;
mod keyed_mutex;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod notify;
mod turns;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(all(feature = "homeserver", target_arch = "wasm32"))]
pub(crate) use argon2id::compute as compute_argon2id;
#[cfg(feature = "homeserver")]
pub use argon2id::{Secret, argon2id};
pub use blob::{Blob, UnreadableBlob};
#[cfg(feature = "homeserver")]
pub use caller::{Caller, Waiting};
pub use keyed_mutex::{KeyedGuard, KeyedMutex};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{next_turn, run, sleep, utc_offset};
#[cfg(not(target_arch = "wasm32"))]
use native::{spawn_task, wall_clock};
pub use notify::Notify;
pub use turns::give_way;
#[cfg(target_arch = "wasm32")]
pub use wasm::{next_turn, sleep, utc_offset};
#[cfg(target_arch = "wasm32")]
use wasm::{spawn_task, wall_clock};

use std::{future::Future, time::Duration};

use futures::future::{Either, select};
#[cfg(feature = "homeserver")]
use ruma::MilliSecondsSinceUnixEpoch;

/// The wall clock, in milliseconds since the Unix epoch; of one that was set to before it, the
/// epoch. Nothing else asks the clock (see `clippy.toml`): other ways panic at such a one.
pub fn unix_millis() -> u64 {
    // A negative number becomes 0.
    wall_clock() as u64
}

/// The wall clock, as Matrix has it.
#[cfg(feature = "homeserver")]
pub fn now() -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(ruma::UInt::new_saturating(unix_millis()))
}

/// Lets `future` run by itself: natively inside [`run`], in a browser on the event loop.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    spawn_task(turns::in_turns(future));
}

/// Runs `future` for at most `limit`; `None` when the time ran out first.
pub async fn timeout<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(std::pin::pin!(future), std::pin::pin!(sleep(limit))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// A string of `length` letters and digits from the platform's secure randomness.
pub fn random_string(length: usize) -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), length)
}
