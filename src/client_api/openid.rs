//! spec: client-server §OpenID; server-server §OpenID

use http::{Method, StatusCode};
use ruma::{
    api::{
        client::account::request_openid_token::v3::{Request, Response},
        error::{ErrorKind, UnknownTokenErrorData},
    },
    authentication::TokenType,
};
use serde_json::json;

use super::{Incoming, Routes};
use crate::{
    Error, Result, Services,
    http::{Body, json_response, parameter},
    users::OPENID_TOKEN_LIFETIME,
};

pub(super) fn routes(routes: &mut Routes) {
    // Ruma's type has no body, which is to be JSON all the same.
    routes.add_completed(request_token, |_| Ok(()));
    let path = "/_matrix/federation/v1/openid/userinfo";
    routes.add_raw(Method::GET, path, get_user);
}

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
async fn request_token(services: &Services, request: Incoming<Request>) -> Result<Response> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The token would be somebody else's"));
    }
    let token = services.users.create_openid_token(&request.user_id).await?;
    let server_name = services.config.server_name.clone();
    Ok(Response::new(token, TokenType::Bearer, server_name, OPENID_TOKEN_LIFETIME))
}

/// `GET /_matrix/federation/v1/openid/userinfo`: whom a token that was given out here speaks for.
async fn get_user(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    let query = request.uri().query().unwrap_or_default();
    let token = parameter(query.as_bytes(), "access_token").ok_or_else(Error::missing_token)?;
    let user_id = services.users.openid_user(&token).await?.ok_or_else(|| {
        Error::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::UnknownToken(UnknownTokenErrorData::new()),
            "The token is not known or has expired",
        )
    })?;
    json_response(&json!({ "sub": user_id }))
}
