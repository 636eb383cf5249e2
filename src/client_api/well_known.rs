//! spec: client-server §Server Discovery

use ruma::api::client::discovery::discover_homeserver::{HomeserverInfo, Request, Response};

use super::{Incoming, Router};
use crate::{Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add(get_well_known);
}

/// `GET /.well-known/matrix/client`
async fn get_well_known(server: &Homeserver, _: Incoming<Request>) -> Result<Response> {
    Ok(Response::new(HomeserverInfo::new(server.config.base_url.clone())))
}
