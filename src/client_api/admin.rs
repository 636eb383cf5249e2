//! spec: client-server §Server Administration

use ruma::{
    MilliSecondsSinceUnixEpoch, UserId,
    api::client::admin::{
        get_user_info::v3::{ConnectionInfo, DeviceInfo, Request, Response, SessionInfo},
        is_user_locked, is_user_suspended, lock_user, suspend_user,
    },
};

use super::{Incoming, Routes};
use crate::{Error, Result, Services, users::Standing};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(whois);
    routes.add(is_locked);
    routes.add(lock);
    routes.add(is_suspended);
    routes.add(suspend);
}

/// Whether a user may administer others.
pub(super) fn is_admin(services: &Services, user_id: &UserId) -> bool {
    services.config.admins.iter().any(|admin| admin == user_id)
}

fn check_admin(services: &Services, user_id: &UserId) -> Result<()> {
    match is_admin(services, user_id) {
        true => Ok(()),
        false => Err(Error::forbidden("You are not an administrator")),
    }
}

/// Lets only administrators moderate, and only who is none. Who asks is looked at first, so that
/// nobody else learns which accounts there are.
fn check_moderates(services: &Services, sender: &UserId, user_id: &UserId) -> Result<()> {
    check_admin(services, sender)?;
    if user_id.server_name() != services.config.server_name {
        return Err(Error::invalid_param("The user is of another homeserver"));
    }
    if is_admin(services, user_id) {
        return Err(Error::forbidden("Administrators are not moderated"));
    }
    Ok(())
}

async fn standing(services: &Services, sender: &UserId, user_id: &UserId) -> Result<Standing> {
    check_moderates(services, sender, user_id)?;
    services.users.standing(user_id).await
}

/// `GET /_matrix/client/v1/admin/lock/{userId}`
async fn is_locked(
    services: &Services,
    request: Incoming<is_user_locked::v1::Request>,
) -> Result<is_user_locked::v1::Response> {
    let standing = standing(services, &request.auth.user_id, &request.user_id).await?;
    Ok(is_user_locked::v1::Response::new(standing.locked))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
async fn lock(
    services: &Services,
    request: Incoming<lock_user::v1::Request>,
) -> Result<lock_user::v1::Response> {
    let (user_id, locked) = (&request.user_id, request.locked);
    check_moderates(services, &request.auth.user_id, user_id)?;
    services.users.moderate(user_id, |standing| standing.locked = locked).await?;
    Ok(lock_user::v1::Response::new(locked))
}

/// `GET /_matrix/client/v1/admin/suspend/{userId}`
async fn is_suspended(
    services: &Services,
    request: Incoming<is_user_suspended::v1::Request>,
) -> Result<is_user_suspended::v1::Response> {
    let standing = standing(services, &request.auth.user_id, &request.user_id).await?;
    Ok(is_user_suspended::v1::Response::new(standing.suspended))
}

/// `PUT /_matrix/client/v1/admin/suspend/{userId}`
async fn suspend(
    services: &Services,
    request: Incoming<suspend_user::v1::Request>,
) -> Result<suspend_user::v1::Response> {
    let (user_id, suspended) = (&request.user_id, request.suspended);
    check_moderates(services, &request.auth.user_id, user_id)?;
    services.users.moderate(user_id, |standing| standing.suspended = suspended).await?;
    Ok(suspend_user::v1::Response::new(suspended))
}

/// `GET /_matrix/client/v3/admin/whois/{userId}`: of oneself, and for administrators of anybody.
/// Requests come from this browser and have no address.
async fn whois(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let user_id = &request.user_id;
    if request.auth.user_id != *user_id {
        check_admin(services, &request.auth.user_id)?;
        services
            .users
            .account(user_id)
            .await?
            .ok_or_else(|| Error::not_found("There is no such user"))?;
    }
    let mut response = Response::new();
    response.user_id = Some(user_id.clone());
    for device in services.users.devices(user_id).await? {
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
