//! spec: client-server §Capabilities negotiation

use ruma::api::client::discovery::get_capabilities::v3::{
    AccountModerationCapability, Capabilities, GetLoginTokenCapability, ProfileFieldsCapability,
    Request, Response, RoomVersionStability, RoomVersionsCapability, ThirdPartyIdChangesCapability,
};

use super::{Incoming, Routes, admin::is_admin};
use crate::{Result, Services, rooms::ROOM_VERSIONS};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_capabilities);
}

/// `GET /_matrix/client/v3/capabilities`
async fn get_capabilities(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let mut capabilities = Capabilities::new();
    let has_password = services.users.has_password(&request.auth.user_id).await?;
    capabilities.change_password.enabled = has_password;
    capabilities.get_login_token = GetLoginTokenCapability::new(has_password);
    let versions = ROOM_VERSIONS.map(|version| (version, RoomVersionStability::Stable));
    capabilities.room_versions = RoomVersionsCapability::new(
        services.config.default_room_version.clone(),
        versions.into_iter().collect(),
    );
    capabilities.thirdparty_id_changes = ThirdPartyIdChangesCapability::new(false);
    let moderates = is_admin(services, &request.auth.user_id);
    capabilities.account_moderation = AccountModerationCapability::new(moderates, moderates);
    capabilities.profile_fields = Some(ProfileFieldsCapability::new(true));
    Ok(Response::new(capabilities))
}
