//! spec: application-service §Client-Server API extensions: there are no application services, so
//! that nobody who asks is one.

use ruma::api::client::appservice::{request_ping, set_room_visibility};

use super::{Routes, api};
use crate::{Error, Result, Services, http::Body};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_raw_for::<request_ping::v1::Request>(refuse);
    routes.add_raw_for::<set_room_visibility::v3::Request>(refuse);
}

/// `POST /_matrix/client/v1/appservice/{appserviceId}/ping`,
/// `PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}`
async fn refuse(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    api::sender(services, &request).await?;
    Err(Error::forbidden("Only application services may do this"))
}
