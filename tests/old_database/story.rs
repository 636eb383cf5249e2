//! The story, and keeping the database that this version makes of it.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use neurite::{
    Homeserver,
    queue::{AckPolicy, ConsumerConfig, Headers, StreamConfig},
    store::{Batch, Options, memory::Disk},
};
use serde_json::{Value, json};

use super::{
    Answered, Clients, Session, Told,
    support::{
        client::{Client, server_over},
        place::Place,
    },
    sync,
};

async fn event(client: &Client, room: &str, kind: &str, id: &str, content: Value) -> String {
    let path = format!("/v3/rooms/{room}/send/{kind}/{id}");
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

async fn say(client: &Client, room: &str, id: &str, body: &str) -> String {
    event(client, room, "m.room.message", id, json!({ "msgtype": "m.text", "body": body })).await
}

async fn state(client: &Client, room: &str, place: &str, content: Value) {
    client.put(&format!("/v3/rooms/{room}/state/{place}"), content).await.ok();
}

/// Fills a homeserver with some of everything that it keeps.
async fn story(server: &Rc<Homeserver>) -> (Clients, Told) {
    let mut clients = Clients::new();
    for name in ["alice", "bob", "carol", "dave"] {
        clients.insert(name.to_owned(), Client::register(server, name).await);
    }
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| &clients[name]);
    let created = json!({
        "preset": "public_chat", "visibility": "public", "room_alias_name": "garden",
        "name": "Garden", "topic": "What grows", "invite": [&bob.user_id],
    });
    let room =
        alice.post("/v3/createRoom", created).await.ok()["room_id"].as_str().unwrap().to_owned();
    for who in [bob, carol, dave] {
        who.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
    }
    let private = alice
        .post("/v3/createRoom", json!({ "preset": "private_chat", "is_direct": true }))
        .await
        .ok();
    let private = private["room_id"].as_str().unwrap().to_owned();
    for who in [bob, carol] {
        alice
            .post(&format!("/v3/rooms/{private}/invite"), json!({ "user_id": who.user_id }))
            .await
            .ok();
    }
    let space = json!({ "creation_content": { "type": "m.space" }, "name": "Village", "preset": "public_chat" });
    let space =
        alice.post("/v3/createRoom", space).await.ok()["room_id"].as_str().unwrap().to_owned();
    state(alice, &space, &format!("m.space.child/{room}"), json!({ "via": ["neurite.test"] }))
        .await;

    // Events of all kinds.
    let hello = say(alice, &room, "1", "The tomatoes grow").await;
    let tell_bob = json!({
        "msgtype": "m.text", "body": "bob: look", "m.mentions": { "user_ids": [&bob.user_id] },
    });
    event(alice, &room, "m.room.message", "2", tell_bob).await;
    let (_, middle) = sync(carol, "").await;
    let (_, first) = sync(dave, "").await;
    let to = |kind: &str, to: &str, more: Value| {
        let mut content = json!({ "msgtype": "m.text", "body": kind, "m.relates_to": { "rel_type": kind, "event_id": to } });
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    let edit = json!({ "m.new_content": { "msgtype": "m.text", "body": "The tomatoes are ripe" } });
    event(alice, &room, "m.room.message", "3", to("m.replace", &hello, edit)).await;
    for who in [bob, carol] {
        let annotation = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": &hello, "key": "+" } });
        event(who, &room, "m.reaction", "4", annotation).await;
    }
    for n in 0..3 {
        event(bob, &room, "m.room.message", &format!("5{n}"), to("m.thread", &hello, json!({})))
            .await;
    }
    let wrong = say(dave, &room, "6", "A mistake").await;
    dave.put(&format!("/v3/rooms/{room}/redact/{wrong}/7"), json!({ "reason": "wrong" }))
        .await
        .ok();
    state(alice, &room, "m.room.pinned_events/", json!({ "pinned": [&hello] })).await;
    state(alice, &room, "org.example.bed/north", json!({ "plants": ["tomato"] })).await;
    let levels = json!({ "users": { &bob.user_id: 50 }, "events": { "m.room.name": 50 } });
    state(alice, &room, "m.room.power_levels/", levels).await;
    state(bob, &room, "m.room.name/", json!({ "name": "The garden" })).await;
    for n in 0..12 {
        say([alice, bob, dave][n % 3], &room, &format!("8{n}"), &format!("Message {n}")).await;
    }
    dave.post(&format!("/v3/rooms/{room}/leave"), json!({ "reason": "busy" })).await.ok();
    say(bob, &room, "9", "alice, come").await;
    bob.post(&format!("/v3/rooms/{private}/join"), json!({})).await.ok();
    say(bob, &private, "10", "In private").await;
    let marks = json!({ "m.fully_read": &hello, "m.read": &hello });
    bob.post(&format!("/v3/rooms/{room}/read_markers"), marks).await.ok();
    alice.post(&format!("/v3/rooms/{room}/receipt/m.read/{wrong}"), json!({})).await.ok();

    // What users keep.
    let data = |client: &Client, path: &str| format!("/v3/user/{}/{path}", client.user_id);
    alice.put(&data(alice, "account_data/org.example.all"), json!({ "a": 1 })).await.ok();
    alice
        .put(
            &data(alice, &format!("rooms/{room}/account_data/org.example.room")),
            json!({ "b": 2 }),
        )
        .await
        .ok();
    alice
        .put(&data(alice, &format!("rooms/{room}/tags/m.favourite")), json!({ "order": 0.5 }))
        .await
        .ok();
    bob.put(
        &data(bob, "account_data/m.ignored_user_list"),
        json!({ "ignored_users": { &dave.user_id: {} } }),
    )
    .await
    .ok();
    let filter = alice
        .post(&data(alice, "filter"), json!({ "room": { "timeline": { "limit": 3 } } }))
        .await
        .ok();
    alice
        .put(
            &format!("/v3/profile/{}/displayname", alice.user_id),
            json!({ "displayname": "Alice" }),
        )
        .await
        .ok();
    let pusher = json!({
        "app_id": "org.example", "pushkey": "key", "kind": "http", "app_display_name": "x",
        "device_display_name": "y", "lang": "en", "data": { "url": "https://example.org/_matrix/push/v1/notify" },
    });
    alice.post("/v3/pushers/set", pusher).await.ok();
    let rule = json!({ "actions": ["notify"], "pattern": "tomato" });
    carol.put("/v3/pushrules/global/content/tomato", rule).await.ok();
    alice.post("/v3/keys/upload", device_keys(alice)).await.ok();
    let backup = json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": { "public_key": "x" } });
    let version = alice.post("/v3/room_keys/version", backup).await.ok()["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = json!({ "first_message_index": 1, "forwarded_count": 0, "is_verified": false, "session_data": { "x": "y" } });
    alice.put(&format!("/v3/room_keys/keys/{room}/session?version={version}"), key).await.ok();
    let message = json!({ "messages": { &bob.user_id: { "*": { "n": 1 } } } });
    alice.put("/v3/sendToDevice/org.example.m/1", message).await.ok();

    // The queue of an app.
    let (name, subjects) = ("APP".to_owned(), vec!["app.>".to_owned()]);
    server
        .queue
        .create_stream(StreamConfig { name, subjects, ..StreamConfig::default() })
        .await
        .unwrap();
    let config = ConsumerConfig {
        durable_name: "worker".into(),
        ack_policy: AckPolicy::Explicit,
        ..ConsumerConfig::default()
    };
    let consumer = server.queue.create_consumer("APP", config).await.unwrap();
    for n in 0..5 {
        let payload = Bytes::from(format!("job {n}"));
        server.queue.publish_now(&format!("app.{n}"), &Headers::default(), payload).await.unwrap();
    }
    let taken = consumer.fetch(2, Duration::ZERO).await.unwrap();
    let mut batch = Batch::new();
    taken[0].ack(&mut batch);
    server.store.commit(batch).await.unwrap();
    server.push.catch_up().await;

    let gets = |who: &'static str, paths: &[&str]| {
        let told = |path: &&str| (who, "GET", (*path).to_owned(), None);
        paths.iter().map(told).collect::<Vec<_>>()
    };
    let at = |path: &str| format!("/v3/rooms/{room}/{path}");
    let in_room = [
        "messages?dir=b&limit=100",
        "messages?dir=f&limit=100",
        "members",
        "joined_members",
        "state",
        "aliases",
        &format!("event/{hello}"),
        &format!("context/{hello}?limit=4"),
        "state/m.room.power_levels",
        "state/org.example.bed/north",
    ]
    .map(at);
    let relations = |of: &str| format!("/v1/rooms/{room}/relations/{hello}{of}");
    let others = [
        relations(""),
        relations("/m.thread"),
        relations("/m.annotation/m.reaction"),
        format!("/v1/rooms/{room}/threads"),
        format!("/v1/rooms/{space}/hierarchy"),
        format!("/v1/rooms/{room}/timestamp_to_event?ts=0&dir=f"),
        format!("/v3/directory/room/{}", "%23garden:neurite.test"),
        format!("/v3/room_keys/keys?version={version}"),
        data(alice, "account_data/org.example.all"),
        data(alice, &format!("rooms/{room}/tags")),
        data(alice, &format!("filter/{}", filter["filter_id"].as_str().unwrap())),
        format!("/v3/profile/{}", alice.user_id),
    ];
    let mut questions = Vec::new();
    for path in in_room.iter().chain(&others) {
        questions.extend(gets("alice", &[path]));
    }
    for who in ["alice", "bob"] {
        questions.extend(gets(
            who,
            &[
                "/v3/notifications",
                "/v3/pushrules/",
                "/v3/pushers",
                "/v3/joined_rooms",
                "/v3/devices",
                "/v3/account/whoami",
                "/v3/publicRooms",
                "/v3/sync?full_state=true",
            ],
        ));
    }
    let last = format!("/v3/sync?since={middle}");
    questions.extend(gets("carol", &[&last, "/v3/pushrules/", &at("members?not_membership=join")]));
    questions.extend(gets(
        "dave",
        &[&format!("/v3/sync?since={first}"), &at("messages?dir=b&limit=100")],
    ));
    let search = json!({ "search_categories": { "room_events": { "search_term": "message" } } });
    let users = json!({ "device_keys": { &alice.user_id: [], &bob.user_id: [] } });
    questions.push(("alice", "POST", "/v3/search".into(), Some(search)));
    questions.push(("bob", "POST", "/v3/keys/query".into(), Some(users)));
    questions.push((
        "bob",
        "POST",
        "/v3/user_directory/search".into(),
        Some(json!({ "search_term": "ali" })),
    ));

    let (mut answers, mut since) = (Vec::new(), BTreeMap::new());
    for (who, method, path, body) in questions {
        let answer = clients[who].request(method, &path, body.clone()).await.ok();
        if path.starts_with("/v3/sync") {
            since.insert(who.to_owned(), answer["next_batch"].as_str().unwrap().to_owned());
        }
        let (who, method) = (who.to_owned(), method.to_owned());
        answers.push(Answered { who, method, path, body, answer });
    }
    let session = |(name, client): (&String, &Client)| {
        let access_token = client.access_token.clone().unwrap();
        let (user_id, device_id) = (client.user_id.clone(), client.device_id.clone());
        (name.clone(), Session { access_token, user_id, device_id })
    };
    let sessions = clients.iter().map(session).collect();
    (clients, Told { room, clients: sessions, answers, since })
}

fn device_keys(client: &Client) -> Value {
    let (user, device) = (&client.user_id, &client.device_id);
    json!({
        "device_keys": {
            "user_id": user, "device_id": device, "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
            "keys": { format!("ed25519:{device}"): "key" }, "signatures": { user: { format!("ed25519:{device}"): "x" } },
        },
        "one_time_keys": { "signed_curve25519:A": { "key": "one", "signatures": {} }, "signed_curve25519:B": { "key": "two", "signatures": {} } },
        "fallback_keys": { "signed_curve25519:F": { "key": "last", "fallback": true, "signatures": {} } },
    })
}

/// Today's version tells the same story, and keeps it when asked to.
#[test]
fn the_story_is_told_by_this_version() {
    neurite::platform::run(async {
        let disk = Disk::new();
        // Some of it in the leaves, some in the journal.
        let options = Options { journal_records: 64, ..Options::default() };
        let store = Place::Memory(disk.clone()).open_with(options).await;
        let server = server_over(store, |_| {}).await;
        let (clients, told) = story(&server).await;
        drop(clients);
        let Some(folder) = std::env::var_os("KEEP") else { return };
        let folder = std::path::PathBuf::from(folder);
        let hex =
            |bytes: &Bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let records = disk
            .dump()
            .into_iter()
            .map(|(space, key, bytes)| format!("{space} {} {}\n", hex(&key), hex(&bytes)));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("disk.txt"), records.collect::<String>()).unwrap();
        std::fs::write(folder.join("told.json"), serde_json::to_string(&told).unwrap()).unwrap();
    });
}
