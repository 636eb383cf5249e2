//! Which configurations a consumer can have, and their defaults.

use std::time::Duration;

use super::{
    consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy},
    is_name,
    stream::{Retention, StreamConfig},
};
use crate::queue::{
    error::{Error, Result},
    subject,
};

/// JetStream's own defaults.
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_ACK_PENDING: i64 = 1000;
const MAX_WAITING: i64 = 512;
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(5);
const PRIORITY_TIMEOUT: Duration = Duration::from_secs(120);

const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(100);
const MAX_DESCRIPTION: usize = 4 * 1024;
const MAX_METADATA: usize = 128 * 1024;
const MAX_GROUP_NAME: usize = 16;

impl ConsumerConfig {
    /// Checks it against its stream and fills in the defaults. It has a name by now.
    pub(in crate::queue) fn checked(mut self, stream: &StreamConfig) -> Result<Self> {
        self.check_names()?;
        self.fill(stream)?;
        self.check_filters()?;
        self.check_start()?;
        self.check_acks(stream)?;
        if self.is_push() {
            self.check_push()?
        } else {
            self.check_pull()?
        }
        if self.direct && !self.is_push() {
            return Err(Error::DIRECT_NEEDS_PUSH);
        }
        if self.direct && !self.durable_name.is_empty() {
            return Err(Error::DIRECT_NEEDS_EPHEMERAL);
        }
        self.check_groups()?;
        self.note_required_level();
        Ok(self)
    }

    /// Refuses what would be changed quietly. ADR-42
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
        Ok(())
    }

    fn check_names(&mut self) -> Result<()> {
        if !self.durable_name.is_empty() {
            if !is_name(&self.durable_name) {
                return Err(Error::BAD_DURABLE_NAME);
            }
            if !self.name.is_empty() && self.name != self.durable_name {
                return Err(Error::DURABLE_AND_NAME_DIFFER);
            }
            self.name.clone_from(&self.durable_name);
        }
        if !is_name(&self.name) {
            return Err(Error::BAD_DURABLE_NAME);
        }
        if self.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
            return Err(Error::consumer_description(MAX_DESCRIPTION));
        }
        let metadata = self.metadata.iter().map(|(key, value)| key.len() + value.len());
        if metadata.sum::<usize>() > MAX_METADATA {
            return Err(Error::consumer_metadata("128KB"));
        }
        if self.num_replicas > 1 {
            return Err(Error::REPLICAS_EXCEED_STREAM);
        }
        Ok(())
    }

    fn fill(&mut self, stream: &StreamConfig) -> Result<()> {
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
        if self.acknowledges() {
            if self.ack_wait.is_zero() && self.ack_policy != AckPolicy::FlowControl {
                self.ack_wait = ACK_WAIT;
            }
            if self.max_ack_pending == 0 {
                let limit = limits.max_ack_pending;
                self.max_ack_pending = if limit > 0 { limit } else { MAX_ACK_PENDING };
            }
        }
        if limits.max_ack_pending > 0
            && (self.max_ack_pending < 0 || self.max_ack_pending > limits.max_ack_pending)
        {
            return Err(Error::max_ack_pending_excess(limits.max_ack_pending));
        }
        if self.inactive_threshold.is_zero() {
            self.inactive_threshold = match (limits.inactive_threshold, &*self.durable_name) {
                (limit, _) if !limit.is_zero() => limit,
                (_, "") => INACTIVE_THRESHOLD,
                _ => Duration::ZERO,
            };
        } else if !limits.inactive_threshold.is_zero()
            && self.inactive_threshold > limits.inactive_threshold
        {
            return Err(Error::inactive_threshold_excess(limits.inactive_threshold));
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
        Ok(())
    }

    fn check_filters(&self) -> Result<()> {
        if self.filter_subject.is_some() && !self.filter_subjects.is_empty() {
            return Err(Error::DUPLICATE_FILTER_SUBJECTS);
        }
        let filters = self.filters();
        for (place, filter) in filters.iter().enumerate() {
            if filter.is_empty() {
                return Err(Error::EMPTY_FILTER);
            }
            if !subject::is_valid(filter) {
                return Err(Error::FILTER_NOT_SUBSET);
            }
            if filters[..place].iter().any(|other| subject::overlap(filter, other)) {
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
            DeliverPolicy::LastPerSubject => {
                if self.filters().is_empty() {
                    return refused("deliver last per subject", "filter subject is not set");
                }
                "deliver last per subject"
            }
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
        Ok(())
    }

    fn check_acks(&self, stream: &StreamConfig) -> Result<()> {
        if self.max_deliver > 0 && self.backoff.len() as i64 > self.max_deliver {
            return Err(Error::MAX_DELIVER_BACKOFF);
        }
        if self.sampled().is_none() {
            return Err(Error::invalid_sampling(&self.sample_freq));
        }
        if self.ack_policy == AckPolicy::FlowControl {
            self.check_flow_control()?;
        }
        if stream.retention == Retention::WorkQueue {
            if !self.is_push() && self.ack_policy == AckPolicy::None {
                return Err(Error::PULL_REQUIRES_ACK);
            }
            if self.ack_policy != AckPolicy::Explicit {
                return Err(Error::WORKQUEUE_REQUIRES_EXPLICIT_ACK);
            }
            if self.deliver_policy != DeliverPolicy::All {
                return Err(Error::WORKQUEUE_NOT_DELIVER_ALL);
            }
        }
        Ok(())
    }

    /// What acknowledging by flow control takes. ADR-60
    fn check_flow_control(&self) -> Result<()> {
        if !self.is_push() {
            return Err(Error::ACK_FLOW_CONTROL_NEEDS_PUSH);
        }
        if !self.flow_control {
            return Err(Error::ACK_FLOW_CONTROL_NEEDS_FLOW_CONTROL);
        }
        if self.max_ack_pending <= 0 {
            return Err(Error::ACK_FLOW_CONTROL_NEEDS_MAX_PENDING);
        }
        if !self.ack_wait.is_zero() {
            return Err(Error::ACK_FLOW_CONTROL_WITH_ACK_WAIT);
        }
        if self.max_deliver > 0 {
            return Err(Error::ACK_FLOW_CONTROL_WITH_MAX_DELIVER);
        }
        Ok(())
    }

    fn check_push(&self) -> Result<()> {
        let to = self.deliver_subject.as_deref().unwrap_or_default();
        if !subject::is_valid(to) {
            return Err(Error::INVALID_DELIVER_SUBJECT);
        }
        if !subject::is_literal(to) {
            return Err(Error::DELIVER_TO_WILDCARDS);
        }
        if self.max_waiting != 0 {
            return Err(Error::PUSH_WITH_MAX_WAITING);
        }
        if !self.idle_heartbeat.is_zero() && self.idle_heartbeat < SHORTEST_HEARTBEAT {
            return Err(Error::SMALL_HEARTBEAT);
        }
        if self.flow_control && self.idle_heartbeat.is_zero() {
            return Err(Error::FLOW_CONTROL_NEEDS_HEARTBEATS);
        }
        Ok(())
    }

    fn check_pull(&self) -> Result<()> {
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

    /// Notes which level of the API it takes. ADR-44
    fn note_required_level(&mut self) {
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
