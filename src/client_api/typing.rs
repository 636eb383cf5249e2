//! spec: client-server §Typing notifications

use std::time::Duration;

use ruma::api::client::typing::create_typing_event::{self, v3::Typing};

use super::{Incoming, Routes, presence};
use crate::{Error, Result, Services};

/// How long somebody types who does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn routes(routes: &mut Routes) {
    routes.add_completed(put_typing, |body| {
        // Ruma wants the timeout that the specification lets clients leave out.
        body.entry("timeout").or_insert(0.into());
        Ok(())
    });
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`
async fn put_typing(
    services: &Services,
    request: Incoming<create_typing_event::v3::Request>,
) -> Result<create_typing_event::v3::Response> {
    let user_id = &request.auth.user_id;
    if *user_id != request.user_id {
        return Err(Error::forbidden("You can't type for somebody else"));
    }
    let room = services.rooms.room(&request.room_id).await;
    if !room.map_err(|cause| cause.hidden_by(not_in_room()))?.is_joined(user_id).await? {
        return Err(not_in_room());
    }
    let typing = services.sync.typing();
    match &request.state {
        Typing::Yes(info) => {
            let timeout = if info.timeout.is_zero() { DEFAULT_TIMEOUT } else { info.timeout };
            typing.start(user_id, &request.room_id, timeout).await?;
            presence::active(services, user_id).await;
        }
        Typing::No => typing.stop(user_id, &request.room_id).await?,
    }
    Ok(create_typing_event::v3::Response::new())
}

fn not_in_room() -> Error {
    Error::forbidden("You are not in this room")
}
