//! spec: client-server §API Versions

use ruma::api::client::discovery::get_supported_versions;

use super::{Incoming, Routes};
use crate::{Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_versions);
}

/// The newest version of the specification whose Client-Server API is all here.
const NEWEST_MINOR: u32 = 19;

/// What is here of later versions and of proposals, as clients look it up.
const FEATURES: [&str; 3] = [
    "uk.tcpip.msc4133",
    "uk.tcpip.msc4133.stable",
    "uk.half-shot.msc2666.query_mutual_rooms.stable",
];

/// `GET /_matrix/client/versions`: what clients may rely on, exactly; they switch on what they read
/// here. A later version implies no earlier one to them, so each is told.
async fn get_versions(
    _: &Services,
    _: Incoming<get_supported_versions::Request>,
) -> Result<get_supported_versions::Response> {
    let versions = (1..=NEWEST_MINOR).map(|minor| format!("v1.{minor}")).collect();
    let mut response = get_supported_versions::Response::new(versions);
    response.unstable_features =
        FEATURES.into_iter().map(|feature| (feature.to_owned(), true)).collect();
    Ok(response)
}
