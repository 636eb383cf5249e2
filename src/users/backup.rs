//! Key backups. spec: client-server §Server-side key backups

use std::collections::BTreeMap;

use http::StatusCode;
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UInt, UserId,
    api::error::{ErrorKind, WrongRoomKeysVersionErrorData},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Users;
use crate::{
    Error, Result, json,
    store::{Batch, Erasure, Json, RawJson, Rows, Scan, Table},
};

/// User, version → key backup.
pub(super) const BACKUPS: Rows<(OwnedUserId, u64), Json<Row>> =
    Rows::new(Table::Backups, Erasure::Removed);
/// User, 0 → the version given out last, since those of deleted backups do not come back.
const LAST_VERSIONS: Rows<(OwnedUserId, u64), Json<u64>> = BACKUPS.view();
/// User, version, room, session → backed-up key.
pub(super) const BACKUP_KEYS: Rows<(OwnedUserId, u64, OwnedRoomId, String), RawJson> =
    Rows::new(Table::BackupKeys, Erasure::Removed);

/// How the keys of a backup are encrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupAlgorithm {
    /// The algorithm's name.
    pub algorithm: String,
    /// What the algorithm needs.
    pub auth_data: Box<RawValue>,
}

/// What a client can compare to know whether the keys of a backup changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupState {
    /// Another after each change.
    pub etag: u64,
    /// How many keys there are.
    pub count: u64,
}

/// A version of a user's key backup.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Its number; the newest backup has the highest.
    pub version: u64,
    /// How its keys are encrypted.
    pub algorithm: BackupAlgorithm,
    /// Its keys' state.
    pub state: BackupState,
}

/// Which keys of a backup.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackedUp<'a> {
    /// Those of one room.
    pub room_id: Option<&'a RoomId>,
    /// That of one session of the room.
    pub session_id: Option<&'a str>,
}

/// Keys of sessions by room and session.
pub type BackupKeys = BTreeMap<OwnedRoomId, BTreeMap<String, Box<RawValue>>>;

#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    algorithm: BackupAlgorithm,
    state: BackupState,
}

/// What decides which of two keys of a session is kept.
#[derive(Deserialize)]
struct Quality {
    first_message_index: u64,
    forwarded_count: u64,
    is_verified: bool,
}

impl Quality {
    fn of(stored: &RawValue) -> Result<Self> {
        serde_json::from_str(stored.get()).map_err(Error::internal)
    }

    fn is_better_than(&self, other: &Self) -> bool {
        let order = |quality: &Self| {
            (!quality.is_verified, quality.first_message_index, quality.forwarded_count)
        };
        order(self) < order(other)
    }
}

/// What a key that is added has to have.
#[derive(Deserialize)]
struct NewKey<'a> {
    first_message_index: UInt,
    forwarded_count: UInt,
    is_verified: bool,
    #[serde(borrow)]
    session_data: &'a RawValue,
}

impl NewKey<'_> {
    fn read(key: &RawValue) -> Result<Quality> {
        json::check_object(key)?;
        let key: NewKey<'_> =
            serde_json::from_str(key.get()).map_err(|cause| Error::bad_json(cause.to_string()))?;
        json::check_object(key.session_data)?;
        Ok(Quality {
            first_message_index: key.first_message_index.into(),
            forwarded_count: key.forwarded_count.into(),
            is_verified: key.is_verified,
        })
    }
}

fn no_such_version() -> Error {
    Error::not_found("There is no such backup version")
}

fn parse_version(version: &str) -> Result<u64> {
    version.parse().ok().filter(|version| *version > 0).ok_or_else(no_such_version)
}

impl Users {
    /// Makes a new backup, which is the current one from then on; its version.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn create_backup(&self, user_id: &UserId, algorithm: BackupAlgorithm) -> Result<u64> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let store = &self.inner.store;
        let last = LAST_VERSIONS.get(store, (user_id, 0)).await?;
        let version = last.unwrap_or(0) + 1;
        let row = Row { algorithm, state: BackupState { etag: 0, count: 0 } };
        let mut batch = Batch::new();
        LAST_VERSIONS.put(&mut batch, (user_id, 0), &version)?;
        BACKUPS.put(&mut batch, (user_id, version), &row)?;
        store.commit(batch).await?;
        Ok(version)
    }

    /// The current backup.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn current_backup(&self, user_id: &UserId) -> Result<Backup> {
        let newest = BACKUPS.scan((user_id,)).starting_at((1,)).backward();
        let newest = newest.first(&self.inner.store).await?;
        let ((version,), Row { algorithm, state }) = newest.ok_or_else(no_such_version)?;
        Ok(Backup { version, algorithm, state })
    }

    /// A version of the backup.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`
    pub async fn backup(&self, user_id: &UserId, version: &str) -> Result<Backup> {
        let version = parse_version(version)?;
        let row = BACKUPS.get(&self.inner.store, (user_id, version)).await?;
        let Row { algorithm, state } = row.ok_or_else(no_such_version)?;
        Ok(Backup { version, algorithm, state })
    }

    /// Replaces the data of a backup's algorithm.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for another algorithm, 404 `M_NOT_FOUND`
    pub async fn update_backup(
        &self,
        user_id: &UserId,
        version: &str,
        algorithm: BackupAlgorithm,
    ) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let backup = self.backup(user_id, version).await?;
        if backup.algorithm.algorithm != algorithm.algorithm {
            return Err(Error::invalid_param("The backup has another algorithm"));
        }
        let mut batch = Batch::new();
        put(&mut batch, user_id, &Backup { algorithm, ..backup })?;
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Deletes a backup with its keys; again is no error.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there never was one of that version.
    pub async fn delete_backup(&self, user_id: &UserId, version: &str) -> Result<()> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let version = parse_version(version)?;
        let store = &self.inner.store;
        let last = LAST_VERSIONS.get(store, (user_id, 0)).await?;
        if version > last.unwrap_or(0) {
            return Err(no_such_version());
        }
        let mut batch = Batch::new();
        BACKUP_KEYS.scan((user_id, version)).delete(store, &mut batch).await?;
        BACKUPS.delete(&mut batch, (user_id, version));
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Adds keys to the current backup; of two keys of a session the better one is kept.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON`, 403 `M_WRONG_ROOM_KEYS_VERSION` when `version` is not the current one,
    /// 404 `M_NOT_FOUND` when there is none.
    pub async fn add_backup_keys(
        &self,
        user_id: &UserId,
        version: &str,
        keys: BackupKeys,
    ) -> Result<BackupState> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut backup = self.current_backup(user_id).await?;
        if version.parse() != Ok(backup.version) {
            let current = WrongRoomKeysVersionErrorData::new(backup.version.to_string());
            return Err(Error::new(
                StatusCode::FORBIDDEN,
                ErrorKind::WrongRoomKeysVersion(current),
                "Keys are added to the current backup only",
            ));
        }
        let mut batch = Batch::new();
        for (room_id, sessions) in keys {
            for (session_id, key) in sessions {
                let new = NewKey::read(&key)?;
                let place = (user_id, backup.version, &room_id, &session_id);
                match BACKUP_KEYS.get(&self.inner.store, place).await? {
                    Some(stored) if !new.is_better_than(&Quality::of(&stored)?) => continue,
                    Some(_) => {}
                    None => backup.state.count += 1,
                }
                BACKUP_KEYS.put(&mut batch, place, &key);
            }
        }
        self.commit_changed_backup(batch, user_id, backup).await
    }

    /// Keys of a backup.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such version.
    pub async fn backup_keys(
        &self,
        user_id: &UserId,
        version: &str,
        which: BackedUp<'_>,
    ) -> Result<BackupKeys> {
        let backup = self.backup(user_id, version).await?;
        let mut keys = BackupKeys::new();
        let rows = backed_up(user_id, backup.version, which).rows(&self.inner.store).await?;
        for ((room_id, session_id), key) in rows {
            keys.entry(room_id).or_default().insert(session_id, key);
        }
        Ok(keys)
    }

    /// Deletes keys of a backup.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such version.
    pub async fn delete_backup_keys(
        &self,
        user_id: &UserId,
        version: &str,
        which: BackedUp<'_>,
    ) -> Result<BackupState> {
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut backup = self.backup(user_id, version).await?;
        let mut batch = Batch::new();
        let rows = backed_up(user_id, backup.version, which);
        let deleted = rows.delete(&self.inner.store, &mut batch).await?;
        backup.state.count = backup.state.count.saturating_sub(deleted as u64);
        self.commit_changed_backup(batch, user_id, backup).await
    }

    async fn commit_changed_backup(
        &self,
        mut batch: Batch,
        user_id: &UserId,
        mut backup: Backup,
    ) -> Result<BackupState> {
        if !batch.is_empty() {
            backup.state.etag += 1;
            put(&mut batch, user_id, &backup)?;
            self.inner.store.commit(batch).await?;
        }
        Ok(backup.state)
    }
}

/// The keys that are asked for.
fn backed_up(
    user_id: &UserId,
    version: u64,
    which: BackedUp<'_>,
) -> Scan<(OwnedRoomId, String), RawJson> {
    let keys = BACKUP_KEYS.scan((user_id, version));
    match (which.room_id, which.session_id) {
        (None, _) => keys,
        (Some(room_id), None) => keys.of((room_id,)),
        (Some(room_id), Some(session_id)) => keys.of((room_id, session_id)),
    }
}

fn put(batch: &mut Batch, user_id: &UserId, backup: &Backup) -> Result<()> {
    let row = Row { algorithm: backup.algorithm.clone(), state: backup.state };
    Ok(BACKUPS.put(batch, (user_id, backup.version), &row)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_key_is_verified_then_reaches_further_back_then_was_forwarded_less() {
        let quality = |is_verified, first_message_index, forwarded_count| Quality {
            first_message_index,
            forwarded_count,
            is_verified,
        };
        assert!(quality(true, 9, 9).is_better_than(&quality(false, 0, 0)));
        assert!(quality(true, 1, 9).is_better_than(&quality(true, 2, 0)));
        assert!(quality(true, 1, 1).is_better_than(&quality(true, 1, 2)));
        assert!(!quality(true, 1, 1).is_better_than(&quality(true, 1, 1)));
    }
}
