//! The configuration of a consumer as it is stored.

use serde::{Deserialize, Serialize};

use super::selected::Selected;
use crate::queue::config::ConsumerConfig;

/// A consumer as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct ConsumerRow {
    pub(super) created: u64,
    pub(super) config: ConsumerConfig,
    #[serde(default, skip_serializing_if = "Selected::is_empty")]
    pub(super) selected: Selected,
}
