//! spec: client-server §Guest Access

use std::any::TypeId;

use http::StatusCode;
use ruma::{
    RoomId, UserId,
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
            peeking::{get_current_state, listen_to_new_events},
            profile::{delete_profile_field, set_profile_field},
            room::get_room_event,
            session::{logout, logout_all},
            state::{get_state_event_for_key, get_state_events, send_state_event},
            sync::sync_events,
            to_device::send_event_to_device,
            typing::create_typing_event,
            voip::get_turn_server_info,
        },
        error::ErrorKind,
    },
    events::{StateEventType, TimelineEventType},
};

use crate::{
    Error, Result, Services,
    follow_ups::{FollowUp, Recorded},
    rooms::NewEvent,
};

/// Whether guests may send requests of this type: those that the specification names, and what a
/// client needs to be one at all.
pub(super) fn may_use(request: TypeId) -> bool {
    let named = [
        TypeId::of::<get_state_events::v3::Request>(),
        TypeId::of::<get_context::v3::Request>(),
        TypeId::of::<get_room_event::v3::Request>(),
        TypeId::of::<get_state_event_for_key::v3::Request>(),
        TypeId::of::<get_message_events::v3::Request>(),
        TypeId::of::<get_member_events::v3::Request>(),
        TypeId::of::<get_current_state::v3::Request>(),
        TypeId::of::<sync_events::v3::Request>(),
        TypeId::of::<listen_to_new_events::v3::Request>(),
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
        TypeId::of::<get_turn_server_info::v3::Request>(),
        TypeId::of::<logout::v3::Request>(),
        TypeId::of::<logout_all::v3::Request>(),
    ];
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
pub(super) async fn check_join(services: &Services, room_id: &RoomId) -> Result<()> {
    match services.rooms.room(room_id).await?.lets_guests_in().await? {
        true => Ok(()),
        false => Err(forbidden()),
    }
}

/// The same for a guest who sends the membership event themselves, which changes their profile when
/// they are in the room.
pub(super) async fn check_member_event(
    services: &Services,
    guest: &UserId,
    room_id: &RoomId,
) -> Result<()> {
    if services.rooms.room(room_id).await?.is_joined(guest).await? {
        return Ok(());
    }
    check_join(services, room_id).await
}

/// What there is to do once `event` is sent, if it bears on whether the room lets guests in: it is
/// another guest access, or the redaction of that. spec: client-server §Guest Access
pub(super) async fn follow_up(
    services: &Services,
    room_id: &RoomId,
    event: &NewEvent,
) -> Result<Option<Recorded>> {
    let bears = match (&event.kind, event.redacted()) {
        (TimelineEventType::RoomGuestAccess, _) => true,
        (TimelineEventType::RoomRedaction, Some(target)) => {
            let room = services.rooms.room(room_id).await?;
            let access = StateEventType::RoomGuestAccess;
            room.current_state().get(&access, "").is_some_and(|access| *access == target)
        }
        _ => false,
    };
    Ok(bears.then(|| FollowUp::TurnGuestsOut { room_id: room_id.to_owned() }.to_record()))
}
