//! How the API was used.

use std::cell::Cell;

/// How many requests were answered, how many of them with an error, and how many are in flight.
#[derive(Default)]
pub(super) struct Stats {
    pub(super) total: Cell<u64>,
    pub(super) errors: Cell<u64>,
    pub(super) in_flight: Cell<u64>,
}
