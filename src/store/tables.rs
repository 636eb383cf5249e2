//! The tables of the store. Numbers are part of the stored format: never reuse one.

/// An ordered table of byte keys to byte values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The homeserver's own facts: name, signing key, format.
    Server = 1,
    /// The feed: position → change.
    Feed = 2,
    /// Hash of an access token → session.
    AccessTokens = 16,
    /// Stream → its configuration.
    QueueStreams = 32,
    /// Stream → first and last sequence number, counts.
    QueueStates = 33,
    /// Stream, sequence number → message.
    QueueMessages = 34,
    /// Stream, consumer → its configuration.
    QueueConsumers = 35,
    /// Stream, consumer → what it was delivered and has acknowledged.
    QueueConsumerStates = 36,
    /// Stream, time, sequence number → message id, within the duplicate window.
    QueueMessageIds = 37,
    /// Stream, subject, sequence number → size, where messages per subject are limited.
    QueueSubjects = 38,
    /// Stream, subject → nothing, while the subject may hold more messages than it is allowed to.
    QueueFullSubjects = 39,
    /// Hash of a refresh token → session.
    RefreshTokens = 80,
    /// User → account.
    Accounts = 81,
    /// User, device → name, time seen, hashes of its tokens.
    Devices = 82,
    /// Hash of a login token → whom it logs in.
    LoginTokens = 83,
    /// Media id → what is known of the file.
    Media = 140,
    /// Media ids whose blob may be there without being finished.
    MediaUploads = 141,
}
