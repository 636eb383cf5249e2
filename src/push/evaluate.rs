//! What an event means for each member of its room.

use ruma::{
    Int, OwnedEventId, OwnedUserId,
    events::{
        StateEventType,
        room::{
            create::RoomCreateEventContent, member::MembershipState,
            power_levels::RoomPowerLevelsEventContent,
        },
    },
    push::{Action, PushConditionPowerLevelsCtx},
    room_version_rules::RoomPowerLevelsRules,
};

use super::{
    Push,
    conditions::{Context, Matchable},
    counts::unread_key,
};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Pdu, Room},
    store::Table,
};

/// What an event means.
pub(super) struct Meaning {
    pub(super) event: Event,
    /// The thread that it is in.
    pub(super) thread: Option<OwnedEventId>,
    /// Who is notified, and with which actions.
    pub(super) notified: Vec<(OwnedUserId, Vec<Action>)>,
    /// For a redaction, where the redacted event is, and who has not read it.
    pub(super) withdrawn: (Position, Vec<OwnedUserId>),
    /// Who is no longer in the room, and so has nothing to read there.
    pub(super) gone: Option<OwnedUserId>,
}

impl Meaning {
    /// The users whose counts it may change.
    pub(super) fn users(&self) -> impl Iterator<Item = &OwnedUserId> {
        let notified = self.notified.iter().map(|(user_id, _)| user_id);
        notified.chain([&self.event.pdu.sender]).chain(&self.withdrawn.1).chain(&self.gone)
    }
}

impl Push {
    /// What an event of a room means; `None` when it is gone.
    pub(super) async fn evaluate(
        &self,
        room: &Room,
        event_id: &OwnedEventId,
    ) -> Result<Option<Meaning>> {
        let Some(event) = room.event(event_id).await? else { return Ok(None) };
        let thread = room.thread_of(&event.pdu).await?;
        let gone = gone(&event.pdu);
        let withdrawn = self.withdrawn(room, &event.pdu).await?;
        let mut meaning = Meaning { event, thread, notified: Vec::new(), withdrawn, gone };
        if meaning.event.redacted_because.is_some() {
            return Ok(Some(meaning));
        }
        let pdu = &meaning.event.pdu;
        let Some(matchable) = Matchable::new(pdu)? else { return Ok(Some(meaning)) };
        let members = room.members().await?;
        let joined = members.values().filter(|member| member.membership == MembershipState::Join);
        let member_count = joined.count();
        let power_levels = power_levels(room).await?;
        for (user_id, member) in members.iter() {
            // Someone who is invited is told of the invite.
            let concerned = match member.membership {
                MembershipState::Join => true,
                MembershipState::Invite => pdu.state_key.as_deref() == Some(user_id.as_str()),
                _ => false,
            };
            if !concerned || *user_id == pdu.sender || !self.inner.rooms.is_local(user_id) {
                continue;
            }
            let context = Context {
                user_id,
                display_name: member.displayname.as_deref().unwrap_or(user_id.localpart()),
                room_id: &pdu.room_id,
                member_count: u32::try_from(member_count).unwrap_or(u32::MAX).into(),
                power_levels: power_levels.as_ref(),
            };
            let rules = self.rules(user_id).await?;
            let rule = rules.iter().find(|rule| matchable.meets(*rule, &context));
            let actions = rule.map(|rule| rule.actions().to_vec()).unwrap_or_default();
            if actions.iter().any(Action::should_notify)
                && !self.inner.users.ignored_users(user_id).await?.contains(&pdu.sender)
            {
                meaning.notified.push((user_id.clone(), actions));
            }
        }
        Ok(Some(meaning))
    }

    /// Where the event is that a redaction withdraws, and who has not read it.
    async fn withdrawn(&self, room: &Room, pdu: &Pdu) -> Result<(Position, Vec<OwnedUserId>)> {
        let Some(redacts) = &pdu.redacts else { return Ok(Default::default()) };
        let target = room.event(redacts).await?.filter(|target| target.redacted_because.is_some());
        let Some(target) = target else { return Ok(Default::default()) };
        let mut users = Vec::new();
        for user_id in room.members().await?.keys() {
            let key = unread_key(user_id, room.id(), target.position);
            if self.inner.store.get(Table::Unread, key).await?.is_some() {
                users.push(user_id.clone());
            }
        }
        Ok((target.position, users))
    }
}

/// Whom a membership event takes out of the room.
fn gone(pdu: &Pdu) -> Option<OwnedUserId> {
    let gone = matches!(pdu.membership()?, MembershipState::Leave | MembershipState::Ban);
    OwnedUserId::try_from(pdu.state_key.as_deref()?).ok().filter(|_| gone)
}

/// What rules ask of a room's power levels.
async fn power_levels(room: &Room) -> Result<Option<PushConditionPowerLevelsCtx>> {
    let levels = room
        .state_content::<RoomPowerLevelsEventContent>(&StateEventType::RoomPowerLevels, "")
        .await?;
    let Some(levels) = levels else { return Ok(None) };
    let create = room.state_event(&StateEventType::RoomCreate, "").await?;
    let additional = room
        .state_content::<RoomCreateEventContent>(&StateEventType::RoomCreate, "")
        .await?
        .map(|create| create.additional_creators);
    let creators = create
        .map(|create| create.sender.clone())
        .into_iter()
        .chain(additional.into_iter().flatten());
    let rules = RoomPowerLevelsRules::new(&room.rules().authorization, creators);
    let users_default: Int = levels.users_default;
    Ok(Some(PushConditionPowerLevelsCtx::new(
        levels.users,
        users_default,
        levels.notifications,
        rules,
    )))
}
