//! Smaller pictures of pictures.

use std::time::Duration;

use ruma::{ServerName, media::Method};

use super::{File, Media, blob_id};
use crate::{
    Error, Result,
    platform::{
        Blob, Caller,
        images::{self, Scaling},
    },
};

/// The sizes that thumbnails are made in, smallest first, so that one file has few of them.
const SIZES: [(u32, u32, Scaling); 5] = [
    (32, 32, Scaling::Crop),
    (96, 96, Scaling::Crop),
    (320, 240, Scaling::Fit),
    (640, 480, Scaling::Fit),
    (800, 600, Scaling::Fit),
];

/// Which thumbnail a client wants: at least of this size in pixels.
#[derive(Clone, Copy, Debug)]
pub struct ThumbnailRequest {
    /// The least width.
    pub width: u32,
    /// The least height.
    pub height: u32,
    /// Whether to cut to the aspect ratio of the request or keep the picture's own.
    pub scaling: Scaling,
}

fn id(media_id: &str, width: u32, height: u32) -> String {
    format!("thumbnail/{media_id}/{width}x{height}")
}

/// The ids of the blobs that the thumbnails of a file may be in.
pub(super) fn ids(media_id: &str) -> impl Iterator<Item = String> {
    SIZES.into_iter().map(move |(width, height, _)| id(media_id, width, height))
}

impl ThumbnailRequest {
    /// The request in the terms of an endpoint.
    pub fn new(width: ruma::UInt, height: ruma::UInt, method: Option<Method>) -> Self {
        let pixels = |length: ruma::UInt| u32::try_from(u64::from(length)).unwrap_or(u32::MAX);
        let scaling = match method {
            Some(Method::Crop) => Scaling::Crop,
            _ => Scaling::Fit,
        };
        Self { width: pixels(width), height: pixels(height), scaling }
    }

    /// The size that is made for this request; `None` when only the original is large enough.
    fn size(&self) -> Option<(u32, u32, Scaling)> {
        SIZES.into_iter().find(|(width, height, scaling)| {
            // A square cut is no answer to a request to keep the aspect ratio, but a cut of
            // another shape than any of these is made by the client from the whole.
            let shape_fits = match scaling {
                Scaling::Crop => self.scaling == Scaling::Crop && self.width == self.height,
                Scaling::Fit => true,
            };
            shape_fits && *width >= self.width && *height >= self.height
        })
    }
}

impl Media {
    /// A thumbnail of a file with its content type: made at the first request and kept. The
    /// original where that is no larger than the request, or can't be drawn.
    ///
    /// # Errors
    /// As [`Media::download`].
    pub async fn thumbnail(
        &self,
        server_name: &ServerName,
        media_id: &str,
        request: ThumbnailRequest,
        timeout: Duration,
        caller: &Caller,
    ) -> Result<(File, Blob)> {
        let mut file = self.uploaded(server_name, media_id, timeout, caller).await?;
        let original = || async {
            let blob = self.inner.store.blob(&blob_id(media_id)).await?;
            blob.ok_or_else(|| Error::not_found("There is no such media"))
        };
        let is_image = file.content_type.as_deref().is_some_and(|of| of.starts_with("image/"));
        let Some((width, height, scaling)) = request.size().filter(|_| is_image) else {
            return Ok((file, original().await?));
        };
        let kept_id = id(media_id, width, height);
        let _only = self.inner.busy.lock(kept_id.clone()).await;
        let thumbnail = match self.inner.store.blob(&kept_id).await? {
            Some(kept) => Some(kept),
            None => {
                let made = images::scale(&original().await?, width, height, scaling).await;
                if let Some(made) = &made {
                    self.inner.store.put_blob(&kept_id, made.clone()).await?;
                }
                made
            }
        };
        let Some(thumbnail) = thumbnail else {
            return Ok((file, original().await?));
        };
        file.content_type = Some(thumbnail.content_type());
        file.size = Some(thumbnail.len());
        Ok((file, thumbnail))
    }
}
