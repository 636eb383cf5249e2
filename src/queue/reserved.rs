//! Streams of the program that the queue is part of. Clients may read them, through consumers of
//! their own too. What changes them or the program's consumers is refused to clients, and what clients
//! publish to their subjects does not get there by any way: such a stream does not listen to what is
//! published.
//!
//! Consumers of clients look on: a stream that keeps messages until they are acknowledged keeps them
//! for the program's consumers only. From the others a message goes with that, acknowledged or not.
//!
//! Which streams and consumers these are is not stored. The program says so at each start, and what
//! is not as it is to be, since clients of older versions could change it, is put right then.

use std::rc::Rc;

use super::{
    Consumer, ConsumerConfig, Queue, StreamConfig,
    consumer::{self, Action},
    error::{Error, Result},
    stream::Stream,
    time::Timestamp,
};
use crate::store::Batch;

/// Whether a stream is the program's own.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reserved {
    #[default]
    No,
    /// It is, and the program has not said yet which consumers are: all may be.
    Begun,
    Yes,
}

impl Queue {
    /// Makes a stream of the program's own, or takes the one of that name: it has this
    /// configuration from now on, whatever it had, and the messages that it has.
    ///
    /// # Errors
    /// 10052 for a configuration that can't be used; when the store can't be written.
    pub async fn reserve_stream(&self, config: StreamConfig) -> Result<()> {
        let _admin = self.inner.admin.lock().await;
        let config = self.checked(config, false)?;
        self.check_not_offline(&config.name)?;
        for filter in &config.subjects {
            self.inner.broker.reserve(filter);
        }
        let Ok(stream) = self.stream(&config.name) else {
            return self.make_stream(config, Reserved::Begun).await.map(drop);
        };
        stream.reserved.set(Reserved::Begun);
        self.listen(&stream);
        let before = stream.config();
        if before.is_same(&config) {
            return Ok(());
        }
        if before.storage != config.storage {
            return Err(Error::STREAM_NAME_IN_USE);
        }
        tracing::warn!("stream {} is not as it is to be, and is changed", config.name);
        match self.configure_stream(&stream, config).await {
            // It will do as it is until there is room to change it.
            Err(cause) if cause == Error::INSUFFICIENT_STORAGE => Ok(()),
            outcome => outcome,
        }
    }

    /// Makes a consumer of the program's own, or takes the one of that name; one that can't go on
    /// with this configuration begins anew.
    ///
    /// # Errors
    /// 10059 when there is no such stream; the codes of what can't be configured so.
    pub async fn reserve_consumer(&self, stream: &str, config: ConsumerConfig) -> Result<Consumer> {
        let stream = self.stream(stream)?;
        let checked = config.clone().checked(&stream.config())?;
        let name = checked.name.clone();
        let consumer = match stream.settle_consumer(config, &checked).await {
            // The one that is there will do until there is room to change it.
            Err(cause) if cause == Error::INSUFFICIENT_STORAGE => {
                stream.consumer(&name).ok_or(cause)?
            }
            outcome => outcome?,
        };
        consumer.reserve();
        Ok(consumer)
    }

    /// Says that all consumers of the program's own are made: nothing is kept for others from now on.
    ///
    /// # Errors
    /// 10059 when there is no such stream.
    pub fn finish_reserving(&self, stream: &str) -> Result<()> {
        let stream = self.stream(stream)?;
        stream.reserved.set(Reserved::Yes);
        if stream.has_onlookers() {
            stream.ask_sweep();
        }
        Ok(())
    }

    /// Refuses to change a stream for a client that is the program's own.
    pub(super) fn check_free(&self, stream: &str) -> Result<()> {
        match self.stream(stream) {
            Ok(stream) if stream.is_reserved() => Err(Error::RESERVED),
            _ => Ok(()),
        }
    }

    /// Refuses to change a consumer for a client that is the program's own.
    pub(super) fn check_consumer_free(&self, stream: &str, name: &str) -> Result<()> {
        self.consumer(stream, name).map_or(Ok(()), |consumer| consumer.check_free())
    }

    /// A consumer that clients may be served by.
    pub(super) fn free_consumer(&self, stream: &str, name: &str) -> Result<Consumer> {
        let consumer = self.consumer(stream, name)?;
        consumer.check_free()?;
        Ok(consumer)
    }

    /// Refuses to copy what keeps messages until they are copied.
    pub(super) fn check_copied(&self, config: &StreamConfig) -> Result<()> {
        for source in config.mirror.iter().chain(&config.sources) {
            if let Ok(origin) = self.stream(&source.name) {
                origin.check_copied(source.consumer.is_some())?;
            }
        }
        Ok(())
    }
}

impl Stream {
    /// Whether it is the program's own, so that clients do not change it.
    pub(super) fn is_reserved(&self) -> bool {
        self.reserved.get() != Reserved::No
    }

    /// Whether a consumer is a client's while the stream is the program's.
    pub(super) fn is_onlooker(&self, consumer: &consumer::Inner) -> bool {
        self.reserved.get() == Reserved::Yes && !consumer.reserved.get()
    }

    /// A batch that is to change how it or a consumer of it is configured. What the program can't do
    /// without may use what is kept in reserve.
    pub(super) fn batch_of_configuration(&self) -> Batch {
        let mut batch = Batch::new();
        if self.reserved.get() == Reserved::Begun {
            batch.makes_room();
        }
        batch
    }

    /// Whether messages go that consumers may not be done with.
    pub(super) fn has_onlookers(&self) -> bool {
        self.reserved.get() == Reserved::Yes
            && self.consumers.borrow().values().any(|consumer| self.is_onlooker(consumer))
    }

    /// Whether messages are kept for a consumer that `is_for_it` is true of.
    pub(super) fn keeps_for(&self, is_for_it: impl Fn(&consumer::Inner) -> bool) -> bool {
        let consumers = self.consumers.borrow();
        consumers.values().any(|consumer| !self.is_onlooker(consumer) && is_for_it(consumer))
    }

    /// Makes a consumer, or has the one of that name be as it is to be.
    async fn settle_consumer(
        self: &Rc<Self>,
        config: ConsumerConfig,
        checked: &ConsumerConfig,
    ) -> Result<Consumer> {
        let name = &checked.name;
        if let Some(found) = self.consumer(name)
            && !found.can_go_on(checked)
        {
            tracing::warn!("consumer {name} is not as it is to be, and begins anew");
            self.delete_consumer(name).await?;
        }
        let (consumer, _) = self.create_consumer(config, Action::Any).await?;
        if consumer.info().config.pause_until.is_some() {
            consumer.pause(Timestamp::default()).await?;
        }
        Ok(consumer)
    }

    /// Refuses to be copied through a consumer, when the program's own.
    pub(super) fn check_copied(&self, through_consumer: bool) -> Result<()> {
        let through_consumer = through_consumer || self.config().lets_go();
        match self.is_reserved() && through_consumer {
            true => Err(Error::RESERVED),
            false => Ok(()),
        }
    }
}
