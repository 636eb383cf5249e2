//! spec: client-server §Mutual Rooms

use std::collections::BTreeSet;

use ruma::{
    OwnedRoomId, RoomId,
    api::client::membership::get_mutual_rooms::v1::{Request, Response},
};

use super::{Incoming, Routes};
use crate::{Error, Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_mutual_rooms);
}

/// How many rooms are told at once.
const PAGE: usize = 100;

/// `GET /_matrix/client/v1/mutual_rooms`; a page begins behind the room that its token names.
async fn get_mutual_rooms(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let own = &request.auth.user_id;
    if *own == request.user_id {
        return Err(Error::invalid_param("You share every room with yourself"));
    }
    let from = request.from.as_deref().map(<&RoomId>::try_from).transpose();
    let from = from.map_err(|_| Error::invalid_param("The token is not one of this list"))?;
    let others: BTreeSet<OwnedRoomId> =
        services.rooms.joined_rooms(&request.user_id).await?.into_iter().collect();
    let mut mutual = services.rooms.joined_rooms(own).await?;
    mutual.retain(|room_id| others.contains(room_id));
    mutual.sort();
    let count = mutual.len();
    if let Some(from) = from {
        mutual.retain(|room_id| &**room_id > from);
    }
    let more = mutual.len() > PAGE;
    mutual.truncate(PAGE);
    let next_batch = mutual.last().filter(|_| more).map(ToString::to_string);
    let mut response = Response::new(count.try_into().unwrap_or_default(), mutual);
    response.next_batch = next_batch;
    Ok(response)
}
