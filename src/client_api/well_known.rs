//! spec: client-server §Server Discovery

use ruma::api::client::discovery::{
    discover_homeserver::{self, HomeserverInfo},
    discover_policy_server, discover_support,
};

use super::{Incoming, Routes};
use crate::{Error, Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_client);
    routes.add(get_support);
    routes.add(get_policy_server);
}

/// `GET /.well-known/matrix/client`
async fn get_client(
    services: &Services,
    _: Incoming<discover_homeserver::Request>,
) -> Result<discover_homeserver::Response> {
    let homeserver = HomeserverInfo::new(services.config.base_url.clone());
    Ok(discover_homeserver::Response::new(homeserver))
}

/// `GET /.well-known/matrix/support`
async fn get_support(
    services: &Services,
    _: Incoming<discover_support::Request>,
) -> Result<discover_support::Response> {
    let support = services.config.support.as_ref();
    let support = support.ok_or_else(|| Error::not_found("There is nobody to turn to"))?;
    let mut response = discover_support::Response::with_contacts(support.contacts().to_vec());
    response.support_page = support.support_page().map(ToOwned::to_owned);
    Ok(response)
}

/// `GET /.well-known/matrix/policy_server`
async fn get_policy_server(
    _: &Services,
    _: Incoming<discover_policy_server::Request>,
) -> Result<discover_policy_server::Response> {
    Err(Error::not_found("There is no policy server here"))
}
