//! spec: client-server §Guest Access

use std::any::TypeId;

use crate::{Error, Homeserver, Result, rooms::Room};
use http::StatusCode;
use ruma::{
    EventId, RoomId, UserId,
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
            profile::{delete_profile_field, set_profile_field},
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
        TypeId::of::<set_profile_field::v3::Request>(),
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
    match lets_in(&server.rooms.room(room_id).await?).await? {
        true => Ok(()),
        false => Err(forbidden()),
    }
}

/// The same for a guest who sends the membership event themselves, which changes their profile when
/// they are in the room.
pub(super) async fn check_member_event(
    server: &Homeserver,
    guest: &UserId,
    room_id: &RoomId,
) -> Result<()> {
    if server.rooms.room(room_id).await?.is_joined(guest).await? {
        return Ok(());
    }
    check_join(server, room_id).await
}

/// Makes the guests of a room leave it, if the event just sent is why it no longer lets them in:
/// another guest access, or the redaction of that. spec: client-server §Guest Access
pub(super) async fn turn_out(
    server: &Homeserver,
    room_id: &RoomId,
    event_id: &EventId,
) -> Result<()> {
    let room = server.rooms.room(room_id).await?;
    let access = room.current_state().get(&StateEventType::RoomGuestAccess, "").cloned();
    let Some(access) = access else { return Ok(()) };
    let Some(access) = room.event(&access).await? else { return Ok(()) };
    let redaction = access.redacted_because.as_ref().map(|redaction| &*redaction.event_id);
    let is_why = access.pdu.event_id == event_id || redaction == Some(event_id);
    if !is_why || lets_in(&room).await? {
        return Ok(());
    }
    for user_id in room.joined_members().await? {
        let account = server.users.account(&user_id).await?;
        if account.is_some_and(|account| account.guest) {
            let reason = "The room no longer lets guests in".to_owned();
            match server.rooms.leave(&user_id, room_id, Some(reason)).await {
                // Banned meanwhile.
                Err(Error::Matrix(error)) if error.status_code.is_client_error() => {}
                outcome => outcome?,
            }
        }
    }
    Ok(())
}

async fn lets_in(room: &Room) -> Result<bool> {
    let access: Option<RoomGuestAccessEventContent> =
        room.state_content(&StateEventType::RoomGuestAccess, "").await?;
    Ok(access.is_some_and(|access| access.guest_access == GuestAccess::CanJoin))
}
