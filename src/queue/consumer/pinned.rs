//! The pinned client of a consumer with priority groups. ADR-42

use std::rc::Rc;

/// The client that is served in the group, if one is pinned.
#[derive(Default)]
pub(super) struct Group {
    pub(super) pinned: Option<Pinned>,
}

pub(super) struct Pinned {
    pub(super) id: Rc<str>,
    pub(super) group: String,
    pub(super) since: u64,
    /// When its last request came.
    pub(super) asked_at: u64,
}
