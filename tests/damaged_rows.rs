//! Rows that can't be read: what needs one fails, what does not goes on without it, and it is told in
//! either case.

#[macro_use]
mod support;

use std::{rc::Rc, sync::Arc};

use neurite::{
    Homeserver,
    config::KeptChanges,
    log::{Levels, Subscriber, Wanted},
    platform,
    store::{Batch, Direction, Key, KeyRange, Store, Table},
};
use serde_json::{Value, json};
use support::{
    client::{Client, server, server_over},
    log::{Lines, lines},
};
use tracing::{level_filters::LevelFilter, subscriber::DefaultGuard};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// Logs what this thread warns of, until the guard is dropped.
fn listen() -> (Lines, Arc<Subscriber<Lines>>, DefaultGuard) {
    lines(Wanted { levels: Levels::all(LevelFilter::WARN), spans: false })
}

/// Whether there was a word about a table.
fn is_told(lines: &[String], table: Table) -> bool {
    lines.iter().any(|line| line.contains(&format!("{table:?}")))
}

async fn put(store: &Store, rows: &[(Table, Key, &str)]) {
    let mut batch = Batch::new();
    for (table, key, value) in rows {
        batch.put(*table, key.clone(), *value);
    }
    store.commit(batch).await.unwrap();
}

async fn rows(store: &Store, table: Table) -> Vec<(bytes::Bytes, bytes::Bytes)> {
    store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX).await.unwrap()
}

/// The first row of a table is another from now on.
async fn damage_first(store: &Store, table: Table) {
    let (key, _) = rows(store, table).await.swap_remove(0);
    put(store, &[(table, Key::new().key(&key), "nonsense")]).await;
}

/// The same person after a restart, when nothing is in memory.
async fn again(client: &Client) -> Client {
    let server = server_over(client.server.store.clone(), |_| {}).await;
    Client { server, ..client.clone() }
}

async fn room(client: &Client, with: &[&Client]) -> String {
    let made = client.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room = made["room_id"].as_str().unwrap().to_owned();
    for other in with {
        other.post(&format!("/v3/join/{room}"), json!({})).await.ok();
    }
    room
}

async fn say(client: &Client, room: &str, content: Value) -> String {
    let path = format!("/v3/rooms/{room}/send/m.room.message/{}", platform::random_string(8));
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

/// A message that mentions somebody.
async fn mention(client: &Client, room: &str, whom: &Client) -> String {
    let mentions = json!({ "user_ids": [whom.user_id] });
    say(client, room, json!({ "msgtype": "m.text", "body": "you", "m.mentions": mentions })).await
}

async fn expire_in(server: &Rc<Homeserver>, after: u64) {
    server.expire(platform::unix_millis() + after).await.unwrap();
}

tests! {
    async fn what_has_expired_goes_though_there_are_damaged_rows_among_it() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let store = &server.store;
        let (user, page) = (Key::new().str(&alice.user_id), "https://example.org/?secret");
        let damaged = [
            (Table::LoginTokens, Key::new().str("0"), "nonsense"),
            (Table::OpenIdTokens, Key::new().str("0"), "{}"),
            (Table::ToDevice, Key::new().str("a"), "{}"),
            (Table::ToDevice, Key::new().str("nobody").str("GONE").u64(1), "{}"),
            (Table::MediaReserved, Key::new(), "1"),
            (Table::MediaReserved, user.clone().str("0"), "nonsense"),
            (Table::UrlPreviews, Key::new().str(page).u64(0), "nonsense"),
            (Table::TransactionTimes, Key::new().u64(0).str("nonsense"), ""),
        ];
        put(store, &damaged).await;
        put(store, &[
            (Table::LoginTokens, Key::new().str("1"), r#"{"user_id":"@alice:neurite.test","expires":1}"#),
            (Table::ToDevice, Key::new().str("@nobody:neurite.test").str("GONE").u64(1), "{}"),
            (Table::UrlPreviews, Key::new().str("z").u64(0), r#"{"data":{}}"#),
        ]).await;
        let openid = format!("/v3/user/{}/openid/request_token", alice.user_id);
        alice.post(&openid, json!({})).await.ok();
        alice.send("POST", "/_matrix/media/v1/create", None).await.ok();
        let room = room(&alice, &[]).await;
        say(&alice, &room, json!({ "msgtype": "m.text", "body": "x" })).await;
        assert_eq!(rows(store, Table::TransactionTimes).await.len(), 2);
        let (lines, _log, _guard) = listen();
        expire_in(&server, 40 * DAY).await;
        let lines = lines.take();
        for (table, ..) in &damaged {
            assert!(is_told(&lines, *table), "{table:?}: {lines:?}");
            let left = rows(store, *table).await.len();
            assert_eq!(left, damaged.iter().filter(|(of, ..)| of == table).count(), "{table:?}");
        }
        assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:?}");
    }

    async fn a_room_with_a_damaged_row_fails_and_others_do_not() {
        for (table, path) in [
            (Table::RoomMembers, "joined_members"),
            (Table::RoomMembers, "joined_members?"),
            (Table::EventIndex, "event"),
            (Table::Timeline, "messages?dir=b"),
            (Table::RoomStates, "messages?dir=b"),
        ] {
            let server = server().await;
            let alice = Client::fast(&server, "alice").await;
            let (damaged, whole) = (room(&alice, &[]).await, room(&alice, &[]).await);
            let since = alice.get("/v3/sync").await.ok()["next_batch"].as_str().unwrap().to_owned();
            let mut events = Vec::new();
            for room in [&damaged, &whole] {
                events.push(say(&alice, room, json!({ "msgtype": "m.text", "body": "x" })).await);
            }
            let key = Key::new().str(&damaged);
            for (row, _) in rows(&server.store, table).await {
                if row.starts_with(&key) {
                    let rest = &row[key.len()..];
                    // A row more, or another one.
                    let (more, value) = match (table, path) {
                        (Table::RoomMembers, "joined_members?") => (key.clone().key(rest), "nonsense"),
                        (Table::RoomMembers, _) => (key.clone().str("nobody"), "{}"),
                        _ => (key.clone().key(rest), "!"),
                    };
                    put(&server.store, &[(table, more, value)]).await;
                }
            }
            let alice = again(&alice).await;
            let (lines, _log, _guard) = listen();
            let path_in = |room: &str, event: &str| match path {
                "event" => format!("/v3/rooms/{room}/event/{event}"),
                path => format!("/v3/rooms/{room}/{path}"),
            };
            let answer = alice.get(&path_in(&damaged, &events[0])).await;
            assert_eq!((answer.status, &answer.body["errcode"]), (500, &json!("M_UNKNOWN")), "{table:?} {path}");
            assert!(is_told(&lines.take(), table), "{table:?}");
            alice.get(&path_in(&whole, &events[1])).await.ok();
            let answer = alice.get(&format!("/v3/sync?since={since}")).await.ok();
            assert!(answer["rooms"]["join"][&whole].is_object(), "{table:?}: {answer}");
        }
    }

    async fn a_damaged_notification_keeps_nobody_from_reading_the_others() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let room = room(&bob, &[&alice]).await;
        for _ in 0..2 {
            mention(&bob, &room, &alice).await;
        }
        let last = mention(&bob, &room, &alice).await;
        server.push.catch_up().await;
        for table in [Table::Unread, Table::Notifications] {
            assert_eq!(rows(&server.store, table).await.len(), 3);
            damage_first(&server.store, table).await;
        }
        let (lines, _log, _guard) = listen();
        let list = alice.get("/v3/notifications").await.ok();
        assert_eq!(list["notifications"].as_array().unwrap().len(), 2);
        assert!(is_told(&lines.take(), Table::Notifications));
        alice.post(&format!("/v3/rooms/{room}/receipt/m.read/{last}"), json!({})).await.ok();
        assert_eq!(rows(&server.store, Table::Unread).await.len(), 1, "that which can't be read");
        assert!(is_told(&lines.take(), Table::Unread));
        let list = alice.get("/v3/notifications").await.ok();
        let mut list = list["notifications"].as_array().unwrap().iter();
        assert!(list.all(|notification| notification["read"] == true));
    }

    async fn where_a_change_is_damaged_anything_may_have_changed() {
        let little = KeptChanges { in_memory: 2, ..KeptChanges::default() };
        let server = server_over(support::store().await, |config| config.kept_changes = little).await;
        let alice = Client::fast(&server, "alice").await;
        let room = room(&alice, &[]).await;
        let since = alice.get("/v3/sync").await.ok()["next_batch"].as_str().unwrap().to_owned();
        for body in 0..5 {
            say(&alice, &room, json!({ "msgtype": "m.text", "body": body.to_string() })).await;
        }
        let (key, _) = rows(&server.store, Table::Feed).await.pop().unwrap();
        put(&server.store, &[(Table::Feed, Key::new().key(&key), "nonsense")]).await;
        let (lines, _log, _guard) = listen();
        let answer = alice.get(&format!("/v3/sync?since={since}")).await.ok();
        let events = answer["rooms"]["join"][&room]["timeline"]["events"].as_array().unwrap();
        let bodies: Vec<_> = events.iter().map(|event| &event["content"]["body"]).collect();
        assert_eq!(bodies, ["0", "1", "2", "3", "4"]);
        assert!(is_told(&lines.take(), Table::Feed));
    }

    async fn a_list_that_would_lack_a_damaged_row_is_none() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let user = Key::new().str(&alice.user_id);
        let data = format!("/v3/user/{}/account_data/org.example", alice.user_id);
        for (table, key, path) in [
            (Table::Devices, user.clone().u64(1), "/v3/devices"),
            (Table::AccountData, user.clone().str("").str("org.example"), data.as_str()),
            (Table::AccountData, user.clone().str("").u64(1), "/v3/sync"),
            (Table::Pushers, user.clone().u64(1), "/v3/pushers"),
        ] {
            let store = &server.store;
            alice.get("/v3/sync").await.ok();
            put(store, &[(table, key.clone(), "nonsense")]).await;
            let (lines, _log, _guard) = listen();
            let answer = alice.get(path).await;
            assert_eq!((answer.status, &answer.body["errcode"]), (500, &json!("M_UNKNOWN")), "{path}");
            let lines = lines.take();
            assert!(is_told(&lines, table), "{path}: {lines:?}");
            let mut batch = Batch::new();
            batch.delete(table, key);
            store.commit(batch).await.unwrap();
        }
    }

    async fn an_account_that_is_damaged_is_left_out_of_the_user_directory() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        for name in ["anna", "bob"] {
            Client::fast(&server, name).await;
        }
        room(&alice, &[]).await;
        put(&server.store, &[
            (Table::Accounts, Key::new().str("@anna:neurite.test"), "nonsense"),
            (Table::Accounts, Key::new().str("nobody"), "{}"),
        ]).await;
        let (lines, _log, _guard) = listen();
        let mut search = server.users.search("neurite.test");
        let mut found = Vec::new();
        while let Some(page) = search.next_page().await.unwrap() {
            found.extend(page.into_iter().map(|(user_id, _)| user_id.to_string()));
        }
        assert_eq!(found, ["@alice:neurite.test", "@bob:neurite.test"]);
        let lines = lines.take();
        let told = lines.iter().filter(|line| line.contains("Accounts")).count();
        assert_eq!(told, 2, "{lines:?}");
    }

    async fn what_is_left_to_do_is_done_beside_what_cannot_be_read() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        room(&alice, &[]).await;
        let leave = json!({ "type": "leave_rooms", "user_id": alice.user_id }).to_string();
        put(&server.store, &[
            (Table::FollowUps, Key::new().str("0"), "nonsense"),
            (Table::FollowUps, Key::new().str("1"), &leave),
        ]).await;
        let (lines, _log, _guard) = listen();
        let alice = again(&alice).await;
        assert_eq!(alice.get("/v3/joined_rooms").await.ok(), json!({ "joined_rooms": [] }));
        assert_eq!(rows(&server.store, Table::FollowUps).await.len(), 1);
        assert!(is_told(&lines.take(), Table::FollowUps));
    }
}
