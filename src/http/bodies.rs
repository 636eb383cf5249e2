//! How large and how deep the bodies of requests may be.

use std::any::TypeId;

use bytes::Bytes;
use ruma::api::client::{
    backup::{add_backup_keys, add_backup_keys_for_room},
    keys::{get_keys, upload_keys},
    to_device::send_event_to_device,
};

use super::Body;
use crate::{Error, Result, json};

/// The most bytes of a body, media aside, which are not read into memory.
const MAX_SIZE: u64 = 1 << 20;
/// The same where one request has something for each of many devices, sessions or users.
const MAX_SIZE_OF_MANY: u64 = 24 << 20;

/// The body of a request of this type; it may be no JSON.
///
/// # Errors
/// 413 `M_TOO_LARGE`; 400 `M_BAD_JSON` for JSON that is too deep, whatever it says.
pub(crate) async fn read_for(request: TypeId, body: Body) -> Result<Bytes> {
    let of_many = [
        TypeId::of::<add_backup_keys::v3::Request>(),
        TypeId::of::<add_backup_keys_for_room::v3::Request>(),
        TypeId::of::<get_keys::v3::Request>(),
        TypeId::of::<upload_keys::v3::Request>(),
        TypeId::of::<send_event_to_device::v3::Request>(),
    ];
    let is_of_many = of_many.contains(&request);
    read_up_to(body, if is_of_many { MAX_SIZE_OF_MANY } else { MAX_SIZE }).await
}

/// The body of any other request.
///
/// # Errors
/// As [`read_for`].
pub(crate) async fn read(body: Body) -> Result<Bytes> {
    read_up_to(body, MAX_SIZE).await
}

async fn read_up_to(body: Body, size: u64) -> Result<Bytes> {
    if body.len() > size {
        return Err(Error::too_large(format!("The body has more than {size} bytes")));
    }
    let body = body.bytes().await?;
    json::check(&body, json::MAX_DEPTH).map_err(Error::bad_json)?;
    Ok(body)
}
