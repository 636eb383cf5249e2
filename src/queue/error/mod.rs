//! Errors with JetStream's codes and descriptions.

mod api;
mod consumer;
mod stream;

use std::borrow::Cow;

use crate::store;

/// A refusal, as JetStream words it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub struct Error {
    /// The class of the error, as in HTTP.
    pub code: u16,
    /// Which error it is; programs look at this.
    #[serde(skip_serializing_if = "is_zero")]
    pub err_code: u32,
    /// What a person is told.
    pub description: Cow<'static, str>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(code: &u32) -> bool {
    *code == 0
}

/// A result of the queue.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    const fn fixed(code: u16, err_code: u32, description: &'static str) -> Self {
        Self { code, err_code, description: Cow::Borrowed(description) }
    }

    fn told(code: u16, err_code: u32, description: impl Into<String>) -> Self {
        Self { code, err_code, description: Cow::Owned(description.into()) }
    }

    /// What is stored can't be read: the `err_code` of such errors.
    pub(super) const OFFLINE: u32 = 10194;

    /// No stream takes the subject: what core NATS says when nobody listens.
    pub const NO_RESPONDERS: Self = Self::fixed(503, 0, "no responders");
    /// The request has a part that can't be used.
    pub const BAD_REQUEST: Self = Self::fixed(400, 10003, "bad request");
    /// The stream has no such consumer.
    pub const CONSUMER_NOT_FOUND: Self = Self::fixed(404, 10014, "consumer not found");
    /// The stream has as many consumers as it may have.
    pub const MAXIMUM_CONSUMERS: Self = Self::fixed(400, 10026, "maximum consumers limit reached");
    /// There is no message with that sequence number.
    pub const NO_MESSAGE_FOUND: Self = Self::fixed(404, 10037, "no message found");
    /// The message is larger than the stream takes.
    pub const MESSAGE_TOO_LARGE: Self =
        Self::fixed(400, 10054, "message size exceeds maximum allowed");
    /// A stream of that name exists and is configured otherwise.
    pub const STREAM_NAME_IN_USE: Self =
        Self::fixed(400, 10058, "stream name already in use with a different configuration");
    /// The stream or consumer is the program's own; nats-server has none of these, and 10051 for what
    /// is said of a stream in words.
    pub const RESERVED: Self =
        Self::fixed(403, 10051, "clients do not change what is the server's own");
    /// There is no such stream.
    pub const STREAM_NOT_FOUND: Self = Self::fixed(404, 10059, "stream not found");
    /// `Nats-Expected-Stream` names another stream.
    pub const STREAM_DOES_NOT_MATCH: Self =
        Self::fixed(400, 10060, "expected stream does not match");
    /// Another stream takes some of the subjects.
    pub const SUBJECTS_OVERLAP: Self =
        Self::fixed(400, 10065, "subjects overlap with an existing stream");
    /// The filter lies outside of the stream's subjects.
    pub const FILTER_NOT_SUBSET: Self = Self::fixed(
        400,
        10093,
        "consumer filter subject is not a valid subset of the interest subjects",
    );
    /// The headers are too large.
    pub const HEADERS_TOO_LARGE: Self =
        Self::fixed(400, 10097, "header size exceeds maximum allowed of 64k");
    /// A work queue's consumers acknowledge each message.
    pub const WORKQUEUE_REQUIRES_EXPLICIT_ACK: Self =
        Self::fixed(400, 10098, "workqueue stream requires explicit ack");
    /// A work queue has at most one consumer without a filter.
    pub const WORKQUEUE_MULTIPLE_UNFILTERED: Self =
        Self::fixed(400, 10099, "multiple non-filtered consumers not allowed on workqueue stream");
    /// A work queue's consumers share no subject.
    pub const WORKQUEUE_CONSUMER_NOT_UNIQUE: Self =
        Self::fixed(400, 10100, "filtered consumer not unique on workqueue stream");
    /// A work queue's consumers start at the first message.
    pub const WORKQUEUE_NOT_DELIVER_ALL: Self =
        Self::fixed(400, 10101, "consumer must be deliver all on workqueue stream");
    /// There are more steps of backoff than deliveries.
    pub const MAX_DELIVER_BACKOFF: Self =
        Self::fixed(400, 10116, "max deliver is required to be > length of backoff values");
    /// Only one of the two ways to give filters may be used.
    pub const DUPLICATE_FILTER_SUBJECTS: Self = Self::fixed(
        400,
        10136,
        "consumer cannot have both FilterSubject and FilterSubjects specified",
    );
    /// A consumer's filters share no subject.
    pub const OVERLAPPING_FILTERS: Self =
        Self::fixed(400, 10138, "consumer subject filters cannot overlap");
    /// A filter is empty.
    pub const EMPTY_FILTER: Self =
        Self::fixed(400, 10139, "consumer filter in FilterSubjects cannot be empty");
    /// The consumer needs a name.
    pub const DURABLE_NAME_NOT_SET: Self =
        Self::fixed(400, 10018, "consumer expected to be durable but a durable name was not set");

    /// There is no more room.
    pub const INSUFFICIENT_STORAGE: Self =
        Self::fixed(500, 10047, "insufficient storage resources available");

    /// The configuration of a consumer can't be used.
    pub(super) fn consumer_create(description: impl Into<String>) -> Self {
        Self::told(500, 10012, description)
    }

    /// The policies of a consumer don't go together.
    pub(super) fn invalid_policy(description: impl Into<String>) -> Self {
        Self::told(400, 10094, description)
    }
}

impl From<store::Error> for Error {
    fn from(cause: store::Error) -> Self {
        match cause {
            store::Error::QuotaExceeded => Self::INSUFFICIENT_STORAGE,
            store::Error::Corrupt(cause) => Self::stream_offline(&cause),
            cause => Self::store_failed(cause.to_string()),
        }
    }
}

#[cfg(feature = "homeserver")]
impl From<Error> for crate::Error {
    fn from(cause: Error) -> Self {
        match cause {
            cause if cause == Error::INSUFFICIENT_STORAGE => store::Error::QuotaExceeded.into(),
            cause => Self::internal(cause),
        }
    }
}
