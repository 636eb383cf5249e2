//! The content repository: uploads, downloads, thumbnails.
//!
//! spec: client-server §Content repository
//!
//! A file is a blob of the store, which in a browser never passes through the memory of the
//! homeserver, and a row that says what it is. The row is written before the blob, as unfinished,
//! and again after it, so that a worker that ends in between leaves nothing behind that the next
//! start does not clear away.

mod previews;
mod thumbnails;
mod uploads;

use std::{cell::Cell, rc::Rc};

use ruma::{MilliSecondsSinceUnixEpoch, OwnedMxcUri, OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    platform::{Blob, Caller, KeyedMutex, Notify},
    store::{self, Batch, Declaration, Erasure, Json, Nothing, Rows, Store, Table},
};

/// Media id → what is known of the file.
const MEDIA: Rows<(String,), Json<File>> = Rows::new(Table::Media, Erasure::Kept);
/// Media id whose blob may be there without being finished → nothing.
const MEDIA_UPLOADS: Rows<(String,), Nothing> = Rows::new(Table::MediaUploads, Erasure::Nobodys);
/// All tables of this part.
pub(crate) const TABLES: &[Declaration] = &[
    MEDIA.declaration(),
    MEDIA_UPLOADS.declaration(),
    uploads::MEDIA_RESERVED.declaration(),
    previews::URL_PREVIEWS.declaration(),
];

pub use self::thumbnails::ThumbnailRequest;

/// The largest upload in bytes, told as `m.upload.size`.
pub const MAX_UPLOAD_SIZE: u64 = 100 * 1024 * 1024;

/// A handle to the content repository; clones share it.
#[derive(Clone)]
pub struct Media {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    server_name: OwnedServerName,
    /// An upload has arrived.
    uploaded: Notify,
    /// One upload or thumbnail of a media id at a time.
    busy: KeyedMutex<String>,
    /// How many previews were made since the number of all was checked.
    new_previews: Cell<usize>,
}

/// What is known of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Who uploaded it.
    pub uploader: OwnedUserId,
    /// Its type, as the uploader told it.
    pub content_type: Option<String>,
    /// Its name, as the uploader told it.
    pub filename: Option<String>,
    /// When it was uploaded or, before that, its id made.
    pub created: MilliSecondsSinceUnixEpoch,
    /// Its size in bytes; `None` while there is only the id.
    pub size: Option<u64>,
}

fn blob_id(media_id: &str) -> String {
    format!("media/{media_id}")
}

impl Media {
    /// The content repository that `store` holds; clears away what an ended worker left unfinished.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn open(store: Store, server_name: OwnedServerName) -> Result<Self> {
        let media = Self {
            inner: Rc::new(Inner {
                store,
                server_name,
                uploaded: Notify::default(),
                busy: KeyedMutex::default(),
                new_previews: Cell::default(),
            }),
        };
        match media.discard_unfinished().await {
            // They are in nobody's way, and the next start finds them too.
            Err(cause @ store::Error::QuotaExceeded) => {
                tracing::warn!("unfinished uploads can't be cleared away: {cause}");
            }
            outcome => outcome?,
        }
        Ok(media)
    }

    /// A file and its content, waiting up to `timeout` for an upload that has not arrived yet.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND`; 504 `M_NOT_YET_UPLOADED` when the time ran out.
    pub async fn download(
        &self,
        server_name: &ruma::ServerName,
        media_id: &str,
        timeout: std::time::Duration,
        caller: &Caller,
    ) -> Result<(File, Blob)> {
        let file = self.uploaded(server_name, media_id, timeout, caller).await?;
        let blob = self.inner.store.blob(&blob_id(media_id)).await?;
        Ok((file, blob.ok_or_else(|| Error::not_found("There is no such media"))?))
    }

    /// Removes what has expired at `now`, in milliseconds since the Unix epoch: previews, and ids that
    /// nobody has uploaded to.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn expire(&self, now: u64) -> Result<()> {
        let outcomes = [self.expire_previews(now).await, self.expire_reserved(now).await];
        outcomes.into_iter().collect()
    }

    fn uri(&self, media_id: &str) -> OwnedMxcUri {
        format!("mxc://{}/{media_id}", self.inner.server_name).into()
    }

    async fn file(&self, media_id: &str) -> Result<Option<File>> {
        Ok(MEDIA.get(&self.inner.store, (media_id,)).await?)
    }

    /// Removes a file, together with what `batch` does.
    async fn remove(&self, mut batch: Batch, media_id: &str) -> Result<()> {
        let store = &self.inner.store;
        batch.makes_room();
        MEDIA.delete(&mut batch, (media_id,));
        // Should this end here, the next start takes the blob for one that never was finished.
        MEDIA_UPLOADS.put(&mut batch, (media_id,));
        store.commit(batch).await?;
        for id in thumbnails::ids(media_id).chain([blob_id(media_id)]) {
            store.delete_blob(&id).await?;
        }
        let mut batch = Batch::new();
        MEDIA_UPLOADS.delete(&mut batch, (media_id,));
        Ok(store.commit(batch).await?)
    }

    async fn discard_unfinished(&self) -> store::Result<()> {
        let store = &self.inner.store;
        for (media_id,) in MEDIA_UPLOADS.scan(()).readable_keys(store).await? {
            for id in thumbnails::ids(&media_id).chain([blob_id(&media_id)]) {
                store.delete_blob(&id).await?;
            }
            let mut batch = Batch::new();
            MEDIA_UPLOADS.delete(&mut batch, (&media_id,));
            store.commit(batch).await?;
        }
        Ok(())
    }
}
