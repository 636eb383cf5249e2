//! Secrets that a client holds and the store knows only by their hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    platform,
    store::{AsPart, Key, KeyReader, Kind, Part},
};

/// Letters and digits of a token: more than 200 bits.
const TOKEN_LENGTH: usize = 40;

/// A new secret.
pub(super) fn generate() -> String {
    platform::random_string(TOKEN_LENGTH)
}

/// The SHA-256 of a token, which is what the store knows of it. Looking a token up by its hash
/// also takes no time that depends on how much of it is right.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TokenHash(String);

impl TokenHash {
    /// The hash of a token as a client sent it.
    pub(super) fn of(token: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(token)))
    }
}

impl Part for TokenHash {
    const KIND: Kind = Kind::Text;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.str().map(Self)
    }
}

impl AsPart<Self> for TokenHash {
    fn append(&self, key: Key) -> Key {
        key.str(&self.0)
    }
}

/// An access token with its refresh token; a device has one, or two while the newer is unused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenPair {
    pub(super) access: TokenHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<TokenHash>,
}
