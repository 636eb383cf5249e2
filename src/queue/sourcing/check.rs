//! Which streams may be sourced.

use crate::queue::{
    config::StreamConfig,
    error::{Error, Result},
    stream::Stream,
    streams::Streams,
};

/// Refuses a configuration that sources what must not be sourced.
pub(in crate::queue) fn check_origins(streams: &Streams, config: &StreamConfig) -> Result<()> {
    for source in config.mirror.iter().chain(&config.sources) {
        if let Ok(origin) = streams.stream(&source.name) {
            check_origin(&origin, source.consumer.is_some())?;
        }
    }
    Ok(())
}

/// Refuses to source a stream of the program's own through a consumer: it keeps no messages for that.
pub(super) fn check_origin(origin: &Stream, through_consumer: bool) -> Result<()> {
    let through_consumer = through_consumer || origin.config().removes_acked();
    match origin.is_reserved() && through_consumer {
        true => Err(Error::RESERVED),
        false => Ok(()),
    }
}
