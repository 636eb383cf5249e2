//! spec: client-server §Filtering
//!
//! Filters are told as they were sent, whatever of them is known here.

use ruma::api::client::filter::{create_filter, get_filter};
use serde_json::{json, value::RawValue};

use super::{Incoming, Routes};
use crate::{
    Error, Result, Services, enumerations,
    http::{Body, Sent, json_response},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_with_sent(create);
    routes.add_with_sent(get);
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn create(
    services: &Services,
    request: Incoming<create_filter::v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("Filters are made by the user whom they are for"));
    }
    enumerations::check("event_format", [&request.filter.event_format])?;
    let body: &[u8] = if sent.body.is_empty() { b"{}" } else { &sent.body };
    let filter: &RawValue =
        serde_json::from_slice(body).map_err(|cause| Error::not_json(cause.to_string()))?;
    let id = services.users.create_filter(&request.user_id, filter).await?;
    json_response(&json!({ "filter_id": id }))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
async fn get(
    services: &Services,
    request: Incoming<get_filter::v3::Request>,
    _: Sent,
) -> Result<http::Response<Body>> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The filter is somebody else's"));
    }
    let filter: Box<RawValue> = services.users.filter(&request.user_id, &request.filter_id).await?;
    json_response(&filter)
}
