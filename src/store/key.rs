//! Keys whose byte order is the order of their parts.

/// Builds a key from parts. Strings end with an escaped terminator, so that no key of other parts
/// sorts between a key and those that it is a prefix of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key without parts: the prefix of all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a string.
    pub fn str(self, part: impl AsRef<str>) -> Self {
        self.bytes(part.as_ref().as_bytes())
    }

    /// Appends bytes of any length.
    pub fn bytes(mut self, part: &[u8]) -> Self {
        self.0.reserve(part.len() + 2);
        let mut pieces = part.split(|byte| *byte == 0);
        self.0.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.0.extend([0, 0xff]);
            self.0.extend_from_slice(piece);
        }
        self.0.extend([0, 0]);
        self
    }

    /// Appends all parts of another key.
    pub fn key(mut self, parts: &[u8]) -> Self {
        self.0.extend_from_slice(parts);
        self
    }

    /// Appends a number; numbers sort by value.
    pub fn u64(mut self, part: u64) -> Self {
        self.0.extend(part.to_be_bytes());
        self
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// Takes the parts out of a key in the order in which they were put in.
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Reads `key` from its first part.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The next part, a string; `None` when there is none or it is not UTF-8.
    pub fn str(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    /// The next part, bytes.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut part = Vec::new();
        let mut rest = self.0;
        loop {
            let zero = rest.iter().position(|byte| *byte == 0)?;
            let (piece, tail) = rest.split_at(zero);
            part.extend_from_slice(piece);
            match tail {
                [0, 0, tail @ ..] => {
                    self.0 = tail;
                    return Some(part);
                }
                [0, 0xff, tail @ ..] => {
                    part.push(0);
                    rest = tail;
                }
                _ => return None,
            }
        }
    }

    /// The next part, a number.
    pub fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    /// All parts that are left, as they are.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Whether there are no more parts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A range of keys: `start` is in it, `end` is not; `None` is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key, if bounded.
    pub start: Option<Vec<u8>>,
    /// The key after the last, if bounded.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self::default()
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let start = prefix.as_ref().to_vec();
        let mut end = start.clone();
        while end.pop_if(|last| *last == 0xff).is_some() {}
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { start: Some(start), end: (!end.is_empty()).then_some(end) }
    }

    /// From `start` (in) to `end` (out).
    pub fn between(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Self {
        Self { start: Some(start.into()), end: Some(end.into()) }
    }

    /// Whether `key` lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_deref().is_none_or(|start| start <= key)
            && self.end.as_deref().is_none_or(|end| key < end)
    }
}

/// In which order a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_parts_and_read_back() {
        let keys = [
            Key::new().str("").u64(9),
            Key::new().str("a").u64(1),
            Key::new().str("a").u64(256),
            Key::new().str("a\0").u64(0),
            Key::new().str("ab").u64(0),
            Key::new().str("b").u64(0),
        ];
        assert!(keys.is_sorted_by(|a, b| a.as_ref() < b.as_ref()));
        let mut reader = KeyReader::new(&keys[3]);
        assert_eq!(reader.str().as_deref(), Some("a\0"));
        assert_eq!(reader.u64(), Some(0));
        assert_eq!(reader.u64(), None);
    }

    #[test]
    fn a_prefix_range_ends_where_the_prefix_does() {
        let range = KeyRange::prefix([1, 0xff]);
        assert!(range.contains(&[1, 0xff]) && range.contains(&[1, 0xff, 0xff, 0xff]));
        assert!(!range.contains(&[2]) && !range.contains(&[1, 0xfe]));
        assert_eq!(KeyRange::prefix([0xff]).end, None);
    }
}
