//! The configuration of a consumer, with JetStream's names.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::json::{is_false, is_zero, nanoseconds};
use crate::queue::{subject, time::Timestamp};

/// Where a consumer starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliverPolicy {
    /// At the first message.
    #[default]
    All,
    /// At the last message.
    Last,
    /// At the next message.
    New,
    /// At `opt_start_seq`.
    ByStartSequence,
    /// At the first message that was stored at `opt_start_time` or later.
    ByStartTime,
    /// With the last message of each subject, then at the next message.
    LastPerSubject,
}

/// Which messages an acknowledgement stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckPolicy {
    /// There are none: what is delivered counts as acknowledged.
    None,
    /// The message and all before it.
    All,
    /// The message.
    #[default]
    Explicit,
    /// The message and all before it, by answers to flow control.
    FlowControl,
}

/// How fast messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayPolicy {
    /// As fast as possible.
    #[default]
    Instant,
    /// At the pace at which they were stored.
    Original,
}

/// How the members of a priority group share messages. ADR-42
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorityPolicy {
    /// There is no group.
    #[default]
    None,
    /// Requests may say how many messages must be waiting before they are served.
    Overflow,
    /// One client is served until it leaves.
    PinnedClient,
    /// Requests have priorities.
    Prioritized,
}

/// The configuration of a consumer. Durations of zero and numbers of 0 are the defaults, limits of
/// -1 are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerConfig {
    /// Its name, when it is durable.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub durable_name: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it starts.
    pub deliver_policy: DeliverPolicy,
    /// The sequence number to start at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_start_seq: Option<u64>,
    /// The time to start at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_start_time: Option<Timestamp>,
    /// Which messages an acknowledgement stands for. In JSON the default is `none`.
    #[serde(default = "unsaid")]
    pub ack_policy: AckPolicy,
    /// After how long a message that is not acknowledged is redelivered; 30 s.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub ack_wait: Duration,
    /// How often a message is delivered; without limit.
    pub max_deliver: i64,
    /// The waits between deliveries, instead of `ack_wait`; the last one repeats.
    #[serde(with = "nanoseconds::list", skip_serializing_if = "Vec::is_empty")]
    pub backoff: Vec<Duration>,
    /// Only messages of these subjects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_subject: Option<String>,
    /// Only messages of one of these subjects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filter_subjects: Vec<String>,
    /// How fast messages are delivered.
    pub replay_policy: ReplayPolicy,
    /// How many bits a second are pushed.
    #[serde(skip_serializing_if = "is_zero")]
    pub rate_limit_bps: u64,
    /// For how many percent of the acknowledgements there is a metric.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sample_freq: String,
    /// How many pull requests may wait; 512.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_waiting: i64,
    /// How many messages may be delivered and not yet acknowledged; 1,000.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ack_pending: i64,
    /// Whether clients answer flow control.
    #[serde(skip_serializing_if = "is_false")]
    pub flow_control: bool,
    /// Whether payloads are left out.
    #[serde(skip_serializing_if = "is_false")]
    pub headers_only: bool,
    /// How many messages a pull request may ask for.
    #[serde(rename = "max_batch", skip_serializing_if = "is_zero")]
    pub max_request_batch: i64,
    /// How long a pull request may wait.
    #[serde(
        rename = "max_expires",
        with = "nanoseconds",
        skip_serializing_if = "Duration::is_zero"
    )]
    pub max_request_expires: Duration,
    /// How many bytes a pull request may ask for.
    #[serde(rename = "max_bytes", skip_serializing_if = "is_zero")]
    pub max_request_max_bytes: i64,
    /// The subject that messages are pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_subject: Option<String>,
    /// The queue group that they are pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver_group: Option<String>,
    /// After how long without a message a heartbeat is sent.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub idle_heartbeat: Duration,
    /// After how long without interest it is deleted; 5 s unless it is durable.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub inactive_threshold: Duration,
    /// How many servers hold its state; there is one.
    pub num_replicas: i64,
    /// Whether its state is only in memory.
    #[serde(skip_serializing_if = "is_false")]
    pub mem_storage: bool,
    /// Whether it is a stream's own, for sourcing.
    #[serde(skip_serializing_if = "is_false")]
    pub direct: bool,
    /// Whether it is for sourcing.
    #[serde(skip_serializing_if = "is_false")]
    pub sourcing: bool,
    /// Metadata of its creator.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Until when nothing is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_until: Option<Timestamp>,
    /// The groups that pull requests belong to. ADR-42
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_groups: Vec<String>,
    /// How the members of a group share messages.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_policy: PriorityPolicy,
    /// After how long without a request another client is served; 2 min.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub priority_timeout: Duration,
}

fn is_default(policy: &PriorityPolicy) -> bool {
    *policy == PriorityPolicy::None
}

fn unsaid() -> AckPolicy {
    AckPolicy::None
}

impl ConsumerConfig {
    /// Its filters; none is everything.
    pub(in crate::queue) fn filters(&self) -> &[String] {
        match &self.filter_subject {
            Some(filter) => std::slice::from_ref(filter),
            None => &self.filter_subjects,
        }
    }

    /// Whether messages of this subject are for it.
    pub(in crate::queue) fn takes(&self, literal: &str) -> bool {
        let filters = self.filters();
        filters.is_empty() || filters.iter().any(|filter| subject::matches(filter, literal))
    }

    /// How long to wait for the acknowledgement of the given delivery, counted from 1.
    pub(in crate::queue) fn wait(&self, delivery: u64) -> Duration {
        let place = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.backoff.len().checked_sub(1) {
            Some(last) => self.backoff[place.min(last)],
            None => self.ack_wait,
        }
    }

    /// How often a message is delivered at most, where that is limited.
    pub(in crate::queue) fn max_deliveries(&self) -> Option<u64> {
        u64::try_from(self.max_deliver).ok()
    }

    /// Whether messages are pushed.
    pub(in crate::queue) fn is_push(&self) -> bool {
        self.deliver_subject.is_some()
    }

    /// Whether acknowledgements are waited for.
    pub(in crate::queue) fn acknowledges(&self) -> bool {
        self.ack_policy != AckPolicy::None
    }

    /// For how many percent of the acknowledgements there is a metric; `None` when `sample_freq` is
    /// invalid.
    pub(in crate::queue) fn sampled(&self) -> Option<u64> {
        if self.sample_freq.is_empty() {
            return Some(0);
        }
        let share = self.sample_freq.strip_suffix('%').unwrap_or(&self.sample_freq);
        share.parse().ok()
    }

    /// Until when it is paused, in milliseconds since the epoch.
    pub(in crate::queue) fn paused_until(&self) -> u64 {
        self.pause_until.map_or(0, Timestamp::millis_up)
    }
}
