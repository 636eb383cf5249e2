//! Events of any content, and everything that reads events.

use std::{rc::Rc, time::Duration};

use neurite::{Homeserver, platform};
use serde_json::json;

use super::client::{Answer, Client, server};

/// How long the consumers may take for what was sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// The types that are sent: those that something here looks into, and one other.
pub const TYPES: [&str; 20] = [
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.reaction",
    "m.room.redaction",
    "m.room.topic",
    "m.room.name",
    "m.room.avatar",
    "m.room.join_rules",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.canonical_alias",
    "m.room.pinned_events",
    "m.room.tombstone",
    "m.space.child",
    "m.space.parent",
    "m.room.third_party_invite",
    "org.any",
];
/// An event to send.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which one of [`TYPES`] it is of.
    pub kind: usize,
    /// Of a state event.
    pub state_key: Option<String>,
    /// JSON, in which `$root` is the first event's id.
    pub content: String,
}

fn encoded(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[track_caller]
fn is_no_fault(what: &str, answer: Answer) -> Answer {
    assert!(answer.status < 500, "{what}: {answer:?}");
    answer
}

/// Waits until the consumers have worked on everything, none of it in vain.
async fn caught_up(server: &Homeserver) {
    let all_done = async {
        for name in ["push", "search"] {
            let consumer = server.queue.consumer("ROOM_EVENTS", name).unwrap();
            while (consumer.info().num_pending, consumer.info().num_ack_pending) != (0, 0) {
                platform::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(consumer.info().num_redelivered, 0, "{name}");
        }
    };
    platform::timeout(PATIENCE, all_done).await.expect("a consumer does not get on");
}

/// Sends all of it, reads what was taken wherever it is told, upgrades the room, redacts, reads again.
///
/// Panics where anything fails that is not the sender's fault.
pub async fn run(events: Vec<Sent>) {
    let server: Rc<Homeserver> = server().await;
    let alice = Client::register(&server, "alice").await;
    let bob = Client::register(&server, "bob").await;
    let keyword = json!({ "actions": ["notify", { "set_tweak": "highlight" }], "pattern": "a?" });
    bob.put("/v3/pushrules/global/content/a", keyword).await.ok();
    let room = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room_id = room["room_id"].as_str().unwrap();
    let room = format!("/v3/rooms/{room_id}");
    bob.post(&format!("{room}/join"), json!({})).await.ok();
    let since = bob.get("/v3/sync").await.ok()["next_batch"].as_str().unwrap().to_owned();
    let root = json!({ "msgtype": "m.text", "body": "root" });
    let root = alice.put(&format!("{room}/send/m.room.message/root"), root).await.ok();
    let root = root["event_id"].as_str().unwrap().to_owned();

    let mut taken = vec![root.clone()];
    for (number, Sent { kind, state_key, content }) in events.iter().enumerate() {
        let kind = TYPES[*kind];
        let path = match state_key {
            Some(key) => format!("{room}/state/{kind}/{}", encoded(key)),
            None => format!("{room}/send/{kind}/{number}"),
        };
        let path = format!("/_matrix/client{path}");
        let content = content.replace("$root", &root).into_bytes();
        let answer = is_no_fault(&path, alice.send("PUT", &path, Some(content)).await);
        if answer.status == 200 {
            taken.push(answer.body["event_id"].as_str().unwrap().to_owned());
        }
    }
    let read = async || {
        caught_up(&server).await;
        for event_id in &taken {
            for path in [
                format!("{room}/event/{event_id}"),
                format!("{room}/context/{event_id}?limit=3"),
                format!("/v1/rooms/{room_id}/relations/{event_id}"),
            ] {
                let answer = is_no_fault(&path, alice.get(&path).await);
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                // It could be read: all of it is JSON that a common parser takes.
                assert!(!answer.body.is_null(), "{path}");
                is_no_fault(&path, bob.get(&path).await);
            }
        }
        for path in [
            "/v3/sync".to_owned(),
            format!("/v3/sync?since={since}"),
            format!("{room}/messages?dir=b&limit=100"),
            format!("{room}/members"),
            format!("{room}/state"),
            format!("{room}/initialSync"),
            format!("/v1/rooms/{room_id}/threads"),
            format!("/v1/rooms/{room_id}/hierarchy"),
            "/v3/notifications".to_owned(),
            "/v3/publicRooms".to_owned(),
        ] {
            let answer = is_no_fault(&path, bob.get(&path).await);
            assert!(!answer.body.is_null(), "{path}");
        }
        let search = json!({ "search_categories": { "room_events": {
            "search_term": "a", "include_state": true, "event_context": { "include_profile": true },
        } } });
        is_no_fault("search", bob.post("/v3/search", search).await);
    };
    read().await;
    let upgrade = json!({ "new_version": "11" });
    is_no_fault("upgrade", alice.post(&format!("{room}/upgrade"), upgrade).await);
    for (number, event_id) in taken.iter().enumerate().rev() {
        let path = format!("{room}/redact/{event_id}/r{number}");
        is_no_fault(&path, alice.put(&path, json!({ "reason": "a" })).await);
    }
    read().await;
}
