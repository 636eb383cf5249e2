//! Listening to what one thread logs, while others log something else.

use std::sync::{Arc, Once};

use neurite::log::{Sink, Subscriber, Wanted};
use tracing::{
    Event, Metadata,
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, Interest},
};

/// Hands what this thread logs to `sink`, until the guard is dropped.
pub fn listen<S: Sink>(sink: S, wanted: Wanted) -> (Arc<Subscriber<S>>, DefaultGuard) {
    static GROUND: Once = Once::new();
    // In browsers another suite of the same wasm may have set its own.
    GROUND.call_once(|| drop(tracing::subscriber::set_global_default(Ground)));
    let log = Arc::new(Subscriber::new(sink));
    let guard = tracing::subscriber::set_default(log.clone());
    log.want(wanted);
    (log, guard)
}

/// Beneath the subscribers of all threads: wants nothing, and has `tracing` ask each time. Without
/// it what one thread wants is remembered for all, and may be what a thread without any wants.
struct Ground;

impl tracing::Subscriber for Ground {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
