//! New rooms. spec: client-server §POST createRoom

use std::{collections::BTreeMap, rc::Rc};

use http::StatusCode;
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, RoomVersionId, UInt,
    UserId,
    api::{
        client::room::{
            Visibility,
            create_room::v3::{Request, RoomPreset},
        },
        error::ErrorKind,
    },
    events::{
        StateEventType,
        room::{member::MembershipState, topic::RoomTopicEventContent},
    },
    room_version_rules::RoomVersionRules,
    serde::JsonObject,
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    Error, Result, enumerations, json, platform,
    rooms::{
        Event, NewEvent, Profile, Rooms, StateId, Status,
        append::Draft,
        directory::ReservedAlias,
        events::{
            auth::{self, Loaded},
            build::{self, Place},
        },
        graph::{Head, LiveRoom, ROOMS, View},
        membership::MemberContent,
    },
};

/// A room to be made.
#[derive(Clone, Debug, Default)]
pub struct CreateRoom {
    /// More for the content of the create event.
    pub creation_content: JsonObject,
    /// State events to send, after those of the preset.
    pub initial_state: Vec<NewEvent>,
    /// Whom to invite.
    pub invite: Vec<OwnedUserId>,
    /// Whether it is a direct chat.
    pub is_direct: bool,
    /// Its name.
    pub name: Option<String>,
    /// What to change in the default power levels.
    pub power_level_content_override: JsonObject,
    /// How it should be set up.
    pub preset: Option<RoomPreset>,
    /// The local part of an alias to give it.
    pub room_alias_name: Option<String>,
    /// Its version, if not the server's default.
    pub room_version: Option<RoomVersionId>,
    /// Its topic.
    pub topic: Option<String>,
    /// Whether the directory lists it.
    pub visibility: Visibility,
    /// The profiles of the creator and of those invited, for their membership events.
    pub profiles: BTreeMap<OwnedUserId, Profile>,
}

#[derive(Deserialize)]
struct InitialState {
    #[serde(rename = "type")]
    kind: StateEventType,
    #[serde(default)]
    state_key: String,
    content: Box<RawValue>,
}

impl TryFrom<Request> for CreateRoom {
    type Error = Error;

    fn try_from(request: Request) -> Result<Self> {
        enumerations::check("visibility", [&request.visibility])?;
        enumerations::check("preset", &request.preset)?;
        let object = |json: &RawValue| {
            serde_json::from_str::<JsonObject>(json.get())
                .map_err(|cause| Error::bad_json(cause.to_string()))
        };
        let initial_state = request.initial_state.iter().map(|event| {
            let event: InitialState = serde_json::from_str(event.json().get())
                .map_err(|cause| Error::bad_json(format!("initial_state: {cause}")))?;
            json::check_object(&event.content)?;
            Ok(NewEvent::state(event.kind, event.state_key, event.content))
        });
        Ok(Self {
            creation_content: request
                .creation_content
                .as_ref()
                .map_or_else(|| Ok(JsonObject::new()), |raw| object(raw.json()))?,
            initial_state: initial_state.collect::<Result<_>>()?,
            power_level_content_override: request
                .power_level_content_override
                .as_ref()
                .map_or_else(|| Ok(JsonObject::new()), |raw| object(raw.json()))?,
            invite: request.invite,
            is_direct: request.is_direct,
            name: request.name,
            preset: request.preset,
            room_alias_name: request.room_alias_name,
            room_version: request.room_version,
            topic: request.topic,
            visibility: request.visibility,
            profiles: BTreeMap::new(),
        })
    }
}

/// The versions in which this server makes rooms: those with canonical JSON.
/// spec: room versions §Complete list of room versions
pub const ROOM_VERSIONS: [RoomVersionId; 7] = [
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The version in which this server makes rooms that a client names, in whatever form.
///
/// # Errors
/// 400 `M_UNSUPPORTED_ROOM_VERSION`
pub fn room_version(named: &str) -> Result<RoomVersionId> {
    let version = ROOM_VERSIONS.into_iter().find(|version| version.as_str() == named);
    version.ok_or_else(|| unsupported(named))
}

/// The rules of a version in which this server makes rooms.
pub(super) fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules> {
    let rules = room_version(version.as_str())?.rules();
    rules.ok_or_else(|| unsupported(version.as_str()))
}

fn unsupported(version: &str) -> Error {
    Error::new(
        StatusCode::BAD_REQUEST,
        ErrorKind::UnsupportedRoomVersion,
        format!("Rooms of version {version} are not supported"),
    )
}

impl Rooms {
    /// Makes a room, with everything in it, in one batch.
    ///
    /// # Errors
    /// 400 `M_UNSUPPORTED_ROOM_VERSION`, `M_ROOM_IN_USE`, `M_INVALID_ROOM_STATE`, `M_BAD_JSON`,
    /// `M_INVALID_PARAM`, as the specification has it; 413 `M_TOO_LARGE`.
    pub async fn create(&self, creator: &UserId, request: CreateRoom) -> Result<OwnedRoomId> {
        let version =
            request.room_version.clone().unwrap_or_else(|| self.inner.default_version.clone());
        let rules = rules_of(&version)?;
        let alias = match &request.room_alias_name {
            Some(name) => Some(self.reserve_alias(&self.local_alias(name)?).await?),
            None => None,
        };
        let preset = Preset::of(&request);
        let content = create_content(creator, &version, &rules, &preset, &request);
        loop {
            let room_id = self.made_up_room_id(&rules)?;
            let draft = self.create_draft(room_id, creator, &version, &rules, &content).await?;
            let Some(mut draft) = draft else { continue };
            self.furnish(&mut draft, creator, &rules, &preset, &request, alias.as_ref())?;
            let live = draft.live().clone();
            let Some(submitted) = draft.submit()? else { continue };
            submitted.durable().await?;
            self.keep_live(&live);
            return Ok(live.room_id.clone());
        }
    }

    /// Adds everything after the create event.
    fn furnish(
        &self,
        draft: &mut Draft,
        creator: &UserId,
        rules: &RoomVersionRules,
        preset: &Preset,
        request: &CreateRoom,
        alias: Option<&ReservedAlias>,
    ) -> Result<()> {
        let room_id = draft.room_id().to_owned();
        let profile = |user_id: &UserId| request.profiles.get(user_id).cloned().unwrap_or_default();
        let join = MemberContent::new(MembershipState::Join).with_profile(profile(creator));
        draft.push(creator, &join.event(creator)?)?;
        let name = alias.map(ReservedAlias::alias);
        for event in state_events(creator, rules, preset, request, name)? {
            draft.push(creator, &event).map_err(invalid_room_state)?;
        }
        for user_id in request.invite.iter().filter(|user_id| *user_id != creator) {
            let mut invite =
                MemberContent::new(MembershipState::Invite).with_profile(profile(user_id));
            invite.is_direct = request.is_direct.then_some(true);
            draft.push(creator, &invite.event(user_id)?)?;
        }
        if let Some(alias) = alias {
            alias.name(&mut draft.batch, &room_id, creator)?;
        }
        if request.visibility == Visibility::Public {
            self.write_published(&mut draft.batch, &room_id, true);
        }
        Ok(())
    }

    /// An id for a new room, where it is not its create event that makes it.
    pub(super) fn made_up_room_id(&self, rules: &RoomVersionRules) -> Result<Option<OwnedRoomId>> {
        if build::create_makes_room_id(rules) {
            return Ok(None);
        }
        let id = format!("!{}:{}", platform::random_string(18), self.inner.key.server_name());
        RoomId::parse(id).map(Some).map_err(Error::internal)
    }

    /// A draft of a room with its create event; `None` when there is a room of that id, so that it
    /// needs another.
    pub(super) async fn create_draft(
        &self,
        room_id: Option<OwnedRoomId>,
        creator: &UserId,
        version: &RoomVersionId,
        rules: &RoomVersionRules,
        content: &JsonObject,
    ) -> Result<Option<Draft>> {
        // Where the create event's hash is the room's id, rooms that are made alike differ by
        // their time alone: no two may have the same.
        let now = u64::from(platform::now().0).max(self.inner.last_creation.get() + 1);
        self.inner.last_creation.set(now);
        let timestamp = UInt::try_from(now).map_err(Error::internal)?;
        let new = NewEvent {
            timestamp: Some(MilliSecondsSinceUnixEpoch(timestamp)),
            ..NewEvent::state_of(StateEventType::RoomCreate, "", content)?
        };
        let place =
            Place { room_id: room_id.as_deref(), prev_events: &[], auth_events: &[], depth: 0 };
        let pdu = Rc::new(build::build(&self.inner.key, rules, creator, &new, &place)?);
        auth::check_references(&pdu, rules, &Loaded::new()).map_err(Error::bad_json)?;
        let head = Head {
            version: version.clone(),
            create: pdu.event_id.clone(),
            extremities: Vec::new(),
            depth: 0,
            state: StateId::default(),
            last_state: 0,
            position: 0,
            joined: Some(0),
            relations: false,
        };
        let live = LiveRoom::new(
            pdu.room_id.clone(),
            version.clone(),
            rules.clone(),
            View { head, group: None },
            self,
        );
        let mut draft = Draft::new(self, &Rc::new(live));
        draft.apply_state(&pdu);
        draft.set_extremities(vec![pdu.event_id.clone()], pdu.depth);
        let state_after = draft.view().head.state;
        draft.place(Event {
            pdu,
            position: 0,
            state_before: StateId::default(),
            state_after,
            room_state: state_after,
            status: Status::Accepted,
            txn: None,
            replaces_state: None,
            redacted_because: None,
        });
        // A clock that was set back may give a create event that was there before.
        let taken = ROOMS.has(&self.inner.store, (draft.room_id(),)).await?;
        Ok((!taken).then_some(draft))
    }
}

/// What a preset sets up.
struct Preset {
    join_rule: &'static str,
    guest_access: &'static str,
    /// Whether those invited get the creator's power.
    trusted: bool,
}

impl Preset {
    fn of(request: &CreateRoom) -> Self {
        let preset = request.preset.clone().unwrap_or(match request.visibility {
            Visibility::Public => RoomPreset::PublicChat,
            _ => RoomPreset::PrivateChat,
        });
        match preset {
            RoomPreset::PublicChat => {
                Self { join_rule: "public", guest_access: "forbidden", trusted: false }
            }
            preset => Self {
                join_rule: "invite",
                guest_access: "can_join",
                trusted: preset == RoomPreset::TrustedPrivateChat,
            },
        }
    }
}

fn create_content(
    creator: &UserId,
    version: &RoomVersionId,
    rules: &RoomVersionRules,
    preset: &Preset,
    request: &CreateRoom,
) -> JsonObject {
    let mut content = request.creation_content.clone();
    content.insert("room_version".to_owned(), version.as_str().into());
    content.remove("creator");
    if !rules.authorization.use_room_create_sender {
        content.insert("creator".to_owned(), creator.as_str().into());
    }
    if preset.trusted && rules.authorization.additional_room_creators {
        let named = content.entry("additional_creators").or_insert_with(|| json!([]));
        if let Some(named) = named.as_array_mut() {
            for user_id in &request.invite {
                let user_id = json!(user_id);
                if user_id != creator.as_str() && !named.contains(&user_id) {
                    named.push(user_id);
                }
            }
            if named.is_empty() {
                content.remove("additional_creators");
            }
        }
    }
    content
}

/// The state events between the creator's join and the invites, in the specification's order.
fn state_events(
    creator: &UserId,
    rules: &RoomVersionRules,
    preset: &Preset,
    request: &CreateRoom,
    alias: Option<&RoomAliasId>,
) -> Result<Vec<NewEvent>> {
    let given = |kind: &StateEventType| {
        request.initial_state.iter().any(|event| {
            event.kind.to_string() == kind.to_string() && event.state_key.as_deref() == Some("")
        })
    };
    let mut levels = default_power_levels(creator, rules, preset, &request.invite);
    levels.extend(request.power_level_content_override.clone());
    let mut events = vec![NewEvent::state_of(StateEventType::RoomPowerLevels, "", &levels)?];
    if let Some(alias) = alias {
        let content = json!({ "alias": alias });
        events.push(NewEvent::state_of(StateEventType::RoomCanonicalAlias, "", &content)?);
    }
    for (kind, content) in [
        (StateEventType::RoomJoinRules, json!({ "join_rule": preset.join_rule })),
        (StateEventType::RoomHistoryVisibility, json!({ "history_visibility": "shared" })),
        (StateEventType::RoomGuestAccess, json!({ "guest_access": preset.guest_access })),
    ] {
        // initial_state takes precedence over the preset.
        if !given(&kind) {
            events.push(NewEvent::state_of(kind, "", &content)?);
        }
    }
    let replaced = |event: &&NewEvent| {
        let kind = event.kind.to_string();
        let overwritten = (kind == "m.room.name" && request.name.is_some())
            || (kind == "m.room.topic" && request.topic.is_some());
        !(overwritten && event.state_key.as_deref() == Some(""))
    };
    events.extend(request.initial_state.iter().filter(replaced).cloned());
    if let Some(name) = &request.name {
        events.push(NewEvent::state_of(StateEventType::RoomName, "", &json!({ "name": name }))?);
    }
    if let Some(topic) = &request.topic {
        let content = RoomTopicEventContent::new(topic.clone());
        events.push(NewEvent::state_of(StateEventType::RoomTopic, "", &content)?);
    }
    Ok(events)
}

/// spec: client-server §m.room.power_levels; room version 12 §Room creators
fn default_power_levels(
    creator: &UserId,
    rules: &RoomVersionRules,
    preset: &Preset,
    invited: &[OwnedUserId],
) -> JsonObject {
    let mut users = JsonObject::new();
    let tombstone = if rules.authorization.explicitly_privilege_room_creators {
        150
    } else {
        users.insert(creator.to_string(), 100.into());
        if preset.trusted {
            users.extend(invited.iter().map(|user_id| (user_id.to_string(), 100.into())));
        }
        100
    };
    let invite = if preset.join_rule == "public" { 50 } else { 0 };
    let levels = json!({
        "users": users,
        "users_default": 0,
        "events": {
            "m.room.name": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.canonical_alias": 50,
            "m.room.avatar": 50,
            "m.room.tombstone": tombstone,
            "m.room.server_acl": 100,
            "m.room.encryption": 100,
        },
        "events_default": 0,
        "state_default": 50,
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": invite,
    });
    match levels {
        serde_json::Value::Object(levels) => levels.into_iter().collect(),
        _ => JsonObject::new(),
    }
}

/// The room would refuse what the request asks for.
fn invalid_room_state(cause: Error) -> Error {
    match &cause {
        Error::Matrix(error)
            if matches!(error.status_code, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) =>
        {
            Error::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRoomState, cause.to_string())
        }
        _ => cause,
    }
}
