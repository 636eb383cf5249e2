//! spec: client-server §Sending events to a room; §Redactions

use ruma::{
    RoomId,
    api::client::{message::send_message_event, redact::redact_event, state::send_state_event},
    events::{TimelineEventType, room::member::MembershipState},
};
use serde_json::value::RawValue;

use super::{Incoming, Routes, guests, membership::check_invite, moderation, presence};
use crate::{
    Result, Services, json,
    rooms::{NewEvent, Txn},
    users::Session,
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(send_message);
    routes.add(send_state);
    routes.add_with_empty_state_key(send_state);
    routes.add(redact);
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
async fn send_message(
    services: &Services,
    request: Incoming<send_message_event::v3::Request>,
) -> Result<send_message_event::v3::Response> {
    let content = object(request.body.json())?;
    let kind = TimelineEventType::from(request.event_type.to_string());
    let mut event = NewEvent::message(kind, content);
    event.txn = Some(txn(&request.auth, &request.txn_id));
    let event_id = send(services, &request.auth, &request.room_id, event).await?;
    Ok(send_message_event::v3::Response::new(event_id))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
async fn send_state(
    services: &Services,
    request: Incoming<send_state_event::v3::Request>,
) -> Result<send_state_event::v3::Response> {
    let content = object(request.body.json())?;
    let event = NewEvent::state(request.event_type.clone(), &request.state_key, content);
    let event_id = send(services, &request.auth, &request.room_id, event).await?;
    Ok(send_state_event::v3::Response::new(event_id))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
async fn redact(
    services: &Services,
    request: Incoming<redact_event::v3::Request>,
) -> Result<redact_event::v3::Response> {
    let event = NewEvent::redaction(request.event_id.clone(), request.reason.as_deref())?
        .with_txn(Some(txn(&request.auth, &request.txn_id)));
    let event_id = send(services, &request.auth, &request.room_id, event).await?;
    Ok(redact_event::v3::Response::new(event_id))
}

async fn send(
    services: &Services,
    session: &Session,
    room_id: &RoomId,
    mut event: NewEvent,
) -> Result<ruma::OwnedEventId> {
    let user_id = &session.user_id;
    if session.standing.suspended {
        moderation::check_event(services, session, room_id, &event).await?;
    }
    check_invite(services, &event).await?;
    if session.guest && event.membership() == Some((user_id, MembershipState::Join)) {
        guests::check_member_event(services, user_id, room_id).await?;
    }
    event.follow_up = guests::follow_up(services, room_id, &event).await?;
    let rest = event.follow_up.clone();
    let event_id = services.rooms.append(room_id, user_id, event).await?;
    if let Some(rest) = rest {
        services.follow_up(rest).await?;
    }
    presence::active(services, user_id).await;
    Ok(event_id)
}

fn txn(session: &Session, txn_id: &ruma::TransactionId) -> Txn {
    Txn {
        user_id: session.user_id.clone(),
        device_id: session.device_id.clone(),
        txn_id: txn_id.to_owned(),
    }
}

/// A content is a JSON object. spec: client-server §Room event format
fn object(content: &RawValue) -> Result<Box<RawValue>> {
    json::check_object(content)?;
    Ok(content.to_owned())
}
