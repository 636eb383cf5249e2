//! What the API refuses before anybody else looks at a request.

use super::Error;

impl Error {
    /// It takes more servers than one.
    pub const CLUSTER_REQUIRED: Self =
        Self::fixed(503, 10010, "JetStream clustering support required");
    /// The consumer that is made is durable, and its name is not in the subject.
    pub const DURABLE_NOT_IN_SUBJECT: Self = Self::fixed(
        400,
        10016,
        "consumer expected to be durable but no durable name set in subject",
    );
    /// The subject says another name than the request.
    pub const DURABLE_DOES_NOT_MATCH: Self =
        Self::fixed(400, 10017, "consumer name in subject does not match durable name in request");
    /// A request for an ephemeral consumer names a durable one.
    pub const EPHEMERAL_WITH_DURABLE: Self = Self::fixed(
        400,
        10020,
        "consumer expected to be ephemeral but a durable name was set in request",
    );
    /// A snapshot can't be sent there.
    pub const SNAPSHOT_SUBJECT_INVALID: Self = Self::fixed(400, 10015, "deliver subject not valid");
    /// What is restored is there already.
    pub const NAME_EXISTS_FOR_RESTORE: Self =
        Self::fixed(400, 10130, "stream name already in use, cannot restore");
    /// The request takes no payload.
    pub const NOT_EMPTY_REQUEST: Self =
        Self::fixed(400, 10038, "expected an empty request payload");
    /// The subject says another stream than the request.
    pub const STREAM_MISMATCH: Self =
        Self::fixed(400, 10056, "stream name in subject does not match request");
    /// A consumer's name is none.
    pub const CONSUMER_NAME_SEPARATORS: Self =
        Self::fixed(400, 10127, "Consumer name can not contain path separators");
    /// A stream's name is none.
    pub const STREAM_NAME_SEPARATORS: Self =
        Self::fixed(400, 10128, "Stream name can not contain path separators");
    /// The subject says another filter than the request.
    pub const FILTER_DOES_NOT_MATCH: Self = Self::fixed(
        400,
        10131,
        "Consumer create request did not match filtered subject from create subject",
    );
    /// A subject has room for one filter.
    pub const MULTIPLE_FILTERS_IN_SUBJECT: Self = Self::fixed(
        400,
        10137,
        "consumer with multiple subject filters cannot use subject based API",
    );
    /// The client wants more than there is. ADR-44
    pub const REQUIRED_API_LEVEL: Self =
        Self::fixed(412, 10185, "JetStream minimum api level required");

    /// A snapshot can't be made a stream.
    pub(in crate::queue) fn restore(cause: &str) -> Self {
        Self::told(500, 10062, format!("restore failed: {cause}"))
    }

    /// The request is no JSON, or has fields that mean nothing.
    pub(in crate::queue) fn invalid_json(cause: impl std::fmt::Display) -> Self {
        Self::told(400, 10025, format!("invalid JSON: {cause}"))
    }
}

impl From<serde_json::Error> for Error {
    fn from(cause: serde_json::Error) -> Self {
        Self::invalid_json(cause)
    }
}
