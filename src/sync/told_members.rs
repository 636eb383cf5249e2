//! Which members a device was told of, where members are loaded lazily.
//! spec: client-server §Lazy-loading room members

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
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
    /// With the token of the answer that told them: a client that continues from an older token
    /// never got that answer, or has lost it.
    told: RefCell<BTreeMap<Key, BTreeMap<OwnedEventId, Position>>>,
    order: RefCell<VecDeque<Key>>,
}

impl ToldMembers {
    /// Those of some membership events that a device at `since` was not told.
    pub(super) fn untold(
        &self,
        session: &Session,
        room_id: &RoomId,
        since: Position,
        mut members: Vec<OwnedEventId>,
    ) -> Vec<OwnedEventId> {
        if let Some(told) = self.told.borrow().get(&key(session, room_id)) {
            members.retain(|event_id| told.get(event_id).is_none_or(|token| *token > since));
        }
        members
    }

    /// Remembers what an answer from `since` to `to` tells a device, and forgets what was told after
    /// `since` before: those answers are lost to the device.
    pub(super) fn tell(
        &self,
        session: &Session,
        room_id: &RoomId,
        since: Position,
        to: Position,
        members: impl Iterator<Item = OwnedEventId>,
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
        told.retain(|_, token| *token <= since);
        for event_id in members {
            told.entry(event_id).or_insert(to);
        }
    }
}

fn key(session: &Session, room_id: &RoomId) -> Key {
    (session.user_id.clone(), session.device_id.clone(), room_id.to_owned())
}
