//! A source of a stream: what is sourced, what that becomes, and how far it is.

use std::cell::{Cell, RefCell};

use serde::Serialize;

use crate::queue::{
    config::{
        AckPolicy, ConsumerConfig, DeliverPolicy, ExternalStream, StreamSource, SubjectTransform,
    },
    error::Error,
    headers::{Block, names},
    subject,
    transform::Transform,
};

/// A mirrored or sourced stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamSourceInfo {
    /// Its name.
    pub name: String,
    /// On another server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalStream>,
    /// How many of its messages were not looked at yet.
    pub lag: u64,
    /// How long ago the last message came, in nanoseconds; -1 when none ever did.
    pub active: i64,
    /// Why nothing comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// The subjects that are sourced.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter_subject: String,
    /// The subjects that are sourced, and their destinations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_transforms: Vec<SubjectTransform>,
}

/// A stream that another one sources, or is a mirror of.
pub(super) struct Source {
    pub(super) config: StreamSource,
    pub(super) is_mirror: bool,
    pub(super) transforms: Vec<Transform>,
    /// The sequence number up to which the origin was looked at.
    pub(super) position: Cell<u64>,
    /// When the origin was created that the position is of; 0 until it is looked up. A stream that
    /// is created anew under the same name is another one; a restored one is the same.
    pub(super) created: Cell<u64>,
    pub(super) lag: Cell<u64>,
    /// When the last message came, in milliseconds since the Unix epoch; 0 is never.
    pub(super) active: Cell<u64>,
    pub(super) error: RefCell<Option<Error>>,
    pub(super) stopped: Cell<bool>,
}

/// A message to be sourced.
pub(super) struct Original<'a> {
    pub(super) sequence: u64,
    pub(super) subject: &'a str,
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
    pub(super) time: u64,
}

impl Source {
    pub(super) fn new(config: StreamSource, is_mirror: bool) -> Self {
        let transforms = match config.subject_transforms.is_empty() {
            true => {
                vec![SubjectTransform { src: config.filter_subject.clone(), dest: String::new() }]
            }
            false => config.subject_transforms.clone(),
        };
        // The check has made them, so that they can be made.
        let made = transforms.iter().filter_map(|t| Transform::new(&t.src, &t.dest).ok());
        Self {
            transforms: made.collect(),
            config,
            is_mirror,
            position: Cell::new(0),
            created: Cell::new(0),
            lag: Cell::new(0),
            active: Cell::new(0),
            error: RefCell::default(),
            stopped: Cell::new(false),
        }
    }

    pub(super) fn info(&self, now: u64) -> StreamSourceInfo {
        let idle = now.saturating_sub(self.active.get()).saturating_mul(1_000_000);
        StreamSourceInfo {
            name: self.config.name.clone(),
            external: None,
            lag: self.lag.get(),
            active: if self.active.get() == 0 { -1 } else { idle as i64 },
            error: self.error.borrow().clone(),
            filter_subject: self.config.filter_subject.clone(),
            subject_transforms: self.config.subject_transforms.clone(),
        }
    }

    /// What a subject becomes; `None` when it is not sourced.
    pub(super) fn transform(&self, literal: &str) -> Option<String> {
        let made = self.transforms.iter().find_map(|transform| transform.apply(literal))?;
        Some(if subject::is_literal(&made) { made } else { literal.to_owned() })
    }

    /// `Nats-Stream-Source` of a sourced message.
    pub(super) fn source_header(&self, sequence: u64, literal: &str) -> String {
        let index = self.config.index_name();
        let (stream, rest) = index.split_once(' ').unwrap_or((&index, ""));
        format!("{stream} {sequence} {rest} {literal}")
    }

    /// The headers of a sourced message.
    pub(super) fn headers(&self, original: &Original<'_>) -> Vec<u8> {
        if self.is_mirror {
            return original.headers.to_vec();
        }
        let plain = Block(original.headers).without(|name| {
            name == names::STREAM_SOURCE
                || name.starts_with("Nats-Expected-")
                || name.starts_with("Nats-Batch-")
        });
        let source = self.source_header(original.sequence, original.subject);
        Block(&plain).with(names::STREAM_SOURCE, &source)
    }

    /// The consumer that an origin is sourced through which removes acknowledged messages.
    pub(super) fn consumer(&self, target: &str) -> ConsumerConfig {
        let kind = if self.is_mirror { "MIRROR" } else { "SRC" };
        let index = self.config.index_name();
        let suffix = crc32fast::hash(format!("{target} {index}").as_bytes());
        let filters = self.transforms.iter().map(|transform| transform.source().to_owned());
        let filters: Vec<_> = filters.filter(|filter| filter != ">").collect();
        let kind_of = if self.is_mirror { "_nats.mirror.stream" } else { "_nats.src.stream" };
        ConsumerConfig {
            durable_name: format!("JS_{kind}_{suffix:08x}"),
            filter_subjects: filters,
            deliver_policy: match self.config.opt_start_seq {
                0 => DeliverPolicy::All,
                _ => DeliverPolicy::ByStartSequence,
            },
            opt_start_seq: (self.config.opt_start_seq > 0).then_some(self.config.opt_start_seq),
            ack_policy: AckPolicy::Explicit,
            metadata: [(kind_of.to_owned(), target.to_owned())].into(),
            ..ConsumerConfig::default()
        }
    }
}
