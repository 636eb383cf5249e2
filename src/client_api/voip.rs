//! spec: client-server §Voice over IP

use ruma::api::client::voip::get_turn_server_info::v3::Request;
use serde_json::json;

use super::{Incoming, Routes};
use crate::{
    Result, Services,
    http::{Body, Sent, json_response},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_with_sent(get_turn_server);
}

/// `GET /_matrix/client/v3/voip/turnServer`: there is none. Browsers refuse to call with a TURN
/// server that has no address, so the answer has no list of them and not an empty one.
async fn get_turn_server(
    _: &Services,
    _: Incoming<Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    json_response(&json!({}))
}
