//! What streams and consumers are told to be, with JetStream's names, defaults and checks.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    error::{Error, Result},
    subject,
};

/// When a stream lets go of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// When the limits say so.
    #[default]
    Limits,
    /// When every consumer that it is for has acknowledged it. Not stored when there is none.
    Interest,
    /// When it is acknowledged.
    WorkQueue,
}

/// What a full stream does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// Lets go of its oldest messages.
    #[default]
    Old,
    /// Refuses new ones.
    New,
}

/// The configuration of a stream. Limits of -1 are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The subjects whose messages it stores; its own name when none is given.
    pub subjects: Vec<String>,
    /// When it lets go of a message.
    pub retention: Retention,
    /// How many consumers it may have.
    pub max_consumers: i64,
    /// How many messages it holds.
    pub max_msgs: i64,
    /// How many bytes its messages have together.
    pub max_bytes: i64,
    /// How long it holds a message; zero is forever.
    #[serde(with = "nanoseconds")]
    pub max_age: Duration,
    /// How many messages it holds of one subject.
    pub max_msgs_per_subject: i64,
    /// How many bytes headers and payload of a message may have.
    pub max_msg_size: i64,
    /// What it does when it is full.
    pub discard: Discard,
    /// For how long a `Nats-Msg-Id` is remembered; two minutes when zero.
    #[serde(with = "nanoseconds")]
    pub duplicate_window: Duration,
    /// Whatever its maker wants to remember.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: None,
            subjects: Vec::new(),
            retention: Retention::default(),
            max_consumers: -1,
            max_msgs: -1,
            max_bytes: -1,
            max_age: Duration::ZERO,
            max_msgs_per_subject: -1,
            max_msg_size: -1,
            discard: Discard::default(),
            duplicate_window: Duration::ZERO,
            metadata: BTreeMap::new(),
        }
    }
}

/// JetStream's own default.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// The longest name of a stream or consumer.
const MAX_NAME_LENGTH: usize = 255;

/// A limit as programs read it.
pub(super) fn limit(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || ".*>/\\".contains(c);
    !name.is_empty() && name.len() <= MAX_NAME_LENGTH && !name.contains(forbidden)
}

impl StreamConfig {
    /// Checks it and fills in the defaults.
    pub(super) fn checked(mut self) -> Result<Self> {
        if !is_name(&self.name) {
            return Err(Error::stream_config(
                "stream name is required and can not contain '.', '*', '>'",
            ));
        }
        if self.subjects.is_empty() {
            self.subjects.push(self.name.clone());
        }
        for (place, filter) in self.subjects.iter().enumerate() {
            if !subject::is_valid(filter) {
                return Err(Error::stream_config("invalid subject"));
            }
            for other in &self.subjects[..place] {
                if filter == other {
                    return Err(Error::stream_config("duplicate subjects detected"));
                }
                if subject::overlap(filter, other) {
                    return Err(Error::stream_config(format!(
                        "subject \"{filter}\" overlaps with \"{other}\""
                    )));
                }
            }
        }
        for none in [
            &mut self.max_consumers,
            &mut self.max_msgs,
            &mut self.max_bytes,
            &mut self.max_msgs_per_subject,
            &mut self.max_msg_size,
        ] {
            if *none <= 0 {
                *none = -1;
            }
        }
        if self.duplicate_window.is_zero() {
            self.duplicate_window = DUPLICATE_WINDOW;
            if !self.max_age.is_zero() {
                self.duplicate_window = self.duplicate_window.min(self.max_age);
            }
        }
        if !self.max_age.is_zero() && self.duplicate_window > self.max_age {
            return Err(Error::stream_config("duplicates window can not be larger then max age"));
        }
        Ok(self)
    }

    /// Whether it stores messages of this subject.
    pub(super) fn takes(&self, literal: &str) -> bool {
        self.subjects.iter().any(|filter| subject::matches(filter, literal))
    }

    /// Whether both would store messages of one subject.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.subjects.iter().any(|one| other.subjects.iter().any(|two| subject::overlap(one, two)))
    }

    /// Whether the newest messages of a subject have to be found.
    pub(super) fn limits_subjects(&self) -> bool {
        self.max_msgs_per_subject > 0
    }
}

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
    pub(super) fn checked(mut self, stream: &StreamConfig) -> Result<Self> {
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
    pub(super) fn filters(&self) -> &[String] {
        match &self.filter_subject {
            Some(filter) => std::slice::from_ref(filter),
            None => &self.filter_subjects,
        }
    }

    /// Whether messages of this subject are for it.
    pub(super) fn takes(&self, literal: &str) -> bool {
        let filters = self.filters();
        filters.is_empty() || filters.iter().any(|filter| subject::matches(filter, literal))
    }

    /// How long to wait for the acknowledgement of the given delivery, counted from 1.
    pub(super) fn wait(&self, delivery: u64) -> Duration {
        let place = usize::try_from(delivery.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.backoff.len().checked_sub(1) {
            Some(last) => self.backoff[place.min(last)],
            None => self.ack_wait,
        }
    }
}

/// Durations as JetStream's JSON has them.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_nanos().min(i64::MAX as u128) as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }

    pub(super) mod list {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            value: &[Duration],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(value.iter().map(|wait| wait.as_nanos().min(i64::MAX as u128) as u64))
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Duration>, D::Error> {
            let waits = Vec::<u64>::deserialize(from)?;
            Ok(waits.into_iter().map(Duration::from_nanos).collect())
        }
    }
}
