//! How files arrive: at once, or in two steps with the id first.

use std::time::Duration;

use http::StatusCode;
use ruma::{MilliSecondsSinceUnixEpoch, OwnedMxcUri, ServerName, UserId, api::error::ErrorKind};

use super::{File, MAX_UPLOAD_SIZE, Media, blob_id, file_key};
use crate::{
    Error, Result,
    platform::{self, Blob, Caller},
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// How long an id may wait for its upload, in milliseconds: a day, as the specification recommends.
const UNUSED_EXPIRES_AFTER: u64 = 24 * 60 * 60 * 1000;

/// How many ids of a user may wait for their uploads.
const UNUSED: usize = 64;
/// When somebody who has so many may try again.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How much entropy an id has: 32 letters and digits.
const MEDIA_ID_LENGTH: usize = 32;

impl Media {
    /// Keeps an upload; it is durable when this returns.
    ///
    /// # Errors
    /// 413 `M_TOO_LARGE`, or when the store has no room.
    pub async fn upload(
        &self,
        uploader: &UserId,
        content_type: Option<String>,
        filename: Option<String>,
        content: Blob,
    ) -> Result<OwnedMxcUri> {
        let media_id = new_id();
        self.keep(Batch::new(), uploader, &media_id, content_type, filename, content).await?;
        Ok(self.uri(&media_id))
    }

    /// Makes an id for an upload to come; returns it with the time when it expires unused.
    ///
    /// # Errors
    /// 429 `M_LIMIT_EXCEEDED` when too many of the user's ids wait for their uploads; when the store
    /// can't be written.
    pub async fn create(
        &self,
        uploader: &UserId,
    ) -> Result<(OwnedMxcUri, MilliSecondsSinceUnixEpoch)> {
        let store = &self.inner.store;
        let _only = self.inner.busy.lock(format!("reserve/{uploader}")).await;
        let reserved = KeyRange::prefix(Key::new().str(uploader));
        let reserved = store.scan(Table::MediaReserved, reserved, Direction::Forward, UNUSED);
        if reserved.await?.len() >= UNUSED {
            return Err(Error::limit_exceeded(TRY_AGAIN));
        }
        let media_id = new_id();
        let file = File {
            uploader: uploader.to_owned(),
            content_type: None,
            filename: None,
            created: platform::now(),
            size: None,
        };
        let mut batch = Batch::new();
        batch.put_json(Table::Media, file_key(&media_id), &file)?;
        batch.put_json(Table::MediaReserved, reserved_key(uploader, &media_id), &file.created)?;
        store.commit(batch).await?;
        Ok((self.uri(&media_id), expiry(file.created)))
    }

    /// Removes the ids that nobody has uploaded to in time.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn expire_reserved(&self, now: u64) -> Result<()> {
        let store = &self.inner.store;
        let all = KeyRange::all();
        let rows = store.scan(Table::MediaReserved, all, Direction::Forward, usize::MAX).await?;
        for (key, created) in rows {
            let created = serde_json::from_slice(&created).map_err(Error::internal)?;
            let mut parts = KeyReader::new(&key);
            let Some(media_id) = parts.str().and_then(|_| parts.str()) else { continue };
            if u64::from(expiry(created).get()) >= now {
                continue;
            }
            let _only = self.inner.busy.lock(media_id.clone()).await;
            let mut batch = Batch::new();
            batch.delete(Table::MediaReserved, key);
            // An upload that began in time may have ended meanwhile.
            if self.file(&media_id).await?.is_some_and(|file| file.size.is_none()) {
                batch.delete(Table::Media, file_key(&media_id));
            }
            store.commit(batch).await?;
        }
        Ok(())
    }

    /// Keeps the upload for an id made before.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when another user made the id, 404 `M_NOT_FOUND` when there is no such id
    /// or it has expired, 409 `M_CANNOT_OVERWRITE_MEDIA`, 413 `M_TOO_LARGE`.
    pub async fn upload_to(
        &self,
        uploader: &UserId,
        server_name: &ServerName,
        media_id: &str,
        content_type: Option<String>,
        filename: Option<String>,
        content: Blob,
    ) -> Result<()> {
        let _only = self.inner.busy.lock(media_id.to_owned()).await;
        let missing = || Error::not_found("There is no such media id");
        if server_name != self.inner.server_name {
            return Err(missing());
        }
        let file = self.file(media_id).await?.ok_or_else(missing)?;
        if file.uploader != uploader {
            return Err(Error::forbidden("The media id was made by another user"));
        }
        if file.size.is_some() {
            return Err(Error::new(
                StatusCode::CONFLICT,
                ErrorKind::CannotOverwriteMedia,
                "The media id has its upload already",
            ));
        }
        if expiry(file.created) < platform::now() {
            return Err(missing());
        }
        let mut finish = Batch::new();
        finish.delete(Table::MediaReserved, reserved_key(uploader, media_id));
        self.keep(finish, uploader, media_id, content_type, filename, content).await?;
        self.inner.uploaded.notify();
        Ok(())
    }

    /// What is known of a file whose content is here, waiting for it to arrive up to `timeout` while
    /// the caller waits.
    pub(super) async fn uploaded(
        &self,
        server_name: &ServerName,
        media_id: &str,
        timeout: Duration,
        caller: &Caller,
    ) -> Result<File> {
        let missing = || Error::not_found("There is no such media");
        if server_name != self.inner.server_name {
            return Err(missing());
        }
        let find = async || {
            let file = self.file(media_id).await?.ok_or_else(missing)?;
            match file.size {
                Some(_) => Ok(Some(file)),
                None if expiry(file.created) < platform::now() => Err(missing()),
                None => Ok(None),
            }
        };
        let mut next = self.inner.uploaded.listen();
        // Also where the caller does not wait.
        if let Some(file) = find().await? {
            return Ok(file);
        }
        let arrival = async {
            loop {
                // This holds what notifies.
                let _ = next.await;
                next = self.inner.uploaded.listen();
                if let Some(file) = find().await? {
                    return Ok(file);
                }
            }
        };
        let arrived = caller.wait_for(platform::timeout(timeout, arrival)).await.flatten();
        arrived.unwrap_or_else(|| {
            Err(Error::new(
                StatusCode::GATEWAY_TIMEOUT,
                ErrorKind::NotYetUploaded,
                "The media has not been uploaded yet",
            ))
        })
    }

    /// Keeps a file, together with what `finish` does.
    pub(super) async fn keep(
        &self,
        mut finish: Batch,
        uploader: &UserId,
        media_id: &str,
        content_type: Option<String>,
        filename: Option<String>,
        content: Blob,
    ) -> Result<()> {
        let size = content.len();
        if size > MAX_UPLOAD_SIZE {
            return Err(Error::too_large(format!("An upload has at most {MAX_UPLOAD_SIZE} bytes")));
        }
        let store = &self.inner.store;
        let mut begin = Batch::new();
        begin.put(Table::MediaUploads, file_key(media_id), []);
        store.commit(begin).await?;
        store.put_blob(&blob_id(media_id), content).await?;
        let file = File {
            uploader: uploader.to_owned(),
            content_type,
            filename,
            created: platform::now(),
            size: Some(size),
        };
        finish.put_json(Table::Media, file_key(media_id), &file)?;
        finish.delete(Table::MediaUploads, file_key(media_id));
        Ok(store.commit(finish).await?)
    }
}

/// The id of a new file.
pub(super) fn new_id() -> String {
    platform::random_string(MEDIA_ID_LENGTH)
}

fn reserved_key(uploader: &UserId, media_id: &str) -> Key {
    Key::new().str(uploader).str(media_id)
}

fn expiry(created: MilliSecondsSinceUnixEpoch) -> MilliSecondsSinceUnixEpoch {
    let expiry = u64::from(created.get()) + UNUSED_EXPIRES_AFTER;
    MilliSecondsSinceUnixEpoch(expiry.try_into().unwrap_or(ruma::UInt::MAX))
}
