//! Which members a device was told of, where members are loaded lazily.
//! spec: client-server §Lazy-loading room members

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};

use crate::{feed::Position, users::Session};

/// For how many devices and rooms this is remembered. One forgotten is told again, which is only
/// redundant.
const REMEMBERED: usize = 2048;

type Key = (OwnedUserId, OwnedDeviceId, OwnedRoomId);

/// The membership events that devices were told. Only in memory.
#[derive(Default)]
pub(super) struct ToldMembers {
    told: RefCell<BTreeMap<Key, Told>>,
    order: RefCell<VecDeque<Key>>,
}

/// What one device was told of one room.
#[derive(Default)]
struct Told {
    /// What it has for sure, since it went on with a later token.
    certain: BTreeSet<OwnedEventId>,
    /// What the answer to `since` told, which may not have arrived.
    newest: BTreeSet<OwnedEventId>,
    since: Option<Position>,
}

impl ToldMembers {
    /// What a device that goes on from `since` has been told of a room.
    pub(super) fn of(
        &self,
        session: &Session,
        room_id: &RoomId,
        since: Option<Position>,
    ) -> BTreeSet<OwnedEventId> {
        let key = key(session, room_id);
        let mut all = self.told.borrow_mut();
        let Some(told) = all.get_mut(&key) else { return BTreeSet::new() };
        if since.is_none() {
            *told = Told::default();
        } else if told.since != since {
            told.certain.append(&mut told.newest);
        }
        told.certain.clone()
    }

    /// Remembers what the answer to `since` tells a device of a room.
    pub(super) fn remember(
        &self,
        session: &Session,
        room_id: &RoomId,
        since: Option<Position>,
        members: BTreeSet<OwnedEventId>,
    ) {
        let key = key(session, room_id);
        let mut all = self.told.borrow_mut();
        if !all.contains_key(&key) {
            let mut order = self.order.borrow_mut();
            order.push_back(key.clone());
            if order.len() > REMEMBERED
                && let Some(oldest) = order.pop_front()
            {
                all.remove(&oldest);
            }
        }
        let told = all.entry(key).or_default();
        told.newest = members;
        told.since = since;
    }
}

fn key(session: &Session, room_id: &RoomId) -> Key {
    (session.user_id.clone(), session.device_id.clone(), room_id.to_owned())
}
