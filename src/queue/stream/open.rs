//! Opening a stream that the store holds. Messages are not read.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    base::{Interest, Parts, Stream},
    configuration::StreamRow,
    counts::Counts,
    purge_row::PurgeRow,
    row::{self, StateRow},
};
use crate::{
    queue::{error::Result, reader},
    store::{Batch, Direction, KeyRange, KeyReader, Table},
};

/// How many messages are read at once.
const CHUNK: usize = 1024;

impl Stream {
    /// The stream of a row, and how many messages there have been for each consumer.
    pub(in crate::queue) async fn open(
        parts: Parts,
        interest: Rc<dyn Interest>,
        row: StreamRow,
    ) -> Result<(Self, BTreeMap<u64, u64>)> {
        let stream = Self::new(parts, interest, row.id, row.created, Rc::new(row.config));
        stream.next_consumer.set(row.next_consumer);
        stream.deleted.set(row.deleted);
        if row.deleted {
            return Ok((stream, BTreeMap::new()));
        }
        stream.open_purges().await?;
        let state = stream.open_counts().await?;
        if !row.indexed {
            stream.make_index().await?;
        }
        stream.open_ids().await?;
        Ok((stream, state.matched))
    }

    /// Makes the index of a stream that was stored without one.
    async fn make_index(&self) -> Result<()> {
        let (mut from, last) = {
            let counts = self.counts.borrow();
            (counts.first, counts.last)
        };
        loop {
            let rows = self.rows(from, last, Direction::Forward, CHUNK).await?;
            let Some(newest) = rows.last() else { break };
            from = newest.sequence + 1;
            let mut batch = Batch::new();
            for message in rows.iter().filter_map(|row| row.message.as_ref()) {
                let key = row::index_key(self.id, message.subject(), message.sequence);
                batch.put(Table::QueueSubjects, key, row::encode_size(message.size()));
            }
            self.store.commit(batch).await?;
        }
        let mut batch = Batch::new();
        self.write_config(&mut batch)?;
        Ok(self.store.commit(batch).await?)
    }

    async fn open_counts(&self) -> Result<StateRow<'static>> {
        let key = row::stream_key(self.id);
        let state = match reader::get(&self.store, Table::QueueStates, key).await? {
            Ok(row) => row.as_deref().map(StateRow::decode),
            Err(_) => Some(None),
        };
        let first = self.counts.borrow().first;
        let mut recount = false;
        let none = || StateRow { first, last: first - 1, ..StateRow::default() };
        let mut state = match state {
            Some(Some(state)) => state,
            None => none(),
            Some(None) => {
                tracing::error!(
                    "the counts of stream {} can't be read: they are made anew",
                    self.name
                );
                recount = true;
                StateRow { check_interest: true, ..none() }
            }
        };
        // No number is given out twice, whatever the row says.
        let range = KeyRange::prefix(row::stream_key(self.id));
        let table = Table::QueueMessages;
        let newest = reader::scan(&self.store, table, range, Direction::Backward, 1).await?;
        let newest = self.unless_damaged(newest);
        state.last = state.last.max(newest.first().map_or(0, |(key, _)| row::sequence(key)));
        *self.counts.borrow_mut() = Counts {
            first: state.first,
            last: state.last,
            durable: state.last,
            messages: state.messages,
            bytes: state.bytes,
            check_interest: state.check_interest,
            last_time: state.last_time,
            lost: state.lost.clone().into_owned(),
            ..Counts::default()
        };
        if recount {
            self.recount().await?;
        }
        Ok(state)
    }

    /// Counts the messages that there are.
    async fn recount(&self) -> Result<()> {
        let last = self.counts.borrow().last;
        let mut from = self.garbage.borrow().values().map(|row| row.below).max().unwrap_or(0);
        self.counts.borrow_mut().first = from;
        let mut found = false;
        loop {
            let rows = self.rows(from, last, Direction::Forward, CHUNK).await?;
            let mut counts = self.counts.borrow_mut();
            let Some(newest) = rows.last() else {
                if !found {
                    counts.first = last + 1;
                }
                return Ok(());
            };
            if !std::mem::replace(&mut found, true) {
                counts.first = rows[0].sequence;
            }
            from = newest.sequence + 1;
            for message in rows.iter().filter_map(|row| row.message.as_ref()) {
                counts.messages += 1;
                counts.bytes += message.size();
                counts.last_time = counts.last_time.max(message.time);
            }
        }
    }

    async fn open_ids(&self) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let table = Table::QueueMessageIds;
        let rows = reader::scan(&self.store, table, range, Direction::Forward, usize::MAX).await?;
        for (key, id) in self.unless_damaged(rows) {
            let mut key = KeyReader::new(&key);
            if let (Some(_), Some(time), Some(sequence), Ok(id)) =
                (key.u64(), key.u64(), key.u64(), std::str::from_utf8(&id))
            {
                self.ids.borrow_mut().insert(id.into(), time, sequence);
            }
        }
        Ok(())
    }

    /// The purges that were not finished when the queue was last open.
    pub(in crate::queue) async fn open_purges(&self) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let table = Table::QueuePurges;
        let rows = reader::scan(&self.store, table, range, Direction::Forward, usize::MAX).await?;
        for (key, value) in self.unless_damaged(rows) {
            let mut key = KeyReader::new(&key);
            if let (Some(_), Some(id), Some(row)) = (key.u64(), key.u64(), PurgeRow::read(&value)) {
                self.next_purge.set(self.next_purge.get().max(id + 1));
                let purges = if row.garbage { &self.garbage } else { &self.purges };
                purges.borrow_mut().insert(id, row);
            }
        }
        Ok(())
    }
}
