//! The checks of a consumer's configuration, and the defaults.

use std::time::Duration;

use super::{
    consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy},
    stream::{Retention, StreamConfig},
    values::{MAX_NAME_LENGTH, is_name},
};
use crate::queue::{
    error::{Error, Result},
    subject,
    time::go_duration,
};

/// JetStream's own defaults.
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_ACK_PENDING: i64 = 1000;
const MAX_WAITING: i64 = 512;
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(5);
const PRIORITY_TIMEOUT: Duration = Duration::from_secs(120);

/// The heartbeat where flow control acknowledges.
const ACK_FLOW_CONTROL_HEARTBEAT: Duration = Duration::from_secs(1);

const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);
const MAX_DESCRIPTION: usize = 4 * 1024;
const MAX_METADATA: usize = 128 * 1024;
const MAX_GROUP_NAME: usize = 16;

impl ConsumerConfig {
    /// Checks it against its stream and fills in the defaults. It has a name by now.
    pub(in crate::queue) fn checked(mut self, stream: &StreamConfig) -> Result<Self> {
        // In the order of nats-server, so that of several mistakes the same one is reported.
        self.fill(stream);
        self.check_names()?;
        self.check_acks()?;
        if self.is_push() {
            self.check_push(stream)?;
        } else {
            self.check_pull(stream)?;
        }
        self.check_limits(stream)?;
        if self.direct && !self.is_push() {
            return Err(Error::DIRECT_NEEDS_PUSH);
        }
        if self.direct && !self.durable_name.is_empty() {
            return Err(Error::DIRECT_NEEDS_EPHEMERAL);
        }
        self.check_filters()?;
        self.check_start()?;
        if self.sampled().is_none() {
            let given = self.sample_freq.strip_suffix('%').unwrap_or(&self.sample_freq);
            let cause = format!("strconv.Atoi: parsing {given:?}: invalid syntax");
            return Err(Error::invalid_sampling(cause));
        }
        if self.flow_control && self.idle_heartbeat.is_zero() {
            return Err(Error::FLOW_CONTROL_NEEDS_HEARTBEATS);
        }
        self.settle_name()?;
        self.check_metadata()?;
        self.check_groups()?;
        self.note_required_level();
        Ok(self)
    }

    /// Refuses what would be changed silently. ADR-42
    pub(in crate::queue) fn check_strictly(&self, stream: &StreamConfig) -> Result<()> {
        let limits = &stream.consumer_limits;
        if self.inactive_threshold.is_zero() && !limits.inactive_threshold.is_zero() {
            let text = "inactive_threshold must be set if it's configured in stream limits";
            return Err(Error::pedantic(text));
        }
        if self.max_ack_pending == 0 && limits.max_ack_pending > 0 {
            let text = "max_ack_pending must be set if it's configured in stream limits";
            return Err(Error::pedantic(text));
        }
        if self.backoff.first().is_some_and(|first| *first != self.ack_wait) {
            return Err(Error::pedantic("first backoff value has to equal batch AckWait"));
        }
        for (wrong, text) in [
            (self.max_deliver < -1, "max_deliver must be set to -1"),
            (self.max_waiting < 0, "max_waiting must not be negative"),
            (self.max_ack_pending < -1, "max_ack_pending must be set to -1"),
            (self.max_request_batch < 0, "max_batch must not be negative"),
            (self.max_request_max_bytes < 0, "max_bytes must not be negative"),
        ] {
            if wrong {
                return Err(Error::pedantic(text));
            }
        }
        if self.ack_policy == AckPolicy::FlowControl {
            self.check_flow_control()?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        for (name, what) in
            [(&self.name, "consumer name"), (&self.durable_name, "consumer durable name")]
        {
            if !name.is_empty() && !is_name(name) {
                let text = format!(r"{what} can not contain '.', '*', '>', '\', '/'");
                return Err(Error::stream_config(text));
            }
        }
        if self.num_replicas > 1 {
            return Err(Error::REPLICAS_EXCEED_STREAM);
        }
        if self.num_replicas < 0 {
            return Err(Error::NEGATIVE_REPLICAS);
        }
        Ok(())
    }

    /// Makes the durable name the name.
    fn settle_name(&mut self) -> Result<()> {
        if !self.durable_name.is_empty() {
            if !self.name.is_empty() && self.name != self.durable_name {
                return Err(Error::DURABLE_AND_NAME_DIFFER);
            }
            self.name.clone_from(&self.durable_name);
        }
        if self.name.len() > MAX_NAME_LENGTH {
            return Err(Error::consumer_name_length(MAX_NAME_LENGTH));
        }
        Ok(())
    }

    fn check_metadata(&self) -> Result<()> {
        let metadata = self.metadata.iter().map(|(key, value)| key.len() + value.len());
        if metadata.sum::<usize>() > MAX_METADATA {
            return Err(Error::consumer_metadata("128KB"));
        }
        Ok(())
    }

    fn fill(&mut self, stream: &StreamConfig) {
        if self.max_deliver <= 0 {
            self.max_deliver = -1;
        }
        self.max_ack_pending = self.max_ack_pending.max(-1);
        for limit in
            [&mut self.max_waiting, &mut self.max_request_batch, &mut self.max_request_max_bytes]
        {
            *limit = (*limit).max(0);
        }
        if let Some(first) = self.backoff.first() {
            self.ack_wait = *first;
        }
        let limits = &stream.consumer_limits;
        if self.acknowledges()
            && self.ack_wait.is_zero()
            && self.ack_policy != AckPolicy::FlowControl
        {
            self.ack_wait = ACK_WAIT;
        }
        if self.max_ack_pending == 0 {
            self.max_ack_pending = limits.max_ack_pending;
        }
        if self.max_ack_pending == 0 && self.acknowledges() {
            self.max_ack_pending = MAX_ACK_PENDING;
        }
        if self.ack_policy == AckPolicy::FlowControl {
            self.flow_control = true;
            self.idle_heartbeat = ACK_FLOW_CONTROL_HEARTBEAT;
        }
        if self.inactive_threshold.is_zero() {
            self.inactive_threshold = match (limits.inactive_threshold, &*self.durable_name) {
                (limit, _) if !limit.is_zero() => limit,
                (_, "") => INACTIVE_THRESHOLD,
                _ => Duration::ZERO,
            };
        }
        if !self.is_push() && self.max_waiting == 0 {
            self.max_waiting = MAX_WAITING;
        }
        if self.priority_policy == PriorityPolicy::PinnedClient && self.priority_timeout.is_zero() {
            self.priority_timeout = PRIORITY_TIMEOUT;
        }
        self.pause_until.take_if(|until| until.nanos() == 0);
        self.filter_subject.take_if(|filter| filter.is_empty());
        self.deliver_subject.take_if(|to| to.is_empty());
        self.deliver_group.take_if(|group| group.is_empty());
        self.opt_start_seq.take_if(|start| *start == 0);
    }

    /// Checks the limits that the stream has for its consumers.
    fn check_limits(&self, stream: &StreamConfig) -> Result<()> {
        let limits = &stream.consumer_limits;
        if limits.max_ack_pending > 0 && self.max_ack_pending > limits.max_ack_pending {
            return Err(Error::max_ack_pending_excess(limits.max_ack_pending));
        }
        if !limits.inactive_threshold.is_zero()
            && self.inactive_threshold > limits.inactive_threshold
        {
            return Err(Error::inactive_threshold_excess(go_duration(limits.inactive_threshold)));
        }
        Ok(())
    }

    fn check_filters(&self) -> Result<()> {
        if self.filter_subject.is_some() && !self.filter_subjects.is_empty() {
            return Err(Error::DUPLICATE_FILTER_SUBJECTS);
        }
        let filters = self.filters();
        if filters.iter().any(String::is_empty) {
            return Err(Error::EMPTY_FILTER);
        }
        for (place, filter) in filters.iter().enumerate() {
            if !subject::is_valid(filter) {
                return Err(Error::stream_config("invalid subject"));
            }
            // Filters may overlap, but none may be a subset of another.
            let contains = |other: &String| {
                subject::is_subset(filter, other) || subject::is_subset(other, filter)
            };
            if filters[..place].iter().any(contains) {
                return Err(Error::OVERLAPPING_FILTERS);
            }
        }
        Ok(())
    }

    fn check_start(&self) -> Result<()> {
        let refused = |start: &str, what: &str| {
            Err(Error::invalid_policy(format!(
                "consumer delivery policy is {start}, but optional {what}"
            )))
        };
        let (sequence, time) = (self.opt_start_seq.is_some(), self.opt_start_time.is_some());
        let named = match self.deliver_policy {
            DeliverPolicy::All => "deliver all",
            DeliverPolicy::Last => "deliver last",
            DeliverPolicy::New => "deliver new",
            DeliverPolicy::LastPerSubject => "deliver last per subject",
            DeliverPolicy::ByStartSequence => {
                return match (sequence, time) {
                    (false, _) => refused("deliver by start sequence", "start sequence is not set"),
                    (_, true) => refused("deliver by start sequence", "start time is also set"),
                    _ => Ok(()),
                };
            }
            DeliverPolicy::ByStartTime => {
                return match (sequence, time) {
                    (_, false) => refused("deliver by start time", "start time is not set"),
                    (true, _) => refused("deliver by start time", "start sequence is also set"),
                    _ => Ok(()),
                };
            }
        };
        if sequence {
            return refused(named, "start sequence is also set");
        }
        if time {
            return refused(named, "start time is also set");
        }
        if self.deliver_policy == DeliverPolicy::LastPerSubject && self.filters().is_empty() {
            return refused(named, "filter subject is not set");
        }
        Ok(())
    }

    fn check_acks(&self) -> Result<()> {
        if self.ack_policy == AckPolicy::FlowControl {
            self.check_flow_control()?;
            if self.max_ack_pending <= 0 {
                return Err(Error::ACK_FLOW_CONTROL_NEEDS_MAX_PENDING);
            }
            if !self.ack_wait.is_zero() {
                return Err(Error::ACK_FLOW_CONTROL_WITH_ACK_WAIT);
            }
            if self.max_deliver > 0 {
                return Err(Error::ACK_FLOW_CONTROL_WITH_MAX_DELIVER);
            }
        }
        if self.max_deliver > 0 && self.backoff.len() as i64 > self.max_deliver {
            return Err(Error::MAX_DELIVER_BACKOFF);
        }
        if self.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
            return Err(Error::consumer_description(MAX_DESCRIPTION));
        }
        Ok(())
    }

    /// Checks what the flow control ack policy needs. ADR-60
    fn check_flow_control(&self) -> Result<()> {
        if !self.is_push() {
            return Err(Error::ACK_FLOW_CONTROL_NEEDS_PUSH);
        }
        if !self.flow_control {
            return Err(Error::ACK_FLOW_CONTROL_NEEDS_FLOW_CONTROL);
        }
        if self.idle_heartbeat != ACK_FLOW_CONTROL_HEARTBEAT {
            let text = "flow control ack policy heartbeat needs to be 1s";
            return Err(Error::stream_config(text));
        }
        Ok(())
    }

    fn check_push(&self, stream: &StreamConfig) -> Result<()> {
        let to = self.deliver_subject.as_deref().unwrap_or_default();
        if to.split('.').any(|token| token == "*" || token == ">") {
            return Err(Error::DELIVER_TO_WILDCARDS);
        }
        if !subject::is_valid(to) {
            return Err(Error::INVALID_DELIVER_SUBJECT);
        }
        if stream.subjects.iter().any(|own| subject::matches(own, to)) {
            return Err(Error::DELIVER_CYCLE);
        }
        if self.max_waiting != 0 {
            return Err(Error::PUSH_WITH_MAX_WAITING);
        }
        if self.max_ack_pending > 0 && self.ack_policy == AckPolicy::None {
            return Err(Error::MAX_ACK_PENDING_NEEDS_ACKS);
        }
        if !self.idle_heartbeat.is_zero() && self.idle_heartbeat < SHORTEST_HEARTBEAT {
            return Err(Error::SMALL_HEARTBEAT);
        }
        Ok(())
    }

    fn check_pull(&self, stream: &StreamConfig) -> Result<()> {
        if self.ack_policy == AckPolicy::None && stream.retention == Retention::WorkQueue {
            return Err(Error::PULL_REQUIRES_ACK);
        }
        if self.rate_limit_bps > 0 {
            return Err(Error::PULL_WITH_RATE_LIMIT);
        }
        if !self.idle_heartbeat.is_zero() {
            return Err(Error::HEARTBEAT_NEEDS_PUSH);
        }
        if self.flow_control {
            return Err(Error::FLOW_CONTROL_NEEDS_PUSH);
        }
        if !self.max_request_expires.is_zero()
            && self.max_request_expires < Duration::from_millis(1)
        {
            return Err(Error::SMALL_MAX_EXPIRES);
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<()> {
        if self.priority_policy == PriorityPolicy::None {
            if !self.priority_groups.is_empty() {
                return Err(Error::GROUPS_WITHOUT_POLICY);
            }
            if !self.priority_timeout.is_zero() {
                return Err(Error::TIMEOUT_WITHOUT_POLICY);
            }
            return Ok(());
        }
        if self.is_push() {
            return Err(Error::PUSH_WITH_GROUPS);
        }
        if self.priority_groups.is_empty() {
            return Err(Error::POLICY_WITHOUT_GROUP);
        }
        for group in &self.priority_groups {
            if group.is_empty() {
                return Err(Error::EMPTY_GROUP);
            }
            if !is_group_name(group) {
                return Err(Error::INVALID_GROUP);
            }
        }
        Ok(())
    }

    /// Notes which API level it needs. ADR-44
    pub(in crate::queue) fn note_required_level(&mut self) {
        let is_new = self.pause_until.is_some() || self.priority_policy != PriorityPolicy::None;
        let is_newer = self.ack_policy == AckPolicy::FlowControl;
        let level = if is_newer { 4 } else { u8::from(is_new) };
        self.metadata.retain(|key, _| !key.starts_with("_nats."));
        self.metadata.insert("_nats.req.level".to_owned(), level.to_string());
    }
}

/// Whether a priority group may have this name.
pub(in crate::queue) fn is_group_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_/=)".contains(c);
    !name.is_empty() && name.len() <= MAX_GROUP_NAME && name.chars().all(fits)
}
