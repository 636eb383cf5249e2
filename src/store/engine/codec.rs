//! The outer form of every stored record: a format byte, a checksum, the content.

use std::ops::Range;

use crate::store::{Error, Result};

const HEADER: usize = 5;

/// A record in the making.
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins a record of this format; `capacity` is a guess of its size.
    pub fn new(format: u8, capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity + HEADER);
        out.extend([format, 0, 0, 0, 0]);
        Self { out }
    }

    /// Appends a number in as few bytes as it needs: seven bits a byte, the lowest first.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// Appends bytes; tells where in the record they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.out.len();
        self.out.extend_from_slice(bytes);
        start..self.out.len()
    }

    /// The record with its checksum.
    pub fn finish(mut self) -> Vec<u8> {
        let checksum = checksum(self.out[0], &self.out[HEADER..]);
        self.out[1..HEADER].copy_from_slice(&checksum.to_le_bytes());
        self.out
    }
}

fn checksum(format: u8, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[format]);
    hasher.update(content);
    hasher.finalize()
}

/// Reads a record whose checksum is right.
pub struct Reader<'a> {
    record: &'a [u8],
    at: usize,
}

fn ends_early() -> Error {
    Error::Corrupt("it ends early".to_owned())
}

impl<'a> Reader<'a> {
    /// Begins to read `record`, which must have this format.
    pub fn new(format: u8, record: &'a [u8]) -> Result<Self> {
        let (header, content) = record.split_first_chunk::<HEADER>().ok_or_else(ends_early)?;
        if header[0] != format {
            return Err(Error::Corrupt(format!("it has the unknown format {}", header[0])));
        }
        if header[1..] != checksum(format, content).to_le_bytes() {
            return Err(Error::Corrupt("its checksum is wrong".to_owned()));
        }
        Ok(Self { record, at: HEADER })
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.record.get(self.at).ok_or_else(ends_early)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Error::Corrupt("a number is too large".to_owned()))
    }

    /// The next number, a length or count.
    pub fn length(&mut self) -> Result<usize> {
        usize::try_from(self.number()?)
            .map_err(|_| Error::Corrupt("a length is too large".to_owned()))
    }

    /// Where the next `length` bytes are.
    pub fn range(&mut self, length: usize) -> Result<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.record.len());
        let range = self.at..end.ok_or_else(ends_early)?;
        self.at = range.end;
        Ok(range)
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let range = self.range(length)?;
        Ok(&self.record[range])
    }

    /// Makes sure that everything was read.
    pub fn end(self) -> Result<()> {
        if self.at == self.record.len() {
            return Ok(());
        }
        Err(Error::Corrupt("it has more than it says".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bytes_read_back_and_every_flipped_bit_is_noticed() {
        let numbers = [0, 1, 0x7f, 0x80, 0x4000, u64::from(u32::MAX), u64::MAX];
        let mut writer = Writer::new(7, 0);
        numbers.iter().for_each(|number| writer.number(*number));
        let at = writer.bytes(b"row");
        let record = writer.finish();
        assert_eq!(&record[at], b"row");
        let mut reader = Reader::new(7, &record).unwrap();
        for number in numbers {
            assert_eq!(reader.number().unwrap(), number);
        }
        assert_eq!(reader.bytes(3).unwrap(), b"row");
        assert!(reader.bytes(1).is_err());
        assert!(reader.end().is_ok());
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Reader::new(7, &damaged).is_err());
        }
        assert!(Reader::new(7, &record[..record.len() - 1]).is_err());
        assert!(Reader::new(7, b"").is_err());
    }
}
