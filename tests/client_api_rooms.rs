//! Rooms through the Client-Server API: what the requests of clients leave out or add, and who may
//! ask for what.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server, server_over};

async fn create_room(client: &Client, options: Value) -> String {
    client.post("/v3/createRoom", options).await.ok()["room_id"].as_str().unwrap().to_owned()
}

async fn public(alice: &Client, others: &[&Client]) -> String {
    let room = create_room(alice, json!({ "preset": "public_chat" })).await;
    for other in others {
        other.post(&format!("/v3/join/{room}"), json!({})).await.ok();
    }
    room
}

async fn send(client: &Client, room: &str, kind: &str, content: Value) -> String {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/{kind}/{txn}");
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

/// Whose member events an answer of `/members` has.
fn members(answer: &Value) -> Vec<&str> {
    let events = answer["chunk"].as_array().unwrap();
    let mut users: Vec<_> = events.iter().map(|of| of["state_key"].as_str().unwrap()).collect();
    users.sort();
    users
}

tests! {
    async fn receipts_of_a_thread_may_be_at_what_relates_to_its_events() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = public(&alice, &[]).await;
        let text = json!({ "msgtype": "m.text", "body": "x" });
        let root = send(&alice, &room, "m.room.message", text.clone()).await;
        let mut reply = text.clone();
        reply["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
        let reply = send(&alice, &room, "m.room.message", reply).await;
        let relation = json!({ "rel_type": "m.annotation", "event_id": reply, "key": "y" });
        let reaction = send(&alice, &room, "m.reaction", json!({ "m.relates_to": relation })).await;
        let outside = send(&alice, &room, "m.room.message", text).await;
        let receipt = |event: &str| format!("/v3/rooms/{room}/receipt/m.read/{event}");
        let thread = json!({ "thread_id": root });
        for inside in [&root, &reply, &reaction] {
            alice.post(&receipt(inside), thread.clone()).await.ok();
        }
        alice.post(&receipt(&outside), thread).await.fails(400, "M_INVALID_PARAM");
    }

    async fn members_are_filtered_by_either_and_end_with_the_leaving() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = public(&alice, &[&bob]).await;
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        carol.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let path = |query: &str| format!("/v3/rooms/{room}/members?{query}");
        for (query, found) in [
            ("membership=leave", vec![&bob]),
            ("not_membership=leave", vec![&alice, &carol]),
            ("membership=leave&not_membership=leave", vec![&alice, &bob, &carol]),
            ("membership=join&not_membership=join", vec![&alice, &bob, &carol]),
            ("membership=join&not_membership=leave", vec![&alice, &carol]),
        ] {
            let found: Vec<_> = found.into_iter().map(|client| &client.user_id).collect();
            assert_eq!(members(&alice.get(&path(query)).await.ok()), found, "{query}");
        }
        let now = alice.get("/v3/sync").await.ok();
        let at = format!("at={}", now["next_batch"].as_str().unwrap());
        assert_eq!(members(&bob.get(&path(&at)).await.ok()), [&alice.user_id, &bob.user_id]);
    }

    async fn an_empty_alias_is_none_and_those_before_may_stay() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = create_room(&alice, json!({ "room_alias_name": "club" })).await;
        let path = format!("/v3/rooms/{room}/state/m.room.canonical_alias");
        let club = json!({ "alias": "#club:neurite.test" });
        alice.put(&path, json!({ "alias": "", "alt_aliases": null })).await.ok();
        alice.put(&path, club.clone()).await.ok();
        alice.delete("/v3/directory/room/%23club:neurite.test", None).await.ok();
        // The deletion took it out of the state.
        alice.put(&path, club).await.fails(400, "M_BAD_ALIAS");
        alice.put(&path, json!({ "alias": "none" })).await.fails(400, "M_INVALID_PARAM");
        // An alias that its maker takes away stays in the state if they may not change that.
        let bob = Client::register(&server, "bob").await;
        alice.post(&format!("/v3/rooms/{room}/invite"), json!({ "user_id": bob.user_id })).await.ok();
        bob.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        let bobs = "/v3/directory/room/%23bobs:neurite.test";
        bob.put(bobs, json!({ "room_id": room })).await.ok();
        let kept = json!({ "alias": "#bobs:neurite.test" });
        alice.put(&path, kept.clone()).await.ok();
        bob.delete(bobs, None).await.ok();
        assert_eq!(alice.get(&path).await.ok(), kept);
        alice.put(&path, json!({ "alias": "", "alt_aliases": ["#bobs:neurite.test"] })).await.ok();
        let replaced = json!({ "body": "x", "replacement_room": room });
        let tombstone = format!("/v3/rooms/{room}/state/m.room.tombstone");
        alice.put(&tombstone, replaced).await.fails(400, "M_INVALID_PARAM");
    }

    async fn what_bodies_leave_out_has_its_default() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = create_room(&alice, json!({})).await;
        let typing = format!("/v3/rooms/{room}/typing/{}", alice.user_id);
        alice.put(&typing, json!({ "typing": true })).await.ok();
        let answer = alice.get("/v3/sync").await.ok();
        let ephemeral = &answer["rooms"]["join"][&room]["ephemeral"]["events"];
        assert_eq!(ephemeral[0]["content"]["user_ids"], json!([alice.user_id]));
        alice.put(&typing, json!({})).await.fails(400, "M_BAD_JSON");
        let listed = format!("/v3/directory/list/room/{room}");
        alice.put(&listed, json!({})).await.ok();
        assert_eq!(alice.get(&listed).await.ok()["visibility"], "public");
        alice.put(&listed, json!({ "visibility": "private" })).await.ok();
        assert_eq!(alice.get(&listed).await.ok()["visibility"], "private");
        alice.put(&listed, json!([])).await.fails(400, "M_BAD_JSON");
    }

    async fn what_a_join_adds_is_in_the_membership_event() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = public(&alice, &[]).await;
        let body = json!({
            "reason": "Hello", "org.example": { "x": 1 }, "membership": "ban",
            "displayname": "Alice", "join_authorised_via_users_server": "@alice:neurite.test",
        });
        for (client, path) in [
            (&bob, format!("/v3/join/{room}")), (&carol, format!("/v3/rooms/{room}/join")),
        ] {
            assert_eq!(client.post(&path, body.clone()).await.ok(), json!({ "room_id": room }));
            let own = format!("/v3/rooms/{room}/state/m.room.member/{}", client.user_id);
            let expected =
                json!({ "membership": "join", "reason": "Hello", "org.example": { "x": 1 } });
            assert_eq!(alice.get(&own).await.ok(), expected);
        }
    }

    async fn only_the_server_says_who_vouches_for_a_join() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let space = public(&alice, &[&carol]).await;
        let rule = json!({
            "join_rule": "restricted",
            "allow": [{ "type": "m.room_membership", "room_id": space }],
        });
        let rule = json!({ "type": "m.room.join_rules", "state_key": "", "content": rule });
        let body = json!({ "initial_state": [rule], "preset": "public_chat" });
        let room = create_room(&alice, body).await;
        let member = |of: &Client| format!("/v3/rooms/{room}/state/m.room.member/{}", of.user_id);
        let forged = json!({
            "membership": "join", "join_authorised_via_users_server": alice.user_id,
        });
        bob.put(&member(&bob), forged.clone()).await.fails(403, "M_FORBIDDEN");
        bob.post(&format!("/v3/join/{room}"), forged.clone()).await.fails(403, "M_FORBIDDEN");
        // Who may join does so by either endpoint, and the server says who vouches for it.
        let mut join = forged.clone();
        join["join_authorised_via_users_server"] = json!(bob.user_id);
        carol.put(&member(&carol), join).await.ok();
        assert_eq!(alice.get(&member(&carol)).await.ok(), forged);
        // Nobody has to vouch for who was invited, nor for a member's new name.
        let invite = json!({ "user_id": bob.user_id });
        alice.post(&format!("/v3/rooms/{room}/invite"), invite).await.ok();
        for (name, vouches) in [("b", json!(alice.user_id)), ("c", json!("unused"))] {
            let mut content = json!({ "membership": "join", "displayname": name });
            let kept = content.clone();
            content["join_authorised_via_users_server"] = vouches;
            bob.put(&member(&bob), content).await.ok();
            assert_eq!(alice.get(&member(&bob)).await.ok(), kept);
        }
    }

    async fn no_event_says_of_itself_what_its_server_decides() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let signed = json!({
            "mxid": bob.user_id, "token": "t", "signatures": { "x": { "ed25519:0": "y" } },
        });
        let invite = json!({
            "membership": "invite",
            "join_authorised_via_users_server": alice.user_id,
            "third_party_invite": { "display_name": "B", "signed": signed },
        });
        let forged = json!({
            "type": "m.room.member", "state_key": bob.user_id, "content": invite,
            "sender": bob.user_id, "origin": "x", "origin_server_ts": 1, "depth": 99,
            "event_id": "$x", "room_id": "!x:x", "hashes": { "sha256": "x" },
            "signatures": {}, "unsigned": { "age": 5, "x": 1 },
            "prev_events": ["$x"], "auth_events": ["$x"],
        });
        let room = create_room(&alice, json!({
            "initial_state": [forged],
            "creation_content": { "creator": bob.user_id, "room_version": "1" },
        })).await;
        let state = |kind: &str, of: &str| format!("/v3/rooms/{room}/state/{kind}/{of}");
        let created = alice.get(&state("m.room.create", "")).await.ok();
        assert_ne!(created["room_version"], "1");
        assert_eq!(created.get("creator"), None);
        let member = state("m.room.member", &bob.user_id);
        for by_state in [false, true] {
            if by_state {
                alice.put(&member, invite.clone()).await.ok();
            }
            let event = alice.get(&format!("{member}?format=event")).await.ok();
            assert_eq!(event["content"], json!({ "membership": "invite" }));
            assert_eq!(event["sender"], json!(alice.user_id));
            assert_ne!(event["event_id"], "$x");
            assert!(event["origin_server_ts"].as_u64().unwrap() > 1);
            assert_eq!(event["unsigned"].get("x"), None);
            assert!(["origin", "depth", "hashes"].iter().all(|key| event.get(key).is_none()));
        }
        // A time is for application services to choose.
        let sent = alice.put(&format!("/v3/rooms/{room}/send/m.x/1?ts=1"), json!({})).await.ok();
        let path = format!("/v3/rooms/{room}/event/{}", sent["event_id"].as_str().unwrap());
        assert!(alice.get(&path).await.ok()["origin_server_ts"].as_u64().unwrap() > 1);
    }

    async fn presence_of_who_was_not_seen_yet_is_offline() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let path = |of: &Client| format!("/v3/presence/{}/status", of.user_id);
        assert_eq!(alice.get(&path(&alice)).await.ok()["presence"], "offline");
        alice.get(&path(&bob)).await.fails(403, "M_FORBIDDEN");
        public(&alice, &[&bob]).await;
        // He has not been here since the server started.
        let alice = Client { server: server_over(store, |_| {}).await, ..alice };
        assert_eq!(alice.get(&path(&bob)).await.ok()["presence"], "offline");
    }

    async fn events_of_a_room_forgotten_are_gone() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = public(&alice, &[&bob]).await;
        let text = json!({ "msgtype": "m.text", "body": "x" });
        let event = send(&alice, &room, "m.room.message", text).await;
        let paths = [format!("/v3/rooms/{room}/event/{event}"), format!("/v3/events/{event}")];
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        for path in &paths {
            bob.get(path).await.ok();
        }
        bob.post(&format!("/v3/rooms/{room}/forget"), json!({})).await.ok();
        for path in &paths {
            bob.get(path).await.fails(404, "M_NOT_FOUND");
        }
    }

    async fn events_are_reported_by_who_is_joined() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = public(&alice, &[&bob]).await;
        let event = send(&alice, &room, "m.room.message", json!({ "msgtype": "m.text", "body": "spam" })).await;
        let report = format!("/v3/rooms/{room}/report/{event}");
        bob.post(&report, json!({ "reason": "spam" })).await.ok();
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        bob.post(&report, json!({ "reason": "spam" })).await.fails(404, "M_NOT_FOUND");
    }

    async fn the_pages_of_a_hierarchy_are_of_one_walk() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let options = json!({ "creation_content": { "type": "m.space" } });
        let space = create_room(&alice, options).await;
        for _ in 0..2 {
            let child = public(&alice, &[]).await;
            let path = format!("/v3/rooms/{space}/state/m.space.child/{child}");
            alice.put(&path, json!({ "via": ["neurite.test"] })).await.ok();
        }
        let path = |query: &str| format!("/v1/rooms/{space}/hierarchy?limit=2&{query}");
        let first = alice.get(&path("max_depth=2")).await.ok();
        assert_eq!(first["rooms"].as_array().unwrap().len(), 2);
        let from = format!("from={}", first["next_batch"].as_str().unwrap());
        let rest = alice.get(&path(&format!("max_depth=2&{from}"))).await.ok();
        assert_eq!(rest["rooms"].as_array().unwrap().len(), 1);
        for other in ["max_depth=1", "max_depth=2&suggested_only=true"] {
            let path = path(&format!("{other}&{from}"));
            alice.get(&path).await.fails(400, "M_INVALID_PARAM");
        }
    }
}
