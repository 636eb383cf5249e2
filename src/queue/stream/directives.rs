//! What the headers of a message ask of the stream that stores it.

use crate::queue::{
    error::{Error, Result},
    headers::{Block, names},
    time::parse_go_duration,
};

/// The headers that a stream acts on.
#[derive(Default)]
pub(super) struct Directives<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) expected_stream: Option<&'a str>,
    pub(super) expected_last: Option<u64>,
    pub(super) expected_last_of_subject: Option<u64>,
    pub(super) expected_subject: Option<&'a str>,
    pub(super) expected_last_id: Option<&'a str>,
    pub(super) rollup: Option<Rollup>,
    pub(super) unknown_rollup: Option<&'a str>,
    pub(super) ttl: Option<Ttl>,
    pub(super) increment: Option<&'a str>,
    pub(super) is_schedule: bool,
    pub(super) is_about_schedules: bool,
}

/// Which messages a message takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rollup {
    Subject,
    All,
}

/// How long a message is held. ADR-43
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ttl {
    Seconds(u64),
    /// Beyond the stream's `max_age`.
    Never,
    Invalid,
}

/// An empty header is the same as none.
fn said(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

impl<'a> Directives<'a> {
    pub(super) fn read(headers: &'a [u8]) -> Self {
        let mut found = Self::default();
        if headers.is_empty() {
            return found;
        }
        for (name, value) in Block(headers).iter() {
            if !name.starts_with("Nats-") {
                continue;
            }
            found.is_about_schedules |= name.starts_with("Nats-Schedule");
            let number = || (!value.is_empty()).then(|| value.parse().unwrap_or(u64::MAX));
            match name {
                names::MESSAGE_ID => {
                    found.id = found.id.or(Some(value)).filter(|id| !id.is_empty());
                }
                names::EXPECTED_STREAM => found.expected_stream = said(value),
                names::EXPECTED_LAST_SEQUENCE => found.expected_last = number(),
                names::EXPECTED_LAST_SUBJECT_SEQUENCE => found.expected_last_of_subject = number(),
                names::EXPECTED_LAST_SUBJECT => found.expected_subject = said(value),
                names::EXPECTED_LAST_ID => found.expected_last_id = said(value),
                names::ROLLUP => match value.to_lowercase().as_str() {
                    "" => {}
                    "sub" => found.rollup = Some(Rollup::Subject),
                    "all" => found.rollup = Some(Rollup::All),
                    _ => found.unknown_rollup = Some(value),
                },
                names::TTL if !value.is_empty() => found.ttl = Ttl::read(value),
                names::INCREMENT if !value.is_empty() => found.increment = Some(value),
                names::SCHEDULE => found.is_schedule = true,
                _ => {}
            }
        }
        found
    }

    /// The subject of the expected last sequence number.
    pub(super) fn expects_of<'s>(&'s self, own: &'s str) -> Option<&'s str> {
        self.expected_last_of_subject.map(|_| self.expected_subject.unwrap_or(own))
    }

    /// Whether anything is expected.
    pub(super) fn expects_anything(&self) -> bool {
        self.expected_stream.is_some()
            || self.expected_last.is_some()
            || self.expected_last_of_subject.is_some()
            || self.expected_subject.is_some()
            || self.expected_last_id.is_some()
    }

    /// Checks that it can be part of an atomic batch. ADR-50
    pub(super) fn check_batch(&self, is_first: bool, last: u64) -> Result<()> {
        if self.expected_last_id.is_some() {
            return Err(Error::atomic_header(names::EXPECTED_LAST_ID));
        }
        match self.expected_last {
            Some(expected) if expected == last && !is_first => Err(Error::WRONG_LAST_SEQUENCE),
            _ => Ok(()),
        }
    }
}

impl Ttl {
    pub(super) fn read(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("never") {
            return Some(Self::Never);
        }
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(if seconds > 0 { Self::Seconds(seconds) } else { Self::Invalid });
        }
        match parse_go_duration(value) {
            Some(millis) if millis >= 1000.0 => Some(Self::Seconds((millis / 1000.0) as u64)),
            _ => Some(Self::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_are_seconds_or_durations() {
        assert_eq!(Ttl::read("90"), Some(Ttl::Seconds(90)));
        assert_eq!(Ttl::read("1h2m3.5s"), Some(Ttl::Seconds(3723)));
        assert_eq!(Ttl::read("Never"), Some(Ttl::Never));
        for wrong in ["0", "900ms", "x", "-1", "5 s"] {
            assert_eq!(Ttl::read(wrong), Some(Ttl::Invalid), "{wrong}");
        }
    }
}
