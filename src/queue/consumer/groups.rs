//! Priority groups: which pull request is served next. ADR-42

use std::rc::Rc;

use super::{
    advisory, info::PriorityGroupState, inner::Inner, pinned::Pinned, request::PullRequest,
    waiting::Request,
};
use crate::{
    platform,
    queue::{config::PriorityPolicy, error::Status, stream::Stream, time::Timestamp},
};

/// The length of the ids of pinned clients.
const ID_LENGTH: usize = 22;
/// The lowest priority of a request.
const LEAST_PRIORITY: i64 = 9;

impl Inner {
    /// Checks that a request fits its group.
    pub(super) fn admit_to_group(&self, asked: &PullRequest, now: u64) -> Result<(), Status> {
        let config = self.config();
        let policy = config.priority_policy;
        let refused = |cause: &str| Err(Status::bad_pull_request(cause));
        if (asked.min_pending > 0 || asked.min_ack_pending > 0)
            && policy != PriorityPolicy::Overflow
        {
            return refused("Not a Overflow Priority consumer");
        }
        if !asked.id.is_empty() && policy != PriorityPolicy::PinnedClient {
            return refused("Not a Pinned Client Priority consumer");
        }
        if !(0..=LEAST_PRIORITY).contains(&asked.priority) {
            return refused("Priority must be between 0 and 9");
        }
        if policy == PriorityPolicy::None {
            return Ok(());
        }
        if asked.group.is_empty() {
            return refused("Priority Group missing");
        }
        if !config.priority_groups.contains(&asked.group) {
            return refused("Invalid Priority Group");
        }
        if config.priority_policy == PriorityPolicy::PinnedClient && !asked.id.is_empty() {
            match &mut self.group.borrow_mut().pinned {
                Some(pinned) if *pinned.id == *asked.id => pinned.asked_at = now,
                Some(_) => return Err(Status::PIN_ID_MISMATCH),
                None => {}
            }
        }
        Ok(())
    }

    /// Moves the request that is served next to the front; false when there is none. Those before
    /// it go to the end.
    pub(super) fn choose_next(&self, stream: &Stream) -> bool {
        let Some(place) = self.choose(stream) else { return false };
        let requests = &mut self.waiting.borrow_mut().requests;
        if self.config.borrow().priority_policy != PriorityPolicy::Prioritized {
            requests.rotate_left(place);
        } else if let Some(request) = requests.remove(place) {
            requests.push_front(request);
        }
        true
    }

    fn choose(&self, stream: &Stream) -> Option<usize> {
        match self.config.borrow().priority_policy {
            PriorityPolicy::None => (!self.waiting.borrow().requests.is_empty()).then_some(0),
            PriorityPolicy::Overflow => {
                let state = self.state.borrow();
                let (pending, unacknowledged) = (state.num_pending(), state.pending.len() as u64);
                let reached = |least: u64, there: u64| least > 0 && there >= least;
                self.waiting.borrow().requests.iter().position(|request| {
                    let PullRequest { min_pending, min_ack_pending, .. } = request.asked;
                    (min_pending == 0 && min_ack_pending == 0)
                        || reached(min_pending, pending)
                        || reached(min_ack_pending, unacknowledged)
                })
            }
            PriorityPolicy::Prioritized => {
                let waiting = self.waiting.borrow();
                let all = waiting.requests.iter().enumerate();
                all.min_by_key(|(_, request)| request.asked.priority).map(|(place, _)| place)
            }
            PriorityPolicy::PinnedClient => self.choose_pinned(stream),
        }
    }

    fn choose_pinned(&self, stream: &Stream) -> Option<usize> {
        let now = stream.clock.now();
        if self.pin_ends_at().is_some_and(|end| end <= now) {
            self.unpin(stream, "timeout");
        }
        if let Some(pinned) = &self.group.borrow().pinned {
            let waiting = self.waiting.borrow();
            let is_of = |request: &Request| *request.asked.id == *pinned.id;
            return waiting.requests.iter().position(is_of);
        }
        self.waiting.borrow().requests.iter().position(|request| request.asked.id.is_empty())
    }

    /// The id of the pinned client, for consumers that pin. The first client that is served is
    /// pinned.
    pub(super) fn pin_to(&self, stream: &Stream, asked: &mut PullRequest) -> Option<Rc<str>> {
        if self.config.borrow().priority_policy != PriorityPolicy::PinnedClient {
            return None;
        }
        if let Some(pin) = self.pin() {
            return Some(pin);
        }
        let now = stream.clock.now();
        let id: Rc<str> = platform::random_string(ID_LENGTH).into();
        asked.id = id.to_string();
        let group = asked.group.clone();
        self.group.borrow_mut().pinned =
            Some(Pinned { id: id.clone(), group, since: now, asked_at: now });
        advisory::pinned(stream, self, &asked.group, &id);
        Some(id)
    }

    /// When the pinned client is unpinned for not asking.
    pub(super) fn pin_ends_at(&self) -> Option<u64> {
        let timeout = self.config.borrow().priority_timeout.as_millis() as u64;
        let group = self.group.borrow();
        group.pinned.as_ref().map(|pinned| pinned.asked_at.saturating_add(timeout))
    }

    /// The id of the pinned client, which is a header of its messages.
    pub(super) fn pin(&self) -> Option<Rc<str>> {
        self.group.borrow().pinned.as_ref().map(|pinned| pinned.id.clone())
    }

    /// Unpins the client.
    pub(super) fn unpin(&self, stream: &Stream, reason: &str) {
        let before = self.group.borrow_mut().pinned.take();
        if let Some(pinned) = before {
            advisory::unpinned(stream, self, &pinned.group, reason);
        }
    }

    /// The state of the groups. As in nats-server only the first group counts.
    pub(super) fn group_states(&self) -> Vec<PriorityGroupState> {
        let group = self.group.borrow();
        let config = self.config.borrow();
        let states = config.priority_groups.iter().take(1).map(|name| {
            let pinned = group.pinned.as_ref().filter(|pinned| pinned.group == *name);
            PriorityGroupState {
                group: name.clone(),
                pinned_client_id: pinned.map(|pinned| pinned.id.to_string()),
                pinned_ts: pinned.map(|pinned| Timestamp::from_millis(pinned.since)),
            }
        });
        states.collect()
    }
}
