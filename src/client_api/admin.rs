//! spec: client-server §Server Administration

use ruma::{
    MilliSecondsSinceUnixEpoch,
    api::client::admin::get_user_info::v3::{
        ConnectionInfo, DeviceInfo, Request, Response, SessionInfo,
    },
};

use super::{Incoming, Router};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add(whois);
}

/// `GET /_matrix/client/v3/admin/whois/{userId}`: nobody administers others here, so each user is
/// told of their own devices only. Their requests come from this browser and have no address.
async fn whois(server: &Homeserver, request: Incoming<Request>) -> Result<Response> {
    let user_id = &request.auth.user_id;
    if *user_id != request.user_id {
        return Err(Error::forbidden("You are not an administrator"));
    }
    let mut response = Response::new();
    response.user_id = Some(user_id.clone());
    for device in server.users.devices(user_id).await? {
        let mut connection = ConnectionInfo::new();
        connection.last_seen =
            device.last_seen.and_then(|seen| seen.try_into().ok()).map(MilliSecondsSinceUnixEpoch);
        let mut session = SessionInfo::new();
        session.connections.push(connection);
        let mut info = DeviceInfo::new();
        info.sessions.push(session);
        response.devices.insert(device.device_id.to_string(), info);
    }
    Ok(response)
}
