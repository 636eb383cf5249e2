//! What an event means for the members of its room: for all at once, and for some one by one.

use std::collections::BTreeSet;

use ruma::{
    Int, OwnedEventId, OwnedUserId, UInt, UserId,
    events::{
        StateEventType,
        room::{
            create::RoomCreateEventContent, member::MembershipState,
            power_levels::RoomPowerLevelsEventContent,
        },
    },
    push::{
        Action, AnyPushRuleRef, PredefinedOverrideRuleId, PushConditionPowerLevelsCtx, Ruleset,
    },
    room_version_rules::RoomPowerLevelsRules,
};
use serde::Deserialize;

use super::{
    Push,
    conditions::{Context, Matchable},
};
use crate::{
    Result,
    rooms::{Event, Member, Pdu, Room},
};

/// What an event means.
pub(super) struct Meaning {
    pub(super) event: Event,
    /// The thread that it is in.
    pub(super) thread: Option<OwnedEventId>,
    /// With which actions everybody is notified who is joined; `None` for not at all.
    pub(super) common: Option<Vec<Action>>,
    /// For whom that does not hold.
    pub(super) except: BTreeSet<OwnedUserId>,
    /// Who of them is notified, and with which actions.
    pub(super) notified: Vec<(OwnedUserId, Vec<Action>)>,
}

impl Push {
    /// What an event of a room means; `None` when it is gone. `one_by_one` for all who are joined.
    pub(super) async fn evaluate(
        &self,
        room: &Room,
        event_id: &OwnedEventId,
        one_by_one: bool,
    ) -> Result<Option<Meaning>> {
        let Some(event) = room.event(event_id).await? else { return Ok(None) };
        let thread = room.thread_of(&event.pdu).await?;
        let (common, except, notified) = (None, BTreeSet::new(), Vec::new());
        let mut meaning = Meaning { event, thread, common, except, notified };
        if meaning.event.redacted_because.is_some() {
            return Ok(Some(meaning));
        }
        let pdu = meaning.event.pdu.clone();
        let Some(matchable) = Matchable::new(&pdu)? else { return Ok(Some(meaning)) };
        let mut asked = self.asked_one_by_one(room, &pdu).await?;
        if one_by_one {
            asked.extend(room.joined_members().await?);
        }
        asked.retain(|user_id| self.inner.rooms.is_local(user_id));
        let power_levels = match asked.is_empty() && !matchable.mentions_room() {
            true => None,
            false => power_levels(room).await?,
        };
        let context = Context {
            display_name: None,
            room_id: &pdu.room_id,
            member_count: UInt::new_saturating(room.joined_count().await?),
            power_levels: power_levels.as_ref(),
        };
        if !one_by_one {
            let rules = Ruleset::server_default(&pdu.sender);
            let common = rules.iter().filter(|rule| !names_its_user(*rule));
            meaning.common = actions(common, &matchable, &context);
        }
        for user_id in asked {
            let member = room.membership_of(&user_id).await?;
            let Some(member) = member.filter(|member| is_concerned(&pdu, &user_id, member)) else {
                continue;
            };
            let name = member.displayname.as_deref().unwrap_or(user_id.localpart());
            let context = Context { display_name: Some(name), ..context };
            let rules = self.rules(&user_id).await?;
            let own = match actions(rules.iter(), &matchable, &context) {
                Some(_) if self.ignores(&user_id, &pdu.sender).await? => None,
                own => own,
            };
            if !is_same(&own, &meaning.common) || member.membership != MembershipState::Join {
                meaning.notified.extend(own.map(|actions| (user_id.clone(), actions)));
                meaning.except.insert(user_id);
            }
        }
        meaning.except.insert(pdu.sender.clone());
        Ok(Some(meaning))
    }

    /// For whom an event may mean something else than for everybody. Some may not be in the room.
    async fn asked_one_by_one(&self, room: &Room, pdu: &Pdu) -> Result<BTreeSet<OwnedUserId>> {
        let individuals = self.inner.users.individuals().await?;
        // Whichever are fewer are gone through: the room's or the server's may be very many.
        let mut asked = if room.joined_count().await? < individuals.len() as u64 {
            let joined = room.joined_members().await?.into_iter();
            joined.filter(|user_id| individuals.contains(user_id)).collect()
        } else {
            BTreeSet::clone(&individuals)
        };
        asked.extend(mentioned(pdu));
        asked.extend(pdu.state_key.as_deref().and_then(|key| OwnedUserId::try_from(key).ok()));
        Ok(asked)
    }

    async fn ignores(&self, user_id: &UserId, sender: &UserId) -> Result<bool> {
        Ok(self.inner.users.ignored_users(user_id).await?.contains(sender))
    }
}

/// What the first rule says that an event meets, if it is to notify.
fn actions<'a>(
    mut rules: impl Iterator<Item = AnyPushRuleRef<'a>>,
    matchable: &Matchable,
    context: &Context<'_>,
) -> Option<Vec<Action>> {
    let rule = rules.find(|rule| matchable.meets(*rule, context))?;
    rule.actions().iter().any(Action::should_notify).then(|| rule.actions().to_vec())
}

fn is_same(a: &Option<Vec<Action>>, b: &Option<Vec<Action>>) -> bool {
    let json = |actions| serde_json::to_value(actions).ok();
    json(a) == json(b)
}

/// Whether a rule that everybody has by default is another for each.
fn names_its_user(rule: AnyPushRuleRef<'_>) -> bool {
    [PredefinedOverrideRuleId::InviteForMe, PredefinedOverrideRuleId::IsUserMention]
        .iter()
        .any(|naming| rule.rule_id() == naming.as_str())
}

/// Whether a member may be notified of an event. Who is invited is told of the invite.
fn is_concerned(pdu: &Pdu, user_id: &UserId, member: &Member) -> bool {
    match member.membership {
        MembershipState::Join => *user_id != pdu.sender,
        MembershipState::Invite => pdu.state_key.as_deref() == Some(user_id.as_str()),
        _ => false,
    }
}

/// Whom an event mentions. spec: client-server §User and room mentions
fn mentioned(pdu: &Pdu) -> impl Iterator<Item = OwnedUserId> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.mentions")]
        mentions: Mentions,
    }
    #[derive(Deserialize)]
    struct Mentions {
        user_ids: Vec<serde_json::Value>,
    }
    let content: Option<Content> = pdu.content_as();
    let user_ids = content.into_iter().flat_map(|content| content.mentions.user_ids);
    user_ids.filter_map(|user_id| OwnedUserId::try_from(user_id.as_str()?).ok())
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

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn the_rules_that_all_have_are_the_same_but_for_those_that_name_their_user() {
        let (a, b) = (user_id!("@a:neurite.test"), user_id!("@b:neurite.test"));
        let (a, b) = (Ruleset::server_default(a), Ruleset::server_default(b));
        assert_eq!(a.iter().count(), b.iter().count());
        for (a, b) in a.iter().zip(b.iter()) {
            assert_eq!(a.rule_id(), b.rule_id());
            let is_same = format!("{a:?}") == format!("{b:?}");
            assert_eq!(is_same, !names_its_user(a), "{}", a.rule_id());
        }
    }
}
