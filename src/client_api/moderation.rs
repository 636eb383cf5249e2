//! What an administrator keeps a user from. spec: client-server §Account moderation

use std::any::TypeId;

use http::StatusCode;
use ruma::{
    RoomId,
    api::{
        client::{
            knock::knock_room,
            membership::{
                ban_user, invite_user, join_room_by_id, join_room_by_id_or_alias, kick_user,
                unban_user,
            },
            profile::{delete_profile_field, set_profile_field},
            room::{create_room, upgrade_room},
        },
        error::ErrorKind,
    },
    events::{TimelineEventType, room::member::MembershipState},
};

use crate::{Error, Result, Services, rooms::NewEvent, users::Session};

/// Refuses one who is locked out everything but to log out.
pub(super) fn check_lock(session: &Session, path: &str) -> Result<()> {
    // `/_matrix/client/v3/logout`, as the specification's versions spell it.
    let mut path = path.split('/').skip(4);
    match (path.next(), path.next(), path.next()) {
        (Some("logout"), None | Some("all"), None) => Ok(()),
        _ => session.standing.check_lock(),
    }
}

/// Whether one who is suspended may send requests of this type. Events are looked at one by one.
pub(super) fn suspended_may_use(request: TypeId) -> bool {
    let forbidden = [
        TypeId::of::<join_room_by_id::v3::Request>(),
        TypeId::of::<join_room_by_id_or_alias::v3::Request>(),
        TypeId::of::<knock_room::v3::Request>(),
        TypeId::of::<invite_user::v3::Request>(),
        TypeId::of::<kick_user::v3::Request>(),
        TypeId::of::<ban_user::v3::Request>(),
        TypeId::of::<unban_user::v3::Request>(),
        TypeId::of::<create_room::v3::Request>(),
        TypeId::of::<upgrade_room::v3::Request>(),
        TypeId::of::<set_profile_field::v3::Request>(),
        TypeId::of::<delete_profile_field::v3::Request>(),
    ];
    !forbidden.contains(&request)
}

/// 403 `M_USER_SUSPENDED`
pub(super) fn suspended() -> Error {
    let message = "You cannot do this while your account is suspended";
    Error::new(StatusCode::FORBIDDEN, ErrorKind::UserSuspended, message)
}

/// Lets one who is suspended leave and take back what they said, and send nothing else.
pub(super) async fn check_event(
    services: &Services,
    session: &Session,
    room_id: &RoomId,
    event: &NewEvent,
) -> Result<()> {
    let allowed = match event.kind {
        TimelineEventType::RoomRedaction => {
            let room = services.rooms.room(room_id).await?;
            let target = match event.redacted() {
                Some(event_id) => room.event(&event_id).await?,
                None => None,
            };
            target.is_some_and(|target| target.pdu.sender == session.user_id)
        }
        TimelineEventType::RoomMember => {
            event.membership() == Some((&session.user_id, MembershipState::Leave))
        }
        _ => false,
    };
    if allowed { Ok(()) } else { Err(suspended()) }
}
