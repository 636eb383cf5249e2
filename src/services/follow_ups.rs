//! Does what follows a commit: within the request, or where that was ended, afterwards.

use ruma::{RoomId, UserId, events::room::member::MembershipState};

use super::Services;
use crate::{
    Error, Result,
    follow_ups::{FollowUp, Recorded},
    rooms,
};

impl Services {
    /// Does what follows a commit, and takes it off.
    ///
    /// # Errors
    /// When the store fails; then it is still recorded.
    pub async fn follow_up(&self, recorded: Recorded) -> Result<()> {
        match &recorded.follow_up {
            FollowUp::LeaveRooms { user_id, erase } => {
                self.leave_rooms(user_id).await?;
                if *erase {
                    // Until they had left, they were notified, and their leaving is counted.
                    self.push.catch_up().await;
                    self.users.erase_rest(user_id).await?;
                }
            }
            FollowUp::ShowProfile { user_id } => self.show_profile(user_id).await?,
            FollowUp::TurnGuestsOut { room_id } => self.turn_guests_out(room_id).await?,
            FollowUp::DropAlias { user_id, room_id, alias } => {
                self.rooms.drop_alias(user_id, room_id, alias).await?;
            }
        }
        Ok(recorded.done(&self.store).await?)
    }

    /// Leaves every room that a user is in and rejects every invite; a room that can't be left
    /// keeps them. spec: client-server §POST /account/deactivate
    async fn leave_rooms(&self, user_id: &UserId) -> Result<()> {
        for room in self.rooms.memberships(user_id).await?.values() {
            let inside = [MembershipState::Join, MembershipState::Invite, MembershipState::Knock];
            if inside.contains(&room.membership) {
                self.leave_if_allowed(user_id, &room.room_id, None).await?;
            }
        }
        Ok(())
    }

    /// Shows a name and avatar in the user's rooms and with their presence. spec: client-server
    /// §Events on Change of Profile Information
    async fn show_profile(&self, user_id: &UserId) -> Result<()> {
        let profile = self.users.profile(user_id).await?;
        let shown = rooms::Profile {
            displayname: profile.display_name().map(str::to_owned),
            avatar_url: profile.avatar_url(),
        };
        self.rooms.update_profile(user_id, &shown).await?;
        self.sync.presence().renamed(user_id).await
    }

    /// Makes the guests of a room leave it, if it does not let guests in. spec: client-server
    /// §Guest Access
    async fn turn_guests_out(&self, room_id: &RoomId) -> Result<()> {
        let room = self.rooms.room(room_id).await?;
        if room.lets_guests_in().await? {
            return Ok(());
        }
        for user_id in room.joined_members().await? {
            let account = self.users.account(&user_id).await?;
            if account.is_some_and(|account| account.guest) {
                let reason = "The room no longer lets guests in".to_owned();
                self.leave_if_allowed(&user_id, room_id, Some(reason)).await?;
            }
        }
        Ok(())
    }

    async fn leave_if_allowed(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        reason: Option<String>,
    ) -> Result<()> {
        match self.rooms.leave(user_id, room_id, reason).await {
            // Such as one who was banned meanwhile.
            Err(Error::Matrix(error)) if error.status_code.is_client_error() => Ok(()),
            outcome => outcome,
        }
    }
}
