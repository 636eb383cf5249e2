//! The reply subjects of messages of fast batches. ADR-50

use crate::queue::error::{Error, Result};

/// The end of such a subject.
const SUFFIX: &str = ".$FI";
/// The default number of messages that are acknowledged at once.
const USUAL_FLOW: u64 = 10;

/// The place of a message in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::queue::stream) struct Place<'a> {
    pub(in crate::queue::stream) id: &'a str,
    pub(super) flow: u64,
    pub(super) gap_ok: bool,
    pub(in crate::queue::stream) sequence: u64,
    pub(super) operation: Operation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Append,
    /// The last message.
    Commit,
    /// The end, without a message.
    End,
    Ping,
}

impl<'a> Place<'a> {
    /// Reads `<prefix>.<id>.<flow>.<gap mode>.<sequence>.<operation>.$FI`; `None` when the reply
    /// subject is of another kind.
    pub(in crate::queue::stream) fn read(reply: &'a str) -> Option<Result<Self>> {
        let reply = reply.strip_suffix(SUFFIX)?;
        Some(Self::read_tokens(reply.rsplit('.')).ok_or(Error::BATCH_INVALID_PATTERN))
    }

    /// Reads the tokens from the last to the first.
    fn read_tokens(mut tokens: impl Iterator<Item = &'a str>) -> Option<Self> {
        let operation = tokens.next()?.parse::<u8>().ok()?;
        let sequence = tokens.next()?.parse::<u64>().ok()?;
        let gap_ok = match tokens.next()? {
            "ok" => true,
            "fail" => false,
            _ => return None,
        };
        let flow = match tokens.next()?.parse::<u64>() {
            Err(_) | Ok(0) => USUAL_FLOW,
            Ok(flow) => flow.min(u16::MAX.into()),
        };
        let id = tokens.next()?;
        // It has a prefix.
        tokens.next()?;
        let operation = match (operation, sequence) {
            (_, 0 | u64::MAX) | (0, 2..) | (1 | 3, 1) => return None,
            (0 | 1, _) => Operation::Append,
            (2, _) => Operation::Commit,
            (3, _) => Operation::End,
            (4, _) => Operation::Ping,
            _ => return None,
        };
        Some(Self { id, flow, gap_ok, sequence, operation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reply_subjects_say_the_place() {
        let place = Place::read("_INBOX.x.id.10.ok.7.1.$FI").unwrap().unwrap();
        assert_eq!((place.id, place.flow, place.gap_ok, place.sequence), ("id", 10, true, 7));
        assert_eq!(Place::read("_INBOX.x"), None);
        for wrong in [
            "_INBOX.id.10.maybe.7.1.$FI",
            "_INBOX.id.10.ok.0.1.$FI",
            "_INBOX.id.10.ok.1.3.$FI",
            "_INBOX.id.10.ok.2.0.$FI",
            "_INBOX.id.10.ok.2.5.$FI",
            "x.1.$FI",
        ] {
            assert_eq!(Place::read(wrong), Some(Err(Error::BATCH_INVALID_PATTERN)), "{wrong}");
        }
    }
}
