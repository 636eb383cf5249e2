//! Opening the consumers that the store holds.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    configuration::ConsumerRow,
    handle::Consumers,
    inner::Inner,
    interest::ConsumerSet,
    row::{self, StateRow},
    state::State,
};
use crate::{
    queue::{
        config::StreamConfig,
        configurations::{self, Stored},
        error::Result,
        reader,
        stream::{Parts, Stream, StreamRow},
    },
    store::{Direction, KeyRange, Table},
};

impl Consumers {
    /// A stream that holds nothing yet, and has no consumers.
    pub(in crate::queue) fn new(parts: Parts, id: u64, created: u64, config: StreamConfig) -> Self {
        let set = Rc::<ConsumerSet>::default();
        let stream = Stream::new(parts, set.clone(), id, created, Rc::new(config));
        Self { stream: Rc::new(stream), set }
    }

    /// The stream of a row, with its consumers.
    pub(in crate::queue) async fn open(parts: Parts, row: StreamRow) -> Result<Self> {
        let set = Rc::<ConsumerSet>::default();
        let (stream, matched) = Stream::open(parts, set.clone(), row).await?;
        let consumers = Self { stream: Rc::new(stream), set };
        if !consumers.stream.deleted.get() {
            consumers.open_all(&matched).await?;
        }
        Ok(consumers)
    }

    /// Opens the consumers that are stored. `matched` is how many messages there have been for
    /// each.
    async fn open_all(&self, matched: &BTreeMap<u64, u64>) -> Result<()> {
        let stream = &self.stream;
        let next = stream.next_consumer.get();
        let (first, last) = {
            let counts = stream.counts.borrow();
            (counts.first, counts.last)
        };
        for row in configurations::consumers::<ConsumerRow>(&stream.store, stream.id, next).await? {
            let (id, row) = match row {
                Stored::Read(row) => row,
                Stored::Offline(offline) => {
                    let (name, cause) = offline.into_named("consumer");
                    self.set.offline.borrow_mut().insert(name, cause);
                    self.set.kept_to.set(last);
                    continue;
                }
            };
            let state = match self.state_of(id).await? {
                Some(state) => {
                    let matched = matched.get(&id).copied().unwrap_or(state.delivered);
                    State::restored(state, matched)
                }
                // Rather all messages once more than one of them never.
                None => State::starting(first),
            };
            let consumer = Inner::new(id, &row, state, stream.clock.now());
            consumer.base.set(last);
            self.set.by_name.borrow_mut().insert(consumer.name.to_string(), Rc::new(consumer));
        }
        Ok(())
    }

    /// The state of a consumer; `None` when it can't be read.
    async fn state_of(&self, consumer: u64) -> Result<Option<StateRow>> {
        let (stream, table) = (&self.stream, Table::QueueConsumerStates);
        let key = row::consumer_key(stream.id, consumer);
        let row = stream.unless_damaged(reader::get(&stream.store, table, key).await?);
        let Some(mut state) = row.as_deref().and_then(StateRow::decode) else {
            return Ok(None);
        };
        let Some((generation, _)) = state.chunks else { return Ok(Some(state)) };
        let range = KeyRange::prefix(row::chunks_key(stream.id, consumer, generation));
        let rows =
            reader::scan(&stream.store, table, range, Direction::Forward, usize::MAX).await?;
        let Some(rows) = stream.unless_damaged(rows.map(Some)) else { return Ok(None) };
        let complete = rows.iter().all(|(key, row)| state.add(key, row).is_some());
        Ok(complete.then_some(state))
    }

    /// Counts anew how many messages are still to be delivered to each consumer.
    pub(in crate::queue) async fn recount(&self) -> Result<()> {
        for consumer in self.all() {
            consumer.recount().await?;
        }
        Ok(())
    }
}
