//! spec: client-server §Server-side key backups

use std::collections::BTreeMap;

use ruma::{
    RoomId, UInt,
    api::client::backup::{
        BackupAlgorithm as AlgorithmType, KeyBackupData, RoomKeyBackup, add_backup_keys,
        add_backup_keys_for_room, add_backup_keys_for_session, create_backup_version,
        delete_backup_keys, delete_backup_keys_for_room, delete_backup_keys_for_session,
        delete_backup_version, get_backup_info, get_backup_keys, get_backup_keys_for_room,
        get_backup_keys_for_session, get_latest_backup_info, update_backup_version,
    },
    serde::Raw,
};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Incoming, Routes};
use crate::{
    Error, Result, Services, json,
    users::{BackedUp, BackupAlgorithm, BackupKeys, BackupState},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(create_version);
    routes.add(get_latest);
    routes.add(get_version);
    routes.add(update_version);
    routes.add(delete_version);
    routes.add(add_keys);
    routes.add(get_keys);
    routes.add(delete_keys);
    routes.add(add_keys_for_room);
    routes.add(get_keys_for_room);
    routes.add(delete_keys_for_room);
    routes.add(add_key);
    routes.add(get_key);
    routes.add(delete_key);
}

fn algorithm(raw: &Raw<AlgorithmType>) -> Result<BackupAlgorithm> {
    let algorithm: BackupAlgorithm =
        raw.deserialize_as_unchecked().map_err(|cause| Error::bad_json(cause.to_string()))?;
    json::check_object(&algorithm.auth_data)?;
    Ok(algorithm)
}

fn told(algorithm: &BackupAlgorithm) -> Result<Raw<AlgorithmType>> {
    to_raw_value(algorithm).map(Raw::from_json).map_err(Error::internal)
}

fn count(state: BackupState) -> UInt {
    state.count.try_into().unwrap_or_default()
}

fn sessions(sessions: BTreeMap<String, Raw<KeyBackupData>>) -> BTreeMap<String, Box<RawValue>> {
    sessions.into_iter().map(|(id, key)| (id, key.into_json())).collect()
}

fn raw_sessions(sessions: BTreeMap<String, Box<RawValue>>) -> BTreeMap<String, Raw<KeyBackupData>> {
    sessions.into_iter().map(|(id, key)| (id, Raw::from_json(key))).collect()
}

fn of_room(room_id: &RoomId) -> BackedUp<'_> {
    BackedUp { room_id: Some(room_id), session_id: None }
}

fn of_session<'a>(room_id: &'a RoomId, session_id: &'a str) -> BackedUp<'a> {
    BackedUp { room_id: Some(room_id), session_id: Some(session_id) }
}

/// `POST /_matrix/client/v3/room_keys/version`
async fn create_version(
    services: &Services,
    request: Incoming<create_backup_version::v3::Request>,
) -> Result<create_backup_version::v3::Response> {
    let algorithm = algorithm(&request.algorithm)?;
    let version = services.users.create_backup(&request.auth.user_id, algorithm).await?;
    Ok(create_backup_version::v3::Response::new(version.to_string()))
}

/// `GET /_matrix/client/v3/room_keys/version`
async fn get_latest(
    services: &Services,
    request: Incoming<get_latest_backup_info::v3::Request>,
) -> Result<get_latest_backup_info::v3::Response> {
    let backup = services.users.current_backup(&request.auth.user_id).await?;
    Ok(get_latest_backup_info::v3::Response::new(
        told(&backup.algorithm)?,
        count(backup.state),
        backup.state.etag.to_string(),
        backup.version.to_string(),
    ))
}

/// `GET /_matrix/client/v3/room_keys/version/{version}`
async fn get_version(
    services: &Services,
    request: Incoming<get_backup_info::v3::Request>,
) -> Result<get_backup_info::v3::Response> {
    let backup = services.users.backup(&request.auth.user_id, &request.version).await?;
    Ok(get_backup_info::v3::Response::new(
        told(&backup.algorithm)?,
        count(backup.state),
        backup.state.etag.to_string(),
        backup.version.to_string(),
    ))
}

/// `PUT /_matrix/client/v3/room_keys/version/{version}`
async fn update_version(
    services: &Services,
    request: Incoming<update_backup_version::v3::Request>,
) -> Result<update_backup_version::v3::Response> {
    #[derive(Deserialize)]
    struct Named {
        version: Option<String>,
    }
    let algorithm = algorithm(&request.algorithm)?;
    let named: Named = request
        .algorithm
        .deserialize_as_unchecked()
        .map_err(|cause| Error::bad_json(cause.to_string()))?;
    if named.version.is_some_and(|version| version != request.version) {
        return Err(Error::invalid_param("The version in the body is another"));
    }
    services.users.update_backup(&request.auth.user_id, &request.version, algorithm).await?;
    Ok(update_backup_version::v3::Response::new())
}

/// `DELETE /_matrix/client/v3/room_keys/version/{version}`
async fn delete_version(
    services: &Services,
    request: Incoming<delete_backup_version::v3::Request>,
) -> Result<delete_backup_version::v3::Response> {
    services.users.delete_backup(&request.auth.user_id, &request.version).await?;
    Ok(delete_backup_version::v3::Response::new())
}

/// `PUT /_matrix/client/v3/room_keys/keys`
async fn add_keys(
    services: &Services,
    request: Incoming<add_backup_keys::v3::Request>,
) -> Result<add_backup_keys::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, request.request);
    let keys = asked.rooms.into_iter();
    let keys = keys.map(|(room_id, room)| (room_id, sessions(room.sessions))).collect();
    let state = services.users.add_backup_keys(user_id, &asked.version, keys).await?;
    Ok(add_backup_keys::v3::Response::new(state.etag.to_string(), count(state)))
}

/// `GET /_matrix/client/v3/room_keys/keys`
async fn get_keys(
    services: &Services,
    request: Incoming<get_backup_keys::v3::Request>,
) -> Result<get_backup_keys::v3::Response> {
    let (user_id, version) = (&request.auth.user_id, &request.version);
    let keys = services.users.backup_keys(user_id, version, BackedUp::default()).await?;
    let rooms = keys.into_iter();
    let rooms =
        rooms.map(|(room_id, room)| (room_id, RoomKeyBackup::new(raw_sessions(room)))).collect();
    Ok(get_backup_keys::v3::Response::new(rooms))
}

/// `DELETE /_matrix/client/v3/room_keys/keys`
async fn delete_keys(
    services: &Services,
    request: Incoming<delete_backup_keys::v3::Request>,
) -> Result<delete_backup_keys::v3::Response> {
    let (user_id, version) = (&request.auth.user_id, &request.version);
    let state = services.users.delete_backup_keys(user_id, version, BackedUp::default()).await?;
    Ok(delete_backup_keys::v3::Response::new(state.etag.to_string(), count(state)))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}`
async fn add_keys_for_room(
    services: &Services,
    request: Incoming<add_backup_keys_for_room::v3::Request>,
) -> Result<add_backup_keys_for_room::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, request.request);
    let keys = BackupKeys::from([(asked.room_id, sessions(asked.sessions))]);
    let state = services.users.add_backup_keys(user_id, &asked.version, keys).await?;
    Ok(add_backup_keys_for_room::v3::Response::new(state.etag.to_string(), count(state)))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}`
async fn get_keys_for_room(
    services: &Services,
    request: Incoming<get_backup_keys_for_room::v3::Request>,
) -> Result<get_backup_keys_for_room::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, &request.request);
    let which = of_room(&asked.room_id);
    let mut keys = services.users.backup_keys(user_id, &asked.version, which).await?;
    let sessions = keys.remove(&asked.room_id).unwrap_or_default();
    Ok(get_backup_keys_for_room::v3::Response::new(raw_sessions(sessions)))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}`
async fn delete_keys_for_room(
    services: &Services,
    request: Incoming<delete_backup_keys_for_room::v3::Request>,
) -> Result<delete_backup_keys_for_room::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, &request.request);
    let which = of_room(&asked.room_id);
    let state = services.users.delete_backup_keys(user_id, &asked.version, which).await?;
    Ok(delete_backup_keys_for_room::v3::Response::new(state.etag.to_string(), count(state)))
}

/// `PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn add_key(
    services: &Services,
    request: Incoming<add_backup_keys_for_session::v3::Request>,
) -> Result<add_backup_keys_for_session::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, request.request);
    let session = BTreeMap::from([(asked.session_id, asked.session_data.into_json())]);
    let keys = BackupKeys::from([(asked.room_id, session)]);
    let state = services.users.add_backup_keys(user_id, &asked.version, keys).await?;
    Ok(add_backup_keys_for_session::v3::Response::new(state.etag.to_string(), count(state)))
}

/// `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn get_key(
    services: &Services,
    request: Incoming<get_backup_keys_for_session::v3::Request>,
) -> Result<get_backup_keys_for_session::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, &request.request);
    let which = of_session(&asked.room_id, &asked.session_id);
    let mut keys = services.users.backup_keys(user_id, &asked.version, which).await?;
    let key = keys.remove(&asked.room_id).and_then(|mut keys| keys.remove(&asked.session_id));
    let key = key.ok_or_else(|| Error::not_found("There is no key of that session"))?;
    Ok(get_backup_keys_for_session::v3::Response::new(Raw::from_json(key)))
}

/// `DELETE /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
async fn delete_key(
    services: &Services,
    request: Incoming<delete_backup_keys_for_session::v3::Request>,
) -> Result<delete_backup_keys_for_session::v3::Response> {
    let (user_id, asked) = (&request.auth.user_id, &request.request);
    let which = of_session(&asked.room_id, &asked.session_id);
    let state = services.users.delete_backup_keys(user_id, &asked.version, which).await?;
    Ok(delete_backup_keys_for_session::v3::Response::new(state.etag.to_string(), count(state)))
}
