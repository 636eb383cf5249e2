//! Making, changing and deleting consumers.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{
    config::{ConsumerConfig, DeliverPolicy, Retention, limit},
    consumer,
    error::{Error, Result},
    fetch::Consumer,
    row::{self, MessageRow},
    stream::Stream,
    subject,
};
use crate::store::{Batch, Direction, Table};

/// How many messages are counted at once.
const CHUNK: usize = 1024;

/// A consumer as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct ConsumerRow {
    pub(super) created: u64,
    pub(super) config: ConsumerConfig,
}

impl Stream {
    /// The consumer of that name, if there is one.
    pub(super) fn consumer(self: &Rc<Self>, name: &str) -> Option<Consumer> {
        let inner = self.consumers.borrow().get(name)?.clone();
        Some(Consumer { stream: self.clone(), inner })
    }

    /// Makes a consumer, or changes the one of that name.
    pub(super) async fn create_consumer(
        self: &Rc<Self>,
        config: ConsumerConfig,
    ) -> Result<Consumer> {
        let _admin = self.admin.lock().await;
        if self.deleted.get() {
            return Err(Error::STREAM_NOT_FOUND);
        }
        let config = config.checked(&self.config())?;
        self.check_shared(&config)?;
        if let Some(existing) = self.consumer(&config.durable_name) {
            self.update_consumer(&existing.inner, config).await?;
            return Ok(existing);
        }
        if self.consumers.borrow().len() as u64 >= limit(self.config().max_consumers) {
            return Err(Error::MAXIMUM_CONSUMERS);
        }
        let name = config.durable_name.clone();
        let start = self.start(&config).await?;
        let id = self.next_consumer.replace(self.next_consumer.get() + 1);
        let inner = Rc::new(consumer::Inner::new(id, self.clock.now(), config, start));
        // From here on messages are kept for it.
        self.consumers.borrow_mut().insert(name.clone(), inner.clone());
        let made = async {
            self.count(&inner).await?;
            self.commit_consumer(&inner).await
        }
        .await;
        if let Err(cause) = made {
            self.consumers.borrow_mut().remove(&name);
            self.ask_sweep();
            return Err(cause);
        }
        Ok(Consumer { stream: self.clone(), inner })
    }

    /// What consumers of one work queue owe one another.
    fn check_shared(&self, config: &ConsumerConfig) -> Result<()> {
        if self.config().retention != Retention::WorkQueue {
            return Ok(());
        }
        for (name, other) in &*self.consumers.borrow() {
            if *name == config.durable_name {
                continue;
            }
            let other = other.config();
            if config.filters().is_empty() || other.filters().is_empty() {
                return Err(Error::WORKQUEUE_MULTIPLE_UNFILTERED);
            }
            let shares =
                |one: &String| other.filters().iter().any(|two| subject::overlap(one, two));
            if config.filters().iter().any(shares) {
                return Err(Error::WORKQUEUE_CONSUMER_NOT_UNIQUE);
            }
        }
        Ok(())
    }

    /// The sequence number that a new consumer starts at.
    async fn start(&self, config: &ConsumerConfig) -> Result<u64> {
        let (first, last) = {
            let counts = self.counts.borrow();
            (counts.first, counts.last)
        };
        match config.deliver_policy {
            DeliverPolicy::All => Ok(first),
            DeliverPolicy::New => Ok(last + 1),
            DeliverPolicy::ByStartSequence => {
                Ok(config.opt_start_seq.unwrap_or(first).clamp(first, last + 1))
            }
            DeliverPolicy::Last => {
                let mut to = last;
                loop {
                    let rows = self.rows(first, to, Direction::Backward, CHUNK).await?;
                    let is_for = |(_, row): &&(u64, bytes::Bytes)| {
                        MessageRow::decode(row).is_some_and(|message| config.takes(message.subject))
                    };
                    match (rows.iter().find(is_for), rows.last()) {
                        (Some((sequence, _)), _) => return Ok(*sequence),
                        (None, Some((sequence, _))) if *sequence > first => to = sequence - 1,
                        _ => return Ok(last + 1),
                    }
                }
            }
        }
    }

    /// Counts the messages from the consumer's cursor on; later ones are counted as they come.
    pub(super) async fn count(&self, consumer: &consumer::Inner) -> Result<()> {
        let (base, cursor) = {
            let counts = self.counts.borrow();
            let cursor = consumer.deliveries.borrow().cursor;
            if consumer.config().filters().is_empty()
                && cursor <= counts.first
                && counts.in_flight.is_empty()
            {
                let mut deliveries = consumer.deliveries.borrow_mut();
                deliveries.matched = deliveries.taken + counts.messages;
                consumer.base.set(counts.last);
                return Ok(());
            }
            (counts.last, cursor)
        };
        consumer.base.set(base);
        let taken = consumer.deliveries.borrow().taken;
        consumer.deliveries.borrow_mut().matched = taken;
        // What is under way now becomes durable or fails before it is counted.
        loop {
            let settled = self.settled.listen();
            if self.counts.borrow().visible() >= base.min(self.counts.borrow().last) {
                break;
            }
            // The bell is gone only with the stream, which this borrows.
            let _ = settled.await;
        }
        // The numbers of what failed are given out again, and counted as they are.
        let base = base.min(self.counts.borrow().last);
        consumer.base.set(base);
        let mut from = cursor;
        loop {
            let rows = self.rows(from, base, Direction::Forward, CHUNK).await?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = last + 1;
            let matching = rows.iter().filter(|(sequence, row)| {
                !self.counts.borrow().removing.contains(sequence)
                    && MessageRow::decode(row)
                        .is_some_and(|message| consumer.takes(message.subject))
            });
            let matching = matching.count() as u64;
            consumer.deliveries.borrow_mut().matched += matching;
        }
    }

    async fn commit_consumer(self: &Rc<Self>, consumer: &Rc<consumer::Inner>) -> Result<()> {
        let mut batch = Batch::new();
        let row = ConsumerRow { created: consumer.created, config: (*consumer.config()).clone() };
        let key = row::consumer_key(self.id, consumer.id);
        batch.put_json(Table::QueueConsumers, key, &row)?;
        consumer.write(self, &mut batch);
        self.write_config(&mut batch)?;
        self.write_counts(&mut batch);
        Ok(self.store.commit(batch).await?)
    }

    async fn update_consumer(
        self: &Rc<Self>,
        consumer: &Rc<consumer::Inner>,
        config: ConsumerConfig,
    ) -> Result<()> {
        let before = consumer.config();
        if *before == config {
            return Ok(());
        }
        let refused = if before.deliver_policy != config.deliver_policy {
            "deliver policy can not be updated"
        } else if before.opt_start_seq != config.opt_start_seq {
            "start sequence can not be updated"
        } else if before.ack_policy != config.ack_policy {
            "ack policy can not be updated"
        } else {
            ""
        };
        if !refused.is_empty() {
            return Err(Error::consumer_create(refused));
        }
        // Nothing is delivered while the filter changes.
        let _turn = consumer.turn.lock().await;
        let filters_changed = before.filters() != config.filters();
        *consumer.config.borrow_mut() = Rc::new(config);
        let updated = async {
            if filters_changed {
                self.count(consumer).await?;
                self.ask_sweep();
            }
            self.commit_consumer(consumer).await
        }
        .await;
        if updated.is_err() {
            *consumer.config.borrow_mut() = before;
            if filters_changed {
                self.count(consumer).await?;
            }
        }
        consumer.wake.wake();
        updated
    }

    /// Deletes a consumer; what only it needed goes.
    pub(super) async fn delete_consumer(self: &Rc<Self>, name: &str) -> Result<()> {
        let _admin = self.admin.lock().await;
        let found = self.consumers.borrow_mut().remove(name);
        let consumer = found.ok_or(Error::CONSUMER_NOT_FOUND)?;
        consumer.deleted.set(true);
        let mut batch = Batch::new();
        batch.delete(Table::QueueConsumers, row::consumer_key(self.id, consumer.id));
        batch.delete(Table::QueueConsumerStates, row::consumer_key(self.id, consumer.id));
        self.ask_sweep();
        self.write_counts(&mut batch);
        if let Err(cause) = self.store.commit(batch).await {
            consumer.deleted.set(false);
            self.consumers.borrow_mut().insert(name.to_owned(), consumer);
            return Err(cause.into());
        }
        consumer.wake.wake();
        self.untidy.wake();
        Ok(())
    }

    /// Has what no consumer needs any longer looked for, where that matters.
    pub(super) fn ask_sweep(&self) {
        if self.config().retention == Retention::Interest {
            self.counts.borrow_mut().ask_sweep();
            self.untidy.wake();
        }
    }
}
