//! Reads of leaves, through the cache.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use bytes::Bytes;

use super::{
    backend::{Backend, LeafQuery, LeafRun},
    cache::Cache,
    leaf::Leaf,
};
use crate::store::Result;

/// Leaves, and those that take their place.
pub(super) type Replaced = (Vec<Rc<Leaf>>, Vec<Leaf>);

/// The leaves of all tables.
pub(super) struct Leaves {
    backend: Rc<dyn Backend>,
    cache: RefCell<Cache>,
    /// Grows whenever leaves begin or end to be written, so that what was read meanwhile is not
    /// kept in the cache.
    version: Cell<u64>,
    /// The tables that have a leaf at their very beginning.
    tables: RefCell<BTreeSet<u8>>,
}

impl Leaves {
    /// The leaves in `backend`, of these tables and others that begin without a leaf, with a cache
    /// of so many bytes.
    pub(super) fn new(backend: Rc<dyn Backend>, tables: BTreeSet<u8>, cache_bytes: usize) -> Self {
        Self {
            backend,
            cache: RefCell::new(Cache::new(cache_bytes)),
            version: Cell::new(0),
            tables: RefCell::new(tables),
        }
    }

    /// The tables that have a leaf at their very beginning.
    pub(super) fn tables(&self) -> BTreeSet<u8> {
        self.tables.borrow().clone()
    }

    /// The leaf whose stretch has `key` in it.
    pub(super) async fn at(&self, key: &[u8]) -> Result<Rc<Leaf>> {
        let mut run = self.run_from(key, 0).await?;
        // A run is never empty: it begins with the stretch of the key.
        Ok(run.swap_remove(0))
    }

    /// Leaves that follow each other, in key order; the first has `key` in its stretch. There are
    /// at least one and at most `more` others.
    pub(super) async fn run_from(&self, key: &[u8], more: usize) -> Result<Vec<Rc<Leaf>>> {
        if let Some(leaf) = self.cache.borrow().at(key) {
            return Ok(vec![leaf]);
        }
        self.read(LeafQuery { table: key[0], key, backward: false, more }).await
    }

    /// Leaves that follow each other, in key order; the last has in its stretch the keys just
    /// before `key`, which is in `table` or its end. At least one and at most `more` others.
    pub(super) async fn run_before(
        &self,
        table: u8,
        key: &[u8],
        more: usize,
    ) -> Result<Vec<Rc<Leaf>>> {
        if let Some(leaf) = self.cache.borrow().before(key) {
            return Ok(vec![leaf]);
        }
        self.read(LeafQuery { table, key, backward: true, more }).await
    }

    /// As [`Leaves::run_from`], but leaves the cache to those who read for others.
    pub(super) async fn run_to_merge(&self, key: &[u8], more: usize) -> Result<Vec<Rc<Leaf>>> {
        if more == 0
            && let Some(leaf) = self.cache.borrow().at(key)
        {
            return Ok(vec![leaf]);
        }
        let query = LeafQuery { table: key[0], key, backward: false, more };
        Ok(self.unpack(query, self.backend.leaves(query).await?))
    }

    async fn read(&self, query: LeafQuery<'_>) -> Result<Vec<Rc<Leaf>>> {
        let version = self.version.get();
        let leaves = self.unpack(query, self.backend.leaves(query).await?);
        if version == self.version.get() {
            let mut cache = self.cache.borrow_mut();
            leaves.iter().for_each(|leaf| cache.insert(leaf.clone()));
        }
        Ok(leaves)
    }

    /// Everything is to be read anew.
    pub(super) fn forget(&self) {
        self.version.set(self.version.get() + 1);
        self.cache.borrow_mut().clear();
    }

    /// Leaves are about to be written.
    pub(super) fn writing(&self) {
        self.version.set(self.version.get() + 1);
    }

    /// Leaves were written, unless that failed. What was in the cache stays there in its new form.
    pub(super) fn written(&self, replaced: Vec<Replaced>, success: bool) {
        self.version.set(self.version.get() + 1);
        let mut cache = self.cache.borrow_mut();
        for (old, new) in replaced {
            if success {
                let first = new.iter().filter(|leaf| leaf.start.len() == 1);
                self.tables.borrow_mut().extend(first.map(|leaf| leaf.start[0]));
            }
            let mut in_use = false;
            for leaf in old {
                in_use |= cache.contains(&leaf.start);
                cache.remove(&leaf.start);
            }
            if in_use && success {
                new.into_iter().for_each(|leaf| cache.insert(Rc::new(leaf)));
            }
        }
    }

    /// How many bytes the cache holds.
    pub(super) fn cached_bytes(&self) -> usize {
        self.cache.borrow().bytes()
    }

    /// The leaves of a run. Stretches that should have a leaf and have none are told as damaged.
    fn unpack(&self, query: LeafQuery<'_>, run: LeafRun) -> Vec<Rc<Leaf>> {
        let table_end = Bytes::copy_from_slice(&[query.table + 1]);
        let end = run.next.unwrap_or(table_end);
        let mut starts = run.records.iter().map(|(start, _)| start.clone());
        if !run.records.iter().any(|(start, _)| query.covers(start)) {
            let start = Bytes::copy_from_slice(&[query.table]);
            let end = starts.next().unwrap_or(end);
            return vec![Rc::new(match self.tables.borrow().contains(&query.table) {
                true => Leaf::missing(start, end),
                false => Leaf::gap(start, end),
            })];
        }
        let limits: Vec<_> = starts.skip(1).chain([end]).collect();
        let mut leaves = Vec::with_capacity(limits.len());
        for ((start, bytes), limit) in run.records.into_iter().zip(limits) {
            let leaf = Leaf::read(start, limit.clone(), &bytes);
            let missing =
                (leaf.end < limit).then(|| Rc::new(Leaf::missing(leaf.end.clone(), limit)));
            leaves.push(Rc::new(leaf));
            leaves.extend(missing);
        }
        // Where a leaf is missing, the key asked for may be in another stretch than its record's.
        match query.backward {
            true => leaves.retain(|leaf| leaf.start < query.key),
            false => leaves.retain(|leaf| leaf.end > query.key),
        }
        leaves
    }
}
