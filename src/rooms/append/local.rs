//! The door for events of this server's users.

use std::{collections::BTreeMap, rc::Rc};

use ruma::{
    OwnedEventId, RoomId, UserId,
    events::{StateEventType, TimelineEventType},
};
use serde_json::value::RawValue;

use super::{
    draft::{Draft, Submitted},
    redaction::{self, Redaction},
    transactions,
};
use crate::{
    Error, Result,
    rooms::{NewEvent, Pdu, PowerLevels, Relation, Rooms, graph::LiveRoom},
    store::Batch,
};

impl Rooms {
    /// Sends an event: builds, hashes and signs it, checks that the room allows it, and writes it
    /// with everything that follows from it in one batch. Returns when that is durable.
    ///
    /// A transaction seen before returns the event that it made; a state event that changes
    /// nothing returns the event that says the same.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` for a room or a redacted event that is not known, 403 `M_FORBIDDEN` when
    /// the room does not allow it, 400 `M_BAD_JSON` for a content that no event can have, 413
    /// `M_TOO_LARGE`.
    pub async fn append(
        &self,
        room_id: &RoomId,
        sender: &UserId,
        new: NewEvent,
    ) -> Result<OwnedEventId> {
        let new = NewEvent { redacts: new.redacted(), ..new };
        // Held until the event is durable, so that a repeated request finds it.
        let _repeating = match &new.txn {
            Some(txn) => {
                let key = transactions::key(room_id, &new, txn);
                let guard = self.inner.repeating.lock(key.into()).await;
                if let Some(event_id) = self.transaction(room_id, &new, txn).await? {
                    return Ok(event_id);
                }
                Some(guard)
            }
            None => None,
        };
        let new = self.vouch(room_id, sender, new).await?;
        self.check_content(room_id, &new).await?;
        let _annotating = self.check_relation(room_id, sender, &new).await?;
        loop {
            let live = self.live(room_id).await?;
            let needs = self.prepare(&live, sender, &new).await?;
            let draft = Draft::new(self, &live);
            if live.broken() || !draft.missing(sender, &new)?.is_empty() {
                continue;
            }
            return match self.finish(draft, sender, &new, needs)? {
                Outcome::Unchanged(event_id) => {
                    if live.pending.borrow().contains_key(&event_id) {
                        // An empty batch queues behind those under way.
                        self.inner.store.commit(Batch::new()).await?;
                    }
                    Ok(event_id)
                }
                Outcome::Submitted(submitted, event_id) => {
                    submitted.durable().await?;
                    Ok(event_id)
                }
                Outcome::Overtaken => continue,
            };
        }
    }

    /// Reads what the making of an event needs.
    async fn prepare(&self, live: &Rc<LiveRoom>, sender: &UserId, new: &NewEvent) -> Result<Needs> {
        for event_id in Draft::new(self, live).missing(sender, new)? {
            self.auth_event(live, &event_id).await?;
        }
        if let Some(root) = Relation::in_content(&new.content).filter(Relation::is_thread) {
            self.load_thread(live, &root.parent).await?;
        }
        let redaction = match (&new.kind, &new.redacts) {
            (TimelineEventType::RoomRedaction, Some(target)) => {
                let redaction = self
                    .redaction_of(live, target)
                    .await?
                    .ok_or_else(|| Error::not_found("The room has no event of the id to redact"))?;
                let levels = self.power_levels(live, &live.tip()).await?;
                Some((redaction, levels))
            }
            _ => None,
        };
        Ok(Needs { redaction })
    }

    fn finish(
        &self,
        mut draft: Draft,
        sender: &UserId,
        new: &NewEvent,
        needs: Needs,
    ) -> Result<Outcome> {
        if let Some(state_key) = &new.state_key
            && let Some(current) =
                draft.state_event(&StateEventType::from(new.kind.to_string()), state_key)
            && current.sender == sender
            && same_content(&current, &new.content)
        {
            return Ok(Outcome::Unchanged(current.event_id.clone()));
        }
        if let Some((redaction, levels)) = &needs.redaction {
            redaction::check_right(sender, &redaction.target, levels)?;
        }
        let pdu = draft.push(sender, new)?;
        if let Some((redaction, _)) = &needs.redaction {
            draft.redact(&redaction.target, &pdu, redaction.newest_in_thread.as_ref())?;
        }
        Ok(match draft.submit()? {
            Some(submitted) => Outcome::Submitted(submitted, pdu.event_id.clone()),
            None => Outcome::Overtaken,
        })
    }
}

struct Needs {
    redaction: Option<(Redaction, PowerLevels)>,
}

enum Outcome {
    /// The state says so already.
    Unchanged(OwnedEventId),
    Submitted(Submitted, OwnedEventId),
    /// Something else became part of the room meanwhile.
    Overtaken,
}

fn same_content(current: &Pdu, content: &RawValue) -> bool {
    type Object = BTreeMap<String, serde_json::Value>;
    match (current.content_as::<Object>(), serde_json::from_str::<Object>(content.get())) {
        (Some(current), Ok(new)) => current == new,
        _ => false,
    }
}
