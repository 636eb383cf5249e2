//! What keys have to look like that are told to others. spec: client-server §Key management API

use std::collections::BTreeMap;

use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    store::{AsPart, Key, KeyReader, Kind, Part},
};

/// A signed object: keys as they were uploaded.
pub(super) type KeyObject = Map<String, Value>;

/// What a cross-signing key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The user's other cross-signing keys.
    Master,
    /// The user's devices.
    SelfSigning,
    /// Other users' master keys.
    UserSigning,
}

impl Usage {
    pub(super) const ALL: [Self; 3] = [Self::Master, Self::SelfSigning, Self::UserSigning];

    /// As the specification writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }
}

impl Part for Usage {
    const KIND: Kind = Kind::Text;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        let name = key.str()?;
        Self::ALL.into_iter().find(|usage| usage.as_str() == name)
    }
}

impl AsPart<Self> for Usage {
    fn append(&self, key: Key) -> Key {
        key.str(self.as_str())
    }
}

/// By user and id of the key that signed.
type Signatures = BTreeMap<OwnedUserId, BTreeMap<String, String>>;

#[derive(Deserialize)]
struct DeviceKeys {
    #[serde(rename = "algorithms")]
    _algorithms: Vec<String>,
    #[serde(rename = "keys")]
    _keys: BTreeMap<String, String>,
    #[serde(rename = "signatures")]
    _signatures: Signatures,
}

#[derive(Deserialize)]
struct SignedKey {
    #[serde(rename = "key")]
    _key: String,
    #[serde(rename = "signatures")]
    _signatures: Signatures,
}

#[derive(Deserialize)]
struct CrossSigningKey {
    user_id: OwnedUserId,
    usage: Vec<String>,
    keys: BTreeMap<String, String>,
    #[serde(default, rename = "signatures")]
    _signatures: Option<Signatures>,
}

fn parsed<T: DeserializeOwned>(what: &str, key: &KeyObject) -> Result<T> {
    T::deserialize(key).map_err(|cause| Error::bad_json(format!("{what}: {cause}")))
}

/// Identity keys of a device, but for whose they are.
///
/// # Errors
/// 400 `M_BAD_JSON`
pub(super) fn check_device_keys(keys: &KeyObject) -> Result<()> {
    parsed::<DeviceKeys>("The device's keys", keys).map(drop)
}

/// A one-time key or a fallback key: signed, or the key alone.
///
/// # Errors
/// 400 `M_BAD_JSON`
pub(super) fn check_one_time_key(key: &Value) -> Result<()> {
    match key {
        Value::String(_) => Ok(()),
        Value::Object(key) => parsed::<SignedKey>("A one-time key", key).map(drop),
        _ => Err(Error::bad_json("A one-time key is an object or a string")),
    }
}

/// A cross-signing key of a user, for a usage.
///
/// # Errors
/// 400 `M_BAD_JSON`, 400 `M_INVALID_PARAM`
pub(super) fn check_cross_signing_key(
    user_id: &UserId,
    usage: Usage,
    key: &KeyObject,
) -> Result<()> {
    let refused = |message: &str| Err(Error::invalid_param(message));
    let key: CrossSigningKey = parsed("A cross-signing key", key)?;
    if key.user_id != user_id {
        return refused("The key is that of another user");
    }
    if !key.usage.iter().all(|given| Usage::ALL.iter().any(|known| known.as_str() == given)) {
        return refused("A key is for master, self_signing or user_signing");
    }
    if !key.usage.iter().any(|given| given == usage.as_str()) {
        return refused("The key is for another usage");
    }
    let called_by_itself = |(id, key): (&String, &String)| id.strip_prefix("ed25519:") == Some(key);
    if key.keys.len() != 1 || !key.keys.iter().all(called_by_itself) {
        return refused("A cross-signing key has one public key, by which it is called");
    }
    Ok(())
}
