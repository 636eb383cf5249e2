//! spec: client-server §Legacy API, account registration

use ruma::{
    OwnedUserId,
    api::client::account::{
        check_registration_token_validity, get_username_availability,
        register::{self, RegistrationKind},
    },
};

use super::{Incoming, Routes, uia};
use crate::{
    Error, Result, Services,
    config::Registration,
    users::{Login, NewAccount, NewDevice},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(register);
    routes.add(get_availability);
    routes.add(get_token_validity);
}

/// `POST /_matrix/client/v3/register`
async fn register(
    services: &Services,
    request: Incoming<register::v3::Request>,
) -> Result<register::v3::Response> {
    let request = request.request;
    let new = match request.kind {
        RegistrationKind::User => {
            if services.config.registration == Registration::Closed {
                return Err(Error::forbidden("Nobody can register here"));
            }
            // Told before authentication, so that nobody authenticates for a name in vain.
            let guest = match (&request.guest_access_token, &request.username) {
                (Some(token), username) => Some(guest(services, token, username.as_deref()).await?),
                (None, Some(username)) => {
                    services.users.available(username).await?;
                    None
                }
                (None, None) => None,
            };
            uia::registration(services, request.auth.as_ref()).await?;
            let password =
                request.password.ok_or_else(|| Error::missing_param("A password is needed"))?;
            let device = (!request.inhibit_login).then_some(NewDevice {
                device_id: request.device_id,
                display_name: request.initial_device_display_name,
                refreshes: request.refresh_token,
            });
            if let Some(user_id) = guest {
                let login = services.users.upgrade_guest(&user_id, &password, device).await?;
                return Ok(answer(user_id, login));
            }
            NewAccount {
                username: request.username,
                password: Some(password),
                guest: false,
                device,
            }
        }
        RegistrationKind::Guest => {
            if services.config.registration != Registration::Open {
                return Err(Error::forbidden("Guests are not let in here"));
            }
            let device = NewDevice {
                display_name: request.initial_device_display_name,
                ..NewDevice::default()
            };
            NewAccount { guest: true, device: Some(device), ..NewAccount::default() }
        }
        _ => return Err(Error::invalid_param("There is no such kind of account")),
    };
    let (user_id, login) = services.users.register(new).await?;
    Ok(answer(user_id, login))
}

/// Whose account becomes a user's: the guest's who has the token, under the name that they have.
/// spec: client-server §Guest Access
async fn guest(services: &Services, token: &str, username: Option<&str>) -> Result<OwnedUserId> {
    let username = username
        .ok_or_else(|| Error::missing_param("The username is that of the guest's user id"))?;
    match services.users.session(token).await {
        Ok(session) if session.guest && session.user_id.localpart() == username => {
            Ok(session.user_id)
        }
        // Not as an answer about the token: it is not what authenticates this request.
        Err(cause) if cause.is_server_error() => Err(cause),
        _ => Err(Error::forbidden("The token is not that of the guest with this username")),
    }
}

fn answer(user_id: OwnedUserId, login: Option<Login>) -> register::v3::Response {
    let mut response = register::v3::Response::new(user_id);
    if let Some(login) = login {
        response.access_token = Some(login.access_token);
        response.device_id = Some(login.device_id);
        response.refresh_token = login.refresh_token;
        response.expires_in = login.expires_in;
    }
    response
}

/// `GET /_matrix/client/v3/register/available`
async fn get_availability(
    services: &Services,
    request: Incoming<get_username_availability::v3::Request>,
) -> Result<get_username_availability::v3::Response> {
    if services.config.registration == Registration::Closed {
        return Err(Error::forbidden("Nobody can register here"));
    }
    services.users.available(&request.username).await?;
    Ok(get_username_availability::v3::Response::new(true))
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
async fn get_token_validity(
    services: &Services,
    request: Incoming<check_registration_token_validity::v1::Request>,
) -> Result<check_registration_token_validity::v1::Response> {
    if services.config.registration == Registration::Closed {
        return Err(Error::forbidden("Nobody can register here"));
    }
    let valid = uia::is_registration_token(services, &request.token);
    Ok(check_registration_token_validity::v1::Response::new(valid))
}
