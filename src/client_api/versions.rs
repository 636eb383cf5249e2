//! spec: client-server §API Versions

use ruma::api::client::discovery::get_supported_versions;

use super::{Incoming, Router};
use crate::{Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add(get_versions);
}

/// `GET /_matrix/client/versions`: what clients may rely on, exactly.
async fn get_versions(
    _: &Homeserver,
    _: Incoming<get_supported_versions::Request>,
) -> Result<get_supported_versions::Response> {
    let versions = (1..=13).map(|minor| format!("v1.{minor}")).collect();
    Ok(get_supported_versions::Response::new(versions))
}
