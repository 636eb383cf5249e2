//! spec: client-server §Filtering

use ruma::api::client::filter::{create_filter, get_filter};

use super::{Incoming, Router};
use crate::{Error, Homeserver, Result};

pub(super) fn routes(router: &mut Router) {
    router.add(create_filter);
    router.add(get_filter);
}

/// `POST /_matrix/client/v3/user/{userId}/filter`
async fn create_filter(
    server: &Homeserver,
    request: Incoming<create_filter::v3::Request>,
) -> Result<create_filter::v3::Response> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("Filters are made by the user whom they are for"));
    }
    let id = server.users.create_filter(&request.user_id, &request.filter).await?;
    Ok(create_filter::v3::Response::new(id))
}

/// `GET /_matrix/client/v3/user/{userId}/filter/{filterId}`
async fn get_filter(
    server: &Homeserver,
    request: Incoming<get_filter::v3::Request>,
) -> Result<get_filter::v3::Response> {
    if request.auth.user_id != request.user_id {
        return Err(Error::forbidden("The filter is somebody else's"));
    }
    let filter = server.users.filter(&request.user_id, &request.filter_id).await?;
    Ok(get_filter::v3::Response::new(filter))
}
