//! The same requests to a real nats-server and to the queue, and their answers side by side.
//!
//! Needs `nats-server` on the PATH (Debian has one); says so and passes where there is none. What
//! that server's version does not have is left out of the queue's answers, and what differs on
//! purpose is listed in differential/compare.rs and docs/queue.md.

#![cfg(not(target_arch = "wasm32"))]

#[path = "differential/mod.rs"]
mod differential;
mod support;

use differential::{Both, scenarios};

macro_rules! compare {
    ($since:expr; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            let Some(both) = Both::start($since) else { return };
            neurite::platform::run(both.compare(async |side| scenarios::$name(side).await));
        }
    )*};
}

compare! {
    "2.9";
    stream_admin
    stream_configurations
    stream_updates
    publishes
    gets
    purges
    limits
    republishing
    work_queues_and_interest
    consumer_admin
    consumer_configurations
    pulls
    acknowledgements
    pushes
    advisories
    key_value
    redeliveries
    groups
    removals
    headers
    copies
}

compare! {
    "2.14";
    lowered_limits
    expected_of_patterns
    batches_that_expect
    nulls
    strictness
    newer_streams
    counters_and_batches
    times_to_live
    newer_consumers
    fast_batches
    lines
    ends
    bound
    odd_consumers
    limited_consumers
    shared_work
    filters_that_overlap
    acknowledging_nothing
    pauses
    times_below_zero
    purged_consumers
    deleted_before_acknowledged
    headers_of_clients
    copies_that_are_odd
    direct_gets_by_mirrors
}
