//! What a sync tells of a room's members for the room's name.
//! spec: client-server §Calculating the display name for a room

use ruma::{OwnedUserId, events::StateEventType};
use serde::Deserialize;
use serde_json::Value;

use super::{Sync, changes::RoomChanges, device::membership, response::Summary, span::Span};
use crate::{Result, rooms::Room};

/// How many members a summary names.
const HEROES: usize = 5;

/// What names a room, read leniently.
#[derive(Deserialize)]
struct Naming {
    name: Option<Value>,
    alias: Option<Value>,
}

impl Sync {
    /// Whether a room's summary may be another one now: not by a member's new name.
    pub(super) async fn has_other_summary(
        &self,
        room: &Room,
        span: &Span<'_>,
        changed: &RoomChanges,
    ) -> Result<bool> {
        let before = room.state_id_at(span.since.unwrap_or_default()).await?;
        let now = room.current_state_id();
        for user_id in &changed.members {
            if membership(room, before, user_id).await? != membership(room, now, user_id).await? {
                return Ok(true);
            }
        }
        self.is_renamed(room, span, changed).await
    }

    /// Whether a room was given a name or lost it, so that heroes are needed or no longer are.
    pub(super) async fn is_renamed(
        &self,
        room: &Room,
        span: &Span<'_>,
        changed: &RoomChanges,
    ) -> Result<bool> {
        let Some(since) = span.since.filter(|_| changed.events) else { return Ok(false) };
        let state = room.current_state_id();
        for kind in [StateEventType::RoomName, StateEventType::RoomCanonicalAlias] {
            let Some(event_id) = room.state_entry_at(state, &kind, "").await? else { continue };
            let Some(event) = room.event(&event_id).await? else { continue };
            // A redaction takes the name away.
            let redaction = match &event.redacted_because {
                Some(redaction) => room.event(&redaction.event_id).await?,
                None => None,
            };
            if [Some(event), redaction].iter().flatten().any(|event| event.position > since) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a room has a name or an alias to call it by. Empty ones are none.
    async fn is_named(&self, room: &Room) -> Result<bool> {
        let is_text = |value: Option<Value>| {
            value.is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()))
        };
        let name: Option<Naming> = room.state_content(&StateEventType::RoomName, "").await?;
        let alias: Option<Naming> =
            room.state_content(&StateEventType::RoomCanonicalAlias, "").await?;
        Ok(is_text(name.and_then(|content| content.name))
            || is_text(alias.and_then(|content| content.alias)))
    }

    /// From what a client makes the room's name.
    pub(super) async fn summary(&self, room: &Room, user_id: &OwnedUserId) -> Result<Summary> {
        let named = self.is_named(room).await?;
        let members = room.members().await?;
        Ok(Summary {
            heroes: (!named).then(|| members.heroes(user_id, HEROES)),
            joined: members.joined_count(),
            invited: members.invited_count(),
        })
    }
}
