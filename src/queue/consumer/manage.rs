//! Making, changing and deleting consumers.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Consumer, Deliveries, Inner, advisory, row, start::Selected};
use crate::{
    platform,
    queue::{
        Queue,
        config::{AckPolicy, ConsumerConfig, DeliverPolicy, Retention, limit},
        configurations,
        error::{Error, Result},
        stream::Stream,
        subject,
    },
    store::{Batch, Table},
};

/// How long the name of a consumer is that was given none.
const NAME_LENGTH: usize = 8;

/// A consumer as it is stored.
#[derive(Serialize, Deserialize)]
pub(in crate::queue) struct ConsumerRow {
    pub(super) created: u64,
    pub(super) config: ConsumerConfig,
    #[serde(default, skip_serializing_if = "Selected::is_empty")]
    pub(super) selected: Selected,
}

/// Whether a consumer is made, changed, or either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::queue) enum Action {
    #[default]
    #[serde(rename = "")]
    Any,
    Create,
    Update,
}

impl Queue {
    /// Makes a consumer, or changes the one of that name. Without a name it gets one, and goes when
    /// nobody has used it for a while.
    ///
    /// # Errors
    /// 10059 when there is no such stream; the codes of what can't be configured so.
    pub async fn create_consumer(&self, stream: &str, config: ConsumerConfig) -> Result<Consumer> {
        Ok(self.stream(stream)?.create_consumer(config, Action::Any).await?.0)
    }

    /// A consumer by its name.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub fn consumer(&self, stream: &str, name: &str) -> Result<Consumer> {
        let stream = self.stream(stream)?;
        stream.check_not_offline(name)?;
        stream.consumer(name).ok_or(Error::CONSUMER_NOT_FOUND)
    }

    /// Deletes a consumer.
    ///
    /// # Errors
    /// 10059 and 10014 when there is no such stream or consumer.
    pub async fn delete_consumer(&self, stream: &str, name: &str) -> Result<()> {
        self.stream(stream)?.delete_consumer(name).await
    }
}

impl Stream {
    /// The consumer of that name, if there is one.
    pub(in crate::queue) fn consumer(self: &Rc<Self>, name: &str) -> Option<Consumer> {
        let inner = self.consumers.borrow().get(name)?.clone();
        Some(Consumer { stream: self.clone(), inner })
    }

    /// Makes a consumer, or changes the one of that name; tells whether it was made.
    pub(in crate::queue) async fn create_consumer(
        self: &Rc<Self>,
        mut config: ConsumerConfig,
        action: Action,
    ) -> Result<(Consumer, bool)> {
        let _admin = self.admin.lock().await;
        if self.deleted.get() {
            return Err(Error::STREAM_NOT_FOUND);
        }
        if config.name.is_empty() && config.durable_name.is_empty() {
            config.name = platform::random_string(NAME_LENGTH);
        }
        let mut config = config.checked(&self.config())?;
        self.check_not_offline(&config.name)?;
        if let Some(existing) = self.consumer(&config.name) {
            // That is changed by pausing it only.
            config.pause_until = existing.inner.config.borrow().pause_until;
            config.note_required_level();
            if action == Action::Create && *existing.inner.config() != config {
                return Err(Error::CONSUMER_ALREADY_EXISTS);
            }
            self.check_apart(&config)?;
            self.update_consumer(&existing.inner, config).await?;
            return Ok((existing, false));
        }
        if action == Action::Update {
            return Err(Error::CONSUMER_DOES_NOT_EXIST);
        }
        if self.consumers.borrow().len() as u64 >= limit(self.config().max_consumers) {
            return Err(Error::MAXIMUM_CONSUMERS);
        }
        self.check_for_work(&config)?;
        let (start, selected) = self.settled_start(&config).await?;
        let (name, now) = (config.name.clone(), self.clock.now());
        let id = self.next_consumer.replace(self.next_consumer.get() + 1);
        let row = ConsumerRow { created: now, config, selected };
        let inner = Rc::new(Inner::new(id, &row, Deliveries::starting(start), now));
        // From here on messages are kept for it.
        self.consumers.borrow_mut().insert(name.clone(), inner.clone());
        let made = async {
            self.count_for(&inner).await?;
            self.commit_consumer(&inner).await
        }
        .await;
        if let Err(cause) = made {
            self.consumers.borrow_mut().remove(&name);
            self.ask_sweep();
            return Err(cause);
        }
        let consumer = Consumer { stream: self.clone(), inner };
        consumer.pump_if_needed();
        Ok((consumer, true))
    }

    fn check_not_offline(&self, name: &str) -> Result<()> {
        match self.offline.borrow().get(name) {
            Some(cause) => Err(Error::consumer_offline(cause)),
            None => Ok(()),
        }
    }

    /// Where a consumer starts, of a moment in which nothing was removed.
    async fn settled_start(self: &Rc<Self>, config: &ConsumerConfig) -> Result<(u64, Selected)> {
        let removals = || {
            let counts = self.counts.borrow();
            (counts.removals, counts.removing.len())
        };
        loop {
            let before = removals();
            let start = self.start_of(config).await?;
            if start.1.is_empty() || removals() == before {
                return Ok(start);
            }
        }
    }

    /// What a new consumer of a work queue has to be.
    fn check_for_work(&self, config: &ConsumerConfig) -> Result<()> {
        if self.config().retention != Retention::WorkQueue || config.direct {
            return Ok(());
        }
        if !matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::FlowControl) {
            return Err(Error::WORKQUEUE_REQUIRES_EXPLICIT_ACK);
        }
        let is_first = self.consumers.borrow().values().all(|other| other.config.borrow().direct);
        if !is_first && config.filters().is_empty() {
            return Err(Error::WORKQUEUE_MULTIPLE_UNFILTERED);
        }
        self.check_apart(config)?;
        if config.deliver_policy != DeliverPolicy::All {
            return Err(Error::WORKQUEUE_NOT_DELIVER_ALL);
        }
        Ok(())
    }

    /// Consumers of one work queue share no subject.
    fn check_apart(&self, config: &ConsumerConfig) -> Result<()> {
        if self.config().retention != Retention::WorkQueue {
            return Ok(());
        }
        for (name, other) in &*self.consumers.borrow() {
            let other = other.config();
            if *name == config.name || other.direct {
                continue;
            }
            let shares = |one: &String| {
                let mut filters = other.filters().iter();
                other.filters().is_empty() || filters.any(|two| subject::overlap(one, two))
            };
            if config.filters().iter().any(shares) {
                return Err(Error::WORKQUEUE_CONSUMER_NOT_UNIQUE);
            }
        }
        Ok(())
    }

    async fn commit_consumer(self: &Rc<Self>, consumer: &Rc<Inner>) -> Result<()> {
        let mut batch = self.batch_of_configuration();
        if !consumer.is_in_memory(self) {
            let row = ConsumerRow {
                created: consumer.created,
                config: (*consumer.config()).clone(),
                selected: consumer.selected.borrow().clone(),
            };
            configurations::put_consumer(&mut batch, self.id, consumer.id, &row)?;
        }
        consumer.write(self, &mut batch);
        self.write_config(&mut batch)?;
        self.write_counts(&mut batch);
        Ok(self.store.commit(batch).await?)
    }

    /// Gives a consumer another configuration, which was checked.
    pub(super) async fn reconfigure(
        self: &Rc<Self>,
        consumer: &Rc<Inner>,
        config: ConsumerConfig,
    ) -> Result<()> {
        let before = consumer.config();
        let filters_changed = before.filters() != config.filters();
        // Nothing is delivered while the filter changes.
        let _turn = consumer.turn.lock().await;
        *consumer.config.borrow_mut() = Rc::new(config);
        let changed = async {
            if filters_changed {
                self.count_for(consumer).await?;
                self.ask_sweep();
            }
            self.commit_consumer(consumer).await
        }
        .await;
        if changed.is_err() {
            *consumer.config.borrow_mut() = before;
            if filters_changed {
                self.count_for(consumer).await?;
            }
        } else if before.pause_until != consumer.config.borrow().pause_until {
            let pause = consumer.pause(self.clock.now());
            consumer.paused.set(pause.paused);
            advisory::pause(self, consumer, pause);
        }
        consumer.wake.wake();
        changed
    }

    async fn update_consumer(
        self: &Rc<Self>,
        consumer: &Rc<Inner>,
        config: ConsumerConfig,
    ) -> Result<()> {
        let before = consumer.config();
        if *before == config {
            return Ok(());
        }
        config.check_update(&before)?;
        if before.deliver_subject != config.deliver_subject && consumer.is_bound(self) {
            return Err(Error::CONSUMER_NAME_IN_USE);
        }
        self.reconfigure(consumer, config).await?;
        if let Some(consumer) = self.consumer(&consumer.name) {
            consumer.pump_if_needed();
        }
        Ok(())
    }

    /// Deletes a consumer; what only it needed goes.
    pub(in crate::queue) async fn delete_consumer(self: &Rc<Self>, name: &str) -> Result<()> {
        let _admin = self.admin.lock().await;
        self.check_not_offline(name)?;
        let found = self.consumers.borrow_mut().remove(name);
        let consumer = found.ok_or(Error::CONSUMER_NOT_FOUND)?;
        consumer.deleted.set(true);
        let mut batch = Batch::new();
        batch.makes_room();
        configurations::delete_consumer(&mut batch, self.id, consumer.id);
        batch.delete(Table::QueueConsumerStates, row::consumer_key(self.id, consumer.id));
        for key in consumer.deliveries.borrow().chunks.keys(self.id, consumer.id) {
            batch.delete(Table::QueueConsumerStates, key);
        }
        self.ask_sweep();
        self.write_counts(&mut batch);
        if let Err(cause) = self.store.commit(batch).await {
            consumer.deleted.set(false);
            self.consumers.borrow_mut().insert(name.to_owned(), consumer);
            return Err(cause.into());
        }
        self.dismiss(consumer);
        self.untidy.wake();
        Ok(())
    }

    /// Tells whoever waits for a consumer that it is gone.
    pub(in crate::queue) fn dismiss(self: &Rc<Self>, inner: Rc<Inner>) {
        inner.deleted.set(true);
        let consumer = Consumer { stream: self.clone(), inner };
        consumer.end_requests("409 Consumer Deleted");
        consumer.inner.wake.wake();
    }

    /// Has what no consumer needs any longer looked for, where that matters.
    pub(in crate::queue) fn ask_sweep(&self) {
        if self.config().retention == Retention::Interest {
            self.counts.borrow_mut().ask_sweep();
            self.untidy.wake();
        }
    }
}
