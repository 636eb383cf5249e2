//! What of the feed concerns a user.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    events::receipt::{ReceiptThread, ReceiptType},
};

use crate::{
    feed::{Change, Position},
    rooms::{Rooms, UserRooms},
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
    /// The feed no longer tells which receipts and account data changed: any may have.
    pub(super) pruned: bool,
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
    /// The feed no longer tells which account data changed: any may have.
    pub(super) pruned: bool,
}

/// Whether a change may concern a session; `joined` is whether its user is joined to a room, and
/// `shares` whether they share one with somebody else.
fn concerns(
    change: &Change,
    session: &Session,
    joined: impl Fn(&RoomId) -> bool,
    shares: impl Fn(&UserId) -> bool,
) -> bool {
    let own = |user_id: &UserId| user_id == session.user_id;
    match change {
        // Of other rooms than those that they are in, users are told only their own membership.
        Change::Event { room_id, member, .. } => {
            member.as_deref().is_some_and(own) || joined(room_id)
        }
        Change::Receipt { room_id, user_id, receipt_type, .. } => {
            (*receipt_type != ReceiptType::ReadPrivate || own(user_id)) && joined(room_id)
        }
        Change::Typing { room_id } => joined(room_id),
        Change::RoomUnreadCounts { room_id, except } => {
            joined(room_id) && !except.iter().any(|except| own(except))
        }
        Change::AccountData { user_id, .. }
        | Change::UnreadCounts { user_id, .. }
        | Change::UserSignature { user_id, .. } => own(user_id),
        Change::ToDevice { user_id, device_id } | Change::OneTimeKeys { user_id, device_id } => {
            own(user_id) && *device_id == session.device_id
        }
        Change::DeviceList { user_id } | Change::Presence { user_id } => {
            own(user_id) || shares(user_id)
        }
    }
}

/// Whether a change may concern a session, by what is in memory: asked for every session that waits.
pub(super) fn may_concern(change: &Change, session: &Session, rooms: &Rooms) -> bool {
    // Whose lists are not in memory, may be in any room.
    let of = |user_id: &UserId| rooms.memberships_in_memory(user_id);
    let joined = |room_id: &RoomId| of(&session.user_id).is_none_or(|own| own.joined(room_id));
    let shares = |other: &UserId| match (of(&session.user_id), of(other)) {
        (Some(own), Some(other)) => own.shares(&other),
        _ => true,
    };
    concerns(change, session, joined, shares)
}

impl Changes {
    /// Sorts changes by what they concern; `rooms` are those that the user has to do with.
    pub(super) fn of(
        changes: Vec<(Position, Change)>,
        session: &Session,
        rooms: &UserRooms,
    ) -> Self {
        let mut all = Self::default();
        for (_, change) in changes {
            // With whom they share a room, is asked where it is told.
            if !concerns(&change, session, |room_id| rooms.joined(room_id), |_| true) {
                continue;
            }
            match change {
                Change::Event { room_id, member, .. } => {
                    let room = all.rooms.entry(room_id).or_default();
                    room.events = true;
                    room.members.extend(member);
                }
                Change::Receipt { room_id, user_id, receipt_type, thread } => {
                    let room = all.rooms.entry(room_id).or_default();
                    room.receipts.push((user_id, receipt_type, thread));
                }
                Change::Typing { room_id } => {
                    all.rooms.entry(room_id).or_default().typing = true;
                }
                Change::AccountData { room_id, event_type, .. } => {
                    let of = match room_id {
                        Some(room_id) => &mut all.rooms.entry(room_id).or_default().account_data,
                        None => &mut all.account_data,
                    };
                    of.insert(event_type);
                }
                Change::UnreadCounts { room_id, .. } | Change::RoomUnreadCounts { room_id, .. } => {
                    all.rooms.entry(room_id).or_default().unread = true;
                }
                Change::ToDevice { .. } => all.to_device = true,
                Change::OneTimeKeys { .. } => all.one_time_keys = true,
                Change::DeviceList { user_id } => {
                    all.device_lists.insert(user_id);
                }
                Change::UserSignature { of, .. } => {
                    all.device_lists.insert(of);
                }
                Change::Presence { user_id } => {
                    all.presence.insert(user_id);
                }
            }
        }
        all
    }
}
