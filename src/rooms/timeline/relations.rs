//! Which event relates to which. spec: client-server §Forming relationships between events

use http::StatusCode;
use ruma::{
    EventId, OwnedEventId, OwnedUserId, RoomId, UserId, api::error::ErrorKind,
    events::TimelineEventType,
};

use super::{
    annotations::Annotation,
    relation::{RELATIONS, Relation},
};
use crate::{
    Error, Result,
    feed::Position,
    platform::KeyedGuard,
    rooms::{NewEvent, Room, Rooms},
    store::{Direction, Key},
};

/// One event that relates to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its type.
    pub kind: TimelineEventType,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// How it relates.
    pub rel_type: String,
    /// Its position.
    pub position: Position,
    /// For an annotation, what it says.
    pub key: Option<String>,
}

impl From<Related> for Annotation {
    fn from(Related { sender, kind, key, .. }: Related) -> Self {
        Self { sender, kind, key }
    }
}

/// Which related events are asked for.
#[derive(Clone, Debug, Default)]
pub struct RelationFilter {
    /// Only this relation.
    pub rel_type: Option<String>,
    /// Only events of this type.
    pub kind: Option<TimelineEventType>,
}

impl Room {
    /// The events that relate to `parent` with a position from `from` (in) to `to` (out), in the
    /// order of `direction`, at most `limit`. Redacted ones no longer relate.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn related(
        &self,
        parent: &EventId,
        filter: &RelationFilter,
        from: Position,
        to: Position,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Related>> {
        let rel_types = match &filter.rel_type {
            Some(rel_type) => vec![rel_type.clone()],
            None => self.relation_types(parent).await?,
        };
        let mut all = Vec::new();
        for rel_type in rel_types {
            all.extend(
                self.related_by(parent, rel_type, filter, (from, to), direction, limit).await?,
            );
        }
        all.sort_by_key(|related| related.position);
        if direction == Direction::Backward {
            all.reverse();
        }
        all.truncate(limit);
        Ok(all)
    }

    /// The relation types that events have to `parent`: one look for each.
    pub(in crate::rooms) async fn relation_types(&self, parent: &EventId) -> Result<Vec<String>> {
        if !self.view().head.relations {
            return Ok(Vec::new());
        }
        let mut types = Vec::new();
        loop {
            let mut next = RELATIONS.scan((self.id(), parent));
            if let Some(last) = types.last() {
                next = next.after((last,));
            }
            let Some((rel_type, _)) = next.first_key(self.store()).await? else {
                return Ok(types);
            };
            types.push(rel_type);
        }
    }

    async fn related_by(
        &self,
        parent: &EventId,
        rel_type: String,
        filter: &RelationFilter,
        (mut from, mut to): (Position, Position),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Related>> {
        let mut found = Vec::new();
        while found.len() < limit && from < to {
            let rows = RELATIONS.scan((self.id(), parent, &rel_type));
            let rows = rows.starting_at((from,)).until((to,)).direction(direction).limit(limit);
            let rows = rows.rows(self.store()).await?;
            let all = rows.len() < limit;
            for ((position,), child) in rows {
                match direction {
                    Direction::Forward => from = position + 1,
                    Direction::Backward => to = position,
                }
                if filter.kind.as_ref().is_none_or(|kind| *kind == child.kind) {
                    found.push(Related {
                        event_id: child.event_id,
                        kind: child.kind,
                        sender: child.sender,
                        rel_type: rel_type.clone(),
                        position,
                        key: child.key,
                    });
                }
            }
            if all {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

impl Room {
    async fn is_annotated(&self, parent: &EventId, annotation: Annotation) -> Result<bool> {
        let annotations = self.annotations();
        if let Some(known) = annotations.has(parent, &annotation) {
            return Ok(known);
        }
        let changes = annotations.changes();
        let rel_type = Some("m.annotation".to_owned());
        let filter = RelationFilter { rel_type, ..RelationFilter::default() };
        let all =
            self.related(parent, &filter, 0, Position::MAX, Direction::Forward, usize::MAX).await?;
        let all: Vec<_> = all.into_iter().map(Annotation::from).collect();
        let is_annotated = all.contains(&annotation);
        annotations.keep(parent, all.into_iter(), changes);
        Ok(is_annotated)
    }
}

impl Rooms {
    /// Refuses relations that the specification has the server refuse. An annotation is the
    /// sender's only one of its kind while the guard is held.
    ///
    /// # Errors
    /// 400 `M_UNKNOWN` for a thread that starts in another, 400 `M_DUPLICATE_ANNOTATION`.
    pub(in crate::rooms) async fn check_relation(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        new: &NewEvent,
    ) -> Result<Option<KeyedGuard<Vec<u8>>>> {
        let Some(relation) = Relation::in_content(&new.content) else { return Ok(None) };
        let room = self.room(room_id).await?;
        // spec: client-server §Validation of m.thread relationships
        if relation.is_thread()
            && let Some(root) = room.event(&relation.parent).await?
            && Relation::of(&root.pdu).is_some()
        {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::Unknown,
                "A thread can't start from an event that relates to another",
            ));
        }
        // spec: client-server §Avoiding duplicate annotations
        if !relation.is_annotation() {
            return Ok(None);
        }
        let kind = new.kind.to_string();
        let key = relation.key.as_deref().unwrap_or_default();
        let own = Key::new().str(&relation.parent).str(sender).str(kind).str(key);
        let guard = self.inner.repeating.lock(own.into()).await;
        let (sender, kind, key) = (sender.to_owned(), new.kind.clone(), relation.key);
        if room.is_annotated(&relation.parent, Annotation { sender, kind, key }).await? {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::DuplicateAnnotation,
                "You have said that of the event already",
            ));
        }
        Ok(Some(guard))
    }
}
