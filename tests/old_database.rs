//! The database of an older version opens unchanged: clients are told what that version told them,
//! and go on from where they were.
//!
//! A folder of `tests/old_database/` is what one version made of the story there: `disk.txt` has the
//! records, `told.json` what was answered to whom. To keep the database of this version, before its
//! rows change: `KEEP=tests/old_database/NAME cargo test --test old_database`.

#[macro_use]
mod support;

#[cfg(not(target_arch = "wasm32"))]
#[path = "old_database/story.rs"]
mod story;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use neurite::{Homeserver, store::memory::Disk};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{
    client::{Client, password_login, server_over},
    place::Place,
};

/// What a version has told of its database.
#[derive(Serialize, Deserialize)]
struct Told {
    room: String,
    clients: BTreeMap<String, Session>,
    answers: Vec<Answered>,
    /// The token of each client's last sync.
    since: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Session {
    access_token: String,
    user_id: String,
    device_id: String,
}

/// A request, and its answer.
#[derive(Serialize, Deserialize)]
struct Answered {
    who: String,
    method: String,
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    answer: Value,
}

type Clients = BTreeMap<String, Client>;

async fn sync(client: &Client, parameters: &str) -> (Value, String) {
    let answer = client.get(&format!("/v3/sync{parameters}")).await.ok();
    let next = answer["next_batch"].as_str().unwrap().to_owned();
    (answer, next)
}

/// Without what another version may say in its own way, or time changes: tokens, ages, and the order
/// of what has none; or leave out, as empty lists of events.
fn comparable(mut value: Value) -> Value {
    // Who is online is kept in memory.
    const OWN: [&str; 9] = [
        "age",
        "presence",
        "last_seen_ts",
        "last_seen_ip",
        "next_batch",
        "prev_batch",
        "start",
        "end",
        "next_token",
    ];
    match &mut value {
        Value::Object(fields) => {
            let empty = json!({ "events": [] });
            fields.retain(|name, field| !OWN.contains(&name.as_str()) && *field != empty);
            for (name, field) in fields.iter_mut() {
                *field = comparable(field.take());
                let unordered = ["state", "account_data", "changed", "left", "joined_rooms"];
                if unordered.contains(&name.as_str()) {
                    let list = match field {
                        Value::Object(inner) => inner.get_mut("events"),
                        list => Some(list),
                    };
                    if let Some(Value::Array(list)) = list {
                        list.sort_by_key(Value::to_string);
                    }
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| *item = comparable(item.take())),
        _ => {}
    }
    value
}

/// Where two answers differ first.
fn difference(now: &Value, then: &Value) -> Option<String> {
    let nothing = Value::Null;
    let keys: Vec<_> = match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            now.keys().chain(then.keys()).cloned().collect()
        }
        (Value::Array(now), Value::Array(then)) => {
            (0..now.len().max(then.len())).map(|at| at.to_string()).collect()
        }
        _ if now == then => return None,
        _ => return Some(format!(" was {then}, is {now}")),
    };
    keys.iter().find_map(|key| {
        let of = |value: &'_ Value| match value {
            Value::Array(list) => list.get(key.parse::<usize>().unwrap()).cloned(),
            value => value.get(key).cloned(),
        };
        let (now, then) = (of(now), of(then));
        let within =
            difference(now.as_ref().unwrap_or(&nothing), then.as_ref().unwrap_or(&nothing))?;
        Some(format!("/{key}{within}"))
    })
}

/// The disk and what was told of it, of each version that is kept.
const KEPT: [(&str, &str, &str); 1] = [(
    "2026-11",
    include_str!("old_database/2026-11/disk.txt"),
    include_str!("old_database/2026-11/told.json"),
)];

fn read(records: &str) -> Disk {
    let disk = Disk::new();
    for line in records.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        disk.set(fields[0], unhex(fields[1]), Some(unhex(fields[2])));
    }
    disk
}

fn unhex(text: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The homeserver over a kept disk, with the clients that it had.
async fn opened(disk: &Disk, told: &Told) -> (Rc<Homeserver>, Clients) {
    let server = server_over(Place::Memory(disk.clone()).open().await, |_| {}).await;
    let clients = told.clients.iter().map(|(name, session)| {
        let client = Client {
            server: server.clone(),
            access_token: Some(session.access_token.clone()),
            user_id: session.user_id.clone(),
            device_id: session.device_id.clone(),
        };
        (name.clone(), client)
    });
    (server.clone(), clients.collect())
}

tests! {
    async fn what_was_told_is_told_again() {
        for (version, records, told) in KEPT {
            let told: Told = serde_json::from_str(told).unwrap();
            let (_, clients) = opened(&read(records), &told).await;
            for Answered { who, method, path, body, answer } in &told.answers {
                let now = clients[who].request(method, path, body.clone()).await.ok();
                let (now, then) = (comparable(now), comparable(answer.clone()));
                if let Some(difference) = difference(&now, &then) {
                    panic!("{version}: {who}: {method} {path}: {difference}");
                }
            }
        }
    }

    async fn clients_go_on_from_where_they_were() {
        for (version, records, told) in KEPT {
            let told: Told = serde_json::from_str(told).unwrap();
            let disk = read(records);
            let (server, clients) = opened(&disk, &told).await;
            let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| &clients[name]);
            let room = &told.room;
            let joined = |sync: &Value| sync["rooms"]["join"][room].clone();
            let before = joined(&sync(bob, "?full_state=true").await.0)["unread_notifications"].clone();
            let content = json!({
                "msgtype": "m.text", "body": "The tomatoes are new", "m.mentions": { "user_ids": [&bob.user_id] },
            });
            let path = format!("/v3/rooms/{room}/send/m.room.message/new");
            alice.put(&path, content).await.ok();
            server.push.catch_up().await;
            for (name, client) in [("bob", bob), ("carol", carol)] {
                let (answer, _) = sync(client, &format!("?since={}", told.since[name])).await;
                let events = joined(&answer)["timeline"]["events"].as_array().unwrap().clone();
                assert_eq!(events.len(), 1, "{version}: {name}: {answer}");
                assert_eq!(events[0]["content"]["body"], "The tomatoes are new");
                let counts = &joined(&answer)["unread_notifications"];
                if name == "bob" {
                    let more = |count: &str| counts[count].as_u64().unwrap() - before[count].as_u64().unwrap();
                    assert_eq!((more("notification_count"), more("highlight_count")), (1, 1), "{version}");
                }
            }
            let newest = alice.get(&format!("/v3/rooms/{room}/messages?dir=b&limit=1")).await.ok();
            let newest = newest["chunk"][0]["event_id"].as_str().unwrap().to_owned();
            bob.post(&format!("/v3/rooms/{room}/receipt/m.read/{newest}"), json!({})).await.ok();
            let read = joined(&sync(bob, "?full_state=true").await.0)["unread_notifications"].clone();
            assert_eq!(read, json!({ "notification_count": 0, "highlight_count": 0 }), "{version}");

            // Sessions, passwords, keys, devices.
            let phone = Client::anonymous(&server);
            let phone = phone.logged_in(&phone.post("/v3/login", password_login("bob")).await.ok());
            assert!(joined(&sync(&phone, "").await.0)["timeline"]["events"].is_array());
            for expected in ["one", "two", "last", "last"] {
                let want = json!({ "one_time_keys": { &alice.user_id: { &alice.device_id: "signed_curve25519" } } });
                let claimed = bob.post("/v3/keys/claim", want).await.ok();
                let keys = &claimed["one_time_keys"][&alice.user_id][&alice.device_id];
                let key = keys.as_object().unwrap().values().next().unwrap();
                assert_eq!(key["key"], expected, "{version}");
            }
            // Rooms change, and people.
            carol.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
            let body = json!({ "reason": "old" });
            alice.put(&format!("/v3/rooms/{room}/redact/{newest}/r"), body).await.ok();
            let upgraded = alice.post(&format!("/v3/rooms/{room}/upgrade"), json!({ "new_version": "11" })).await.ok();
            assert!(upgraded["replacement_room"].is_string(), "{version}");

            // The queue goes on after what was acknowledged.
            let consumer = server.queue.consumer("APP", "worker").unwrap();
            let jobs = consumer.fetch(9, Duration::ZERO).await.unwrap();
            let jobs: Vec<_> = jobs.iter().map(|job| job.stream_sequence).collect();
            assert_eq!(jobs, [2, 3, 4, 5], "{version}");
            assert_eq!(server.queue.stream_info("APP").await.unwrap().state.messages, 5);

            // And all that is there after another start.
            let (_, clients) = opened(&disk, &told).await;
            let (answer, _) = sync(&clients["alice"], "").await;
            assert!(answer["rooms"]["join"][upgraded["replacement_room"].as_str().unwrap()].is_object());
        }
    }
}
