//! The pull requests that wait for messages.

use std::{collections::VecDeque, rc::Rc};

use super::request::PullRequest;

/// The requests, the next to be served first.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) requests: VecDeque<Request>,
    pub(super) last_number: u64,
}

/// A pull request that waits.
pub(super) struct Request {
    pub(super) number: u64,
    pub(super) reply: Rc<str>,
    /// How many messages it still wants, and how many it got.
    pub(super) left: i64,
    pub(super) got: u64,
    /// How many bytes are left, where that is limited.
    pub(super) bytes: Option<u64>,
    pub(super) expires_at: u64,
    /// In milliseconds; 0 is none.
    pub(super) heartbeat: u64,
    pub(super) heartbeat_at: u64,
    pub(super) asked: PullRequest,
}

impl Request {
    /// Whether it does not wait any longer: it never does, or it waited for the first message only.
    pub(super) fn is_content(&self) -> bool {
        self.asked.no_wait && (self.expires_at == u64::MAX || self.got > 0)
    }
}
