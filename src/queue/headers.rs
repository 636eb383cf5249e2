//! The headers of a message. ADR-4

/// Names and values, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// The id by which a message is stored only once. ADR-4
pub const MESSAGE_ID: &str = "Nats-Msg-Id";
/// The stream that must store the message.
pub const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
/// The sequence number that the stream's last message must have.
pub const EXPECTED_LAST_SEQUENCE: &str = "Nats-Expected-Last-Sequence";

const VERSION: &str = "NATS/1.0\r\n";

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The first value of `name`; names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether they can be written: names have no colon, and nothing breaks the line.
    pub(super) fn is_valid(&self) -> bool {
        let breaks = |text: &str| text.contains(['\r', '\n']);
        self.iter().all(|(name, value)| {
            !name.is_empty() && !name.contains(':') && !breaks(name) && !breaks(value)
        })
    }

    /// As they travel and are stored; empty when there are none.
    pub(super) fn encode(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut block = VERSION.to_owned();
        for (name, value) in self.iter() {
            block.extend([name, ": ", value, "\r\n"]);
        }
        block.push_str("\r\n");
        block.into_bytes()
    }

    /// Reads what [`Headers::encode`] wrote; lines without a colon are left out.
    pub(super) fn decode(block: &[u8]) -> Self {
        let block = String::from_utf8_lossy(block);
        Self(
            block
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back() {
        let headers = Headers::new().with("Nats-Msg-Id", "a: b").with("X", "");
        assert_eq!(Headers::decode(&headers.encode()), headers);
        assert!(Headers::new().encode().is_empty());
        assert!(!Headers::new().with("a", "b\r\nc").is_valid());
    }
}
