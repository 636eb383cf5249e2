//! Ordered reads: the leaves with the overlay over them.
//!
//! A scan sees the store as it was when it began. The rows of the overlay are taken at once; the
//! leaves are read as they are needed, and hold nothing newer, because a checkpoint waits for the
//! scans that began before it froze its journal.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    iter::Peekable,
    ops::Range,
    rc::Rc,
};

use bytes::{Buf, Bytes};

use super::{Engine, leaf::Leaf};
use crate::{
    platform::Notify,
    store::{Direction, Result},
};

/// At most how many leaves are read at once.
const MOST_LEAVES: usize = 16;
/// How many rows are expected in a leaf before one was seen.
const EXPECTED_ROWS: usize = 48;

impl Engine {
    /// At most `limit` rows from a range of full keys of one table, which has not ended.
    pub(super) async fn rows(
        &self,
        range: Range<Vec<u8>>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>> {
        self.check_open()?;
        if limit == 0 || range.start >= range.end {
            return Ok(Vec::new());
        }
        let _scan = self.scans.begin();
        let (mut start, mut end) = (Bytes::from(range.start), Bytes::from(range.end));
        let table = start[0];
        let overlay = self.overlays.borrow_mut().collect(&start..&end, direction, limit);
        let mut rows = Rows::new(overlay, direction, limit);
        let mut rows_per_leaf = EXPECTED_ROWS;
        while start < end && !rows.is_full() {
            let wanted = rows.wanted().div_ceil(rows_per_leaf.max(1)).clamp(1, MOST_LEAVES);
            let mut leaves = match direction {
                Direction::Forward => self.leaves.run_from(&start, wanted - 1).await?,
                Direction::Backward => self.leaves.run_before(table, &end, wanted - 1).await?,
            };
            if direction == Direction::Backward {
                leaves.reverse();
            }
            rows_per_leaf = leaves.iter().map(|leaf| leaf.rows()).sum::<usize>() / leaves.len();
            for leaf in leaves {
                // What was read beyond the range may be damaged, which does not matter then.
                if rows.is_full() || start >= end {
                    break;
                }
                rows.add(&leaf, &start..&end)?;
                match direction {
                    Direction::Forward => start = leaf.end.clone(),
                    Direction::Backward => end = leaf.start.clone(),
                }
            }
        }
        Ok(rows.finish())
    }
}

/// Rows being merged, in the order of the scan.
struct Rows {
    overlay: Peekable<std::vec::IntoIter<(Bytes, Option<Bytes>)>>,
    direction: Direction,
    limit: usize,
    found: Vec<(Bytes, Bytes)>,
}

impl Rows {
    fn new(overlay: Vec<(Bytes, Option<Bytes>)>, direction: Direction, limit: usize) -> Self {
        Self { overlay: overlay.into_iter().peekable(), direction, limit, found: Vec::new() }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    fn wanted(&self) -> usize {
        self.limit - self.found.len()
    }

    /// Adds the rows of the next leaf, and those of the overlay up to the leaf's far end.
    fn add(&mut self, leaf: &Leaf, range: Range<&[u8]>) -> Result<()> {
        let rows = leaf.range(range)?;
        match self.direction {
            Direction::Forward => {
                rows.for_each_while(|row| self.add_row(row));
                self.add_overlay(|key| key < &leaf.end);
            }
            Direction::Backward => {
                rows.rev().for_each_while(|row| self.add_row(row));
                self.add_overlay(|key| key >= &leaf.start);
            }
        }
        Ok(())
    }

    /// Adds a row of a leaf after those of the overlay that come before it; tells whether more
    /// rows are wanted.
    fn add_row(&mut self, (key, value): (Bytes, Bytes)) -> bool {
        let forward = self.direction == Direction::Forward;
        self.add_overlay(|other| if forward { *other < key } else { *other > key });
        if self.is_full() {
            return false;
        }
        match self.overlay.next_if(|(newer, _)| *newer == key) {
            Some((key, Some(value))) => self.found.push((key, value)),
            Some((_, None)) => {}
            None => self.found.push((key, value)),
        }
        !self.is_full()
    }

    fn add_overlay(&mut self, comes_first: impl Fn(&Bytes) -> bool) {
        while !self.is_full()
            && let Some((key, value)) = self.overlay.next_if(|(key, _)| comes_first(key))
        {
            self.found.extend(value.map(|value| (key, value)));
        }
    }

    /// The rows, under the keys of their table.
    fn finish(mut self) -> Vec<(Bytes, Bytes)> {
        self.add_overlay(|_| true);
        for (key, _) in &mut self.found {
            key.advance(1);
        }
        self.found
    }
}

/// Goes through an iterator as long as `each` wants more.
trait ForEachWhile: Iterator + Sized {
    fn for_each_while(mut self, mut each: impl FnMut(Self::Item) -> bool) {
        while let Some(item) = self.next()
            && each(item)
        {}
    }
}

impl<I: Iterator> ForEachWhile for I {}

/// Which scans are under way, so that a checkpoint can wait for those that began before it.
#[derive(Default)]
pub(super) struct Scans {
    inner: Rc<ScansInner>,
}

#[derive(Default)]
struct ScansInner {
    era: Cell<u64>,
    under_way: RefCell<BTreeMap<u64, usize>>,
    ended: Notify,
}

impl Scans {
    /// Begins a scan; it lasts until the guard is dropped.
    fn begin(&self) -> Scan {
        let era = self.inner.era.get();
        *self.inner.under_way.borrow_mut().entry(era).or_default() += 1;
        Scan { scans: self.inner.clone(), era }
    }

    /// Scans that begin from now on see the journal frozen that is being frozen now.
    pub(super) fn next_era(&self) {
        self.inner.era.set(self.inner.era.get() + 1);
    }

    /// Waits until every scan of an earlier era has ended.
    pub(super) async fn ended(&self) {
        let era = self.inner.era.get();
        while self.inner.under_way.borrow().keys().any(|earlier| *earlier < era) {
            self.inner.ended.notified().await;
        }
    }
}

struct Scan {
    scans: Rc<ScansInner>,
    era: u64,
}

impl Drop for Scan {
    fn drop(&mut self) {
        let mut under_way = self.scans.under_way.borrow_mut();
        if let Some(count) = under_way.get_mut(&self.era) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.era);
            }
        }
        drop(under_way);
        self.scans.ended.notify();
    }
}
