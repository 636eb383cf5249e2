//! Checks of what the headers of a message ask for.

use super::{
    base::Stream,
    counter::Number,
    directives::{Directives, Ttl},
    incoming::Incoming,
};
use crate::queue::{
    config::StreamConfig,
    error::{Error, Result},
    subject,
};

impl Stream {
    /// The checks of a client's message before the check for duplicates.
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

    /// The last message of a subject, which may have wildcards and was looked up; 0 when there is
    /// none.
    pub(super) fn known_last(&self, of: &str) -> Result<u64> {
        if !subject::is_valid(of) {
            return Ok(0);
        }
        let subjects = self.subjects.borrow();
        Ok(subjects.get(of).ok_or(Error::EXPECTATION_NOT_READY)?.last())
    }

    /// The checks after the check for duplicates.
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
