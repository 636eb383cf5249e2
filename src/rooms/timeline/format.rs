//! The forms of events. spec: client-server §Types of room events

/// In which form a client wants events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Without the room's id, as in /sync.
    Sync,
    /// With the room's id, as everywhere else.
    Timeline,
    /// As servers exchange it.
    Federation,
}
