//! spec: client-server §Voice over IP

use std::rc::Rc;

use futures::FutureExt;
use ruma::api::{auth_scheme::AccessToken, client::voip::get_turn_server_info::v3::Request};
use serde_json::json;

use super::{Authenticate, Body, Router, json_response};
use crate::{Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add_raw_for::<Request>(|server, request, _| {
        get_turn_server(server, request).boxed_local()
    });
}

/// `GET /_matrix/client/v3/voip/turnServer`: there is none. Browsers refuse to call with a TURN
/// server that has no address, so the answer has no list of them and not an empty one.
async fn get_turn_server(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>> {
    AccessToken::authenticate(server, &request.map(|_| ())).await?;
    json_response(&json!({}))
}
