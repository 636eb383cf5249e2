//! Signatures of keys that are there already. spec: client-server §POST /keys/signatures/upload

use super::{
    Users,
    cross_signing::{SIGNATURES, is_signed, public_key},
    key_forms::{KeyObject, Usage},
    sessions::Session,
};
use crate::{Result, store::Batch};
use ruma::{DeviceId, OwnedUserId, UserId};

/// A signed key that was given, with whose it is and what it is called.
pub type SignedKey = (OwnedUserId, String, KeyObject);

/// Why a signature is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFailure {
    /// There is no such key.
    NotFound,
    /// The key is not the one that is known, or the signature is not right.
    Invalid,
}

/// A key without what signing leaves out.
fn signed_part(key: &KeyObject) -> KeyObject {
    let mut key = key.clone();
    key.remove("signatures");
    key.remove("unsigned");
    key
}

fn signatures_of<'a>(key: &'a KeyObject, signer: &UserId) -> Option<&'a KeyObject> {
    key.get("signatures")?.get(signer.as_str())?.as_object()
}

impl Users {
    /// Adds the sender's signatures to keys of their own and of others; those that are not taken,
    /// with the reason.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn upload_signatures(
        &self,
        sender: &Session,
        signed: Vec<SignedKey>,
    ) -> Result<Vec<(OwnedUserId, String, SignatureFailure)>> {
        let _guard = self.inner.locks.lock(sender.user_id.clone()).await;
        let mut batch = Batch::new();
        let (mut failures, mut own, mut others) = (Vec::new(), false, Vec::new());
        for (user_id, id, key) in signed {
            let checked = self.check_signatures(&sender.user_id, &user_id, &id, &key).await?;
            let signatures = match checked {
                Ok(signatures) => signatures,
                Err(failure) => {
                    failures.push((user_id, id, failure));
                    continue;
                }
            };
            for (with, signature) in signatures {
                let key: &DeviceId = id.as_str().into();
                SIGNATURES.put(&mut batch, (&user_id, key, &sender.user_id, with), signature);
            }
            if user_id == sender.user_id {
                own = true;
            } else {
                others.push(user_id);
            }
        }
        if own {
            self.record_device_list(&mut batch, &sender.user_id);
        }
        for user_id in others {
            self.record_signature(&mut batch, &sender.user_id, &user_id);
        }
        self.inner.store.commit(batch).await?;
        Ok(failures)
    }

    /// The sender's signatures on `key`, by the id of the signing key, if all of them are right.
    async fn check_signatures(
        &self,
        sender: &UserId,
        user_id: &UserId,
        id: &str,
        key: &KeyObject,
    ) -> Result<Result<Vec<(String, String)>, SignatureFailure>> {
        let known = match self.stored_device_keys(user_id, id.into()).await? {
            Some(device) => Some((None, device)),
            None => {
                let key = self.cross_signing_key_called(user_id, id).await?;
                key.map(|(usage, key)| (Some(usage), key))
            }
        };
        let Some((usage, known)) = known else { return Ok(Err(SignatureFailure::NotFound)) };
        if signed_part(&known) != signed_part(key) {
            return Ok(Err(SignatureFailure::Invalid));
        }
        let mut signatures = Vec::new();
        for (with, signature) in signatures_of(key, sender).into_iter().flatten() {
            // Clients send the signatures along that the key was uploaded with.
            if signatures_of(&known, sender).is_some_and(|of| of.get(with) == Some(signature)) {
                continue;
            }
            let Some(signature) = signature.as_str() else {
                return Ok(Err(SignatureFailure::Invalid));
            };
            let own = sender == user_id;
            let public = self.signing_key(sender, with, own, usage).await?;
            match public {
                Some(public) if is_signed(key, sender, with, &public) => {
                    signatures.push((with.clone(), signature.to_owned()));
                }
                _ => return Ok(Err(SignatureFailure::Invalid)),
            }
        }
        Ok(Ok(signatures))
    }

    /// The public key of the sender's key `with`, if it may sign a key of that usage (`None` is a
    /// device) of the sender's own or of another user.
    async fn signing_key(
        &self,
        sender: &UserId,
        with: &str,
        own: bool,
        signed: Option<Usage>,
    ) -> Result<Option<String>> {
        let Some(name) = with.strip_prefix("ed25519:") else { return Ok(None) };
        if let Some((usage, key)) = self.cross_signing_key_called(sender, name).await? {
            let may = match usage {
                Usage::Master => own && signed != Some(Usage::Master),
                Usage::SelfSigning => own && signed.is_none(),
                Usage::UserSigning => !own && signed == Some(Usage::Master),
            };
            return Ok(public_key(&key).filter(|_| may).map(str::to_owned));
        }
        // A device vouches for its user's master key, and for its own keys.
        if !own {
            return Ok(None);
        }
        let device = self.stored_device_keys(sender, name.into()).await?;
        let public =
            device.and_then(|device| device.get("keys")?.get(with)?.as_str().map(str::to_owned));
        Ok(public)
    }
}
