//! Creating, updating and deleting consumers.

use std::rc::Rc;

use serde::Deserialize;

use super::{
    advisory,
    configuration::ConsumerRow,
    handle::{Consumer, Consumers},
    inner::Inner,
    row,
    selected::Selected,
    start::start_of,
    state::State,
};
use crate::{
    platform,
    queue::{
        config::{AckPolicy, ConsumerConfig, DeliverPolicy, Retention, StreamConfig, limit},
        configurations,
        error::{Error, Result, Status},
        subject,
    },
    store::{Batch, Submission, Table},
};

/// The length of the names that are made for consumers without one.
const NAME_LENGTH: usize = 8;

/// Whether a consumer is to be created, updated, or either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::queue) enum Action {
    #[default]
    #[serde(rename = "")]
    Any,
    Create,
    Update,
}

impl Consumers {
    /// Creates a consumer, or updates the one of that name; returns whether it was created.
    pub(in crate::queue) async fn create(
        &self,
        mut config: ConsumerConfig,
        action: Action,
    ) -> Result<(Consumer, bool)> {
        let stream = &self.stream;
        let _admin = stream.admin.lock().await;
        if stream.deleted.get() {
            return Err(Error::STREAM_NOT_FOUND);
        }
        if config.name.is_empty() && config.durable_name.is_empty() {
            config.name = platform::random_string(NAME_LENGTH);
        }
        let mut config = config.checked(&stream.config())?;
        self.check_not_offline(&config.name)?;
        if let Some(existing) = self.get(&config.name) {
            // Only pausing changes this.
            config.pause_until = existing.inner.config.borrow().pause_until;
            config.note_required_level();
            if action == Action::Create && *existing.inner.config() != config {
                return Err(Error::CONSUMER_ALREADY_EXISTS);
            }
            self.check_apart(&config)?;
            existing.update(config).await?;
            return Ok((existing, false));
        }
        if action == Action::Update {
            return Err(Error::CONSUMER_DOES_NOT_EXIST);
        }
        if self.set.by_name.borrow().len() as u64 >= limit(stream.config().max_consumers) {
            return Err(Error::MAXIMUM_CONSUMERS);
        }
        self.check_for_work(&config)?;
        let (start, selected) = self.settled_start(&config).await?;
        let (name, now) = (config.name.clone(), stream.clock.now());
        let id = stream.next_consumer.replace(stream.next_consumer.get() + 1);
        let row = ConsumerRow { created: now, config, selected };
        let inner = Rc::new(Inner::new(id, &row, State::starting(start), now));
        // From here on messages are kept for it.
        self.set.by_name.borrow_mut().insert(name.clone(), inner.clone());
        let consumer = self.handle(inner);
        let made = async {
            consumer.recount().await?;
            consumer.commit_configuration().await
        }
        .await;
        if let Err(cause) = made {
            self.set.by_name.borrow_mut().remove(&name);
            stream.request_interest_check();
            return Err(cause);
        }
        consumer.start_delivery();
        Ok((consumer, true))
    }

    /// Where a consumer starts, found out while nothing was removed.
    async fn settled_start(&self, config: &ConsumerConfig) -> Result<(u64, Selected)> {
        let removals = || {
            let counts = self.stream.counts.borrow();
            (counts.removals, counts.removing.len())
        };
        loop {
            let before = removals();
            let start = start_of(&self.stream, config).await?;
            if start.1.is_empty() || removals() == before {
                return Ok(start);
            }
        }
    }

    /// Checks what a new consumer of a work queue has to be.
    fn check_for_work(&self, config: &ConsumerConfig) -> Result<()> {
        if self.stream.config().retention != Retention::WorkQueue || config.direct {
            return Ok(());
        }
        if !matches!(config.ack_policy, AckPolicy::Explicit | AckPolicy::FlowControl) {
            return Err(Error::WORKQUEUE_REQUIRES_EXPLICIT_ACK);
        }
        let is_first = self.set.by_name.borrow().values().all(|other| other.config.borrow().direct);
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
        if self.stream.config().retention != Retention::WorkQueue {
            return Ok(());
        }
        for (name, other) in &*self.set.by_name.borrow() {
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

    /// Deletes a consumer; what only it needed goes.
    pub(in crate::queue) async fn delete(&self, name: &str) -> Result<()> {
        let stream = &self.stream;
        let _admin = stream.admin.lock().await;
        self.check_not_offline(name)?;
        let found = self.set.by_name.borrow_mut().remove(name);
        let inner = found.ok_or(Error::CONSUMER_NOT_FOUND)?;
        inner.deleted.set(true);
        let mut batch = Batch::new();
        batch.makes_room();
        configurations::delete_consumer(&mut batch, stream.id, inner.id);
        batch.delete(Table::QueueConsumerStates, row::consumer_key(stream.id, inner.id));
        for key in inner.state.borrow().chunks.keys(stream.id, inner.id) {
            batch.delete(Table::QueueConsumerStates, key);
        }
        stream.request_interest_check();
        if let Err(cause) = stream.commit_counts(batch).await {
            inner.deleted.set(false);
            self.set.by_name.borrow_mut().insert(name.to_owned(), inner);
            return Err(cause);
        }
        self.handle(inner).dismiss();
        stream.check_limits.notify();
        Ok(())
    }

    /// Ends the requests to consumers whose stream is deleted.
    pub(in crate::queue) fn dismiss(&self) {
        for consumer in self.all() {
            consumer.dismiss();
        }
    }

    /// Starts the delivery of those consumers that need no request for it.
    pub(in crate::queue) fn start(&self) {
        for consumer in self.all() {
            consumer.start_delivery();
        }
    }

    /// Refuses a new configuration of their stream with limits that they exceed.
    pub(in crate::queue) fn check_limits(&self, config: &StreamConfig) -> Result<()> {
        let limits = &config.consumer_limits;
        if self.stream.config().consumer_limits == *limits {
            return Ok(());
        }
        let consumers = self.set.by_name.borrow();
        let exceeding = consumers.iter().filter(|(_, consumer)| {
            let config = consumer.config();
            let (idle, pending) = (limits.inactive_threshold, limits.max_ack_pending);
            !idle.is_zero() && config.inactive_threshold > idle
                || pending > 0 && config.max_ack_pending > pending
        });
        let exceeding: Vec<_> = exceeding.map(|(name, _)| name.as_str()).collect();
        match exceeding.is_empty() {
            true => Ok(()),
            false => Err(Error::stream_update(format!(
                "change to limits violates consumers: {}",
                exceeding.join(", ")
            ))),
        }
    }
}

impl Consumer {
    async fn commit_configuration(&self) -> Result<()> {
        let Self { stream, inner, .. } = self;
        let mut batch = stream.batch_of_configuration();
        if !inner.is_in_memory(stream) {
            let row = ConsumerRow {
                created: inner.created,
                config: (*inner.config()).clone(),
                selected: inner.selected.borrow().clone(),
            };
            configurations::put_consumer(&mut batch, stream.id, inner.id, &row)?;
        }
        stream.write_config(&mut batch)?;
        let write = |batch: &mut Submission| {
            inner.write(stream, batch);
            stream.write_counts(batch);
            Ok(())
        };
        stream.store.commit_with(batch, write).await
    }

    /// Gives it another configuration, which was checked.
    pub(super) async fn reconfigure(&self, config: ConsumerConfig) -> Result<()> {
        let Self { stream, inner, .. } = self;
        let before = inner.config();
        let filters_changed = before.filters() != config.filters();
        // Nothing is delivered while the filter changes.
        let _turn = inner.turn.lock().await;
        inner.set_config(Rc::new(config));
        let changed = async {
            if filters_changed {
                self.recount().await?;
                stream.request_interest_check();
            }
            self.commit_configuration().await
        }
        .await;
        if changed.is_err() {
            inner.set_config(before);
            if filters_changed {
                self.recount().await?;
            }
        } else if before.pause_until != inner.config.borrow().pause_until {
            let pause = inner.pause(stream.clock.now());
            inner.paused.set(pause.paused);
            advisory::pause(stream, inner, pause);
        }
        inner.wake.notify();
        changed
    }

    async fn update(&self, config: ConsumerConfig) -> Result<()> {
        let before = self.inner.config();
        if *before == config {
            return Ok(());
        }
        config.check_update(&before)?;
        if before.deliver_subject != config.deliver_subject && self.inner.is_bound(&self.stream) {
            return Err(Error::CONSUMER_NAME_IN_USE);
        }
        self.reconfigure(config).await?;
        self.start_delivery();
        Ok(())
    }

    /// Ends the requests to it, since it is deleted.
    fn dismiss(&self) {
        self.inner.deleted.set(true);
        self.end_requests(&Status::CONSUMER_DELETED);
        self.inner.wake.notify();
    }
}
