//! Whether a user wants to be invited at all. spec: client-server §Invite permission

use ruma::{
    UserId,
    events::invite_permission_config::{
        InvitePermissionAction, InvitePermissionConfigEventContent,
    },
};

use super::Users;
use crate::Result;

impl Users {
    /// Whether a user lets nobody invite them.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn blocks_invites(&self, user_id: &UserId) -> Result<bool> {
        let content = self.account_data(user_id, None, "m.invite_permission_config").await?;
        let content = content.and_then(|json| {
            serde_json::from_str::<InvitePermissionConfigEventContent>(json.get()).ok()
        });
        let action = content.and_then(|content| content.default_action);
        Ok(action == Some(InvitePermissionAction::Block))
    }
}
