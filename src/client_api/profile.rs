//! spec: client-server §Profiles

use ruma::{
    UserId,
    api::client::profile::{
        delete_profile_field, get_profile, get_profile_field, set_profile_field,
    },
};
use serde_json::{Value, json};

use super::{Incoming, Routes, api::ClientApi, guests};
use crate::{
    Error, Result, Services,
    http::{Body, admit, bodies, json_response},
    users::{Profile, Session},
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_profile);
    routes.add_raw_for::<get_profile_field::v3::Request>(get_field);
    routes.add_raw_for::<set_profile_field::v3::Request>(set_field);
    routes.add(delete_field);
}

fn no_profile() -> Error {
    Error::not_found("There is no such user or no such field")
}

/// The profile of somebody who has or had an account here.
async fn profile(services: &Services, user_id: &UserId) -> Result<Profile> {
    services.users.account(user_id).await?.ok_or_else(no_profile)?;
    services.users.profile(user_id).await
}

/// `GET /_matrix/client/v3/profile/{userId}`
async fn get_profile(
    services: &Services,
    request: Incoming<get_profile::v3::Request>,
) -> Result<get_profile::v3::Response> {
    Ok(profile(services, &request.user_id).await?.into_fields().collect())
}

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}`
async fn get_field(
    services: &Services,
    _: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let (user_id, field) = path(&args)?;
    let profile = profile(services, user_id).await?;
    let value = profile.get(field).ok_or_else(no_profile)?;
    json_response(&json!({ field: value }))
}

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}`; ruma's type takes no `null`, by which
/// older clients remove a name.
async fn set_field(
    services: &Services,
    request: http::Request<Body>,
    args: Vec<String>,
) -> Result<http::Response<Body>> {
    let sender = admit::<ClientApi, set_profile_field::v3::Request>(services, &request).await?;
    let (user_id, field) = path(&args)?;
    check_owner(&sender, user_id, field)?;
    let value = bodies::object(&request).await?.remove(field);
    let value = value.ok_or_else(|| Error::missing_param("The field has no value"))?;
    set(services, user_id, field, Some(value)).await?;
    json_response(&json!({}))
}

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
async fn delete_field(
    services: &Services,
    request: Incoming<delete_profile_field::v3::Request>,
) -> Result<delete_profile_field::v3::Response> {
    check_owner(&request.auth, &request.user_id, request.field.as_str())?;
    set(services, &request.user_id, request.field.as_str(), None).await?;
    Ok(delete_profile_field::v3::Response::new())
}

/// A profile is its user's to change; guests have a name only. spec: client-server §Guest Access
fn check_owner(sender: &Session, user_id: &UserId, field: &str) -> Result<()> {
    if sender.user_id != *user_id {
        return Err(Error::forbidden("The profile is somebody else's"));
    }
    if sender.guest && field != "displayname" {
        return Err(guests::forbidden());
    }
    Ok(())
}

/// Sets a field, and shows a new name or avatar in the user's rooms.
async fn set(
    services: &Services,
    user_id: &UserId,
    field: &str,
    value: Option<Value>,
) -> Result<()> {
    match services.users.set_profile_field(user_id, field, value).await? {
        Some(rest) => services.follow_up(rest).await,
        None => Ok(()),
    }
}

fn path(args: &[String]) -> Result<(&UserId, &str)> {
    // The paths that are registered have two variables.
    let [user_id, field] = args else { return Err(no_profile()) };
    let user_id = <&UserId>::try_from(user_id.as_str())
        .map_err(|cause| Error::invalid_param(cause.to_string()))?;
    Ok((user_id, field))
}
