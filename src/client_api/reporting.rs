//! spec: client-server §Reporting content
//!
//! There is no administrator who would read reports but the person at this browser, so they go to
//! its console, where the rest of what the homeserver has to say goes.

use ruma::api::client::{
    reporting::report_user,
    room::{report_content, report_room},
};

use super::{Incoming, Routes, readable, timeline::visible_event};
use crate::{Error, Result, Services, feed::Position};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(report_event);
    // It may be empty, as ruma has it where there is none.
    routes.add_completed(report_a_room, |body| match body.contains_key("reason") {
        true => Ok(()),
        false => Err(Error::missing_param("A report of a room has a reason")),
    });
    routes.add(report_a_user);
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}`
async fn report_event(
    services: &Services,
    request: Incoming<report_content::v3::Request>,
) -> Result<report_content::v3::Response> {
    let missing = || Error::not_found("There is no such event, or you may not see it");
    let readable = readable::room(services, &request.auth, &request.room_id);
    let viewer = readable.await.map_err(|cause| cause.hidden_by(missing()))?.viewer;
    // Only who is joined may report.
    if viewer.joined_until() != Position::MAX {
        return Err(missing());
    }
    visible_event(&viewer, &request.event_id).await?;
    let (user_id, event_id) = (&request.auth.user_id, &request.event_id);
    let reason = &request.reason;
    tracing::warn!("{user_id} reports the event {event_id}: {reason:?}");
    Ok(report_content::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/report`
async fn report_a_room(
    services: &Services,
    request: Incoming<report_room::v3::Request>,
) -> Result<report_room::v3::Response> {
    services.rooms.room(&request.room_id).await?;
    let (user_id, room_id, reason) = (&request.auth.user_id, &request.room_id, &request.reason);
    tracing::warn!("{user_id} reports the room {room_id}: {reason:?}");
    Ok(report_room::v3::Response::new())
}

/// `POST /_matrix/client/v3/users/{userId}/report`: whether there is such a user is not told.
async fn report_a_user(
    _: &Services,
    request: Incoming<report_user::v3::Request>,
) -> Result<report_user::v3::Response> {
    let (reporter, user_id, reason) = (&request.auth.user_id, &request.user_id, &request.reason);
    tracing::warn!("{reporter} reports {user_id}: {reason:?}");
    Ok(report_user::v3::Response::new())
}
