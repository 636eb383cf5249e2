//! Leaves: the rows of a stretch of keys, packed into one record.
//!
//! A leaf's record is kept under the key at which its stretch begins; it ends where the next leaf
//! of the table begins, or with the table. The record says where that is, so that a missing leaf
//! is noticed by the one before it. Only a table without any record has no rows.
//!
//! Records of the first format do not say where they end, and their first leaf may be missing
//! because it had no rows. They get the second format when they are written next.

use std::ops::Range;

use bytes::Bytes;

use super::codec::{self, Reader, Writer};
use crate::store::{Error, Result, tables::has_secret_keys};

/// Of records that do not say where their stretch ends.
const OPEN_ENDED: u8 = 1;
const FORMAT: u8 = 2;

/// A leaf in memory, ready for binary search.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The first key of its stretch.
    pub start: Bytes,
    /// The first key after its stretch.
    pub end: Bytes,
    /// Whether there is a record of it.
    pub stored: bool,
    /// Why its rows can't be read, when they can't.
    pub damage: Option<Error>,
    content: Bytes,
    keys: Bytes,
    rows: Vec<Row>,
}

/// Where the key of a row is in `keys`, and its value in `content`.
#[derive(Debug)]
struct Row {
    key: Range<usize>,
    value: Range<usize>,
}

impl Leaf {
    /// A stretch that has no record and needs none.
    pub(super) fn gap(start: Bytes, end: Bytes) -> Self {
        Self::without_rows(start, end, None)
    }

    /// A stretch that should have a record and has none.
    pub(super) fn missing(start: Bytes, end: Bytes) -> Self {
        let damage = Error::Corrupt(format!("{} is missing", name(&start)));
        Self::without_rows(start, end, Some(damage))
    }

    fn without_rows(start: Bytes, end: Bytes, damage: Option<Error>) -> Self {
        Self {
            start,
            end,
            stored: false,
            damage,
            content: Bytes::new(),
            keys: Bytes::new(),
            rows: Vec::new(),
        }
    }

    /// Takes in the record of a leaf that ends at `limit`, where the next one of the table begins,
    /// or before it, where a leaf is missing.
    pub(super) fn read(start: Bytes, limit: Bytes, record: &Bytes) -> Self {
        match Self::unpack(start.clone(), limit.clone(), record) {
            Ok(leaf) => leaf,
            Err(cause) => {
                let damage = format!("{}: {cause}", name(&start));
                let leaf = Self::without_rows(start, limit, Some(Error::Corrupt(damage)));
                Self { stored: true, ..leaf }
            }
        }
    }

    fn unpack(start: Bytes, limit: Bytes, record: &Bytes) -> Result<Self> {
        let open_ended = codec::format(record) == Some(OPEN_ENDED);
        let content = codec::open(if open_ended { OPEN_ENDED } else { FORMAT }, record)?;
        let mut reader = Reader::new(&content);
        let length = reader.length()?;
        if reader.bytes(length)? != start {
            return Err(Error::Corrupt("it is in the wrong place".to_owned()));
        }
        let end = match open_ended {
            true => limit.clone(),
            false => {
                let length = reader.length()?;
                content.slice(reader.range(length)?)
            }
        };
        if end > limit {
            return Err(Error::Corrupt("another leaf begins within it".to_owned()));
        }
        let (keys, rows) = unpack_rows(&mut reader, content.len())?;
        reader.end()?;
        Ok(Self { start, end, stored: true, damage: None, keys: keys.into(), rows, content })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// When the leaf is damaged.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.check()?;
        let found = self.rows.binary_search_by(|row| self.keys[row.key.clone()].cmp(key));
        Ok(found.ok().map(|row| self.content.slice(self.rows[row].value.clone())))
    }

    /// The rows from `range`, sharing the memory of the leaf.
    ///
    /// # Errors
    /// When the leaf is damaged.
    pub(super) fn range(
        &self,
        range: Range<&[u8]>,
    ) -> Result<impl DoubleEndedIterator<Item = (Bytes, Bytes)> + use<'_>> {
        self.check()?;
        let first =
            |bound: &[u8]| self.rows.partition_point(|row| &self.keys[row.key.clone()] < bound);
        let (start, end) = (first(range.start), first(range.end));
        Ok(self.rows[start..end.max(start)]
            .iter()
            .map(|row| (self.keys.slice(row.key.clone()), self.content.slice(row.value.clone()))))
    }

    fn check(&self) -> Result<()> {
        self.damage.clone().map_or(Ok(()), Err)
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The size of its content.
    pub(super) fn size(&self) -> usize {
        self.content.len()
    }

    /// Roughly what it takes in memory.
    pub(super) fn memory(&self) -> usize {
        self.content.len()
            + self.keys.len()
            + self.start.len()
            + self.end.len()
            + self.rows.len() * size_of::<Row>()
            + size_of::<Self>()
    }
}

fn unpack_rows(reader: &mut Reader<'_>, size: usize) -> Result<(Vec<u8>, Vec<Row>)> {
    let count = reader.length()?;
    let mut keys = Vec::with_capacity(size);
    let mut rows: Vec<Row> = Vec::with_capacity(count.min(size));
    for _ in 0..count {
        let shared = reader.length()?;
        let previous = rows.last().map_or(0..0, |row| row.key.clone());
        if shared > previous.len() {
            return Err(Error::Corrupt("a key shares more than there is".to_owned()));
        }
        let at = keys.len();
        keys.extend_from_within(previous.start..previous.start + shared);
        let length = reader.length()?;
        keys.extend_from_slice(reader.bytes(length)?);
        let length = reader.length()?;
        rows.push(Row { key: at..keys.len(), value: reader.range(length)? });
    }
    Ok((keys, rows))
}

/// Packs rows into the record of the leaf from `start` to `end`.
pub(super) fn pack(start: &[u8], end: &[u8], rows: &[(Bytes, Bytes)]) -> Bytes {
    let size: usize = rows.iter().map(row_size).sum();
    let mut writer = Writer::new(size + start.len() + end.len() + 8);
    for bound in [start, end] {
        writer.number(bound.len() as u64);
        writer.bytes(bound);
    }
    writer.number(rows.len() as u64);
    let mut previous: &[u8] = &[];
    for (key, value) in rows {
        let shared = shared_prefix(previous, key);
        writer.number(shared as u64);
        writer.number((key.len() - shared) as u64);
        writer.bytes(&key[shared..]);
        writer.number(value.len() as u64);
        writer.bytes(value);
        previous = key;
    }
    codec::seal(FORMAT, &writer.finish())
}

/// How many bytes `a` and `b` have in common at their beginning.
pub(super) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// At most what a row takes in a packed leaf, but for huge lengths.
pub(super) fn row_size((key, value): &(Bytes, Bytes)) -> usize {
    key.len() + value.len() + 6
}

/// What the leaf that begins at this key is called in errors.
fn name(start: &[u8]) -> String {
    match start.first() {
        Some(&table) if has_secret_keys(table) => format!("a leaf of table {table}"),
        _ => format!("the leaf of key {}", start.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<(Bytes, Bytes)> {
        (0..count).map(|n| (format!("\u{1}room/{n:04}").into(), format!("v{n}").into())).collect()
    }

    #[test]
    fn rows_read_back_and_are_found() {
        let rows = rows(100);
        let packed = pack(&[1], &[2], &rows);
        let plain: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(packed.len() < plain, "prefixes are shared");
        let leaf = Leaf::read(vec![1].into(), vec![2].into(), &packed);
        assert_eq!(leaf.range(&[1]..&[2]).unwrap().collect::<Vec<_>>(), rows);
        assert_eq!(leaf.get(&rows[42].0).unwrap().unwrap(), rows[42].1);
        assert_eq!(leaf.get(b"\x01room/").unwrap(), None);
        let some: Vec<_> = leaf.range(&rows[3].0..&rows[5].0).unwrap().rev().collect();
        assert_eq!(some, [rows[4].clone(), rows[3].clone()]);
        assert_eq!(leaf.range(b"b"..b"a").unwrap().count(), 0);
    }

    #[test]
    fn damage_is_told_without_secrets() {
        let told = |start: &[u8]| {
            let leaf = Leaf::missing(start.to_vec().into(), vec![255].into());
            leaf.damage.unwrap().to_string()
        };
        assert!(told(b"\x01@alice").contains("the leaf of key \\x01@alice is missing"));
        assert!(told(b"\x2b@alice pushkey").contains("a leaf of table 43 is missing"));
    }

    #[test]
    fn a_leaf_in_the_wrong_place_is_corrupt() {
        let packed = pack(&[1], &[2], &rows(3));
        let leaf = Leaf::read(vec![2].into(), vec![3].into(), &packed);
        assert!(matches!(leaf.get(&[2]), Err(Error::Corrupt(_))));
        assert!(leaf.range(&[2]..&[3]).is_err());
    }

    #[test]
    fn a_leaf_ends_where_it_says_and_not_after_the_next_one_begins() {
        let packed = pack(&[1], &[1, 7], &rows(3));
        assert_eq!(Leaf::read(vec![1].into(), vec![2].into(), &packed).end[..], [1, 7]);
        let leaf = Leaf::read(vec![1].into(), vec![1, 6].into(), &packed);
        assert!(matches!(leaf.get(&[1]), Err(Error::Corrupt(_))));
    }

    #[test]
    fn a_record_of_the_first_format_ends_where_the_next_begins() {
        let mut writer = Writer::new(0);
        for part in [&[1, 1, 1, 0, 2][..], &[1, 5], &[1, 9]] {
            writer.bytes(part);
        }
        let packed = codec::seal(OPEN_ENDED, &writer.finish());
        let leaf = Leaf::read(vec![1].into(), vec![1, 7].into(), &packed);
        assert_eq!(leaf.end[..], [1, 7]);
        assert_eq!(leaf.get(&[1, 5]).unwrap().unwrap()[..], [9]);
    }
}
