//! What the headers of a message ask of the stream that stores it.

use super::{Stream, counter::Number, publish::Incoming};
use crate::queue::{
    config::StreamConfig,
    error::{Error, Result},
    headers::{Block, names},
    subject,
    time::parse_go_duration,
};

/// The headers that mean something to a stream.
#[derive(Default)]
pub(super) struct Directives<'a> {
    pub(super) id: Option<&'a str>,
    expected_stream: Option<&'a str>,
    expected_last: Option<u64>,
    expected_last_of_subject: Option<u64>,
    expected_subject: Option<&'a str>,
    expected_last_id: Option<&'a str>,
    pub(super) rollup: Option<Rollup>,
    unknown_rollup: Option<&'a str>,
    pub(super) ttl: Option<Ttl>,
    pub(super) increment: Option<&'a str>,
    pub(super) is_schedule: bool,
    pub(super) is_about_schedules: bool,
}

/// What a message takes the place of.
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

/// A header without a value says nothing.
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
                    found.id = found.id.or(Some(value)).filter(|id| !id.is_empty())
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

    /// The subject whose last message something is expected of.
    pub(super) fn expects_of<'s>(&'s self, own: &'s str) -> Option<&'s str> {
        self.expected_last_of_subject.map(|_| self.expected_subject.unwrap_or(own))
    }

    /// Whether anything but the stream's own last sequence number is expected.
    pub(super) fn expects_anything(&self) -> bool {
        self.expected_stream.is_some()
            || self.expected_last.is_some()
            || self.expected_last_of_subject.is_some()
            || self.expected_subject.is_some()
            || self.expected_last_id.is_some()
    }

    /// Whether it can be part of an atomic batch, after others or not. ADR-50
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

impl Stream {
    /// Checks what a client's message asks for, up to its id.
    pub(super) fn check_directives(
        &self,
        config: &StreamConfig,
        directives: &Directives<'_>,
        subject: &str,
        message: &Incoming<'_>,
    ) -> Result<()> {
        if let Some(increment) = directives.increment {
            if Number::parse(increment).is_none() {
                return Err(Error::COUNTER_INCREMENT_INVALID);
            }
            if !config.allow_msg_counter {
                return Err(Error::COUNTER_DISABLED);
            }
            if !message.payload.is_empty() {
                return Err(Error::COUNTER_PAYLOAD);
            }
            if directives.rollup.is_some() || directives.expects_anything() {
                return Err(Error::COUNTER_INCREMENT_INVALID);
            }
        }
        if directives.expected_stream.is_some_and(|expected| expected != config.name) {
            return Err(Error::STREAM_DOES_NOT_MATCH);
        }
        if matches!(directives.ttl, Some(Ttl::Seconds(_) | Ttl::Never)) && !config.allow_msg_ttl {
            return Err(Error::MESSAGE_TTL_DISABLED);
        }
        match (directives.expected_last_of_subject, directives.expects_of(subject)) {
            (Some(expected), Some(of)) => {
                let last = message.last_expected.map_or_else(|| self.known_last(of), Ok)?;
                if last != expected {
                    return Err(Error::wrong_last_sequence(last));
                }
            }
            _ if directives.expected_subject.is_some() => return Err(Error::EXPECTATION_INVALID),
            _ => {}
        }
        if let Some(expected) = directives.expected_last {
            let last = self.counts.borrow().last;
            if expected != last {
                return Err(Error::wrong_last_sequence(last));
            }
        }
        Ok(())
    }

    /// The last message of a subject, which may have wildcards, that was looked up; 0 when there is
    /// none.
    pub(super) fn known_last(&self, of: &str) -> Result<u64> {
        if !subject::is_valid(of) {
            return Ok(0);
        }
        let subjects = self.subjects.borrow();
        Ok(subjects.get(of).ok_or(Error::EXPECTATION_NOT_READY)?.last())
    }

    /// Checks what comes after the check for duplicates.
    pub(super) fn check_last_directives(
        &self,
        config: &StreamConfig,
        directives: &Directives<'_>,
    ) -> Result<()> {
        if let Some(expected) = directives.expected_last_id {
            let last = self.counts.borrow().last;
            let last = self.ids.borrow().last(last);
            let last = last.as_deref().unwrap_or_default();
            if expected != last {
                return Err(Error::wrong_last_id(last));
            }
        }
        let rolls_up = directives.rollup.is_some() || directives.unknown_rollup.is_some();
        if rolls_up && (!config.allow_rollup_hdrs || config.deny_purge) {
            return Err(Error::rollup("rollup not permitted"));
        }
        if let Some(value) = directives.unknown_rollup {
            return Err(Error::rollup(format!("rollup value invalid: {value:?}")));
        }
        if directives.increment.is_none() && config.allow_msg_counter {
            return Err(Error::COUNTER_INCREMENT_MISSING);
        }
        if directives.ttl == Some(Ttl::Invalid) {
            return Err(Error::MESSAGE_TTL_INVALID);
        }
        Ok(())
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
