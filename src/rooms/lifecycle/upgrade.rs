//! A room goes on in one of another version. spec: client-server §Room upgrades

use http::StatusCode;
use ruma::{
    EventId, OwnedRoomId, OwnedUserId, RoomId, RoomVersionId, UserId,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
    serde::JsonObject,
};
use serde_json::{Value, json};

use super::creation::rules_of;
use crate::{
    Error, Result,
    rooms::{
        NewEvent, Profile, Room, Rooms,
        append::{self, Draft},
        events::{build, power_levels::with_integers},
        membership::MemberContent,
    },
    store::Batch,
};

/// The state that goes along, in this order, after the power levels.
const TRANSFERRED: [StateEventType; 8] = [
    StateEventType::RoomServerAcl,
    StateEventType::RoomEncryption,
    StateEventType::RoomName,
    StateEventType::RoomAvatar,
    StateEventType::RoomTopic,
    StateEventType::RoomGuestAccess,
    StateEventType::RoomHistoryVisibility,
    StateEventType::RoomJoinRules,
];

/// What the replacement is made of, read from the old room.
struct Plan {
    version: RoomVersionId,
    rules: RoomVersionRules,
    /// The content of the create event, without the tombstone's id.
    create: JsonObject,
    /// The events after the creator's join.
    events: Vec<NewEvent>,
    /// The events that the old room gets, without the tombstone.
    farewell: Vec<NewEvent>,
}

impl Rooms {
    /// Replaces a room by one of another version; gives the new room's id. Both rooms change in
    /// one batch. `profile` is the user's.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the user may not, 400 `M_UNSUPPORTED_ROOM_VERSION`, 404
    /// `M_NOT_FOUND` when there is no such room.
    pub async fn upgrade(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        version: RoomVersionId,
        additional_creators: &[OwnedUserId],
        profile: Profile,
    ) -> Result<OwnedRoomId> {
        let rules = rules_of(&version)?;
        let room = self.room(room_id).await?;
        let levels = room.power_levels().await?;
        if !room.is_joined(user_id).await?
            || !levels.allow_send(user_id, &TimelineEventType::RoomTombstone, Some(""))
        {
            return Err(Error::forbidden("You may not upgrade this room"));
        }
        let plan = self.plan(&room, user_id, version, rules, additional_creators).await?;
        let aliases = self.hold_aliases(room_id).await?;
        let published = self.is_published(room_id).await?;
        loop {
            let live = self.live(room_id).await?;
            let tombstone = |replacement: &RoomId| {
                let content = json!({
                    "body": "This room has been replaced",
                    "replacement_room": replacement,
                });
                NewEvent::state_of(StateEventType::RoomTombstone, "", &content)
            };
            for event in plan.farewell.iter().chain([&tombstone(room_id)?]) {
                for event_id in Draft::new(self, &live).missing(user_id, event)? {
                    self.auth_event(&live, &event_id).await?;
                }
            }
            let mut old = Draft::new(self, &live);
            let mut missing = old.missing(user_id, &tombstone(room_id)?)?;
            for event in &plan.farewell {
                missing.extend(old.missing(user_id, event)?);
            }
            if live.broken() || !missing.is_empty() {
                continue;
            }
            let made = self.made_up_room_id(&plan.rules)?;
            let create = match &made {
                Some(replacement) => {
                    let last = old.push(user_id, &tombstone(replacement)?)?;
                    after(&plan.create, room_id, &last.event_id)
                }
                None => plan.create.clone(),
            };
            let Some(mut new) =
                self.create_draft(made, user_id, &plan.version, &plan.rules, &create).await?
            else {
                continue;
            };
            let replacement = new.room_id().to_owned();
            if build::create_makes_room_id(&plan.rules) {
                old.push(user_id, &tombstone(&replacement)?)?;
            }
            let join = MemberContent::new(MembershipState::Join).with_profile(profile.clone());
            new.push(user_id, &join.event(user_id)?)?;
            for event in &plan.events {
                match new.push(user_id, event) {
                    Err(cause) if stays_behind(event, &cause) => {
                        tracing::warn!("{room_id}: a {} stays behind: {cause}", event.kind);
                    }
                    outcome => drop(outcome?),
                }
            }
            for event in &plan.farewell {
                // "If possible": who may upgrade may still lack the power for these.
                if let Err(cause) = old.push(user_id, event) {
                    tracing::debug!("{room_id}: left as it was on upgrade: {cause}");
                }
            }
            let mut batch = Batch::new();
            for alias in &aliases {
                alias.rename(&mut batch, &replacement)?;
            }
            if published {
                self.write_published(&mut batch, room_id, false);
                self.write_published(&mut batch, &replacement, true);
            }
            let new_live = new.live().clone();
            let Some(submitted) = append::submit(self, batch, [new, old])? else { continue };
            submitted.durable().await?;
            self.keep_live(&new_live);
            return Ok(replacement);
        }
    }

    async fn plan(
        &self,
        room: &Room,
        user_id: &UserId,
        version: RoomVersionId,
        rules: RoomVersionRules,
        additional_creators: &[OwnedUserId],
    ) -> Result<Plan> {
        let mut create: JsonObject =
            room.state_content(&StateEventType::RoomCreate, "").await?.unwrap_or_default();
        for key in ["creator", "additional_creators", "predecessor"] {
            create.remove(key);
        }
        create.insert("room_version".to_owned(), version.as_str().into());
        create.insert("predecessor".to_owned(), json!({ "room_id": room.id() }));
        let mut creators = vec![user_id.to_owned()];
        if rules.authorization.additional_room_creators && !additional_creators.is_empty() {
            create.insert("additional_creators".to_owned(), json!(additional_creators));
            creators.extend(additional_creators.iter().cloned());
        } else if !rules.authorization.use_room_create_sender {
            create.insert("creator".to_owned(), user_id.as_str().into());
        }

        let old_levels: JsonObject =
            room.state_content(&StateEventType::RoomPowerLevels, "").await?.unwrap_or_default();
        let old_levels = with_integers(old_levels);
        let mut levels = new_levels(old_levels.clone(), &rules, &creators);
        // Who had power without end by being a creator gets it as a number.
        for creator in room.power_levels().await?.privileged() {
            levels = raise(levels, &creator, &rules);
        }
        let raised = raise(levels.clone(), user_id, &rules);
        let mut events = vec![NewEvent::state_of(StateEventType::RoomPowerLevels, "", &raised)?];
        for kind in TRANSFERRED {
            if let Some(pdu) = room.state_event(&kind, "").await? {
                events.push(NewEvent::state(kind, "", pdu.content.clone()));
            }
        }
        // Who was banned shall not come in by the new door.
        for (banned, member) in room.members().await?.iter() {
            if member.membership == MembershipState::Ban
                && let Some(event) = room.event(&member.event_id).await?
            {
                let (kind, content) = (StateEventType::RoomMember, event.pdu.content.clone());
                events.push(NewEvent::state(kind, banned.as_str(), content));
            }
        }
        // A space without its rooms would be another one. spec: client-server §Spaces
        for (kind, key, event_id) in room.current_state().iter() {
            if *kind == StateEventType::SpaceChild
                && let Some(event) = room.event(event_id).await?
            {
                events.push(NewEvent::state(kind.clone(), key, event.pdu.content.clone()));
            }
        }
        let mut farewell = Vec::new();
        if let Some(pdu) = room.state_event(&StateEventType::RoomCanonicalAlias, "").await? {
            events.push(NewEvent::state(
                StateEventType::RoomCanonicalAlias,
                "",
                pdu.content.clone(),
            ));
            farewell.push(NewEvent::state_of(
                StateEventType::RoomCanonicalAlias,
                "",
                &JsonObject::new(),
            )?);
        }
        if raised != levels {
            events.push(NewEvent::state_of(StateEventType::RoomPowerLevels, "", &levels)?);
        }
        let closed = close(old_levels);
        farewell.push(NewEvent::state_of(StateEventType::RoomPowerLevels, "", &closed)?);
        Ok(Plan { version, rules, create, events, farewell })
    }
}

/// Whether the rest goes along without an event that the new room does not take.
fn stays_behind(event: &NewEvent, cause: &Error) -> bool {
    let status = match cause {
        Error::Matrix(cause) => cause.status_code,
        Error::Uiaa(_) | Error::Damaged(_) => return false,
    };
    match event.kind {
        // Who has no less power than the user can't be banned by them.
        TimelineEventType::RoomMember => true,
        TimelineEventType::RoomPowerLevels => false,
        // Older versions took deeper ones, and in the new room it may just be too large.
        _ => [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE].contains(&status),
    }
}

/// The content of a create event that names the old room's tombstone too, as it does where its own
/// hash is not in the tombstone, as the room's id. spec: client-server §m.room.create
fn after(create: &JsonObject, room_id: &RoomId, tombstone: &EventId) -> JsonObject {
    let mut create = create.clone();
    let predecessor = json!({ "room_id": room_id, "event_id": tombstone });
    create.insert("predecessor".to_owned(), predecessor);
    create
}

fn level(levels: &JsonObject, key: &str, default: i64) -> i64 {
    levels.get(key).and_then(Value::as_i64).unwrap_or(default)
}

/// The power levels for the new room: creators since version 12 have no entry.
/// spec: room version 12 §Room creators
fn new_levels(
    mut levels: JsonObject,
    rules: &RoomVersionRules,
    creators: &[OwnedUserId],
) -> JsonObject {
    if rules.authorization.explicitly_privilege_room_creators {
        if let Some(users) = levels.get_mut("users").and_then(Value::as_object_mut) {
            users.retain(|user_id, _| !creators.iter().any(|creator| creator.as_str() == user_id));
        }
        let state_default = level(&levels, "state_default", 50);
        let events = levels.entry("events").or_insert_with(|| json!({}));
        if let Some(events) = events.as_object_mut() {
            let tombstone = events.get("m.room.tombstone").and_then(Value::as_i64);
            if tombstone.is_none_or(|level| level <= state_default.max(100)) {
                events.insert("m.room.tombstone".to_owned(), (state_default.max(100) + 50).into());
            }
        }
    }
    levels
}

/// The same with enough power for a user to send everything.
fn raise(mut levels: JsonObject, user_id: &UserId, rules: &RoomVersionRules) -> JsonObject {
    if rules.authorization.explicitly_privilege_room_creators {
        return levels;
    }
    let events = levels.get("events").and_then(Value::as_object);
    let greatest = events
        .into_iter()
        .flat_map(|events| events.values().filter_map(Value::as_i64))
        .chain([level(&levels, "state_default", 50), 100])
        .max()
        .unwrap_or(100);
    let users = levels.entry("users").or_insert_with(|| json!({}));
    if let Some(users) = users.as_object_mut() {
        let own = users.get(user_id.as_str()).and_then(Value::as_i64).unwrap_or(0);
        users.insert(user_id.to_string(), own.max(greatest).into());
    }
    levels
}

/// The same with no right to talk or invite for ordinary members.
fn close(mut levels: JsonObject) -> JsonObject {
    let restricted = (level(&levels, "users_default", 0) + 1).max(50);
    for key in ["events_default", "invite"] {
        let now = level(&levels, key, 0);
        levels.insert(key.to_owned(), now.max(restricted).into());
    }
    levels
}
