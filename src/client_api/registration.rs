//! spec: client-server §Legacy API, account registration

use ruma::api::client::account::{
    check_registration_token_validity, get_username_availability,
    register::{self, RegistrationKind},
};

use super::{Incoming, Router, uia};
use crate::{
    Error, Homeserver, Result,
    homeserver::Registration,
    users::{NewAccount, NewDevice},
};

pub(super) fn routes(router: &mut Router) {
    router.add(register);
    router.add(get_availability);
    router.add(get_token_validity);
}

/// `POST /_matrix/client/v3/register`
async fn register(
    server: &Homeserver,
    request: Incoming<register::v3::Request>,
) -> Result<register::v3::Response> {
    let request = request.request;
    let new = match request.kind {
        RegistrationKind::User => {
            if server.config.registration == Registration::Closed {
                return Err(Error::forbidden("Nobody can register here"));
            }
            // Told before authentication, so that nobody authenticates for a name in vain.
            if let Some(username) = &request.username {
                server.users.available(username).await?;
            }
            uia::registration(server, request.auth.as_ref()).await?;
            let password =
                request.password.ok_or_else(|| Error::missing_param("A password is needed"))?;
            let device = (!request.inhibit_login).then_some(NewDevice {
                device_id: request.device_id,
                display_name: request.initial_device_display_name,
                refreshes: request.refresh_token,
            });
            NewAccount {
                username: request.username,
                password: Some(password),
                guest: false,
                device,
            }
        }
        RegistrationKind::Guest => {
            if server.config.registration != Registration::Open {
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
    let (user_id, login) = server.users.register(new).await?;
    let mut response = register::v3::Response::new(user_id);
    if let Some(login) = login {
        response.access_token = Some(login.access_token);
        response.device_id = Some(login.device_id);
        response.refresh_token = login.refresh_token;
        response.expires_in = login.expires_in;
    }
    Ok(response)
}

/// `GET /_matrix/client/v3/register/available`
async fn get_availability(
    server: &Homeserver,
    request: Incoming<get_username_availability::v3::Request>,
) -> Result<get_username_availability::v3::Response> {
    if server.config.registration == Registration::Closed {
        return Err(Error::forbidden("Nobody can register here"));
    }
    server.users.available(&request.username).await?;
    Ok(get_username_availability::v3::Response::new(true))
}

/// `GET /_matrix/client/v1/register/m.login.registration_token/validity`
async fn get_token_validity(
    server: &Homeserver,
    request: Incoming<check_registration_token_validity::v1::Request>,
) -> Result<check_registration_token_validity::v1::Response> {
    if server.config.registration == Registration::Closed {
        return Err(Error::forbidden("Nobody can register here"));
    }
    let valid = uia::is_registration_token(server, &request.token);
    Ok(check_registration_token_validity::v1::Response::new(valid))
}
