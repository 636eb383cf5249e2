//! The program's own streams. Clients may read them, also through consumers of their own. Changes
//! of them or of the program's consumers are refused to clients, and what clients publish to their
//! subjects is not stored: such a stream does not subscribe to its subjects.
//!
//! With interest retention it keeps messages for the program's consumers only. Once these have
//! acknowledged a message it is removed, whether consumers of clients have or not.
//!
//! Which streams and consumers these are is not stored. The program says so at each start, and
//! their configurations are corrected then: clients of older versions could change them.

use super::queue::Queue;
use crate::queue::{
    config::{ConsumerConfig, StreamConfig},
    consumer::Consumer,
    error::{Error, Result},
    stream::Reserved,
};

impl Queue {
    /// Creates a stream of the program's own, or takes the one of that name: it has this
    /// configuration from now on, whatever it had, and the messages that it has.
    ///
    /// # Errors
    /// 10052 for a configuration that can't be used; when the store can't be written.
    pub async fn reserve_stream(&self, config: StreamConfig) -> Result<()> {
        let _admin = self.inner.admin.lock().await;
        let config = self.checked(config, false)?;
        self.inner.streams.check_not_offline(&config.name)?;
        for filter in &config.subjects {
            self.inner.broker.reserve(filter);
        }
        let Ok(stream) = self.stream(&config.name) else {
            return self.make_stream(config, Reserved::Begun).await.map(drop);
        };
        stream.reserved.set(Reserved::Begun);
        self.inner.listening.follow(&stream);
        let before = stream.config();
        if before.is_same(&config) {
            return Ok(());
        }
        if before.storage != config.storage {
            return Err(Error::STREAM_NAME_IN_USE);
        }
        tracing::warn!("stream {} is not configured as it has to be, and is changed", config.name);
        match self.configure_stream(&stream, config).await {
            // It will do as it is until there is room to change it.
            Err(cause) if cause == Error::INSUFFICIENT_STORAGE => Ok(()),
            outcome => outcome,
        }
    }

    /// Creates a consumer of the program's own, or takes the one of that name; one that can't go on
    /// with this configuration begins anew.
    ///
    /// # Errors
    /// 10059 when there is no such stream; the codes of what can't be configured so.
    pub async fn reserve_consumer(&self, stream: &str, config: ConsumerConfig) -> Result<Consumer> {
        self.consumers(stream)?.reserve(config).await
    }

    /// Says that all of the program's consumers are there: from now on nothing is kept for others.
    ///
    /// # Errors
    /// 10059 when there is no such stream.
    pub fn finish_reserving(&self, stream: &str) -> Result<()> {
        self.consumers(stream)?.finish_reserving();
        Ok(())
    }

    /// Refuses changes by clients of a stream that is the program's own.
    pub(in crate::queue) fn check_free(&self, stream: &str) -> Result<()> {
        match self.stream(stream) {
            Ok(stream) if stream.is_reserved() => Err(Error::RESERVED),
            _ => Ok(()),
        }
    }

    /// Refuses changes by clients of a consumer that is the program's own.
    pub(in crate::queue) fn check_consumer_free(&self, stream: &str, name: &str) -> Result<()> {
        self.consumer(stream, name).map_or(Ok(()), |consumer| consumer.check_free())
    }

    /// A consumer that clients may use.
    pub(in crate::queue) fn free_consumer(&self, stream: &str, name: &str) -> Result<Consumer> {
        let consumer = self.consumer(stream, name)?;
        consumer.check_free()?;
        Ok(consumer)
    }
}
