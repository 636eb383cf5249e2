//! spec: client-server §Guest Access

use std::any::TypeId;

use http::StatusCode;
use ruma::{
    RoomId,
    api::{
        client::{
            account::whoami,
            context::get_context,
            device::{get_device, get_devices, update_device},
            discovery::get_capabilities,
            keys::{claim_keys, get_keys, upload_keys},
            membership::{
                get_member_events, join_room_by_id, join_room_by_id_or_alias, joined_rooms,
                leave_room,
            },
            message::{get_message_events, send_message_event},
            peeking::get_current_state,
            profile::delete_profile_field,
            room::get_room_event,
            session::{logout, logout_all},
            state::{get_state_event_for_key, get_state_events, send_state_event},
            to_device::send_event_to_device,
            typing::create_typing_event,
        },
        error::ErrorKind,
    },
    events::{
        StateEventType,
        room::guest_access::{GuestAccess, RoomGuestAccessEventContent},
    },
};

use crate::{Error, Homeserver, Result};

/// Whether guests may send requests of this type: those that the specification names, and what a
/// client needs to be one at all.
pub(super) fn may_use<R: 'static>() -> bool {
    let named = [
        TypeId::of::<get_state_events::v3::Request>(),
        TypeId::of::<get_context::v3::Request>(),
        TypeId::of::<get_room_event::v3::Request>(),
        TypeId::of::<get_state_event_for_key::v3::Request>(),
        TypeId::of::<get_message_events::v3::Request>(),
        TypeId::of::<get_member_events::v3::Request>(),
        TypeId::of::<get_current_state::v3::Request>(),
        TypeId::of::<join_room_by_id::v3::Request>(),
        TypeId::of::<leave_room::v3::Request>(),
        TypeId::of::<send_message_event::v3::Request>(),
        TypeId::of::<send_state_event::v3::Request>(),
        TypeId::of::<send_event_to_device::v3::Request>(),
        TypeId::of::<delete_profile_field::v3::Request>(),
        TypeId::of::<get_devices::v3::Request>(),
        TypeId::of::<get_device::v3::Request>(),
        TypeId::of::<update_device::v3::Request>(),
        TypeId::of::<whoami::v3::Request>(),
        TypeId::of::<upload_keys::v3::Request>(),
        TypeId::of::<get_keys::v3::Request>(),
        TypeId::of::<claim_keys::v3::Request>(),
    ];
    let needed = [
        TypeId::of::<get_capabilities::v3::Request>(),
        TypeId::of::<join_room_by_id_or_alias::v3::Request>(),
        TypeId::of::<joined_rooms::v3::Request>(),
        TypeId::of::<create_typing_event::v3::Request>(),
        TypeId::of::<logout::v3::Request>(),
        TypeId::of::<logout_all::v3::Request>(),
    ];
    let request = TypeId::of::<R>();
    named.contains(&request) || needed.contains(&request)
}

/// 403 `M_GUEST_ACCESS_FORBIDDEN`
pub(super) fn forbidden() -> Error {
    Error::new(
        StatusCode::FORBIDDEN,
        ErrorKind::GuestAccessForbidden,
        "Guests may not do this: register an account",
    )
}

/// Lets a guest join only where the room lets guests in.
pub(super) async fn check_join(server: &Homeserver, room_id: &RoomId) -> Result<()> {
    let room = server.rooms.room(room_id).await?;
    let access: Option<RoomGuestAccessEventContent> =
        room.state_content(&StateEventType::RoomGuestAccess, "").await?;
    match access {
        Some(access) if access.guest_access == GuestAccess::CanJoin => Ok(()),
        _ => Err(forbidden()),
    }
}
