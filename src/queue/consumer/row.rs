//! The rows of consumers: keys, and values in their compact form.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    queue::{
        codec::{Reader, Writer},
        config::LAST_SEQUENCE,
    },
    store::Key,
};

/// The formats of a value: in the second, pending messages have rows of their own.
const WHOLE: u64 = 1;
const SPLIT: u64 = 2;
/// About how many bytes the parts of a row take.
const ROW_BYTES: usize = 32;
const ENTRY_BYTES: usize = 8;
/// How many sequence numbers a row of pending messages is for.
pub(super) const SPAN: u64 = 512;

pub(super) fn consumer_key(stream: u64, consumer: u64) -> Key {
    Key::new().u64(stream).u64(consumer)
}

/// The state of a consumer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StateRow {
    pub(super) cursor: u64,
    pub(super) delivered: u64,
    pub(super) consumer_sequence: u64,
    pub(super) stream_sequence: u64,
    /// By sequence number.
    pub(super) pending: BTreeMap<u64, Entry>,
    /// The rows that have the pending messages, when they are not in this one: their generation,
    /// and which these are.
    pub(super) chunks: Option<(u64, BTreeSet<u64>)>,
}

/// The number of deliveries, the consumer sequence, and until when a `nak` delayed the next
/// delivery.
pub(super) type Entry = (u64, u64, Option<u64>);

/// The key of a row of pending messages.
pub(super) fn chunk_key(stream: u64, consumer: u64, generation: u64, chunk: u64) -> Key {
    chunks_key(stream, consumer, generation).u64(chunk)
}

/// The prefix of their keys.
pub(super) fn chunks_key(stream: u64, consumer: u64, generation: u64) -> Key {
    consumer_key(stream, consumer).u64(generation)
}

/// A row of cursor, delivered, consumer and stream sequence, and the pending messages, or else the
/// generation of their rows.
pub(super) fn encode(
    head: [u64; 4],
    pending: Result<impl ExactSizeIterator<Item = (u64, Entry)>, u64>,
) -> Vec<u8> {
    let mut row = Writer::with_capacity(ROW_BYTES);
    row.number(if pending.is_ok() { WHOLE } else { SPLIT });
    for number in head {
        row.number(number);
    }
    match pending {
        Ok(pending) => write_entries(&mut row, pending),
        Err(generation) => _ = row.number(generation),
    }
    row.finish()
}

/// A row of pending messages.
pub(super) fn encode_entries(pending: impl ExactSizeIterator<Item = (u64, Entry)>) -> Vec<u8> {
    let mut row = Writer::default();
    write_entries(&mut row, pending);
    row.finish()
}

fn write_entries(row: &mut Writer, pending: impl ExactSizeIterator<Item = (u64, Entry)>) {
    row.reserve(pending.len() * ENTRY_BYTES);
    row.number(pending.len() as u64);
    // Differences of neighbours are small numbers.
    let mut before = 0;
    for (sequence, (deliveries, consumer_sequence, delayed)) in pending {
        row.number(sequence - before)
            .number(deliveries)
            .number(consumer_sequence)
            .number(delayed.unwrap_or(0));
        before = sequence;
    }
}

impl StateRow {
    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let mut row = Reader(row);
        let format = row.number()?;
        [WHOLE, SPLIT].contains(&format).then_some(())?;
        let mut state = Self {
            cursor: row.count()?,
            delivered: row.count()?,
            consumer_sequence: row.count()?,
            stream_sequence: row.count()?,
            pending: BTreeMap::new(),
            chunks: None,
        };
        if format == WHOLE {
            state.read_entries(row)?;
        } else {
            state.chunks = Some((row.number()?, BTreeSet::new()));
        }
        Some(state)
    }

    /// Adds the pending messages of another row.
    pub(super) fn add(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        let chunk = u64::from_be_bytes(*key.last_chunk()?);
        if chunk > LAST_SEQUENCE / SPAN {
            return None;
        }
        self.chunks.as_mut()?.1.insert(chunk);
        self.read_entries(Reader(row))
    }

    fn read_entries(&mut self, mut row: Reader<'_>) -> Option<()> {
        let mut sequence = 0u64;
        for _ in 0..row.number()? {
            sequence = sequence.saturating_add(row.count()?);
            let entry = (row.count()?, row.count()?, row.number()?);
            if !(1..=LAST_SEQUENCE).contains(&sequence) || entry.1 == 0 {
                return None;
            }
            let delayed = (entry.2 != 0).then_some(entry.2);
            self.pending.insert(sequence, (entry.0, entry.1, delayed));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back() {
        let state = StateRow {
            cursor: 10,
            delivered: 9,
            consumer_sequence: 12,
            stream_sequence: 9,
            pending: [(4, (1, 4, None)), (9, (3, 9, Some(77)))].into(),
            chunks: None,
        };
        let head = [10, 9, 12, 9];
        let pending = || state.pending.clone().into_iter();
        let row = encode(head, Ok(pending()));
        assert_eq!(StateRow::decode(&row).as_ref(), Some(&state));
        let mut split =
            StateRow::decode(&encode(head, Err::<std::vec::IntoIter<_>, _>(5))).unwrap();
        assert!(split.pending.is_empty());
        split.add(&chunk_key(1, 2, 5, 3), &encode_entries(pending())).unwrap();
        assert_eq!((&split.pending, split.chunks), (&state.pending, Some((5, [3].into()))));
    }

    /// They come of a damaged row, or of a snapshot that somebody changed.
    #[test]
    fn numbers_that_no_message_has_are_refused() {
        for (sequence, consumer_sequence) in [(0, 1), (LAST_SEQUENCE + 1, 1), (1, 0)] {
            let pending = [(sequence, (1, consumer_sequence, None))].into_iter();
            let row = encode([2, 1, 1, 1], Ok(pending));
            assert_eq!(StateRow::decode(&row), None, "{sequence}, {consumer_sequence}");
        }
    }
}
