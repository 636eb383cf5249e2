//! How large the bodies of requests may be: the router answers larger ones with 413 `M_TOO_LARGE`.

use std::any::TypeId;

use ruma::api::client::{
    backup::{add_backup_keys, add_backup_keys_for_room},
    keys::{get_keys, upload_keys},
    media::{create_content, create_content_async},
    to_device::send_event_to_device,
};

use crate::{http::bodies::MAX_BODY, media::MAX_UPLOAD_SIZE};

/// The most bytes where one request has something for each of many devices, sessions or users.
const OF_MANY: u64 = 24 << 20;

/// The most bytes in the body of a request of this type.
pub(super) fn max(request: Option<TypeId>) -> u64 {
    let larger = [
        (TypeId::of::<add_backup_keys::v3::Request>(), OF_MANY),
        (TypeId::of::<add_backup_keys_for_room::v3::Request>(), OF_MANY),
        (TypeId::of::<get_keys::v3::Request>(), OF_MANY),
        (TypeId::of::<upload_keys::v3::Request>(), OF_MANY),
        (TypeId::of::<send_event_to_device::v3::Request>(), OF_MANY),
        (TypeId::of::<create_content::v3::Request>(), MAX_UPLOAD_SIZE),
        (TypeId::of::<create_content_async::v3::Request>(), MAX_UPLOAD_SIZE),
    ];
    let found = larger.into_iter().find(|(of, _)| Some(*of) == request);
    found.map_or(MAX_BODY, |(_, most)| most)
}
