//! Who joins the replacement of a room finds there what they had set for the room before.
//! spec: client-server §Room Upgrades: Server behaviour
//!
//! It is done here because what comes after the join is to be counted by the rules that are carried
//! over with it. An event may be worked on again, so nothing that is there already is changed.

use ruma::{
    EventId, OwnedUserId, RoomId, UserId,
    events::{
        StateEventType,
        room::{
            create::RoomCreateEventContent, member::MembershipState,
            tombstone::RoomTombstoneEventContent,
        },
    },
    push::{
        ConditionalPushRule, EventMatchConditionData, NewConditionalPushRule, NewPushRule,
        NewSimplePushRule, PushCondition, Ruleset,
    },
};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::Push;
use crate::{
    Error, Result,
    rooms::{Event, Room},
};

const TAGS: &str = "m.tag";
const DIRECT: &str = "m.direct";

impl Push {
    /// If an event is the first join of a user of this server to a room that replaces another,
    /// gives them the tags, push rules and place among the direct chats that they had for that.
    pub(super) async fn carry_over(&self, room: &Room, event_id: &EventId) -> Result<()> {
        let Some(event) = room.event(event_id).await? else { return Ok(()) };
        let Some(user_id) = joined(&event) else { return Ok(()) };
        if !self.inner.rooms.is_local(&user_id) || was_joined_before(room, &event).await? {
            return Ok(());
        }
        let Some(old) = self.replaced_by(room).await? else { return Ok(()) };
        self.carry_rules(&user_id, old.id(), room.id()).await?;
        self.carry_tags(&user_id, old.id(), room.id()).await?;
        self.carry_direct(&user_id, old.id(), room.id()).await
    }

    /// The room that another replaces, if both say so: anybody can name any room as a predecessor.
    async fn replaced_by(&self, room: &Room) -> Result<Option<Room>> {
        let create: Option<RoomCreateEventContent> =
            room.state_content(&StateEventType::RoomCreate, "").await?;
        let Some(predecessor) = create.and_then(|create| create.predecessor) else {
            return Ok(None);
        };
        let old = match self.inner.rooms.room(&predecessor.room_id).await {
            Ok(old) => old,
            Err(Error::Matrix(cause)) if cause.status_code == http::StatusCode::NOT_FOUND => {
                return Ok(None);
            }
            Err(cause) => return Err(cause),
        };
        let tombstone: Option<RoomTombstoneEventContent> =
            old.state_content(&StateEventType::RoomTombstone, "").await?;
        Ok(tombstone.filter(|stone| stone.replacement_room == room.id()).map(|_| old))
    }

    async fn carry_rules(&self, user_id: &UserId, old: &RoomId, new: &RoomId) -> Result<()> {
        let rules = self.rules(user_id).await?;
        if copies(&rules, old, new).is_empty() {
            return Ok(());
        }
        self.change_rules(user_id, |rules| {
            for (rule, enabled, after) in copies(rules, old, new) {
                let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
                // A rule that can't be named is not worth failing for: the others go along.
                if let Err(cause) = rules.insert(rule, Some(&after), None) {
                    tracing::debug!("the push rule {after} stays behind: {cause}");
                    continue;
                }
                rules.set_enabled(kind, rule_id, enabled).map_err(Error::internal)?;
            }
            Ok(())
        })
        .await
    }

    async fn carry_tags(&self, user_id: &UserId, old: &RoomId, new: &RoomId) -> Result<()> {
        let users = &self.inner.users;
        let Some(tags) = users.account_data(user_id, Some(old), TAGS).await? else { return Ok(()) };
        if users.account_data(user_id, Some(new), TAGS).await?.is_some() {
            return Ok(());
        }
        // Unless the user was quicker.
        let update = |there: Option<&RawValue>| Ok(there.map_or(tags, ToOwned::to_owned));
        users.update_account_data(user_id, Some(new), TAGS, update).await
    }

    async fn carry_direct(&self, user_id: &UserId, old: &RoomId, new: &RoomId) -> Result<()> {
        let users = &self.inner.users;
        let direct = users.account_data(user_id, None, DIRECT).await?;
        if with_direct(direct.as_deref(), old, new).is_none() {
            return Ok(());
        }
        let update = |there: Option<&RawValue>| match with_direct(there, old, new) {
            Some(content) => to_raw_value(&content).map_err(Error::internal),
            None => Ok(there.unwrap_or(RawValue::NULL).to_owned()),
        };
        users.update_account_data(user_id, None, DIRECT, update).await
    }
}

/// Who joins by an event.
fn joined(event: &Event) -> Option<OwnedUserId> {
    let user_id = OwnedUserId::try_from(event.pdu.state_key.as_deref()?).ok();
    user_id.filter(|_| event.pdu.membership() == Some(MembershipState::Join))
}

/// Whether the user of a membership event was joined at any time before it.
async fn was_joined_before(room: &Room, event: &Event) -> Result<bool> {
    let mut before = event.replaces_state.clone();
    while let Some(event_id) = before {
        let Some(event) = room.event(&event_id).await? else { break };
        if event.pdu.membership() == Some(MembershipState::Join) {
            return Ok(true);
        }
        before = event.replaces_state.clone();
    }
    Ok(false)
}

/// The rules about `old`, as rules about `new`, that are not there yet; with each whether it is
/// enabled, and the rule that it is a copy of.
fn copies(rules: &Ruleset, old: &RoomId, new: &RoomId) -> Vec<(NewPushRule, bool, String)> {
    let mut copies = Vec::new();
    let mut conditional = |rule: &ConditionalPushRule, kind: fn(NewConditionalPushRule) -> _| {
        let about = |condition: &PushCondition| {
            matches!(
                condition,
                PushCondition::EventMatch(of) if of.key == "room_id" && of.pattern == old.as_str()
            )
        };
        if rule.default || !rule.conditions.iter().any(about) {
            return;
        }
        let condition = |of: &PushCondition| match about(of) {
            true => PushCondition::EventMatch(EventMatchConditionData::new(
                "room_id".to_owned(),
                new.to_string(),
            )),
            false => of.clone(),
        };
        let rule_id = match rule.rule_id.contains(old.as_str()) {
            true => rule.rule_id.replace(old.as_str(), new.as_str()),
            false => format!("{}.{new}", rule.rule_id),
        };
        let conditions = rule.conditions.iter().map(condition).collect();
        let copy = NewConditionalPushRule::new(rule_id, conditions, rule.actions.clone());
        copies.push((kind(copy), rule.enabled, rule.rule_id.clone()));
    };
    rules.override_.iter().for_each(|rule| conditional(rule, NewPushRule::Override));
    rules.underride.iter().for_each(|rule| conditional(rule, NewPushRule::Underride));
    if let Some(rule) = rules.room.get(old.as_str()) {
        let copy = NewSimplePushRule::new(new.to_owned(), rule.actions.clone());
        copies.push((NewPushRule::Room(copy), rule.enabled, old.to_string()));
    }
    copies.retain(|(copy, ..)| rules.get(copy.kind(), copy.rule_id()).is_none());
    copies
}

/// The direct chats with `new` wherever `old` is; `None` when nothing is to be added.
fn with_direct(content: Option<&RawValue>, old: &RoomId, new: &RoomId) -> Option<Value> {
    let mut content: Value = serde_json::from_str(content?.get()).ok()?;
    let mut added = false;
    for rooms in content.as_object_mut()?.values_mut().filter_map(Value::as_array_mut) {
        let has = |room_id: &RoomId| rooms.iter().any(|room| room == room_id.as_str());
        if has(old) && !has(new) {
            rooms.push(new.as_str().into());
            added = true;
        }
    }
    added.then_some(content)
}
