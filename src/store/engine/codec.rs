//! Stored records: a format byte, a checksum, the content, which is compressed where that makes it
//! smaller.

use std::ops::Range;

use bytes::Bytes;
use lz4_flex::block;

use crate::store::{Error, Result};

const HEADER: usize = 5;
/// Set in the format byte of a record whose content is compressed: LZ4's block format, after the
/// length it has without.
const COMPRESSED: u8 = 0x80;
/// Less than this has hardly anything twice.
const COMPRESS_FROM: usize = 64;

/// The stored form of some content.
pub(super) fn seal(format: u8, content: &[u8]) -> Bytes {
    if content.len() >= COMPRESS_FROM {
        let compressed = block::compress_prepend_size(content);
        if compressed.len() < content.len() {
            return record(format | COMPRESSED, &compressed);
        }
    }
    record(format, content)
}

fn record(format: u8, content: &[u8]) -> Bytes {
    let mut record = Vec::with_capacity(HEADER + content.len());
    record.push(format);
    record.extend(checksum(format, content).to_le_bytes());
    record.extend(content);
    record.into()
}

/// The format that a stored record says it has.
pub(super) fn format(record: &[u8]) -> Option<u8> {
    record.first().map(|format| format & !COMPRESSED)
}

/// The content of a stored record, which must have this format.
///
/// # Errors
/// When it has another one, or is damaged.
pub(super) fn open(format: u8, record: &Bytes) -> Result<Bytes> {
    let (header, content) = record.split_first_chunk::<HEADER>().ok_or_else(ends_early)?;
    if header[0] & !COMPRESSED != format {
        return Err(Error::Corrupt(format!("it has the unknown format {}", header[0])));
    }
    if header[1..] != checksum(header[0], content).to_le_bytes() {
        return Err(Error::Corrupt("its checksum is wrong".to_owned()));
    }
    if header[0] == format {
        return Ok(record.slice(HEADER..));
    }
    let content = block::decompress_size_prepended(content);
    content.map(Bytes::from).map_err(|cause| Error::Corrupt(cause.to_string()))
}

/// The content of a record in the making.
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins; `capacity` is a guess of the size.
    pub(super) fn new(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity) }
    }

    /// Appends a number in as few bytes as it needs: seven bits a byte, the lowest first.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// Appends bytes; tells where in the content they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.out.len();
        self.out.extend_from_slice(bytes);
        start..self.out.len()
    }

    /// The content.
    pub(super) fn finish(self) -> Bytes {
        self.out.into()
    }
}

fn checksum(format: u8, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[format]);
    hasher.update(content);
    hasher.finalize()
}

/// Reads the content of a record.
pub(super) struct Reader<'a> {
    content: &'a [u8],
    at: usize,
}

fn ends_early() -> Error {
    Error::Corrupt("it ends early".to_owned())
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { content, at: 0 }
    }

    /// The next number.
    pub(super) fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.content.get(self.at).ok_or_else(ends_early)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Error::Corrupt("a number is too large".to_owned()))
    }

    /// The next number of eight bytes, the highest first.
    pub(super) fn fixed(&mut self) -> Result<u64> {
        let rest = self.content.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk().ok_or_else(ends_early)?;
        self.at += bytes.len();
        Ok(u64::from_be_bytes(*bytes))
    }

    /// The next number, a length or count.
    pub(super) fn length(&mut self) -> Result<usize> {
        usize::try_from(self.number()?)
            .map_err(|_| Error::Corrupt("a length is too large".to_owned()))
    }

    /// Where the next `length` bytes are.
    pub(super) fn range(&mut self, length: usize) -> Result<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.content.len());
        let range = self.at..end.ok_or_else(ends_early)?;
        self.at = range.end;
        Ok(range)
    }

    /// The next `length` bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let range = self.range(length)?;
        Ok(&self.content[range])
    }

    /// Where everything is that was not read yet.
    pub(super) fn rest(self) -> Range<usize> {
        self.at..self.content.len()
    }

    /// Makes sure that everything was read.
    pub(super) fn end(self) -> Result<()> {
        if self.at == self.content.len() {
            return Ok(());
        }
        Err(Error::Corrupt("it has more than it says".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_read_back() {
        let numbers = [0, 1, 0x7f, 0x80, 0x4000, u64::from(u32::MAX), u64::MAX];
        let mut writer = Writer::new(0);
        numbers.iter().for_each(|number| writer.number(*number));
        let at = writer.bytes(b"row");
        let content = writer.finish();
        assert_eq!(&content[at], b"row");
        let mut reader = Reader::new(&content);
        for number in numbers {
            assert_eq!(reader.number().unwrap(), number);
        }
        assert_eq!(reader.bytes(3).unwrap(), b"row");
        assert!(reader.bytes(1).is_err());
        assert!(reader.end().is_ok());
    }

    #[test]
    fn a_record_opens_again_and_every_flipped_bit_is_noticed() {
        let noise: Vec<u8> =
            (0..100_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for content in [&b"row"[..], &[b'a'; 5000], &noise, b""] {
            let record = seal(7, content);
            assert!(record.len() <= content.len() + HEADER, "never larger than it is");
            assert_eq!(open(7, &record).unwrap(), content);
            assert!(open(6, &record).is_err());
            for bit in 0..record.len() * 8 {
                let mut damaged = record.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(open(7, &damaged.into()).is_err());
            }
            assert!(open(7, &record.slice(..record.len() - 1)).is_err());
        }
        assert!(seal(7, &[b'a'; 5000]).len() < 100);
        assert!(open(7, &Bytes::new()).is_err());
    }
}
