//! The configuration of a stream, with JetStream's names and defaults.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    json::{is_false, is_zero, nanoseconds},
    values::limit,
};
use crate::queue::{subject, time::Timestamp};

/// When a stream removes a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// When it exceeds the limits.
    #[default]
    Limits,
    /// When every consumer that it is for has acknowledged it. It is not stored when there is none.
    Interest,
    /// When it is acknowledged.
    WorkQueue,
}

/// What a stream does at its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// It removes its oldest messages.
    #[default]
    Old,
    /// It refuses new ones.
    New,
}

/// Where a stream keeps its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// In the store.
    #[default]
    File,
    /// In memory: they are gone with the queue.
    Memory,
}

/// How messages are compressed. It is remembered and changes nothing: the store has its own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With S2.
    S2,
}

/// When a publish is acknowledged. ADR-56
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersistMode {
    /// When it is durable.
    #[default]
    #[serde(alias = "")]
    Default,
    /// Perhaps before.
    Async,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// When it removes a message.
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
    /// What it does at its limits.
    pub discard: Discard,
    /// Where it keeps its messages.
    pub storage: Storage,
    /// How many replicas there are: one.
    pub num_replicas: i64,
    /// Whether publishes are not answered.
    #[serde(skip_serializing_if = "is_false")]
    pub no_ack: bool,
    /// For how long a `Nats-Msg-Id` is remembered; two minutes when zero.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub duplicate_window: Duration,
    /// Where it should be in a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// The stream that it is a mirror of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<StreamSource>,
    /// The streams that it sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<StreamSource>,
    /// How messages are compressed.
    pub compression: Compression,
    /// The first sequence number, if not 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub first_seq: u64,
    /// How subjects are transformed before anything else. ADR-30
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_transform: Option<SubjectTransform>,
    /// Where stored messages are republished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub republish: Option<Republish>,
    /// Whether messages can be got from `$JS.API.DIRECT.GET`. ADR-31
    pub allow_direct: bool,
    /// Whether a mirror answers direct gets from its origin.
    pub mirror_direct: bool,
    /// Whether [`Discard::New`] applies to `max_msgs_per_subject` too.
    #[serde(skip_serializing_if = "is_false")]
    pub discard_new_per_subject: bool,
    /// Whether messages can be neither added nor removed.
    pub sealed: bool,
    /// Whether no message can be deleted.
    pub deny_delete: bool,
    /// Whether it can't be purged.
    pub deny_purge: bool,
    /// Whether a message can take the place of all before it.
    pub allow_rollup_hdrs: bool,
    /// Limits and defaults of its consumers.
    pub consumer_limits: ConsumerLimits,
    /// Whether messages can say how long they are held. ADR-43
    pub allow_msg_ttl: bool,
    /// How long a delete marker is held after the last message of a subject. ADR-43
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub subject_delete_marker_ttl: Duration,
    /// Whether its subjects are counters. ADR-49
    #[serde(skip_serializing_if = "is_false")]
    pub allow_msg_counter: bool,
    /// Whether messages can be stored together or not at all. ADR-50
    #[serde(skip_serializing_if = "is_false")]
    pub allow_atomic: bool,
    /// Whether messages can be scheduled. ADR-51
    #[serde(skip_serializing_if = "is_false")]
    pub allow_msg_schedules: bool,
    /// When a publish is acknowledged.
    #[serde(skip_serializing_if = "PersistMode::is_default")]
    pub persist_mode: PersistMode,
    /// Whether it takes fast batches. ADR-50
    #[serde(skip_serializing_if = "is_false")]
    pub allow_batched: bool,
    /// Metadata of its creator.
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
            storage: Storage::default(),
            num_replicas: 1,
            no_ack: false,
            duplicate_window: Duration::ZERO,
            placement: None,
            mirror: None,
            sources: Vec::new(),
            compression: Compression::default(),
            first_seq: 0,
            subject_transform: None,
            republish: None,
            allow_direct: false,
            mirror_direct: false,
            discard_new_per_subject: false,
            sealed: false,
            deny_delete: false,
            deny_purge: false,
            allow_rollup_hdrs: false,
            consumer_limits: ConsumerLimits::default(),
            allow_msg_ttl: false,
            subject_delete_marker_ttl: Duration::ZERO,
            allow_msg_counter: false,
            allow_atomic: false,
            allow_msg_schedules: false,
            persist_mode: PersistMode::default(),
            allow_batched: false,
            metadata: BTreeMap::new(),
        }
    }
}

/// Where a stream should be in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// In this cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// On servers with these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// On this server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub preferred: String,
}

/// Limits of the consumers of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerLimits {
    /// Of `inactive_threshold`.
    #[serde(with = "nanoseconds", skip_serializing_if = "Duration::is_zero")]
    pub inactive_threshold: Duration,
    /// Of `max_ack_pending`.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ack_pending: i64,
}

/// A subject transform. ADR-30
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubjectTransform {
    /// Subjects that match this filter.
    pub src: String,
    /// The destination.
    pub dest: String,
}

/// Where stored messages are republished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Republish {
    /// Subjects that match this filter; all when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub src: String,
    /// The destination.
    pub dest: String,
    /// Whether payloads are left out.
    #[serde(skip_serializing_if = "is_false")]
    pub headers_only: bool,
}

/// A mirrored or sourced stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamSource {
    /// Its name.
    pub name: String,
    /// From this sequence number on.
    #[serde(skip_serializing_if = "is_zero")]
    pub opt_start_seq: u64,
    /// From this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_start_time: Option<Timestamp>,
    /// Only messages of these subjects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// Only messages of these subjects, transformed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_transforms: Vec<SubjectTransform>,
    /// How to reach it on another server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalStream>,
    /// The consumer of it to source through. ADR-60
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<SourceConsumer>,
}

/// How a stream on another server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalStream {
    /// The prefix of its API's subjects.
    pub api: String,
    /// The prefix of the subjects that it delivers to.
    pub deliver: String,
}

/// A consumer that a stream is sourced through. ADR-60
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceConsumer {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The subject that it delivers to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deliver_subject: String,
}

impl StreamConfig {
    /// Whether it stores messages of this subject.
    pub(in crate::queue) fn takes(&self, literal: &str) -> bool {
        self.subjects.iter().any(|filter| subject::matches(filter, literal))
    }

    /// Whether both would store messages of one subject.
    pub(in crate::queue) fn overlaps(&self, other: &Self) -> bool {
        self.subjects.iter().any(|one| other.subjects.iter().any(|two| subject::overlap(one, two)))
    }

    /// Whether acknowledged messages are removed.
    pub(in crate::queue) fn removes_acked(&self) -> bool {
        self.retention != Retention::Limits
    }

    /// How many messages, and bytes, there may be before the oldest are removed. With
    /// [`Discard::New`] none are removed, even after the limits were lowered.
    pub(in crate::queue) fn max_kept(&self) -> (u64, u64) {
        match self.discard {
            Discard::Old => (limit(self.max_msgs), limit(self.max_bytes)),
            Discard::New => (u64::MAX, u64::MAX),
        }
    }

    /// Whether the number of messages of a subject is limited.
    pub(in crate::queue) fn limits_subjects(&self) -> bool {
        self.max_msgs_per_subject > 0
    }

    /// The shortest time to live of a message in seconds, where there are delete markers.
    pub(in crate::queue) fn least_ttl(&self) -> u64 {
        match self.max_msgs_per_subject {
            1 => 0,
            _ => self.subject_delete_marker_ttl.as_secs(),
        }
    }
}

impl PersistMode {
    fn is_default(&self) -> bool {
        *self == Self::Default
    }
}
