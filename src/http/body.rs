//! The body of a request or response.

use bytes::Bytes;

use crate::platform::{Blob, UnreadableBlob};

/// Bytes at hand, or a blob that the browser keeps.
#[derive(Clone, Debug)]
pub enum Body {
    /// In the memory of the homeserver.
    Bytes(Bytes),
    /// Uploads and downloads, which pass by the memory of the homeserver.
    Blob(Blob),
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// When it is a blob that the browser has lost.
    pub async fn bytes(&self) -> Result<Bytes, UnreadableBlob> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Blob(blob) => blob.bytes().await,
        }
    }

    /// All of it as a blob.
    pub fn into_blob(self) -> Blob {
        match self {
            Self::Bytes(bytes) => Blob::new(bytes),
            Self::Blob(blob) => blob,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
