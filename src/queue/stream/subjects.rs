//! The newest messages of subjects, kept in memory so that a publish can be checked against them,
//! and take their place, without reading.
//!
//! A subject is looked up when a publish first needs it and kept up to date from then on, including
//! publishes whose batch is not submitted yet.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use super::counter::Total;
use crate::queue::subject;

/// How many subjects are known at most.
const MOST: usize = 16 * 1024;
/// How many with wildcards: each publish goes through them.
const MOST_FILTERS: usize = 16;
/// How many messages of a subject are known where their number is not limited.
const SOME: usize = 4;

#[derive(Default)]
pub(super) struct Subjects {
    known: HashMap<Rc<str>, Subject>,
    /// Subjects with wildcards, which expectations may have.
    filters: Vec<(Rc<str>, Subject)>,
}

/// The newest messages of a subject.
#[derive(Default)]
pub(super) struct Subject {
    /// Sequence number and size, oldest first.
    newest: VecDeque<(u64, u64)>,
    /// Whether they were looked up. While that goes on, only those published since its beginning
    /// are here.
    loaded: bool,
    /// Whether there are no others.
    complete: bool,
    /// Whether messages were removed while they were looked up.
    stale: bool,
    /// The total in the last message. ADR-49
    total: Option<Rc<Total>>,
    /// Whether the last message is a schedule. ADR-51
    schedule: bool,
}

impl Subjects {
    /// A subject that was looked up.
    pub(super) fn get(&self, subject: &str) -> Option<&Subject> {
        let known = self.known.get(subject).or_else(|| {
            self.filters.iter().find(|(filter, _)| **filter == *subject).map(|(_, known)| known)
        });
        known.filter(|known| known.loaded)
    }

    /// Adds a publish in flight. Returns the messages that it takes the place of when the subject
    /// may have `limit` messages, or `None` when these are not known; with `whole` all of them have
    /// to be.
    pub(super) fn publish(
        &mut self,
        literal: &str,
        sequence: u64,
        size: u64,
        limit: Option<usize>,
        whole: bool,
    ) -> Option<Vec<(u64, u64)>> {
        for (filter, known) in &mut self.filters {
            if subject::matches(filter, literal) {
                known.push(sequence, size, None, false);
            }
        }
        match self.known.get_mut(literal) {
            Some(known) => known.push(sequence, size, limit, whole),
            None => limit.is_none().then(Vec::new),
        }
    }

    /// Removes a publish that was taken back.
    pub(super) fn take_back(&mut self, literal: &str, sequence: u64) {
        self.each(literal, |known| {
            known.remove(sequence);
            known.total = None;
            // The messages before are looked up again.
            known.loaded &= known.complete;
        });
    }

    /// Removes a message.
    pub(super) fn remove(&mut self, literal: &str, sequence: u64) {
        self.each(literal, |known| known.remove(sequence));
    }

    /// Puts back a message that was to be removed.
    pub(super) fn restore(&mut self, literal: &str, sequence: u64, size: u64) {
        self.each(literal, |known| {
            let place = known.newest.partition_point(|(other, _)| *other < sequence);
            if known.newest.get(place).is_none_or(|(other, _)| *other != sequence) {
                known.newest.insert(place, (sequence, size));
            }
            known.stale = true;
        });
    }

    pub(super) fn set_total(&mut self, literal: &str, total: Rc<Total>) {
        if let Some(known) = self.known.get_mut(literal) {
            known.total = Some(total);
        }
    }

    pub(super) fn set_schedule(&mut self, literal: &str, schedule: bool) {
        if let Some(known) = self.known.get_mut(literal) {
            known.schedule = schedule;
        }
    }

    fn each(&mut self, literal: &str, mut change: impl FnMut(&mut Subject)) {
        if let Some(known) = self.known.get_mut(literal) {
            change(known);
        }
        for (filter, known) in &mut self.filters {
            if subject::matches(filter, literal) {
                change(known);
            }
        }
    }

    /// Forgets subjects when many are known. This must be called before the lookups for a publish
    /// and not between them: what one finds must not be forgotten for the next.
    pub(super) fn make_room(&mut self) {
        if self.known.len() >= MOST {
            self.known.retain(|_, known| !known.loaded);
        }
        if self.filters.len() >= MOST_FILTERS {
            self.filters.retain(|(_, known)| !known.loaded);
        }
    }

    /// Begins to look a subject up: publishes are noted from now on.
    pub(super) fn begin(&mut self, subject: &str) {
        self.entry(subject).stale = false;
    }

    /// Ends looking a subject up with its newest messages up to the moment it began, oldest first;
    /// false when it has to be done again.
    pub(super) fn end(
        &mut self,
        subject: &str,
        found: Vec<(u64, u64)>,
        complete: bool,
        total: Option<Rc<Total>>,
    ) -> bool {
        let known = self.entry(subject);
        if std::mem::take(&mut known.stale) {
            return false;
        }
        if !known.loaded {
            let since = std::mem::take(&mut known.newest);
            let first = since.front().map_or(u64::MAX, |(sequence, _)| *sequence);
            known.newest = found.into_iter().filter(|(sequence, _)| *sequence < first).collect();
            known.newest.extend(since);
            known.complete = complete;
            known.loaded = true;
        }
        if known.total.is_none() {
            known.total = total;
        }
        true
    }

    fn entry(&mut self, subject: &str) -> &mut Subject {
        if subject::is_literal(subject) {
            return self.known.entry(subject.into()).or_default();
        }
        let place = self.filters.iter().position(|(filter, _)| **filter == *subject);
        let place = place.unwrap_or_else(|| {
            self.filters.push((subject.into(), Subject::default()));
            self.filters.len() - 1
        });
        &mut self.filters[place].1
    }

    /// A purge was decided: no messages are left of a subject, or of all.
    pub(super) fn purge(&mut self, of: Option<&str>) {
        for (literal, known) in &mut self.known {
            if of.is_none_or(|of| of == &**literal) {
                known.purge();
            }
        }
        for (filter, known) in &mut self.filters {
            match of {
                None => known.purge(),
                Some(of) if subject::matches(filter, of) => known.look_again(),
                Some(_) => {}
            }
        }
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self) {
        self.known.retain(|_, known| !known.loaded);
        self.filters.retain(|(_, known)| !known.loaded);
        // Lookups in progress are done again.
        let filters = self.filters.iter_mut().map(|(_, known)| known);
        self.known.values_mut().chain(filters).for_each(Subject::look_again);
    }
}

impl Subject {
    /// The sequence number of the last message; 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        self.newest.back().map_or(0, |(sequence, _)| *sequence)
    }

    /// How many messages are known.
    pub(super) fn count(&self) -> usize {
        self.newest.len()
    }

    /// The total in the last message.
    pub(super) fn total(&self) -> Option<&Rc<Total>> {
        self.total.as_ref()
    }

    /// Whether the last message is a schedule.
    pub(super) fn is_schedule(&self) -> bool {
        self.schedule
    }

    fn purge(&mut self) {
        self.newest.clear();
        self.complete = true;
        self.stale = true;
        self.total = None;
        self.schedule = false;
    }

    fn look_again(&mut self) {
        self.loaded = false;
        self.stale = true;
    }

    fn push(
        &mut self,
        sequence: u64,
        size: u64,
        limit: Option<usize>,
        whole: bool,
    ) -> Option<Vec<(u64, u64)>> {
        self.newest.push_back((sequence, size));
        let Some(limit) = limit else {
            while self.loaded && self.newest.len() > SOME {
                self.newest.pop_front();
                self.complete = false;
            }
            return Some(Vec::new());
        };
        let evicted = self.newest.len().saturating_sub(limit);
        // When the limit was lowered, there may be more messages than are known.
        let all_known = self.complete || !whole && evicted <= 1;
        (self.loaded && all_known).then(|| self.newest.drain(..evicted).collect())
    }

    fn remove(&mut self, sequence: u64) {
        self.stale = true;
        if let Ok(place) = self.newest.binary_search_by_key(&sequence, |(other, _)| *other) {
            self.newest.remove(place);
            if place == self.newest.len() {
                self.total = None;
            }
            self.loaded &= self.complete || !self.newest.is_empty();
        }
    }
}
