//! What a consumer is told to be, with JetStream's names, defaults and checks.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    is_name, nanoseconds,
    stream::{Retention, StreamConfig},
};
use crate::queue::{
    error::{Error, Result},
    subject,
};

/// Where a consumer starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliverPolicy {
    /// At the first message.
    #[default]
    All,
    /// At the last message.
    Last,
    /// At what comes next.
    New,
    /// At `opt_start_seq`.
    ByStartSequence,
}

/// What an acknowledgement stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckPolicy {
    /// There is none: what is delivered counts as acknowledged.
    None,
    /// The message and all before it.
    All,
    /// The message.
    #[default]
    Explicit,
}

/// The configuration of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerConfig {
    /// Its name.
    pub durable_name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it starts.
    pub deliver_policy: DeliverPolicy,
    /// The sequence number to start at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_start_seq: Option<u64>,
    /// What an acknowledgement stands for.
    pub ack_policy: AckPolicy,
    /// After how long a message that was not acknowledged is delivered again.
    #[serde(with = "nanoseconds")]
    pub ack_wait: Duration,
    /// How often a message is delivered; -1 is without end.
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
    /// How many messages may be delivered and not yet acknowledged; -1 is without limit.
    pub max_ack_pending: i64,
    /// Whatever its maker wants to remember.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// JetStream's own defaults.
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_ACK_PENDING: i64 = 1000;

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            durable_name: String::new(),
            description: None,
            deliver_policy: DeliverPolicy::default(),
            opt_start_seq: None,
            ack_policy: AckPolicy::default(),
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            backoff: Vec::new(),
            filter_subject: None,
            filter_subjects: Vec::new(),
            max_ack_pending: MAX_ACK_PENDING,
            metadata: BTreeMap::new(),
        }
    }
}

impl ConsumerConfig {
    /// Checks it against its stream and fills in the defaults.
    pub(in crate::queue) fn checked(mut self, stream: &StreamConfig) -> Result<Self> {
        if self.durable_name.is_empty() {
            return Err(Error::DURABLE_NAME_NOT_SET);
        }
        if !is_name(&self.durable_name) {
            return Err(Error::BAD_DURABLE_NAME);
        }
        self.check_filters(stream)?;
        self.check_start()?;
        if self.max_deliver <= 0 {
            self.max_deliver = -1;
        }
        if self.max_ack_pending == 0 {
            self.max_ack_pending = MAX_ACK_PENDING;
        }
        if self.max_deliver > 0 && self.backoff.len() as i64 >= self.max_deliver {
            return Err(Error::MAX_DELIVER_BACKOFF);
        }
        if let Some(first) = self.backoff.first() {
            self.ack_wait = *first;
        }
        if self.ack_wait.is_zero() {
            self.ack_wait = ACK_WAIT;
        }
        if stream.retention == Retention::WorkQueue {
            if self.ack_policy != AckPolicy::Explicit {
                return Err(Error::WORKQUEUE_REQUIRES_EXPLICIT_ACK);
            }
            if self.deliver_policy != DeliverPolicy::All {
                return Err(Error::WORKQUEUE_NOT_DELIVER_ALL);
            }
        }
        Ok(self)
    }

    fn check_filters(&self, stream: &StreamConfig) -> Result<()> {
        if self.filter_subject.is_some() && !self.filter_subjects.is_empty() {
            return Err(Error::DUPLICATE_FILTER_SUBJECTS);
        }
        let filters = self.filters();
        for (place, filter) in filters.iter().enumerate() {
            if filter.is_empty() {
                return Err(Error::EMPTY_FILTER);
            }
            let inside = |outer: &String| subject::is_subset(filter, outer);
            if !subject::is_valid(filter) || !stream.subjects.iter().any(inside) {
                return Err(Error::FILTER_NOT_SUBSET);
            }
            if filters[..place].iter().any(|other| subject::overlap(filter, other)) {
                return Err(Error::OVERLAPPING_FILTERS);
            }
        }
        Ok(())
    }

    fn check_start(&self) -> Result<()> {
        match (self.deliver_policy, self.opt_start_seq) {
            (DeliverPolicy::ByStartSequence, None | Some(0)) => Err(Error::invalid_policy(
                "consumer delivery policy is deliver by start sequence, but optional start sequence is not set",
            )),
            (DeliverPolicy::ByStartSequence, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err(Error::invalid_policy(
                "consumer delivery policy is not deliver by start sequence, but optional start sequence is set",
            )),
        }
    }

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
}
