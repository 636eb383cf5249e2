//! spec: client-server §Legacy API, login

use http::StatusCode;
use ruma::{
    OwnedUserId,
    api::{
        client::{
            session::{
                get_login_token, get_login_types, login, logout, logout_all, refresh_token,
                sso_login, sso_login_with_provider,
            },
            uiaa::UserIdentifier,
        },
        error::ErrorKind,
    },
};

use super::{Incoming, Routes, api::ClientApi, uia};
use crate::{
    Error, Result, Services,
    http::{Body, Limit, admit, bodies, parse, respond},
    users::{LOGIN_TOKEN_LIFETIME, NewDevice},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_flows);
    routes.add_raw_for::<login::v3::Request>(parse_login);
    routes.add(refresh);
    routes.add(logout);
    routes.add(logout_all);
    uia::add(routes, get_token);
    routes.add_raw_for::<sso_login::v3::Request>(redirect);
    routes.add_raw_for::<sso_login_with_provider::v3::Request>(redirect);
}

/// `GET /_matrix/client/v3/login`
async fn get_flows(
    _: &Services,
    _: Incoming<get_login_types::v3::Request>,
) -> Result<get_login_types::v3::Response> {
    use get_login_types::v3::{LoginType, PasswordLoginType, Response, TokenLoginType};
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ok(Response::new(vec![LoginType::Password(PasswordLoginType::new()), LoginType::Token(token)]))
}

/// Ruma's type takes for granted that a login has a type: a request without is answered here.
async fn parse_login(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    admit::<ClientApi, login::v3::Request>(services, &request).await?;
    let body = bodies::object(&request).await?;
    if !body.contains_key("type") {
        return Err(Error::missing_param("A login has a type"));
    }
    // Of what is for other types of login ruma reads nothing.
    bodies::check_texts(&body, &["type", "token", "password", "user", "medium", "address"])?;
    let body = serde_json::to_vec(&body).map_err(Error::internal)?;
    let response = login(services, parse(&request.map(|_| ()), &body, &[])?).await?;
    respond(response)
}

/// `POST /_matrix/client/v3/login`
async fn login(services: &Services, request: login::v3::Request) -> Result<login::v3::Response> {
    let device = NewDevice {
        device_id: request.device_id,
        display_name: request.initial_device_display_name,
        refreshes: request.refresh_token,
    };
    let (user_id, login) = match request.login_info {
        login::v3::LoginInfo::Password(given) => {
            let user_id = named(services, &given)?;
            services.limits.take(Limit::Passwords, Some(user_id.as_str()))?;
            let login = services.users.login_by_password(&user_id, &given.password, device).await?;
            (user_id, login.ok_or_else(wrong_password)?)
        }
        login::v3::LoginInfo::Token(given) => {
            let login = services.users.login_by_token(&given.token, device).await?;
            login.ok_or_else(|| Error::forbidden("The login token is not valid"))?
        }
        _ => {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::Unknown,
                "There is no such login type here",
            ));
        }
    };
    let mut response = login::v3::Response::new(user_id, login.access_token, login.device_id);
    response.refresh_token = login.refresh_token;
    response.expires_in = login.expires_in;
    Ok(response)
}

/// Who a login with a password is.
fn named(services: &Services, given: &login::v3::Password) -> Result<OwnedUserId> {
    #[allow(deprecated, reason = "older clients name the user there")]
    let name = match (&given.identifier, &given.user) {
        (Some(UserIdentifier::Matrix(named)), _) => Some(&named.user),
        (Some(_), _) => None,
        (None, Some(user)) => Some(user),
        (None, None) => return Err(Error::missing_param("A login has an identifier")),
    };
    name.and_then(|name| services.users.user_id(name)).ok_or_else(wrong_password)
}

/// Anything wrong with a login is told in the same words, so that nobody learns who has an account.
fn wrong_password() -> Error {
    Error::forbidden("Invalid username or password")
}

/// `POST /_matrix/client/v3/refresh`
async fn refresh(
    services: &Services,
    request: Incoming<refresh_token::v3::Request>,
) -> Result<refresh_token::v3::Response> {
    let login = services.users.refresh(&request.refresh_token).await?;
    let mut response = refresh_token::v3::Response::new(login.access_token);
    response.refresh_token = login.refresh_token;
    response.expires_in_ms = login.expires_in;
    Ok(response)
}

/// `POST /_matrix/client/v3/logout`: the device goes too.
async fn logout(
    services: &Services,
    request: Incoming<logout::v3::Request>,
) -> Result<logout::v3::Response> {
    let sender = &request.auth;
    services.users.delete_devices(&sender.user_id, std::slice::from_ref(&sender.device_id)).await?;
    Ok(logout::v3::Response::new())
}

/// `POST /_matrix/client/v3/logout/all`
async fn logout_all(
    services: &Services,
    request: Incoming<logout_all::v3::Request>,
) -> Result<logout_all::v3::Response> {
    services.users.delete_other_devices(&request.auth.user_id, None).await?;
    Ok(logout_all::v3::Response::new())
}

/// `POST /_matrix/client/v1/login/get_token`
async fn get_token(
    services: &Services,
    request: Incoming<get_login_token::v1::Request>,
) -> Result<get_login_token::v1::Response> {
    let sender = &request.auth;
    uia::confirm(services, sender, "login/get_token", &(), request.request.auth.as_ref()).await?;
    let token = services.users.create_login_token(&sender.user_id).await?;
    Ok(get_login_token::v1::Response::new(LOGIN_TOKEN_LIFETIME, token))
}

/// `GET /_matrix/client/v3/login/sso/redirect`,
/// `GET /_matrix/client/v3/login/sso/redirect/{idpId}`: there is no identity provider.
async fn redirect(
    _: &Services,
    _: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    Err(Error::not_found("Nobody logs in by way of an identity provider here"))
}
