//! Events that are to become part of a room together: built one on the other in memory, then
//! written in one batch.

use std::{collections::BTreeMap, rc::Rc};

use ruma::{
    EventId, OwnedEventId, OwnedUserId, RoomId, UserId,
    events::{StateEventType, TimelineEventType},
};

use super::{
    Event, Member, NewEvent, Pdu, Rooms, Status, UserRoom,
    auth::{self, Loaded, Subject},
    build::{self, Place},
    live::{LiveRoom, View},
    relations::Relation,
    state::{StateEntry, StateGroup, StateId},
    threads::{Thread, ThreadChange},
};
use crate::{
    Error, Result,
    feed::Change,
    store::{Batch, Commit, Key, Table},
};

/// How many events an event follows at most. spec: room version 1 §Event format
const MAX_PREV_EVENTS: usize = 20;

/// Events on their way into a room. Holds no lock: between making it and submitting it there must
/// be no `.await`, so that nothing else is built on the same view.
pub(super) struct Draft {
    rooms: Rooms,
    live: Rc<LiveRoom>,
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
    /// More to write in the same batch.
    pub(super) batch: Batch,
}

impl Draft {
    /// On top of everything submitted to the room.
    pub(super) fn new(rooms: &Rooms, live: &Rc<LiveRoom>) -> Self {
        Self::on(rooms, live, (*live.tip()).clone())
    }

    /// On top of a view.
    pub(super) fn on(rooms: &Rooms, live: &Rc<LiveRoom>, view: View) -> Self {
        Self {
            rooms: rooms.clone(),
            live: live.clone(),
            view,
            events: Vec::new(),
            rewritten: Vec::new(),
            loaded: Loaded::new(),
            groups: Vec::new(),
            settled: BTreeMap::new(),
            threads: BTreeMap::new(),
            batch: Batch::new(),
        }
    }

    /// The room that it is for.
    pub(super) fn live(&self) -> &Rc<LiveRoom> {
        &self.live
    }

    /// The id of that room.
    pub(super) fn room_id(&self) -> &RoomId {
        &self.live.room_id
    }

    /// Where the room stands with this draft.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// The event of this draft or in memory that sets an entry of the state.
    pub(super) fn state_event(&self, kind: &StateEventType, key: &str) -> Option<Rc<Pdu>> {
        let event_id = self.view.state(kind, key)?;
        self.loaded.get(event_id).cloned().or_else(|| self.live.auth_event(event_id))
    }

    /// State events that have to be read before `sender` can push this.
    ///
    /// # Errors
    /// As [`auth::auth_keys`].
    pub(super) fn missing(&self, sender: &UserId, new: &NewEvent) -> Result<Vec<OwnedEventId>> {
        let (mut ids, create) =
            auth::auth_events(subject(sender, new), &self.live.rules, &self.view)?;
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
    pub(super) fn push(&mut self, sender: &UserId, new: &NewEvent) -> Result<Rc<Pdu>> {
        let (auth_events, create) =
            auth::auth_events(subject(sender, new), &self.live.rules, &self.view)?;
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
    pub(super) fn replaced_by(&self, pdu: &Pdu) -> Option<OwnedEventId> {
        let (kind, key) = pdu.state_entry()?;
        self.view.state(&kind, key).cloned()
    }

    /// Lets a state event set its entry of the current state.
    pub(super) fn apply_state(&mut self, pdu: &Rc<Pdu>) {
        let Some((kind, key)) = pdu.state_entry() else { return };
        self.loaded.insert(pdu.event_id.clone(), pdu.clone());
        let entry = StateEntry::new(kind, key, Some(pdu.event_id.clone()));
        let parent = self.view.group.clone();
        let group = self.child_state(parent.as_ref(), vec![entry]);
        self.set_state(group);
    }

    /// Makes a new state of the room.
    pub(super) fn child_state(
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

    /// Makes a state the current one.
    pub(super) fn set_state(&mut self, group: Rc<StateGroup>) {
        self.view.head.state = group.id;
        self.view.group = Some(group);
    }

    /// Replaces the forward extremities.
    pub(super) fn set_extremities(&mut self, extremities: Vec<OwnedEventId>, depth: u64) {
        self.view.head.extremities = extremities;
        self.view.head.depth = depth;
    }

    /// Notes which stored event sets a member's entry of the current state now.
    pub(super) fn settle_member(&mut self, user_id: OwnedUserId, event: Option<Event>) {
        self.settled.insert(user_id, event);
    }

    /// Adds an event whose place in graph and state is settled.
    pub(super) fn place(&mut self, mut event: Event) {
        event.room_state = self.view.head.state;
        if event.status == Status::Accepted
            && let Some(relation) = Relation::of(&event.pdu)
        {
            self.view.head.relations = true;
            if relation.is_thread() {
                self.change_thread(&relation.parent, ThreadChange::Add(&event.pdu));
            }
        }
        self.events.push(event);
    }

    /// Strips a stored event, because of a redaction that is in this draft.
    ///
    /// `latest` is what a thread's newest event becomes, if this was it.
    ///
    /// # Errors
    /// When the stored event has no valid form.
    pub(super) fn redact(
        &mut self,
        target: &Event,
        because: &Rc<Pdu>,
        latest: Option<&Event>,
    ) -> Result<()> {
        let redacted = target.redacted(because, &self.live.rules)?;
        if let Some(relation) = Relation::of(&target.pdu) {
            relation.delete(&mut self.batch, &self.live.room_id, target.position);
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

    /// Gives the events their positions and hands everything in. What is built next is built on
    /// it; readers see it when the commit resolves.
    ///
    /// # Errors
    /// When a value has no stored form; nothing is handed in then.
    pub(super) fn submit(mut self) -> Result<Submitted> {
        let rooms = self.rooms.clone();
        let mut batch = std::mem::take(&mut self.batch);
        let live = [self.stage(&mut batch)?];
        let commit = rooms.inner.store.submit(batch);
        Ok(Submitted { rooms, live, commit })
    }

    /// The part of [`Draft::submit`] before the store: from here to the submission of the batch
    /// there must be no `.await`.
    ///
    /// # Errors
    /// When a value has no stored form: then the batch must not be submitted.
    pub(super) fn stage(mut self, batch: &mut Batch) -> Result<Rc<LiveRoom>> {
        let room_id = self.live.room_id.clone();
        for event in &mut self.events {
            if event.status != Status::Accepted {
                continue;
            }
            let member = match (&event.pdu.kind, &event.pdu.state_key) {
                (TimelineEventType::RoomMember, Some(key)) => OwnedUserId::try_from(&**key).ok(),
                _ => None,
            };
            let change = Change::Event {
                room_id: room_id.clone(),
                event_id: event.pdu.event_id.clone(),
                member,
            };
            event.position = self.rooms.inner.feed.record(batch, change);
            self.rooms.publish(
                batch,
                &self.live.subject,
                &room_id,
                &event.pdu.event_id,
                event.position,
            )?;
            self.view.head.position = event.position;
        }
        let members = self.members();
        for event in self.events.iter().chain(&self.rewritten) {
            event.write(batch)?;
        }
        for event in &self.events {
            event.write_index(batch);
            if event.status == Status::Accepted
                && let Some(relation) = Relation::of(&event.pdu)
            {
                relation.write(batch, event)?;
            }
        }
        for (root, (before, thread)) in &mut self.threads {
            thread.settle(&self.events);
            thread.write(batch, &room_id, root, before.as_ref())?;
            let thread = thread.clone();
            self.live.threads.borrow_mut().insert(root.clone(), thread, 1, |_| false);
        }
        for group in &self.groups {
            batch.put(Table::RoomStates, Key::new().str(&room_id).u64(group.id.0), group.to_row());
            self.live.keep_group(group.clone());
        }
        let mut user_rooms = Vec::new();
        for (user_id, member) in &members {
            let row = Key::new().str(&room_id).str(user_id);
            match member {
                Some((member, previous)) => {
                    batch.put_json(Table::RoomMembers, row, member)?;
                    if self.rooms.is_local(user_id) {
                        let room = UserRoom {
                            room_id: room_id.clone(),
                            membership: member.membership.clone(),
                            previous: previous.clone(),
                            event_id: member.event_id.clone(),
                            position: member.position,
                            sender: member.sender.clone(),
                            forgotten: false,
                        };
                        let row = Key::new().str(user_id).str(&room_id);
                        batch.put_json(Table::UserRooms, row, &room)?;
                        user_rooms.push((user_id.clone(), room_id.clone(), Some(room)));
                    }
                }
                None => {
                    batch.delete(Table::RoomMembers, row);
                    if self.rooms.is_local(user_id) {
                        batch.delete(Table::UserRooms, Key::new().str(user_id).str(&room_id));
                        user_rooms.push((user_id.clone(), room_id.clone(), None));
                    }
                }
            }
        }
        batch.put_json(Table::Rooms, Key::new().str(&room_id), &self.view.head)?;

        let view = Rc::new(self.view);
        *self.live.tip.borrow_mut() = view.clone();
        for event in &self.events {
            self.live.pending.borrow_mut().insert(event.pdu.event_id.clone(), event.clone());
        }
        for event in &self.rewritten {
            self.live.replace_auth_event(&event.pdu);
        }
        for event in self.events.iter().filter(|event| event.pdu.state_key.is_some()) {
            self.live.keep_auth_event(event.pdu.clone());
        }
        let (rooms, live) = (self.rooms.clone(), self.live.clone());
        let (events, rewritten, groups) = (self.events, self.rewritten, self.groups);
        batch.on_durable(move || {
            *live.durable.borrow_mut() = view;
            for event in events {
                live.pending.borrow_mut().remove(&event.pdu.event_id);
                rooms.keep_event(event);
            }
            rewritten.into_iter().for_each(|event| rooms.keep_event(event));
            live.update_members(members);
            rooms.update_user_rooms(user_rooms);
            // Until here the states could not be read from the store.
            drop(groups);
        });
        Ok(self.live)
    }

    /// What changes in the rows of members, by comparing the new current state with the rows'.
    fn members(&self) -> MemberChanges {
        let mut changes = MemberChanges::new();
        for (user_id, event) in &self.settled {
            let member = event.as_ref().and_then(|event| Member::of(&event.pdu, event.position));
            changes.insert(user_id.clone(), member.map(|member| (member, None)));
        }
        for event in self.events.iter().chain(&self.rewritten) {
            let (TimelineEventType::RoomMember, Some(key)) =
                (&event.pdu.kind, event.pdu.state_key.as_deref())
            else {
                continue;
            };
            let Ok(user_id) = OwnedUserId::try_from(key) else { continue };
            // Whatever a fork brought: only what the current state names counts.
            if self.view.state(&StateEventType::RoomMember, key) != Some(&event.pdu.event_id) {
                continue;
            }
            let Some(member) = Member::of(&event.pdu, event.position) else { continue };
            let previous = event.replaces_state.as_ref().and_then(|id| {
                let pdu = self.loaded.get(id).cloned().or_else(|| self.live.auth_event(id))?;
                Some(Member::of(&pdu, 0)?.membership)
            });
            changes.insert(user_id, Some((member, previous)));
        }
        changes
    }
}

/// New rows of members with the membership before; `None` where the state names them no longer.
pub(super) type MemberChanges =
    BTreeMap<OwnedUserId, Option<(Member, Option<ruma::events::room::member::MembershipState>)>>;

fn subject<'a>(sender: &'a UserId, new: &'a NewEvent) -> Subject<'a> {
    Subject { kind: &new.kind, sender, state_key: new.state_key.as_deref(), content: &new.content }
}

/// Submits the batch into which drafts were staged, and waits until it is durable.
///
/// # Errors
/// When the store fails: then nothing of it was written.
pub(super) async fn submit<const N: usize>(
    rooms: &Rooms,
    batch: Batch,
    live: [Rc<LiveRoom>; N],
) -> Result<()> {
    let commit = rooms.inner.store.submit(batch);
    Submitted { rooms: rooms.clone(), live, commit }.durable().await
}

/// Drafts on their way to the store.
pub(super) struct Submitted<const N: usize = 1> {
    rooms: Rooms,
    live: [Rc<LiveRoom>; N],
    commit: Commit,
}

impl<const N: usize> Submitted<N> {
    /// Waits until they are durable.
    ///
    /// # Errors
    /// When the store fails: then nothing of them was written.
    pub(super) async fn durable(self) -> Result<()> {
        let outcome = self.commit.await;
        if outcome.is_err() {
            self.live.iter().for_each(|live| self.rooms.forget_live(live));
        }
        Ok(outcome?)
    }
}
