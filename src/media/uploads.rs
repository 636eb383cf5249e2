//! How files arrive: at once, or in two steps with the id first.

use std::time::Duration;

use http::StatusCode;
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedMxcUri, OwnedUserId, ServerName, UserId, api::error::ErrorKind,
};

use super::{File, MAX_UPLOAD_SIZE, MEDIA, MEDIA_UPLOADS, Media, blob_id};
use crate::{
    Error, Result,
    platform::{self, Blob, Caller},
    store::{Batch, Erasure, Expiry, Json, Rows, Table},
};

/// User, media id → when it was made, to be uploaded to. An id may wait a day for that, as the
/// specification recommends.
pub(super) const MEDIA_RESERVED: Rows<(OwnedUserId, String), Json<MilliSecondsSinceUnixEpoch>> =
    Rows::new(Table::MediaReserved, Erasure::Expires)
        .expiring(Expiry::After(Duration::from_secs(24 * 60 * 60)));

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
        let reserved = MEDIA_RESERVED.scan((uploader,)).limit(UNUSED).keys(store).await?;
        if reserved.len() >= UNUSED {
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
        MEDIA.put(&mut batch, (&media_id,), &file)?;
        MEDIA_RESERVED.put(&mut batch, (uploader, &media_id), &file.created)?;
        store.commit(batch).await?;
        Ok((self.uri(&media_id), expiry(file.created)))
    }

    /// Removes the ids that nobody has uploaded to in time.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn expire_reserved(&self, now: u64) -> Result<()> {
        let store = &self.inner.store;
        for ((uploader, media_id), created) in MEDIA_RESERVED.scan(()).readable(store).await? {
            if u64::from(expiry(created).get()) >= now {
                continue;
            }
            let _only = self.inner.busy.lock(media_id.clone()).await;
            let mut batch = Batch::new();
            MEDIA_RESERVED.delete(&mut batch, (uploader, &media_id));
            // An upload that began in time may have ended meanwhile.
            if self.file(&media_id).await?.is_some_and(|file| file.size.is_none()) {
                MEDIA.delete(&mut batch, (&media_id,));
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
        MEDIA_RESERVED.delete(&mut finish, (uploader, media_id));
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
        MEDIA_UPLOADS.put(&mut begin, (media_id,));
        store.commit(begin).await?;
        store.put_blob(&blob_id(media_id), content).await?;
        let file = File {
            uploader: uploader.to_owned(),
            content_type,
            filename,
            created: platform::now(),
            size: Some(size),
        };
        MEDIA.put(&mut finish, (media_id,), &file)?;
        MEDIA_UPLOADS.delete(&mut finish, (media_id,));
        Ok(store.commit(finish).await?)
    }
}

/// The id of a new file.
pub(super) fn new_id() -> String {
    platform::random_string(MEDIA_ID_LENGTH)
}

fn expiry(created: MilliSecondsSinceUnixEpoch) -> MilliSecondsSinceUnixEpoch {
    let expiry = u64::from(created.get()) + MEDIA_RESERVED.declaration().lifetime();
    MilliSecondsSinceUnixEpoch(expiry.try_into().unwrap_or(ruma::UInt::MAX))
}
