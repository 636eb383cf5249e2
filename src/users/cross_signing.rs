//! Cross-signing keys and signatures. spec: client-server §Cross-signing

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, DeviceId, OwnedDeviceId, OwnedUserId, UserId,
    serde::{Base64, base64::Standard},
    signatures::{
        SigningKeyAlgorithm, to_canonical_json_string_for_signing, verify_canonical_json_bytes,
    },
};
use serde_json::Value;

use super::{
    Users,
    key_forms::{KeyObject, Usage, check_cross_signing_key},
    sessions::Session,
};
use crate::{
    Error, Result,
    store::{Batch, Erasure, Json, Rows, Table, Text},
};

/// User, usage → cross-signing key.
pub(super) const CROSS_SIGNING_KEYS: Rows<(OwnedUserId, Usage), Json<KeyObject>> =
    Rows::new(Table::CrossSigningKeys, Erasure::Removed);
/// User, device, signing user, id of the signing key → signature of a key. A cross-signing key stands
/// in the place of a device, since none has the id of one.
pub(super) const SIGNATURES: Rows<(OwnedUserId, OwnedDeviceId, OwnedUserId, String), Text<String>> =
    Rows::new(Table::Signatures, Erasure::Removed);

/// Cross-signing keys to publish.
#[derive(Clone, Debug, Default)]
pub struct CrossSigningKeys {
    /// The master key.
    pub master: Option<KeyObject>,
    /// The self-signing key.
    pub self_signing: Option<KeyObject>,
    /// The user-signing key.
    pub user_signing: Option<KeyObject>,
}

impl CrossSigningKeys {
    fn iter(&self) -> impl Iterator<Item = (Usage, &KeyObject)> {
        Usage::ALL.into_iter().filter_map(|usage| {
            let key = match usage {
                Usage::Master => &self.master,
                Usage::SelfSigning => &self.self_signing,
                Usage::UserSigning => &self.user_signing,
            };
            Some((usage, key.as_ref()?))
        })
    }
}

/// The public key of a cross-signing key in unpadded base64.
pub(super) fn public_key(key: &KeyObject) -> Option<&str> {
    let (id, key) = key.get("keys")?.as_object()?.iter().next()?;
    let key = key.as_str()?;
    (id.strip_prefix("ed25519:")? == key).then_some(key)
}

/// Whether `object` is signed by `signer`'s key called `key_id`, which is `public_key`.
pub(super) fn is_signed(
    object: &KeyObject,
    signer: &UserId,
    key_id: &str,
    public_key: &str,
) -> bool {
    let verified = || {
        let signature = object.get("signatures")?.get(signer.as_str())?.get(key_id)?.as_str()?;
        let signature = Base64::<Standard>::parse(signature).ok()?;
        let public_key = Base64::<Standard>::parse(public_key).ok()?;
        let object: CanonicalJsonObject =
            serde_json::from_value(Value::Object(object.clone())).ok()?;
        let signed = to_canonical_json_string_for_signing(&object).ok()?;
        verify_canonical_json_bytes(
            &SigningKeyAlgorithm::Ed25519,
            public_key.as_bytes(),
            signature.as_bytes(),
            signed.as_bytes(),
        )
        .ok()
    };
    verified().is_some()
}

impl Users {
    /// Whether publishing `keys` would change keys that are there, which needs the user's
    /// confirmation; a first upload, or the same keys again, need none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn replaces_cross_signing_keys(
        &self,
        user_id: &UserId,
        keys: &CrossSigningKeys,
    ) -> Result<bool> {
        if self.stored_cross_signing_key(user_id, Usage::Master).await?.is_none() {
            return Ok(false);
        }
        for (usage, key) in keys.iter() {
            let stored = self.stored_cross_signing_key(user_id, usage).await?;
            if stored.as_ref().and_then(public_key) != public_key(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Publishes cross-signing keys.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON`, 400 `M_INVALID_PARAM`, 400 `M_INVALID_SIGNATURE`, 400 `M_MISSING_PARAM`
    /// without a master key, 403 `M_FORBIDDEN` when a key is called as a device is.
    pub async fn upload_cross_signing_keys(
        &self,
        sender: &Session,
        keys: CrossSigningKeys,
    ) -> Result<()> {
        let user_id = &sender.user_id;
        let _guard = self.inner.locks.lock(user_id.clone()).await;
        let stored = self.stored_cross_signing_key(user_id, Usage::Master).await?;
        let master = keys.master.as_ref().or(stored.as_ref());
        let master = master.ok_or_else(|| Error::missing_param("There is no master key"))?;
        for (usage, key) in keys.iter() {
            check_cross_signing_key(user_id, usage, key)?;
            let id = public_key(key).unwrap_or_default();
            if self.device_record(user_id, id.into()).await?.is_some() {
                return Err(Error::forbidden("A device has the id of the key"));
            }
            let master = public_key(master).unwrap_or_default();
            if usage != Usage::Master
                && !is_signed(key, user_id, &format!("ed25519:{master}"), master)
            {
                let message = format!("The {} key is not signed by the master key", usage.as_str());
                return Err(Error::invalid_signature(message));
            }
        }
        let mut batch = Batch::new();
        let mut shown = false;
        let another =
            keys.master.is_some() && stored.as_ref().and_then(public_key) != public_key(master);
        if another {
            // A new master key has not signed the old keys.
            CROSS_SIGNING_KEYS.delete(&mut batch, (user_id, Usage::SelfSigning));
            CROSS_SIGNING_KEYS.delete(&mut batch, (user_id, Usage::UserSigning));
        }
        for (usage, key) in keys.iter() {
            let same = self.stored_cross_signing_key(user_id, usage).await?.as_ref() == Some(key);
            if same && !another {
                continue;
            }
            CROSS_SIGNING_KEYS.put(&mut batch, (user_id, usage), key)?;
            match usage {
                // Others don't see this one.
                Usage::UserSigning => self.record_signature(&mut batch, user_id, user_id),
                Usage::Master | Usage::SelfSigning => shown = true,
            }
        }
        if shown {
            self.record_device_list(&mut batch, user_id);
        }
        match batch.is_empty() {
            true => Ok(()),
            false => Ok(self.inner.store.commit(batch).await?),
        }
    }

    /// A user's cross-signing key with the signatures that `requester` may see.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn cross_signing_key(
        &self,
        user_id: &UserId,
        usage: Usage,
        requester: &UserId,
    ) -> Result<Option<KeyObject>> {
        let Some(mut key) = self.stored_cross_signing_key(user_id, usage).await? else {
            return Ok(None);
        };
        let id = public_key(&key).unwrap_or_default().to_owned();
        self.add_signatures(&mut key, user_id, &id, requester).await?;
        Ok(Some(key))
    }

    pub(super) async fn stored_cross_signing_key(
        &self,
        user_id: &UserId,
        usage: Usage,
    ) -> Result<Option<KeyObject>> {
        Ok(CROSS_SIGNING_KEYS.get(&self.inner.store, (user_id, usage)).await?)
    }

    /// The cross-signing key of a user that has this public key.
    pub(super) async fn cross_signing_key_called(
        &self,
        user_id: &UserId,
        id: &str,
    ) -> Result<Option<(Usage, KeyObject)>> {
        for usage in Usage::ALL {
            let key = self.stored_cross_signing_key(user_id, usage).await?;
            if let Some(key) = key.filter(|key| public_key(key) == Some(id)) {
                return Ok(Some((usage, key)));
            }
        }
        Ok(None)
    }

    pub(super) async fn is_cross_signing_key(&self, user_id: &UserId, id: &str) -> Result<bool> {
        Ok(self.cross_signing_key_called(user_id, id).await?.is_some())
    }

    /// Adds to a key the signatures that were uploaded by themselves and that `requester` may
    /// see: those of the key's owner, and the requester's own.
    pub(super) async fn add_signatures(
        &self,
        key: &mut KeyObject,
        user_id: &UserId,
        key_id: &str,
        requester: &UserId,
    ) -> Result<()> {
        let key_id: &DeviceId = key_id.into();
        let signatures = SIGNATURES.scan((user_id, key_id)).rows(&self.inner.store).await?;
        let mut added: BTreeMap<OwnedUserId, BTreeMap<String, String>> = BTreeMap::new();
        for ((signer, with), signature) in signatures {
            if signer == user_id || signer == requester {
                added.entry(signer).or_default().insert(with, signature);
            }
        }
        for (signer, signatures) in added {
            let all = key.entry("signatures").or_insert_with(|| Value::Object(KeyObject::new()));
            let Some(all) = all.as_object_mut() else { continue };
            let of = all.entry(signer.as_str()).or_insert_with(|| Value::Object(KeyObject::new()));
            if let Some(of) = of.as_object_mut() {
                of.extend(signatures.into_iter().map(|(with, value)| (with, value.into())));
            }
        }
        Ok(())
    }
}
