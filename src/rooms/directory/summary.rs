//! What a room says of itself to those outside. spec: client-server §GET room_summary,
//! §Stripped state

use ruma::{
    EventEncryptionAlgorithm, OwnedMxcUri, OwnedRoomAliasId, UInt,
    events::{
        AnyStrippedStateEvent, StateEventType,
        room::{
            guest_access::GuestAccess, history_visibility::HistoryVisibility,
            join_rules::RoomJoinRulesEventContent,
        },
    },
    room::{JoinRuleSummary, RoomSummary, RoomType},
    serde::Raw,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Result,
    rooms::{Event, Room, stripped},
};

/// The state events that those outside are told, apart from members. spec: client-server
/// §Stripped state
const STRIPPED: [StateEventType; 7] = [
    StateEventType::RoomCreate,
    StateEventType::RoomName,
    StateEventType::RoomAvatar,
    StateEventType::RoomTopic,
    StateEventType::RoomJoinRules,
    StateEventType::RoomCanonicalAlias,
    StateEventType::RoomEncryption,
];

#[derive(Deserialize)]
struct Encryption {
    algorithm: EventEncryptionAlgorithm,
}

#[derive(Deserialize)]
struct GuestAccessContent {
    guest_access: GuestAccess,
}

#[derive(Deserialize)]
struct Create {
    #[serde(rename = "type")]
    room_type: Option<RoomType>,
}

impl Room {
    /// Its summary. Whether somebody may see it is not asked here.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn summary(&self) -> Result<RoomSummary> {
        let joined = self.joined_count().await?;
        let join_rule = self
            .state_content::<RoomJoinRulesEventContent>(&StateEventType::RoomJoinRules, "")
            .await?
            .map_or(JoinRuleSummary::Invite, |content| content.join_rule.into());
        let guest_access: Option<GuestAccessContent> =
            self.state_content(&StateEventType::RoomGuestAccess, "").await?;
        let visibility = self.history_visibility_at(self.current_state_id()).await?;
        let mut summary = RoomSummary::new(
            self.id().to_owned(),
            join_rule,
            guest_access.is_some_and(|content| content.guest_access == GuestAccess::CanJoin),
            UInt::try_from(joined).unwrap_or(UInt::MAX),
            visibility == HistoryVisibility::WorldReadable,
        );
        summary.canonical_alias = self
            .text(&StateEventType::RoomCanonicalAlias, "alias")
            .await?
            .and_then(|alias| OwnedRoomAliasId::try_from(alias).ok());
        summary.name = self.text(&StateEventType::RoomName, "name").await?;
        summary.topic = self.text(&StateEventType::RoomTopic, "topic").await?;
        summary.avatar_url =
            self.text(&StateEventType::RoomAvatar, "url").await?.map(OwnedMxcUri::from);
        summary.room_type = self.room_type().await?;
        summary.encryption = self
            .state_content::<Encryption>(&StateEventType::RoomEncryption, "")
            .await?
            .map(|content| content.algorithm);
        summary.room_version = Some(self.version().clone());
        Ok(summary)
    }

    /// The type in its create event.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn room_type(&self) -> Result<Option<RoomType>> {
        let create: Option<Create> = self.state_content(&StateEventType::RoomCreate, "").await?;
        Ok(create.and_then(|create| create.room_type))
    }

    /// A text in the content of a state event; an empty one counts as none.
    async fn text(&self, kind: &StateEventType, field: &str) -> Result<Option<String>> {
        let content: Option<ruma::serde::JsonObject> = self.state_content(kind, "").await?;
        Ok(content.and_then(|content| match content.get(field) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }))
    }

    /// What a user who is invited or knocks is told of the room: its state when `event`, their
    /// membership event, was sent; the event itself with it, and the membership of its sender.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn stripped_state(&self, event: &Event) -> Result<Vec<Raw<AnyStrippedStateEvent>>> {
        let mut events = Vec::new();
        for kind in &STRIPPED {
            if let Some(pdu) = self.state_event_at(event.state_after, kind, "").await? {
                events.push(stripped(&pdu)?);
            }
        }
        let sender = event.pdu.sender.as_str();
        if event.pdu.state_key.as_deref() != Some(sender)
            && let Some(pdu) =
                self.state_event_at(event.state_after, &StateEventType::RoomMember, sender).await?
        {
            events.push(stripped(&pdu)?);
        }
        events.push(stripped(&event.pdu)?);
        Ok(events)
    }
}
