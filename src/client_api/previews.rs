//! spec: client-server §Content repository: URL previews

use ruma::{
    UserId,
    api::client::{authenticated_media::get_media_preview, media::get_media_preview as legacy},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{Incoming, Routes};
use crate::{Error, Result, Services, http::Limit, platform::Caller};

#[allow(deprecated, reason = "older clients ask at the older path")]
pub(super) fn routes(routes: &mut Routes) {
    routes.add(preview);
    routes.add(legacy_preview);
}

/// `GET /_matrix/client/v1/media/preview_url`
async fn preview(
    services: &Services,
    request: Incoming<get_media_preview::v1::Request>,
) -> Result<get_media_preview::v1::Response> {
    let data = data(services, &request.auth.user_id, &request.url, &request.caller).await?;
    Ok(get_media_preview::v1::Response::from_raw_value(data))
}

/// `GET /_matrix/media/v3/preview_url`
#[allow(deprecated, reason = "older clients ask at the older path")]
async fn legacy_preview(
    services: &Services,
    request: Incoming<legacy::v3::Request>,
) -> Result<legacy::v3::Response> {
    let data = data(services, &request.auth.user_id, &request.url, &request.caller).await?;
    Ok(legacy::v3::Response::from_raw_value(data))
}

/// A page is asked for the newest that it says: nothing older is kept for those who ask for it.
async fn data(
    services: &Services,
    user_id: &UserId,
    url: &str,
    caller: &Caller,
) -> Result<Box<RawValue>> {
    // It asks others, though it only reads.
    services.limits.take(Limit::Changes, Some(user_id.as_str()))?;
    let data = services.media.preview(user_id, url, caller).await?;
    to_raw_value(&data).map_err(Error::internal)
}
