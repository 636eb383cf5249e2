//! spec: client-server §End-to-End Encryption, key management API, cross-signing

use std::collections::BTreeMap;

use ruma::{
    OwnedOneTimeKeyId,
    api::client::keys::{
        claim_keys, get_key_changes, get_keys, upload_keys, upload_signatures, upload_signing_keys,
    },
    encryption::{CrossSigningKey, OneTimeKey},
    serde::{JsonObject, Raw},
};
use serde_json::{Value, json, value::to_raw_value};

use super::{Incoming, Routes, pagination::Token, uia};
use crate::{
    Error, Result, Services, lengths,
    users::{CrossSigningKeys, KeysById, SignatureFailure, Usage},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(upload_keys);
    routes.add(query_keys);
    routes.add(claim_keys);
    routes.add(get_changes);
    uia::add(routes, upload_signing_keys);
    routes.add(upload_signatures);
}

fn object<T>(raw: &Raw<T>) -> Result<JsonObject> {
    raw.deserialize_as_unchecked().map_err(|cause| Error::bad_json(cause.to_string()))
}

fn raw<T>(object: &JsonObject) -> Result<Raw<T>> {
    to_raw_value(object).map(Raw::from_json).map_err(Error::internal)
}

/// `POST /_matrix/client/v3/keys/upload`
async fn upload_keys(
    services: &Services,
    request: Incoming<upload_keys::v3::Request>,
) -> Result<upload_keys::v3::Response> {
    let (sender, asked) = (&request.auth, &request.request);
    let (one_time_keys, fallback_keys) =
        (keys_by_id(&asked.one_time_keys)?, keys_by_id(&asked.fallback_keys)?);
    let device_keys = asked.device_keys.as_ref();
    if let Some(device_keys) = device_keys {
        lengths::part("The device's keys", device_keys.json())?;
    }
    let device_keys = device_keys.map(object).transpose()?;
    services.users.upload_keys(sender, device_keys, one_time_keys, fallback_keys).await?;
    let counts = services.users.key_counts(&sender.user_id, &sender.device_id).await?;
    let counts = counts.one_time_keys.iter();
    Ok(upload_keys::v3::Response::new(
        counts
            .map(|(algorithm, count)| (algorithm.clone(), (*count).try_into().unwrap_or_default()))
            .collect(),
    ))
}

fn keys_by_id(keys: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>) -> Result<KeysById> {
    let parsed = keys.iter().map(|(id, key)| {
        lengths::key("A one-time key", key.json())?;
        let key = key.deserialize_as_unchecked::<Value>();
        Ok((id.clone(), key.map_err(|cause| Error::bad_json(cause.to_string()))?))
    });
    parsed.collect()
}

/// `POST /_matrix/client/v3/keys/query`
async fn query_keys(
    services: &Services,
    request: Incoming<get_keys::v3::Request>,
) -> Result<get_keys::v3::Response> {
    let sender = &request.auth.user_id;
    let users = &services.users;
    let mut response = get_keys::v3::Response::new();
    for (user_id, devices) in &request.device_keys {
        if user_id.server_name() != services.config.server_name {
            response.failures.insert(user_id.server_name().to_string(), unreachable());
            continue;
        }
        let keys = users.device_keys(user_id, devices, sender).await?;
        let keys = keys.iter().map(|(device_id, keys)| Ok((device_id.clone(), raw(keys)?)));
        response.device_keys.insert(user_id.clone(), keys.collect::<Result<_>>()?);
        let mut signing = vec![
            (Usage::Master, &mut response.master_keys),
            (Usage::SelfSigning, &mut response.self_signing_keys),
        ];
        // Whom a user has verified is nobody else's business.
        if user_id == sender {
            signing.push((Usage::UserSigning, &mut response.user_signing_keys));
        }
        for (usage, found) in signing {
            if let Some(key) = users.cross_signing_key(user_id, usage, sender).await? {
                found.insert(user_id.clone(), raw(&key)?);
            }
        }
    }
    Ok(response)
}

/// What is told of a server that can't be asked: there is no federation.
fn unreachable() -> Value {
    json!({})
}

/// `POST /_matrix/client/v3/keys/claim`
async fn claim_keys(
    services: &Services,
    request: Incoming<claim_keys::v3::Request>,
) -> Result<claim_keys::v3::Response> {
    let mut wanted = request.request.one_time_keys;
    let remote =
        wanted.extract_if(.., |user_id, _| user_id.server_name() != services.config.server_name);
    let failures =
        remote.map(|(user_id, _)| (user_id.server_name().to_string(), unreachable())).collect();
    let mut claimed = BTreeMap::new();
    for (user_id, devices) in services.users.claim_keys(&wanted).await? {
        let mut keys_of_devices = BTreeMap::new();
        for (device_id, keys) in devices {
            let mut keys_of_device = BTreeMap::new();
            for (id, key) in keys {
                let key = to_raw_value(&key).map_err(Error::internal)?;
                keys_of_device.insert(id, Raw::from_json(key));
            }
            keys_of_devices.insert(device_id, keys_of_device);
        }
        claimed.insert(user_id, keys_of_devices);
    }
    let mut response = claim_keys::v3::Response::new(claimed);
    response.failures = failures;
    Ok(response)
}

/// `GET /_matrix/client/v3/keys/changes`
async fn get_changes(
    services: &Services,
    request: Incoming<get_key_changes::v3::Request>,
) -> Result<get_key_changes::v3::Response> {
    let (from, to) = (Token::parse(&request.from)?.0, Token::parse(&request.to)?.0);
    let lists = services.sync.device_list_changes(&request.auth, from, to).await?;
    Ok(get_key_changes::v3::Response::new(lists.changed, lists.left))
}

/// `POST /_matrix/client/v3/keys/device_signing/upload`
async fn upload_signing_keys(
    services: &Services,
    request: Incoming<upload_signing_keys::v3::Request>,
) -> Result<upload_signing_keys::v3::Response> {
    let (sender, asked) = (&request.auth, &request.request);
    let given = |key: &Option<Raw<CrossSigningKey>>| {
        key.as_ref().map(object::<CrossSigningKey>).transpose()
    };
    let keys = CrossSigningKeys {
        master: given(&asked.master_key)?,
        self_signing: given(&asked.self_signing_key)?,
        user_signing: given(&asked.user_signing_key)?,
    };
    if services.users.replaces_cross_signing_keys(&sender.user_id, &keys).await? {
        let bound = (&keys.master, &keys.self_signing, &keys.user_signing);
        let endpoint = "keys/device_signing/upload";
        uia::confirm(services, sender, endpoint, &bound, asked.auth.as_ref()).await?;
    }
    services.users.upload_cross_signing_keys(sender, keys).await?;
    Ok(upload_signing_keys::v3::Response::new())
}

/// `POST /_matrix/client/v3/keys/signatures/upload`
async fn upload_signatures(
    services: &Services,
    request: Incoming<upload_signatures::v3::Request>,
) -> Result<upload_signatures::v3::Response> {
    let mut signed = Vec::new();
    for (user_id, keys) in &request.signed_keys {
        for (id, key) in keys {
            let key = serde_json::from_str(key.get())
                .map_err(|cause| Error::bad_json(cause.to_string()))?;
            signed.push((user_id.clone(), id.to_owned(), key));
        }
    }
    let mut response = upload_signatures::v3::Response::new();
    for (user_id, id, failure) in services.users.upload_signatures(&request.auth, signed).await? {
        let failure = match failure {
            SignatureFailure::NotFound => {
                json!({ "errcode": "M_NOT_FOUND", "error": "There is no such key" })
            }
            SignatureFailure::Invalid => json!({
                "errcode": "M_INVALID_SIGNATURE",
                "error": "The key is another, or its signature is not right",
            }),
        };
        let failure = serde_json::from_value(failure).map_err(Error::internal)?;
        response.failures.entry(user_id).or_default().insert(id, failure);
    }
    Ok(response)
}
