//! Pages of long lists.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many names, and how many infos a page has.
pub(super) const NAMES: usize = 1024;
pub(super) const INFOS: usize = 256;

/// A page of a longer list.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Page {
    total: usize,
    offset: usize,
    limit: usize,
}

impl Page {
    /// The page of `all` that begins at `offset`.
    pub(super) fn cut<T>(all: Vec<T>, offset: i64, limit: usize) -> (Self, Vec<T>) {
        let total = all.len();
        let offset = usize::try_from(offset).unwrap_or(0).min(total);
        let page = all.into_iter().skip(offset).take(limit).collect();
        (Self { total, offset, limit }, page)
    }

    pub(super) fn new(total: usize, offset: usize, limit: usize) -> Self {
        Self { total, offset, limit }
    }
}

/// What can't be listed because it is offline, and why.
#[derive(Serialize)]
pub(super) struct Missing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    offline: BTreeMap<String, String>,
}

impl Missing {
    pub(super) fn of(offline: BTreeMap<String, String>) -> Self {
        Self { missing: offline.keys().cloned().collect(), offline }
    }
}
