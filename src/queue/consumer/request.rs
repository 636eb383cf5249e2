//! Pull requests and acknowledgements as clients send them.

use std::time::Duration;

use serde::Deserialize;

use crate::queue::{json, time::parse_go_duration};

/// A pull request. ADR-13
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::queue) struct PullRequest {
    /// How many messages are wanted; 0 is one.
    pub(super) batch: i64,
    /// How long it waits, in nanoseconds; 0 is without limit, and less than that ends at once.
    expires: i64,
    /// Whether it ends when there are no messages.
    pub(super) no_wait: bool,
    /// How many bytes are wanted at most; 0 is without limit.
    pub(super) max_bytes: i64,
    idle_heartbeat: i64,
    /// The priority group that it belongs to. ADR-42
    pub(super) group: String,
    /// It is served when at least so many messages are still to be delivered
    pub(super) min_pending: u64,
    /// or pending.
    pub(super) min_ack_pending: u64,
    /// The pinned client that sends it.
    pub(super) id: String,
    /// Its priority: the lowest number is served first.
    pub(super) priority: i64,
}

impl PullRequest {
    /// Reads the payload of a request: nothing, a number of messages, or JSON.
    pub(in crate::queue) fn read(payload: &[u8]) -> Result<Self, String> {
        let payload = payload.trim_ascii();
        if payload.first() == Some(&b'{') {
            return json::parse(payload).map_err(|cause| cause.to_string());
        }
        let batch = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
        Ok(Self { batch: batch.unwrap_or(1), ..Self::default() })
    }

    /// Whether it is served only when there are many messages.
    pub(super) fn overflows(&self) -> bool {
        self.min_pending > 0 || self.min_ack_pending > 0
    }

    /// When a request of `now` expires, in milliseconds.
    pub(super) fn expires_at(&self, now: u64) -> u64 {
        match self.expires {
            0 => u64::MAX,
            ..0 => now,
            _ => now.saturating_add((self.expires().as_millis() as u64).max(1)),
        }
    }

    pub(super) fn expires(&self) -> Duration {
        Duration::from_nanos(self.expires.try_into().unwrap_or(0))
    }

    pub(super) fn idle_heartbeat(&self) -> Duration {
        Duration::from_nanos(self.idle_heartbeat.try_into().unwrap_or(0))
    }
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// It was processed.
    Processed,
    /// It is to be redelivered: now, or later.
    Nak(Option<Duration>),
    /// It is being worked on.
    Progress,
    /// It was processed, and the next one is requested.
    Next(Result<PullRequest, String>),
    /// It is terminated, for this reason.
    Term(String),
}

impl Ack {
    /// Reads the payload of an acknowledgement.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Delay {
            delay: i64,
        }
        let after = |word: &str| payload.strip_prefix(word.as_bytes()).map(<[u8]>::trim_ascii);
        Some(if matches!(payload, b"" | b"+ACK" | b"+OK") {
            Self::Processed
        } else if payload == b"+WPI" {
            Self::Progress
        } else if let Some(rest) = after("-NAK") {
            let delay = match json::parse::<Delay>(rest) {
                Ok(Delay { delay }) => u64::try_from(delay).ok().map(Duration::from_nanos),
                Err(_) => std::str::from_utf8(rest).ok().and_then(go_duration),
            };
            Self::Nak(delay)
        } else if let Some(rest) = after("+NXT") {
            Self::Next(PullRequest::read(rest))
        } else if let Some(rest) = after("+TERM") {
            Self::Term(String::from_utf8_lossy(rest).into_owned())
        } else {
            return None;
        })
    }
}

/// A duration as Go writes it.
fn go_duration(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(parse_go_duration(text)? / 1000.0).ok()
}

/// The numbers in the subject of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue) struct AckSubject<'a> {
    pub(in crate::queue) stream: &'a str,
    pub(in crate::queue) consumer: &'a str,
    pub(super) deliveries: u64,
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
}

impl<'a> AckSubject<'a> {
    /// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<sseq>.<cseq>.<time>.<pending>`, with or
    /// without the domain and the account before the stream. ADR-15
    pub(in crate::queue) fn read(subject: &'a str) -> Option<Self> {
        let rest: Vec<&str> = subject.strip_prefix("$JS.ACK.")?.split('.').collect();
        let rest = match rest.len() {
            7 => &rest[..],
            9 | 10 => &rest[2..],
            _ => return None,
        };
        Some(Self {
            stream: rest[0],
            consumer: rest[1],
            deliveries: rest[2].parse().ok()?,
            stream_sequence: rest[3].parse().ok()?,
            consumer_sequence: rest[4].parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_read() {
        assert_eq!(Ack::read(b""), Some(Ack::Processed));
        assert_eq!(Ack::read(b"-NAK"), Some(Ack::Nak(None)));
        let second = Some(Duration::from_secs(1));
        assert_eq!(Ack::read(br#"-NAK {"delay": 1000000000}"#), Some(Ack::Nak(second)));
        assert_eq!(Ack::read(b"+TERM no good"), Some(Ack::Term("no good".to_owned())));
        let next = PullRequest { batch: 3, ..PullRequest::default() };
        assert_eq!(Ack::read(b"-NAK 1s"), Some(Ack::Nak(second)));
        assert_eq!(Ack::read(b"+NXT 3"), Some(Ack::Next(Ok(next.clone()))));
        assert_eq!(Ack::read(br#"+NXT {"batch":3}"#), Some(Ack::Next(Ok(next))));
        assert_eq!(Ack::read(b"+HUH"), None);
        let nothing = Some(Ack::Nak(Some(Duration::ZERO)));
        assert_eq!(Ack::read(br#"-NAK {"delay":null}"#), nothing);
        let nulls = br#"+NXT {"batch":3,"expires":null,"group":null,"min_pending":null}"#;
        assert_eq!(Ack::read(nulls), Ack::read(b"+NXT 3"));
    }

    #[test]
    fn subjects_of_acknowledgements_are_read() {
        let short = AckSubject::read("$JS.ACK.S.C.1.2.3.4.5").unwrap();
        assert_eq!((short.stream, short.consumer, short.stream_sequence), ("S", "C", 2));
        assert_eq!(AckSubject::read("$JS.ACK._.hash.S.C.1.2.3.4.5"), Some(short));
        assert_eq!(AckSubject::read("$JS.ACK.S.C.1.2.3"), None);
    }
}
