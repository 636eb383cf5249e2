//! spec: client-server §Account management

use ruma::api::client::account::{ThirdPartyIdRemovalStatus, change_password, deactivate, whoami};

use super::{Incoming, Routes, uia};
use crate::{Error, Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    uia::add(routes, change_password);
    uia::add(routes, deactivate);
    routes.add(whoami);
}

/// `POST /_matrix/client/v3/account/password`
async fn change_password(
    services: &Services,
    request: Incoming<change_password::v3::Request>,
) -> Result<change_password::v3::Response> {
    // Without a session only a third-party identifier could tell whose password it is.
    let sender = request.auth.as_ref().ok_or_else(Error::missing_token)?;
    let asked = &request.request;
    uia::confirm(
        services,
        sender,
        "account/password",
        &(&asked.new_password, asked.logout_devices),
        asked.auth.as_ref(),
    )
    .await?;
    let keep = asked.logout_devices.then_some(&*sender.device_id);
    services.users.set_password(&sender.user_id, &asked.new_password, keep).await?;
    Ok(change_password::v3::Response::new())
}

/// `POST /_matrix/client/v3/account/deactivate`
async fn deactivate(
    services: &Services,
    request: Incoming<deactivate::v3::Request>,
) -> Result<deactivate::v3::Response> {
    let sender = request.auth.as_ref().ok_or_else(Error::missing_token)?;
    let asked = &request.request;
    uia::confirm(services, sender, "account/deactivate", &asked.erase, asked.auth.as_ref()).await?;
    let rest = services.users.deactivate(&sender.user_id, asked.erase).await?;
    if let Err(cause) = services.follow_up(rest).await {
        // The account is gone and nobody can ask again; what was recorded is done later.
        tracing::warn!("the rooms of {} are left later: {cause}", sender.user_id);
    }
    Ok(deactivate::v3::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `GET /_matrix/client/v3/account/whoami`
async fn whoami(
    _: &Services,
    request: Incoming<whoami::v3::Request>,
) -> Result<whoami::v3::Response> {
    let sender = request.auth;
    let mut response = whoami::v3::Response::new(sender.user_id, sender.guest);
    response.device_id = Some(sender.device_id);
    Ok(response)
}
