//! What a client is told with an event of those that relate to it.
//! spec: client-server §Aggregations of child events

use ruma::{EventId, OwnedEventId, events::TimelineEventType, serde::JsonObject};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Format, Relation, RelationFilter, Thread, Viewer, thread_root};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Pdu},
    store::Direction,
};

/// `m.relations`.
#[derive(Debug, Default, Serialize)]
pub(in crate::rooms) struct Bundles {
    #[serde(rename = "m.replace", skip_serializing_if = "Option::is_none")]
    replace: Option<Box<RawValue>>,
    #[serde(rename = "m.thread", skip_serializing_if = "Option::is_none")]
    thread: Option<ThreadBundle>,
    #[serde(rename = "m.reference", skip_serializing_if = "Option::is_none")]
    reference: Option<References>,
}

#[derive(Debug, Serialize)]
struct ThreadBundle {
    latest_event: Box<RawValue>,
    count: u64,
    current_user_participated: bool,
}

#[derive(Debug, Serialize)]
struct References {
    chunk: Vec<Reference>,
}

#[derive(Debug, Serialize)]
struct Reference {
    event_id: OwnedEventId,
}

/// How many of the newest edits are looked at for the newest valid one.
const EDITS: usize = 20;
/// How many references are told.
const REFERENCES: usize = 100;

impl Viewer {
    /// The aggregations of an event; `None` when there are none.
    pub(in crate::rooms) async fn bundles(
        &self,
        event: &Event,
        format: Format,
    ) -> Result<Option<Bundles>> {
        if format == Format::Federation {
            return Ok(None);
        }
        let mut bundles = Bundles::default();
        let mut any = false;
        for rel_type in self.room.relation_types(&event.pdu.event_id).await? {
            match rel_type.as_str() {
                "m.replace" => {
                    bundles.replace = self.replacement_json(event, format).await?;
                    any |= bundles.replace.is_some();
                }
                "m.thread" => {
                    bundles.thread = self.thread(event, format).await?;
                    any |= bundles.thread.is_some();
                }
                "m.reference" => {
                    bundles.reference = self.references(event).await?;
                    any |= bundles.reference.is_some();
                }
                _ => {}
            }
        }
        Ok(any.then_some(bundles))
    }

    async fn replacement_json(
        &self,
        event: &Event,
        format: Format,
    ) -> Result<Option<Box<RawValue>>> {
        match self.replacement(event).await? {
            Some(edit) => Ok(Some(self.json(&edit, format, None).await?)),
            None => Ok(None),
        }
    }

    /// The newest valid edit. spec: client-server §Validity of replacement events
    async fn replacement(&self, event: &Event) -> Result<Option<Event>> {
        let is_edit =
            Relation::of(&event.pdu).is_some_and(|relation| relation.rel_type == "m.replace");
        if event.pdu.state_key.is_some() || event.redacted_because.is_some() || is_edit {
            return Ok(None);
        }
        let filter = RelationFilter {
            rel_type: Some("m.replace".to_owned()),
            kind: Some(event.pdu.kind.clone()),
        };
        let edits = self
            .room
            .related(&event.pdu.event_id, &filter, 0, Position::MAX, Direction::Backward, EDITS)
            .await?;
        let mut newest: Option<Event> = None;
        for edit in edits.iter().filter(|edit| edit.sender == event.pdu.sender) {
            let Some(edit) = self.room.event(&edit.event_id).await? else { continue };
            let order = |event: &Event| (event.pdu.origin_server_ts, event.pdu.event_id.clone());
            if edit.pdu.state_key.is_none()
                && has_replacement(&edit.pdu)
                && newest.as_ref().is_none_or(|newest| order(newest) < order(&edit))
            {
                newest = Some(edit);
            }
        }
        Ok(newest)
    }

    async fn thread(&self, root: &Event, format: Format) -> Result<Option<ThreadBundle>> {
        // A thread can't start in a thread.
        if thread_root(&root.pdu).is_some() {
            return Ok(None);
        }
        let Some(thread) = self.thread_of(&root.pdu.event_id).await? else { return Ok(None) };
        let Some(latest) = &thread.latest else { return Ok(None) };
        let Some(latest) = self.room.event(latest).await? else { return Ok(None) };
        let replace = self.replacement_json(&latest, format).await?;
        let bundles =
            replace.map(|replace| Bundles { replace: Some(replace), ..Bundles::default() });
        Ok(Some(ThreadBundle {
            latest_event: self.json(&latest, format, bundles).await?,
            count: thread.count,
            current_user_participated: thread.participants.contains(&self.user_id)
                || root.pdu.sender == self.user_id,
        }))
    }

    /// What is known of a thread, without the events of those whom the user ignores; `None` when
    /// nothing is left of it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn thread_of(&self, root: &EventId) -> Result<Option<Thread>> {
        let thread = self.room.thread(root).await?;
        match thread {
            Some(thread) if !self.ignored.is_disjoint(&thread.participants) => {
                self.room.thread_without(root, &self.ignored).await
            }
            thread => Ok(thread),
        }
    }

    async fn references(&self, event: &Event) -> Result<Option<References>> {
        let filter = RelationFilter {
            rel_type: Some("m.reference".to_owned()),
            ..RelationFilter::default()
        };
        let mut related = self
            .room
            .related(&event.pdu.event_id, &filter, 0, Position::MAX, Direction::Forward, REFERENCES)
            .await?;
        related.retain(|related| !self.ignored.contains(&related.sender));
        if related.is_empty() {
            return Ok(None);
        }
        let chunk = related.into_iter().map(|related| Reference { event_id: related.event_id });
        Ok(Some(References { chunk: chunk.collect() }))
    }
}

/// Whether an edit says what to show instead; of an encrypted one only its readers know.
fn has_replacement(edit: &Pdu) -> bool {
    edit.kind == TimelineEventType::RoomEncrypted
        || edit
            .content_as::<JsonObject>()
            .is_some_and(|content| content.contains_key("m.new_content"))
}
