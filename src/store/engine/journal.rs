//! Journal records: everything that one transaction made durable, and heads, which tell how many
//! there are.

use std::ops::Range;

use bytes::Bytes;

use super::{
    backend::Space,
    codec::{self, Reader, Writer},
};
use crate::store::{Error, Result, complete::Write};

const FORMAT: u8 = 1;

/// The journal that is not `journal`.
pub(crate) fn other(journal: Space) -> Space {
    if journal == Space::JournalA { Space::JournalB } else { Space::JournalA }
}

/// The place of a record in the order of all records, and the opening that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordId {
    /// The opening of the database; each has a higher number than those before it.
    pub owner: u32,
    /// One more than the record before it, whoever wrote that.
    pub sequence: u64,
}

impl RecordId {
    /// The key of the record.
    pub(crate) fn key(self) -> Bytes {
        let mut key = Vec::with_capacity(12);
        key.extend(self.owner.to_be_bytes());
        key.extend(self.sequence.to_be_bytes());
        key.into()
    }

    /// The record that has this key.
    pub(crate) fn read(key: &[u8]) -> Option<Self> {
        let (owner, sequence) = key.split_first_chunk::<4>()?;
        Some(Self {
            owner: u32::from_be_bytes(*owner),
            sequence: u64::from_be_bytes(sequence.try_into().ok()?),
        })
    }
}

/// Which record was the newest one of an opening when this was written. Every other record that is
/// missing leaves a gap in the sequence; the newest is missed by its head alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head(pub RecordId);

impl Head {
    /// Whether a head is what this key belongs to, and no record.
    pub(crate) fn has_key(id: RecordId) -> bool {
        id.sequence == u64::MAX
    }

    /// The key of the opening's head, which sorts after those of its records.
    pub(crate) fn key(self) -> Bytes {
        RecordId { sequence: u64::MAX, ..self.0 }.key()
    }

    /// Its stored form.
    pub(crate) fn sealed(self) -> Bytes {
        let mut writer = Writer::new(16);
        writer.number(u64::from(self.0.owner));
        writer.number(self.0.sequence);
        codec::seal(FORMAT, &writer.finish())
    }

    /// Reads the stored head of this opening.
    ///
    /// # Errors
    /// When it is damaged.
    pub(crate) fn read(owner: u32, stored: &Bytes) -> Result<Self> {
        let content = codec::open(FORMAT, stored)?;
        let mut reader = Reader::new(&content);
        if reader.number()? != u64::from(owner) {
            return Err(Error::Corrupt("it is in the wrong place".to_owned()));
        }
        let sequence = reader.number()?;
        reader.end()?;
        Ok(Self(RecordId { owner, sequence }))
    }
}

/// A record: its content, and where its rows are in it.
#[derive(Debug)]
pub(crate) struct Record {
    content: Bytes,
    rows: Vec<(Range<usize>, Option<Range<usize>>)>,
}

impl Record {
    /// Packs writes: for each its full key and its value, or none to delete.
    pub(crate) fn pack<'a>(id: RecordId, writes: impl Iterator<Item = &'a Write> + Clone) -> Self {
        let size = |write: &Write| {
            write.key.len() + write.value.as_ref().map_or(0, |value| value.len()) + 12
        };
        let mut rows = Vec::with_capacity(writes.clone().count());
        let mut writer = Writer::new(writes.clone().map(size).sum::<usize>() + 24);
        writer.number(u64::from(id.owner));
        writer.number(id.sequence);
        writer.number(rows.capacity() as u64);
        for write in writes {
            writer.number(write.key.len() as u64);
            let key = writer.bytes(&write.key);
            let value = match &write.value {
                Some(value) => {
                    writer.number(value.len() as u64 + 1);
                    Some(writer.bytes(value))
                }
                None => {
                    writer.number(0);
                    None
                }
            };
            rows.push((key, value));
        }
        Self { content: writer.finish(), rows }
    }

    /// Reads a stored record, which must be the one of this id.
    pub(crate) fn read(id: RecordId, stored: &Bytes) -> Result<Self> {
        let content = codec::open(FORMAT, stored)?;
        let mut reader = Reader::new(&content);
        if reader.number()? != u64::from(id.owner) || reader.number()? != id.sequence {
            return Err(Error::Corrupt("it is in the wrong place".to_owned()));
        }
        let count = reader.length()?;
        let mut rows = Vec::with_capacity(count.min(content.len()));
        for _ in 0..count {
            let length = reader.length()?;
            let key = reader.range(length)?;
            let value = match reader.length()? {
                0 => None,
                length => Some(reader.range(length - 1)?),
            };
            rows.push((key, value));
        }
        reader.end()?;
        Ok(Self { content, rows })
    }

    /// Its stored form.
    pub(crate) fn sealed(&self) -> Bytes {
        codec::seal(FORMAT, &self.content)
    }

    /// How many bytes its content has, which its rows share.
    pub(crate) fn size(&self) -> usize {
        self.content.len()
    }

    /// Its rows, sharing its memory: full key, and value or none when deleted.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Bytes, Option<Bytes>)> {
        self.rows.iter().map(|(key, value)| {
            (self.content.slice(key.clone()), value.clone().map(|value| self.content.slice(value)))
        })
    }
}
