//! Priority groups: which pull request is served next. ADR-42

use std::rc::Rc;

use super::{Inner, advisory, info::PriorityGroupState, request::PullRequest};
use crate::{
    platform,
    queue::{config::PriorityPolicy, stream::Stream, time::Timestamp},
};

/// How long the id of a pinned client is.
const ID_LENGTH: usize = 22;

/// Who is served in the group.
#[derive(Default)]
pub(super) struct Group {
    pinned: Option<Pinned>,
}

struct Pinned {
    id: Rc<str>,
    group: String,
    since: u64,
    /// When it asked last.
    asked_at: u64,
}

impl Inner {
    /// Why a request is not let into its group.
    pub(super) fn admit_to_group(&self, asked: &PullRequest, now: u64) -> Result<(), String> {
        let config = self.config();
        if config.priority_policy == PriorityPolicy::None {
            return Ok(());
        }
        if asked.group.is_empty() {
            return Err("400 Bad Request - Priority Group missing".to_owned());
        }
        if !config.priority_groups.contains(&asked.group) {
            return Err("400 Bad Request - Invalid Priority Group".to_owned());
        }
        if config.priority_policy == PriorityPolicy::PinnedClient && !asked.id.is_empty() {
            match &mut self.group.borrow_mut().pinned {
                Some(pinned) if *pinned.id == *asked.id => pinned.asked_at = now,
                _ => return Err("423 Nats-Pin-Id mismatch".to_owned()),
            }
        }
        Ok(())
    }

    /// The place of the request that is served next.
    pub(super) fn choose(&self, stream: &Stream) -> Option<usize> {
        match self.config.borrow().priority_policy {
            PriorityPolicy::None => (!self.waiting.borrow().requests.is_empty()).then_some(0),
            PriorityPolicy::Overflow => {
                let deliveries = self.deliveries.borrow();
                let (pending, unacknowledged) =
                    (deliveries.num_pending(), deliveries.pending.len() as u64);
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
            let is_of = |request: &super::pull::Request| *request.asked.id == *pinned.id;
            return waiting.requests.iter().position(is_of);
        }
        let group = {
            let mut waiting = self.waiting.borrow_mut();
            let id = platform::random_string(ID_LENGTH);
            let first = waiting.requests.front_mut()?;
            first.asked.id.clone_from(&id);
            let group = first.asked.group.clone();
            let pinned = Pinned { id: id.into(), group, since: now, asked_at: now };
            let group = pinned.group.clone();
            self.group.borrow_mut().pinned = Some(pinned);
            group
        };
        if let Some(id) = self.pin() {
            advisory::pinned(stream, self, &group, &id);
        }
        Some(0)
    }

    /// When another client may be pinned because this one does not ask.
    pub(super) fn pin_ends_at(&self) -> Option<u64> {
        let timeout = self.config.borrow().priority_timeout.as_millis() as u64;
        let group = self.group.borrow();
        group.pinned.as_ref().map(|pinned| pinned.asked_at.saturating_add(timeout))
    }

    /// The id of the pinned client, which its messages tell.
    pub(super) fn pin(&self) -> Option<Rc<str>> {
        self.group.borrow().pinned.as_ref().map(|pinned| pinned.id.clone())
    }

    /// Pins nobody any longer.
    pub(super) fn unpin(&self, stream: &Stream, reason: &str) {
        let before = self.group.borrow_mut().pinned.take();
        if let Some(pinned) = before {
            // What it has asked for is for the next pinned client to ask.
            let mut waiting = self.waiting.borrow_mut();
            waiting.requests.retain(|request| *request.asked.id != *pinned.id);
            drop(waiting);
            advisory::unpinned(stream, self, &pinned.group, reason);
        }
    }

    pub(super) fn group_states(&self) -> Vec<PriorityGroupState> {
        let group = self.group.borrow();
        let config = self.config.borrow();
        let states = config.priority_groups.iter().map(|name| {
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
