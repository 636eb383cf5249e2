//! The door for events of anyone: what other servers send, in whatever order the graph has it.
//! spec: server-server §Checks performed on receipt of a PDU

use std::rc::Rc;

use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId,
    canonical_json::redact,
    events::{StateEventType, TimelineEventType},
    signatures::{PublicKeyMap, Verified, verify_event},
    state_res::{check_pdu_format, events::RoomPowerLevelsIntField},
};

use super::draft::Draft;
use crate::{
    Error, Result,
    rooms::{
        Event, Pdu, PowerLevels, Relation, Rooms, StateEntry, Status,
        events::{
            auth::{self, Loaded, Subject},
            build, limits,
        },
        graph::{LiveRoom, Resolved, StateGroup, View},
    },
    store::{Erasure, Rows, Table, Text},
};

/// Room, event id that is not known yet → redaction of it.
pub(in crate::rooms) const EARLY_REDACTIONS: Rows<(OwnedRoomId, OwnedEventId), Text<OwnedEventId>> =
    Rows::new(Table::EarlyRedactions, Erasure::Kept);

/// What became of an event that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is kept, with this outcome; so it is for one that was known already.
    Kept(OwnedEventId, Status),
    /// It rests on events that are not known here: they are to be fetched first.
    Missing(Vec<OwnedEventId>),
}

impl Rooms {
    /// Takes an event into a room, wherever in the graph it stands. `keys` are the keys of the
    /// servers that must have signed it.
    ///
    /// # Errors
    /// 400 `M_BAD_JSON` for what is no event of this room, 413 `M_TOO_LARGE`, 403 `M_FORBIDDEN` for one whose
    /// signatures are not right: such an event is dropped.
    pub async fn accept(
        &self,
        room_id: &RoomId,
        object: CanonicalJsonObject,
        keys: &PublicKeyMap,
    ) -> Result<Accepted> {
        // One by one: each moves the extremities that the next is weighed against.
        let _accepting = self.inner.accepting.lock(room_id.to_owned()).await;
        let live = self.live(room_id).await?;
        let pdu = check_form(&live, object, keys)?;
        if let Some(event) = self.find_event(&live, &pdu.event_id).await? {
            return Ok(Accepted::Kept(pdu.event_id, event.status));
        }
        // Only the create event follows nothing, and a room has one.
        if pdu.prev_events.is_empty() {
            return Err(Error::bad_json("The event follows no other"));
        }
        let mut missing = Vec::new();
        for event_id in pdu.prev_events.iter().chain(&pdu.auth_events) {
            if self.find_event(&live, event_id).await?.is_none() {
                missing.push(event_id.clone());
            }
        }
        if !missing.is_empty() {
            return Ok(Accepted::Missing(missing));
        }
        loop {
            let live = self.live(room_id).await?;
            let tip = live.tip();
            let (draft, status) = self.acceptance(&live, &tip, &pdu).await?;
            // If something else became part of the room meanwhile, what was worked out may be wrong.
            let Some(submitted) = draft.submit()? else { continue };
            submitted.durable().await?;
            return Ok(Accepted::Kept(pdu.event_id.clone(), status));
        }
    }

    /// Works out what becomes of an event when the room stands at `tip`.
    async fn acceptance(
        &self,
        live: &Rc<LiveRoom>,
        tip: &Rc<View>,
        pdu: &Pdu,
    ) -> Result<(Draft, Status)> {
        let mut draft = Draft::on(self, live, tip.clone());
        let mut groups = Vec::new();
        for event_id in &pdu.prev_events {
            groups.push(self.state_after(live, event_id).await?);
        }
        let before = self.settle(live, &mut draft, groups).await?;
        let status = self.check(live, tip, before.as_ref(), pdu).await?;
        let pdu = Rc::new(
            Pdu::parse(
                pdu.event_id.clone(),
                pdu.json.clone(),
                &live.rules,
                status == Status::Rejected,
            )
            .map_err(Error::internal)?,
        );
        let after = match pdu.state_entry() {
            Some((kind, key)) if status != Status::Rejected => {
                let entry = StateEntry::new(kind, key, Some(pdu.event_id.clone()));
                Some(draft.child_state(before.as_ref(), vec![entry]))
            }
            _ => before.clone(),
        };
        let id = |group: &Option<Rc<StateGroup>>| group.as_ref().map(|g| g.id).unwrap_or_default();
        let event = Event {
            position: 0,
            state_before: id(&before),
            state_after: id(&after),
            room_state: id(&after),
            status,
            txn: None,
            replaces_state: pdu.state_entry().and_then(|(kind, key)| {
                before.as_ref().and_then(|group| group.get(&kind, key)).cloned()
            }),
            redacted_because: None,
            pdu: pdu.clone(),
        };
        if status == Status::Accepted {
            // It may be one of those that decide the new current state: found by its id meanwhile.
            let _offered = live.offer(event.clone());
            self.follow(live, tip, &mut draft, &pdu, after).await?;
            let event = self.redacted_early(live, tip, event).await?;
            if let Some(relation) = Relation::of(&event.pdu).filter(Relation::is_thread) {
                self.load_thread(live, &relation.parent).await?;
            }
            draft.place(event);
            self.redact_target(live, tip, &mut draft, &pdu).await?;
        } else {
            draft.place(event);
        }
        Ok((draft, status))
    }

    /// The state after an event that is known.
    async fn state_after(
        &self,
        live: &LiveRoom,
        event_id: &OwnedEventId,
    ) -> Result<Option<Rc<StateGroup>>> {
        let event = self
            .find_event(live, event_id)
            .await?
            .ok_or_else(|| Error::internal(format!("{event_id} is gone")))?;
        self.group(live, event.state_after).await
    }

    /// The state where some states meet, made in the draft if it is a new one.
    async fn settle(
        &self,
        live: &LiveRoom,
        draft: &mut Draft,
        groups: Vec<Option<Rc<StateGroup>>>,
    ) -> Result<Option<Rc<StateGroup>>> {
        let mut states: Vec<_> = groups.iter().flatten().map(|group| group.id).collect();
        states.sort();
        states.dedup();
        if let Some(state) = live.resolved(&states) {
            return self.group(live, state).await;
        }
        let group = match self.resolve(live, groups).await? {
            Resolved::Same(group) => group,
            Resolved::Changed(parent, changes) => Some(draft.child_state(Some(&parent), changes)),
        };
        if let Some(group) = group.as_ref().filter(|_| states.len() > 1) {
            draft.note_resolved(states, group.id);
        }
        Ok(group)
    }

    /// Checks 4 to 6 of the specification's list.
    async fn check(
        &self,
        live: &LiveRoom,
        tip: &View,
        before: Option<&Rc<StateGroup>>,
        pdu: &Pdu,
    ) -> Result<Status> {
        let mut loaded = Loaded::new();
        let create = &tip.head.create;
        for event_id in pdu.auth_events.iter().chain([create]) {
            // The event itself tells whether it was rejected, which the state can't.
            if let Some(event) = self.find_event(live, event_id).await? {
                loaded.insert(event_id.clone(), event.pdu);
            }
        }
        if auth::check_auth_events(pdu, &live.rules, &loaded).is_err() {
            return Ok(Status::Rejected);
        }
        let by_state = |kind: &StateEventType, key: &str| before?.get(kind, key);
        if !self.allowed(live, pdu, by_state, &mut loaded).await? {
            return Ok(Status::Rejected);
        }
        let now = |kind: &StateEventType, key: &str| tip.state(kind, key);
        match self.allowed(live, pdu, now, &mut loaded).await? {
            true => Ok(Status::Accepted),
            false => Ok(Status::SoftFailed),
        }
    }

    async fn allowed<'a>(
        &self,
        live: &LiveRoom,
        pdu: &Pdu,
        state: impl Fn(&StateEventType, &str) -> Option<&'a OwnedEventId>,
        loaded: &mut Loaded,
    ) -> Result<bool> {
        let subject = Subject {
            kind: &pdu.kind,
            sender: &pdu.sender,
            state_key: pdu.state_key.as_deref(),
            content: &pdu.content,
        };
        let mut keys = auth::auth_keys(subject, &live.rules.authorization)?;
        keys.push((StateEventType::RoomCreate, String::new()));
        for (kind, key) in keys {
            if let Some(event_id) = state(&kind, &key)
                && !loaded.contains_key(event_id)
            {
                loaded.insert(event_id.clone(), self.auth_event(live, event_id).await?);
            }
        }
        Ok(auth::check_state(pdu, &live.rules, state, loaded).is_ok())
    }

    /// Moves the extremities and the current state on to an accepted event.
    async fn follow(
        &self,
        live: &LiveRoom,
        tip: &View,
        draft: &mut Draft,
        pdu: &Pdu,
        after: Option<Rc<StateGroup>>,
    ) -> Result<()> {
        let mut extremities: Vec<_> = tip
            .head
            .extremities
            .iter()
            .filter(|id| !pdu.prev_events.contains(id))
            .cloned()
            .collect();
        let mut groups = vec![after];
        for event_id in &extremities {
            groups.push(self.state_after(live, event_id).await?);
        }
        extremities.push(pdu.event_id.clone());
        let depth = match extremities.len() {
            1 => pdu.depth,
            _ => pdu.depth.max(tip.head.depth),
        };
        draft.set_extremities(extremities, depth);
        if let Some(current) = self.settle(live, draft, groups).await? {
            draft.set_state(current);
        }
        // Members whose entry changed with no new event of theirs: a fork brought another back.
        let (old, new) = (tip.group.as_ref(), draft.view().group.clone());
        for entry in StateGroup::changes(old, new.as_ref()) {
            if *entry.kind() != StateEventType::RoomMember {
                continue;
            }
            let Ok(user_id) = OwnedUserId::try_from(entry.key()) else { continue };
            let before = match tip.state(entry.kind(), entry.key()) {
                Some(event_id) => self.find_event(live, event_id).await?.map(|event| event.pdu),
                None => None,
            };
            if entry.event_id() == Some(&pdu.event_id) {
                draft.count_joined(before.as_deref(), Some(pdu));
                continue;
            }
            let event = match entry.event_id() {
                Some(event_id) => self.find_event(live, event_id).await?,
                None => None,
            };
            let after = event.as_ref().map(|event| &*event.pdu);
            draft.count_joined(before.as_deref(), after);
            draft.settle_member(user_id, event);
        }
        Ok(())
    }

    /// The event, stripped if its redaction came before it.
    async fn redacted_early(&self, live: &LiveRoom, tip: &View, event: Event) -> Result<Event> {
        let row = (&live.room_id, &event.pdu.event_id);
        let Some(id) = EARLY_REDACTIONS.get(&self.inner.store, row).await? else {
            return Ok(event);
        };
        let Some(redaction) = self.find_event(live, &id).await? else { return Ok(event) };
        let levels = self.power_levels(live, tip).await?;
        match takes_effect(&redaction.pdu, &event, &levels) {
            true => event.redacted(&redaction.pdu, &live.rules),
            false => Ok(event),
        }
    }

    /// If the event is a redaction, lets it take effect.
    async fn redact_target(
        &self,
        live: &Rc<LiveRoom>,
        tip: &View,
        draft: &mut Draft,
        pdu: &Rc<Pdu>,
    ) -> Result<()> {
        let Some(target) = &pdu.redacts else { return Ok(()) };
        let Some(redaction) = self.redaction_of(live, target).await? else {
            EARLY_REDACTIONS.put(&mut draft.batch, (&live.room_id, target), &pdu.event_id);
            return Ok(());
        };
        let levels = self.power_levels(live, tip).await?;
        if takes_effect(pdu, &redaction.target, &levels) {
            draft.redact(&redaction.target, pdu, redaction.newest_in_thread.as_ref())?;
        }
        Ok(())
    }
}

/// Whether a redaction takes effect. spec: room version 3 §Handling redactions
fn takes_effect(redaction: &Pdu, target: &Event, levels: &PowerLevels) -> bool {
    redaction.sender.server_name() == target.pdu.sender.server_name()
        || levels.allow(&redaction.sender, RoomPowerLevelsIntField::Redact)
}

/// Checks 1 to 3 of the specification's list: format, signatures, hash.
fn check_form(
    live: &LiveRoom,
    mut object: CanonicalJsonObject,
    keys: &PublicKeyMap,
) -> Result<Pdu> {
    object.remove("unsigned");
    limits::written(&object)?;
    check_pdu_format(&object, &live.rules.event_format).map_err(Error::bad_json)?;
    let verified = verify_event(keys, &object, &live.rules)
        .map_err(|cause| Error::forbidden(format!("The event's signatures: {cause}")))?;
    if verified == Verified::Signatures {
        object = redact(object, &live.rules.redaction, None)
            .map_err(|cause| Error::bad_json(cause.to_string()))?;
    }
    let event_id = build::event_id(&object, &live.rules)?;
    let pdu = Pdu::parse(event_id, limits::written(&object)?, &live.rules, false)
        .map_err(|cause| Error::bad_json(cause.to_string()))?;
    if pdu.room_id != live.room_id || pdu.kind == TimelineEventType::RoomCreate {
        return Err(Error::bad_json("The event is not one of this room"));
    }
    Ok(pdu)
}
