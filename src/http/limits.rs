//! spec: client-server §Rate limiting

use std::{cell::RefCell, collections::HashMap, time::Duration};

use web_time::Instant;

use crate::{Error, Result};

/// How many buckets are kept at most.
const BUCKETS: usize = 10_000;

/// What is limited, with how much of it may come at once and how much a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Requests of one user that change something.
    Changes,
    /// Such requests of everybody who is not logged in: nothing here tells them apart.
    Anonymous,
    /// Passwords given for one account.
    Passwords,
}

impl Limit {
    fn burst_and_rate(self) -> (f64, f64) {
        match self {
            Self::Changes => (1000.0, 100.0),
            Self::Anonymous => (100.0, 5.0),
            Self::Passwords => (30.0, 0.2),
        }
    }
}

/// A token bucket for each client and limit.
#[derive(Default)]
pub struct RateLimits {
    disabled: bool,
    buckets: RefCell<HashMap<(Limit, String), Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl RateLimits {
    /// Limits that hold, or none.
    pub fn new(enabled: bool) -> Self {
        Self { disabled: !enabled, buckets: RefCell::default() }
    }

    /// Takes one from the bucket of a sender, or of everybody who is not known.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` when it is empty, with the time until it is not.
    pub fn take(&self, limit: Limit, sender: Option<&str>) -> Result<()> {
        if self.disabled {
            return Ok(());
        }
        let (burst, rate) = limit.burst_and_rate();
        let now = Instant::now();
        let mut buckets = self.buckets.borrow_mut();
        if buckets.len() >= BUCKETS {
            // A full bucket is as good as none.
            buckets.retain(|(limit, _), bucket| {
                let (burst, rate) = limit.burst_and_rate();
                bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * rate < burst
            });
        }
        let client = sender.map(ToOwned::to_owned).unwrap_or_default();
        let full = || Bucket { tokens: burst, filled: now };
        let bucket = buckets.entry((limit, client)).or_insert_with(full);
        let filled = now.duration_since(bucket.filled).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + filled).min(burst);
        bucket.filled = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let missing = (1.0 - bucket.tokens) / rate;
        Err(Error::limit_exceeded(Duration::from_secs_f64(missing.ceil())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_runs_empty_for_its_user_only_and_says_when_it_fills() {
        let limits = RateLimits::new(true);
        let (alice, bob) = ("@alice:a.test", "@bob:a.test");
        for _ in 0..30 {
            limits.take(Limit::Passwords, Some(alice)).unwrap();
        }
        let response = limits.take(Limit::Passwords, Some(alice)).unwrap_err().into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "5");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["errcode"], "M_LIMIT_EXCEEDED");
        assert_eq!(body["retry_after_ms"], 5000);
        limits.take(Limit::Passwords, Some(bob)).unwrap();
        limits.take(Limit::Changes, Some(alice)).unwrap();
        RateLimits::new(false).take(Limit::Passwords, Some(alice)).unwrap();
    }
}
