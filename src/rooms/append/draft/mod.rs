//! Events that are to become part of a room together: built one on the other in memory, then
//! written in one batch.

mod submit;

use std::{collections::BTreeMap, rc::Rc};

use ruma::{EventId, OwnedEventId, OwnedUserId, RoomId, UserId, events::StateEventType};

pub(super) use self::submit::Submitted;
pub(in crate::rooms) use self::submit::submit;
use crate::{
    Error, Result,
    rooms::{
        Event, NewEvent, Pdu, Relation, Rooms, StateEntry, StateId, Status, Thread,
        events::{
            auth::{self, Loaded, Subject},
            build::{self, Place},
        },
        graph::{LiveRoom, StateGroup, View},
        timeline::{AnnotationChange, ThreadChange},
    },
    store::Batch,
};

/// How many events an event follows at most. spec: room version 1 §Event format
const MAX_PREV_EVENTS: usize = 20;

/// Events on their way into a room. Holds no lock: when something else has become part of the room
/// meanwhile, it is not submitted.
pub(in crate::rooms) struct Draft {
    rooms: Rooms,
    live: Rc<LiveRoom>,
    /// What it is built on.
    base: Rc<View>,
    view: View,
    /// New events, in the order of the timeline.
    events: Vec<Event>,
    /// Stored events whose stored form changes.
    rewritten: Vec<Event>,
    /// State events of this draft and those that authorized it.
    loaded: Loaded,
    groups: Vec<Rc<StateGroup>>,
    /// Members whose entry in the current state changes without a new event of theirs.
    settled: BTreeMap<OwnedUserId, Option<Event>>,
    threads: BTreeMap<OwnedEventId, (Option<Thread>, Thread)>,
    annotated: Vec<AnnotationChange>,
    /// Where states meet, by the states.
    resolved: Vec<(Vec<StateId>, StateId)>,
    /// More to write in the same batch.
    pub(in crate::rooms) batch: Batch,
}

impl Draft {
    /// On top of everything submitted to the room.
    pub(in crate::rooms) fn new(rooms: &Rooms, live: &Rc<LiveRoom>) -> Self {
        Self::on(rooms, live, live.tip())
    }

    /// On top of a view.
    pub(in crate::rooms) fn on(rooms: &Rooms, live: &Rc<LiveRoom>, base: Rc<View>) -> Self {
        let mut view = (*base).clone();
        if view.head.joined.is_none() {
            view.head.joined = live.joined_count();
        }
        Self {
            rooms: rooms.clone(),
            live: live.clone(),
            base,
            view,
            events: Vec::new(),
            rewritten: Vec::new(),
            loaded: Loaded::new(),
            groups: Vec::new(),
            settled: BTreeMap::new(),
            threads: BTreeMap::new(),
            annotated: Vec::new(),
            resolved: Vec::new(),
            batch: Batch::new(),
        }
    }

    /// The room that it is for.
    pub(in crate::rooms) fn live(&self) -> &Rc<LiveRoom> {
        &self.live
    }

    /// The id of that room.
    pub(in crate::rooms) fn room_id(&self) -> &RoomId {
        &self.live.room_id
    }

    /// Where the room stands with this draft.
    pub(in crate::rooms) fn view(&self) -> &View {
        &self.view
    }

    /// The event of this draft or in memory that sets an entry of the state.
    pub(in crate::rooms) fn state_event(
        &self,
        kind: &StateEventType,
        key: &str,
    ) -> Option<Rc<Pdu>> {
        let event_id = self.view.state(kind, key)?;
        self.loaded.get(event_id).cloned().or_else(|| self.live.auth_event(event_id))
    }

    /// State events that have to be read before `sender` can push this.
    ///
    /// # Errors
    /// As [`auth::auth_keys`].
    pub(in crate::rooms) fn missing(
        &self,
        sender: &UserId,
        new: &NewEvent,
    ) -> Result<Vec<OwnedEventId>> {
        let (mut ids, create) = self.view.auth_events(subject(sender, new), &self.live.rules)?;
        ids.push(create);
        // What it replaces, to tell whether it changes anything.
        ids.extend(new.state_key.as_deref().and_then(|key| {
            self.view.state(&StateEventType::from(new.kind.to_string()), key).cloned()
        }));
        ids.retain(|id| !self.loaded.contains_key(id) && self.live.auth_event(id).is_none());
        Ok(ids)
    }

    /// Adds an event of a local user on top of everything before.
    ///
    /// # Errors
    /// 403 `M_FORBIDDEN` when the room does not allow it; as [`build::build`].
    pub(in crate::rooms) fn push(&mut self, sender: &UserId, new: &NewEvent) -> Result<Rc<Pdu>> {
        let (auth_events, create) =
            self.view.auth_events(subject(sender, new), &self.live.rules)?;
        for event_id in auth_events.iter().chain([&create]) {
            if !self.loaded.contains_key(event_id) {
                let pdu = self.live.auth_event(event_id).ok_or_else(|| {
                    Error::internal(format!("{event_id} is not in memory for authorization"))
                })?;
                self.loaded.insert(event_id.clone(), pdu);
            }
        }
        let extremities = &self.view.head.extremities;
        let newest = extremities.len().saturating_sub(MAX_PREV_EVENTS);
        let pdu = build::build(
            &self.rooms.inner.key,
            &self.live.rules,
            sender,
            new,
            &Place {
                room_id: Some(&self.live.room_id),
                prev_events: &extremities[newest..],
                auth_events: &auth_events,
                depth: self.view.head.depth,
            },
        )?;
        auth::check_references(&pdu, &self.live.rules, &self.loaded)
            .and_then(|()| {
                let state = |kind: &StateEventType, key: &str| self.view.state(kind, key);
                auth::check_state(&pdu, &self.live.rules, state, &self.loaded)
            })
            .map_err(|cause| Error::forbidden(format!("The room does not allow it: {cause}")))?;
        let pdu = Rc::new(pdu);
        let txn = new.txn.clone().map(Rc::new);
        if let Some(txn) = &txn {
            self.rooms.record_transaction(&mut self.batch, &self.live.room_id, new, txn, &pdu);
        }
        if let Some(follow_up) = &new.follow_up {
            follow_up.write(&mut self.batch)?;
        }
        let before = self.view.head.state;
        let replaces_state = self.replaced_by(&pdu);
        self.apply_state(&pdu);
        let after = self.view.head.state;
        self.place(Event {
            pdu: pdu.clone(),
            position: 0,
            state_before: before,
            state_after: after,
            room_state: after,
            status: Status::Accepted,
            txn,
            replaces_state,
            redacted_because: None,
        });
        let head = &mut self.view.head;
        let kept = head.extremities.len().saturating_sub(MAX_PREV_EVENTS);
        head.extremities.truncate(kept);
        head.extremities.push(pdu.event_id.clone());
        head.depth = pdu.depth;
        Ok(pdu)
    }

    /// The state event that an event takes the place of.
    pub(in crate::rooms) fn replaced_by(&self, pdu: &Pdu) -> Option<OwnedEventId> {
        let (kind, key) = pdu.state_entry()?;
        self.view.state(&kind, key).cloned()
    }

    /// Lets a state event set its entry of the current state.
    pub(in crate::rooms) fn apply_state(&mut self, pdu: &Rc<Pdu>) {
        let Some((kind, key)) = pdu.state_entry() else { return };
        if kind == StateEventType::RoomMember {
            let before = self.state_event(&kind, key);
            match before.is_some() || self.view.state(&kind, key).is_none() {
                true => self.count_joined(before.as_deref(), Some(pdu)),
                false => self.view.head.joined = None,
            }
        }
        self.loaded.insert(pdu.event_id.clone(), pdu.clone());
        let entry = StateEntry::new(kind, key, Some(pdu.event_id.clone()));
        let parent = self.view.group.clone();
        let group = self.child_state(parent.as_ref(), vec![entry]);
        self.set_state(group);
    }

    /// Makes a new state of the room.
    pub(in crate::rooms) fn child_state(
        &mut self,
        parent: Option<&Rc<StateGroup>>,
        changes: Vec<Rc<StateEntry>>,
    ) -> Rc<StateGroup> {
        self.view.head.last_state += 1;
        let id = StateId(self.view.head.last_state);
        let group = StateGroup::child(parent, id, changes);
        self.groups.push(group.clone());
        group
    }

    /// Remembers where states meet, for events that meet the same once this one is part of the room.
    pub(in crate::rooms) fn note_resolved(&mut self, states: Vec<StateId>, state: StateId) {
        self.resolved.push((states, state));
    }

    /// Makes a state the current one.
    pub(in crate::rooms) fn set_state(&mut self, group: Rc<StateGroup>) {
        self.view.head.state = group.id;
        self.view.group = Some(group);
    }

    /// Replaces the forward extremities.
    pub(in crate::rooms) fn set_extremities(&mut self, extremities: Vec<OwnedEventId>, depth: u64) {
        self.view.head.extremities = extremities;
        self.view.head.depth = depth;
    }

    /// Lets the number of those who are joined follow a change of an entry of the current state.
    pub(in crate::rooms) fn count_joined(&mut self, before: Option<&Pdu>, after: Option<&Pdu>) {
        let membership = |pdu: Option<&Pdu>| pdu.and_then(Pdu::membership);
        self.view.head.count_joined(membership(before), membership(after));
    }

    /// Notes which stored event sets a member's entry of the current state now.
    pub(in crate::rooms) fn settle_member(&mut self, user_id: OwnedUserId, event: Option<Event>) {
        self.settled.insert(user_id, event);
    }

    /// Adds an event whose place in graph and state is settled.
    pub(in crate::rooms) fn place(&mut self, mut event: Event) {
        event.room_state = self.view.head.state;
        if event.status == Status::Accepted
            && let Some(relation) = Relation::of(&event.pdu)
        {
            self.view.head.relations = true;
            if relation.is_thread() {
                self.change_thread(&relation.parent, ThreadChange::Add(&event.pdu));
            }
            self.annotated.extend(AnnotationChange::of(&relation, &event, true));
        }
        self.events.push(event);
    }

    /// Strips a stored event, because of a redaction that is in this draft.
    ///
    /// `latest` is what a thread's newest event becomes, if this was it.
    ///
    /// # Errors
    /// When the stored event has no valid form.
    pub(in crate::rooms) fn redact(
        &mut self,
        target: &Event,
        because: &Rc<Pdu>,
        latest: Option<&Event>,
    ) -> Result<()> {
        let redacted = target.redacted(because, &self.live.rules)?;
        if let Some(relation) = Relation::of(&target.pdu) {
            relation.delete(&mut self.batch, &self.live.room_id, target.position);
            self.annotated.extend(AnnotationChange::of(&relation, target, false));
            if relation.is_thread() && target.redacted_because.is_none() {
                self.change_thread(
                    &relation.parent,
                    ThreadChange::Remove(&target.pdu.event_id, latest),
                );
            }
        }
        if self.loaded.contains_key(&target.pdu.event_id) {
            self.loaded.insert(target.pdu.event_id.clone(), redacted.pdu.clone());
        }
        self.rewritten.push(redacted);
        Ok(())
    }

    fn change_thread(&mut self, root: &EventId, change: ThreadChange<'_>) {
        let (_, thread) = self.threads.entry(root.to_owned()).or_insert_with(|| {
            let before = self.live.threads.borrow_mut().get(root);
            (before.clone(), before.unwrap_or_default())
        });
        thread.apply(change);
    }
}

fn subject<'a>(sender: &'a UserId, new: &'a NewEvent) -> Subject<'a> {
    Subject { kind: &new.kind, sender, state_key: new.state_key.as_deref(), content: &new.content }
}
