//! What may be sent at most, and that whatever is taken can be read.

#[macro_use]
mod support;

use neurite::media::MAX_UPLOAD_SIZE;
use serde_json::{Value, json};
use support::client::{Client, password_login, server};

/// A value that is nested so deep.
fn nested(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }))
}

async fn room(client: &Client) -> String {
    let room = client.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    room["room_id"].as_str().unwrap().to_owned()
}

tests! {
    async fn contents_are_nested_100_deep_at_most() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room_id = room(&alice).await;
        let send = async |txn: &str, content: Value| {
            alice.put(&format!("/v3/rooms/{room_id}/send/m.room.message/{txn}"), content).await
        };
        send("1", nested(100)).await.ok();
        send("2", nested(101)).await.fails(400, "M_BAD_JSON");
        send("3", nested(126)).await.fails(400, "M_BAD_JSON");
        let state = format!("/v3/rooms/{room_id}/state/org.deep/");
        alice.put(&state, nested(100)).await.ok();
        alice.put(&state, nested(101)).await.fails(400, "M_BAD_JSON");
        let initial = json!([{ "type": "org.deep", "state_key": "", "content": nested(101) }]);
        alice.post("/v3/createRoom", json!({ "initial_state": initial })).await.fails(400, "M_INVALID_ROOM_STATE");
        // Not what a parser takes for something else either.
        send("4", json!({ "a": 1, "$serde_json::private::RawValue": "[" })).await.fails(400, "M_BAD_JSON");
        // What can be kept is told to everybody.
        assert!(alice.get("/v3/sync").await.ok().to_string().contains(&nested(100).to_string()));
    }

    async fn an_event_and_its_members_are_so_large_at_most() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room_id = room(&alice).await;
        let of = |kind: usize, key: usize| {
            format!("/v3/rooms/{room_id}/state/{}/{}", "t".repeat(kind), "k".repeat(key))
        };
        alice.put(&of(255, 255), json!({})).await.ok();
        alice.put(&of(256, 1), json!({})).await.fails(413, "M_TOO_LARGE");
        alice.put(&of(1, 256), json!({})).await.fails(413, "M_TOO_LARGE");
        let send = format!("/v3/rooms/{room_id}/send/m.room.message/1");
        let body = json!({ "body": "x".repeat(65_536) });
        alice.put(&send, body).await.fails(413, "M_TOO_LARGE");
    }

    async fn nothing_that_a_member_is_called_or_says_ends_push() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room_id = room(&alice).await;
        bob.post(&format!("/v3/rooms/{room_id}/join"), json!({})).await.ok();
        let member = format!("/v3/rooms/{room_id}/state/m.room.member/{}", bob.user_id);
        let named = json!({
            "actions": ["notify", { "set_tweak": "highlight" }],
            "conditions": [{ "kind": "contains_display_name" }],
        });
        bob.put("/v3/pushrules/global/override/named", named).await.ok();
        for (txn, name) in ["?".repeat(30_000), "*?".repeat(500), "a".to_owned()].iter().enumerate() {
            bob.put(&member, json!({ "membership": "join", "displayname": name })).await.ok();
            let body = format!("{} bob's a", "ab ".repeat(20_000));
            let send = format!("/v3/rooms/{room_id}/send/m.room.message/{txn}");
            alice.put(&send, json!({ "msgtype": "m.text", "body": body })).await.ok();
            let told = bob.get("/v3/notifications?limit=1").await.ok();
            assert_eq!(told["notifications"][0]["event"]["content"]["body"], body);
            let actions = told["notifications"][0]["actions"].to_string();
            assert_eq!(actions.contains("highlight"), name == "a", "{txn}: {actions}");
        }
        let rule = |pattern: usize| json!({ "actions": ["notify"], "pattern": "?".repeat(pattern) });
        bob.put("/v3/pushrules/global/content/long", rule(1025)).await.fails(400, "M_INVALID_PARAM");
        bob.put("/v3/pushrules/global/content/long", rule(1024)).await.ok();
        let send = format!("/v3/rooms/{room_id}/send/m.room.message/last");
        alice.put(&send, json!({ "msgtype": "m.text", "body": "b".repeat(60_000) })).await.ok();
        assert!(bob.get("/v3/notifications?limit=1").await.ok()["notifications"][0].is_object());
    }

    async fn bodies_are_so_large_and_deep_at_most() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let user = format!("/_matrix/client/v3/user/{}", alice.user_id);
        let put = async |path: &str, body: String| {
            alice.send("PUT", path, Some(body.into_bytes())).await
        };
        let data = format!("{user}/account_data/org.data");
        let of = |size: usize| json!({ "a": "x".repeat(size) }).to_string();
        put(&data, of((1 << 20) - 8)).await.ok();
        put(&data, of(1 << 20)).await.fails(413, "M_TOO_LARGE");
        put(&data, of(30 << 20)).await.fails(413, "M_TOO_LARGE");
        put(&data, nested(110).to_string()).await.ok();
        put(&data, nested(111).to_string()).await.fails(400, "M_BAD_JSON");
        put(&format!("{data}{}", "x".repeat(255)), "{}".into()).await.fails(400, "M_INVALID_PARAM");
        // Deeper than what parses: the scan before comes first.
        let deep = format!("{}{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for (method, path) in [
            ("POST", format!("{user}/filter")),
            ("PUT", "/_matrix/client/v3/sendToDevice/org.deep/1".into()),
            ("PUT", format!("/_matrix/client/v3/profile/{}/org.deep", alice.user_id)),
            ("POST", "/_matrix/client/v3/login".into()),
            ("POST", "/_matrix/client/v3/createRoom".into()),
        ] {
            let body = Some(deep.clone().into_bytes());
            alice.send(method, &path, body).await.fails(400, "M_BAD_JSON");
            let body = Some(of(25 << 20).into_bytes());
            alice.send(method, &path, body).await.fails(413, "M_TOO_LARGE");
        }
        let filter = json!({ "org.large": "x".repeat(65_536) });
        let filters = format!("/v3/user/{}/filter", alice.user_id);
        alice.post(&filters, filter).await.fails(413, "M_TOO_LARGE");
        // One request has something for many devices.
        let to_device = |size: usize, devices: usize| {
            let devices: serde_json::Map<_, _> =
                (0..devices).map(|device| (format!("D{device}"), json!({ "a": "x".repeat(size) }))).collect();
            json!({ "messages": { &alice.user_id: devices } })
        };
        let send = "/v3/sendToDevice/org.large";
        alice.put(&format!("{send}/1"), to_device(60_000, 50)).await.ok();
        alice.put(&format!("{send}/2"), to_device(65_536, 1)).await.fails(413, "M_TOO_LARGE");
        // What was kept is told.
        alice.get("/v3/sync").await.ok();
    }

    async fn a_body_has_so_many_bytes_as_its_endpoint_takes() {
        const MIB: usize = 1 << 20;
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let nobody = Client::anonymous(&server);
        let send = async |of: &Client, method: &str, path: &str, size: usize| {
            let sent = of.send(method, &format!("/_matrix/{path}"), Some(vec![0; size])).await;
            sent.status
        };
        // Everything that reads a body by itself, or none, has the same limit as all others.
        for (method, path, most) in [
            ("PUT", "client/v3/sendToDevice/m.x/1", 24 * MIB),
            ("POST", "client/v3/keys/upload", 24 * MIB),
            ("POST", "client/v3/keys/query", 24 * MIB),
            ("PUT", "client/v3/room_keys/keys?version=1", 24 * MIB),
            ("PUT", "client/v3/room_keys/keys/!a:b.test?version=1", 24 * MIB),
            ("POST", "client/v3/keys/claim", MIB),
            ("POST", "client/v3/account/3pid", MIB),
            ("POST", "client/v3/login", MIB),
            ("POST", "client/v3/join/!a:b.test", MIB),
            ("POST", "client/v3/auth/m.login.dummy/fallback/web?session=a", MIB),
            ("PUT", "client/v3/profile/@a:b.test/org.a", MIB),
            ("GET", "client/v3/sync", MIB),
            ("GET", "client/versions", MIB),
            ("PUT", "media/v3/upload/b.test/a", MAX_UPLOAD_SIZE as usize),
            ("POST", "media/v3/upload", MAX_UPLOAD_SIZE as usize),
        ] {
            assert_eq!(send(&alice, method, path, most + 1).await, 413, "{path}");
            assert_eq!(send(&nobody, method, path, most + 1).await, 413, "{path}");
            if most <= MIB {
                assert_ne!(send(&alice, method, path, most).await, 413, "{path}");
            }
        }
    }

    async fn names_and_ids_are_so_long_at_most() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room_id = room(&alice).await;
        let login = async |device_id: &str, name: &str| {
            let mut login = password_login("alice");
            login["device_id"] = device_id.into();
            login["initial_device_display_name"] = name.into();
            alice.post("/v3/login", login).await
        };
        let long = |size: usize| "x".repeat(size);
        login(&long(255), &long(1024)).await.ok();
        login(&long(256), "phone").await.fails(400, "M_INVALID_PARAM");
        login(&long(1 << 19), "phone").await.fails(400, "M_INVALID_PARAM");
        login("PHONE", &long(1025)).await.fails(400, "M_INVALID_PARAM");
        let user = &alice.user_id;
        for (path, body) in [
            (format!("/v3/devices/{}", alice.device_id), json!({ "display_name": long(1025) })),
            (format!("/v3/devices/{}", long(256)), json!({ "display_name": "phone" })),
            (format!("/v3/rooms/{room_id}/send/m.room.message/{}", long(256)), json!({})),
            (format!("/v3/sendToDevice/m.x/{}", long(256)), json!({ "messages": {} })),
            (format!("/v3/sendToDevice/{}/1", long(256)), json!({ "messages": {} })),
            (format!("/v3/user/{user}/rooms/{room_id}/tags/{}", long(256)), json!({})),
            (format!("/v3/presence/{user}/status"), json!({ "presence": "online", "status_msg": long(1025) })),
            (format!("/v3/pushrules/global/room/{}", long(256)), json!({ "actions": [] })),
        ] {
            alice.put(&path, body).await.fails(400, "M_INVALID_PARAM");
        }
    }
}
