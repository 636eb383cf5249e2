//! The rows of consumers: keys, and values in their compact form.

use std::collections::BTreeMap;

use crate::{
    queue::codec::{Reader, Writer},
    store::Key,
};

/// What the format of a value is known by.
const FORMAT: u64 = 1;

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
    /// Sequence number → deliveries, the consumer sequence of the first of them, and until when
    /// the next one was put off.
    pub(in crate::queue) pending: BTreeMap<u64, (u64, u64, Option<u64>)>,
}

impl DeliveriesRow {
    pub(in crate::queue) fn encode(&self) -> Vec<u8> {
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
        assert_eq!(DeliveriesRow::decode(&deliveries.encode()), Some(deliveries));
    }
}
