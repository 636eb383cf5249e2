//! Syncs from tokens that are older than what the feed keeps. The suite `sync_model` has more of them,
//! and checks the state of rooms.

#[macro_use]
mod support;

use std::{collections::BTreeSet, rc::Rc};

use neurite::{
    Homeserver,
    config::KeptChanges,
    feed::Change,
    platform,
    store::{Batch, Direction, KeyRange, Store, Table},
};
use serde_json::{Value, json};
use support::{
    client::{Client, server_over},
    store,
};

const LITTLE: KeptChanges = KeptChanges { stored: 8, in_memory: 4 };

/// A homeserver that keeps only a few of the newest changes.
async fn forgetful(store: Store) -> Rc<Homeserver> {
    server_over(store, |config| config.kept_changes = LITTLE).await
}

async fn rows(store: &Store) -> usize {
    let all = store.scan(Table::Feed, KeyRange::all(), Direction::Forward, usize::MAX).await;
    all.unwrap().len()
}

async fn sync(client: &Client, query: &str) -> Value {
    client.get(&format!("/v3/sync?set_presence=offline&{query}")).await.ok()
}

fn token(answer: &Value) -> &str {
    answer["next_batch"].as_str().unwrap()
}

async fn room(client: &Client, with: &[&Client]) -> String {
    let made = client.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room = made["room_id"].as_str().unwrap().to_owned();
    for other in with {
        other.post(&format!("/v3/join/{room}"), json!({})).await.ok();
    }
    room
}

async fn say(client: &Client, room: &str, text: &str) -> String {
    let path = format!("/v3/rooms/{room}/send/m.room.message/{}", platform::random_string(8));
    let sent = client.put(&path, json!({ "msgtype": "m.text", "body": text })).await.ok();
    sent["event_id"].as_str().unwrap().to_owned()
}

async fn say_all(client: &Client, room: &str, count: usize) {
    let sends: Vec<_> = (0..count).map(|_| say(client, room, "x")).collect();
    futures::future::join_all(sends).await;
}

/// Makes more changes than are kept, in a room of its own.
async fn much_happens(client: &Client) {
    let elsewhere = room(client, &[]).await;
    for number in 0..2 * LITTLE.stored {
        say(client, &elsewhere, &number.to_string()).await;
    }
    counted(client).await;
    client.server.feed.prune().await.unwrap();
}

/// Waits until the unread counts of all events are known. They are changes too, and those that come
/// later could prune a token that a test has just got.
async fn counted(client: &Client) {
    client.get("/v3/notifications?limit=1").await.ok();
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let events = list.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event[field].as_str().map(str::to_owned)).collect()
}

fn bodies(list: &Value) -> Vec<&str> {
    let events = list.as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

fn users(list: &Value) -> Vec<&str> {
    let mut users: Vec<_> =
        list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    users.sort_unstable();
    users
}

tests! {
    async fn only_the_newest_changes_are_kept() {
        let store = store().await;
        let server = forgetful(store.clone()).await;
        let alice = Client::fast(&server, "alice").await;
        let room = room(&alice, &[]).await;
        let mut most = 0;
        for number in 0..10 * LITTLE.stored {
            say(&alice, &room, &number.to_string()).await;
            most = most.max(rows(&store).await);
        }
        assert!((LITTLE.stored..4 * LITTLE.stored).contains(&most), "{most} rows");
        counted(&alice).await;
        server.feed.prune().await.unwrap();
        assert_eq!(rows(&store).await, LITTLE.stored);
    }

    async fn the_feed_of_an_older_version_is_pruned_at_the_start() {
        let store = store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::fast(&server, "alice").await;
        let room = room(&alice, &[]).await;
        let since = token(&sync(&alice, "").await).to_owned();
        // More than one page.
        let mut batch = Batch::new();
        for _ in 0..2500 {
            let change = Change::AccountData {
                user_id: alice.user_id.as_str().try_into().unwrap(),
                room_id: None,
                event_type: "m.test".to_owned(),
            };
            server.feed.record(&mut batch, change);
        }
        store.commit(batch).await.unwrap();
        say(&alice, &room, "x").await;
        counted(&alice).await;
        assert!(rows(&store).await > 2500);
        drop(server);
        let server = forgetful(store.clone()).await;
        server.expire(platform::unix_millis()).await.unwrap();
        server.feed.prune().await.unwrap();
        assert_eq!(rows(&store).await, LITTLE.stored);
        let alice = Client { server, ..alice };
        let answer = sync(&alice, &format!("since={since}")).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]["events"]), ["x"]);
        // The horizon is durable.
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client { server, ..alice };
        let answer = sync(&alice, &format!("since={since}")).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]["events"]), ["x"]);
    }

    async fn a_sync_from_a_pruned_token_has_everything_that_may_have_changed() {
        let server = forgetful(store().await).await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let carol = Client::fast(&server, "carol").await;
        let dora = Client::fast(&server, "dora").await;
        let shared = room(&bob, &[&alice, &carol]).await;
        let quiet = room(&bob, &[&alice]).await;
        let left = room(&bob, &[&alice]).await;
        let forgotten = room(&bob, &[&alice]).await;
        let invited = room(&bob, &[]).await;
        let since = token(&sync(&alice, "").await).to_owned();
        let other_device = Client::fast(&server, "alice").await;
        let newer = token(&sync(&other_device, "").await).to_owned();

        say(&bob, &shared, "one").await;
        let read = say(&bob, &shared, "two").await;
        let at = format!("/v3/rooms/{shared}");
        bob.put(&format!("{at}/state/m.room.topic"), json!({ "topic": "news" })).await.ok();
        bob.post(&format!("{at}/receipt/m.read/{read}"), json!({})).await.ok();
        let receipt = bob.user_id.clone();
        carol.post(&format!("{at}/leave"), json!({})).await.ok();
        let own = format!("/v3/user/{}", alice.user_id);
        alice.put(&format!("{own}/rooms/{left}/account_data/x.left"), json!({})).await.ok();
        alice.post(&format!("/v3/rooms/{left}/leave"), json!({})).await.ok();
        alice.post(&format!("/v3/rooms/{forgotten}/leave"), json!({})).await.ok();
        alice.post(&format!("/v3/rooms/{forgotten}/forget"), json!({})).await.ok();
        let invite = json!({ "user_id": alice.user_id });
        bob.post(&format!("/v3/rooms/{invited}/invite"), invite).await.ok();
        alice.put(&format!("{own}/account_data/x.global"), json!({ "a": 1 })).await.ok();
        alice.put(&format!("{own}/rooms/{quiet}/account_data/x.room"), json!({})).await.ok();
        let messages = json!({ "messages": { alice.user_id.clone(): { "*": { "a": 1 } } } });
        bob.put("/v3/sendToDevice/m.test/t", messages).await.ok();
        bob.put(&format!("/v3/presence/{}/status", bob.user_id), json!({ "presence": "online" }))
            .await
            .ok();
        let typing = format!("/v3/rooms/{quiet}/typing/{}", bob.user_id);
        bob.put(&typing, json!({ "typing": true, "timeout": 60000 })).await.ok();
        much_happens(&dora).await;

        // It is answered at once.
        let answer = sync(&alice, &format!("since={since}&timeout=30000")).await;
        let joined = &answer["rooms"]["join"];
        let part = &joined[&shared];
        assert_eq!(bodies(&part["timeline"]["events"]), ["one", "two"]);
        assert_eq!(part["timeline"]["limited"], false);
        assert_eq!(part["unread_notifications"]["notification_count"], 2);
        assert_eq!(part["summary"]["m.joined_member_count"], 2);
        let receipts = &part["ephemeral"]["events"];
        let receipts: Vec<_> = receipts.as_array().unwrap().iter().collect();
        let receipts = receipts.iter().find(|event| event["type"] == "m.receipt").unwrap();
        assert!(receipts["content"][&read]["m.read"][&receipt].is_object(), "{receipts}");
        let part = &joined[&quiet];
        assert_eq!(texts(&part["timeline"]["events"], "type"), [""; 0]);
        assert_eq!(texts(&part["account_data"]["events"], "type"), ["x.room"]);
        let typing = &part["ephemeral"]["events"][0];
        assert_eq!(typing["content"]["user_ids"], json!([bob.user_id]));
        let part = &answer["rooms"]["leave"][&left];
        assert_eq!(texts(&part["account_data"]["events"], "type"), ["x.left"]);
        assert!(answer["rooms"]["leave"][&forgotten].is_object());
        assert!(answer["rooms"]["invite"][&invited].is_object());
        assert!(texts(&answer["account_data"]["events"], "type").contains(&"x.global".to_owned()));
        assert_eq!(texts(&answer["to_device"]["events"], "type"), ["m.test"]);
        // Everybody whose presence is known.
        let senders = texts(&answer["presence"]["events"], "sender");
        assert_eq!(senders, [&*alice.user_id, &*bob.user_id]);
        assert_eq!(users(&answer["device_lists"]["changed"]), [&alice.user_id, &bob.user_id]);
        assert_eq!(users(&answer["device_lists"]["left"]), [&carol.user_id]);

        // From there on it has only what is new.
        let next = sync(&alice, &format!("since={}", token(&answer))).await;
        assert_eq!(next["rooms"], Value::Null, "{next}");
        // The user's other device gets its own.
        let other = sync(&other_device, &format!("since={newer}")).await;
        assert_eq!(bodies(&other["rooms"]["join"][&shared]["timeline"]["events"]), ["one", "two"]);
        assert_eq!(texts(&other["to_device"]["events"], "type"), ["m.test"]);
        // The same token has the same answer again.
        let again = sync(&alice, &format!("since={since}")).await;
        let ids = |answer: &Value| {
            texts(&answer["rooms"]["join"][&shared]["timeline"]["events"], "event_id")
        };
        assert_eq!(ids(&again), ids(&answer));

        // Other endpoints take the token as they did.
        let path = format!("/v3/rooms/{shared}/messages?dir=f&from={since}");
        let messages = alice.get(&path).await.ok();
        assert_eq!(bodies(&messages["chunk"]), ["one", "two"]);
        let path = format!("/v3/keys/changes?from={since}&to={}", token(&answer));
        let changes = alice.get(&path).await.ok();
        assert_eq!(users(&changes["changed"]), [&alice.user_id, &bob.user_id]);
        assert_eq!(users(&changes["left"]), [&carol.user_id]);
    }

    async fn a_long_timeline_is_limited_and_the_rest_can_be_paged_to() {
        let server = forgetful(store().await).await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let room = room(&bob, &[&alice]).await;
        let since = token(&sync(&alice, "").await).to_owned();
        let expected: Vec<_> = (0..30).map(|number: usize| number.to_string()).collect();
        for number in &expected {
            say(&bob, &room, number).await;
        }
        much_happens(&bob).await;
        let answer = sync(&alice, &format!("since={since}")).await;
        let timeline = &answer["rooms"]["join"][&room]["timeline"];
        assert_eq!(timeline["limited"], true);
        let mut all: Vec<_> = bodies(&timeline["events"]).into_iter().rev().collect();
        assert_eq!(all, expected[20..].iter().rev().collect::<Vec<_>>());
        let before = timeline["prev_batch"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/messages?dir=b&limit=100&from={before}&to={since}");
        let rest = alice.get(&path).await.ok();
        all.extend(bodies(&rest["chunk"]));
        assert_eq!(all, expected.iter().rev().collect::<Vec<_>>());
    }

    async fn a_guest_with_a_pruned_token_misses_nothing() {
        let server = forgetful(store().await).await;
        let bob = Client::fast(&server, "bob").await;
        let anonymous = Client::anonymous(&server);
        let guest = anonymous.post("/v3/register?kind=guest", json!({})).await.ok();
        let guest = anonymous.logged_in(&guest);
        let made = bob.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
        let room = made["room_id"].as_str().unwrap().to_owned();
        let access = json!({ "guest_access": "can_join" });
        bob.put(&format!("/v3/rooms/{room}/state/m.room.guest_access"), access).await.ok();
        guest.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let since = token(&sync(&guest, "").await).to_owned();
        say(&bob, &room, "one").await;
        much_happens(&bob).await;
        let answer = sync(&guest, &format!("since={since}")).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]["events"]), ["one"]);
        let path = format!("/v3/events?timeout=0&room_id={room}&from={since}");
        let events = guest.get(&path).await.ok();
        assert_eq!(bodies(&events["chunk"]), ["one"]);
    }

    async fn the_stream_of_events_goes_on_from_a_pruned_token() {
        let server = forgetful(store().await).await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let rooms = [room(&bob, &[&alice]).await, room(&bob, &[&alice]).await];
        let left = room(&bob, &[&alice]).await;
        alice.post(&format!("/v3/rooms/{left}/leave"), json!({})).await.ok();
        let mut from = alice.get("/v3/events?timeout=0").await.ok()["end"].clone();
        // More than is read at once, which she may not see.
        say_all(&bob, &left, 1010).await;
        // More than is answered at once in one room, and a few in another.
        say_all(&bob, &rooms[0], 1010).await;
        say_all(&bob, &rooms[1], 10).await;
        much_happens(&bob).await;
        let mut all = BTreeSet::new();
        while all.len() < 1020 {
            let path = format!("/v3/events?timeout=30000&from={}", from.as_str().unwrap());
            let answer = alice.get(&path).await.ok();
            assert_eq!(answer["start"], from);
            let chunk = texts(&answer["chunk"], "event_id");
            assert!(!chunk.is_empty(), "{} events", all.len());
            for event_id in chunk {
                assert!(all.insert(event_id), "an event comes twice");
            }
            from = answer["end"].clone();
        }
        let path = format!("/v3/events?timeout=0&from={}", from.as_str().unwrap());
        assert_eq!(alice.get(&path).await.ok()["chunk"], json!([]));
    }
}
