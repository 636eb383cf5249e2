//! spec: client-server §Third-party Networks: application services bring them, and there are none.

use ruma::api::client::thirdparty::{
    get_location_for_protocol, get_location_for_room_alias, get_protocol, get_protocols,
    get_user_for_protocol, get_user_for_user_id,
};

use super::{Incoming, Routes};
use crate::{Error, Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_protocols);
    routes.add(get_protocol);
    routes.add(get_location);
    routes.add(get_location_of_alias);
    routes.add(get_user);
    routes.add(get_user_of_id);
}

fn no_protocol() -> Error {
    Error::not_found("There is no such protocol")
}

/// `GET /_matrix/client/v3/thirdparty/protocols`
async fn get_protocols(
    _: &Services,
    _: Incoming<get_protocols::v3::Request>,
) -> Result<get_protocols::v3::Response> {
    Ok(get_protocols::v3::Response::new(Default::default()))
}

/// `GET /_matrix/client/v3/thirdparty/protocol/{protocol}`
async fn get_protocol(
    _: &Services,
    _: Incoming<get_protocol::v3::Request>,
) -> Result<get_protocol::v3::Response> {
    Err(no_protocol())
}

/// `GET /_matrix/client/v3/thirdparty/location/{protocol}`
async fn get_location(
    _: &Services,
    _: Incoming<get_location_for_protocol::v3::Request>,
) -> Result<get_location_for_protocol::v3::Response> {
    Err(no_protocol())
}

/// `GET /_matrix/client/v3/thirdparty/location`
async fn get_location_of_alias(
    _: &Services,
    _: Incoming<get_location_for_room_alias::v3::Request>,
) -> Result<get_location_for_room_alias::v3::Response> {
    Err(Error::not_found("The alias is no portal to another network"))
}

/// `GET /_matrix/client/v3/thirdparty/user/{protocol}`
async fn get_user(
    _: &Services,
    _: Incoming<get_user_for_protocol::v3::Request>,
) -> Result<get_user_for_protocol::v3::Response> {
    Err(no_protocol())
}

/// `GET /_matrix/client/v3/thirdparty/user`
async fn get_user_of_id(
    _: &Services,
    _: Incoming<get_user_for_user_id::v3::Request>,
) -> Result<get_user_for_user_id::v3::Response> {
    Err(Error::not_found("The user is of no other network"))
}
