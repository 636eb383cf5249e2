//! Rooms in memory: what a send needs without reading the store.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, RoomVersionId, room_version_rules::RoomVersionRules,
};

use super::{Head, StateGroup, StateId, StateMap, StateRow, View};
use crate::{
    Error, Result,
    rooms::{
        Event, Pdu, Rooms,
        cache::Cache,
        membership::{MemberChanges, Members},
        output,
        timeline::Thread,
    },
    store::{self, Key, Store, Table},
};

/// How many state events a room keeps in memory for authorization.
const AUTH_EVENTS: usize = 1024;
/// How many states of a room are kept in memory, in entries.
const STATE_ENTRIES: usize = 100_000;
/// How many summaries of threads a room keeps in memory.
const THREADS: usize = 1024;

/// A room in memory.
pub(in crate::rooms) struct LiveRoom {
    pub(in crate::rooms) room_id: OwnedRoomId,
    pub(in crate::rooms) version: RoomVersionId,
    pub(in crate::rooms) rules: RoomVersionRules,
    /// Where the queue is told of its events.
    pub(in crate::rooms) subject: String,
    /// With everything submitted, durable or not: what the next event is built on.
    pub(in crate::rooms) tip: RefCell<Rc<View>>,
    /// With what is durable: what readers see.
    pub(in crate::rooms) durable: RefCell<Rc<View>>,
    /// Events submitted and not yet durable.
    pub(in crate::rooms) pending: RefCell<HashMap<OwnedEventId, Event>>,
    /// State events for the authorization of others.
    pub(in crate::rooms) auth: RefCell<Cache<OwnedEventId, Rc<Pdu>>>,
    pub(in crate::rooms) groups: RefCell<Cache<StateId, Rc<StateGroup>>>,
    maps: RefCell<Cache<StateId, Rc<StateMap>>>,
    /// The durable members, once somebody asked.
    pub(in crate::rooms) members: RefCell<Option<Rc<Members>>>,
    /// Counts the changes of members, so that a load notices that it was overtaken.
    pub(in crate::rooms) members_changes: Cell<u64>,
    /// Summaries of threads with everything submitted.
    pub(in crate::rooms) threads: RefCell<Cache<OwnedEventId, Thread>>,
    /// Set when a commit failed: what is in `tip` is not what is stored.
    broken: Cell<bool>,
    /// The store's epoch when it was read.
    epoch: u64,
    store: Store,
}

impl LiveRoom {
    pub(in crate::rooms) fn new(
        room_id: OwnedRoomId,
        version: RoomVersionId,
        rules: RoomVersionRules,
        view: View,
        store: &Store,
    ) -> Self {
        let view = Rc::new(view);
        Self {
            subject: output::subject(&room_id),
            room_id,
            version,
            rules,
            tip: RefCell::new(view.clone()),
            durable: RefCell::new(view),
            pending: RefCell::default(),
            auth: RefCell::new(Cache::new(AUTH_EVENTS)),
            groups: RefCell::new(Cache::new(STATE_ENTRIES)),
            maps: RefCell::new(Cache::new(STATE_ENTRIES)),
            members: RefCell::default(),
            members_changes: Cell::new(0),
            threads: RefCell::new(Cache::new(THREADS)),
            broken: Cell::new(false),
            epoch: store.epoch(),
            store: store.clone(),
        }
    }

    /// Whether what is in memory is no longer what the store has or will have.
    pub(in crate::rooms) fn broken(&self) -> bool {
        self.broken.get() || self.epoch != self.store.epoch()
    }

    /// What the next event is built on.
    pub(in crate::rooms) fn tip(&self) -> Rc<View> {
        self.tip.borrow().clone()
    }

    /// What readers see.
    pub(in crate::rooms) fn durable(&self) -> Rc<View> {
        self.durable.borrow().clone()
    }

    /// A state event that is in memory.
    pub(in crate::rooms) fn auth_event(&self, event_id: &EventId) -> Option<Rc<Pdu>> {
        if let Some(event) = self.pending.borrow().get(event_id) {
            return Some(event.pdu.clone());
        }
        self.auth.borrow_mut().get(event_id)
    }

    /// Lets an event be found by its id while it is not yet part of the room, until the guard is
    /// dropped.
    pub(in crate::rooms) fn offer(self: &Rc<Self>, event: Event) -> Offered {
        let event_id = event.pdu.event_id.clone();
        self.pending.borrow_mut().insert(event_id.clone(), event);
        Offered { live: self.clone(), event_id }
    }

    /// Keeps a state event for the authorization of others.
    pub(in crate::rooms) fn keep_auth_event(&self, pdu: Rc<Pdu>) {
        self.auth.borrow_mut().insert(pdu.event_id.clone(), pdu, 1, |_| false);
    }

    /// Puts the stripped form of a state event in the place of the one in memory.
    pub(in crate::rooms) fn replace_auth_event(&self, pdu: &Rc<Pdu>) {
        let mut auth = self.auth.borrow_mut();
        if auth.get(&*pdu.event_id).is_some() {
            auth.insert(pdu.event_id.clone(), pdu.clone(), 1, |_| false);
        }
    }

    /// Lets the members in memory follow what has become durable.
    pub(in crate::rooms) fn update_members(&self, changes: MemberChanges) {
        if changes.is_empty() {
            return;
        }
        self.members_changes.set(self.members_changes.get() + 1);
        let mut members = self.members.borrow_mut();
        let Some(members) = members.as_mut().map(Rc::make_mut) else { return };
        for (user_id, member) in changes {
            members.set(user_id, member.map(|(member, _)| member));
        }
    }

    /// Keeps a state in memory.
    pub(in crate::rooms) fn keep_group(&self, group: Rc<StateGroup>) {
        let weight = group.weight() + 16;
        // A state that is not yet durable is held by its view; it can't be read again.
        self.groups
            .borrow_mut()
            .insert(group.id, group, weight, |group| Rc::strong_count(group) > 1);
    }

    /// The whole of a state in memory.
    pub(in crate::rooms) fn map(&self, group: Option<&Rc<StateGroup>>) -> Rc<StateMap> {
        let Some(group) = group else { return Rc::default() };
        if let Some(map) = self.maps.borrow_mut().get(&group.id) {
            return map;
        }
        let map = Rc::new(group.map());
        self.maps.borrow_mut().insert(group.id, map.clone(), map.len() + 16, |_| false);
        map
    }

    /// How much memory it takes, about, in entries of state.
    fn weight(&self) -> usize {
        64 + self.tip.borrow().group.as_ref().map_or(0, |group| group.weight())
    }
}

/// See [`LiveRoom::offer`].
pub(in crate::rooms) struct Offered {
    live: Rc<LiveRoom>,
    event_id: OwnedEventId,
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.live.pending.borrow_mut().remove(&self.event_id);
    }
}

impl Rooms {
    /// The room in memory, read from the store if need be.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such room; when the store fails.
    pub(in crate::rooms) async fn live(&self, room_id: &ruma::RoomId) -> Result<Rc<LiveRoom>> {
        if let Some(live) = self.live_in_memory(room_id) {
            return Ok(live);
        }
        let _loading = self.inner.loading.lock(room_id.to_owned()).await;
        if let Some(live) = self.live_in_memory(room_id) {
            return Ok(live);
        }
        let head: Head = self
            .inner
            .store
            .get_json(Table::Rooms, Key::new().str(room_id))
            .await?
            .ok_or_else(|| Error::not_found("The room is not known to this server"))?;
        let rules = head
            .version
            .rules()
            .ok_or_else(|| Error::internal(format!("room version {} is gone", head.version)))?;
        let version = head.version.clone();
        let state = head.state;
        let view = View { head, group: None };
        let live =
            Rc::new(LiveRoom::new(room_id.to_owned(), version, rules, view, &self.inner.store));
        let group = self.group(&live, state).await?;
        let view = Rc::new(View { head: live.tip().head.clone(), group });
        *live.tip.borrow_mut() = view.clone();
        *live.durable.borrow_mut() = view;
        self.keep_live(&live);
        Ok(live)
    }

    fn live_in_memory(&self, room_id: &ruma::RoomId) -> Option<Rc<LiveRoom>> {
        self.inner.live.borrow_mut().get(room_id).filter(|live| !live.broken())
    }

    /// Keeps a room in memory.
    pub(in crate::rooms) fn keep_live(&self, live: &Rc<LiveRoom>) {
        self.inner.live.borrow_mut().insert(
            live.room_id.clone(),
            live.clone(),
            live.weight(),
            // In use: somebody may be about to add to it.
            |live| Rc::strong_count(live) > 1,
        );
    }

    /// Forgets what is in memory of a room after a commit failed: the store knows better.
    pub(in crate::rooms) fn forget_live(&self, live: &LiveRoom) {
        if !live.broken.replace(true) {
            self.inner.live.borrow_mut().remove(&live.room_id);
        }
    }

    /// A state of a room; `None` is the one before the create event.
    pub(in crate::rooms) async fn group(
        &self,
        live: &LiveRoom,
        id: StateId,
    ) -> Result<Option<Rc<StateGroup>>> {
        let mut rows = Vec::new();
        let mut next = Some(id).filter(|id| *id != StateId::default());
        let mut group = None;
        while let Some(id) = next {
            let known = live.groups.borrow_mut().get(&id);
            if known.is_some() {
                group = known;
                break;
            }
            let key = Key::new().str(&live.room_id).u64(id.0);
            let row = self.inner.store.get(Table::RoomStates, key).await?.ok_or_else(|| {
                store::Error::Corrupt(format!("{}: a state of the room is gone", live.room_id))
            })?;
            let row = StateRow::parse(&row)?;
            next = row.base;
            rows.push((id, row));
        }
        for (id, row) in rows.into_iter().rev() {
            let read = StateGroup::from_row(id, row, group);
            live.keep_group(read.clone());
            group = Some(read);
        }
        Ok(group)
    }
}
