//! The published rooms in memory, in the order of the directory: read once, and again those that
//! change.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use ruma::{OwnedRoomId, RoomId, UInt, room::RoomSummary};

/// See [`self`].
#[derive(Default)]
pub(in crate::rooms) struct Listing {
    /// All published rooms, once they are read; `None` where there is no summary yet.
    rooms: Option<HashMap<OwnedRoomId, Option<Rc<RoomSummary>>>>,
    order: BTreeMap<(Reverse<UInt>, OwnedRoomId), Rc<RoomSummary>>,
    /// Whose summary is to be made, and since which change.
    stale: BTreeMap<OwnedRoomId, u64>,
    /// Grows with every change, so that a read notices that it was overtaken.
    changes: u64,
}

impl Listing {
    pub(in crate::rooms) fn changes(&self) -> u64 {
        self.changes
    }

    pub(in crate::rooms) fn is_read(&self) -> bool {
        self.rooms.is_some()
    }

    /// All rooms that are published, as the store has it.
    pub(in crate::rooms) fn read(&mut self, rooms: Vec<OwnedRoomId>) {
        self.stale = rooms.iter().map(|room_id| (room_id.clone(), self.changes)).collect();
        self.rooms = Some(rooms.into_iter().map(|room_id| (room_id, None)).collect());
    }

    /// A room is published from now on, or no longer.
    pub(in crate::rooms) fn set(&mut self, room_id: &RoomId, published: bool) {
        self.changes += 1;
        let Some(rooms) = &mut self.rooms else { return };
        if published {
            rooms.entry(room_id.to_owned()).or_default();
            self.stale.insert(room_id.to_owned(), self.changes);
        } else if let Some(summary) = rooms.remove(room_id) {
            self.stale.remove(room_id);
            self.remove(summary.as_deref());
        }
    }

    /// A room may have another summary.
    pub(in crate::rooms) fn note_change(&mut self, room_id: &RoomId) {
        if self.rooms.as_ref().is_some_and(|rooms| rooms.contains_key(room_id)) {
            self.changes += 1;
            self.stale.insert(room_id.to_owned(), self.changes);
        }
    }

    /// A room whose summary is to be made, with the change that it is to be made for.
    pub(in crate::rooms) fn stale(&self) -> Option<(OwnedRoomId, u64)> {
        self.stale.first_key_value().map(|(room_id, change)| (room_id.clone(), *change))
    }

    /// The summary that was made for a change; `None` for a room that can't be shown.
    pub(in crate::rooms) fn put(
        &mut self,
        room_id: &RoomId,
        change: u64,
        summary: Option<RoomSummary>,
    ) {
        if self.stale.get(room_id) != Some(&change) {
            return;
        }
        self.stale.remove(room_id);
        let rooms = self.rooms.as_mut();
        let Some(place) = rooms.and_then(|rooms| rooms.get_mut(room_id)) else { return };
        let summary = summary.map(Rc::new);
        let before = std::mem::replace(place, summary.clone());
        self.remove(before.as_deref());
        if let Some(summary) = summary {
            self.order.insert(order(&summary), summary);
        }
    }

    fn remove(&mut self, summary: Option<&RoomSummary>) {
        if let Some(summary) = summary {
            self.order.remove(&order(summary));
        }
    }

    /// Those with most members first.
    pub(in crate::rooms) fn iter(&self) -> impl Iterator<Item = &Rc<RoomSummary>> {
        self.order.values()
    }
}

fn order(summary: &RoomSummary) -> (Reverse<UInt>, OwnedRoomId) {
    (Reverse(summary.num_joined_members), summary.room_id.clone())
}
