//! spec: client-server §Account management

use ruma::{
    UserId,
    api::client::account::{ThirdPartyIdRemovalStatus, change_password, deactivate, whoami},
    events::room::member::MembershipState,
};

use super::{Incoming, Router, uia};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add(change_password);
    router.add(deactivate);
    router.add(whoami);
}

/// `POST /_matrix/client/v3/account/password`
async fn change_password(
    server: &Homeserver,
    request: Incoming<change_password::v3::Request>,
) -> Result<change_password::v3::Response> {
    // Without a session only a third-party identifier could tell whose password it is.
    let sender = request.auth.as_ref().ok_or_else(Error::missing_token)?;
    let asked = &request.request;
    uia::confirm(
        server,
        sender,
        "account/password",
        &(&asked.new_password, asked.logout_devices),
        asked.auth.as_ref(),
    )
    .await?;
    server.users.set_password(&sender.user_id, &asked.new_password).await?;
    if asked.logout_devices {
        server.users.delete_other_devices(&sender.user_id, Some(&sender.device_id)).await?;
    }
    Ok(change_password::v3::Response::new())
}

/// `POST /_matrix/client/v3/account/deactivate`
async fn deactivate(
    server: &Homeserver,
    request: Incoming<deactivate::v3::Request>,
) -> Result<deactivate::v3::Response> {
    let sender = request.auth.as_ref().ok_or_else(Error::missing_token)?;
    let asked = &request.request;
    uia::confirm(server, sender, "account/deactivate", &asked.erase, asked.auth.as_ref()).await?;
    server.users.deactivate(&sender.user_id, asked.erase).await?;
    leave_all(server, &sender.user_id).await?;
    Ok(deactivate::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// Leaves every room that a user is in and rejects every invite; a room that can't be left keeps
/// them.
async fn leave_all(server: &Homeserver, user_id: &UserId) -> Result<()> {
    for room in server.rooms.memberships(user_id).await?.values() {
        let inside = [MembershipState::Join, MembershipState::Invite, MembershipState::Knock];
        if !inside.contains(&room.membership) {
            continue;
        }
        match server.rooms.leave(user_id, &room.room_id, None).await {
            Err(Error::Matrix(error)) if error.status_code.is_client_error() => {}
            outcome => {
                outcome?;
            }
        }
    }
    Ok(())
}

/// `GET /_matrix/client/v3/account/whoami`
async fn whoami(
    _: &Homeserver,
    request: Incoming<whoami::v3::Request>,
) -> Result<whoami::v3::Response> {
    let sender = request.auth;
    let mut response = whoami::v3::Response::new(sender.user_id, sender.guest);
    response.device_id = Some(sender.device_id);
    Ok(response)
}
