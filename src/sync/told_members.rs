//! Which members a device was told of, where members are loaded lazily.
//! spec: client-server §Lazy-loading room members

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
};

use ruma::{OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};

use crate::{feed::Position, users::Session};

/// How many members are remembered of all devices and rooms together; each device in a room counts as
/// one more. A member that is forgotten is told again, which is only redundant.
const REMEMBERED: usize = 65_536;

type Key = (OwnedUserId, OwnedDeviceId, OwnedRoomId);

/// The membership events that devices were told. Only in memory.
#[derive(Default)]
pub(super) struct ToldMembers {
    /// With the token of the answer that told them: a client that continues from an older token
    /// never got that answer, or has lost it.
    told: RefCell<BTreeMap<Key, BTreeMap<OwnedEventId, Position>>>,
    /// In which order they were told something for the first time.
    order: RefCell<VecDeque<Key>>,
    weight: Cell<usize>,
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
        let mut all = self.told.borrow_mut();
        let mut order = self.order.borrow_mut();
        let mut weight = self.weight.get();
        let told = all.entry(key(session, room_id)).or_insert_with_key(|key| {
            order.push_back(key.clone());
            weight += 1;
            BTreeMap::new()
        });
        weight -= told.len();
        told.retain(|_, token| *token <= since);
        for event_id in members {
            told.entry(event_id).or_insert(to);
        }
        weight += told.len();
        while weight > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            weight -= all.remove(&oldest).map_or(0, |told| told.len() + 1);
        }
        self.weight.set(weight);
    }
}

fn key(session: &Session, room_id: &RoomId) -> Key {
    (session.user_id.clone(), session.device_id.clone(), room_id.to_owned())
}

#[cfg(test)]
mod tests {
    use ruma::{device_id, owned_room_id, user_id};

    use super::*;
    use crate::users::Standing;

    fn session(user_id: &ruma::UserId) -> Session {
        let device_id = device_id!("DEVICE").to_owned();
        Session {
            user_id: user_id.to_owned(),
            device_id,
            guest: false,
            standing: Standing::default(),
        }
    }

    #[test]
    fn no_more_is_remembered_than_so_many_members() {
        let told = ToldMembers::default();
        let alice = session(user_id!("@alice:a.test"));
        let members = |of: usize, count: usize| -> Vec<OwnedEventId> {
            (0..count).map(|n| format!("$room{of}member{n}").try_into().unwrap()).collect()
        };
        let rooms: Vec<_> = (0..100).map(|n| format!("!{n}:a.test").try_into().unwrap()).collect();
        let kept = |told: &ToldMembers| {
            let told = told.told.borrow();
            told.len() + told.values().map(BTreeMap::len).sum::<usize>()
        };
        for (number, room_id) in rooms.iter().enumerate() {
            let room_id: &OwnedRoomId = room_id;
            told.tell(&alice, room_id, 0, 1, members(number, 10_000).into_iter());
            assert!(kept(&told) <= REMEMBERED);
            assert_eq!(kept(&told), told.weight.get());
            assert_eq!(told.told.borrow().len(), told.order.borrow().len());
        }
        // The newest is remembered, the oldest is not.
        assert!(told.untold(&alice, &rooms[99], 1, members(99, 10)).is_empty());
        assert_eq!(told.untold(&alice, &rooms[0], 1, members(0, 10)).len(), 10);
        // What is told again takes the place of what was lost.
        told.tell(&alice, &rooms[99], 0, 2, members(99, 5).into_iter());
        assert_eq!(kept(&told), told.weight.get());
        // One alone that is too large is not kept either.
        let huge = owned_room_id!("!huge:a.test");
        told.tell(&alice, &huge, 0, 1, members(0, 2 * REMEMBERED).into_iter());
        assert_eq!((kept(&told), told.weight.get()), (0, 0));
    }
}
