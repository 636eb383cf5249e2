//! Whether a consumer is paused.

use serde::Serialize;

use crate::queue::time::{Timestamp, or_zero};

/// Whether a consumer is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Whether it is paused.
    pub paused: bool,
    /// Until when.
    #[serde(serialize_with = "or_zero")]
    pub pause_until: Option<Timestamp>,
    /// For how long from now on, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub pause_remaining: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
