//! The tables of the store. Numbers are part of the stored format: never reuse one.
//! Databases of before have rows of 93, 94 and 100.

/// An ordered table of byte keys to byte values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// The homeserver's own facts: name, signing key, format.
    Server = 1,
    /// The feed: position → change.
    Feed = 2,
    /// Id → what is left to do after a commit.
    FollowUps = 3,
    /// Hash of an access token → session.
    AccessTokens = 16,
    /// Stream, source → the sequence number up to which it was copied.
    QueueSources = 29,
    /// Stream, time, sequence number → what happens to the message then.
    QueueTimers = 30,
    /// Stream, number → messages that are to go and may not have gone yet.
    QueuePurges = 31,
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
    /// Stream, subject, sequence number → size.
    QueueSubjects = 38,
    /// User, room → unread counts, and how far the user has read.
    UnreadCounts = 40,
    /// User, room, position → unread notification.
    Unread = 41,
    /// User, position → notification.
    Notifications = 42,
    /// User, app id, pushkey → pusher.
    Pushers = 43,
    /// App id, pushkey, user → the device that set the user's pusher; of those of before, nothing.
    PusherOwners = 44,
    /// Room, position of an event → whom the event notifies.
    RoomNotifications = 47,
    /// User whose account data decides what they are notified of → nothing.
    Individuals = 64,
    /// Room, word, position → how often and where the event has the word.
    SearchWords = 45,
    /// Room, position → the words of the event that are in the index.
    SearchEvents = 46,
    /// Room → where its graph and state stand.
    Rooms = 48,
    /// Room, position → event.
    Timeline = 49,
    /// Room, event id → position; 0 for an event that is in no timeline.
    EventIndex = 50,
    /// Room, event id → event, for those in no timeline.
    HiddenEvents = 51,
    /// Room, state id → state, as a delta.
    RoomStates = 52,
    /// Room, user → what the current state says of them.
    RoomMembers = 53,
    /// User of this server, room → membership.
    UserRooms = 54,
    /// User, device, room, event type or redacted event, transaction id → event id.
    Transactions = 55,
    /// Time, key of a transaction → nothing.
    TransactionTimes = 63,
    /// Room, parent, relation type, position of the child → child.
    Relations = 56,
    /// Room, root → thread.
    Threads = 57,
    /// Room, position of the newest event of a thread → its root.
    ThreadOrder = 58,
    /// Alias → room.
    Aliases = 59,
    /// Room, alias → who made it.
    RoomAliases = 60,
    /// Published room.
    PublishedRooms = 61,
    /// Room, event id that is not known yet → redaction of it.
    EarlyRedactions = 62,
    /// Hash of a refresh token → session.
    RefreshTokens = 80,
    /// User → account.
    Accounts = 81,
    /// User, device → name, time seen, hashes of its tokens.
    Devices = 82,
    /// Hash of a login token → whom it logs in.
    LoginTokens = 83,
    /// User → profile.
    Profiles = 84,
    /// User, room or nothing, type → content of account data.
    AccountData = 85,
    /// User, filter id → filter.
    Filters = 87,
    /// User, device → device keys.
    DeviceKeys = 88,
    /// User, device, algorithm, position, place → one-time key.
    OneTimeKeys = 89,
    /// User, device, algorithm → fallback key.
    FallbackKeys = 90,
    /// User, usage → cross-signing key.
    CrossSigningKeys = 91,
    /// User, key, signing user, signing key → signature.
    Signatures = 92,
    /// User, device, position → to-device message.
    ToDevice = 95,
    /// User, device, 0, event type, transaction id → nothing; user, device, 1, place → that key.
    ToDeviceTransactions = 96,
    /// User, version → key backup.
    Backups = 97,
    /// User, version, room, session → backed-up key.
    BackupKeys = 98,
    /// Hash of an OpenID token → whose it is.
    OpenIdTokens = 99,
    /// User, device, 0, hash of a one-time key that was claimed → nothing; user, device, 1, place →
    /// that key.
    ClaimedKeys = 101,
    /// Room, user, receipt type, thread → receipt.
    Receipts = 120,
    /// Media id → what is known of the file.
    Media = 140,
    /// Media ids whose blob may be there without being finished.
    MediaUploads = 141,
    /// User, media id → when it was made, to be uploaded to.
    MediaReserved = 143,
    /// URL, time → what the page there says of itself.
    UrlPreviews = 142,
}

/// Whether the keys of the table of this number have a secret in them, as pushkeys are and addresses
/// of pages may be, and are not to be told to anybody.
pub(super) fn has_secret_keys(number: u8) -> bool {
    [Table::Pushers as u8, Table::PusherOwners as u8, Table::UrlPreviews as u8].contains(&number)
}
