//! spec: client-server §Filtering
//!
//! Filters are told as they were sent, whatever of them is known here.

use std::rc::Rc;

use futures::FutureExt;
use http::Method;
use ruma::api::{
    Metadata,
    client::filter::{create_filter, get_filter},
    path_builder::PathBuilder,
};
use serde_json::{json, value::RawValue};

use super::{Body, Router, json_response, router::read};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    for path in create_filter::v3::Request::PATH_BUILDER.all_paths() {
        router.add_raw(Method::POST, path, |server, request, args| {
            create(server, request, args).boxed_local()
        });
    }
    for path in get_filter::v3::Request::PATH_BUILDER.all_paths() {
        router.add_raw(Method::GET, path, |server, request, args| {
            get(server, request, args).boxed_local()
        });
    }
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn create(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (request, body) = read::<create_filter::v3::Request>(server, request, &args, None).await?;
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
    let (request, _) = read::<get_filter::v3::Request>(server, request, &args, None).await?;
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The filter is somebody else's"));
    }
    let filter: Box<RawValue> = server.users.filter(&request.user_id, &request.filter_id).await?;
    json_response(&filter)
}
