//! Purging, and deleting single messages. A purge is decided with one row; the messages are removed
//! bit by bit, after a restart too, and are not shown meanwhile.

use std::rc::Rc;

use serde::Deserialize;

use super::{
    base::Stream,
    index::Entry,
    purge_row::PurgeRow,
    removal::{Removal, Removed},
    row,
};
use crate::{
    queue::{
        config::LAST_SEQUENCE,
        error::{Error, Result},
        subject,
    },
    store::{Batch, Direction, Submission, Table},
};

/// How many messages are removed in one batch.
const CHUNK: usize = 256;

/// What is purged: everything by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Purge {
    /// Only messages of these subjects; all when empty.
    pub filter: String,
    /// Only messages with lower sequence numbers; 0 is all.
    pub seq: u64,
    /// How many of the newest stay.
    pub keep: u64,
}

impl Stream {
    /// Removes what `purge` says; returns how many messages.
    pub(in crate::queue) async fn purge(self: &Rc<Self>, purge: &Purge) -> Result<u64> {
        let config = self.config();
        if config.sealed {
            return Err(Error::STREAM_SEALED);
        }
        if config.deny_purge {
            return Err(Error::purge("stream purge not permitted"));
        }
        if purge.seq > 0 && purge.keep > 0
            || !purge.filter.is_empty() && !subject::is_valid(&purge.filter)
        {
            return Err(Error::BAD_REQUEST);
        }
        let _admin = self.admin.lock().await;
        let last = self.counts.borrow().visible();
        let all = purge.filter.is_empty() || purge.filter == ">";
        let filter = if all { ">".to_owned() } else { purge.filter.clone() };
        let below = if purge.seq > 0 { purge.seq.min(last + 1) } else { last + 1 };
        if all && purge.seq == 0 && purge.keep == 0 && self.is_quiet() {
            let purged = self.empty(below).await?;
            self.pass_over(&filter, last).await?;
            return Ok(purged);
        }
        let row = PurgeRow { filter, below, keep: purge.keep, each: false, garbage: false };
        let mut batch = Batch::new();
        batch.makes_room();
        let (id, row) = self.put_purge(&mut batch, row);
        self.store.commit(batch).await?;
        self.purges.borrow_mut().insert(id, row.clone());
        let purged = self.finish_purge(id, &row).await?;
        if all && purge.seq > last + 1 {
            self.skip_to(purge.seq.min(LAST_SEQUENCE)).await?;
        }
        self.pass_over(&row.filter, last).await?;
        Ok(purged)
    }

    /// Makes consumers go on after the messages that were purged, of `filter` and up to `last`.
    async fn pass_over(self: &Rc<Self>, filter: &str, last: u64) -> Result<()> {
        self.find_first().await?;
        let first = {
            let counts = self.counts.borrow();
            // Messages in flight are still to be delivered, and numbers of failed ones are used
            // again.
            let last = if counts.in_flight.is_empty() { counts.last } else { last };
            counts.first.min(last + 1)
        };
        let first_left = match filter {
            ">" => first,
            filter => {
                self.next_of(filter, first, last).await?.map_or(last + 1, |found| found.sequence)
            }
        };
        let skip = |batch: &mut Submission| {
            batch.makes_room();
            self.interest.skip(self, batch, filter, first, first_left);
            Ok(())
        };
        self.store.commit_with(Batch::new(), skip).await
    }

    /// Makes the next message have at least this sequence number.
    pub(super) async fn skip_to(self: &Rc<Self>, sequence: u64) -> Result<()> {
        {
            let mut counts = self.counts.borrow_mut();
            if !counts.in_flight.is_empty() || counts.last >= sequence {
                return Ok(());
            }
            counts.last = sequence - 1;
            counts.durable = sequence - 1;
            if counts.messages == 0 {
                counts.first = sequence;
            }
        }
        self.commit_counts(Batch::new()).await
    }

    /// Decides a purge with the batch.
    pub(super) fn put_purge(&self, batch: &mut Batch, row: PurgeRow) -> (u64, PurgeRow) {
        let id = self.next_purge.replace(self.next_purge.get() + 1);
        let key = row::message_key(self.id, id);
        // Strings and numbers have a JSON form.
        batch.put(Table::QueuePurges, key, serde_json::to_vec(&row).unwrap_or_default());
        (id, row)
    }

    /// Carries out all purges; the stream's lock is held.
    pub(super) async fn finish_purges(self: &Rc<Self>) -> Result<()> {
        loop {
            let next = self.purges.borrow().first_key_value().map(|(id, row)| (*id, row.clone()));
            let Some((id, row)) = next else { return Ok(()) };
            self.finish_purge(id, &row).await?;
        }
    }

    async fn finish_purge(self: &Rc<Self>, id: u64, purge: &PurgeRow) -> Result<u64> {
        let mut purged = 0;
        if purge.each {
            let subjects = self.last_of_each(&purge.filter, 0, purge.below, usize::MAX).await?;
            for Entry { subject, .. } in subjects.unwrap_or_default() {
                let one = PurgeRow { each: false, filter: subject.to_string(), ..purge.clone() };
                purged += self.purge_matching(&one).await?;
            }
        } else {
            purged = self.purge_matching(purge).await?;
        }
        let mut batch = Batch::new();
        batch.delete(Table::QueuePurges, row::message_key(self.id, id));
        self.store.commit(batch).await?;
        self.purges.borrow_mut().remove(&id);
        Ok(purged)
    }

    async fn purge_matching(self: &Rc<Self>, purge: &PurgeRow) -> Result<u64> {
        if purge.below == 0 {
            return Ok(0);
        }
        self.until_visible(purge.below - 1).await;
        let literal = subject::is_literal(&purge.filter);
        let (mut from, mut to) = (self.counts.borrow().first, purge.below - 1);
        let (mut keep, mut purged) = (purge.keep, 0);
        // From the end when some stay, and otherwise the oldest first.
        let direction = if keep > 0 { Direction::Backward } else { Direction::Forward };
        while from <= to {
            let mut going = Vec::new();
            let mut last = None;
            let mut goes = || {
                let stays = keep > 0;
                keep -= u64::from(stays);
                !stays
            };
            if literal {
                let subject: Rc<str> = purge.filter.as_str().into();
                let found = self.of_subject(&subject, from, to, direction, CHUNK).await?;
                for (sequence, size) in found {
                    last = Some(sequence);
                    if goes() {
                        going.push(Removed { sequence, subject: subject.clone(), size });
                    }
                }
            } else {
                for row in self.rows(from, to, direction, CHUNK).await? {
                    last = Some(row.sequence);
                    let is_it = match &row.message {
                        Some(message) => subject::matches(&purge.filter, message.subject()),
                        None => purge.filter == ">",
                    };
                    if is_it && goes() {
                        going.push(Removed::of(&row));
                    }
                }
            }
            let Some(last) = last else { break };
            match direction {
                Direction::Forward => from = last + 1,
                Direction::Backward => to = last - 1,
            }
            purged += self.commit_removal(Removal::of_purge(self), going).await?;
        }
        Ok(purged)
    }

    /// Removes one message.
    pub(in crate::queue) async fn delete(self: &Rc<Self>, sequence: u64) -> Result<()> {
        let config = self.config();
        if config.sealed {
            return Err(Error::STREAM_SEALED);
        }
        if config.deny_delete {
            return Err(Error::message_delete("message delete not permitted"));
        }
        let _admin = self.admin.lock().await;
        let rows = self.rows(sequence, sequence, Direction::Forward, 1).await?;
        match self.remove(&rows).await? {
            0 => Err(Error::NO_MESSAGE_FOUND),
            _ => Ok(()),
        }
    }
}
