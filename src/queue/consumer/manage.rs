//! Making, changing, pausing, putting back and deleting consumers.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Consumer, Deliveries, Inner, advisory, row, start::Selected};
use crate::{
    platform,
    queue::{
        Queue,
        config::{ConsumerConfig, DeliverPolicy, Retention, limit},
        configurations,
        error::{Error, Result},
        stream::{Stream, or_zero},
        subject,
        time::Timestamp,
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

/// Whether a consumer is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Whether it is.
    pub paused: bool,
    /// Until when.
    #[serde(serialize_with = "or_zero")]
    pub pause_until: Option<Timestamp>,
    /// For how long from now on, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub pause_remaining: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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

impl Consumer {
    /// Delivers nothing until then; an instant that has passed lets it go on.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn pause(&self, until: Timestamp) -> Result<Pause> {
        let Self { stream, inner } = self;
        let _admin = stream.admin.lock().await;
        let now = stream.clock.now();
        let mut config = (*inner.config()).clone();
        config.pause_until = (until.nanos() > 0).then_some(until);
        stream.reconfigure(inner, config).await?;
        self.pump_if_needed();
        Ok(inner.pause(now))
    }

    /// Begins anew at `sequence`, or at what is not acknowledged when there is none; returns where
    /// that is.
    ///
    /// # Errors
    /// 10204 for a place that the consumer's deliver policy rules out.
    pub async fn reset(&self, sequence: u64) -> Result<u64> {
        let Self { stream, inner } = self;
        let _admin = stream.admin.lock().await;
        let config = inner.config();
        let floor = inner.deliveries.borrow().ack_floor().1;
        let to = match (sequence, config.deliver_policy) {
            (0, _) => floor + 1,
            (to, DeliverPolicy::All) => to,
            (to, DeliverPolicy::ByStartSequence) if Some(to) >= config.opt_start_seq => to,
            (_, DeliverPolicy::ByStartSequence) => {
                return Err(Error::invalid_reset("below start seq"));
            }
            (to, DeliverPolicy::ByStartTime) if to >= stream.start_of(&config).await?.0 => to,
            (_, DeliverPolicy::ByStartTime) => {
                return Err(Error::invalid_reset("below start time"));
            }
            _ => return Err(Error::invalid_reset("not allowed")),
        };
        let _turn = inner.turn.lock().await;
        inner.deliveries.borrow_mut().reset(to);
        stream.count_for(inner).await?;
        let mut batch = Batch::new();
        inner.write(stream, &mut batch);
        // What it passes over may be needed by nobody else.
        stream.ask_sweep();
        stream.write_counts(&mut batch);
        stream.store.commit(batch).await?;
        inner.wake.wake();
        Ok(to)
    }

    /// Lets another client of a group be served.
    ///
    /// # Errors
    /// 10160 when the consumer has no such group.
    pub fn unpin(&self, group: &str) -> Result<()> {
        if !self.inner.config.borrow().priority_groups.iter().any(|own| own == group) {
            return Err(Error::NO_SUCH_GROUP);
        }
        self.inner.unpin(&self.stream, "admin");
        self.inner.wake.wake();
        Ok(())
    }
}

impl Inner {
    pub(super) fn pause(&self, now: u64) -> Pause {
        let pause_until = self.config.borrow().pause_until;
        let left =
            |until: Timestamp| until.nanos().saturating_sub(Timestamp::from_millis(now).nanos());
        let pause_remaining = pause_until.map_or(0, left);
        Pause { paused: pause_remaining > 0, pause_until, pause_remaining }
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
        let config = config.checked(&self.config())?;
        self.check_not_offline(&config.name)?;
        let cycle =
            |to: &String| self.config().subjects.iter().any(|own| subject::matches(own, to));
        if config.deliver_subject.as_ref().is_some_and(cycle) {
            return Err(Error::DELIVER_CYCLE);
        }
        if let Some(existing) = self.consumer(&config.name) {
            if action == Action::Create && *existing.inner.config() != config {
                return Err(Error::CONSUMER_ALREADY_EXISTS);
            }
            self.check_shared(&config)?;
            self.update_consumer(&existing.inner, config).await?;
            return Ok((existing, false));
        }
        if action == Action::Update {
            return Err(Error::CONSUMER_DOES_NOT_EXIST);
        }
        self.check_shared(&config)?;
        if self.consumers.borrow().len() as u64 >= limit(self.config().max_consumers) {
            return Err(Error::MAXIMUM_CONSUMERS);
        }
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

    /// What consumers of one work queue owe one another.
    fn check_shared(&self, config: &ConsumerConfig) -> Result<()> {
        if self.config().retention != Retention::WorkQueue {
            return Ok(());
        }
        for (name, other) in &*self.consumers.borrow() {
            if *name == config.name {
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

    async fn commit_consumer(self: &Rc<Self>, consumer: &Rc<Inner>) -> Result<()> {
        let mut batch = Batch::new();
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
    async fn reconfigure(
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
        let refused = match (&*before, &config) {
            (old, new) if old.deliver_policy != new.deliver_policy => {
                "deliver policy can not be updated"
            }
            (old, new) if old.opt_start_seq != new.opt_start_seq => {
                "start sequence can not be updated"
            }
            (old, new) if old.opt_start_time != new.opt_start_time => {
                "start time can not be updated"
            }
            (old, new) if old.ack_policy != new.ack_policy => "ack policy can not be updated",
            (old, new) if old.replay_policy != new.replay_policy => {
                "replay policy can not be updated"
            }
            (old, new) if old.idle_heartbeat != new.idle_heartbeat => {
                "heart beats can not be updated"
            }
            (old, new) if old.flow_control != new.flow_control => "flow control can not be updated",
            (old, new) if old.is_push() && !new.is_push() => {
                "can not update push consumer to pull based"
            }
            (old, new) if !old.is_push() && new.is_push() => {
                "can not update pull consumer to push based"
            }
            (old, new) if old.max_waiting != new.max_waiting => "max waiting can not be updated",
            (old, new) if old.mem_storage != new.mem_storage => "storage can not be updated",
            _ => "",
        };
        if !refused.is_empty() {
            return Err(Error::consumer_create(refused));
        }
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
