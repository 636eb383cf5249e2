//! Opening what the store holds. Messages are not read.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use futures::lock::Mutex;

use super::{Counts, Stream, StreamRow};
use crate::queue::{
    admin::ConsumerRow,
    clock::Clock,
    config::StreamConfig,
    consumer,
    error::Result,
    row::{self, DeliveriesRow, StateRow},
};
use crate::store::{Batch, Direction, KeyRange, KeyReader, Store, Table};

/// How many rows of a deleted stream are removed at once.
const CHUNK: usize = 1024;

impl Stream {
    /// A stream that holds nothing yet.
    pub(in crate::queue) fn new(
        store: Store,
        clock: Rc<dyn Clock>,
        id: u64,
        created: u64,
        config: StreamConfig,
    ) -> Self {
        Self {
            store,
            clock,
            id,
            created,
            config: RefCell::new(Rc::new(config)),
            next_consumer: Cell::new(1),
            counts: RefCell::new(Counts { first: 1, ..Counts::default() }),
            consumers: RefCell::default(),
            ids: RefCell::default(),
            full: RefCell::default(),
            next_expiry: Cell::new(0),
            settled: Default::default(),
            untidy: Default::default(),
            admin: Mutex::new(()),
            deleted: Cell::new(false),
        }
    }

    /// The stream of a row.
    pub(in crate::queue) async fn open(
        store: Store,
        clock: Rc<dyn Clock>,
        row: StreamRow,
    ) -> Result<Self> {
        let stream = Self::new(store, clock, row.id, row.created, row.config);
        stream.next_consumer.set(row.next_consumer);
        stream.deleted.set(row.deleted);
        if row.deleted {
            return Ok(stream);
        }
        let state = stream.open_counts().await?;
        stream.open_consumers(&state.matched).await?;
        stream.open_ids().await?;
        stream.restore_full_subjects().await?;
        Ok(stream)
    }

    async fn open_counts(&self) -> Result<StateRow> {
        let row = self.store.get(Table::QueueStates, row::stream_key(self.id)).await?;
        let state = row.as_deref().map(StateRow::decode);
        let mut state = match state {
            Some(Some(state)) => state,
            None => StateRow { first: 1, ..StateRow::default() },
            Some(None) => {
                tracing::error!("the counts of stream {} can't be read", self.config().name);
                StateRow { first: 1, sweep: true, ..StateRow::default() }
            }
        };
        // No number is given out twice, whatever the row says.
        let newest = self.rows(state.first, u64::MAX - 1, Direction::Backward, 1).await?;
        if let Some((sequence, _)) = newest.first() {
            state.last = state.last.max(*sequence);
        }
        *self.counts.borrow_mut() = Counts {
            first: state.first,
            last: state.last,
            durable: state.last,
            messages: state.messages,
            bytes: state.bytes,
            sweep: state.sweep,
            ..Counts::default()
        };
        Ok(state)
    }

    async fn open_consumers(&self, matched: &BTreeMap<u64, u64>) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let rows =
            self.store.scan(Table::QueueConsumers, range, Direction::Forward, usize::MAX).await?;
        for (key, value) in rows {
            let id = row::sequence(&key);
            let Ok(stored) = serde_json::from_slice::<ConsumerRow>(&value) else {
                tracing::error!("a consumer of stream {} can't be read", self.config().name);
                continue;
            };
            let state = self.store.get(Table::QueueConsumerStates, &*key).await?;
            let name = stored.config.durable_name.clone();
            let consumer = match state.as_deref().and_then(DeliveriesRow::decode) {
                Some(row) => {
                    let matched = matched.get(&id).copied().unwrap_or(row.taken);
                    consumer::Inner::restored(id, stored.created, stored.config, row, matched)
                }
                None => {
                    // Rather everything once more than something never.
                    tracing::error!("where consumer {name} was can't be read: it begins anew");
                    let first = self.counts.borrow().first;
                    consumer::Inner::new(id, stored.created, stored.config, first)
                }
            };
            consumer.base.set(self.counts.borrow().last);
            self.consumers.borrow_mut().insert(name, Rc::new(consumer));
        }
        Ok(())
    }

    async fn open_ids(&self) -> Result<()> {
        let range = KeyRange::prefix(row::stream_key(self.id));
        let rows =
            self.store.scan(Table::QueueMessageIds, range, Direction::Forward, usize::MAX).await?;
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

    /// Removes every row of a deleted stream, itself last.
    pub(in crate::queue) async fn wipe(&self) -> Result<()> {
        for table in [
            Table::QueueMessages,
            Table::QueueConsumers,
            Table::QueueConsumerStates,
            Table::QueueMessageIds,
            Table::QueueSubjects,
            Table::QueueFullSubjects,
            Table::QueueStates,
            Table::QueueStreams,
        ] {
            loop {
                let range = KeyRange::prefix(row::stream_key(self.id));
                let rows = self.store.scan(table, range, Direction::Forward, CHUNK).await?;
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
        Ok(())
    }
}
