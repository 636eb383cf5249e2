//! Room upgrades: what goes along to the replacement, and what those who join it find there.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server};

async fn create(client: &Client, body: Value) -> String {
    let room = client.post("/v3/createRoom", body).await.ok();
    room["room_id"].as_str().unwrap().to_owned()
}

async fn upgrade(client: &Client, room: &str, body: Value) -> String {
    let answer = client.post(&format!("/v3/rooms/{room}/upgrade"), body).await.ok();
    answer["replacement_room"].as_str().unwrap().to_owned()
}

async fn join(client: &Client, room: &str) {
    client.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
}

async fn state(client: &Client, room: &str, place: &str) -> Value {
    client.get(&format!("/v3/rooms/{room}/state/{place}")).await.body
}

fn tags_of(client: &Client, room: &str) -> String {
    format!("/v3/user/{}/rooms/{room}/tags", client.user_id)
}

/// Syncs until `path` has `expected`.
async fn until(client: &Client, path: &str, expected: &Value) {
    let mut since = String::new();
    for _ in 0..20 {
        let sync = client.get(&format!("/v3/sync?timeout=10000{since}")).await.ok();
        if client.get(path).await.body == *expected {
            return;
        }
        since = format!("&since={}", sync["next_batch"].as_str().unwrap());
    }
    panic!("{path} never was {expected}: {:?}", client.get(path).await);
}

tests! {
    async fn the_state_goes_along_and_the_old_room_is_closed() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let child = create(&alice, json!({ "preset": "public_chat" })).await;
        let acl = json!({ "allow": ["*"], "deny": ["evil.test"] });
        let rules = json!({
            "join_rule": "restricted",
            "allow": [{ "type": "m.room_membership", "room_id": child }],
        });
        let via = json!({ "via": ["neurite.test"] });
        let old = create(&alice, json!({
            "room_version": "11",
            "preset": "public_chat",
            "visibility": "public",
            "room_alias_name": "space",
            "name": "Space",
            "topic": "All of it",
            "creation_content": { "type": "m.space" },
            "initial_state": [
                { "type": "m.room.server_acl", "content": acl },
                { "type": "m.room.join_rules", "content": rules },
                { "type": "m.room.avatar", "content": { "url": "mxc://neurite.test/a" } },
                { "type": "m.space.child", "state_key": child, "content": via },
                { "type": "org.example", "content": { "by": "alice" } },
            ],
            "power_level_content_override": {
                "users": { (alice.user_id.clone()): 100, (bob.user_id.clone()): 60 },
                "users_default": 55,
            },
        })).await;
        join(&bob, &child).await;
        alice.post(&format!("/v3/rooms/{old}/invite"), json!({ "user_id": bob.user_id })).await.ok();
        join(&bob, &old).await;
        let path = format!("/v3/rooms/{old}/upgrade");
        bob.post(&path, json!({ "new_version": "12" })).await.fails(403, "M_FORBIDDEN");
        let banned = json!({ "user_id": "@rude:neurite.test", "reason": "Rude" });
        alice.post(&format!("/v3/rooms/{old}/ban"), banned).await.ok();
        let new = upgrade(&alice, &old, json!({ "new_version": "12" })).await;

        let create = state(&alice, &new, "m.room.create").await;
        assert_eq!(create["type"], "m.space");
        assert_eq!(create["room_version"], "12");
        assert_eq!(create["predecessor"]["room_id"], json!(old));
        for (place, content) in [
            ("m.room.server_acl", acl),
            ("m.room.join_rules", rules),
            ("m.room.avatar", json!({ "url": "mxc://neurite.test/a" })),
            ("m.room.name", json!({ "name": "Space" })),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            ("m.room.guest_access", state(&alice, &old, "m.room.guest_access").await),
            (&format!("m.space.child/{child}"), via),
            ("m.room.canonical_alias", json!({ "alias": "#space:neurite.test" })),
            ("m.room.member/@rude:neurite.test", json!({ "membership": "ban", "reason": "Rude" })),
        ] {
            assert_eq!(state(&alice, &new, place).await, content, "{place}");
        }
        // What may mean something only as its sender's own stays behind, and so do members but for
        // the banned.
        assert_eq!(state(&alice, &new, "org.example").await["errcode"], "M_NOT_FOUND");
        let bobs = format!("m.room.member/{}", bob.user_id);
        assert_eq!(state(&alice, &new, &bobs).await["errcode"], "M_NOT_FOUND");
        let levels = state(&alice, &new, "m.room.power_levels").await;
        assert_eq!(levels["users"], json!({ (bob.user_id.clone()): 60 }));
        assert_eq!(levels["users_default"], 55);

        assert_eq!(
            state(&alice, &old, "m.room.tombstone").await["replacement_room"], json!(new)
        );
        let levels = state(&alice, &old, "m.room.power_levels").await;
        assert_eq!((&levels["events_default"], &levels["invite"]), (&json!(56), &json!(56)));
        assert_eq!(state(&alice, &old, "m.room.canonical_alias").await, json!({}));
        let alias = alice.get("/v3/directory/room/%23space:neurite.test").await.ok();
        assert_eq!(alias["room_id"], json!(new));
        for (room, visibility) in [(&old, "private"), (&new, "public")] {
            let listed = alice.get(&format!("/v3/directory/list/room/{room}")).await.ok();
            assert_eq!(listed["visibility"], visibility);
        }
        // The replacement's id is the hash of its create event, which can't name what names it.
        assert_eq!(create["predecessor"].get("event_id"), None);
        // Who may join does so, with the rules of the old room.
        join(&bob, &new).await;
    }

    async fn settings_of_a_room_are_found_in_its_replacement() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let old = create(&alice, json!({ "preset": "public_chat" })).await;
        join(&bob, &old).await;
        let tag = json!({ "order": 0.25 });
        bob.put(&format!("{}/m.favourite", tags_of(&bob, &old)), tag.clone()).await.ok();
        let quiet = json!({ "actions": [] });
        let rules = "/v3/pushrules/global";
        bob.put(&format!("{rules}/room/{old}"), quiet.clone()).await.ok();
        let mute = json!({
            "actions": [],
            "conditions": [
                { "kind": "event_match", "key": "room_id", "pattern": old },
                { "kind": "event_match", "key": "content.msgtype", "pattern": "m.text" },
            ],
        });
        for rule_id in [&*old, "first"] {
            bob.put(&format!("{rules}/override/{rule_id}"), mute.clone()).await.ok();
        }
        let off = json!({ "enabled": false });
        bob.put(&format!("{rules}/override/first/enabled"), off.clone()).await.ok();
        let direct = "/v3/user/@bob:neurite.test/account_data/m.direct";
        let content = json!({ "@alice:neurite.test": ["!other:neurite.test", old], "odd": 1 });
        bob.put(direct, content).await.ok();

        let new = upgrade(&alice, &old, json!({ "new_version": "12" })).await;
        assert_eq!(bob.get(&tags_of(&bob, &new)).await.ok()["tags"], json!({}));
        join(&bob, &new).await;
        let content =
            json!({ "@alice:neurite.test": ["!other:neurite.test", old, new], "odd": 1 });
        until(&bob, direct, &content).await;
        let tags = json!({ "tags": { "m.favourite": tag } });
        assert_eq!(bob.get(&tags_of(&bob, &new)).await.ok(), tags);
        assert_eq!(bob.get(&tags_of(&bob, &old)).await.ok(), tags);
        let room = bob.get(&format!("{rules}/room/{new}")).await.ok();
        assert_eq!((&room["actions"], &room["enabled"]), (&json!([]), &json!(true)));
        let all = bob.get("/v3/pushrules/global/").await.ok();
        let muting: Vec<_> = all["override"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["default"] == false)
            .map(|rule| (rule["rule_id"].as_str().unwrap(), rule["enabled"] == true))
            .collect();
        // Each stands beside the one that it is a copy of.
        let copy = format!("first.{new}");
        assert_eq!(muting, [("first", false), (&*copy, false), (&*old, true), (&*new, true)]);
        let copied = bob.get(&format!("{rules}/override/{new}")).await.ok();
        assert_eq!(copied["conditions"][0]["pattern"], json!(new));
        assert_eq!(copied["conditions"][1], mute["conditions"][1]);

        // What is changed there stays so, however often one comes back.
        bob.delete(&format!("{rules}/room/{new}"), None).await.ok();
        bob.post(&format!("/v3/rooms/{new}/leave"), json!({})).await.ok();
        join(&bob, &new).await;
        let next = upgrade(&alice, &new, json!({ "new_version": "11" })).await;
        join(&bob, &next).await;
        until(&bob, &tags_of(&bob, &next), &tags).await;
        bob.get(&format!("{rules}/room/{new}")).await.fails(404, "M_NOT_FOUND");
        bob.get(&format!("{rules}/room/{next}")).await.fails(404, "M_NOT_FOUND");
    }

    async fn the_settings_of_a_room_do_not_follow_who_only_claims_to_replace_it() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let mallory = Client::register(&server, "mallory").await;
        let room = create(&alice, json!({ "preset": "public_chat" })).await;
        alice.put(&format!("{}/m.favourite", tags_of(&alice, &room)), json!({})).await.ok();
        let predecessor = json!({ "room_id": room, "event_id": "$none" });
        let trap = create(&mallory, json!({
            "preset": "public_chat",
            "creation_content": { "predecessor": predecessor },
        })).await;
        join(&alice, &trap).await;
        // By the time that the settings are in the replacement, both joins were worked on.
        let new = upgrade(&alice, &room, json!({ "new_version": "12" })).await;
        until(&alice, &tags_of(&alice, &new), &json!({ "tags": { "m.favourite": {} } })).await;
        assert_eq!(alice.get(&tags_of(&alice, &trap)).await.ok()["tags"], json!({}));
    }

    async fn aliases_stay_their_makers() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let old = create(&alice, json!({
            "preset": "public_chat",
            "room_alias_name": "alices",
        })).await;
        join(&bob, &old).await;
        let [alices, bobs] =
            ["alices", "bobs"].map(|name| format!("/v3/directory/room/%23{name}:neurite.test"));
        bob.put(&bobs, json!({ "room_id": old })).await.ok();
        let new = upgrade(&alice, &old, json!({ "new_version": "12" })).await;
        for alias in [&alices, &bobs] {
            assert_eq!(bob.get(alias).await.ok()["room_id"], json!(new));
        }
        // He has no power in either room and is not even in the new one.
        bob.delete(&alices, None).await.fails(403, "M_FORBIDDEN");
        bob.delete(&bobs, None).await.ok();
        bob.get(&bobs).await.fails(404, "M_NOT_FOUND");
        let left = alice.get(&format!("/v3/rooms/{new}/aliases")).await.ok();
        assert_eq!(left["aliases"], json!(["#alices:neurite.test"]));
    }

    async fn power_levels_in_strings_become_integers() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        for (from, to) in [("9", "10"), ("6", "12"), ("6", "9")] {
            let old = create(&alice, json!({
                "room_version": from,
                "power_level_content_override": {
                    "users": { (alice.user_id.clone()): "200", "@bob:neurite.test": " +70 " },
                    "users_default": "55",
                    "events": { "m.room.name": "0060", "org.example": "120" },
                    "state_default": "61",
                    "notifications": { "room": "20" },
                    "org.example": "7",
                },
            })).await;
            let new = upgrade(&alice, &old, json!({ "new_version": to })).await;
            let levels = state(&alice, &new, "m.room.power_levels").await;
            assert_eq!(levels["users"]["@bob:neurite.test"], 70, "{to}: {levels}");
            assert_eq!(levels["users_default"], 55);
            assert_eq!(levels["events"]["m.room.name"], 60);
            assert_eq!(levels["events"]["org.example"], 120);
            assert_eq!(levels["state_default"], 61);
            assert_eq!(levels["notifications"]["room"], 20);
            // What is no power level is none of the room's business.
            assert_eq!(levels["org.example"], "7");
            if to != "12" {
                assert_eq!(levels["users"][&alice.user_id], 200);
            }
            let closed = state(&alice, &old, "m.room.power_levels").await;
            assert_eq!((&closed["events_default"], &closed["invite"]), (&json!(56), &json!(56)));
        }
    }

    async fn a_version_that_is_not_made_here_is_unsupported_whatever_it_looks_like() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let room = create(&alice, json!({})).await;
        let path = format!("/v3/rooms/{room}/upgrade");
        let too_long = "1".repeat(33);
        for version in ["none", "my_bad_version", "", "1", "13", "1 2", "\u{1f980}", &too_long] {
            alice
                .post(&path, json!({ "new_version": version }))
                .await
                .fails(400, "M_UNSUPPORTED_ROOM_VERSION");
            alice
                .post("/v3/createRoom", json!({ "room_version": version }))
                .await
                .fails(400, "M_UNSUPPORTED_ROOM_VERSION");
        }
        for version in [json!(12), json!(["12"]), json!({})] {
            alice.post(&path, json!({ "new_version": version })).await.fails(400, "M_BAD_JSON");
            let body = json!({ "room_version": version });
            alice.post("/v3/createRoom", body).await.fails(400, "M_BAD_JSON");
        }
    }

    async fn a_replacement_names_the_tombstone_that_names_it() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        for to in ["6", "10", "11"] {
            let old = create(&alice, json!({})).await;
            let new = upgrade(&alice, &old, json!({ "new_version": to })).await;
            let predecessor = state(&alice, &new, "m.room.create").await["predecessor"].clone();
            assert_eq!(predecessor["room_id"], json!(old));
            let named = predecessor["event_id"].as_str().unwrap();
            let named = alice.get(&format!("/v3/rooms/{old}/event/{named}")).await.ok();
            assert_eq!(named["type"], "m.room.tombstone");
            assert_eq!(named["content"]["replacement_room"], json!(new));
        }
    }
}
