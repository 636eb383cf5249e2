//! The rows of a stream: keys, and values in their compact form.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    queue::codec::{Reader, Writer},
    store::Key,
};

/// The formats of a message: the first had no checksum.
const PLAIN: u8 = 1;
const CHECKED: u8 = 2;
/// The last possible time of a message, in milliseconds: as nanoseconds it still fits.
const LAST_TIME: u64 = u64::MAX / 1_000_000 / 2;
/// Format byte and checksum.
const HEAD: usize = 5;
/// The formats of the counts.
const SHORT_STATE: u64 = 1;
const STATE: u64 = 2;

pub(in crate::queue) fn stream_key(stream: u64) -> Key {
    Key::new().u64(stream)
}

pub(in crate::queue) fn message_key(stream: u64, sequence: u64) -> Key {
    Key::new().u64(stream).u64(sequence)
}

/// The sequence number at the end of a key.
pub(in crate::queue) fn sequence(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

pub(in crate::queue) fn id_key(stream: u64, time: u64, sequence: u64) -> Key {
    Key::new().u64(stream).u64(time).u64(sequence)
}

/// The prefix of a subject in the index.
pub(in crate::queue) fn subject_key(stream: u64, subject: &str) -> Key {
    Key::new().u64(stream).str(subject)
}

pub(in crate::queue) fn index_key(stream: u64, subject: &str, sequence: u64) -> Key {
    subject_key(stream, subject).u64(sequence)
}

pub(in crate::queue) fn encode_size(size: u64) -> Vec<u8> {
    Writer::default().number(size).finish()
}

pub(in crate::queue) fn decode_size(row: &[u8]) -> u64 {
    Reader(row).number().unwrap_or(0)
}

/// The position in a source, and when that stream was created.
pub(in crate::queue) fn encode_position(position: u64, made: u64) -> Vec<u8> {
    Writer::default().number(position).number(made).finish()
}

/// The same; 0 where it is not known when the stream was created.
pub(in crate::queue) fn decode_position(row: &[u8]) -> Option<(u64, u64)> {
    let mut row = Reader(row);
    Some((row.number()?, row.number().unwrap_or(0)))
}

/// The bytes that a message counts for, as nats-server's file store counts them.
pub(in crate::queue) fn message_size(subject: &str, headers: &[u8], payload: &[u8]) -> u64 {
    let headers = if headers.is_empty() { 0 } else { 4 + headers.len() };
    (22 + subject.len() + headers + payload.len() + 8) as u64
}

pub(in crate::queue) fn encode_message(
    time: u64,
    subject: &str,
    headers: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut row = Writer::with_capacity(HEAD + 16 + subject.len() + headers.len() + payload.len());
    row.rest(&[CHECKED, 0, 0, 0, 0])
        .number(time)
        .bytes(subject.as_bytes())
        .bytes(headers)
        .rest(payload);
    let mut row = row.finish();
    let checksum = crc32fast::hash(&row[HEAD..]);
    row[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    row
}

/// A message as it is stored.
#[derive(Clone, Copy)]
pub(in crate::queue) struct MessageRow<'a> {
    pub(in crate::queue) time: u64,
    pub(in crate::queue) subject: &'a str,
    pub(in crate::queue) headers: &'a [u8],
    pub(in crate::queue) payload: &'a [u8],
}

impl<'a> MessageRow<'a> {
    /// `None` when it is damaged.
    pub(in crate::queue) fn decode(row: &'a [u8]) -> Option<Self> {
        let content = match row.split_first()? {
            (&PLAIN, content) => content,
            (&CHECKED, rest) => {
                let (checksum, content) = rest.split_first_chunk::<4>()?;
                (crc32fast::hash(content) == u32::from_le_bytes(*checksum)).then_some(content)?
            }
            _ => return None,
        };
        let mut reader = Reader(content);
        Some(Self {
            time: reader.number().filter(|time| *time <= LAST_TIME)?,
            subject: std::str::from_utf8(reader.bytes()?).ok()?,
            headers: reader.bytes()?,
            payload: reader.0,
        })
    }

    pub(in crate::queue) fn size(&self) -> u64 {
        message_size(self.subject, self.headers, self.payload)
    }
}

/// The counts of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::queue) struct StateRow<'a> {
    pub(in crate::queue) first: u64,
    pub(in crate::queue) last: u64,
    pub(in crate::queue) messages: u64,
    pub(in crate::queue) bytes: u64,
    pub(in crate::queue) check_interest: bool,
    /// Consumer → how many messages there have been for it.
    pub(in crate::queue) matched: BTreeMap<u64, u64>,
    /// When the last message was stored.
    pub(in crate::queue) last_time: u64,
    /// Messages that can't be read.
    pub(in crate::queue) lost: Cow<'a, BTreeSet<u64>>,
}

impl StateRow<'_> {
    pub(in crate::queue) fn encode(&self) -> Vec<u8> {
        let mut row = Writer::with_capacity(64);
        row.number(STATE)
            .number(self.first)
            .number(self.last)
            .number(self.messages)
            .number(self.bytes)
            .number(self.check_interest.into())
            .number(self.matched.len() as u64);
        for (consumer, matched) in &self.matched {
            row.number(*consumer).number(*matched);
        }
        row.number(self.last_time).number(self.lost.len() as u64);
        for lost in &*self.lost {
            row.number(*lost);
        }
        row.finish()
    }

    pub(in crate::queue) fn decode(row: &[u8]) -> Option<Self> {
        let mut row = Reader(row);
        let format = row.number()?;
        [SHORT_STATE, STATE].contains(&format).then_some(())?;
        let mut state = Self {
            first: row.count()?,
            last: row.count()?,
            messages: row.count()?,
            bytes: row.count()?,
            check_interest: row.number()? != 0,
            ..Self::default()
        };
        for _ in 0..row.number()? {
            state.matched.insert(row.number()?, row.count()?);
        }
        if format == STATE {
            state.last_time = row.count()?;
            for _ in 0..row.number()? {
                state.lost.to_mut().insert(row.count()?);
            }
        }
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_damaged_ones_are_refused() {
        let state = StateRow {
            first: 3,
            last: 900,
            messages: 2,
            bytes: 1 << 40,
            check_interest: true,
            matched: [(1, 7), (2, 0)].into(),
            last_time: 5,
            lost: Cow::Owned([4].into()),
        };
        assert_eq!(StateRow::decode(&state.encode()), Some(state));
        assert_eq!(StateRow::decode(&[9]), None);
        let mut row = encode_message(7, "a.b", b"", b"hello");
        let read = MessageRow::decode(&row).unwrap();
        assert_eq!((read.time, read.subject, read.payload), (7, "a.b", &b"hello"[..]));
        *row.last_mut().unwrap() ^= 1;
        assert!(MessageRow::decode(&row).is_none());
    }
}
