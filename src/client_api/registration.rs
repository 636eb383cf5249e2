//! spec: client-server §Legacy API, account registration

use ruma::{
    OwnedUserId,
    api::client::account::{
        check_registration_token_validity, get_username_availability,
        register::{self, RegistrationKind},
    },
};

use super::{
    Incoming, Routes,
    api::ClientApi,
    uia::{self, Asked},
};
use crate::{
    Error, Result, Services,
    config::Registration,
    http::{Body, endpoint, respond},
    users::{Fingerprint, Login, NewAccount, NewDevice},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_raw_for::<register::v3::Request>(register_once);
    routes.add(get_availability);
    routes.add(get_token_validity);
}

/// `POST /_matrix/client/v3/register`: who sends the same request in the same session again has lost
/// the answer.
async fn register_once(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let endpoint = endpoint::<ClientApi, register::v3::Request>();
    let asked = Asked::receive(services, endpoint, request).await?;
    let users = &services.users;
    let (session, fingerprint) = (asked.session().map(ToOwned::to_owned), asked.fingerprint());
    // Held until it is known what becomes of the session.
    let _turn = match &session {
        Some(session) => Some(users.turn_to_register(session).await),
        None => None,
    };
    if let Some((user_id, login)) =
        session.and_then(|session| users.registered(&session, &fingerprint))
    {
        return respond(answer(user_id, login));
    }
    match register(services, asked.parse(&args)?, fingerprint).await {
        Ok((user_id, login)) => respond(answer(user_id, login)),
        Err(cause) => Err(asked.keep(services, cause)),
    }
}

async fn register(
    services: &Services,
    request: Incoming<register::v3::Request>,
    fingerprint: Fingerprint,
) -> Result<(OwnedUserId, Option<Login>)> {
    let request = request.request;
    let users = &services.users;
    match request.kind {
        RegistrationKind::User => {}
        RegistrationKind::Guest => {
            if services.config.registration != Registration::Open {
                return Err(Error::forbidden("Guests are not let in here"));
            }
            let display_name = request.initial_device_display_name;
            let device = Some(NewDevice { display_name, ..NewDevice::default() });
            return users
                .register(NewAccount { guest: true, device, ..NewAccount::default() })
                .await;
        }
        _ => return Err(Error::invalid_param("There is no such kind of account")),
    }
    if services.config.registration == Registration::Closed {
        return Err(Error::forbidden("Nobody can register here"));
    }
    // Told before authentication, so that nobody authenticates for a name in vain.
    let guest = match (&request.guest_access_token, &request.username) {
        (Some(token), username) => Some(guest(services, token, username.as_deref()).await?),
        (None, Some(username)) => {
            users.available(username).await?;
            None
        }
        (None, None) => None,
    };
    let session = uia::registration(services, request.auth.as_ref()).await?;
    let password = request.password.ok_or_else(|| Error::missing_param("A password is needed"))?;
    let device = (!request.inhibit_login).then_some(NewDevice {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        refreshes: request.refresh_token,
    });
    let (user_id, login) = match guest {
        Some(user_id) => {
            let login = users.upgrade_guest(&user_id, &password, device).await?;
            (user_id, login)
        }
        None => {
            let (username, password) = (request.username, Some(password));
            users.register(NewAccount { username, password, guest: false, device }).await?
        }
    };
    if let Some(session) = session {
        users.end_registration(session, fingerprint, user_id.clone(), login.clone());
    }
    Ok((user_id, login))
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
