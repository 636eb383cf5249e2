//! The program's own consumers, on its own streams.

use super::{
    create::Action,
    handle::{Consumer, Consumers},
    interest::ConsumerSet,
};
use crate::queue::{
    config::ConsumerConfig,
    error::{Error, Result},
    stream::Reserved,
    time::Timestamp,
};

impl Consumers {
    /// Creates a consumer of the program's own, or takes the one of that name; one that can't go on
    /// with this configuration begins anew.
    pub(in crate::queue) async fn reserve(&self, config: ConsumerConfig) -> Result<Consumer> {
        let checked = config.clone().checked(&self.stream.config())?;
        let consumer = match self.settle(config, &checked).await {
            // The one that is there will do until there is room to change it.
            Err(cause) if cause == Error::INSUFFICIENT_STORAGE => {
                self.get(&checked.name).ok_or(cause)?
            }
            outcome => outcome?,
        };
        consumer.inner.reserved.set(true);
        Ok(consumer)
    }

    /// Creates a consumer, or configures the one of that name as it has to be.
    async fn settle(&self, config: ConsumerConfig, checked: &ConsumerConfig) -> Result<Consumer> {
        let name = &checked.name;
        if let Some(found) = self.get(name)
            && !found.can_go_on(checked)
        {
            tracing::warn!("consumer {name} is not configured as it has to be, and begins anew");
            self.delete(name).await?;
        }
        let (consumer, _) = self.create(config, Action::Any).await?;
        if consumer.inner.config.borrow().pause_until.is_some() {
            consumer.pause(Timestamp::default()).await?;
        }
        Ok(consumer)
    }

    /// From now on the stream keeps messages for the program's consumers only.
    pub(in crate::queue) fn finish_reserving(&self) {
        self.stream.reserved.set(Reserved::Yes);
        if self.set.has_onlookers(&self.stream) {
            self.stream.request_interest_check();
        }
    }
}

impl Consumer {
    /// Whether it can have this configuration, which was checked, and has not gone beyond the end of
    /// its stream.
    fn can_go_on(&self, config: &ConsumerConfig) -> bool {
        let next = self.stream.counts.borrow().last.saturating_add(1);
        let is_beyond = self.inner.state.borrow().cursor > next;
        !is_beyond && config.check_update(&self.inner.config()).is_ok()
    }

    /// Refuses changes by clients, when it is the program's own.
    pub(in crate::queue) fn check_free(&self) -> Result<()> {
        let is_free = ConsumerSet::is_onlooker(&self.stream, &self.inner);
        match self.stream.is_reserved() && !is_free {
            true => Err(Error::RESERVED),
            false => Ok(()),
        }
    }
}
