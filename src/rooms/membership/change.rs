//! Joining, leaving, inviting and the rest. spec: client-server §Room membership

use ruma::{
    OwnedMxcUri, OwnedUserId, RoomId, UserId,
    events::{StateEventType, room::member::MembershipState},
    room::{AllowRule, JoinRule},
    serde::JsonObject,
    state_res::events::RoomPowerLevelsIntField,
};
use serde::{Deserialize, Serialize};

use super::USER_ROOMS;
use crate::{
    Error, Result,
    rooms::{NewEvent, Room, Rooms},
    store::Batch,
};

/// What a membership event shows of its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Their name.
    pub displayname: Option<String>,
    /// Their picture.
    pub avatar_url: Option<OwnedMxcUri>,
}

/// The content of a membership event of this server's making.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::rooms) struct MemberContent {
    membership: MembershipState,
    #[serde(skip_serializing_if = "Option::is_none")]
    displayname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<OwnedMxcUri>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::rooms) is_direct: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the user's client adds.
    #[serde(flatten)]
    extra: JsonObject,
}

/// What only the server writes into the content of a join.
const OWN_KEYS: [&str; 5] =
    ["reason", "third_party_signed", "membership", "displayname", "avatar_url"];

impl MemberContent {
    pub(in crate::rooms) fn new(membership: MembershipState) -> Self {
        Self {
            membership,
            displayname: None,
            avatar_url: None,
            is_direct: None,
            reason: None,
            extra: JsonObject::new(),
        }
    }

    pub(in crate::rooms) fn with_profile(self, profile: Profile) -> Self {
        Self { displayname: profile.displayname, avatar_url: profile.avatar_url, ..self }
    }

    fn with_reason(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// The event that sets it for a user.
    pub(in crate::rooms) fn event(&self, user_id: &UserId) -> Result<NewEvent> {
        NewEvent::state_of(StateEventType::RoomMember, user_id.as_str(), self)
    }
}

impl Rooms {
    /// Joins a user; does nothing for one who is joined.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the room does not let them in, 404 `M_NOT_FOUND` when this server
    /// does not know the room.
    pub async fn join(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        profile: Profile,
        reason: Option<String>,
    ) -> Result<()> {
        self.join_with(user_id, room_id, profile, reason, JsonObject::new()).await
    }

    /// The same with more for the content of the membership event.
    ///
    /// # Errors
    /// As [`Rooms::join`]; 400 `M_BAD_JSON` for what no event can have.
    pub async fn join_with(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        profile: Profile,
        reason: Option<String>,
        mut extra: JsonObject,
    ) -> Result<()> {
        let current = self.current_membership(room_id, user_id).await?;
        if current == Some(MembershipState::Join) {
            return Ok(());
        }
        extra.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
        let mut content =
            MemberContent::new(MembershipState::Join).with_profile(profile).with_reason(reason);
        content.extra = extra;
        self.set_membership(user_id, room_id, user_id, content).await
    }

    /// Finds who vouches for a join that needs it, by whichever endpoint it was asked for.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when nobody does.
    pub(in crate::rooms) async fn vouch(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        new: NewEvent,
    ) -> Result<NewEvent> {
        if new.membership() != Some((sender, MembershipState::Join)) {
            return Ok(new);
        }
        let inside = [MembershipState::Join, MembershipState::Invite];
        if self.current_membership(room_id, sender).await?.is_some_and(|is| inside.contains(&is)) {
            return Ok(new);
        }
        match self.join_authorised_by(&self.room(room_id).await?, sender).await? {
            Some(user_id) => new.vouched_for(&user_id),
            None => Ok(new),
        }
    }

    /// Who vouches for the join of a user to a restricted room; `None` when nobody has to.
    /// spec: room version 8 §Restricted rooms
    async fn join_authorised_by(
        &self,
        room: &Room,
        user_id: &UserId,
    ) -> Result<Option<OwnedUserId>> {
        if !room.rules().authorization.restricted_join_rule {
            return Ok(None);
        }
        let rule: Option<JoinRule> = room
            .state_content::<ruma::events::room::join_rules::RoomJoinRulesEventContent>(
                &StateEventType::RoomJoinRules,
                "",
            )
            .await?
            .map(|content| content.join_rule);
        let (Some(JoinRule::Restricted(restricted)) | Some(JoinRule::KnockRestricted(restricted))) =
            rule
        else {
            return Ok(None);
        };
        let mut allowed = false;
        for rule in &restricted.allow {
            if let AllowRule::RoomMembership(membership) = rule {
                let joined = self.membership(user_id, &membership.room_id).await?;
                allowed |= joined.is_some_and(|room| room.membership == MembershipState::Join);
            }
        }
        if !allowed {
            return Err(Error::forbidden(
                "You are in none of the rooms whose members may join this room",
            ));
        }
        let levels = room.power_levels().await?;
        let members = room.members().await?;
        members
            .iter()
            .find(|(user_id, member)| {
                member.membership == MembershipState::Join
                    && self.is_local(user_id)
                    && levels.allow(user_id, RoomPowerLevelsIntField::Invite)
            })
            .map(|(user_id, _)| Some(user_id.clone()))
            .ok_or_else(|| Error::forbidden("No member of this server may let you into the room"))
    }

    /// Invites a user. `profile` is theirs.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the room does not allow it, or they are joined or banned.
    pub async fn invite(
        &self,
        sender: &UserId,
        room_id: &RoomId,
        user_id: &UserId,
        profile: Profile,
        reason: Option<String>,
    ) -> Result<()> {
        let content =
            MemberContent::new(MembershipState::Invite).with_profile(profile).with_reason(reason);
        self.set_membership(sender, room_id, user_id, content).await
    }

    /// Asks to be invited. spec: client-server §Knocking on rooms
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the room does not allow it.
    pub async fn knock(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        profile: Profile,
        reason: Option<String>,
    ) -> Result<()> {
        let content =
            MemberContent::new(MembershipState::Knock).with_profile(profile).with_reason(reason);
        self.set_membership(user_id, room_id, user_id, content).await
    }

    /// Leaves a room, rejects an invite or takes back a knock; does nothing for one who left.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` for one who is banned or never had to do with the room.
    pub async fn leave(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        reason: Option<String>,
    ) -> Result<()> {
        if self.current_membership(room_id, user_id).await? == Some(MembershipState::Leave) {
            return Ok(());
        }
        let content = MemberContent::new(MembershipState::Leave).with_reason(reason);
        self.set_membership(user_id, room_id, user_id, content).await
    }

    /// Removes a user from a room.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the sender may not, or there is nobody to remove.
    pub async fn kick(
        &self,
        sender: &UserId,
        room_id: &RoomId,
        user_id: &UserId,
        reason: Option<String>,
    ) -> Result<()> {
        match self.current_membership(room_id, user_id).await? {
            None | Some(MembershipState::Leave) => {
                return Err(Error::forbidden("The user is not in the room"));
            }
            // A leave would lift the ban, and that is not what was asked for.
            Some(MembershipState::Ban) => {
                return Err(Error::forbidden("The user is banned from the room"));
            }
            _ => {}
        }
        let content = MemberContent::new(MembershipState::Leave).with_reason(reason);
        self.set_membership(sender, room_id, user_id, content).await
    }

    /// Bans a user from a room.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the sender may not.
    pub async fn ban(
        &self,
        sender: &UserId,
        room_id: &RoomId,
        user_id: &UserId,
        reason: Option<String>,
    ) -> Result<()> {
        let content = MemberContent::new(MembershipState::Ban).with_reason(reason);
        self.set_membership(sender, room_id, user_id, content).await
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the sender may not, or the user is not banned.
    pub async fn unban(
        &self,
        sender: &UserId,
        room_id: &RoomId,
        user_id: &UserId,
        reason: Option<String>,
    ) -> Result<()> {
        if self.current_membership(room_id, user_id).await? != Some(MembershipState::Ban) {
            return Err(Error::forbidden("The user is not banned from the room"));
        }
        let content = MemberContent::new(MembershipState::Leave).with_reason(reason);
        self.set_membership(sender, room_id, user_id, content).await
    }

    /// Forgets a room that the user is no longer in. spec: client-server §POST forget
    ///
    /// # Errors
    /// 400 `M_UNKNOWN` when the user is still in the room.
    pub async fn forget(&self, user_id: &UserId, room_id: &RoomId) -> Result<()> {
        let Some(mut room) = self.membership(user_id, room_id).await? else {
            return Err(Error::not_found("You have never had to do with the room"));
        };
        if !matches!(room.membership, MembershipState::Leave | MembershipState::Ban) {
            return Err(Error::new(
                http::StatusCode::BAD_REQUEST,
                ruma::api::error::ErrorKind::Unknown,
                "You are still in the room",
            ));
        }
        room.forgotten = true;
        let mut batch = Batch::new();
        USER_ROOMS.put(&mut batch, (user_id, room_id), &room)?;
        let (rooms, user_id, room_id) = (self.clone(), user_id.to_owned(), room_id.to_owned());
        batch.on_durable(move || rooms.update_user_rooms(vec![(user_id, room_id, Some(room))]));
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Shows a new profile in all rooms that a user is joined to.
    ///
    /// # Errors
    /// When the store fails; a room that does not allow it keeps the old profile.
    pub async fn update_profile(&self, user_id: &UserId, profile: &Profile) -> Result<()> {
        let rooms = self.joined_rooms(user_id).await?;
        let updates = rooms.iter().map(|room_id| self.update_profile_in(user_id, room_id, profile));
        for outcome in futures::future::join_all(updates).await {
            match outcome {
                Err(Error::Matrix(error)) if error.status_code.is_client_error() => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn update_profile_in(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        profile: &Profile,
    ) -> Result<()> {
        let room = self.room(room_id).await?;
        let current = room.state_event(&StateEventType::RoomMember, user_id.as_str()).await?;
        let Some(mut content) = current.and_then(|pdu| pdu.content_as::<JsonObject>()) else {
            return Ok(());
        };
        // What was said of the join is not said of what follows.
        content.remove("reason");
        for (key, value) in [
            ("displayname", profile.displayname.clone()),
            ("avatar_url", profile.avatar_url.as_ref().map(ToString::to_string)),
        ] {
            match value {
                Some(value) => content.insert(key.to_owned(), value.into()),
                None => content.remove(key),
            };
        }
        let event = NewEvent::state_of(StateEventType::RoomMember, user_id.as_str(), &content)?;
        self.append(room_id, user_id, event).await.map(drop)
    }

    async fn set_membership(
        &self,
        sender: &UserId,
        room_id: &RoomId,
        user_id: &UserId,
        content: MemberContent,
    ) -> Result<()> {
        self.append(room_id, sender, content.event(user_id)?).await.map(drop)
    }

    async fn current_membership(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Result<Option<MembershipState>> {
        let member = self.room(room_id).await?.membership_of(user_id).await?;
        Ok(member.map(|member| member.membership))
    }
}
