//! Rooms in memory: what a send needs without reading the store.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use ruma::{
    EventId, OwnedEventId, OwnedRoomId, RoomVersionId, room_version_rules::RoomVersionRules,
};

use super::{ROOM_STATES, ROOMS, StateGroup, StateId, StateMap, StateRow, View};
use crate::{
    Error, Result,
    rooms::{
        Event, Pdu, Rooms,
        cache::{Cache, Memory},
        membership::{MemberChanges, Members},
        output,
        timeline::{Annotations, Thread},
    },
    store::Store,
};

/// What a room in memory takes at least, in bytes.
const ROOM: usize = 1024;
/// How much memory the state events may take that a room keeps for authorization, in bytes.
const AUTH_EVENTS: usize = 4 << 20;
/// How much its states may take.
const GROUPS: usize = 16 << 20;
/// How much its states as a whole may take.
const MAPS: usize = 4 << 20;
/// How much what it remembers of meetings of states may take.
const RESOLVED: usize = 4 << 10;
/// How much who has annotated its events may take.
const ANNOTATIONS: usize = 4 << 20;
/// How much summaries of its threads may take.
const THREADS: usize = 1 << 20;
/// What a member takes.
const MEMBER: usize = 512;

/// A room in memory.
pub(in crate::rooms) struct LiveRoom {
    pub(in crate::rooms) room_id: OwnedRoomId,
    pub(in crate::rooms) version: RoomVersionId,
    pub(in crate::rooms) rules: RoomVersionRules,
    /// Where the queue is told of its events.
    pub(in crate::rooms) subject: Rc<str>,
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
    /// The state where some states meet: as long as a fork lasts, each event meets the same.
    resolved: RefCell<Cache<Vec<StateId>, StateId>>,
    /// The durable members, once somebody asked.
    members: RefCell<Option<Rc<Members>>>,
    members_memory: Memory,
    /// Counts the changes of members, so that a load notices that it was overtaken.
    pub(in crate::rooms) members_changes: Cell<u64>,
    /// Summaries of threads with everything submitted.
    pub(in crate::rooms) threads: RefCell<Cache<OwnedEventId, Thread>>,
    pub(in crate::rooms) annotations: Annotations,
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
        rooms: &Rooms,
    ) -> Self {
        let view = Rc::new(view);
        let memory = rooms.inner.live.borrow().memory().clone();
        let part = || Memory::part_of(&memory);
        let store = &rooms.inner.store;
        Self {
            subject: output::subject(&room_id).into(),
            room_id,
            version,
            rules,
            tip: RefCell::new(view.clone()),
            durable: RefCell::new(view),
            pending: RefCell::default(),
            auth: RefCell::new(Cache::over(AUTH_EVENTS, part())),
            groups: RefCell::new(Cache::over(GROUPS, part())),
            maps: RefCell::new(Cache::over(MAPS, part())),
            resolved: RefCell::new(Cache::over(RESOLVED, part())),
            members: RefCell::default(),
            members_memory: part(),
            members_changes: Cell::new(0),
            threads: RefCell::new(Cache::over(THREADS, part())),
            annotations: Annotations::over(ANNOTATIONS, part()),
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
        let weight = pdu.weight();
        self.auth.borrow_mut().insert(pdu.event_id.clone(), pdu, weight, |_| false);
    }

    /// Puts the stripped form of a state event in the place of the one in memory.
    pub(in crate::rooms) fn replace_auth_event(&self, pdu: &Rc<Pdu>) {
        let mut auth = self.auth.borrow_mut();
        if auth.get(&*pdu.event_id).is_some() {
            auth.insert(pdu.event_id.clone(), pdu.clone(), pdu.weight(), |_| false);
        }
    }

    /// The members in memory.
    pub(in crate::rooms) fn members(&self) -> Option<Rc<Members>> {
        self.members.borrow().clone()
    }

    /// Keeps the members in memory.
    pub(in crate::rooms) fn keep_members(&self, members: Rc<Members>) {
        self.weigh_members(members.len());
        *self.members.borrow_mut() = Some(members);
    }

    fn weigh_members(&self, count: usize) {
        self.members_memory.give_back(self.members_memory.taken());
        self.members_memory.take(count * MEMBER);
    }

    /// How many users are joined, if everything that was submitted is durable and the members are in
    /// memory.
    pub(in crate::rooms) fn joined_count(&self) -> Option<u64> {
        let is_settled = self.pending.borrow().is_empty();
        let members = self.members().filter(|_| is_settled)?;
        Some(members.joined_count() as u64)
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
        self.weigh_members(members.len());
    }

    /// Keeps the summary of a thread in memory.
    pub(in crate::rooms) fn keep_thread(&self, root: OwnedEventId, thread: Thread) {
        let weight = thread.weight();
        self.threads.borrow_mut().insert(root, thread, weight, |_| false);
    }

    /// The state where some states meet, if that is remembered.
    pub(in crate::rooms) fn resolved(&self, states: &[StateId]) -> Option<StateId> {
        self.resolved.borrow_mut().get(states)
    }

    /// Remembers where states meet.
    pub(in crate::rooms) fn keep_resolved(&self, states: Vec<StateId>, state: StateId) {
        let weight = size_of::<(Vec<StateId>, StateId)>() * 4 + size_of_val(&*states) * 2;
        self.resolved.borrow_mut().insert(states, state, weight, |_| false);
    }

    /// Keeps a state in memory.
    pub(in crate::rooms) fn keep_group(&self, group: Rc<StateGroup>) {
        let weight = group.weight();
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
        self.maps.borrow_mut().insert(group.id, map.clone(), map.weight(), |_| false);
        map
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
        let head = ROOMS
            .get(&self.inner.store, (room_id,))
            .await?
            .ok_or_else(|| Error::not_found("The room is not known to this server"))?;
        let rules = head
            .version
            .rules()
            .ok_or_else(|| Error::internal(format!("room version {} is gone", head.version)))?;
        let version = head.version.clone();
        let state = head.state;
        let view = View { head, group: None };
        let live = Rc::new(LiveRoom::new(room_id.to_owned(), version, rules, view, self));
        let group = self.group(&live, state).await?;
        let view = Rc::new(View { head: live.tip().head.clone(), group });
        *live.tip.borrow_mut() = view.clone();
        *live.durable.borrow_mut() = view;
        self.keep_live(&live);
        Ok(live)
    }

    fn live_in_memory(&self, room_id: &ruma::RoomId) -> Option<Rc<LiveRoom>> {
        let mut rooms = self.inner.live.borrow_mut();
        let live = rooms.get(room_id).filter(|live| !live.broken());
        // They grow while they are used.
        rooms.trim(is_used);
        live
    }

    /// Keeps a room in memory.
    pub(in crate::rooms) fn keep_live(&self, live: &Rc<LiveRoom>) {
        let mut rooms = self.inner.live.borrow_mut();
        rooms.insert(live.room_id.clone(), live.clone(), ROOM, is_used);
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
            let key = (&live.room_id, id.0);
            let unreadable = |cause| ROOM_STATES.unreadable(key, cause);
            let row = ROOM_STATES.get(&self.inner.store, key).await?;
            let row = row.ok_or_else(|| unreadable(&"the state is gone"))?;
            let row = StateRow::parse(&row).ok_or_else(|| unreadable(&"it is no state"))?;
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

/// Whether somebody may be about to add to a room.
fn is_used(live: &Rc<LiveRoom>) -> bool {
    Rc::strong_count(live) > 1
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use ruma::{
        OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
        api::client::room::create_room::v3::RoomPreset, events::StateEventType, server_name,
    };
    use serde_json::value::RawValue;

    use super::*;
    use crate::{
        config::KeptChanges,
        feed::Feed,
        platform,
        queue::Queue,
        rooms::{CreateRoom, NewEvent, Profile},
        store::{Options, memory::Disk},
    };

    fn user(name: &str) -> OwnedUserId {
        UserId::parse(format!("@{name}:neurite.test")).unwrap()
    }

    async fn rooms() -> Rooms {
        let store = Store::open_memory(&Disk::new(), Options::default()).await.unwrap();
        let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
        let queue = Queue::open(store.clone()).await.unwrap();
        let name = server_name!("neurite.test").to_owned();
        Rooms::open(store, feed, Rc::new(queue), name, RoomVersionId::V12).await.unwrap()
    }

    async fn public_room(rooms: &Rooms) -> OwnedRoomId {
        let preset = Some(RoomPreset::PublicChat);
        rooms.create(&user("alice"), CreateRoom { preset, ..CreateRoom::default() }).await.unwrap()
    }

    fn taken(rooms: &Rooms) -> usize {
        rooms.inner.live.borrow().memory().taken()
    }

    #[test]
    fn what_a_room_keeps_in_memory_counts_as_it_grows() {
        platform::run(async {
            let rooms = rooms().await;
            let room_id = public_room(&rooms).await;
            let new = taken(&rooms);
            assert!(new > ROOM);
            for number in 0..50 {
                let content = RawValue::from_string("{}".to_owned()).unwrap();
                let kind = StateEventType::from("x.y");
                let event = NewEvent::state(kind, number.to_string(), content);
                rooms.append(&room_id, &user("alice"), event).await.unwrap();
            }
            let with_state = taken(&rooms);
            assert!(with_state > new + 50 * 160, "{new}, {with_state}");
            for number in 0..10 {
                let user = user(&format!("user{number}"));
                rooms.join(&user, &room_id, Profile::default(), None).await.unwrap();
            }
            let before = taken(&rooms);
            let room = rooms.room(&room_id).await.unwrap();
            assert_eq!(room.members().await.unwrap().joined_count(), 11);
            assert_eq!(taken(&rooms), before + 11 * MEMBER);
            rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
            assert!(taken(&rooms) > before + 12 * MEMBER);
            // Somebody still has it.
            rooms.inner.live.borrow_mut().remove(&room_id);
            assert!(taken(&rooms) > before);
            drop(room);
            assert_eq!(taken(&rooms), 0);
        });
    }

    #[test]
    fn rooms_in_memory_stay_below_a_limit() {
        platform::run(async {
            let rooms = rooms().await;
            let first = public_room(&rooms).await;
            let one = taken(&rooms);
            let limit = 10 * one;
            *rooms.inner.live.borrow_mut() = Cache::new(limit);
            let mut all = vec![first];
            for _ in 0..50 {
                all.push(public_room(&rooms).await);
                assert!(taken(&rooms) < limit + 2 * one, "{} of {limit}", taken(&rooms));
            }
            for room_id in &all {
                rooms.room(room_id).await.unwrap().members().await.unwrap();
                assert!(taken(&rooms) < limit + 2 * one, "{} of {limit}", taken(&rooms));
            }
            assert!(taken(&rooms) > limit / 2);
        });
    }
}
