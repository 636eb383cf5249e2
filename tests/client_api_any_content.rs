//! Events of any content: each is taken or refused, and what was taken can be read wherever it is
//! told, and whatever is done with it.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::{rc::Rc, time::Duration};

use neurite::{Homeserver, platform};
use proptest::prelude::*;
use serde_json::json;
use support::client::{Answer, Client, server};

/// How long the consumers may take for what was sent.
const PATIENCE: Duration = Duration::from_secs(20);
const TYPES: [&str; 20] = [
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
/// Members that something here or in a client looks at.
const MEMBERS: [&str; 26] = [
    "body",
    "formatted_body",
    "msgtype",
    "m.mentions",
    "user_ids",
    "room",
    "m.relates_to",
    "rel_type",
    "event_id",
    "key",
    "m.in_reply_to",
    "is_falling_back",
    "m.new_content",
    "m.topic",
    "m.text",
    "name",
    "topic",
    "redacts",
    "url",
    "alias",
    "allow",
    "join_rule",
    "via",
    "a.b\\",
    "$serde_json::private::RawValue",
    "",
];

#[derive(Clone, Debug)]
struct Sent {
    kind: usize,
    /// Of a state event.
    state_key: Option<String>,
    /// JSON, in which `$root` is the first event's id.
    content: String,
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"$root\"".to_owned()),
        Just("\"m.thread\"".to_owned()),
        Just("\"m.replace\"".to_owned()),
        Just("\"m.annotation\"".to_owned()),
        Just("\"@alice:neurite.test\"".to_owned()),
        Just("9007199254740991".to_owned()),
        Just("9007199254740992".to_owned()),
        Just("-9007199254740992".to_owned()),
        Just("1e999".to_owned()),
        Just("0.5".to_owned()),
        Just("-0".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        ("[a-z ?*]{1,3}", 1usize..30_000)
            .prop_map(|(text, times)| json!(text.repeat(times)).to_string()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            4 => object(inner.clone()),
            1 => (inner, 60usize..130, any::<bool>()).prop_map(|(inner, depth, is_object)| {
                let (open, close) = if is_object { ("{\"a\":", "}") } else { ("[", "]") };
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            }),
        ]
    })
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => proptest::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec((name, inner), 0..5).prop_map(|members| {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let key = prop_oneof![
        Just(String::new()),
        Just("@alice:neurite.test".to_owned()),
        "[a-z!:.]{1,300}",
        any::<String>(),
    ];
    (0..TYPES.len(), proptest::option::of(key), object(value()))
        .prop_map(|(kind, state_key, content)| Sent { kind, state_key, content })
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

async fn run(events: Vec<Sent>) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_can_be_read(events in proptest::collection::vec(sent(), 1..16)) {
        platform::run(run(events));
    }
}
