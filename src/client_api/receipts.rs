//! spec: client-server §Receipts; §Fully read markers

use ruma::{
    EventId, RoomId,
    api::client::{
        read_marker::set_read_marker,
        receipt::create_receipt::{self, v3::ReceiptType as Asked},
    },
    events::{
        fully_read::FullyReadEventContent,
        receipt::{ReceiptThread, ReceiptType},
    },
};
use serde_json::value::to_raw_value;

use super::{Incoming, Routes, presence};
use crate::{
    Error, Result, Services,
    rooms::{Event, Room},
    store::Batch,
    users::Session,
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(post_receipt);
    routes.add(post_read_markers);
}

/// `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
async fn post_receipt(
    services: &Services,
    request: Incoming<create_receipt::v3::Request>,
) -> Result<create_receipt::v3::Response> {
    let room = joined(services, &request.auth, &request.room_id).await?;
    let event_id = &request.event_id;
    let mut batch = Batch::new();
    let mut receipts = Vec::new();
    match &request.receipt_type {
        Asked::FullyRead => {
            if request.thread != ReceiptThread::Unthreaded {
                return Err(Error::invalid_param("m.fully_read is not for a thread"));
            }
            fully_read(services, &mut batch, &request.auth, &room, event_id)?;
        }
        Asked::Read => {
            receipts.push((ReceiptType::Read, event(&room, &request.thread, event_id).await?));
        }
        Asked::ReadPrivate => {
            let event = event(&room, &request.thread, event_id).await?;
            receipts.push((ReceiptType::ReadPrivate, event));
        }
        other => {
            return Err(Error::invalid_param(format!("{other:?} is no type of receipt")));
        }
    }
    set(services, batch, &request.auth, &room, &request.thread, receipts).await?;
    Ok(create_receipt::v3::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
async fn post_read_markers(
    services: &Services,
    request: Incoming<set_read_marker::v3::Request>,
) -> Result<set_read_marker::v3::Response> {
    let room = joined(services, &request.auth, &request.room_id).await?;
    let unthreaded = ReceiptThread::Unthreaded;
    let mut batch = Batch::new();
    if let Some(event_id) = &request.fully_read {
        fully_read(services, &mut batch, &request.auth, &room, event_id)?;
    }
    let mut receipts = Vec::new();
    for (receipt_type, event_id) in [
        (ReceiptType::Read, &request.read_receipt),
        (ReceiptType::ReadPrivate, &request.private_read_receipt),
    ] {
        if let Some(event_id) = event_id {
            receipts.push((receipt_type, event(&room, &unthreaded, event_id).await?));
        }
    }
    set(services, batch, &request.auth, &room, &unthreaded, receipts).await?;
    Ok(set_read_marker::v3::Response::new())
}

async fn joined(services: &Services, session: &Session, room_id: &RoomId) -> Result<Room> {
    let forbidden = || Error::forbidden("You are not in this room");
    let room = services.rooms.room(room_id).await.map_err(|cause| cause.hidden_by(forbidden()))?;
    match room.is_joined(&session.user_id).await? {
        true => Ok(room),
        false => Err(forbidden()),
    }
}

/// The event of a receipt in a part of a room.
async fn event(room: &Room, thread: &ReceiptThread, event_id: &EventId) -> Result<Event> {
    let event = room.event(event_id).await?;
    let event = event.ok_or_else(|| Error::not_found("The room has no such event"))?;
    match thread {
        ReceiptThread::Unthreaded | ReceiptThread::Main => Ok(event),
        ReceiptThread::Thread(root) => {
            let in_thread = room.thread_of(&event.pdu).await?.as_ref() == Some(root);
            match in_thread || event.pdu.event_id == *root {
                true => Ok(event),
                false => Err(Error::invalid_param("The event is not in the thread")),
            }
        }
        _ => Err(Error::invalid_param("thread_id is neither main nor the root of a thread")),
    }
}

async fn set(
    services: &Services,
    batch: Batch,
    session: &Session,
    room: &Room,
    thread: &ReceiptThread,
    receipts: Vec<(ReceiptType, Event)>,
) -> Result<()> {
    services.sync.receipts().set(batch, room.id(), &session.user_id, thread, &receipts).await?;
    presence::active(services, &session.user_id).await;
    Ok(())
}

/// The read marker is account data of the room. spec: client-server §Fully read markers
fn fully_read(
    services: &Services,
    batch: &mut Batch,
    session: &Session,
    room: &Room,
    event_id: &EventId,
) -> Result<()> {
    let content = to_raw_value(&FullyReadEventContent::new(event_id.to_owned()));
    let content = content.map_err(Error::internal)?;
    let (user_id, room_id) = (&session.user_id, Some(room.id()));
    services.users.put_account_data(batch, user_id, room_id, "m.fully_read", &content);
    Ok(())
}
