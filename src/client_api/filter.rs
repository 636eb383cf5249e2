//! spec: client-server §Filtering
//!
//! Filters are told as they were sent, whatever of them is known here.

use std::rc::Rc;

use futures::FutureExt;
use ruma::api::client::filter::{create_filter, get_filter};
use serde_json::{json, value::RawValue};

use super::{Body, Router, endpoint::read, json_response};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add_raw_for::<create_filter::v3::Request>(|server, request, args| {
        create(server, request, args).boxed_local()
    });
    router.add_raw_for::<get_filter::v3::Request>(|server, request, args| {
        get(server, request, args).boxed_local()
    });
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn create(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (request, body) = read::<create_filter::v3::Request>(server, request, args).await?;
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("Filters are made by the user whom they are for"));
    }
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let filter: &RawValue =
        serde_json::from_slice(body).map_err(|cause| Error::not_json(cause.to_string()))?;
    let id = server.users.create_filter(&request.user_id, filter).await?;
    json_response(&json!({ "filter_id": id }))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
async fn get(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (request, _) = read::<get_filter::v3::Request>(server, request, args).await?;
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The filter is somebody else's"));
    }
    let filter: Box<RawValue> = server.users.filter(&request.user_id, &request.filter_id).await?;
    json_response(&filter)
}
