//! What can go wrong below the homeserver.

use super::{Table, tables::has_secret_keys};
use crate::{log::without_values, platform::UnreadableBlob};

/// An error of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The browser gives no more room. Nothing of the batch was written; what was stored stays.
    #[error("the storage quota is used up")]
    QuotaExceeded,
    /// The stored schema was written by a newer version of Neurite.
    #[error("the database has schema version {found}; this version of Neurite knows up to {known}")]
    SchemaTooNew {
        /// The version in the database.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Another connection holds an older version of the database open.
    #[error("another page holds an older version of the database open: close it and try again")]
    Blocked,
    /// A database of that name exists and is not Neurite's.
    #[error("the database was not made by Neurite: {0}")]
    Foreign(String),
    /// The database was deleted or closed beneath the homeserver.
    #[error("the database is closed: {0}")]
    Closed(String),
    /// A record does not have the checksum or form that it was written with.
    #[error("a stored record is corrupt: {0}")]
    Corrupt(String),
    /// A value could not be encoded or decoded.
    #[error("a stored value has an unexpected form: {0}")]
    Encoding(String),
    /// Something that a batch was to do can't be done. Nothing of the batch was.
    #[error("a batch was refused: {0}")]
    Refused(String),
    /// A batch was submitted in the midst of the submission of another: a defect.
    #[error("a batch was submitted while another one was being submitted")]
    Nested,
    /// Whatever else the backend reports.
    #[error("storage: {0}")]
    Backend(String),
}

impl Error {
    /// Another opening of the same database owns it now.
    pub(super) fn taken_over() -> Self {
        Self::Closed("another page has taken it over".to_owned())
    }

    /// A row can't be read; what is in it, or in a key that has secrets, is not told.
    pub(super) fn unreadable(table: Table, key: &[u8], cause: &impl std::fmt::Display) -> Self {
        let row = match has_secret_keys(table as u8) {
            true => format!("a row of {table:?}"),
            false => format!("the row of {table:?} with the key {}", key.escape_ascii()),
        };
        Self::Corrupt(format!("{row}: {}", without_values(&cause.to_string())))
    }

    /// A value could not be encoded or decoded; the value itself, which may be a secret, is not told.
    pub fn encoding(cause: impl std::fmt::Display) -> Self {
        Self::Encoding(without_values(&cause.to_string()).into_owned())
    }
}

impl From<UnreadableBlob> for Error {
    fn from(cause: UnreadableBlob) -> Self {
        Self::Backend(cause.to_string())
    }
}

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
