//! What of the feed concerns a user.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedRoomId, OwnedUserId,
    events::{
        receipt::{ReceiptThread, ReceiptType},
        room::member::MembershipState,
    },
};

use crate::{
    feed::{Change, Position},
    rooms::UserRooms,
    users::Session,
};

/// What changed in one room.
#[derive(Debug, Default)]
pub(super) struct RoomChanges {
    /// The timeline has new events.
    pub(super) events: bool,
    /// Whose membership events are among them.
    pub(super) members: BTreeSet<OwnedUserId>,
    /// Which receipts moved.
    pub(super) receipts: Vec<(OwnedUserId, ReceiptType, ReceiptThread)>,
    /// Who types.
    pub(super) typing: bool,
    /// Which account data of the user for the room was set.
    pub(super) account_data: BTreeSet<String>,
    /// The unread counts.
    pub(super) unread: bool,
}

/// Everything in a part of the feed that may concern a user.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) rooms: BTreeMap<OwnedRoomId, RoomChanges>,
    /// Which global account data was set.
    pub(super) account_data: BTreeSet<String>,
    /// Whether there are messages for the device.
    pub(super) to_device: bool,
    /// Whether the device's keys were used up or added to.
    pub(super) one_time_keys: bool,
    /// Whose devices changed: not yet only those who share a room.
    pub(super) device_lists: BTreeSet<OwnedUserId>,
    /// Whose presence changed: not yet only those who share a room.
    pub(super) presence: BTreeSet<OwnedUserId>,
}

impl Changes {
    /// Sorts changes by what they concern; `rooms` are those that the user has to do with.
    pub(super) fn of(
        changes: Vec<(Position, Change)>,
        session: &Session,
        rooms: &UserRooms,
    ) -> Self {
        let mut all = Self::default();
        let is_joined = |room_id: &OwnedRoomId| {
            rooms.get(room_id).is_some_and(|room| room.membership == MembershipState::Join)
        };
        for (_, change) in changes {
            match change {
                Change::Event { room_id, member, .. } if rooms.contains_key(&room_id) => {
                    let room = all.rooms.entry(room_id).or_default();
                    room.events = true;
                    room.members.extend(member);
                }
                Change::Receipt { room_id, user_id, receipt_type, thread }
                    if is_joined(&room_id)
                        && (receipt_type != ReceiptType::ReadPrivate
                            || user_id == session.user_id) =>
                {
                    let room = all.rooms.entry(room_id).or_default();
                    room.receipts.push((user_id, receipt_type, thread));
                }
                Change::Typing { room_id } if is_joined(&room_id) => {
                    all.rooms.entry(room_id).or_default().typing = true;
                }
                Change::AccountData { user_id, room_id, event_type }
                    if user_id == session.user_id =>
                {
                    let of = match room_id {
                        Some(room_id) => &mut all.rooms.entry(room_id).or_default().account_data,
                        None => &mut all.account_data,
                    };
                    of.insert(event_type);
                }
                Change::UnreadCounts { user_id, room_id } if user_id == session.user_id => {
                    all.rooms.entry(room_id).or_default().unread = true;
                }
                Change::ToDevice { user_id, device_id } => {
                    all.to_device |= user_id == session.user_id && device_id == session.device_id;
                }
                Change::OneTimeKeys { user_id, device_id } => {
                    all.one_time_keys |=
                        user_id == session.user_id && device_id == session.device_id;
                }
                Change::DeviceList { user_id } => {
                    all.device_lists.insert(user_id);
                }
                Change::UserSignature { user_id, of } if user_id == session.user_id => {
                    all.device_lists.insert(of);
                }
                Change::Presence { user_id } => {
                    all.presence.insert(user_id);
                }
                _ => {}
            }
        }
        all
    }

    /// Whether nothing may concern the user.
    pub(super) fn are_empty(&self) -> bool {
        self.rooms.is_empty()
            && self.account_data.is_empty()
            && !self.to_device
            && !self.one_time_keys
            && self.device_lists.is_empty()
            && self.presence.is_empty()
    }
}
