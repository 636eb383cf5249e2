//! What consumers refuse.

use std::time::Duration;

use super::Error;

impl Error {
    /// Somebody listens to where a consumer of that name pushes to.
    pub const CONSUMER_NAME_IN_USE: Self = Self::fixed(400, 10013, "consumer name already in use");
    /// What is pulled from a work queue is acknowledged.
    pub const PULL_REQUIRES_ACK: Self = Self::fixed(
        400,
        10084,
        "consumer in pull mode requires explicit ack policy on workqueue stream",
    );
    /// A stream's own consumer pushes
    pub const DIRECT_NEEDS_PUSH: Self =
        Self::fixed(400, 10090, "consumer direct requires a push based consumer");
    /// and is gone with it.
    pub const DIRECT_NEEDS_EPHEMERAL: Self =
        Self::fixed(400, 10091, "consumer direct requires an ephemeral consumer");
    /// What messages are pushed to is one subject.
    pub const DELIVER_TO_WILDCARDS: Self =
        Self::fixed(400, 10079, "consumer deliver subject has wildcards");
    /// Nothing waits for what is pushed.
    pub const PUSH_WITH_MAX_WAITING: Self =
        Self::fixed(400, 10080, "consumer in push mode can not set max waiting");
    /// What is pushed would be stored again.
    pub const DELIVER_CYCLE: Self =
        Self::fixed(400, 10081, "consumer deliver subject forms a cycle");
    /// What is not acknowledged is not limited.
    pub const MAX_ACK_PENDING_NEEDS_ACKS: Self =
        Self::fixed(400, 10082, "consumer requires ack policy for max ack pending");
    /// Heartbeats are too frequent.
    pub const SMALL_HEARTBEAT: Self =
        Self::fixed(400, 10083, "consumer idle heartbeat needs to be >= 100ms");
    /// Who pulls sets the rate.
    pub const PULL_WITH_RATE_LIMIT: Self =
        Self::fixed(400, 10086, "consumer in pull mode can not have rate limit set");
    /// Pull requests ask for heartbeats themselves.
    pub const HEARTBEAT_NEEDS_PUSH: Self =
        Self::fixed(400, 10088, "consumer idle heartbeat requires a push based consumer");
    /// Who pulls controls the flow.
    pub const FLOW_CONTROL_NEEDS_PUSH: Self =
        Self::fixed(400, 10089, "consumer flow control requires a push based consumer");
    /// A stalled flow is noticed by heartbeats.
    pub const FLOW_CONTROL_NEEDS_HEARTBEATS: Self =
        Self::fixed(400, 10108, "consumer with flow control also needs heartbeats");
    /// What messages are pushed to is no subject.
    pub const INVALID_DELIVER_SUBJECT: Self =
        Self::fixed(400, 10112, "invalid push consumer deliver subject");
    /// A request may wait at least so long.
    pub const SMALL_MAX_EXPIRES: Self =
        Self::fixed(400, 10115, "consumer max request expires needs to be >= 1ms");
    /// There is one server.
    pub const REPLICAS_EXCEED_STREAM: Self =
        Self::fixed(400, 10126, "consumer config replica count exceeds parent stream");
    /// Acknowledgements are waited for.
    pub const NEGATIVE_ACK_WAIT: Self =
        Self::fixed(400, 10183, "consumer ack wait needs to be positive");
    /// Redelivery waits.
    pub const NEGATIVE_BACKOFF: Self =
        Self::fixed(400, 10184, "consumer backoff needs to be positive");
    /// A consumer has one name.
    pub const DURABLE_AND_NAME_DIFFER: Self =
        Self::fixed(400, 10132, "Consumer Durable and Name have to be equal if both are provided");
    /// It was to be made, and is there.
    pub const CONSUMER_ALREADY_EXISTS: Self = Self::fixed(400, 10148, "consumer already exists");
    /// It was to be changed, and is not there.
    pub const CONSUMER_DOES_NOT_EXIST: Self = Self::fixed(400, 10149, "consumer does not exist");
    /// A policy is about groups.
    pub const POLICY_WITHOUT_GROUP: Self = Self::fixed(
        400,
        10159,
        "Setting PriorityPolicy requires at least one PriorityGroup to be set",
    );
    /// The consumer has no such group.
    pub const NO_SUCH_GROUP: Self =
        Self::fixed(400, 10160, "Provided priority group does not exist for this consumer");
    /// A group has a name.
    pub const EMPTY_GROUP: Self = Self::fixed(400, 10161, "Group name cannot be an empty string");
    /// The name of a group is none.
    pub const INVALID_GROUP: Self = Self::fixed(
        400,
        10162,
        "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters",
    );
    /// Groups are of pull requests.
    pub const PUSH_WITH_GROUPS: Self =
        Self::fixed(400, 10178, "priority groups can not be used with push consumers");
    /// Groups need a policy.
    pub const GROUPS_WITHOUT_POLICY: Self =
        Self::fixed(400, 10196, "consumer can not have priority groups when policy is none");
    /// A timeout is about groups.
    pub const TIMEOUT_WITHOUT_POLICY: Self =
        Self::fixed(400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none");
    /// Who pulls has no flow control.
    pub const ACK_FLOW_CONTROL_NEEDS_PUSH: Self =
        Self::fixed(400, 10218, "flow control ack policy requires a push based consumer");
    /// Flow control acknowledges.
    pub const ACK_FLOW_CONTROL_NEEDS_FLOW_CONTROL: Self =
        Self::fixed(400, 10219, "flow control ack policy requires flow control");
    /// What is not acknowledged is limited.
    pub const ACK_FLOW_CONTROL_NEEDS_MAX_PENDING: Self =
        Self::fixed(400, 10220, "flow control ack policy requires max ack pending");
    /// Nothing is delivered again after a while.
    pub const ACK_FLOW_CONTROL_WITH_ACK_WAIT: Self =
        Self::fixed(400, 10221, "flow control ack policy requires unset ack wait");
    /// Nothing is delivered again.
    pub const ACK_FLOW_CONTROL_WITH_MAX_DELIVER: Self =
        Self::fixed(400, 10222, "flow control ack policy requires unset max deliver");

    /// The name has a character that subjects or paths give a meaning.
    pub(in crate::queue) fn consumer_name(what: &str) -> Self {
        Self::stream_config(format!(r"{what} can not contain '.', '*', '>', '\', '/'"))
    }

    /// The name has more bytes than `most`.
    pub(in crate::queue) fn consumer_name_length(most: usize) -> Self {
        Self::told(400, 10102, format!("consumer name is too long, maximum allowed is {most}"))
    }

    /// The description has more bytes than `most`.
    pub(in crate::queue) fn consumer_description(most: usize) -> Self {
        let text = format!("consumer description is too long, maximum allowed is {most}");
        Self::told(400, 10107, text)
    }

    /// The metadata take more than `most`.
    pub(in crate::queue) fn consumer_metadata(most: &str) -> Self {
        Self::told(400, 10135, format!("consumer metadata exceeds maximum size of {most}"))
    }

    /// More may be pending than the stream lets its consumers.
    pub(in crate::queue) fn max_ack_pending_excess(limit: i64) -> Self {
        Self::told(400, 10121, format!("consumer max ack pending exceeds system limit of {limit}"))
    }

    /// It would stay longer than the stream lets its consumers.
    pub(in crate::queue) fn inactive_threshold_excess(limit: Duration) -> Self {
        let limit = crate::queue::time::go_duration(limit);
        Self::told(
            400,
            10153,
            format!("consumer inactive threshold exceeds system limit of {limit}"),
        )
    }

    /// How often it tells is no share of a hundred.
    pub(in crate::queue) fn invalid_sampling(given: &str) -> Self {
        let given = given.strip_suffix('%').unwrap_or(given);
        Self::told(
            400,
            10095,
            format!(
                "failed to parse consumer sampling configuration: strconv.Atoi: parsing {given:?}: invalid syntax"
            ),
        )
    }

    /// Where the consumer can't be put back to.
    pub(in crate::queue) fn invalid_reset(cause: &str) -> Self {
        Self::told(400, 10204, format!("invalid reset: {cause}"))
    }

    /// What the store holds of the consumer can't be read.
    pub(in crate::queue) fn consumer_offline(cause: &str) -> Self {
        Self::told(500, 10195, format!("consumer is offline: {cause}"))
    }
}
