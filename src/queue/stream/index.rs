//! The index of a stream's messages by subject, and looking things up in it.

use std::{collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use super::{base::Stream, row, stored::Stored};
use crate::{
    queue::{
        error::Result,
        reader::{self, or_log},
        subject,
    },
    store::{Direction, KeyRange, KeyReader, Table},
};

/// How many rows are read at once.
const CHUNK: usize = 1024;
/// How many rows of a subject are read before the others are skipped.
const FEW: usize = 64;

/// A message as the index has it.
#[derive(Clone, Debug)]
pub(in crate::queue) struct Entry {
    pub(in crate::queue) sequence: u64,
    pub(super) subject: Rc<str>,
}

/// Of each subject how many messages there are, and the last one, counted without the index.
type Counted = BTreeMap<String, (u64, u64)>;

impl Stream {
    /// Rows of the index; `None` when they can't be read, and the messages have to be looked at.
    pub(super) async fn index_rows(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> Result<Option<Vec<(Bytes, Bytes)>>> {
        let rows = reader::scan(&self.store, Table::QueueSubjects, range, direction, limit).await?;
        Ok(or_log(rows, format_args!("the index of stream {}", self.name)))
    }

    /// Counts the messages from `from` to `to` whose subject matches, without the index.
    async fn count_messages(&self, filter: &str, from: u64, to: u64) -> Result<Counted> {
        let mut counted = Counted::new();
        let mut next = from.max(self.counts.borrow().first);
        let to = to.min(self.counts.borrow().visible());
        while let Some(message) = self.next_of_all(filter, next, to).await? {
            next = message.sequence + 1;
            let entry = counted.entry(message.subject().to_owned()).or_default();
            *entry = (entry.0 + 1, message.sequence);
        }
        Ok(counted)
    }

    /// At most `limit` messages of a subject, found without the index.
    async fn of_subject_slowly(
        &self,
        subject: &str,
        (mut from, mut to): (u64, u64),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        from = from.max(self.counts.borrow().first);
        to = to.min(self.counts.borrow().visible());
        while from <= to && found.len() < limit {
            let rows = self.rows(from, to, direction, CHUNK).await?;
            let Some(last) = rows.last() else { break };
            match direction {
                Direction::Forward => from = last.sequence + 1,
                Direction::Backward => to = last.sequence.saturating_sub(1),
            }
            let counts = self.counts.borrow();
            let messages = rows.iter().filter_map(|row| row.message.as_ref());
            let there = messages.filter(|message| !counts.removing.contains(&message.sequence));
            let those = there.filter(|message| message.subject() == subject);
            found.extend(those.map(|message| (message.sequence, message.size())));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// At most `limit` messages of a subject from `from` to `to`, both included: number and size.
    pub(super) async fn of_subject(
        &self,
        subject: &str,
        from: u64,
        to: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>> {
        let from = from.max(self.counts.borrow().first);
        if from > to {
            return Ok(Vec::new());
        }
        let range = KeyRange::between(
            row::index_key(self.id, subject, from),
            row::index_key(self.id, subject, to.saturating_add(1)),
        );
        let Some(rows) = self.index_rows(range, direction, limit).await? else {
            return self.of_subject_slowly(subject, (from, to), direction, limit).await;
        };
        let counts = self.counts.borrow();
        let entries =
            rows.into_iter().map(|(key, size)| (row::sequence(&key), row::decode_size(&size)));
        Ok(entries.filter(|(sequence, _)| counts.has(*sequence)).collect())
    }

    /// The last message of a subject from `from` to `to`, both included.
    async fn newest_of(&self, subject: &str, from: u64, mut to: u64) -> Result<Option<u64>> {
        let from = from.max(self.counts.borrow().first);
        let mut limit = 1;
        while from <= to {
            let range = KeyRange::between(
                row::index_key(self.id, subject, from),
                row::index_key(self.id, subject, to.saturating_add(1)),
            );
            let Some(rows) = self.index_rows(range, Direction::Backward, limit).await? else {
                let found =
                    self.of_subject_slowly(subject, (from, to), Direction::Backward, 1).await?;
                return Ok(found.first().map(|(sequence, _)| *sequence));
            };
            let Some((oldest, _)) = rows.last() else { return Ok(None) };
            let counts = self.counts.borrow();
            let mut sequences = rows.iter().map(|(key, _)| row::sequence(key));
            if let Some(newest) = sequences.find(|sequence| counts.has(*sequence)) {
                return Ok(Some(newest));
            }
            // What is being removed is still in the index.
            to = row::sequence(oldest).saturating_sub(1);
            limit = CHUNK.min(limit * 32);
        }
        Ok(None)
    }

    /// The last message up to `to` whose subject matches; 0 when there is none.
    pub(in crate::queue) async fn last_of(&self, filter: &str, to: u64) -> Result<u64> {
        if subject::is_literal(filter) {
            return Ok(self.newest_of(filter, 0, to).await?.unwrap_or(0));
        }
        let all = self.last_of_each(filter, 0, to, usize::MAX).await?;
        Ok(all.unwrap_or_default().into_iter().map(|entry| entry.sequence).max().unwrap_or(0))
    }

    /// The last message from `from` to `to` of each subject that matches, by subject; `None` when
    /// these are more than `most`.
    pub(in crate::queue) async fn last_of_each(
        &self,
        filter: &str,
        from: u64,
        to: u64,
        most: usize,
    ) -> Result<Option<Vec<Entry>>> {
        let mut found = Vec::new();
        let mut add = |literal: &str, newest: Option<u64>| {
            found.extend(newest.map(|sequence| Entry { sequence, subject: literal.into() }));
            found.len() <= most
        };
        if subject::is_literal(filter) {
            add(filter, self.newest_of(filter, from, to).await?);
            return Ok(Some(found));
        }
        let KeyRange { mut start, end } = self.filter_range(filter);
        loop {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            let Some(rows) = self.index_rows(range, Direction::Forward, FEW).await? else {
                let counted = self.count_messages(filter, from, to).await?;
                let entry = |(subject, (_, sequence)): (String, _)| Entry {
                    sequence,
                    subject: subject.into(),
                };
                let all: Vec<_> = counted.into_iter().map(entry).collect();
                return Ok((all.len() <= most).then_some(all));
            };
            let Some(next) = rows.first().and_then(|(key, _)| read_subject(key)) else { break };
            if subject::matches(filter, &next)
                && !add(&next, self.newest_of(&next, from, to).await?)
            {
                return Ok(None);
            }
            // The rest of the subject is skipped.
            start = KeyRange::prefix(row::subject_key(self.id, &next)).end;
        }
        Ok(Some(found))
    }

    /// How many messages there are of each subject that matches.
    pub(in crate::queue) async fn count_by_subject(
        &self,
        filter: &str,
    ) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        let KeyRange { mut start, end } = self.filter_range(filter);
        loop {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            let Some(rows) = self.index_rows(range, Direction::Forward, CHUNK).await? else {
                let counted = self.count_messages(filter, 0, u64::MAX).await?;
                return Ok(counted
                    .into_iter()
                    .map(|(subject, (count, _))| (subject, count))
                    .collect());
            };
            let Some((last, _)) = rows.last() else { break };
            start = Some([&last[..], &[0]].concat());
            let known = self.counts.borrow();
            for (key, _) in &rows {
                let sequence = row::sequence(key);
                if !known.has(sequence) {
                    continue;
                }
                if let Some(literal) = read_subject(key).filter(|s| subject::matches(filter, s)) {
                    *counts.entry(literal).or_default() += 1;
                }
            }
        }
        Ok(counts)
    }

    /// How many subjects the stream's messages have.
    pub(super) async fn count_subjects(&self) -> Result<u64> {
        let now = {
            let counts = self.counts.borrow();
            (counts.visible(), counts.removals, counts.messages)
        };
        let (then, count) = self.subject_count.get();
        if then == now {
            return Ok(count);
        }
        let KeyRange { mut start, end } = self.filter_range(">");
        let (mut count, mut last) = (0, None);
        loop {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            let Some(rows) = self.index_rows(range, Direction::Forward, CHUNK).await? else {
                let counted = self.count_messages(">", 0, u64::MAX).await?;
                count = counted.len() as u64;
                break;
            };
            let Some((end, _)) = rows.last() else { break };
            for (key, _) in &rows {
                let sequence = row::sequence(key);
                let known = self.counts.borrow();
                if !known.has(sequence) {
                    continue;
                }
                let subject = key.slice(..key.len() - 8);
                if last.as_ref() != Some(&subject) {
                    count += 1;
                    last = Some(subject);
                }
            }
            // The rest of a subject that is counted is skipped.
            start = match &last {
                Some(last) if **last == end[..end.len() - 8] => KeyRange::prefix(&**last).end,
                _ => Some([&end[..], &[0]].concat()),
            };
        }
        self.subject_count.set((now, count));
        Ok(count)
    }

    /// The range of the index with all subjects that match.
    fn filter_range(&self, filter: &str) -> KeyRange {
        if subject::is_literal(filter) {
            return KeyRange::prefix(row::subject_key(self.id, filter));
        }
        let fixed = filter.find(['*', '>']).unwrap_or(filter.len());
        let mut prefix = Vec::from(row::stream_key(self.id));
        prefix.extend_from_slice(&filter.as_bytes()[..fixed]);
        KeyRange::prefix(prefix)
    }

    /// The first message from `from` to `to` whose subject matches.
    pub(in crate::queue) async fn next_of(
        &self,
        filter: &str,
        from: u64,
        to: u64,
    ) -> Result<Option<Stored>> {
        let mut from = from;
        if subject::is_literal(filter) {
            while from <= to {
                let found = self.of_subject(filter, from, to, Direction::Forward, FEW).await?;
                let Some((last, _)) = found.last() else { return Ok(None) };
                for (sequence, _) in &found {
                    if let Some(message) = self.load(*sequence).await? {
                        return Ok(Some(message));
                    }
                }
                from = last + 1;
            }
            return Ok(None);
        }
        self.next_of_all(filter, from, to).await
    }

    /// The first message from `from` to `to` whose subject matches one of the filters; none is
    /// everything.
    pub(in crate::queue) async fn next_of_any(
        &self,
        filters: &[String],
        from: u64,
        to: u64,
    ) -> Result<Option<Stored>> {
        if filters.is_empty() {
            return self.next_of(">", from, to).await;
        }
        let mut next = None;
        let mut end = to;
        for filter in filters {
            if let Some(found) = self.next_of(filter, from, end).await? {
                // From here on only earlier messages matter.
                end = found.sequence.saturating_sub(1);
                next = Some(found);
            }
        }
        Ok(next)
    }

    /// The same, found among all messages.
    async fn next_of_all(&self, filter: &str, mut from: u64, to: u64) -> Result<Option<Stored>> {
        let mut limit = if filter == ">" { 1 } else { FEW };
        while from <= to {
            let rows = self.rows(from, to, Direction::Forward, limit).await?;
            let Some(last) = rows.last() else { break };
            from = last.sequence + 1;
            let is_it = |message: &Stored| {
                !self.counts.borrow().removing.contains(&message.sequence)
                    && subject::matches(filter, message.subject())
            };
            if let Some(found) = rows.into_iter().filter_map(|row| row.message).find(is_it) {
                return Ok(Some(found));
            }
            limit = CHUNK.min(limit * 4);
        }
        Ok(None)
    }

    /// Waits until everything up to `sequence` is durable or has failed.
    pub(in crate::queue) async fn until_visible(&self, sequence: u64) {
        loop {
            let settled = self.settled.listen();
            let reached = {
                let counts = self.counts.borrow();
                counts.visible() >= sequence.min(counts.last)
            };
            if reached {
                return;
            }
            // The bell is gone only with the stream, which this borrows.
            let _ = settled.await;
        }
    }
}

fn read_subject(key: &[u8]) -> Option<String> {
    let mut key = KeyReader::new(key);
    key.u64()?;
    key.str()
}
