//! Hands on what is wanted of that which `tracing` is given.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing::{
    Event, Level, Metadata,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use web_time::Instant;

use super::{PARTS, Wanted, is_ruma, part_of, without_values};

/// Where it goes.
pub trait Sink: Send + Sync + 'static {
    /// A message.
    fn message(&self, level: Level, part: &str, text: &str, fields: &Fields);
    /// A span that has just ended, and took so long.
    fn span(&self, name: &str, part: &str, fields: &Fields, duration: Duration);
}

/// Values by their names.
pub type Fields = [(&'static str, Value)];

/// A value of a message or span.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A number, as JavaScript has them.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// The subscriber of this crate.
pub struct Subscriber<S> {
    sink: S,
    wanted: RwLock<Wanted>,
    spans: Mutex<HashMap<u64, Span>>,
    last_span: AtomicU64,
}

/// A span that has not ended.
struct Span {
    name: &'static str,
    part: usize,
    read: Reader,
    begun: Instant,
    handles: usize,
}

impl<S: Sink> Subscriber<S> {
    /// One for `sink`, which gets nothing yet.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            wanted: RwLock::new(Wanted::nothing()),
            spans: Mutex::default(),
            last_span: AtomicU64::new(0),
        }
    }

    /// Hands on this from now on. It is to be `tracing`'s subscriber already.
    pub fn want(&self, wanted: Wanted) {
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = wanted;
        // Not under the lock, since this asks whether each place in the code is wanted.
        tracing_core::callsite::rebuild_interest_cache();
    }

    fn wanted<T>(&self, ask: impl FnOnce(&Wanted) -> T) -> T {
        ask(&self.wanted.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn spans(&self) -> MutexGuard<'_, HashMap<u64, Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sink> tracing::Subscriber for Subscriber<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.enabled(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Some(part) = part_of(metadata.target()) else { return false };
        self.wanted(|wanted| match metadata.is_span() {
            true => wanted.spans && !is_ruma(metadata.target()),
            false => *metadata.level() <= wanted.levels.of(part),
        })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = |wanted: &Wanted| match wanted.spans {
            true => wanted.levels.most().max(SPANS),
            false => wanted.levels.most(),
        };
        Some(self.wanted(levels))
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let Some(part) = part_of(metadata.target()) else { return };
        let mut read = Reader::default();
        event.record(&mut read);
        if is_ruma(metadata.target()) {
            read.cut_values();
        }
        self.sink.message(*metadata.level(), PARTS[part], &read.message, &read.fields);
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last_span.fetch_add(1, Ordering::Relaxed) + 1;
        let metadata = attributes.metadata();
        if let Some(part) = part_of(metadata.target()) {
            let mut read = Reader::default();
            attributes.record(&mut read);
            let (name, begun) = (metadata.name(), Instant::now());
            self.spans().insert(id, Span { name, part, read, begun, handles: 1 });
        }
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if let Some(span) = self.spans().get_mut(&id.into_u64()) {
            values.record(&mut span.read);
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = self.spans().get_mut(&id.into_u64()) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = self.spans();
        let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
        span.handles -= 1;
        if span.handles > 0 {
            return false;
        }
        let ended = spans.remove(&id.into_u64());
        drop(spans);
        if let Some(Span { name, part, read, begun, .. }) = ended {
            self.sink.span(name, PARTS[part], &read.fields, begun.elapsed());
        }
        true
    }
}

/// The level of this crate's spans.
const SPANS: LevelFilter = LevelFilter::INFO;

/// Takes the values of a message or span.
#[derive(Default)]
struct Reader {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Reader {
    fn cut_values(&mut self) {
        self.message = without_values(&self.message).into_owned();
        for (_, value) in &mut self.fields {
            if let Value::Text(text) = value {
                *text = without_values(text).into_owned();
            }
        }
    }

    fn add(&mut self, field: &Field, value: Value) {
        match value {
            Value::Text(text) if field.name() == "message" => self.message = text,
            value => self.fields.push((field.name(), value)),
        }
    }
}

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Flag(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::Number(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Number(value as f64));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Number(value as f64));
    }
}
