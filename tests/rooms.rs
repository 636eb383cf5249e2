//! Rooms by their rules: creation, events, state, membership.

mod support;

use neurite::{
    feed::{Feed, Position},
    queue::Queue,
    rooms::{CreateRoom, NewEvent, Profile, Rooms, Txn},
    store::{Direction, Store},
};
use ruma::{
    OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
    api::client::room::create_room::v3::RoomPreset,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
    server_name,
};
use serde_json::{Value, json, value::to_raw_value};

/// The rooms of a server over a store.
async fn open(store: &Store) -> Rooms {
    let feed = Feed::open(store.clone()).await.unwrap();
    let name = server_name!("neurite.test").to_owned();
    let queue = Queue::open(store.clone()).await.unwrap();
    Rooms::open(store.clone(), feed, queue, name, RoomVersionId::V12).await.unwrap()
}

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:neurite.test")).unwrap()
}

fn preset(preset: RoomPreset, version: RoomVersionId) -> CreateRoom {
    CreateRoom { preset: Some(preset), room_version: Some(version), ..CreateRoom::default() }
}

fn text(body: &str) -> NewEvent {
    let content = json!({ "msgtype": "m.text", "body": body });
    NewEvent::message(TimelineEventType::RoomMessage, to_raw_value(&content).unwrap())
}

fn state(kind: StateEventType, key: &str, content: Value) -> NewEvent {
    NewEvent::state(kind, key, to_raw_value(&content).unwrap())
}

fn content(json: &serde_json::value::RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap()
}

async fn types(rooms: &Rooms, room_id: &OwnedRoomId) -> Vec<String> {
    let room = rooms.room(room_id).await.unwrap();
    let events = room.timeline(0, Position::MAX, Direction::Forward, 1000).await.unwrap();
    events.iter().map(|event| event.pdu.kind.to_string()).collect()
}

fn status(error: &neurite::Error) -> (u16, String) {
    let response = error.clone().into_response();
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body["errcode"].as_str().unwrap().to_owned())
}

tests! {
    async fn a_room_is_made_in_the_order_of_the_specification() {
        let store = Store::memory();
        let rooms = open(&store).await;
        let request = CreateRoom {
            name: Some("The room".to_owned()),
            topic: Some("All".to_owned()),
            room_alias_name: Some("room".to_owned()),
            invite: vec![user("bob")],
            initial_state: vec![state(
                "m.room.encryption".into(), "", json!({ "algorithm": "m.megolm.v1.aes-sha2" }),
            )],
            ..preset(RoomPreset::PrivateChat, RoomVersionId::V12)
        };
        let room_id = rooms.create(&user("alice"), request.clone()).await.unwrap();
        assert_eq!(types(&rooms, &room_id).await, [
            "m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias",
            "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
            "m.room.encryption", "m.room.name", "m.room.topic", "m.room.member",
        ]);
        let taken = rooms.create(&user("alice"), request).await.unwrap_err();
        assert_eq!(status(&taken), (400, "M_ROOM_IN_USE".to_owned()));

        let room = rooms.room(&room_id).await.unwrap();
        assert_eq!(room.version(), &RoomVersionId::V12);
        // Since version 12 the room's id is the create event's.
        let create = room.state_event(&StateEventType::RoomCreate, "").await.unwrap().unwrap();
        assert_eq!(room_id.as_str()[1..], create.event_id.as_str()[1..]);
        let levels = room.state_event(&StateEventType::RoomPowerLevels, "").await.unwrap().unwrap();
        assert_eq!(content(&levels.content)["users"], json!({}));
        assert!(!levels.auth_events.contains(&create.event_id));
        let bob = room.membership_of(&user("bob")).await.unwrap().unwrap();
        assert_eq!(bob.membership, MembershipState::Invite);
        assert_eq!(rooms.memberships(&user("bob")).await.unwrap().len(), 1);
    }

    async fn what_is_sent_stays_and_repeated_transactions_make_one_event() {
        let alice = user("alice");
        for version in [RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12] {
            let store = Store::memory();
            let rooms = open(&store).await;
            let room_id = rooms.create(&alice, preset(RoomPreset::PublicChat, version)).await.unwrap();
            let txn = Txn {
                user_id: alice.clone(), device_id: "D".into(), txn_id: "1".into(),
            };
            let event = text("hello").with_txn(Some(txn));
            let first = rooms.append(&room_id, &alice, event.clone()).await.unwrap();
            assert_eq!(rooms.append(&room_id, &alice, event).await.unwrap(), first);
            rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
            // Ten at a time: none waits for the other to be durable.
            let sends = (0..10).map(|n| rooms.append(&room_id, &alice, text(&n.to_string())));
            let ids = futures::future::join_all(sends).await;

            let again = open(&store).await;
            let room = again.room(&room_id).await.unwrap();
            let events = room.timeline(0, Position::MAX, Direction::Backward, 10).await.unwrap();
            for (event, id) in events.iter().rev().zip(&ids) {
                assert_eq!(&event.pdu.event_id, id.as_ref().unwrap());
            }
            for pair in events.windows(2) {
                assert_eq!(pair[0].pdu.prev_events, [pair[1].pdu.event_id.clone()]);
            }
            assert_eq!(room.joined_members().await.unwrap().len(), 2);
            assert_eq!(
                room.current_state(),
                rooms.room(&room_id).await.unwrap().current_state(),
            );
            again.append(&room_id, &alice, text("after a restart")).await.unwrap();
        }
    }

    async fn rooms_refuse_what_their_rules_do_not_allow() {
        let rooms = open(&Store::memory()).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id =
            rooms.create(&alice, preset(RoomPreset::PrivateChat, RoomVersionId::V11)).await.unwrap();
        let refused = rooms.append(&room_id, &bob, text("hi")).await.unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        let refused = rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        rooms.invite(&alice, &room_id, &bob, Profile::default(), None).await.unwrap();
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        let refused = rooms
            .append(&room_id, &bob, state(StateEventType::RoomName, "", json!({ "name": "x" })))
            .await
            .unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        let large = rooms.append(&room_id, &bob, text(&"x".repeat(66_000))).await.unwrap_err();
        assert_eq!(status(&large), (413, "M_TOO_LARGE".to_owned()));
        let float = NewEvent::message(
            TimelineEventType::RoomMessage, to_raw_value(&json!({ "n": 1.5 })).unwrap(),
        );
        let float = rooms.append(&room_id, &bob, float).await.unwrap_err();
        assert_eq!(status(&float), (400, "M_BAD_JSON".to_owned()));
        let unsupported = preset(RoomPreset::PublicChat, RoomVersionId::V5);
        let unsupported = rooms.create(&alice, unsupported).await.unwrap_err();
        assert_eq!(status(&unsupported), (400, "M_UNSUPPORTED_ROOM_VERSION".to_owned()));
    }
}
