//! What the suites of rooms share.

#![allow(dead_code, reason = "each suite uses a part")]

use std::rc::Rc;

use neurite::{
    config::KeptChanges,
    feed::{Feed, Position},
    queue::Queue,
    rooms::{CreateRoom, Event, NewEvent, Rooms},
    store::{Direction, Store},
};
use ruma::{
    OwnedUserId, RoomId, RoomVersionId, UserId,
    api::client::room::create_room::v3::RoomPreset,
    events::{StateEventType, TimelineEventType},
    server_name,
};
use serde_json::{Value, json, value::to_raw_value};

/// The rooms of a server over a store.
pub async fn open(store: &Store) -> Rooms {
    let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
    let name = server_name!("neurite.test").to_owned();
    let queue = Queue::open(store.clone()).await.unwrap();
    Rooms::open(store.clone(), feed, Rc::new(queue), name, RoomVersionId::V12).await.unwrap()
}

pub fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:neurite.test")).unwrap()
}

pub fn preset(preset: RoomPreset, version: RoomVersionId) -> CreateRoom {
    CreateRoom { preset: Some(preset), room_version: Some(version), ..CreateRoom::default() }
}

pub fn text(body: &str) -> NewEvent {
    let content = json!({ "msgtype": "m.text", "body": body });
    NewEvent::message(TimelineEventType::RoomMessage, to_raw_value(&content).unwrap())
}

pub fn state(kind: StateEventType, key: &str, content: Value) -> NewEvent {
    NewEvent::state(kind, key, to_raw_value(&content).unwrap())
}

pub fn content(json: &serde_json::value::RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap()
}

pub async fn types(rooms: &Rooms, room_id: &RoomId) -> Vec<String> {
    let room = rooms.room(room_id).await.unwrap();
    let events = room.timeline(0, Position::MAX, Direction::Forward, 1000).await.unwrap();
    events.iter().map(|event| event.pdu.kind.to_string()).collect()
}

/// Who is joined is counted as they come and go: the same as who is there.
pub async fn check_joined(rooms: &Rooms, room_id: &RoomId) {
    let room = rooms.room(room_id).await.unwrap();
    let members = room.members().await.unwrap();
    let joined = room.joined_members().await.unwrap().len();
    assert_eq!(
        (room.joined_count().await.unwrap(), members.joined_count()),
        (joined as u64, joined)
    );
}

pub fn status(error: &neurite::Error) -> (u16, String) {
    let response = error.clone().into_response();
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body["errcode"].as_str().unwrap().to_owned())
}

/// The text of a message, or the content of another event.
pub fn body(event: &Event) -> String {
    let content = content(&event.pdu.content);
    content["body"].as_str().map_or_else(|| content.to_string(), ToOwned::to_owned)
}

/// What the room's timeline says, oldest first, from the newest `count` events.
pub async fn newest(rooms: &Rooms, room_id: &RoomId, count: usize) -> Vec<Event> {
    let room = rooms.room(room_id).await.unwrap();
    let mut events = room.timeline(0, Position::MAX, Direction::Backward, count).await.unwrap();
    events.reverse();
    events
}
