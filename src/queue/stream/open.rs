//! Opening what the store holds. Messages are not read.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use super::{
    Counts, Stream, StreamRow,
    purge::PurgeRow,
    row::{self, MessageRow, StateRow},
};
use crate::{
    queue::{
        broker::Broker,
        clock::Clock,
        config::StreamConfig,
        configurations::{self, Stored},
        consumer::{
            self, ConsumerRow,
            row::{DeliveriesRow, chunks_key},
        },
        error::Result,
    },
    store::{self, Batch, Direction, KeyRange, KeyReader, Store, Table},
};

/// How many rows of a deleted stream are removed at once.
const CHUNK: usize = 1024;

/// What a stream works with.
pub(in crate::queue) struct Parts {
    pub(in crate::queue) store: Store,
    pub(in crate::queue) durable: Store,
    pub(in crate::queue) clock: Rc<dyn Clock>,
    pub(in crate::queue) broker: Broker,
}

impl Stream {
    /// A stream that holds nothing yet.
    pub(in crate::queue) fn new(
        parts: Parts,
        id: u64,
        created: u64,
        config: Rc<StreamConfig>,
    ) -> Self {
        let Parts { store, durable, clock, broker } = parts;
        let first = config.first_seq.max(1);
        let counts = Counts { first, last: first - 1, durable: first - 1, ..Counts::default() };
        let stream = Self {
            store,
            durable,
            clock,
            broker,
            id,
            name: config.name.as_str().into(),
            created,
            config: RefCell::new(config.clone()),
            transform: RefCell::default(),
            republish: RefCell::default(),
            next_consumer: Cell::new(1),
            counts: RefCell::new(counts),
            consumers: RefCell::default(),
            offline: RefCell::default(),
            kept_to: Cell::new(0),
            ids: RefCell::default(),
            subjects: RefCell::default(),
            subject_count: Cell::default(),
            purges: RefCell::default(),
            garbage: RefCell::default(),
            next_purge: Cell::new(1),
            damage: RefCell::default(),
            copying: RefCell::default(),
            inbox: RefCell::default(),
            atomic: RefCell::default(),
            fast: RefCell::default(),
            next_expiry: Cell::new(0),
            expiring: Cell::new(false),
            settled: Default::default(),
            untidy: Default::default(),
            admin: Mutex::new(()),
            suspects: Mutex::new(()),
            deleted: Cell::new(false),
            reserved: Cell::default(),
        };
        stream.configure(config);
        stream
    }

    /// The stream of a row.
    pub(in crate::queue) async fn open(parts: Parts, row: StreamRow) -> Result<Self> {
        let stream = Self::new(parts, row.id, row.created, Rc::new(row.config));
        stream.next_consumer.set(row.next_consumer);
        stream.deleted.set(row.deleted);
        if row.deleted {
            return Ok(stream);
        }
        stream.open_purges().await?;
        let state = stream.open_counts().await?;
        if !row.indexed {
            stream.make_index().await?;
        }
        stream.open_consumers(&state.matched).await?;
        stream.open_ids().await?;
        Ok(stream)
    }

    /// Makes the index of a stream that was stored without one.
    async fn make_index(&self) -> Result<()> {
        let (mut from, last) = {
            let counts = self.counts.borrow();
            (counts.first, counts.last)
        };
        loop {
            let rows = self.rows(from, last, Direction::Forward, CHUNK).await?;
            let Some((newest, _)) = rows.last() else { break };
            from = newest + 1;
            let mut batch = Batch::new();
            for (sequence, row) in &rows {
                if let Some(message) = MessageRow::decode(row) {
                    let key = row::index_key(self.id, message.subject, *sequence);
                    batch.put(Table::QueueSubjects, key, row::encode_size(message.size()));
                }
            }
            self.store.commit(batch).await?;
        }
        let mut batch = Batch::new();
        self.write_config(&mut batch)?;
        Ok(self.store.commit(batch).await?)
    }

    async fn open_counts(&self) -> Result<StateRow<'static>> {
        let state = match self.store.get(Table::QueueStates, row::stream_key(self.id)).await {
            Ok(row) => row.as_deref().map(StateRow::decode),
            Err(store::Error::Corrupt(_)) => Some(None),
            Err(cause) => return Err(cause.into()),
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
                StateRow { sweep: true, ..none() }
            }
        };
        // No number is given out twice, whatever the row says.
        let range = KeyRange::prefix(row::stream_key(self.id));
        let newest = self.store.scan(Table::QueueMessages, range, Direction::Backward, 1).await;
        let newest = self.unless_damaged(newest)?;
        state.last = state.last.max(newest.first().map_or(0, |(key, _)| row::sequence(key)));
        *self.counts.borrow_mut() = Counts {
            first: state.first,
            last: state.last,
            durable: state.last,
            messages: state.messages,
            bytes: state.bytes,
            sweep: state.sweep,
            last_time: state.last_time,
            lost: state.lost.clone().into_owned(),
            ..Counts::default()
        };
        if recount {
            self.recount().await?;
        }
        Ok(state)
    }

    /// What was read; nothing when it can't be read, which is told and stands in nobody's way.
    pub(super) fn unless_damaged<T: Default>(&self, read: store::Result<T>) -> Result<T> {
        match read {
            Err(store::Error::Corrupt(cause)) => {
                tracing::error!("something of stream {} can't be read: {cause}", self.name);
                Ok(T::default())
            }
            read => Ok(read?),
        }
    }

    /// Counts the messages that there are.
    async fn recount(&self) -> Result<()> {
        let last = self.counts.borrow().last;
        let mut from = self.garbage.borrow().values().map(PurgeRow::below).max().unwrap_or(0);
        self.counts.borrow_mut().first = from;
        let mut found = false;
        loop {
            let rows = self.rows(from, last, Direction::Forward, CHUNK).await?;
            let mut counts = self.counts.borrow_mut();
            let Some((newest, _)) = rows.last() else {
                if !found {
                    counts.first = last + 1;
                }
                return Ok(());
            };
            if !std::mem::replace(&mut found, true) {
                counts.first = rows[0].0;
            }
            from = newest + 1;
            for message in rows.iter().filter_map(|(_, row)| MessageRow::decode(row)) {
                counts.messages += 1;
                counts.bytes += message.size();
                counts.last_time = counts.last_time.max(message.time);
            }
        }
    }

    async fn open_consumers(&self, matched: &BTreeMap<u64, u64>) -> Result<()> {
        let next = self.next_consumer.get();
        for row in configurations::consumers::<ConsumerRow>(&self.store, self.id, next).await? {
            let (id, row) = match row {
                Stored::Read(row) => row,
                Stored::Offline(offline) => {
                    let (name, cause) = offline.told("consumer");
                    self.offline.borrow_mut().insert(name, cause);
                    self.kept_to.set(self.counts.borrow().last);
                    continue;
                }
            };
            let state = self.deliveries_of(id).await?;
            let since = (self.counts.borrow().first, self.clock.now());
            let matched = matched.get(&id).copied();
            let consumer = consumer::Inner::restored(id, &row, state, matched, since);
            consumer.base.set(self.counts.borrow().last);
            self.consumers.borrow_mut().insert(consumer.name.to_string(), Rc::new(consumer));
        }
        Ok(())
    }

    /// What a consumer was delivered; `None` when it can't be read.
    async fn deliveries_of(&self, consumer: u64) -> Result<Option<DeliveriesRow>> {
        let (key, table) = (row::message_key(self.id, consumer), Table::QueueConsumerStates);
        let state = self.unless_damaged(self.store.get(table, key).await)?;
        let Some(mut state) = state.as_deref().and_then(DeliveriesRow::decode) else {
            return Ok(None);
        };
        let Some((generation, _)) = state.chunks else { return Ok(Some(state)) };
        let range = KeyRange::prefix(chunks_key(self.id, consumer, generation));
        let rows = self.store.scan(table, range, Direction::Forward, usize::MAX).await;
        let rows = self.unless_damaged(rows.map(Some))?;
        let Some(rows) = rows else { return Ok(None) };
        let complete = rows.iter().all(|(key, row)| state.add(key, row).is_some());
        Ok(complete.then_some(state))
    }

    async fn open_ids(&self) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let rows =
            self.store.scan(Table::QueueMessageIds, range, Direction::Forward, usize::MAX).await;
        let rows = self.unless_damaged(rows)?;
        for (key, id) in rows {
            let mut key = KeyReader::new(&key);
            if let (Some(_), Some(time), Some(sequence), Ok(id)) =
                (key.u64(), key.u64(), key.u64(), std::str::from_utf8(&id))
            {
                self.ids.borrow_mut().insert(id.into(), time, sequence);
            }
        }
        Ok(())
    }

    /// Removes every row of a deleted stream that can be read, its own last.
    pub(in crate::queue) async fn wipe(&self) -> Result<()> {
        for table in [
            Table::QueueMessages,
            Table::QueueConsumers,
            Table::QueueConsumerStates,
            Table::QueueMessageIds,
            Table::QueueSubjects,
            Table::QueueTimers,
            Table::QueuePurges,
            Table::QueueSources,
            Table::QueueStates,
            Table::QueueStreams,
        ] {
            loop {
                let mut range = KeyRange::prefix(row::stream_key(self.id));
                if table == Table::QueueStreams {
                    // Its own row goes last.
                    range.start = Some(row::message_key(self.id, 0).into());
                }
                let rows = self.store.scan(table, range, Direction::Forward, CHUNK).await;
                let rows = self.unless_damaged(rows)?;
                if rows.is_empty() {
                    break;
                }
                let mut batch = Batch::new();
                for (key, _) in rows {
                    batch.delete(table, &*key);
                }
                self.store.commit(batch).await?;
            }
        }
        let mut batch = Batch::new();
        configurations::delete_stream(&mut batch, self.id);
        Ok(self.store.commit(batch).await?)
    }
}
