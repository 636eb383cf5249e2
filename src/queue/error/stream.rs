//! What streams refuse.

use super::Error;

macro_rules! fixed {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $err_code:literal, $description:literal;)*) => {
        impl Error {$(
            $(#[doc = $doc])*
            pub const $name: Self = Self::fixed($code, $err_code, $description);
        )*}
    };
}

fixed! {
    /// A mirror takes smaller messages than its origin.
    MIRROR_MAX_MSG_SIZE = 400, 10030, "stream mirror must have max message size >= source";
    /// A mirror has sources too.
    MIRROR_WITH_SOURCES = 400, 10031, "stream mirrors can not also contain other sources";
    /// A mirror starts in two ways.
    MIRROR_START = 400, 10032, "stream mirrors can not have both start seq and start time configured";
    /// A mirror has subjects.
    MIRROR_WITH_SUBJECTS = 400, 10034, "stream mirrors can not contain subjects";
    /// A stream takes smaller messages than one of its sources.
    SOURCE_MAX_MSG_SIZE = 400, 10046, "stream source must have max message size >= target";
    /// Of what a mirror copies nothing can be changed.
    MIRROR_NOT_UPDATABLE = 400, 10055, "stream mirror configuration can not be updated";
    /// There are no servers for copies.
    REPLICAS_NOT_SUPPORTED = 500, 10074, "replicas > 1 not supported in non-clustered mode";
    /// The stream is sealed.
    STREAM_SEALED = 400, 10109, "invalid operation on sealed stream";
    /// Less than no copies.
    NEGATIVE_REPLICAS = 400, 10133, "replicas count cannot be negative";
    /// Two sources are the same.
    SOURCE_DUPLICATE = 400, 10140, "duplicate source configuration detected";
    /// A source has a name that no stream can have.
    SOURCE_INVALID_NAME = 400, 10141, "sourced stream name is invalid";
    /// A mirror's origin has a name that no stream can have.
    MIRROR_INVALID_NAME = 400, 10142, "mirrored stream name is invalid";
    /// A mirror numbers messages as its origin does.
    MIRROR_WITH_FIRST_SEQ = 400, 10143, "stream mirrors can not have first sequence configured";
    /// A source has filters in two ways.
    SOURCE_MULTIPLE_FILTERS = 400, 10144, "source with multiple subject transforms cannot also have a single subject filter";
    /// A source's filters share a subject.
    SOURCE_OVERLAPPING_FILTERS = 400, 10147, "source filters can not overlap";
    /// A mirror has filters in two ways.
    MIRROR_MULTIPLE_FILTERS = 400, 10150, "mirror with multiple subject transforms cannot also have a single subject filter";
    /// A mirror's filters share a subject.
    MIRROR_OVERLAPPING_FILTERS = 400, 10152, "mirror subject filters can not overlap";
    /// What the message expects of its subject can't be looked up now.
    EXPECTATION_NOT_READY = 503, 10163, "expected last sequence per subject temporarily unavailable";
    /// The sequence number that was expected is not the last.
    WRONG_LAST_SEQUENCE = 400, 10164, "wrong last sequence";
    /// `Nats-TTL` is no time.
    MESSAGE_TTL_INVALID = 400, 10165, "invalid per-message TTL";
    /// The stream holds all messages for the same time.
    MESSAGE_TTL_DISABLED = 400, 10166, "per-message TTL is disabled";
    /// More was published than could be stored so quickly.
    TOO_MANY_REQUESTS = 429, 10167, "too many requests";
    /// The stream has no counters.
    COUNTER_DISABLED = 400, 10168, "message counters is disabled";
    /// A counter takes nothing else.
    COUNTER_INCREMENT_MISSING = 400, 10169, "message counter increment is missing";
    /// A counter makes its payload itself.
    COUNTER_PAYLOAD = 400, 10170, "message counter has payload";
    /// `Nats-Incr` is no number.
    COUNTER_INCREMENT_INVALID = 400, 10171, "message counter increment is invalid";
    /// The last message of the subject is no counter.
    COUNTER_BROKEN = 400, 10172, "message counter is broken";
    /// A mirror takes what its origin counted.
    MIRROR_WITH_COUNTERS = 400, 10173, "stream mirrors can not also calculate counters";
    /// The stream takes no atomic batches.
    ATOMIC_DISABLED = 400, 10174, "atomic publish is disabled";
    /// A message of an atomic batch has no place in it.
    ATOMIC_MISSING_SEQUENCE = 400, 10175, "atomic publish sequence is missing";
    /// Messages of an atomic batch are missing.
    ATOMIC_INCOMPLETE = 400, 10176, "atomic publish batch is incomplete";
    /// An atomic batch has an id that can't be used.
    ATOMIC_INVALID_ID = 400, 10179, "atomic publish batch ID is invalid";
    /// The stream's last sequence number is not yet so high.
    MIN_LAST_SEQUENCE = 412, 10180, "min last sequence";
    /// A mirror publishes nothing by itself.
    MIRROR_WITH_SCHEDULES = 400, 10186, "stream mirrors can not also schedule messages";
    /// A stream that copies others publishes nothing by itself.
    SOURCE_WITH_SCHEDULES = 400, 10187, "stream source can not also schedule messages";
    /// The stream schedules no messages.
    SCHEDULES_DISABLED = 400, 10188, "message schedules is disabled";
    /// `Nats-Schedule` is none.
    SCHEDULE_PATTERN_INVALID = 400, 10189, "message schedules pattern is invalid";
    /// `Nats-Schedule-Target` can't be published to.
    SCHEDULE_TARGET_INVALID = 400, 10190, "message schedules target is invalid";
    /// `Nats-Schedule-TTL` is no time.
    SCHEDULE_TTL_INVALID = 400, 10191, "message schedules invalid per-message TTL";
    /// A schedule rolls up what it must not.
    SCHEDULE_ROLLUP_INVALID = 400, 10192, "message schedules invalid rollup";
    /// A subject is named to expect something of, and nothing is expected.
    EXPECTATION_INVALID = 400, 10193, "missing sequence for expected last sequence per subject";
    /// A mirror takes what its origin committed.
    MIRROR_WITH_ATOMIC = 400, 10198, "stream mirrors can not also use atomic publishing";
    /// `Nats-Batch-Commit` says something else than that.
    ATOMIC_INVALID_COMMIT = 400, 10200, "atomic publish batch commit is invalid";
    /// An atomic batch has a message that the stream has already.
    ATOMIC_DUPLICATE = 400, 10201, "atomic publish batch contains duplicate message id";
    /// `Nats-Schedule-Source` can't be read from.
    SCHEDULE_SOURCE_INVALID = 400, 10203, "message schedules source is invalid";
    /// The stream takes no fast batches.
    BATCH_DISABLED = 400, 10205, "batch publish is disabled";
    /// A fast batch's reply subject is none.
    BATCH_INVALID_PATTERN = 400, 10206, "batch publish pattern is invalid";
    /// A fast batch has an id that can't be used.
    BATCH_INVALID_ID = 400, 10207, "batch publish ID is invalid";
    /// A message of a fast batch came that was never begun, or is over.
    BATCH_UNKNOWN_ID = 400, 10208, "batch publish ID unknown";
    /// A mirror takes no publishes.
    MIRROR_WITH_BATCHED = 400, 10209, "stream mirrors can not also use batch publishing";
    /// As many atomic batches are under way as may be.
    ATOMIC_TOO_MANY = 429, 10210, "atomic publish too many inflight";
    /// As many fast batches are under way as may be.
    BATCH_TOO_MANY = 429, 10211, "batch publish too many inflight";
    /// `Nats-Scheduler` is not what it says.
    SCHEDULE_SCHEDULER_INVALID = 400, 10212, "message schedules invalid scheduler";
    /// A mirror's consumer can't be used.
    MIRROR_CONSUMER_INVALID = 400, 10213, "stream mirror consumer config is invalid";
    /// A mirror's consumer is acknowledged otherwise.
    MIRROR_CONSUMER_ACK_POLICY = 400, 10214, "stream mirror consumer requires flow control ack policy";
    /// A source's consumer can't be used.
    SOURCE_CONSUMER_INVALID = 400, 10215, "stream source consumer config is invalid";
    /// Two sources have one consumer.
    SOURCE_CONSUMER_DUPLICATE = 400, 10216, "duplicate stream source consumer detected";
    /// A source's consumer is acknowledged otherwise.
    SOURCE_CONSUMER_ACK_POLICY = 400, 10217, "stream source consumer requires flow control ack policy";
    /// `Nats-Schedule-Time-Zone` is unknown.
    SCHEDULE_ZONE_INVALID = 400, 10223, "message schedules time zone is invalid";
}

impl Error {
    /// The configuration of a stream can't be used.
    pub(in crate::queue) fn stream_config(description: impl Into<String>) -> Self {
        Self::told(500, 10052, description)
    }

    /// The stream can't be made.
    pub(in crate::queue) fn stream_create(description: impl Into<String>) -> Self {
        Self::told(500, 10049, description)
    }

    /// The configuration of a stream can't be changed so.
    pub(in crate::queue) fn stream_update(description: impl Into<String>) -> Self {
        Self::told(500, 10069, description)
    }

    /// A default would have changed what was asked for.
    pub(in crate::queue) fn pedantic(description: &str) -> Self {
        Self::told(400, 10157, format!("pedantic mode: {description}"))
    }

    pub(in crate::queue) fn source_filter(cause: String) -> Self {
        Self::told(400, 10145, format!("source transform source: {cause}"))
    }

    pub(in crate::queue) fn source_transform(cause: String) -> Self {
        Self::told(400, 10146, format!("source transform: {cause}"))
    }

    pub(in crate::queue) fn mirror_filter(cause: String) -> Self {
        Self::told(400, 10151, format!("mirror transform source: {cause}"))
    }

    pub(in crate::queue) fn mirror_transform(cause: String) -> Self {
        Self::told(400, 10154, format!("mirror transform: {cause}"))
    }

    pub(in crate::queue) fn transform_source(cause: String) -> Self {
        Self::told(400, 10155, format!("stream transform source: {cause}"))
    }

    pub(in crate::queue) fn transform_destination(cause: String) -> Self {
        Self::told(400, 10156, format!("stream transform: {cause}"))
    }

    /// `Nats-Expected-Last-Sequence` or its like is not the last sequence number.
    pub(in crate::queue) fn wrong_last_sequence(sequence: u64) -> Self {
        Self::told(400, 10071, format!("wrong last sequence: {sequence}"))
    }

    /// `Nats-Expected-Last-Msg-Id` is not the id of the last message.
    pub(in crate::queue) fn wrong_last_id(id: &str) -> Self {
        Self::told(400, 10070, format!("wrong last msg ID: {id}"))
    }

    /// The message could not be stored.
    pub(in crate::queue) fn store_failed(description: impl Into<String>) -> Self {
        Self::told(503, 10077, description)
    }

    /// There is no message any longer that could be deleted.
    pub(in crate::queue) fn sequence_not_found(sequence: u64) -> Self {
        Self::told(400, 10043, format!("sequence {sequence} not found"))
    }

    /// The message can't be deleted.
    pub(in crate::queue) fn message_delete(description: impl Into<String>) -> Self {
        Self::told(500, 10057, description)
    }

    /// What the store holds of the stream can't be read.
    pub(in crate::queue) fn stream_offline(cause: &str) -> Self {
        Self::told(500, Self::OFFLINE, format!("stream is offline: {cause}"))
    }

    /// The stream can't be purged.
    pub(in crate::queue) fn purge(description: impl Into<String>) -> Self {
        Self::told(500, 10110, description)
    }

    /// The message can't take the place of those before it.
    pub(in crate::queue) fn rollup(description: impl Into<String>) -> Self {
        Self::told(500, 10111, description)
    }

    /// A header that can't be part of an atomic batch.
    pub(in crate::queue) fn atomic_header(name: &str) -> Self {
        Self::told(400, 10177, format!("atomic publish unsupported header used: {name}"))
    }

    /// An atomic batch with more messages than it may have.
    pub(in crate::queue) fn atomic_too_large(most: usize) -> Self {
        Self::told(400, 10199, format!("atomic publish batch is too large: {most}"))
    }
}
