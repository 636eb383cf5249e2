//! The headers of a message. ADR-4

/// Names and values, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// The headers that mean something to streams and clients.
pub(super) mod names {
    /// The id by which a message is stored only once. ADR-4
    pub(crate) const MESSAGE_ID: &str = "Nats-Msg-Id";
    /// The stream that must store the message.
    pub(crate) const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
    /// The sequence number that the stream's last message must have.
    pub(crate) const EXPECTED_LAST_SEQUENCE: &str = "Nats-Expected-Last-Sequence";
    /// The sequence number that the last message of the subject must have.
    pub(crate) const EXPECTED_LAST_SUBJECT_SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
    /// The subject that this is about, if not the message's own.
    pub(crate) const EXPECTED_LAST_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
    /// The message id that the stream's last message must have.
    pub(crate) const EXPECTED_LAST_ID: &str = "Nats-Expected-Last-Msg-Id";
    /// Which messages it takes the place of.
    pub(crate) const ROLLUP: &str = "Nats-Rollup";
    /// How long the message is held. ADR-43
    pub(crate) const TTL: &str = "Nats-TTL";
    /// Why the last message of a subject was removed. ADR-43
    pub(crate) const MARKER_REASON: &str = "Nats-Marker-Reason";
    /// What is added to a counter. ADR-49
    pub(crate) const INCREMENT: &str = "Nats-Incr";
    /// What a counter got from each source. ADR-49
    pub(crate) const COUNTER_SOURCES: &str = "Nats-Counter-Sources";
    /// The atomic batch that the message is part of. ADR-50
    pub(crate) const BATCH_ID: &str = "Nats-Batch-Id";
    /// Its place there.
    pub(crate) const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
    /// Whether it is the last.
    pub(crate) const BATCH_COMMIT: &str = "Nats-Batch-Commit";
    /// When the message is published. ADR-51
    pub(crate) const SCHEDULE: &str = "Nats-Schedule";
    /// The time zone of that.
    pub(crate) const SCHEDULE_ZONE: &str = "Nats-Schedule-Time-Zone";
    /// How long the published message is held.
    pub(crate) const SCHEDULE_TTL: &str = "Nats-Schedule-TTL";
    /// Which messages that one takes the place of.
    pub(crate) const SCHEDULE_ROLLUP: &str = "Nats-Schedule-Rollup";
    /// The subject that it is published to.
    pub(crate) const SCHEDULE_TARGET: &str = "Nats-Schedule-Target";
    /// The subject whose last message is published there.
    pub(crate) const SCHEDULE_SOURCE: &str = "Nats-Schedule-Source";
    /// The schedule that a message was published by.
    pub(crate) const SCHEDULER: &str = "Nats-Scheduler";
    /// When the schedule is due next; `purge` when it is over.
    pub(crate) const SCHEDULE_NEXT: &str = "Nats-Schedule-Next";
    /// The origin of a sourced message.
    pub(crate) const STREAM_SOURCE: &str = "Nats-Stream-Source";
    /// The stream of a message that was got directly or republished.
    pub(crate) const STREAM: &str = "Nats-Stream";
    /// Its subject.
    pub(crate) const SUBJECT: &str = "Nats-Subject";
    /// Its sequence number.
    pub(crate) const SEQUENCE: &str = "Nats-Sequence";
    /// When it was stored.
    pub(crate) const TIME_STAMP: &str = "Nats-Time-Stamp";
    /// The sequence number of the one before it.
    pub(crate) const LAST_SEQUENCE: &str = "Nats-Last-Sequence";
    /// The size of its payload, where that was left out.
    pub(crate) const MESSAGE_SIZE: &str = "Nats-Msg-Size";
}

const VERSION: &str = "NATS/1.0\r\n";

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The first value of `name`; names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether they can be written: names have no colons, and there are no line breaks.
    pub(super) fn is_valid(&self) -> bool {
        let breaks = |text: &str| text.contains(['\r', '\n']);
        self.iter().all(|(name, value)| {
            !name.is_empty() && !name.contains(':') && !breaks(name) && !breaks(value)
        })
    }

    /// The header block as it is sent and stored; empty when there are none.
    pub(super) fn encode(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut block = VERSION.to_owned();
        for (name, value) in self.iter() {
            block.extend([name, ": ", value, "\r\n"]);
        }
        block.push_str("\r\n");
        block.into_bytes()
    }

    /// Reads what [`Headers::encode`] wrote; lines without a colon are left out.
    pub(super) fn decode(block: &[u8]) -> Self {
        let block = String::from_utf8_lossy(block);
        Self(
            block
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }
}

/// A header block, read in place; empty when there are no headers.
#[derive(Clone, Copy)]
pub(super) struct Block<'a>(pub(super) &'a [u8]);

impl<'a> Block<'a> {
    /// Names and values, in order; lines without a colon are left out.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let lines = self.0.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| {
            let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
            Some((name, value.trim()))
        })
    }

    /// The first value of `name`.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    /// Whether it is empty or whole.
    pub(super) fn is_valid(self) -> bool {
        self.0.is_empty() || (self.0.starts_with(b"NATS/1.0") && self.0.ends_with(b"\r\n\r\n"))
    }

    /// The same with one more.
    pub(super) fn with(self, name: &str, value: &str) -> Vec<u8> {
        let mut block = match self.0 {
            [] => VERSION.as_bytes().to_vec(),
            some => some[..some.len() - 2].to_vec(),
        };
        for part in [name, ": ", value, "\r\n\r\n"] {
            block.extend_from_slice(part.as_bytes());
        }
        block
    }

    /// The same without those whose names are `unwanted`; empty when none is left.
    pub(super) fn without(self, unwanted: impl Fn(&str) -> bool) -> Vec<u8> {
        let left = self.iter().filter(|(name, _)| !unwanted(name));
        Headers(left.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()).encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back() {
        let headers = Headers::new().with("Nats-Msg-Id", "a: b").with("X", "");
        assert_eq!(Headers::decode(&headers.encode()), headers);
        assert!(Headers::new().encode().is_empty());
        assert!(!Headers::new().with("a", "b\r\nc").is_valid());
    }
}
