//! What a stream is told to be, with JetStream's names, defaults and checks.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{is_name, nanoseconds};
use crate::queue::{
    error::{Error, Result},
    subject,
};

/// When a stream lets go of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// When the limits say so.
    #[default]
    Limits,
    /// When every consumer that it is for has acknowledged it. Not stored when there is none.
    Interest,
    /// When it is acknowledged.
    WorkQueue,
}

/// What a full stream does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Discard {
    /// Lets go of its oldest messages.
    #[default]
    Old,
    /// Refuses new ones.
    New,
}

/// The configuration of a stream. Limits of -1 are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The subjects whose messages it stores; its own name when none is given.
    pub subjects: Vec<String>,
    /// When it lets go of a message.
    pub retention: Retention,
    /// How many consumers it may have.
    pub max_consumers: i64,
    /// How many messages it holds.
    pub max_msgs: i64,
    /// How many bytes its messages have together.
    pub max_bytes: i64,
    /// How long it holds a message; zero is forever.
    #[serde(with = "nanoseconds")]
    pub max_age: Duration,
    /// How many messages it holds of one subject.
    pub max_msgs_per_subject: i64,
    /// How many bytes headers and payload of a message may have.
    pub max_msg_size: i64,
    /// What it does when it is full.
    pub discard: Discard,
    /// For how long a `Nats-Msg-Id` is remembered; two minutes when zero.
    #[serde(with = "nanoseconds")]
    pub duplicate_window: Duration,
    /// Whatever its maker wants to remember.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: None,
            subjects: Vec::new(),
            retention: Retention::default(),
            max_consumers: -1,
            max_msgs: -1,
            max_bytes: -1,
            max_age: Duration::ZERO,
            max_msgs_per_subject: -1,
            max_msg_size: -1,
            discard: Discard::default(),
            duplicate_window: Duration::ZERO,
            metadata: BTreeMap::new(),
        }
    }
}

/// JetStream's own default.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
impl StreamConfig {
    /// Checks it and fills in the defaults.
    pub(in crate::queue) fn checked(mut self) -> Result<Self> {
        if !is_name(&self.name) {
            return Err(Error::stream_config(
                "stream name is required and can not contain '.', '*', '>'",
            ));
        }
        if self.subjects.is_empty() {
            self.subjects.push(self.name.clone());
        }
        for (place, filter) in self.subjects.iter().enumerate() {
            if !subject::is_valid(filter) {
                return Err(Error::stream_config("invalid subject"));
            }
            for other in &self.subjects[..place] {
                if filter == other {
                    return Err(Error::stream_config("duplicate subjects detected"));
                }
                if subject::overlap(filter, other) {
                    return Err(Error::stream_config(format!(
                        "subject \"{filter}\" overlaps with \"{other}\""
                    )));
                }
            }
        }
        for none in [
            &mut self.max_consumers,
            &mut self.max_msgs,
            &mut self.max_bytes,
            &mut self.max_msgs_per_subject,
            &mut self.max_msg_size,
        ] {
            if *none <= 0 {
                *none = -1;
            }
        }
        if self.duplicate_window.is_zero() {
            self.duplicate_window = DUPLICATE_WINDOW;
            if !self.max_age.is_zero() {
                self.duplicate_window = self.duplicate_window.min(self.max_age);
            }
        }
        if !self.max_age.is_zero() && self.duplicate_window > self.max_age {
            return Err(Error::stream_config("duplicates window can not be larger then max age"));
        }
        Ok(self)
    }

    /// Whether it stores messages of this subject.
    pub(in crate::queue) fn takes(&self, literal: &str) -> bool {
        self.subjects.iter().any(|filter| subject::matches(filter, literal))
    }

    /// Whether both would store messages of one subject.
    pub(in crate::queue) fn overlaps(&self, other: &Self) -> bool {
        self.subjects.iter().any(|one| other.subjects.iter().any(|two| subject::overlap(one, two)))
    }

    /// Whether the newest messages of a subject have to be found.
    pub(in crate::queue) fn limits_subjects(&self) -> bool {
        self.max_msgs_per_subject > 0
    }
}
