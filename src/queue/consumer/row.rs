//! The rows of consumers: keys, and values in their compact form.

use std::collections::BTreeMap;

use crate::{
    queue::codec::{Reader, Writer},
    store::Key,
};

/// What the format of a value is known by.
const FORMAT: u64 = 1;
/// About how many bytes the parts of a row take.
const ROW_BYTES: usize = 32;
const ENTRY_BYTES: usize = 8;

pub(in crate::queue) fn consumer_key(stream: u64, consumer: u64) -> Key {
    Key::new().u64(stream).u64(consumer)
}

/// What a consumer was delivered and has not acknowledged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::queue) struct DeliveriesRow {
    pub(in crate::queue) cursor: u64,
    pub(in crate::queue) taken: u64,
    pub(in crate::queue) consumer_sequence: u64,
    pub(in crate::queue) stream_sequence: u64,
    /// By sequence number.
    pub(in crate::queue) pending: BTreeMap<u64, Entry>,
}

/// Deliveries, the consumer sequence of the first of them, and until when the next was put off.
type Entry = (u64, u64, Option<u64>);

/// A row of cursor, taken, consumer and stream sequence, and of what is pending.
pub(super) fn encode(
    head: [u64; 4],
    pending: impl ExactSizeIterator<Item = (u64, Entry)>,
) -> Vec<u8> {
    let mut row = Writer::with_capacity(ROW_BYTES + pending.len() * ENTRY_BYTES);
    row.number(FORMAT);
    for number in head {
        row.number(number);
    }
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
    row.finish()
}

impl DeliveriesRow {
    pub(in crate::queue) fn decode(row: &[u8]) -> Option<Self> {
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
        let deliveries = DeliveriesRow {
            cursor: 10,
            taken: 9,
            consumer_sequence: 12,
            stream_sequence: 9,
            pending: [(4, (1, 4, None)), (9, (3, 9, Some(77)))].into(),
        };
        let pending = deliveries.pending.clone().into_iter();
        let row = encode([10, 9, 12, 9], pending);
        assert_eq!(DeliveriesRow::decode(&row), Some(deliveries));
    }
}
