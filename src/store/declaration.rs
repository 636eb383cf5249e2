//! What is declared of a table beside the types of its rows: what becomes of them.

use std::time::Duration;

use bytes::Bytes;

use super::{Kind, Table};

/// What becomes of a table's rows when the user whom they are about asks to be erased.
/// spec: client-server §POST /account/deactivate
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// They go: all whose key names the user, wherever in it. Where the key begins with a user and a
    /// device, they go with the device too.
    Removed,
    /// They go with the row of the user's device, which says which they are.
    WithDevice,
    /// They stay until they expire.
    Expires,
    /// They stay: the name of an account stays taken, and events and uploads are everybody's who was
    /// given them.
    Kept,
    /// No row is about a user.
    Nobodys,
}

/// How a table's rows end by themselves.
#[derive(Clone, Copy, Debug)]
pub enum Expiry {
    /// They don't: they are kept until somebody removes them.
    Never,
    /// At a time that is in the row, in milliseconds since the Unix epoch.
    At(fn(Bytes) -> Result<u64, String>),
    /// So long after a time that the part knows which has the table, and which removes what goes
    /// with them.
    After(Duration),
    /// When so many others have come, of the same user or device where the key has one.
    Newest(usize),
    /// With a row of another table.
    With(Table),
}

/// A value that says when its row expires.
pub trait Expires {
    /// In milliseconds since the Unix epoch.
    fn expires(&self) -> u64;
}

/// What is declared of a table, whatever the types of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The table.
    pub table: Table,
    /// What the parts of its keys say.
    pub key: &'static [Kind],
    /// What becomes of its rows when their user is erased.
    pub erasure: Erasure,
    /// How its rows end by themselves.
    pub expiry: Expiry,
}

impl Declaration {
    /// For how long its rows are kept, in milliseconds.
    pub const fn lifetime(&self) -> u64 {
        match self.expiry {
            Expiry::After(time) => time.as_millis() as u64,
            _ => u64::MAX,
        }
    }

    /// How many of its rows are kept.
    pub const fn most(&self) -> usize {
        match self.expiry {
            Expiry::Newest(most) => most,
            _ => usize::MAX,
        }
    }
}

/// The declarations of all tables, by part of the homeserver.
pub type Tables = &'static [&'static [Declaration]];
