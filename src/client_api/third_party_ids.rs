//! spec: client-server §Adding Account Administrative Contact Information: nothing here can send
//! mail or messages, so nobody has a third-party identifier.

use std::rc::Rc;

use futures::FutureExt;
use http::{Method, StatusCode};
use ruma::api::{
    IncomingRequest, Metadata,
    auth_scheme::AccessToken,
    client::account::{
        ThirdPartyIdRemovalStatus, add_3pid, bind_3pid, delete_3pid, get_3pids,
        request_3pid_management_token_via_email, request_3pid_management_token_via_msisdn,
        request_password_change_token_via_email, request_password_change_token_via_msisdn,
        request_registration_token_via_email, request_registration_token_via_msisdn, unbind_3pid,
    },
    error::ErrorKind,
    path_builder::PathBuilder,
};
use serde_json::json;

use super::{Authenticate, Body, Incoming, Router, endpoint::admit, json_response};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    for path in get_3pids::v3::Request::PATH_BUILDER.all_paths() {
        router.add_raw(Method::GET, path, |server, request, _| {
            get_all(server, request).boxed_local()
        });
        router.add_raw(Method::POST, path, |server, request, _| add(server, request).boxed_local());
    }
    router.add(denied::<request_registration_token_via_email::v3::Request>);
    router.add(denied::<request_registration_token_via_msisdn::v3::Request>);
    router.add(denied::<request_3pid_management_token_via_email::v3::Request>);
    router.add(denied::<request_3pid_management_token_via_msisdn::v3::Request>);
    router.add(denied::<add_3pid::v3::Request>);
    router.add(denied::<bind_3pid::v3::Request>);
    router.add(nobodys::<request_password_change_token_via_email::v3::Request>);
    router.add(nobodys::<request_password_change_token_via_msisdn::v3::Request>);
    router.add(delete);
    router.add(unbind);
}

/// `GET /_matrix/client/v3/account/3pid`. Ruma leaves an empty list out, which clients count on.
async fn get_all(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>> {
    AccessToken::authenticate(server, &request.map(|_| ())).await?;
    json_response(&json!({ "threepids": [] }))
}

/// `POST /_matrix/client/v3/account/3pid`, the deprecated one, of which ruma knows nothing.
async fn add(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>> {
    let session = AccessToken::authenticate(server, &request.map(|_| ())).await?;
    admit::<add_3pid::v3::Request>(server, Some(&session))?;
    Err(cant_verify())
}

/// `POST /_matrix/client/v3/register/email/requestToken` and all that would add an identifier.
async fn denied<R: IncomingRequest>(_: &Homeserver, _: Incoming<R>) -> Result<R::OutgoingResponse>
where
    R::Authentication: Authenticate,
{
    Err(cant_verify())
}

fn cant_verify() -> Error {
    Error::new(
        StatusCode::FORBIDDEN,
        ErrorKind::ThreepidDenied,
        "Third-party identifiers can't be verified here",
    )
}

/// `POST /_matrix/client/v3/account/password/email/requestToken` and its like.
async fn nobodys<R: IncomingRequest>(_: &Homeserver, _: Incoming<R>) -> Result<R::OutgoingResponse>
where
    R::Authentication: Authenticate,
{
    Err(Error::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::ThreepidNotFound,
        "Nobody has this third-party identifier",
    ))
}

/// `POST /_matrix/client/v3/account/3pid/delete`
async fn delete(
    _: &Homeserver,
    _: Incoming<delete_3pid::v3::Request>,
) -> Result<delete_3pid::v3::Response> {
    Ok(delete_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `POST /_matrix/client/v3/account/3pid/unbind`
async fn unbind(
    _: &Homeserver,
    _: Incoming<unbind_3pid::v3::Request>,
) -> Result<unbind_3pid::v3::Response> {
    Ok(unbind_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}
