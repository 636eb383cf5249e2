//! The tables of the store. Numbers are part of the stored format: never reuse one.

/// An ordered table of byte keys to byte values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The homeserver's own facts: name, signing key, format.
    Server = 1,
    /// The feed: position → change.
    Feed = 2,
    /// Access token → session.
    AccessTokens = 16,
    /// Media id → what is known of the file.
    Media = 140,
    /// Media ids whose blob may be there without being finished.
    MediaUploads = 141,
}
