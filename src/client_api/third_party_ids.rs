//! spec: client-server §Adding Account Administrative Contact Information: nothing here can send
//! mail or messages, so nobody has a third-party identifier.

use http::{Method, StatusCode};
use ruma::api::{
    IncomingRequest, Metadata,
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

use super::{Incoming, Routes, api::ClientApi};
use crate::{
    Error, Result, Services, enumerations,
    http::{Authenticate, Body, Sent, admit, bodies, json_response},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_with_sent(get_all);
    for path in get_3pids::v3::Request::PATH_BUILDER.all_paths() {
        routes.add_raw(Method::POST, path, add);
    }
    routes.add(denied::<request_registration_token_via_email::v3::Request>);
    routes.add(denied::<request_registration_token_via_msisdn::v3::Request>);
    routes.add(denied::<request_3pid_management_token_via_email::v3::Request>);
    routes.add(denied::<request_3pid_management_token_via_msisdn::v3::Request>);
    routes.add(denied::<add_3pid::v3::Request>);
    routes.add(denied::<bind_3pid::v3::Request>);
    routes.add(nobodys::<request_password_change_token_via_email::v3::Request>);
    routes.add(nobodys::<request_password_change_token_via_msisdn::v3::Request>);
    routes.add(delete);
    routes.add(unbind);
}

/// `GET /_matrix/client/v3/account/3pid`. Ruma leaves an empty list out, which clients count on.
async fn get_all(
    _: &Services,
    _: Incoming<get_3pids::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    json_response(&json!({ "threepids": [] }))
}

/// `POST /_matrix/client/v3/account/3pid`, the deprecated one, of which ruma knows nothing.
async fn add(
    services: &Services,
    request: http::Request<Body>,
    _: Vec<String>,
) -> Result<http::Response<Body>> {
    admit::<ClientApi, add_3pid::v3::Request>(services, &request).await?;
    bodies::object(&request).await?;
    Err(cant_verify())
}

/// All that would add an identifier: `POST /_matrix/client/v3/register/email/requestToken`,
/// `POST /_matrix/client/v3/register/msisdn/requestToken`,
/// `POST /_matrix/client/v3/account/3pid/email/requestToken`,
/// `POST /_matrix/client/v3/account/3pid/msisdn/requestToken`,
/// `POST /_matrix/client/v3/account/3pid/add`, `POST /_matrix/client/v3/account/3pid/bind`
async fn denied<R: IncomingRequest>(_: &Services, _: Incoming<R>) -> Result<R::OutgoingResponse>
where
    R::Authentication: Authenticate<ClientApi>,
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

/// `POST /_matrix/client/v3/account/password/email/requestToken`,
/// `POST /_matrix/client/v3/account/password/msisdn/requestToken`
async fn nobodys<R: IncomingRequest>(_: &Services, _: Incoming<R>) -> Result<R::OutgoingResponse>
where
    R::Authentication: Authenticate<ClientApi>,
{
    Err(Error::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::ThreepidNotFound,
        "Nobody has this third-party identifier",
    ))
}

/// `POST /_matrix/client/v3/account/3pid/delete`
async fn delete(
    _: &Services,
    request: Incoming<delete_3pid::v3::Request>,
) -> Result<delete_3pid::v3::Response> {
    enumerations::check("medium", [&request.medium])?;
    Ok(delete_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `POST /_matrix/client/v3/account/3pid/unbind`
async fn unbind(
    _: &Services,
    request: Incoming<unbind_3pid::v3::Request>,
) -> Result<unbind_3pid::v3::Response> {
    enumerations::check("medium", [&request.medium])?;
    Ok(unbind_3pid::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}
