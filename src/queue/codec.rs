//! The compact form of the queue's rows. They may come from a snapshot, so they are not trusted.

use super::config::LAST_SEQUENCE;

/// Writes numbers of one to ten bytes, and bytes after their length.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    pub(super) fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.rest(bytes)
    }

    /// Bytes up to the end of the row.
    pub(super) fn rest(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Reads what a [`Writer`] wrote; `None` where the row ends too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A count: it is small enough that adding to it does not overflow.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.number().filter(|number| *number <= LAST_SEQUENCE)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_short_ones_are_refused() {
        let row = Writer::default().number(0).number(u64::MAX).bytes(b"abc").rest(b"z").finish();
        let mut reader = Reader(&row);
        assert_eq!((reader.number(), reader.number()), (Some(0), Some(u64::MAX)));
        assert_eq!(reader.bytes(), Some(&b"abc"[..]));
        assert_eq!(reader.0, b"z");
        assert_eq!(Reader(&[5, 1]).bytes(), None);
        assert_eq!(Reader(&[0x80]).number(), None);
        let mut high = Writer::default();
        high.number(LAST_SEQUENCE).number(LAST_SEQUENCE + 1);
        let high = high.finish();
        let mut reader = Reader(&high);
        assert_eq!((reader.count(), reader.count()), (Some(LAST_SEQUENCE), None));
    }
}
