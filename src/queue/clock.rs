//! Time, which tests replace.

use std::{cell::RefCell, rc::Rc, time::Duration};

use futures::{
    FutureExt,
    channel::oneshot,
    future::{self, LocalBoxFuture},
};

use crate::platform;

/// A wall clock, in milliseconds since the Unix epoch.
pub trait Clock {
    /// The time.
    fn now(&self) -> u64;

    /// Resolves once it is `at` or later.
    fn sleep_until(&self, at: u64) -> LocalBoxFuture<'static, ()>;
}

/// The platform's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A browser may freeze a worker and throttle its timers, and the system's clock may be set: no
/// single sleep is trusted for longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        platform::unix_millis()
    }

    fn sleep_until(&self, at: u64) -> LocalBoxFuture<'static, ()> {
        async move {
            loop {
                let left = at.saturating_sub(Self.now());
                if left == 0 {
                    break;
                }
                platform::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
            }
        }
        .boxed_local()
    }
}

/// A clock that stands until it is moved; clones are the same clock.
#[derive(Clone, Default)]
pub struct ManualClock {
    inner: Rc<RefCell<Manual>>,
}

#[derive(Default)]
struct Manual {
    now: u64,
    sleeping: Vec<(u64, oneshot::Sender<()>)>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: u64) -> Self {
        Self { inner: Rc::new(RefCell::new(Manual { now, sleeping: Vec::new() })) }
    }

    /// Moves it on and wakes those that slept until then.
    pub fn advance(&self, by: Duration) {
        let mut inner = self.inner.borrow_mut();
        inner.now += by.as_millis() as u64;
        let now = inner.now;
        let woken: Vec<_> = inner.sleeping.extract_if(.., |(at, _)| *at <= now).collect();
        drop(inner);
        for (_, sender) in woken {
            // The receiver may be gone.
            let _ = sender.send(());
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> u64 {
        self.inner.borrow().now
    }

    fn sleep_until(&self, at: u64) -> LocalBoxFuture<'static, ()> {
        let mut inner = self.inner.borrow_mut();
        if at <= inner.now {
            return future::ready(()).boxed_local();
        }
        let (sender, receiver) = oneshot::channel();
        inner.sleeping.retain(|(_, sender)| !sender.is_canceled());
        inner.sleeping.push((at, sender));
        receiver.map(|_| ()).boxed_local()
    }
}
