//! The pinned client of a consumer with priority groups. ADR-42

use std::rc::Rc;

/// Who is served in the group.
#[derive(Default)]
pub(super) struct Group {
    pub(super) pinned: Option<Pinned>,
}

pub(super) struct Pinned {
    pub(super) id: Rc<str>,
    pub(super) group: String,
    pub(super) since: u64,
    /// When it asked last.
    pub(super) asked_at: u64,
}
