//! The numbers of the tables.
//!
//! What a table is, is declared by the part that has it, in a constant of the same name: the parts
//! of its keys, the form of its values, what becomes of its rows. Each part lists its own in `TABLES`.

/// The enum, and all that is in it.
macro_rules! tables {
    ($($(#[$doc:meta])+ $name:ident = $number:literal,)+) => {
        /// An ordered table of byte keys to byte values. The number is part of the stored format:
        /// none is used again. Databases of before have rows of 93, 94 and 100.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Table {
            $($(#[$doc])+ $name = $number,)+
        }

        impl Table {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

tables! {
    /// The homeserver's own facts: name, signing key and others.
    Server = 1,
    /// The feed.
    Feed = 2,
    /// What is left to do after a commit.
    FollowUps = 3,
    /// Sessions by access tokens.
    AccessTokens = 16,
    /// How far streams have copied their sources.
    QueueSources = 29,
    /// When something happens to messages.
    QueueTimers = 30,
    /// Messages that are to go and may not have gone yet.
    QueuePurges = 31,
    /// Configurations of streams.
    QueueStreams = 32,
    /// Counts of streams.
    QueueStates = 33,
    /// Messages.
    QueueMessages = 34,
    /// Configurations of consumers.
    QueueConsumers = 35,
    /// What consumers were delivered and have acknowledged.
    QueueConsumerStates = 36,
    /// Message ids within the duplicate window.
    QueueMessageIds = 37,
    /// The index of subjects.
    QueueSubjects = 38,
    /// Unread counts.
    UnreadCounts = 40,
    /// Unread notifications that are a user's own.
    Unread = 41,
    /// Notifications.
    Notifications = 42,
    /// Pushers.
    Pushers = 43,
    /// Which devices set which pushers.
    PusherOwners = 44,
    /// The index of words.
    SearchWords = 45,
    /// Which words of events are in it.
    SearchEvents = 46,
    /// What events mean for the members of their rooms.
    RoomNotifications = 47,
    /// Rooms.
    Rooms = 48,
    /// Events in timelines.
    Timeline = 49,
    /// Where events are.
    EventIndex = 50,
    /// Events in no timeline.
    HiddenEvents = 51,
    /// States of rooms.
    RoomStates = 52,
    /// Members of rooms.
    RoomMembers = 53,
    /// Rooms of users.
    UserRooms = 54,
    /// Transactions that made events.
    Transactions = 55,
    /// Relations among events.
    Relations = 56,
    /// Threads.
    Threads = 57,
    /// Threads in the order of their newest events.
    ThreadOrder = 58,
    /// Aliases.
    Aliases = 59,
    /// Aliases of rooms.
    RoomAliases = 60,
    /// Published rooms.
    PublishedRooms = 61,
    /// Redactions that came before what they redact.
    EarlyRedactions = 62,
    /// When transactions were made.
    TransactionTimes = 63,
    /// Whose account data decides what they are notified of.
    Individuals = 64,
    /// Sessions by refresh tokens.
    RefreshTokens = 80,
    /// Accounts.
    Accounts = 81,
    /// Devices.
    Devices = 82,
    /// Login tokens.
    LoginTokens = 83,
    /// Profiles.
    Profiles = 84,
    /// Account data.
    AccountData = 85,
    /// Filters.
    Filters = 87,
    /// Identity keys of devices.
    DeviceKeys = 88,
    /// One-time keys.
    OneTimeKeys = 89,
    /// Fallback keys.
    FallbackKeys = 90,
    /// Cross-signing keys.
    CrossSigningKeys = 91,
    /// Signatures of keys.
    Signatures = 92,
    /// Messages to devices.
    ToDevice = 95,
    /// Transactions that sent messages to devices.
    ToDeviceTransactions = 96,
    /// Key backups.
    Backups = 97,
    /// Backed-up keys.
    BackupKeys = 98,
    /// OpenID tokens.
    OpenIdTokens = 99,
    /// One-time keys that were claimed.
    ClaimedKeys = 101,
    /// Receipts.
    Receipts = 120,
    /// Files.
    Media = 140,
    /// Files that may not be there whole.
    MediaUploads = 141,
    /// Previews of pages.
    UrlPreviews = 142,
    /// Media ids without an upload.
    MediaReserved = 143,
}

/// Whether the keys of the table of this number have a secret in them, as pushkeys are and addresses
/// of pages may be, and are not to be told to anybody.
pub(super) fn has_secret_keys(number: u8) -> bool {
    [Table::Pushers as u8, Table::PusherOwners as u8, Table::UrlPreviews as u8].contains(&number)
}
