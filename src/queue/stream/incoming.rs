//! Messages to be published into a stream.

/// A message to be published.
#[derive(Clone, Copy)]
pub(in crate::queue) struct Incoming<'a> {
    pub(in crate::queue) subject: &'a str,
    /// The whole header block.
    pub(in crate::queue) headers: &'a [u8],
    pub(in crate::queue) payload: &'a [u8],
    pub(in crate::queue) origin: Origin,
    /// The last sequence number to compare its expectation with, where that is not the current one.
    pub(super) last_expected: Option<u64>,
}

/// Where a message comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::queue) enum Origin {
    Client,
    /// The stream itself: schedules and markers.
    Stream,
    /// A stream that is one of this one's sources.
    Source,
    /// The stream that this one is a mirror of, where the message has that number and time.
    Mirror {
        sequence: u64,
        time: u64,
    },
}

impl<'a> Incoming<'a> {
    pub(in crate::queue) fn new(subject: &'a str, headers: &'a [u8], payload: &'a [u8]) -> Self {
        Self { subject, headers, payload, origin: Origin::Client, last_expected: None }
    }

    pub(in crate::queue) fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
}
