//! Messages as they are read from the store.

use bytes::Bytes;

use super::row::{self, MessageRow};

/// A message that could be read: its checksum is right. It shares the memory of its row.
#[derive(Clone, Debug)]
pub(in crate::queue) struct Stored {
    pub(in crate::queue) sequence: u64,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub(in crate::queue) time: u64,
    subject: Bytes,
    /// The whole header block.
    pub(in crate::queue) headers: Bytes,
    pub(in crate::queue) payload: Bytes,
}

/// What the store has under a sequence number.
#[derive(Clone, Debug)]
pub(in crate::queue) struct StoredRow {
    pub(in crate::queue) sequence: u64,
    /// `None` when it is damaged, which the reader has noted.
    pub(in crate::queue) message: Option<Stored>,
}

impl Stored {
    fn decode(sequence: u64, row: &Bytes) -> Option<Self> {
        let message = MessageRow::decode(row)?;
        Some(Self {
            sequence,
            time: message.time,
            subject: row.slice_ref(message.subject.as_bytes()),
            headers: row.slice_ref(message.headers),
            payload: row.slice_ref(message.payload),
        })
    }

    pub(in crate::queue) fn subject(&self) -> &str {
        // Decoding has checked that it is UTF-8.
        std::str::from_utf8(&self.subject).unwrap_or_default()
    }

    /// The bytes that it counts for.
    pub(in crate::queue) fn size(&self) -> u64 {
        row::message_size(self.subject(), &self.headers, &self.payload)
    }
}

impl StoredRow {
    pub(super) fn decode(sequence: u64, row: &Bytes) -> Self {
        Self { sequence, message: Stored::decode(sequence, row) }
    }

    /// The bytes that it counts for, as far as that is known.
    pub(super) fn size(&self) -> u64 {
        self.message.as_ref().map_or(0, Stored::size)
    }
}
