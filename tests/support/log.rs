//! Listening to what one thread logs, while others log something else.

use std::sync::{Arc, Mutex, Once};

use neurite::log::{Fields, Sink, Subscriber, Wanted};
use tracing::{
    Event, Level, Metadata,
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, Interest},
};

/// What has been logged, a line each.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Sink for Lines {
    fn message(&self, level: Level, part: &str, text: &str, fields: &Fields) {
        self.add(format!("{level} {part}: {text} {fields:?}"));
    }

    fn span(&self, name: &str, part: &str, fields: &Fields, _: std::time::Duration) {
        self.add(format!("span {part}: {name} {fields:?}"));
    }
}

/// Keeps what this thread logs, until the guard is dropped.
pub fn lines(wanted: Wanted) -> (Lines, Arc<Subscriber<Lines>>, DefaultGuard) {
    let lines = Lines::default();
    let (log, guard) = listen(lines.clone(), wanted);
    (lines, log, guard)
}

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
