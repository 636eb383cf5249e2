//! `/sync`, and what clients see through it.

#[macro_use]
mod support;

use futures::{FutureExt, pin_mut, poll};
use neurite::store::{Options, Store, Table, memory::Disk};
use serde_json::{Value, json};
use support::client::{Client, server, server_over};

/// What the tests of this file do again and again.
trait Syncing {
    async fn sync(&self, query: &str) -> Value;
    async fn room(&self, with: &[&Client]) -> String;
    async fn say(&self, room: &str, text: &str) -> String;
}

impl Syncing for Client {
    /// An answer at once, and its token.
    async fn sync(&self, query: &str) -> Value {
        self.get(&format!("/v3/sync?{query}")).await.ok()
    }

    /// A public room with others in it.
    async fn room(&self, with: &[&Client]) -> String {
        let made = self.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
        let room = made["room_id"].as_str().unwrap().to_owned();
        for other in with {
            other.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        }
        room
    }

    async fn say(&self, room: &str, text: &str) -> String {
        let txn = neurite::platform::random_string(8);
        let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
        let body = json!({ "msgtype": "m.text", "body": text });
        self.put(&path, body).await.ok()["event_id"].as_str().unwrap().to_owned()
    }
}

fn token(answer: &Value) -> &str {
    answer["next_batch"].as_str().unwrap()
}

/// The bodies of the messages in a timeline.
fn bodies(timeline: &Value) -> Vec<&str> {
    let events = timeline["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

fn types(list: &Value) -> Vec<&str> {
    let events = list["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

tests! {
    async fn a_first_sync_tells_a_room_whole_and_the_next_only_what_is_new() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.room(&[]).await;
        alice.say(&room, "one").await;
        let first = alice.sync("").await;
        let joined = &first["rooms"]["join"][&room];
        assert_eq!(bodies(&joined["timeline"]), ["one"]);
        assert_eq!(joined["summary"]["m.joined_member_count"], 1);
        let whole = [types(&joined["state"]), types(&joined["timeline"])].concat();
        for kind in ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules"] {
            assert_eq!(whole.iter().filter(|of| **of == kind).count(), 1, "{kind}: {whole:?}");
        }
        let nothing = alice.sync(&format!("since={}", token(&first))).await;
        assert_eq!(nothing["rooms"], Value::Null);
        alice.say(&room, "two").await;
        let next = alice.sync(&format!("since={}", token(&first))).await;
        let joined = &next["rooms"]["join"][&room];
        assert_eq!(bodies(&joined["timeline"]), ["two"]);
        assert_eq!(joined["timeline"]["limited"], false);
        let empty = json!({ "events": [] });
        assert_eq!((&joined["state"], &joined["ephemeral"]), (&empty, &empty));
        let again = alice.sync(&format!("since={}", token(&first))).await;
        assert_eq!(bodies(&again["rooms"]["join"][&room]["timeline"]), ["two"]);
    }

    async fn a_waiting_sync_wakes_for_what_concerns_it_and_for_nothing_else() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = alice.room(&[&bob]).await;
        let others = bob.room(&[]).await;
        // Already online: that he comes is told too.
        bob.sync("").await;
        let since = alice.sync("").await;
        let since = token(&since);
        let path = format!("since={since}&timeout=30000&set_presence=offline");
        let waiting = alice.sync(&path).fuse();
        pin_mut!(waiting);
        assert!(poll!(&mut waiting).is_pending());
        bob.say(&others, "not for Alice").await;
        assert!(poll!(&mut waiting).is_pending());
        bob.say(&room, "for Alice").await;
        let answer = waiting.await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]), ["for Alice"]);
        assert_eq!(answer["rooms"]["join"][&others], Value::Null);
    }

    async fn a_gap_is_limited_and_its_state_and_history_can_be_had() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.room(&[]).await;
        let since = alice.sync("").await;
        alice.put(&format!("/v3/rooms/{room}/state/m.room.topic"), json!({ "topic": "x" })).await.ok();
        for number in 0..5 {
            alice.say(&room, &number.to_string()).await;
        }
        let filter = r#"{"room":{"timeline":{"limit":2}}}"#.replace('"', "%22");
        let answer = alice.sync(&format!("since={}&filter={filter}", token(&since))).await;
        let joined = &answer["rooms"]["join"][&room];
        assert_eq!(bodies(&joined["timeline"]), ["3", "4"]);
        assert_eq!(joined["timeline"]["limited"], true);
        assert_eq!(types(&joined["state"]), ["m.room.topic"]);
        let from = joined["timeline"]["prev_batch"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/messages?dir=b&limit=3&from={from}&to={}", token(&since));
        let before = alice.get(&path).await.ok();
        assert_eq!(bodies(&json!({ "events": before["chunk"] })), ["2", "1", "0"]);
        let end = before["end"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/messages?dir=b&from={end}&to={}", token(&since));
        let rest = alice.get(&path).await.ok();
        assert_eq!(rest["chunk"].as_array().unwrap().len(), 1);
        assert_eq!(rest["end"], Value::Null);
    }

    async fn state_after_stands_after_the_timeline_under_the_name_asked_for() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.room(&[]).await;
        let since = alice.sync("").await;
        alice.put(&format!("/v3/rooms/{room}/state/m.room.topic"), json!({ "topic": "x" })).await.ok();
        for (ask, name) in [
            ("org.matrix.msc4222.use_state_after=true", "org.matrix.msc4222.state_after"),
            ("use_state_after=true", "state_after"),
        ] {
            let answer = alice.sync(&format!("since={}&{ask}", token(&since))).await;
            let joined = &answer["rooms"]["join"][&room];
            assert_eq!(types(&joined[name]), ["m.room.topic"], "{joined}");
            assert_eq!(types(&joined["timeline"]), ["m.room.topic"]);
            assert_eq!(joined["state"], Value::Null);
        }
        let plain = alice.sync(&format!("since={}", token(&since))).await;
        assert_eq!(plain["rooms"]["join"][&room]["state"], json!({ "events": [] }));
    }

    async fn invites_joins_and_leaves_move_a_room_between_the_sections() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let before = bob.sync("").await;
        let request = json!({ "preset": "private_chat", "name": "Club", "invite": [bob.user_id] });
        let made = alice.post("/v3/createRoom", request).await.ok();
        let room = made["room_id"].as_str().unwrap();
        alice.say(room, "before Bob").await;

        let invited = bob.sync(&format!("since={}", token(&before))).await;
        let state = &invited["rooms"]["invite"][room]["invite_state"];
        assert!(types(state).contains(&"m.room.name"), "{state}");
        assert!(types(state).contains(&"m.room.member"), "{state}");
        assert_eq!(bob.sync("").await["rooms"]["invite"][room]["invite_state"], *state);

        bob.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let joined = bob.sync(&format!("since={}", token(&invited))).await;
        let part = &joined["rooms"]["join"][room];
        let all = [types(&part["state"]), types(&part["timeline"])].concat();
        assert!(all.contains(&"m.room.create"), "{all:?}");
        // Invited people see from the invite on; private_chat shares all history with members.
        assert_eq!(bodies(&part["timeline"]), ["before Bob"]);

        alice.say(room, "while Bob is here").await;
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        alice.say(room, "after Bob").await;
        let left = bob.sync(&format!("since={}", token(&joined))).await;
        let part = &left["rooms"]["leave"][room];
        assert_eq!(bodies(&part["timeline"]), ["while Bob is here"]);
        assert_eq!(types(&part["timeline"]).last(), Some(&"m.room.member"));
        assert_eq!(left["rooms"]["join"][room], Value::Null);
        let after = bob.sync(&format!("since={}", token(&left))).await;
        assert_eq!(after["rooms"], Value::Null);
        bob.get(&format!("/v3/rooms/{room}/messages?dir=b")).await.ok();
        let state = bob.get(&format!("/v3/rooms/{room}/state/m.room.name")).await.ok();
        assert_eq!(state["name"], "Club");
    }

    async fn members_are_loaded_lazily_and_told_once() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = alice.room(&[&bob, &carol]).await;
        let name = format!("/v3/rooms/{room}/state/m.room.name");
        alice.put(&name, json!({ "name": "Room" })).await.ok();
        for _ in 0..10 {
            alice.say(&room, "x").await;
        }
        let lazy = r#"{"room":{"state":{"lazy_load_members":true}}}"#.replace('"', "%22");
        let members = |answer: &Value| -> Vec<String> {
            let events = answer["rooms"]["join"][&room]["state"]["events"].clone();
            let events = events.as_array().cloned().unwrap_or_default();
            let members = events.iter().filter(|event| event["type"] == "m.room.member");
            members.map(|event| event["state_key"].as_str().unwrap().to_owned()).collect()
        };
        let first = carol.sync(&format!("filter={lazy}")).await;
        let mut told = members(&first);
        told.sort();
        assert_eq!(told, [alice.user_id.clone(), carol.user_id.clone()]);
        bob.say(&room, "y").await;
        let next = carol.sync(&format!("filter={lazy}&since={}", token(&first))).await;
        assert_eq!(members(&next), std::slice::from_ref(&bob.user_id));
        let repeated = carol.sync(&format!("filter={lazy}&since={}", token(&first))).await;
        assert_eq!(members(&repeated), std::slice::from_ref(&bob.user_id));
        bob.say(&room, "z").await;
        let last = carol.sync(&format!("filter={lazy}&since={}", token(&next))).await;
        assert!(members(&last).is_empty());
        // Of a gap everybody who changed is told, without a word from them.
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        for _ in 0..11 {
            alice.say(&room, "w").await;
        }
        let gap = carol.sync(&format!("filter={lazy}&since={}", token(&last))).await;
        assert_eq!(gap["rooms"]["join"][&room]["timeline"]["limited"], true);
        assert_eq!(members(&gap), std::slice::from_ref(&bob.user_id));
        // Without a name the room goes by its members: they are told with the summary.
        let bare = carol.sync(&format!("filter={lazy}")).await;
        assert_eq!(bare["rooms"]["join"][&room]["summary"]["m.heroes"], Value::Null);
        alice.put(&name, json!({ "name": "" })).await.ok();
        let unnamed = carol.sync(&format!("filter={lazy}&since={}", token(&bare))).await;
        let heroes = &unnamed["rooms"]["join"][&room]["summary"]["m.heroes"];
        assert_eq!(*heroes, json!([alice.user_id]));
        let dave = Client::register(&server, "dave").await;
        dave.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        for _ in 0..11 {
            carol.say(&room, "v").await;
        }
        let mut told = members(&carol.sync(&format!("filter={lazy}")).await);
        told.sort();
        assert_eq!(told, [alice.user_id.clone(), carol.user_id.clone(), dave.user_id.clone()]);
    }

    async fn receipts_and_typing_are_told_and_private_receipts_only_to_their_owner() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = alice.room(&[&bob]).await;
        let first = alice.say(&room, "one").await;
        let second = alice.say(&room, "two").await;
        let since = alice.sync("").await;
        let since = token(&since);
        let receipt = |kind: &str, event: &str| format!("/v3/rooms/{room}/receipt/{kind}/{event}");
        bob.post(&receipt("m.read", &second), json!({})).await.ok();
        bob.post(&receipt("m.read.private", &second), json!({})).await.ok();
        // Receipts never go back.
        bob.post(&receipt("m.read", &first), json!({})).await.ok();
        let typing = format!("/v3/rooms/{room}/typing/{}", bob.user_id);
        bob.put(&typing, json!({ "typing": true, "timeout": 30000 })).await.ok();
        let seen = alice.sync(&format!("since={since}")).await;
        let ephemeral = &seen["rooms"]["join"][&room]["ephemeral"];
        assert_eq!(types(ephemeral), ["m.typing", "m.receipt"]);
        assert_eq!(ephemeral["events"][0]["content"]["user_ids"], json!([bob.user_id]));
        let receipts = &ephemeral["events"][1]["content"];
        assert!(receipts[&second]["m.read"][&bob.user_id]["ts"].is_u64(), "{receipts}");
        assert_eq!(receipts[&second]["m.read.private"], Value::Null);
        assert_eq!(receipts[&first], Value::Null);
        let own = bob.sync(&format!("since={since}")).await;
        let ephemeral = &own["rooms"]["join"][&room]["ephemeral"]["events"][1]["content"];
        assert!(ephemeral[&second]["m.read.private"][&bob.user_id]["ts"].is_u64());
        bob.put(&typing, json!({ "typing": false })).await.ok();
        let stopped = alice.sync(&format!("since={}", token(&seen))).await;
        let ephemeral = &stopped["rooms"]["join"][&room]["ephemeral"];
        assert_eq!(ephemeral["events"][0]["content"]["user_ids"], json!([]));
        // One receipt of a user at an event has place: that for all threads.
        let third = alice.say(&room, "three").await;
        for thread in [json!({}), json!({ "thread_id": "main" })] {
            bob.post(&receipt("m.read", &third), thread).await.ok();
        }
        let seen = alice.sync("").await;
        let events = seen["rooms"]["join"][&room]["ephemeral"]["events"].as_array().unwrap();
        let data = &events.last().unwrap()["content"][&third]["m.read"][&bob.user_id];
        assert!(data["ts"].is_u64() && data["thread_id"].is_null(), "{events:?}");
        alice.post(&receipt("m.nonsense", &second), json!({})).await.fails(400, "M_INVALID_PARAM");
        alice.post(&receipt("m.read", "$nothing"), json!({})).await.fails(404, "M_NOT_FOUND");
    }

    async fn messages_of_ignored_users_are_left_out() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = alice.room(&[&bob]).await;
        let ignored = json!({ "ignored_users": { &bob.user_id: {} } });
        let path = format!("/v3/user/{}/account_data/m.ignored_user_list", alice.user_id);
        alice.put(&path, ignored).await.ok();
        let since = alice.sync("").await;
        bob.say(&room, "unheard").await;
        alice.say(&room, "heard").await;
        let answer = alice.sync(&format!("since={}", token(&since))).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]), ["heard"]);
    }

    async fn only_the_sending_device_sees_the_transaction_id() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let phone = Client::login(&server, "alice").await;
        let room = alice.room(&[]).await;
        let path = format!("/v3/rooms/{room}/send/m.room.message/mine");
        let content = json!({ "msgtype": "m.text", "body": "x" });
        let sent = alice.put(&path, content.clone()).await.ok();
        assert_eq!(alice.put(&path, content).await.ok(), sent);
        for (client, txn) in [(&alice, json!("mine")), (&phone, Value::Null)] {
            let answer = client.sync("").await;
            let events = &answer["rooms"]["join"][&room]["timeline"]["events"];
            let last = events.as_array().unwrap().last().unwrap();
            assert_eq!(last["event_id"], sent["event_id"]);
            assert_eq!(last["unsigned"]["transaction_id"], txn);
        }
    }

    async fn to_device_messages_stay_until_the_next_token() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let since = bob.sync("").await;
        let body = json!({ "messages": { &bob.user_id: { &bob.device_id: { "x": 1 } } } });
        alice.put("/v3/sendToDevice/m.example/t1", body.clone()).await.ok();
        alice.put("/v3/sendToDevice/m.example/t1", body).await.ok();
        let path = format!("since={}", token(&since));
        let told = bob.sync(&path).await;
        let message = json!([{ "type": "m.example", "sender": alice.user_id, "content": { "x": 1 } }]);
        assert_eq!(told["to_device"]["events"], message);
        assert_eq!(bob.sync(&path).await["to_device"]["events"], message);
        let after = bob.sync(&format!("since={}", token(&told))).await;
        assert_eq!(after["to_device"], Value::Null);
        assert_eq!(bob.sync(&path).await["to_device"], Value::Null);
    }

    async fn device_lists_name_who_changed_and_who_shares_no_room_any_more() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let stranger = Client::register(&server, "stranger").await;
        let since = alice.sync("").await;
        let room = alice.room(&[&bob]).await;
        let joined = alice.sync(&format!("since={}", token(&since))).await;
        let changed = joined["device_lists"]["changed"].as_array().unwrap();
        assert!(changed.contains(&json!(bob.user_id)), "{changed:?}");
        Client::login(&server, "bob").await;
        Client::login(&server, "stranger").await;
        let keys = json!({ "device_keys": {
            "algorithms": [], "device_id": bob.device_id, "keys": {}, "signatures": {},
            "user_id": bob.user_id,
        }});
        bob.post("/v3/keys/upload", keys).await.ok();
        let more = alice.sync(&format!("since={}", token(&joined))).await;
        let changed = more["device_lists"]["changed"].as_array().unwrap();
        assert!(changed.contains(&json!(bob.user_id)), "{changed:?}");
        assert!(!changed.contains(&json!(stranger.user_id)), "{changed:?}");
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        let left = alice.sync(&format!("since={}", token(&more))).await;
        assert_eq!(left["device_lists"]["left"], json!([bob.user_id]));
    }

    async fn device_lists_name_who_left_although_the_own_membership_changed_too() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = alice.room(&[&bob, &carol]).await;
        let leave = format!("/v3/rooms/{room}/leave");
        let since = alice.sync("").await;
        bob.post(&leave, json!({})).await.ok();
        let name = format!("/v3/profile/{}/displayname", alice.user_id);
        alice.put(&name, json!({ "displayname": "Alice" })).await.ok();
        let next = alice.sync(&format!("since={}", token(&since))).await;
        assert_eq!(next["device_lists"]["left"], json!([bob.user_id]));
        // One who leaves later than she does.
        alice.post(&leave, json!({})).await.ok();
        carol.post(&leave, json!({})).await.ok();
        let last = alice.sync(&format!("since={}", token(&next))).await;
        assert_eq!(last["device_lists"]["left"], json!([carol.user_id]));
        let path = format!("/v3/keys/changes?from={}&to={}", token(&since), token(&last));
        let changes = alice.get(&path).await.ok();
        assert_eq!(changes["left"], json!([bob.user_id, carol.user_id]));
    }

    async fn a_token_holds_over_a_restart() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.room(&[]).await;
        let since = alice.sync("").await;
        alice.say(&room, "one").await;
        let restarted = server_over(store, |_| {}).await;
        let alice = Client { server: restarted, ..alice };
        let answer = alice.sync(&format!("since={}", token(&since))).await;
        assert_eq!(bodies(&answer["rooms"]["join"][&room]["timeline"]), ["one"]);
        alice.say(&room, "two").await;
        let next = alice.sync(&format!("since={}", token(&answer))).await;
        assert_eq!(bodies(&next["rooms"]["join"][&room]["timeline"]), ["two"]);
        alice.get("/v3/sync?since=s999999999").await.fails(400, "M_INVALID_PARAM");
        alice.get("/v3/sync?since=nonsense").await.fails(400, "M_INVALID_PARAM");
    }
}

tests! {
    /// What is damaged in one room is told of that room, and the others go on.
    async fn a_damaged_room_is_left_out_and_the_others_are_told() {
        for table in [Table::Timeline, Table::RoomMembers, Table::RoomStates] {
            let disk = Disk::new();
            let options = Options { journal_records: 16, leaf_bytes: 60, ..Options::default() };
            let store = Store::open_memory(&disk, options.clone()).await.unwrap();
            let first = server_over(store.clone(), |_| {}).await;
            let (alice, bob) =
                (Client::register(&first, "alice").await, Client::register(&first, "bob").await);
            let (damaged, whole) = (alice.room(&[]).await, alice.room(&[&bob]).await);
            let since = token(&alice.sync("").await).to_owned();
            bob.post(&format!("/v3/join/{damaged}"), json!({})).await.ok();
            for room in [&damaged, &whole] {
                alice.say(room, "here").await;
            }
            store.close().await;
            let room_id = [&[table as u8], damaged.as_bytes()].concat();
            assert!(disk.damage_leaves(&room_id) > 0, "{table:?}");
            let store = Store::open_memory(&disk, options).await.unwrap();
            let alice = Client { server: server_over(store, |_| {}).await, ..alice };
            for query in [String::new(), format!("since={since}")] {
                let answer = alice.sync(&query).await;
                let joined = &answer["rooms"]["join"];
                assert!(joined[&damaged].is_null(), "{table:?}: {joined}");
                assert!(bodies(&joined[&whole]["timeline"]).contains(&"here"), "{table:?}");
            }
            let answer = alice.sync(&format!("since={since}")).await;
            assert_eq!(answer["device_lists"]["changed"], json!([bob.user_id]));
            let all = alice.get("/v3/initialSync").await.ok();
            let mut told = all["rooms"].as_array().unwrap().iter();
            assert!(told.any(|room| room["room_id"] == *whole), "{table:?}");
        }
    }

    async fn who_comes_to_a_room_finds_a_gap_and_whoever_made_it_does_not() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let (at, bob_at) = (alice.sync("").await, bob.sync("").await);
        let room = alice.room(&[]).await;
        let made = alice.sync(&format!("since={}", token(&at))).await;
        let timeline = &made["rooms"]["join"][&room]["timeline"];
        assert_eq!(types(timeline)[0], "m.room.create");
        assert_eq!(timeline["limited"], false);
        alice.say(&room, "one").await;
        bob.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let since = format!("since={}", token(&bob_at));
        for (limit, bodies_shown) in [(2, &["one"][..]), (30, &["one"])] {
            let filter = json!({ "room": { "timeline": { "limit": limit } } }).to_string();
            let filter = filter.replace('"', "%22");
            let joined = bob.sync(&format!("{since}&filter={filter}")).await;
            let timeline = &joined["rooms"]["join"][&room]["timeline"];
            assert_eq!(bodies(timeline), bodies_shown);
            assert_eq!(timeline["limited"], true);
            // Clients that keep a timeline begin it at one that has a token, whatever is before.
            let before = timeline["prev_batch"].as_str().unwrap();
            let path = format!("/v3/rooms/{room}/messages?dir=b&from={before}");
            let chunk = bob.get(&path).await.ok()["chunk"].clone();
            assert_eq!(chunk.as_array().unwrap().is_empty(), limit == 30, "{timeline}");
            if limit != 30 {
                // Who was there then.
                let path = format!("/v3/rooms/{room}/members?at={before}");
                let members = bob.get(&path).await.ok();
                assert_eq!(members["chunk"].as_array().unwrap().len(), 1);
                assert_eq!(members["chunk"][0]["state_key"], json!(alice.user_id));
            }
            let shown = timeline["events"].as_array().unwrap().len();
            assert!(limit == 30 || shown == limit);
        }
        // Who leaves and comes back finds one too; a first sync does not.
        let left = bob.sync("").await;
        assert_eq!(left["rooms"]["join"][&room]["timeline"]["limited"], false);
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        let left = bob.sync(&format!("since={}", token(&left))).await;
        bob.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let back = bob.sync(&format!("since={}", token(&left))).await;
        assert_eq!(back["rooms"]["join"][&room]["timeline"]["limited"], true);
    }

    async fn what_a_filter_leaves_out_before_a_timeline_can_be_paged_to() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let room = alice.room(&[]).await;
        alice.say(&room, "one").await;
        let filter = json!({ "room": { "timeline": { "types": ["m.room.message"] } } }).to_string();
        let answer = alice.sync(&format!("filter={}", filter.replace('"', "%22"))).await;
        let timeline = &answer["rooms"]["join"][&room]["timeline"];
        assert_eq!((bodies(timeline), &timeline["limited"]), (vec!["one"], &json!(false)));
        let before = timeline["prev_batch"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/messages?dir=b&from={before}");
        let chunk = alice.get(&path).await.ok()["chunk"].clone();
        assert_eq!(types(&json!({ "events": chunk })).last(), Some(&"m.room.create"));
    }

    async fn a_page_up_to_the_live_end_tells_where_it_goes_on() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let room = alice.room(&[]).await;
        let from = alice.sync("").await;
        let page = async |from: &str| {
            let path = format!("/v3/rooms/{room}/messages?dir=f&from={from}");
            let page = alice.get(&path).await.ok();
            let shown = bodies(&json!({ "events": page["chunk"] })).join(" ");
            (shown, page["end"].as_str().map(str::to_owned))
        };
        alice.say(&room, "one").await;
        alice.say(&room, "two").await;
        let (shown, end) = page(token(&from)).await;
        assert_eq!(shown, "one two");
        let end = end.unwrap();
        assert_eq!(page(&end).await, (String::new(), None));
        alice.say(&room, "three").await;
        assert_eq!(page(&end).await.0, "three");
        // At its beginning a room ends for ever.
        let path = format!("/v3/rooms/{room}/messages?dir=b");
        assert_eq!(alice.get(&path).await.ok()["end"], Value::Null);
    }

    async fn a_new_name_moves_nobody() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        alice.room(&[&bob]).await;
        let at = (alice.sync("").await, bob.sync("").await);
        for client in [&alice, &bob] {
            let path = format!("/v3/profile/{}/displayname", client.user_id);
            client.put(&path, json!({ "displayname": "New" })).await.ok();
        }
        for (client, at) in [(&alice, &at.0), (&bob, &at.1)] {
            let answer = client.sync(&format!("since={}", token(at))).await;
            assert_eq!(answer["device_lists"], Value::Null, "{answer}");
            let path = format!("/v3/keys/changes?from={}&to={}", token(at), token(&answer));
            assert_eq!(client.get(&path).await.ok(), json!({ "changed": [], "left": [] }));
        }
    }
}
