//! What a page says of itself, for a client that shows a link to it.
//! spec: client-server §GET /_matrix/client/v1/media/preview_url
//!
//! A preview is kept for a while, and so is its picture, which is media like any other.

mod page;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use std::time::Duration;

use http::StatusCode;
use ruma::{UserId, api::error::ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::{Media, uploads::new_id};
use crate::{
    Error, Result,
    platform::{
        self, Caller,
        http::{self as outside, Fetched},
    },
    store::{AsPart, Batch, Erasure, Expiry, Json, Key, KeyReader, Kind, Part, Rows, Table},
};

/// URL, time → what the page there says of itself. It is kept for longer than it is told again, with its
/// picture: clients may show what they were told before.
pub(super) const URL_PREVIEWS: Rows<(Address, u64), Json<Row>> =
    Rows::new(Table::UrlPreviews, Erasure::Nobodys)
        .expiring(Expiry::After(Duration::from_secs(2 * 24 * 60 * 60)));

/// How long the same preview is told again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How many are kept at most, since each may have a picture.
const MOST: usize = 512;
/// After how many new ones the number of all is checked.
const CHECKED_EVERY: usize = 32;
/// How long a page, or its picture, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a page is read, in bytes: what it says of itself stands at its beginning.
const PAGE: u64 = 512 * 1024;
/// The largest picture that is kept, in bytes.
const PICTURE: u64 = 10 * 1024 * 1024;

/// The address of a page, which may have a secret in it.
pub(super) struct Address(String);

impl Part for Address {
    const KIND: Kind = Kind::Secret;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        key.str().map(Self)
    }
}

impl AsPart<Self> for Address {
    fn append(&self, key: Key) -> Key {
        key.str(&self.0)
    }
}

/// The row of a preview.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    data: Map<String, Value>,
    /// The media id of its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
}

impl Media {
    /// What there is to say of a URL, by the names of OpenGraph; nothing is said of what is no
    /// page and no picture.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for what is no web address, 502 `M_UNKNOWN` when it can't be had.
    pub async fn preview(
        &self,
        user_id: &UserId,
        url: &str,
        caller: &Caller,
    ) -> Result<Map<String, Value>> {
        self.preview_by(user_id, url, caller, outside::get).await
    }

    async fn preview_by(
        &self,
        user_id: &UserId,
        url: &str,
        caller: &Caller,
        get: impl AsyncFn(&str, u64) -> Result<Fetched, String>,
    ) -> Result<Map<String, Value>> {
        let url = address(url)?;
        let address = Address(url.as_str().to_owned());
        let _only = self.inner.busy.lock(format!("preview/{url}")).await;
        let now = platform::unix_millis();
        let store = &self.inner.store;
        let last = URL_PREVIEWS.scan((&address,)).backward().limit(1).readable(store).await?.pop();
        if let Some(((fetched,), row)) = last
            && now.saturating_sub(fetched) < FRESH.as_millis() as u64
        {
            return Ok(row.data);
        }
        let page = patiently(caller, get(url.as_str(), PAGE)).await?.map_err(unreachable)?;
        let (mut data, picture) = describe(&url, page, caller, get).await?;
        let mut batch = Batch::new();
        let Some(picture) = picture else {
            let row = Row { data, picture: None };
            URL_PREVIEWS.put(&mut batch, (&address, now), &row)?;
            store.commit(batch).await?;
            self.count_preview().await;
            return Ok(row.data);
        };
        let (media_id, content_type) = (new_id(), picture.content_type.unwrap_or_default());
        data.insert("matrix:image:size".to_owned(), picture.content.len().into());
        data.insert("og:image:type".to_owned(), page::content_type(&content_type).0.into());
        data.insert("og:image".to_owned(), self.uri(&media_id).as_str().into());
        let row = Row { data, picture: Some(media_id.clone()) };
        URL_PREVIEWS.put(&mut batch, (&address, now), &row)?;
        // In one commit, since a picture that no preview names would stay.
        self.keep(batch, user_id, &media_id, Some(content_type), None, picture.content).await?;
        self.count_preview().await;
        Ok(row.data)
    }

    /// Removes the previews that are old enough at `now`, and the oldest of too many.
    pub(super) async fn expire_previews(&self, now: u64) -> Result<()> {
        let store = &self.inner.store;
        // They are those of two days, and not many, so they are read through.
        let mut rows = URL_PREVIEWS.scan(()).readable(store).await?;
        rows.sort_by_key(|((_, fetched), _)| *fetched);
        let too_many = rows.len().saturating_sub(MOST);
        let lifetime = URL_PREVIEWS.declaration().lifetime();
        for (place, ((address, fetched), row)) in rows.into_iter().enumerate() {
            if place >= too_many && now.saturating_sub(fetched) < lifetime {
                continue;
            }
            let mut batch = Batch::new();
            URL_PREVIEWS.delete(&mut batch, (&address, fetched));
            match row.picture {
                Some(media_id) => self.remove(batch, &media_id).await?,
                None => store.commit(batch).await?,
            }
        }
        Ok(())
    }

    /// Counts a new preview, and now and then removes the oldest of too many.
    async fn count_preview(&self) {
        let new = &self.inner.new_previews;
        new.set(new.get() + 1);
        if new.get() < CHECKED_EVERY {
            return;
        }
        new.set(0);
        if let Err(cause) = self.expire_previews(platform::unix_millis()).await {
            // The next check finds them too.
            tracing::warn!("old previews are not removed: {cause}");
        }
    }
}

/// What a page says of itself, and its picture.
async fn describe(
    url: &Url,
    found: Fetched,
    caller: &Caller,
    get: impl AsyncFn(&str, u64) -> Result<Fetched, String>,
) -> Result<(Map<String, Value>, Option<Fetched>)> {
    let content_type = found.content_type.clone().unwrap_or_default();
    let (essence, encoding) = page::content_type(&content_type);
    let mut data = Map::new();
    let mut picture = None;
    if essence == "text/html" || essence == "application/xhtml+xml" {
        let bytes = found.content.bytes().await?;
        let encoding = encoding.or_else(|| page::declared_encoding(&bytes));
        let html = outside::text(&bytes, encoding.as_deref().unwrap_or("utf-8"));
        data = page::read(&html).await;
        // Where redirects led to is what relative addresses are relative to.
        let base = Url::parse(&found.url).unwrap_or_else(|_| url.clone());
        let link = page::take_picture(&mut data).and_then(|link| base.join(&link).ok());
        if let Some(link) = link.filter(is_web) {
            picture = patiently(caller, get(link.as_str(), PICTURE)).await?.ok();
        }
    } else if essence.starts_with("image/") {
        picture = match found.cut {
            // There is more of it than was read for a page.
            true => patiently(caller, get(url.as_str(), PICTURE)).await?.ok(),
            false => Some(found),
        };
    }
    let picture = picture.filter(|picture| {
        let content_type = picture.content_type.as_deref().unwrap_or_default();
        !picture.cut && page::content_type(content_type).0.starts_with("image/")
    });
    if picture.is_none() {
        page::drop_picture(&mut data);
    }
    Ok((data, picture))
}

/// A web address, without what is not sent.
fn address(url: &str) -> Result<Url> {
    let invalid = || Error::invalid_param("The url is not the address of a page");
    let mut url = Url::parse(url).ok().filter(is_web).ok_or_else(invalid)?;
    url.set_fragment(None);
    // Browsers refuse to ask for addresses with a name and password in them.
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| invalid())?;
    Ok(url)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Waits for what a server answers; fails when the caller has left, since what a preview lacks then
/// is not to be kept.
async fn patiently(
    caller: &Caller,
    answer: impl Future<Output = Result<Fetched, String>>,
) -> Result<Result<Fetched, String>> {
    let answer = caller.wait_for(platform::timeout(PATIENCE, answer)).await;
    let answer = answer.ok_or_else(|| unreachable("nobody waits for it".to_owned()))?;
    Ok(answer.unwrap_or_else(|| Err("it took too long".to_owned())))
}

fn unreachable(cause: String) -> Error {
    let message = format!("The page can't be had: {cause}");
    Error::new(StatusCode::BAD_GATEWAY, ErrorKind::Unknown, message)
}
