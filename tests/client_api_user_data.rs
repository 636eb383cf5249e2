//! Profiles, account data, tags, filters, devices, capabilities and discovery.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

tests! {
    async fn a_profile_is_public_and_its_owners() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let profile = "/v3/profile/@alice:neurite.test";
        assert_eq!(bob.get(profile).await.ok(), json!({}));
        bob.get(&format!("{profile}/displayname")).await.fails(404, "M_NOT_FOUND");
        bob.get("/v3/profile/@nobody:neurite.test").await.fails(404, "M_NOT_FOUND");
        bob.get("/v3/profile/nobody").await.fails(400, "M_INVALID_PARAM");
        let name = json!({ "displayname": "Alice" });
        bob.put(&format!("{profile}/displayname"), name.clone()).await.fails(403, "M_FORBIDDEN");
        alice.put(&format!("{profile}/displayname"), name).await.ok();
        let avatar = json!({ "avatar_url": "mxc://neurite.test/picture" });
        alice.put(&format!("{profile}/avatar_url"), avatar.clone()).await.ok();
        alice.put(&format!("{profile}/m.tz"), json!({ "m.tz": "Europe/Berlin" })).await.ok();
        let custom = json!({ "org.example.pets": ["cat", { "name": "dog" }] });
        alice.put(&format!("{profile}/org.example.pets"), custom.clone()).await.ok();
        for (field, body, errcode) in [
            ("avatar_url", json!({ "avatar_url": "https://example.org/a.png" }), "M_INVALID_PARAM"),
            ("displayname", json!({ "displayname": 1 }), "M_INVALID_PARAM"),
            ("displayname", json!({}), "M_MISSING_PARAM"),
            ("displayname", json!([]), "M_BAD_JSON"),
            ("Org.Example", json!({ "Org.Example": 1 }), "M_INVALID_PARAM"),
            (&format!("a.{}", "b".repeat(254)), json!({}), "M_MISSING_PARAM"),
            ("org.big", json!({ "org.big": "b".repeat(65536) }), "M_PROFILE_TOO_LARGE"),
        ] {
            alice.put(&format!("{profile}/{field}"), body).await.fails(400, errcode);
        }
        let long = format!("a.{}", "b".repeat(254));
        let body = json!({ (long.clone()): 1 });
        alice.put(&format!("{profile}/{long}"), body).await.fails(400, "M_KEY_TOO_LARGE");
        let server = server_over(store, |_| {}).await;
        let anonymous = Client::anonymous(&server);
        assert_eq!(anonymous.get(&format!("{profile}/avatar_url")).await.ok(), avatar);
        assert_eq!(anonymous.get(&format!("{profile}/org.example.pets")).await.ok(), custom);
        let alice = Client { server, ..alice };
        alice.delete(&format!("{profile}/org.example.pets"), None).await.ok();
        alice.put(&format!("{profile}/avatar_url"), json!({ "avatar_url": "" })).await.ok();
        assert_eq!(
            anonymous.get(profile).await.ok(),
            json!({ "displayname": "Alice", "m.tz": "Europe/Berlin" })
        );
    }

    async fn account_data_is_kept_for_its_user_and_what_changed_is_told_once() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let global = "/v3/user/@alice:neurite.test/account_data/org.example";
        let room = "/v3/user/@alice:neurite.test/rooms/!room:neurite.test/account_data/org.example";
        alice.get(global).await.fails(404, "M_NOT_FOUND");
        alice.put(global, json!({ "one": 1 })).await.ok();
        alice.put(room, json!({ "of": "room" })).await.ok();
        alice.put(global, json!({ "two": 2 })).await.ok();
        assert_eq!(alice.get(global).await.ok(), json!({ "two": 2 }));
        assert_eq!(alice.get(room).await.ok(), json!({ "of": "room" }));
        bob.get(global).await.fails(403, "M_FORBIDDEN");
        bob.put(room, json!({})).await.fails(403, "M_FORBIDDEN");
        alice.put(global, json!([])).await.fails(400, "M_BAD_JSON");
        let rules = alice.get("/v3/user/@alice:neurite.test/account_data/m.push_rules").await.ok();
        assert_eq!(rules, alice.get("/v3/pushrules/").await.ok());
        for managed in ["m.fully_read", "m.push_rules"] {
            let path = format!("/v3/user/@alice:neurite.test/account_data/{managed}");
            alice.put(&path, json!({})).await.fails(405, "M_BAD_JSON");
        }
        let id = ruma::user_id!("@alice:neurite.test");
        assert_eq!(server.users.all_account_data(id, None).await.unwrap().len(), 1);
    }

    async fn what_is_put_somewhere_has_a_body_of_json() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.post("/v3/createRoom", json!({})).await.ok();
        let room = format!("/v3/rooms/{}", room["room_id"].as_str().unwrap());
        let user = format!("/v3/user/{}", alice.user_id);
        for path in [
            &format!("{user}/account_data/org.example"),
            &format!("{user}{}/account_data/org.example", room.strip_prefix("/v3").unwrap()),
            &format!("{user}{}/tags/u.work", room.strip_prefix("/v3").unwrap()),
            &format!("{room}/send/m.room.message/1"),
            &format!("{room}/state/org.example/key"),
            &format!("{room}/state/org.example"),
            &format!("{room}/redact/$event/1"),
            &format!("{room}/typing/{}", alice.user_id),
            &format!("/v3/profile/{}/displayname", alice.user_id),
            &format!("/v3/presence/{}/status", alice.user_id),
            &format!("/v3/devices/{}", alice.device_id),
            &format!("/v3/directory{}", room.replace("/v3/rooms", "/list/room")),
            "/v3/directory/room/%23one:neurite.test",
            "/v3/sendToDevice/org.example/1",
            "/v3/pushrules/global/override/mine",
            "/v3/pushrules/global/override/.m.rule.master/enabled",
            "/v3/pushrules/global/override/.m.rule.master/actions",
            "/v3/room_keys/keys?version=1",
            "/v3/room_keys/keys/!room:neurite.test?version=1",
            "/v3/room_keys/keys/!room:neurite.test/session?version=1",
            "/v3/room_keys/version/1",
        ] {
            for body in [None, Some(b" ".to_vec()), Some(b"{".to_vec())] {
                let answer = alice.send("PUT", &format!("/_matrix/client{path}"), body).await;
                assert_eq!((answer.status, &answer.body["errcode"]), (400, &json!("M_NOT_JSON")), "{path}");
            }
        }
        // What may be left out of other requests, may be left out with its body.
        alice.request("POST", &format!("{room}/leave"), None).await.ok();
    }

    async fn tags_are_account_data_of_a_room() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let tags = "/v3/user/@alice:neurite.test/rooms/!room:neurite.test/tags";
        assert_eq!(alice.get(tags).await.ok(), json!({ "tags": {} }));
        let (favourite, work) = (format!("{tags}/m.favourite"), format!("{tags}/u.work"));
        let (favourite, work) = futures::join!(
            alice.put(&favourite, json!({ "order": 0.5 })),
            alice.put(&work, json!({})),
        );
        favourite.ok();
        work.ok();
        let expected = json!({ "tags": { "m.favourite": { "order": 0.5 }, "u.work": {} } });
        assert_eq!(alice.get(tags).await.ok(), expected);
        let data = "/v3/user/@alice:neurite.test/rooms/!room:neurite.test/account_data/m.tag";
        assert_eq!(alice.get(data).await.ok(), expected);
        alice.delete(&format!("{tags}/m.favourite"), None).await.ok();
        assert_eq!(alice.get(tags).await.ok(), json!({ "tags": { "u.work": {} } }));

        // What clients keep beside it stays as they sent it.
        let sent = json!({ "tags": { "u.a": { "order": 1, "mine": [1, 1.0] } }, "beside": { "n": 1.5 } });
        alice.put(data, sent).await.ok();
        let (b, c) = (format!("{tags}/u.b"), format!("{tags}/u.c"));
        alice.send("PUT", &format!("/_matrix/client{b}"), Some(br#"{"order":1,"colour":"red"}"#.to_vec())).await.ok();
        alice.put(&c, json!({})).await.ok();
        alice.delete(&c, None).await.ok();
        let kept = json!({ "u.a": { "order": 1, "mine": [1, 1.0] }, "u.b": { "order": 1, "colour": "red" } });
        assert_eq!(alice.get(tags).await.ok(), json!({ "tags": kept }));
        assert_eq!(alice.get(data).await.ok(), json!({ "tags": kept, "beside": { "n": 1.5 } }));
        for bad in [json!({ "order": "first" }), json!([]), json!(1)] {
            alice.put(&b, bad).await.fails(400, "M_BAD_JSON");
        }
        alice.put(&b.replace("@alice", "@bob"), json!({})).await.fails(403, "M_FORBIDDEN");
    }

    async fn filters_are_kept_and_the_same_filter_has_the_same_id() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let path = "/v3/user/@alice:neurite.test/filter";
        let filter = json!({ "room": { "timeline": { "limit": 5 } } });
        let id = alice.post(path, filter.clone()).await.ok()["filter_id"].clone();
        assert_eq!(alice.post(path, filter.clone()).await.ok()["filter_id"], id);
        let one = format!("{path}/{}", id.as_str().unwrap());
        assert_eq!(alice.get(&one).await.ok(), filter);
        // Also with what is not known here.
        let unknown = json!({ "room": { "timeline": { "limit": 5, "org.example": [1, 1.0] } }, "new": {} });
        let other = alice.post(path, unknown.clone()).await.ok()["filter_id"].clone();
        let other = other.as_str().unwrap();
        assert_eq!(alice.get(&format!("{path}/{other}")).await.ok(), unknown);
        alice.get(&format!("/v3/sync?filter={other}")).await.ok();
        bob.get(&one).await.fails(403, "M_FORBIDDEN");
        bob.post(path, json!({})).await.fails(403, "M_FORBIDDEN");
        alice.get(&format!("{path}/nothing")).await.fails(404, "M_NOT_FOUND");
        let bad = json!({ "room": { "timeline": { "limit": "many" } } });
        alice.post(path, bad).await.fails(400, "M_BAD_JSON");
    }

    async fn devices_are_listed_renamed_and_deleted() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let mut login = password_login("alice");
        login["device_id"] = json!("PHONE");
        login["initial_device_display_name"] = json!("Phone");
        let phone = alice.logged_in(&alice.post("/v3/login", login).await.ok());
        let bob = Client::register(&server, "bob").await;
        assert_eq!(alice.get("/v3/devices").await.ok()["devices"].as_array().unwrap().len(), 2);
        let device = alice.get("/v3/devices/PHONE").await.ok();
        assert_eq!(device["display_name"], "Phone");
        assert!(device["last_seen_ts"].as_u64().is_some());
        bob.get("/v3/devices/PHONE").await.fails(404, "M_NOT_FOUND");
        alice.put("/v3/devices/PHONE", json!({ "display_name": "Old phone" })).await.ok();
        assert_eq!(alice.get("/v3/devices/PHONE").await.ok()["display_name"], "Old phone");
        alice.put("/v3/devices/NOTHING", json!({ "display_name": "?" })).await.fails(404, "M_NOT_FOUND");

        let challenge = alice.delete("/v3/devices/PHONE", Some(json!({}))).await;
        assert_eq!(challenge.status, 401);
        let mut auth = password_login("alice");
        auth["session"] = challenge.body["session"].clone();
        let other = json!({ "devices": [alice.device_id], "auth": auth });
        alice.post("/v3/delete_devices", other).await.fails(403, "M_FORBIDDEN");
        alice.delete("/v3/devices/PHONE", Some(json!({ "auth": auth }))).await.ok();
        phone.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        alice.get("/v3/devices/PHONE").await.fails(404, "M_NOT_FOUND");
    }

    async fn capabilities_and_discovery() {
        let server = server_over(support::store().await, |config| {
            config.base_url = "https://homeserver.test".to_owned();
        })
        .await;
        let alice = Client::register(&server, "alice").await;
        let capabilities = alice.get("/v3/capabilities").await.ok();
        let capabilities = &capabilities["capabilities"];
        assert_eq!(capabilities["m.room_versions"]["default"], "12");
        assert_eq!(capabilities["m.room_versions"]["available"]["11"], "stable");
        assert_eq!(capabilities["m.3pid_changes"], json!({ "enabled": false }));
        assert_eq!(capabilities["m.get_login_token"], json!({ "enabled": true }));
        let anonymous = Client::anonymous(&server);
        anonymous.get("/v3/capabilities").await.fails(401, "M_MISSING_TOKEN");
        let known = anonymous.send("GET", "/.well-known/matrix/client", None).await.ok();
        assert_eq!(known, json!({ "m.homeserver": { "base_url": "https://homeserver.test" } }));
        assert_ne!(anonymous.get("/v3/login").await.body, Value::Null);
    }

    async fn who_can_be_turned_to_is_told_where_somebody_can() {
        let path = "/.well-known/matrix/support";
        let quiet = server().await;
        Client::anonymous(&quiet).send("GET", path, None).await.fails(404, "M_NOT_FOUND");
        let support = json!({
            "contacts": [
                { "role": "m.role.admin", "matrix_id": "@admin:example.org" },
                { "role": "org.example.night", "email_address": "night@example.org" },
            ],
            "support_page": "https://example.org/help",
        });
        let server = server_over(support::store().await, |config| {
            config.support = Some(serde_json::from_value(support.clone()).unwrap());
        })
        .await;
        assert_eq!(Client::anonymous(&server).send("GET", path, None).await.ok(), support);
        for wrong in [
            json!({}),
            json!({ "contacts": [] }),
            json!({ "contacts": [{ "role": "m.role.admin" }] }),
            json!({ "contacts": [{ "matrix_id": "@admin:example.org" }] }),
            json!({ "contacts": [{ "role": "m.role.admin", "matrix_id": "admin" }] }),
        ] {
            assert!(serde_json::from_value::<neurite::config::Support>(wrong).is_err());
        }
    }
}
