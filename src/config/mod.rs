//! What a homeserver is told when it starts.

mod support;

use ruma::{OwnedServerName, OwnedUserId, RoomVersionId};

pub use self::support::Support;

/// The options of a homeserver.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name: the part after the colon in the ids of its users.
    pub server_name: OwnedServerName,
    /// Where clients reach it, without a trailing slash; told in `/.well-known/matrix/client`.
    pub base_url: String,
    /// Who may register.
    pub registration: Registration,
    /// The version of rooms that are made without naming one.
    pub default_room_version: RoomVersionId,
    /// The users who administer it. spec: client-server §Server Administration
    pub admins: Vec<OwnedUserId>,
    /// Whether requests are limited in number.
    pub rate_limits: bool,
    /// Whom its people can turn to; told in `/.well-known/matrix/support`.
    pub support: Option<Support>,
    /// How many changes are kept for clients that come back with an old sync token.
    pub kept_changes: KeptChanges,
}

/// How much of the feed is kept.
#[derive(Clone, Copy, Debug)]
pub struct KeptChanges {
    /// How many of the newest changes stay in the store; up to a quarter more between two prunings.
    pub stored: usize,
    /// How many of the newest are in memory, including those that are never stored.
    pub in_memory: usize,
}

impl KeptChanges {
    /// How many stay in the store by default.
    pub(crate) const STORED: usize = 16_384;
}

impl Default for KeptChanges {
    fn default() -> Self {
        Self { stored: Self::STORED, in_memory: 4096 }
    }
}

/// Who may register an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Who knows this token. spec: client-server §Token-authenticated registration
    Token(String),
    /// Nobody.
    Closed,
}

impl Config {
    /// The defaults for a server of this name.
    pub fn new(server_name: OwnedServerName) -> Self {
        Self {
            base_url: format!("https://{server_name}"),
            server_name,
            registration: Registration::Open,
            default_room_version: RoomVersionId::V12,
            admins: Vec::new(),
            rate_limits: true,
            support: None,
            kept_changes: KeptChanges::default(),
        }
    }
}
