//! The server's own signing key: made once, kept for good.

use ruma::{
    CanonicalJsonObject, OwnedServerName,
    room_version_rules::RedactionRules,
    serde::{Base64, base64::Standard},
    signatures::{Ed25519KeyPair, JsonError, hash_and_sign_event},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, platform,
    store::{Batch, Fact, Store},
};

/// The key.
const SIGNING_KEY: Fact<StoredKey> = Fact::new("signing_key");

/// The Ed25519 key under which this server signs. spec: server-server §Retrieving server keys
pub struct ServerKey {
    server_name: OwnedServerName,
    pair: Ed25519KeyPair,
}

/// As it is stored: the PKCS#8 document and the version in the key's id.
#[derive(Serialize, Deserialize)]
struct StoredKey {
    version: String,
    pkcs8: Base64<Standard, Vec<u8>>,
}

impl ServerKey {
    /// The key that `store` holds; makes it when there is none.
    ///
    /// # Errors
    /// When the store fails, or holds a key that can't be read.
    pub async fn open(store: &Store, server_name: OwnedServerName) -> Result<Self> {
        let stored = match SIGNING_KEY.get(store).await? {
            Some(stored) => stored,
            None => {
                let stored = StoredKey {
                    version: platform::random_string(6),
                    pkcs8: Base64::new(Ed25519KeyPair::generate().to_vec()),
                };
                let mut batch = Batch::new();
                SIGNING_KEY.put(&mut batch, &stored)?;
                store.commit(batch).await?;
                stored
            }
        };
        let pair = Ed25519KeyPair::from_der(stored.pkcs8.as_bytes(), stored.version)
            .map_err(Error::internal)?;
        Ok(Self { server_name, pair })
    }

    /// Whose key it is.
    pub fn server_name(&self) -> &OwnedServerName {
        &self.server_name
    }

    /// The key's id, `ed25519:<version>`.
    pub fn key_id(&self) -> String {
        format!("ed25519:{}", self.pair.version())
    }

    /// The public key.
    pub fn public_key(&self) -> Base64<Standard, [u8; 32]> {
        Base64::new(self.pair.public_key())
    }

    /// Adds the content hash and the signature to an event.
    pub(in crate::rooms) fn hash_and_sign(
        &self,
        event: &mut CanonicalJsonObject,
        rules: &RedactionRules,
    ) -> Result<(), JsonError> {
        hash_and_sign_event(self.server_name.as_str(), &self.pair, event, rules)
    }
}
