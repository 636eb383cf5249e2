//! spec: client-server §OpenID; server-server §OpenID

use std::rc::Rc;

use futures::FutureExt;
use http::{Method, StatusCode};
use ruma::{
    api::{
        client::account::request_openid_token::v3::{Request, Response},
        error::{ErrorKind, UnknownTokenErrorData},
    },
    authentication::TokenType,
};
use serde_json::json;

use super::{Body, Incoming, Router, json_response, query::parameter};
use crate::{Error, Homeserver, Result, users::OPENID_TOKEN_LIFETIME};

pub(super) fn routes(router: &mut Router) {
    router.add(request_token);
    let path = "/_matrix/federation/v1/openid/userinfo";
    router.add_raw(Method::GET, path, |server, request, _| get_user(server, request).boxed_local());
}

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
async fn request_token(server: &Homeserver, request: Incoming<Request>) -> Result<Response> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The token would be somebody else's"));
    }
    let token = server.users.create_openid_token(&request.user_id).await?;
    let server_name = server.config.server_name.clone();
    Ok(Response::new(token, TokenType::Bearer, server_name, OPENID_TOKEN_LIFETIME))
}

/// `GET /_matrix/federation/v1/openid/userinfo`: whom a token that was given out here speaks for.
async fn get_user(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>> {
    let query = request.uri().query().unwrap_or_default();
    let token = parameter(query.as_bytes(), "access_token").ok_or_else(Error::missing_token)?;
    let user_id = server.users.openid_user(&token).await?.ok_or_else(|| {
        Error::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::UnknownToken(UnknownTokenErrorData::new()),
            "The token is not known or has expired",
        )
    })?;
    json_response(&json!({ "sub": user_id }))
}
