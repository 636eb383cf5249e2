//! What of a room is told to whom: redactions, relations, threads, visibility, events for clients.

#[path = "support/rooms.rs"]
mod helpers;
#[macro_use]
mod support;

use helpers::*;
use neurite::{
    feed::Position,
    rooms::{Event, Format, NewEvent, Profile, RelationFilter, Rooms, Txn, Viewer},
    store::Direction,
};
use ruma::{
    OwnedEventId, OwnedRoomId, RoomVersionId, UserId,
    api::client::room::create_room::v3::RoomPreset,
    device_id,
    events::{AnyTimelineEvent, StateEventType, TimelineEventType},
};
use serde_json::{Value, json, value::to_raw_value};

fn message(content: Value) -> NewEvent {
    NewEvent::message(TimelineEventType::RoomMessage, to_raw_value(&content).unwrap())
}

/// A message that relates to another.
fn related(body: &str, rel_type: &str, parent: &OwnedEventId) -> NewEvent {
    message(json!({
        "msgtype": "m.text", "body": body, "m.new_content": { "msgtype": "m.text", "body": body },
        "m.relates_to": { "rel_type": rel_type, "event_id": parent },
    }))
}

/// A public room of alice's with bob in it.
async fn room(rooms: &Rooms, version: RoomVersionId) -> OwnedRoomId {
    let room_id =
        rooms.create(&user("alice"), preset(RoomPreset::PublicChat, version)).await.unwrap();
    rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
    room_id
}

async fn viewer(rooms: &Rooms, room_id: &OwnedRoomId, user: &UserId) -> Viewer {
    rooms.room(room_id).await.unwrap().viewer(user, Some(device_id!("D"))).await.unwrap()
}

async fn json_of(viewer: &Viewer, event: &Event, format: Format) -> Value {
    content(viewer.event::<AnyTimelineEvent>(event, format).await.unwrap().json())
}

async fn event(rooms: &Rooms, room_id: &OwnedRoomId, id: &OwnedEventId) -> Event {
    rooms.room(room_id).await.unwrap().event(id).await.unwrap().unwrap()
}

/// The texts of the messages that a user sees.
async fn seen(rooms: &Rooms, room_id: &OwnedRoomId, name: &str) -> Vec<String> {
    let viewer = viewer(rooms, room_id, &user(name)).await;
    let events = newest(rooms, room_id, 1000).await;
    let messages = events.into_iter().filter(|e| e.pdu.kind == TimelineEventType::RoomMessage);
    viewer.wanted(messages.collect()).await.unwrap().iter().map(body).collect()
}

async fn set_visibility(rooms: &Rooms, room_id: &OwnedRoomId, visibility: &str) {
    let content = json!({ "history_visibility": visibility });
    let event = state(StateEventType::RoomHistoryVisibility, "", content);
    rooms.append(room_id, &user("alice"), event).await.unwrap();
}

tests! {
    async fn what_is_redacted_is_gone_and_says_why() {
        for version in [RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12] {
            let store = support::store().await;
            let rooms = open(&store).await;
            let (alice, bob) = (user("alice"), user("bob"));
            let room_id = room(&rooms, version).await;
            let secret = rooms.append(&room_id, &alice, text("secret")).await.unwrap();
            let refused = rooms.redact(&room_id, &bob, secret.clone(), None, None).await;
            assert_eq!(status(&refused.unwrap_err()), (403, "M_FORBIDDEN".to_owned()));
            let unknown = OwnedEventId::try_from("$nothing").unwrap();
            let refused = rooms.redact(&room_id, &bob, unknown, None, None).await;
            assert_eq!(status(&refused.unwrap_err()), (404, "M_NOT_FOUND".to_owned()));
            let redaction =
                rooms.redact(&room_id, &alice, secret.clone(), Some("oops"), None).await.unwrap();
            for rooms in [&rooms, &open(&store).await] {
                let viewer = viewer(rooms, &room_id, &bob).await;
                let json = json_of(&viewer, &event(rooms, &room_id, &secret).await, Format::Sync).await;
                assert_eq!(json["content"], json!({}));
                let because = &json["unsigned"]["redacted_because"];
                assert_eq!(because["event_id"], json!(redaction));
                // Both places, whatever the room version: old and new clients look in one each.
                assert_eq!(because["redacts"], json!(secret));
                assert_eq!(because["content"], json!({ "reason": "oops", "redacts": secret }));
                let scan = newest(rooms, &room_id, 2).await;
                assert_eq!(scan[0].pdu.content.get(), "{}");
            }
            // The moderator's right, by way of /send.
            let other = rooms.append(&room_id, &bob, text("rude")).await.unwrap();
            let content = to_raw_value(&json!({ "redacts": other })).unwrap();
            let by_send = NewEvent::message(TimelineEventType::RoomRedaction, content);
            rooms.append(&room_id, &alice, by_send).await.unwrap();
            assert!(event(&rooms, &room_id, &other).await.redacted_because.is_some());
            // A member event keeps its membership and loses the name.
            let named = Profile { displayname: Some("Rude".to_owned()), avatar_url: None };
            rooms.update_profile(&bob, &named).await.unwrap();
            let member = rooms.room(&room_id).await.unwrap().membership_of(&bob).await.unwrap().unwrap();
            rooms.redact(&room_id, &alice, member.event_id, None, None).await.unwrap();
            let member = rooms.room(&room_id).await.unwrap().membership_of(&bob).await.unwrap().unwrap();
            assert_eq!(member.displayname, None);
            rooms.append(&room_id, &bob, text("still here")).await.unwrap();
        }
    }

    async fn the_newest_valid_edit_comes_with_the_event() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id = room(&rooms, RoomVersionId::V12).await;
        let first = rooms.append(&room_id, &alice, text("teh")).await.unwrap();
        let original = event(&rooms, &room_id, &first).await;
        let edits = async || {
            let viewer = viewer(&rooms, &room_id, &bob).await;
            let json = json_of(&viewer, &original, Format::Timeline).await;
            json["unsigned"]["m.relations"]["m.replace"]["content"]["body"].clone()
        };
        assert_eq!(edits().await, Value::Null);
        // The newest by their times, which must differ for that.
        let at = |mut event: NewEvent, time: u32| {
            event.timestamp = Some(ruma::MilliSecondsSinceUnixEpoch(time.into()));
            event
        };
        let edit = |body: &str, time| at(related(body, "m.replace", &first), time);
        rooms.append(&room_id, &bob, related("not mine", "m.replace", &first)).await.unwrap();
        assert_eq!(edits().await, Value::Null);
        rooms.append(&room_id, &alice, edit("the", 1)).await.unwrap();
        let last =
            rooms.append(&room_id, &alice, edit("The", 2)).await.unwrap();
        assert_eq!(edits().await, "The");
        // Without a new content it is none.
        let relation = json!({ "rel_type": "m.replace", "event_id": first });
        let empty = message(json!({ "body": "no", "msgtype": "m.text", "m.relates_to": relation }));
        rooms.append(&room_id, &alice, at(empty, 3)).await.unwrap();
        assert_eq!(edits().await, "The");
        rooms.redact(&room_id, &alice, last, None, None).await.unwrap();
        assert_eq!(edits().await, "the");
    }

    async fn threads_know_their_count_and_newest_event() {
        let store = support::store().await;
        let rooms = open(&store).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id = room(&rooms, RoomVersionId::V12).await;
        let root = rooms.append(&room_id, &alice, text("root")).await.unwrap();
        let other = rooms.append(&room_id, &alice, text("other root")).await.unwrap();
        let replies = (0..3).map(|n| {
            rooms.append(&room_id, &alice, related(&format!("reply {n}"), "m.thread", &root))
        });
        let replies: Vec<_> =
            futures::future::join_all(replies).await.into_iter().map(Result::unwrap).collect();
        rooms.append(&room_id, &bob, related("there", "m.thread", &other)).await.unwrap();
        let thread = async |rooms: &Rooms, user: &UserId| {
            let viewer = viewer(rooms, &room_id, user).await;
            let root = event(rooms, &room_id, &root).await;
            let json = json_of(&viewer, &root, Format::Timeline).await;
            let thread = &json["unsigned"]["m.relations"]["m.thread"];
            (
                thread["count"].as_u64(),
                thread["latest_event"]["content"]["body"].clone(),
                thread["current_user_participated"].as_bool(),
            )
        };
        assert_eq!(thread(&rooms, &alice).await, (Some(3), "reply 2".into(), Some(true)));
        assert_eq!(thread(&rooms, &bob).await, (Some(3), "reply 2".into(), Some(false)));
        let order = async |rooms: &Rooms, participant: Option<&UserId>| {
            let room = rooms.room(&room_id).await.unwrap();
            let threads = room.threads(Position::MAX, participant, 10).await.unwrap();
            threads.into_iter().map(|(root, _)| root.pdu.event_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(order(&rooms, None).await, [other.clone(), root.clone()]);
        assert_eq!(order(&rooms, Some(&bob)).await, std::slice::from_ref(&other));
        rooms.redact(&room_id, &alice, replies[2].clone(), None, None).await.unwrap();
        assert_eq!(thread(&rooms, &bob).await, (Some(2), "reply 1".into(), Some(false)));
        let rooms = open(&store).await;
        rooms.append(&room_id, &bob, related("mine", "m.thread", &root)).await.unwrap();
        assert_eq!(thread(&rooms, &bob).await, (Some(3), "mine".into(), Some(true)));
        assert_eq!(order(&rooms, None).await, [root.clone(), other]);
        for reply in &newest(&rooms, &room_id, 1000).await {
            if neurite::rooms::thread_root(&reply.pdu).as_ref() == Some(&root) {
                let id = reply.pdu.event_id.clone();
                rooms.redact(&room_id, &alice, id, None, None).await.unwrap();
            }
        }
        assert_eq!(thread(&rooms, &bob).await, (None, Value::Null, None));
    }

    async fn relations_are_paged_in_either_direction() {
        let rooms = open(&support::store().await).await;
        let alice = user("alice");
        let room_id = room(&rooms, RoomVersionId::V12).await;
        let parent = rooms.append(&room_id, &alice, text("parent")).await.unwrap();
        let mut ids = Vec::new();
        for n in 0..6 {
            let rel_type = if n % 2 == 0 { "m.reference" } else { "x.other" };
            let new = related(&n.to_string(), rel_type, &parent);
            ids.push(rooms.append(&room_id, &alice, new).await.unwrap());
        }
        let room = rooms.room(&room_id).await.unwrap();
        let related = async |filter: &RelationFilter, from, to, direction, limit| {
            let found = room.related(&parent, filter, from, to, direction, limit).await.unwrap();
            found.into_iter().map(|related| (related.event_id, related.position)).collect::<Vec<_>>()
        };
        let all = RelationFilter::default();
        let forward = related(&all, 0, Position::MAX, Direction::Forward, 4).await;
        assert_eq!(forward.iter().map(|(id, _)| id).collect::<Vec<_>>(), ids.iter().take(4).collect::<Vec<_>>());
        let rest = related(&all, forward[3].1 + 1, Position::MAX, Direction::Forward, 4).await;
        assert_eq!(rest.iter().map(|(id, _)| id).collect::<Vec<_>>(), ids.iter().skip(4).collect::<Vec<_>>());
        let backward = related(&all, 0, Position::MAX, Direction::Backward, 2).await;
        assert_eq!(backward.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&ids[5], &ids[4]]);
        let some = RelationFilter { rel_type: Some("x.other".to_owned()), kind: None };
        let found = related(&some, 0, backward[0].1, Direction::Backward, 5).await;
        assert_eq!(found.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&ids[3], &ids[1]]);
        let none = RelationFilter { rel_type: None, kind: Some(TimelineEventType::RoomName) };
        assert!(related(&none, 0, Position::MAX, Direction::Backward, 5).await.is_empty());
        let viewer = viewer(&rooms, &room_id, &alice).await;
        let json = json_of(&viewer, &event(&rooms, &room_id, &parent).await, Format::Sync).await;
        let chunk = &json["unsigned"]["m.relations"]["m.reference"]["chunk"];
        assert_eq!(*chunk, json!([{ "event_id": ids[0] }, { "event_id": ids[2] }, { "event_id": ids[4] }]));
    }

    async fn history_is_seen_as_its_visibility_says() {
        for visibility in ["world_readable", "shared", "invited", "joined"] {
            let rooms = open(&support::store().await).await;
            let (alice, carol) = (user("alice"), user("carol"));
            let room_id = room(&rooms, RoomVersionId::V12).await;
            set_visibility(&rooms, &room_id, visibility).await;
            let say = async |body: &str| {
                rooms.append(&room_id, &alice, text(body)).await.unwrap();
            };
            say("before").await;
            assert_eq!(seen(&rooms, &room_id, "dave").await.len(), usize::from(visibility == "world_readable"));
            rooms.invite(&alice, &room_id, &carol, Profile::default(), None).await.unwrap();
            say("invited").await;
            rooms.join(&carol, &room_id, Profile::default(), None).await.unwrap();
            say("joined").await;
            let while_joined = seen(&rooms, &room_id, "carol").await;
            rooms.kick(&alice, &room_id, &carol, None).await.unwrap();
            rooms.ban(&alice, &room_id, &carol, None).await.unwrap();
            say("left").await;
            let expected: &[&str] = match visibility {
                "world_readable" | "shared" => &["before", "invited", "joined"],
                "invited" => &["invited", "joined"],
                _ => &["joined"],
            };
            assert_eq!(while_joined, expected, "{visibility}");
            let mut after = expected.to_vec();
            if visibility == "world_readable" {
                after.push("left");
            }
            assert_eq!(seen(&rooms, &room_id, "carol").await, after, "{visibility}");
            // A later change does not open what was closed.
            set_visibility(&rooms, &room_id, "shared").await;
            let bob_sees = seen(&rooms, &room_id, "bob").await;
            assert_eq!(bob_sees, ["before", "invited", "joined", "left"]);
            assert_eq!(seen(&rooms, &room_id, "carol").await, after, "{visibility}");
            let viewer = viewer(&rooms, &room_id, &carol).await;
            let ban = newest(&rooms, &room_id, 3).await.remove(0);
            assert!(viewer.sees(&ban).await.unwrap());
        }
    }

    async fn clients_are_told_what_concerns_them() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id = room(&rooms, RoomVersionId::V12).await;
        let txn = Txn { user_id: alice.clone(), device_id: "D".into(), txn_id: "t1".into() };
        let sent = rooms.append(&room_id, &alice, text("hi").with_txn(Some(txn))).await.unwrap();
        let sent = event(&rooms, &room_id, &sent).await;
        let own = json_of(&viewer(&rooms, &room_id, &alice).await, &sent, Format::Sync).await;
        assert_eq!(own["unsigned"]["transaction_id"], "t1");
        assert_eq!((own.get("room_id"), &own["unsigned"]["membership"]), (None, &json!("join")));
        let theirs = json_of(&viewer(&rooms, &room_id, &bob).await, &sent, Format::Timeline).await;
        assert_eq!(theirs["unsigned"].get("transaction_id"), None);
        assert_eq!(theirs["room_id"], json!(room_id));
        let raw = json_of(&viewer(&rooms, &room_id, &bob).await, &sent, Format::Federation).await;
        assert!(raw["auth_events"].is_array() && raw["hashes"]["sha256"].is_string());

        for name in ["one", "two"] {
            let event = state(StateEventType::RoomName, "", json!({ "name": name }));
            rooms.append(&room_id, &alice, event).await.unwrap();
        }
        let named = newest(&rooms, &room_id, 2).await;
        let json = json_of(&viewer(&rooms, &room_id, &bob).await, &named[1], Format::Sync).await;
        assert_eq!(json["unsigned"]["prev_content"], json!({ "name": "one" }));
        assert_eq!(json["unsigned"]["replaces_state"], json!(named[0].pdu.event_id));

        let carol = user("carol");
        rooms.invite(&alice, &room_id, &carol, Profile::default(), None).await.unwrap();
        let invite = newest(&rooms, &room_id, 1).await.remove(0);
        let stripped = rooms.room(&room_id).await.unwrap().stripped_state(&invite).await.unwrap();
        let stripped: Vec<Value> = stripped.iter().map(|event| content(event.json())).collect();
        let kinds: Vec<_> = stripped.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, [
            "m.room.create", "m.room.name", "m.room.join_rules", "m.room.member", "m.room.member",
        ]);
        assert_eq!(stripped[4]["state_key"], json!(carol));
        let summary = rooms.room(&room_id).await.unwrap().summary().await.unwrap();
        assert_eq!((summary.name.as_deref(), u64::from(summary.num_joined_members)), (Some("two"), 2));
    }

    async fn relations_that_make_no_sense_are_refused() {
        let store = support::store().await;
        let rooms = open(&store).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id = room(&rooms, RoomVersionId::V12).await;
        let parent = rooms.append(&room_id, &alice, text("parent")).await.unwrap();
        let reaction = |key: &str| {
            let relation = json!({ "rel_type": "m.annotation", "event_id": parent, "key": key });
            let content = to_raw_value(&json!({ "m.relates_to": relation })).unwrap();
            NewEvent::message("m.reaction".into(), content)
        };
        let twice = [reaction("+"), reaction("+")].map(|new| rooms.append(&room_id, &alice, new));
        let mut twice = futures::future::join_all(twice).await;
        let refused = twice.pop().unwrap().unwrap_err();
        assert_eq!(status(&refused), (400, "M_DUPLICATE_ANNOTATION".to_owned()));
        let first = twice.pop().unwrap().unwrap();
        rooms.append(&room_id, &alice, reaction("-")).await.unwrap();
        rooms.append(&room_id, &bob, reaction("+")).await.unwrap();
        let rooms = open(&store).await;
        assert!(rooms.append(&room_id, &alice, reaction("+")).await.is_err());
        rooms.redact(&room_id, &alice, first, None, None).await.unwrap();
        rooms.append(&room_id, &alice, reaction("+")).await.unwrap();
        assert!(rooms.append(&room_id, &alice, reaction("+")).await.is_err());

        let reply = rooms.append(&room_id, &bob, related("in", "m.thread", &parent)).await.unwrap();
        let nested = rooms.append(&room_id, &bob, related("in in", "m.thread", &reply)).await;
        assert_eq!(status(&nested.unwrap_err()), (400, "M_UNKNOWN".to_owned()));
    }
}
