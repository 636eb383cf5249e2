//! What can change for a client.

use ruma::{
    OwnedDeviceId, OwnedEventId, OwnedRoomId, OwnedUserId,
    events::receipt::{ReceiptThread, ReceiptType},
};
use serde::{Deserialize, Serialize};

/// One change that clients may see through `/sync`; where the change itself is kept is the
/// business of the part that recorded it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A room's timeline has a new event at this position.
    Event {
        /// The room.
        room_id: OwnedRoomId,
        /// The new event.
        event_id: OwnedEventId,
        /// For a membership event, whose membership it sets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member: Option<OwnedUserId>,
    },
    /// A user's receipt moved.
    Receipt {
        /// The room.
        room_id: OwnedRoomId,
        /// Whose receipt.
        user_id: OwnedUserId,
        /// Public or private read receipt.
        receipt_type: ReceiptType,
        /// The thread that it is for.
        #[serde(default, skip_serializing_if = "is_unthreaded")]
        thread: ReceiptThread,
    },
    /// Account data was set.
    AccountData {
        /// Whose.
        user_id: OwnedUserId,
        /// The room that it is for; `None` is global.
        room_id: Option<OwnedRoomId>,
        /// The type of the event.
        event_type: String,
    },
    /// A device has a new to-device message at this position.
    ToDevice {
        /// The recipient.
        user_id: OwnedUserId,
        /// The recipient's device.
        device_id: OwnedDeviceId,
    },
    /// A user's devices or their keys changed.
    DeviceList {
        /// Whose.
        user_id: OwnedUserId,
    },
    /// A user signed a key of another user; only the one who signed sees it.
    UserSignature {
        /// Who signed.
        user_id: OwnedUserId,
        /// Whose key.
        of: OwnedUserId,
    },
    /// The number of one-time keys or unused fallback keys of a device changed.
    OneTimeKeys {
        /// Whose.
        user_id: OwnedUserId,
        /// Of which device.
        device_id: OwnedDeviceId,
    },
    /// The unread counts of a user in a room changed.
    UnreadCounts {
        /// Whose.
        user_id: OwnedUserId,
        /// In which room.
        room_id: OwnedRoomId,
    },
    /// The unread counts of everybody in a room changed.
    RoomUnreadCounts {
        /// In which room.
        room_id: OwnedRoomId,
        /// But for these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<OwnedUserId>,
    },
    /// A user's presence changed. Never stored.
    Presence {
        /// Whose.
        user_id: OwnedUserId,
    },
    /// Who types in a room changed. Never stored.
    Typing {
        /// The room.
        room_id: OwnedRoomId,
    },
}

/// An unthreaded receipt has no JSON form by itself.
pub(crate) fn is_unthreaded(thread: &ReceiptThread) -> bool {
    *thread == ReceiptThread::Unthreaded
}
