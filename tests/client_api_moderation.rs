//! Administrators lock and suspend accounts; people keep invites from themselves.

#[macro_use]
mod support;

use std::rc::Rc;

use neurite::Homeserver;
use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

const LOCK: &str = "/v1/admin/lock/@bob:neurite.test";
const SUSPEND: &str = "/v1/admin/suspend/@bob:neurite.test";

async fn administered() -> (Rc<Homeserver>, Client, Client) {
    let admins = |names: &[&str]| {
        names.iter().map(|name| format!("@{name}:neurite.test").try_into().unwrap()).collect()
    };
    let server =
        server_over(support::store().await, |config| config.admins = admins(&["root", "other"]))
            .await;
    let (root, bob) =
        (Client::register(&server, "root").await, Client::register(&server, "bob").await);
    (server, root, bob)
}

async fn create_room(client: &Client, options: Value) -> String {
    client.post("/v3/createRoom", options).await.ok()["room_id"].as_str().unwrap().to_owned()
}

async fn invites(client: &Client) -> usize {
    let synced = client.get("/v3/sync").await.ok();
    synced["rooms"]["invite"].as_object().map_or(0, serde_json::Map::len)
}

tests! {
    async fn only_administrators_moderate_and_only_who_is_none() {
        let (server, root, bob) = administered().await;
        for path in [LOCK, SUSPEND] {
            bob.get(path).await.fails(403, "M_FORBIDDEN");
            bob.put(path, json!({ "locked": true, "suspended": true })).await.fails(403, "M_FORBIDDEN");
            for (user, status, errcode) in [
                ("@nobody:neurite.test", 404, "M_NOT_FOUND"),
                ("@bob:elsewhere.test", 400, "M_INVALID_PARAM"),
                ("@root:neurite.test", 403, "M_FORBIDDEN"),
                ("@other:neurite.test", 403, "M_FORBIDDEN"),
            ] {
                let path = path.replace("@bob:neurite.test", user);
                root.get(&path).await.fails(status, errcode);
                let body = json!({ "locked": true, "suspended": true });
                root.put(&path, body).await.fails(status, errcode);
            }
            root.put(path, json!({})).await.fails(400, "M_BAD_JSON");
        }
        bob.get("/v1/admin/lock/@nobody:neurite.test").await.fails(403, "M_FORBIDDEN");
        let may = |answer: Value| answer["capabilities"]["m.account_moderation"].clone();
        assert_eq!(may(bob.get("/v3/capabilities").await.ok()), Value::Null);
        let capabilities = root.get("/v3/capabilities").await.ok();
        assert_eq!(may(capabilities), json!({ "lock": true, "suspend": true }));
        let whois = root.get("/v3/admin/whois/@bob:neurite.test").await.ok();
        assert!(whois["devices"][&bob.device_id].is_object());
        root.get("/v3/admin/whois/@nobody:neurite.test").await.fails(404, "M_NOT_FOUND");
        bob.post("/v3/account/deactivate", json!({ "auth": password_login("bob") })).await.ok();
        root.get(LOCK).await.fails(404, "M_NOT_FOUND");
        drop(server);
    }

    async fn who_is_locked_out_can_log_out_only_and_comes_back() {
        let (server, root, bob) = administered().await;
        assert_eq!(root.get(LOCK).await.ok(), json!({ "locked": false }));
        assert_eq!(root.put(LOCK, json!({ "locked": true })).await.ok(), json!({ "locked": true }));
        assert_eq!(root.get(LOCK).await.ok(), json!({ "locked": true }));
        for path in ["/v3/account/whoami", "/v3/sync", "/v3/voip/turnServer", "/v3/capabilities"] {
            let answer = bob.get(path).await;
            answer.fails(401, "M_USER_LOCKED");
            assert_eq!(answer.body["soft_logout"], true);
        }
        let login = Client::anonymous(&server).post("/v3/login", password_login("bob")).await;
        login.fails(401, "M_USER_LOCKED");
        root.put(LOCK, json!({ "locked": false })).await.ok();
        bob.get("/v3/account/whoami").await.ok();
        root.put(LOCK, json!({ "locked": true })).await.ok();
        bob.post("/v3/logout", json!({})).await.ok();
        bob.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
    }

    async fn who_is_suspended_reads_and_leaves_and_takes_back() {
        let (server, root, bob) = administered().await;
        let room = create_room(&root, json!({ "preset": "public_chat" })).await;
        let other = create_room(&root, json!({ "preset": "public_chat" })).await;
        bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
        let text = json!({ "msgtype": "m.text", "body": "hello" });
        let send = |txn: &str| format!("/v3/rooms/{room}/send/m.room.message/{txn}");
        let said = bob.put(&send("a"), text.clone()).await.ok();
        let others = root.put(&send("b"), text.clone()).await.ok();
        root.put(SUSPEND, json!({ "suspended": true })).await.ok();
        assert_eq!(root.get(SUSPEND).await.ok(), json!({ "suspended": true }));
        assert_eq!(root.get(LOCK).await.ok(), json!({ "locked": false }));

        let bob = Client::login(&server, "bob").await;
        let refused = "M_USER_SUSPENDED";
        bob.put(&send("c"), text).await.fails(403, refused);
        bob.post(&format!("/v3/join/{other}"), json!({})).await.fails(403, refused);
        bob.post(&format!("/v3/knock/{other}"), json!({})).await.fails(403, refused);
        bob.post("/v3/createRoom", json!({})).await.fails(403, refused);
        let invited = json!({ "user_id": "@other:neurite.test" });
        bob.post(&format!("/v3/rooms/{room}/invite"), invited).await.fails(403, refused);
        let name = json!({ "displayname": "Robert" });
        bob.put("/v3/profile/@bob:neurite.test/displayname", name).await.fails(403, refused);
        let own = format!("/v3/rooms/{room}/state/m.room.member/@bob:neurite.test");
        bob.put(&own, json!({ "membership": "join", "displayname": "R" })).await.fails(403, refused);
        let redact = |event: &Value, txn: &str| {
            format!("/v3/rooms/{room}/redact/{}/{txn}", event["event_id"].as_str().unwrap())
        };
        bob.put(&redact(&others, "d"), json!({})).await.fails(403, refused);
        let by_send = format!("/v3/rooms/{room}/send/m.room.redaction/e");
        bob.put(&by_send, json!({ "redacts": others["event_id"] })).await.fails(403, refused);

        bob.put(&by_send, json!({ "redacts": said["event_id"] })).await.ok();
        assert!(bob.get("/v3/sync").await.ok()["rooms"]["join"][&room].is_object());
        bob.put(&own, json!({ "membership": "leave" })).await.ok();
        root.put(SUSPEND, json!({ "suspended": false })).await.ok();
        bob.post(&format!("/v3/join/{other}"), json!({})).await.ok();
    }

    async fn who_wants_no_invites_gets_none() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let config = "/v3/user/@bob:neurite.test/account_data/m.invite_permission_config";
        create_room(&alice, json!({ "invite": ["@bob:neurite.test"] })).await;
        assert_eq!(invites(&bob).await, 1);
        bob.put(config, json!({ "default_action": "block" })).await.ok();
        assert_eq!(invites(&bob).await, 0);

        let refused = "M_INVITE_BLOCKED";
        let invited = json!({ "invite": ["@bob:neurite.test"] });
        alice.post("/v3/createRoom", invited).await.fails(403, refused);
        let invited = json!({ "initial_state": [{
            "type": "m.room.member", "state_key": "@bob:neurite.test",
            "content": { "membership": "invite" },
        }] });
        alice.post("/v3/createRoom", invited).await.fails(403, refused);
        let room = create_room(&alice, json!({})).await;
        let invite = format!("/v3/rooms/{room}/invite");
        alice.post(&invite, json!({ "user_id": "@bob:neurite.test" })).await.fails(403, refused);
        let member = format!("/v3/rooms/{room}/state/m.room.member/@bob:neurite.test");
        alice.put(&member, json!({ "membership": "invite" })).await.fails(403, refused);
        alice.put(&member, json!({ "membership": "ban" })).await.ok();
        alice.put(&member, json!({ "membership": "leave" })).await.ok();

        bob.put(config, json!({})).await.ok();
        alice.post(&invite, json!({ "user_id": "@bob:neurite.test" })).await.ok();
        assert_eq!(invites(&bob).await, 2);
    }
}
