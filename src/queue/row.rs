//! The queue's rows: keys, and values in their compact form.

use std::collections::BTreeMap;

use super::codec::{Reader, Writer};
use crate::store::Key;

/// What the format of a value is known by.
const FORMAT: u64 = 1;

pub(super) fn stream_key(stream: u64) -> Key {
    Key::new().u64(stream)
}

pub(super) fn message_key(stream: u64, sequence: u64) -> Key {
    Key::new().u64(stream).u64(sequence)
}

/// The sequence number at the end of a key.
pub(super) fn sequence(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn consumer_key(stream: u64, consumer: u64) -> Key {
    Key::new().u64(stream).u64(consumer)
}

pub(super) fn id_key(stream: u64, time: u64, sequence: u64) -> Key {
    Key::new().u64(stream).u64(time).u64(sequence)
}

pub(super) fn subject_key(stream: u64, subject: &str, sequence: u64) -> Key {
    full_key(stream, subject).u64(sequence)
}

pub(super) fn full_key(stream: u64, subject: &str) -> Key {
    Key::new().u64(stream).str(subject)
}

/// The bytes that a message counts for, as nats-server's file store counts them.
pub(super) fn message_size(subject: &str, headers: &[u8], payload: &[u8]) -> u64 {
    let headers = if headers.is_empty() { 0 } else { 4 + headers.len() };
    (22 + subject.len() + headers + payload.len() + 8) as u64
}

pub(super) fn encode_message(time: u64, subject: &str, headers: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::default()
        .number(FORMAT)
        .number(time)
        .bytes(subject.as_bytes())
        .bytes(headers)
        .rest(payload)
        .finish()
}

/// A message as it is stored.
pub(super) struct MessageRow<'a> {
    pub(super) time: u64,
    pub(super) subject: &'a str,
    pub(super) headers: &'a [u8],
    pub(super) payload: &'a [u8],
}

impl<'a> MessageRow<'a> {
    /// `None` when it is none of ours.
    pub(super) fn decode(row: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(row);
        (reader.number()? == FORMAT).then_some(())?;
        Some(Self {
            time: reader.number()?,
            subject: std::str::from_utf8(reader.bytes()?).ok()?,
            headers: reader.bytes()?,
            payload: reader.0,
        })
    }

    pub(super) fn size(&self) -> u64 {
        message_size(self.subject, self.headers, self.payload)
    }
}

/// The counts of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StateRow {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) sweep: bool,
    /// Consumer → how many messages have been for it since it was made.
    pub(super) matched: BTreeMap<u64, u64>,
}

impl StateRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Writer::default();
        row.number(FORMAT)
            .number(self.first)
            .number(self.last)
            .number(self.messages)
            .number(self.bytes)
            .number(self.sweep.into())
            .number(self.matched.len() as u64);
        for (consumer, matched) in &self.matched {
            row.number(*consumer).number(*matched);
        }
        row.finish()
    }

    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let mut row = Reader(row);
        (row.number()? == FORMAT).then_some(())?;
        let mut state = Self {
            first: row.number()?,
            last: row.number()?,
            messages: row.number()?,
            bytes: row.number()?,
            sweep: row.number()? != 0,
            matched: BTreeMap::new(),
        };
        for _ in 0..row.number()? {
            state.matched.insert(row.number()?, row.number()?);
        }
        Some(state)
    }
}

/// What a consumer was delivered and has not acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeliveriesRow {
    pub(super) cursor: u64,
    pub(super) taken: u64,
    pub(super) consumer_sequence: u64,
    pub(super) stream_sequence: u64,
    /// Sequence number → deliveries, the consumer sequence of the first of them, and until when
    /// the next one was put off.
    pub(super) pending: BTreeMap<u64, (u64, u64, Option<u64>)>,
}

impl DeliveriesRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = Writer::default();
        row.number(FORMAT)
            .number(self.cursor)
            .number(self.taken)
            .number(self.consumer_sequence)
            .number(self.stream_sequence)
            .number(self.pending.len() as u64);
        // Differences of neighbours are small numbers.
        let mut before = 0;
        for (sequence, (deliveries, consumer_sequence, delayed)) in &self.pending {
            row.number(sequence - before)
                .number(*deliveries)
                .number(*consumer_sequence)
                .number(delayed.unwrap_or(0));
            before = *sequence;
        }
        row.finish()
    }

    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let mut row = Reader(row);
        (row.number()? == FORMAT).then_some(())?;
        let mut deliveries = Self {
            cursor: row.number()?,
            taken: row.number()?,
            consumer_sequence: row.number()?,
            stream_sequence: row.number()?,
            pending: BTreeMap::new(),
        };
        let mut sequence = 0u64;
        for _ in 0..row.number()? {
            sequence = sequence.checked_add(row.number()?)?;
            let entry = (row.number()?, row.number()?, row.number()?);
            let delayed = (entry.2 != 0).then_some(entry.2);
            deliveries.pending.insert(sequence, (entry.0, entry.1, delayed));
        }
        Some(deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back() {
        let state = StateRow {
            first: 3,
            last: 900,
            messages: 2,
            bytes: 1 << 40,
            sweep: true,
            matched: [(1, 7), (2, 0)].into(),
        };
        assert_eq!(StateRow::decode(&state.encode()), Some(state));
        let deliveries = DeliveriesRow {
            cursor: 10,
            taken: 9,
            consumer_sequence: 12,
            stream_sequence: 9,
            pending: [(4, (1, 4, None)), (9, (3, 9, Some(77)))].into(),
        };
        assert_eq!(DeliveriesRow::decode(&deliveries.encode()), Some(deliveries));
        assert_eq!(StateRow::decode(&[9]), None);
    }
}
