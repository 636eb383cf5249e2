//! All errors: for JetStream's its HTTP-like code, its error code and its description, in the order of
//! the error codes; for the protocol's what a client gets in `-ERR`; and the statuses that stand for a
//! message that does not come. The words are nats-server's.

use std::{borrow::Cow, fmt::Display, rc::Rc};

use super::{refusal::Error, status::Status};

/// Makes a constant of each error with a fixed description, and a function of each whose description
/// says something more.
macro_rules! jetstream_errors {
    ($($(#[$doc:meta])* $name:ident $(($more:ident))? = $code:literal, $err_code:literal, $text:literal;)*) => {
        impl Error {
            $(jetstream_errors! { @one [$(#[$doc])*] $name $(($more))? = $code, $err_code, $text })*
        }

        #[cfg(test)]
        const ERR_CODES: &[u32] = &[$($err_code),*];
    };
    (@one [$(#[$doc:meta])*] $name:ident = $code:literal, $err_code:literal, $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        $(#[$doc])*
        pub const $name: Self =
            Self { code: $code, err_code: $err_code, description: Cow::Borrowed($text) };
    };
    (@one [$(#[$doc:meta])*] $name:ident ($more:ident) = $code:literal, $err_code:literal, $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        $(#[$doc])*
        pub(in crate::queue) fn $name($more: impl Display) -> Self {
            Self { code: $code, err_code: $err_code, description: Cow::Owned(format!($text)) }
        }
    };
}

jetstream_errors! {
    /// No stream takes the subject: what core NATS says when nobody listens.
    NO_RESPONDERS = 503, 0, "no responders";
    BAD_REQUEST = 400, 10003, "bad request";
    CLUSTER_REQUIRED = 503, 10010, "JetStream clustering support required";
    consumer_create(cause) = 500, 10012, "{cause}";
    /// Somebody listens to the subject that a consumer of that name pushes to.
    CONSUMER_NAME_IN_USE = 400, 10013, "consumer name already in use";
    CONSUMER_NOT_FOUND = 404, 10014, "consumer not found";
    SNAPSHOT_SUBJECT_INVALID = 400, 10015, "deliver subject not valid";
    DURABLE_NOT_IN_SUBJECT = 400, 10016, "consumer expected to be durable but no durable name set in subject";
    DURABLE_DOES_NOT_MATCH = 400, 10017, "consumer name in subject does not match durable name in request";
    DURABLE_NAME_NOT_SET = 400, 10018, "consumer expected to be durable but a durable name was not set";
    EPHEMERAL_WITH_DURABLE = 400, 10020, "consumer expected to be ephemeral but a durable name was set in request";
    /// The request is no JSON, or has fields that mean nothing.
    invalid_json(cause) = 400, 10025, "invalid JSON: {cause}";
    MAXIMUM_CONSUMERS = 400, 10026, "maximum consumers limit reached";
    MIRROR_MAX_MSG_SIZE = 400, 10030, "stream mirror must have max message size >= source";
    MIRROR_WITH_SOURCES = 400, 10031, "stream mirrors can not also contain other sources";
    MIRROR_START = 400, 10032, "stream mirrors can not have both start seq and start time configured";
    MIRROR_WITH_SUBJECTS = 400, 10034, "stream mirrors can not contain subjects";
    NO_MESSAGE_FOUND = 404, 10037, "no message found";
    NOT_EMPTY_REQUEST = 400, 10038, "expected an empty request payload";
    sequence_not_found(sequence) = 400, 10043, "sequence {sequence} not found";
    SOURCE_MAX_MSG_SIZE = 400, 10046, "stream source must have max message size >= target";
    INSUFFICIENT_STORAGE = 500, 10047, "insufficient storage resources available";
    stream_create(cause) = 500, 10049, "{cause}";
    /// The stream or consumer is the program's own. nats-server has none of these: there 10051 is what
    /// can't be done to a stream for a reason that is given in words.
    RESERVED = 403, 10051, "clients do not change what is the server's own";
    /// The configuration of a stream can't be used.
    stream_config(cause) = 500, 10052, "{cause}";
    MESSAGE_TOO_LARGE = 400, 10054, "message size exceeds maximum allowed";
    MIRROR_NOT_UPDATABLE = 400, 10055, "stream mirror configuration can not be updated";
    STREAM_MISMATCH = 400, 10056, "stream name in subject does not match request";
    message_delete(cause) = 500, 10057, "{cause}";
    STREAM_NAME_IN_USE = 400, 10058, "stream name already in use with a different configuration";
    STREAM_NOT_FOUND = 404, 10059, "stream not found";
    /// `Nats-Expected-Stream` names another stream.
    STREAM_DOES_NOT_MATCH = 400, 10060, "expected stream does not match";
    restore(cause) = 500, 10062, "restore failed: {cause}";
    SUBJECTS_OVERLAP = 400, 10065, "subjects overlap with an existing stream";
    /// The configuration of a stream can't be changed so.
    stream_update(cause) = 500, 10069, "{cause}";
    /// `Nats-Expected-Last-Msg-Id` is not the id of the last message.
    wrong_last_id(id) = 400, 10070, "wrong last msg ID: {id}";
    /// `Nats-Expected-Last-Sequence` or its like is not the last sequence number.
    wrong_last_sequence(sequence) = 400, 10071, "wrong last sequence: {sequence}";
    REPLICAS_NOT_SUPPORTED = 500, 10074, "replicas > 1 not supported in non-clustered mode";
    /// The message could not be stored.
    store_failed(cause) = 503, 10077, "{cause}";
    DELIVER_TO_WILDCARDS = 400, 10079, "consumer deliver subject has wildcards";
    PUSH_WITH_MAX_WAITING = 400, 10080, "consumer in push mode can not set max waiting";
    DELIVER_CYCLE = 400, 10081, "consumer deliver subject forms a cycle";
    MAX_ACK_PENDING_NEEDS_ACKS = 400, 10082, "consumer requires ack policy for max ack pending";
    SMALL_HEARTBEAT = 400, 10083, "consumer idle heartbeat needs to be >= 100ms";
    PULL_REQUIRES_ACK = 400, 10084, "consumer in pull mode requires explicit ack policy on workqueue stream";
    PULL_WITH_RATE_LIMIT = 400, 10086, "consumer in pull mode can not have rate limit set";
    HEARTBEAT_NEEDS_PUSH = 400, 10088, "consumer idle heartbeat requires a push based consumer";
    FLOW_CONTROL_NEEDS_PUSH = 400, 10089, "consumer flow control requires a push based consumer";
    DIRECT_NEEDS_PUSH = 400, 10090, "consumer direct requires a push based consumer";
    DIRECT_NEEDS_EPHEMERAL = 400, 10091, "consumer direct requires an ephemeral consumer";
    FILTER_NOT_SUBSET = 400, 10093, "consumer filter subject is not a valid subset of the interest subjects";
    /// The policies of a consumer don't go together.
    invalid_policy(cause) = 400, 10094, "{cause}";
    /// `sample_freq` is no share of a hundred.
    invalid_sampling(cause) = 400, 10095, "failed to parse consumer sampling configuration: {cause}";
    HEADERS_TOO_LARGE = 400, 10097, "header size exceeds maximum allowed of 64k";
    WORKQUEUE_REQUIRES_EXPLICIT_ACK = 400, 10098, "workqueue stream requires explicit ack";
    WORKQUEUE_MULTIPLE_UNFILTERED = 400, 10099, "multiple non-filtered consumers not allowed on workqueue stream";
    WORKQUEUE_CONSUMER_NOT_UNIQUE = 400, 10100, "filtered consumer not unique on workqueue stream";
    WORKQUEUE_NOT_DELIVER_ALL = 400, 10101, "consumer must be deliver all on workqueue stream";
    consumer_name_length(most) = 400, 10102, "consumer name is too long, maximum allowed is {most}";
    consumer_description(most) = 400, 10107, "consumer description is too long, maximum allowed is {most}";
    FLOW_CONTROL_NEEDS_HEARTBEATS = 400, 10108, "consumer with flow control also needs heartbeats";
    STREAM_SEALED = 400, 10109, "invalid operation on sealed stream";
    purge(cause) = 500, 10110, "{cause}";
    /// The message can't take the place of those before it.
    rollup(cause) = 500, 10111, "{cause}";
    INVALID_DELIVER_SUBJECT = 400, 10112, "invalid push consumer deliver subject";
    SMALL_MAX_EXPIRES = 400, 10115, "consumer max request expires needs to be >= 1ms";
    MAX_DELIVER_BACKOFF = 400, 10116, "max deliver is required to be > length of backoff values";
    max_ack_pending_excess(limit) = 400, 10121, "consumer max ack pending exceeds system limit of {limit}";
    REPLICAS_EXCEED_STREAM = 400, 10126, "consumer config replica count exceeds parent stream";
    CONSUMER_NAME_SEPARATORS = 400, 10127, "Consumer name can not contain path separators";
    STREAM_NAME_SEPARATORS = 400, 10128, "Stream name can not contain path separators";
    NAME_EXISTS_FOR_RESTORE = 400, 10130, "stream name already in use, cannot restore";
    FILTER_DOES_NOT_MATCH = 400, 10131, "Consumer create request did not match filtered subject from create subject";
    DURABLE_AND_NAME_DIFFER = 400, 10132, "Consumer Durable and Name have to be equal if both are provided";
    NEGATIVE_REPLICAS = 400, 10133, "replicas count cannot be negative";
    consumer_metadata(most) = 400, 10135, "consumer metadata exceeds maximum size of {most}";
    DUPLICATE_FILTER_SUBJECTS = 400, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified";
    MULTIPLE_FILTERS_IN_SUBJECT = 400, 10137, "consumer with multiple subject filters cannot use subject based API";
    OVERLAPPING_FILTERS = 400, 10138, "consumer subject filters cannot overlap";
    EMPTY_FILTER = 400, 10139, "consumer filter in FilterSubjects cannot be empty";
    SOURCE_DUPLICATE = 400, 10140, "duplicate source configuration detected";
    SOURCE_INVALID_NAME = 400, 10141, "sourced stream name is invalid";
    MIRROR_INVALID_NAME = 400, 10142, "mirrored stream name is invalid";
    MIRROR_WITH_FIRST_SEQ = 400, 10143, "stream mirrors can not have first sequence configured";
    SOURCE_MULTIPLE_FILTERS = 400, 10144, "source with multiple subject transforms cannot also have a single subject filter";
    source_filter(cause) = 400, 10145, "source transform source: {cause}";
    source_transform(cause) = 400, 10146, "source transform: {cause}";
    SOURCE_OVERLAPPING_FILTERS = 400, 10147, "source filters can not overlap";
    CONSUMER_ALREADY_EXISTS = 400, 10148, "consumer already exists";
    CONSUMER_DOES_NOT_EXIST = 400, 10149, "consumer does not exist";
    MIRROR_MULTIPLE_FILTERS = 400, 10150, "mirror with multiple subject transforms cannot also have a single subject filter";
    mirror_filter(cause) = 400, 10151, "mirror transform source: {cause}";
    MIRROR_OVERLAPPING_FILTERS = 400, 10152, "mirror subject filters can not overlap";
    inactive_threshold_excess(limit) = 400, 10153, "consumer inactive threshold exceeds system limit of {limit}";
    mirror_transform(cause) = 400, 10154, "mirror transform: {cause}";
    transform_source(cause) = 400, 10155, "stream transform source: {cause}";
    transform_destination(cause) = 400, 10156, "stream transform: {cause}";
    /// A default would have changed what was asked for.
    pedantic(cause) = 400, 10157, "pedantic mode: {cause}";
    POLICY_WITHOUT_GROUP = 400, 10159, "Setting PriorityPolicy requires at least one PriorityGroup to be set";
    NO_SUCH_GROUP = 400, 10160, "Provided priority group does not exist for this consumer";
    EMPTY_GROUP = 400, 10161, "Group name cannot be an empty string";
    INVALID_GROUP = 400, 10162, "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters";
    /// What a message expects of its subject has not been looked up.
    EXPECTATION_NOT_READY = 503, 10163, "expected last sequence per subject temporarily unavailable";
    WRONG_LAST_SEQUENCE = 400, 10164, "wrong last sequence";
    MESSAGE_TTL_INVALID = 400, 10165, "invalid per-message TTL";
    MESSAGE_TTL_DISABLED = 400, 10166, "per-message TTL is disabled";
    /// More was published than could be stored so quickly.
    TOO_MANY_REQUESTS = 429, 10167, "too many requests";
    COUNTER_DISABLED = 400, 10168, "message counters is disabled";
    COUNTER_INCREMENT_MISSING = 400, 10169, "message counter increment is missing";
    COUNTER_PAYLOAD = 400, 10170, "message counter has payload";
    COUNTER_INCREMENT_INVALID = 400, 10171, "message counter increment is invalid";
    /// The last message of the subject is no counter.
    COUNTER_BROKEN = 400, 10172, "message counter is broken";
    MIRROR_WITH_COUNTERS = 400, 10173, "stream mirrors can not also calculate counters";
    ATOMIC_DISABLED = 400, 10174, "atomic publish is disabled";
    ATOMIC_MISSING_SEQUENCE = 400, 10175, "atomic publish sequence is missing";
    ATOMIC_INCOMPLETE = 400, 10176, "atomic publish batch is incomplete";
    atomic_header(name) = 400, 10177, "atomic publish unsupported header used: {name}";
    PUSH_WITH_GROUPS = 400, 10178, "priority groups can not be used with push consumers";
    ATOMIC_INVALID_ID = 400, 10179, "atomic publish batch ID is invalid";
    MIN_LAST_SEQUENCE = 412, 10180, "min last sequence";
    NEGATIVE_ACK_WAIT = 400, 10183, "consumer ack wait needs to be positive";
    NEGATIVE_BACKOFF = 400, 10184, "consumer backoff needs to be positive";
    /// ADR-44
    REQUIRED_API_LEVEL = 412, 10185, "JetStream minimum api level required";
    MIRROR_WITH_SCHEDULES = 400, 10186, "stream mirrors can not also schedule messages";
    SOURCE_WITH_SCHEDULES = 400, 10187, "stream source can not also schedule messages";
    SCHEDULES_DISABLED = 400, 10188, "message schedules is disabled";
    SCHEDULE_PATTERN_INVALID = 400, 10189, "message schedules pattern is invalid";
    SCHEDULE_TARGET_INVALID = 400, 10190, "message schedules target is invalid";
    SCHEDULE_TTL_INVALID = 400, 10191, "message schedules invalid per-message TTL";
    SCHEDULE_ROLLUP_INVALID = 400, 10192, "message schedules invalid rollup";
    EXPECTATION_INVALID = 400, 10193, "missing sequence for expected last sequence per subject";
    /// What the store holds of the stream can't be read.
    stream_offline(cause) = 500, 10194, "stream is offline: {cause}";
    /// What the store holds of the consumer can't be read.
    consumer_offline(cause) = 500, 10195, "consumer is offline: {cause}";
    GROUPS_WITHOUT_POLICY = 400, 10196, "consumer can not have priority groups when policy is none";
    TIMEOUT_WITHOUT_POLICY = 400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none";
    MIRROR_WITH_ATOMIC = 400, 10198, "stream mirrors can not also use atomic publishing";
    atomic_too_large(most) = 400, 10199, "atomic publish batch is too large: {most}";
    ATOMIC_INVALID_COMMIT = 400, 10200, "atomic publish batch commit is invalid";
    ATOMIC_DUPLICATE = 400, 10201, "atomic publish batch contains duplicate message id";
    SCHEDULE_SOURCE_INVALID = 400, 10203, "message schedules source is invalid";
    invalid_reset(cause) = 400, 10204, "invalid reset: {cause}";
    BATCH_DISABLED = 400, 10205, "batch publish is disabled";
    BATCH_INVALID_PATTERN = 400, 10206, "batch publish pattern is invalid";
    BATCH_INVALID_ID = 400, 10207, "batch publish ID is invalid";
    /// A message of a fast batch that never began, or is over.
    BATCH_UNKNOWN_ID = 400, 10208, "batch publish ID unknown";
    MIRROR_WITH_BATCHED = 400, 10209, "stream mirrors can not also use batch publishing";
    ATOMIC_TOO_MANY = 429, 10210, "atomic publish too many inflight";
    BATCH_TOO_MANY = 429, 10211, "batch publish too many inflight";
    SCHEDULE_SCHEDULER_INVALID = 400, 10212, "message schedules invalid scheduler";
    MIRROR_CONSUMER_INVALID = 400, 10213, "stream mirror consumer config is invalid";
    MIRROR_CONSUMER_ACK_POLICY = 400, 10214, "stream mirror consumer requires flow control ack policy";
    SOURCE_CONSUMER_INVALID = 400, 10215, "stream source consumer config is invalid";
    SOURCE_CONSUMER_DUPLICATE = 400, 10216, "duplicate stream source consumer detected";
    SOURCE_CONSUMER_ACK_POLICY = 400, 10217, "stream source consumer requires flow control ack policy";
    ACK_FLOW_CONTROL_NEEDS_PUSH = 400, 10218, "flow control ack policy requires a push based consumer";
    ACK_FLOW_CONTROL_NEEDS_FLOW_CONTROL = 400, 10219, "flow control ack policy requires flow control";
    ACK_FLOW_CONTROL_NEEDS_MAX_PENDING = 400, 10220, "flow control ack policy requires max ack pending";
    ACK_FLOW_CONTROL_WITH_ACK_WAIT = 400, 10221, "flow control ack policy requires unset ack wait";
    ACK_FLOW_CONTROL_WITH_MAX_DELIVER = 400, 10222, "flow control ack policy requires unset max deliver";
    SCHEDULE_ZONE_INVALID = 400, 10223, "message schedules time zone is invalid";
}

/// Makes the errors of the protocol, and which of them end the connection.
macro_rules! protocol_errors {
    ($($(#[$doc:meta])* $name:ident $(($more:ty))? = $text:literal, $then:ident;)*) => {
        /// Why a client of the protocol is refused something.
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum ProtocolError {$(
            #[doc = concat!("`", $text, "`")]
            $(#[$doc])*
            #[error($text)]
            $name $(($more))?,
        )*}

        impl ProtocolError {
            /// Whether the connection goes on.
            pub fn is_harmless(&self) -> bool {
                match self {
                    $(Self::$name { .. } => protocol_errors!(@ $then),)*
                }
            }
        }
    };
    (@ goes_on) => { true };
    (@ closes) => { false };
}

protocol_errors! {
    InvalidSubject = "Invalid Subject", goes_on;
    InvalidPublishSubject = "Invalid Publish Subject", goes_on;
    InvalidQueueName = "Invalid Queue Name", goes_on;
    PublishForbidden(Rc<str>) = "Permissions Violation for Publish to {0:?}", goes_on;
    /// No such command, or a message that does not end where it says.
    UnknownOperation = "Unknown Protocol Operation", closes;
    /// A command without what it needs.
    Parser = "Parser Error", closes;
    MaxControlLine = "maximum control line exceeded", closes;
    MaxPayload = "Maximum Payload Violation", closes;
    HeadersNotSupported = "message headers not supported", closes;
    NoRespondersRequiresHeaders = "no responders requires headers support", closes;
    /// The client takes what it is sent too slowly.
    SlowConsumer = "Slow Consumer", closes;
    /// The client does not answer.
    Stale = "Stale Connection", closes;
}

/// Makes the statuses.
macro_rules! statuses {
    ($($name:ident $(($more:ident))? = $code:literal, $text:literal;)*) => {
        impl Status {
            $(statuses! { @one $name $(($more))? = $code, $text })*
        }
    };
    (@one $name:ident = $code:literal, $text:literal) => {
        pub(in crate::queue) const $name: Self =
            Self { code: $code, description: Cow::Borrowed($text) };
    };
    (@one $name:ident ($more:ident) = $code:literal, $text:literal) => {
        pub(in crate::queue) fn $name($more: impl Display) -> Self {
            Self { code: $code, description: Cow::Owned(format!($text)) }
        }
    };
}

statuses! {
    IDLE_HEARTBEAT = 100, "Idle Heartbeat";
    FLOW_CONTROL_REQUEST = 100, "FlowControl Request";
    SNAPSHOT_END = 204, "";
    END_OF_BATCH = 204, "EOB";
    bad_pull_request(cause) = 400, "Bad Request - {cause}";
    NO_MESSAGES = 404, "No Messages";
    MESSAGE_NOT_FOUND = 404, "Message Not Found";
    NO_RESULTS = 404, "No Results";
    BAD_REQUEST = 408, "Bad Request";
    EMPTY_REQUEST = 408, "Empty Request";
    MALFORMED_REQUEST = 408, "Malformed Request";
    REQUESTS_PENDING = 408, "Requests Pending";
    REQUEST_TIMEOUT = 408, "Request Timeout";
    NO_INTEREST = 408, "No Interest";
    NO_FLOW_RESPONSE = 408, "No Flow Response";
    BATCH_COMPLETED = 409, "Batch Completed";
    MESSAGE_SIZE_EXCEEDS_MAX_BYTES = 409, "Message Size Exceeds MaxBytes";
    CONSUMER_DELETED = 409, "Consumer Deleted";
    CONSUMER_IS_PUSH_BASED = 409, "Consumer is push based";
    EXCEEDED_MAX_WAITING = 409, "Exceeded MaxWaiting";
    exceeded_max_request_batch(most) = 409, "Exceeded MaxRequestBatch of {most}";
    exceeded_max_request_expires(longest) = 409, "Exceeded MaxRequestExpires of {longest}";
    exceeded_max_request_max_bytes(most) = 409, "Exceeded MaxRequestMaxBytes of {most}";
    REQUIRED_API_LEVEL = 412, "Required Api Level";
    TOO_MANY_RESULTS = 413, "Too Many Results";
    WRONG_PIN_ID = 423, "Nats-Wrong-Pin-Id";
    PIN_ID_MISMATCH = 423, "Nats-Pin-Id mismatch";
    snapshot_failed(cause) = 500, "{cause}";
    NO_RESPONDERS = 503, "";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_a_code_of_its_own() {
        assert!(ERR_CODES.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn descriptions_take_what_is_to_be_said() {
        let error = Error::wrong_last_sequence(7);
        assert_eq!((error.code, error.err_code), (400, 10071));
        assert_eq!(error.description, "wrong last sequence: 7");
        let forbidden = ProtocolError::PublishForbidden("a.b".into());
        assert_eq!(forbidden.to_string(), r#"Permissions Violation for Publish to "a.b""#);
        assert!(forbidden.is_harmless() && !ProtocolError::Stale.is_harmless());
    }
}
