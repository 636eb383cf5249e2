//! spec: client-server §Presence

use ruma::{
    UserId,
    api::client::presence::{get_presence, set_presence},
    presence::PresenceState,
};

use super::{Incoming, Routes};
use crate::{Error, Result, Services, enumerations, lengths};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get);
    routes.add(set);
}

/// A user has done something that shows that they are there. Nothing of it fails when that can't be
/// told. spec: client-server §Presence, Last active ago
pub(super) async fn active(services: &Services, user_id: &UserId) {
    if let Err(cause) = services.sync.presence().active(user_id).await {
        tracing::warn!("that {user_id} is active is not announced: {cause}");
    }
}

/// `GET /_matrix/client/v3/presence/{userId}/status`
async fn get(
    services: &Services,
    request: Incoming<get_presence::v3::Request>,
) -> Result<get_presence::v3::Response> {
    let (own, user_id) = (&request.auth.user_id, &request.user_id);
    if own != user_id && !services.rooms.shares_room(own, user_id).await? {
        return Err(Error::forbidden("You share no room with this user"));
    }
    let Some(presence) = services.sync.presence().get(user_id) else {
        // They have not been here since the server started.
        return Ok(get_presence::v3::Response::new(PresenceState::Offline));
    };
    let mut response = get_presence::v3::Response::new(presence.state.clone());
    response.status_msg = presence.status_msg.clone();
    response.currently_active = Some(presence.currently_active());
    response.last_active_ago = Some(presence.last_active_ago());
    Ok(response)
}

/// `PUT /_matrix/client/v3/presence/{userId}/status`
async fn set(
    services: &Services,
    request: Incoming<set_presence::v3::Request>,
) -> Result<set_presence::v3::Response> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("You can't set somebody else's presence"));
    }
    enumerations::check("presence", [&request.presence])?;
    lengths::text("The status", request.status_msg.as_deref())?;
    let (state, status) = (request.presence.clone(), request.status_msg.clone());
    services.sync.presence().set(&request.user_id, state, status).await?;
    Ok(set_presence::v3::Response::new())
}
