//! How people find each other and show who they are; guests; limits.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

async fn create_room(client: &Client, options: Value) -> String {
    client.post("/v3/createRoom", options).await.ok()["room_id"].as_str().unwrap().to_owned()
}

async fn found(client: &Client, term: &str) -> Vec<String> {
    let answer =
        client.post("/v3/user_directory/search", json!({ "search_term": term })).await.ok();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|user| user["user_id"].as_str().unwrap().to_owned()).collect()
}

tests! {
    async fn the_directory_shows_who_shares_a_room_or_is_in_a_public_one() {
        let server = server().await;
        let (alice, bob, carol) = (
            Client::register(&server, "alice").await,
            Client::register(&server, "bob").await,
            Client::register(&server, "carol").await,
        );
        let name = json!({ "displayname": "Robert Builder" });
        bob.put("/v3/profile/@bob:neurite.test/displayname", name).await.ok();
        assert!(found(&alice, "bob").await.is_empty());
        let room = create_room(&alice, json!({ "invite": ["@bob:neurite.test"] })).await;
        assert!(found(&alice, "bob").await.is_empty());
        bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
        for term in ["bob", "@bob:neurite.test", "ROBERT", "build rob", ""] {
            assert_eq!(found(&alice, term).await, ["@bob:neurite.test"], "{term}");
        }
        assert!(found(&carol, "bob").await.is_empty());
        let mutual = alice.get("/v1/mutual_rooms?user_id=@bob:neurite.test").await.ok();
        assert_eq!(mutual, json!({ "count": 1, "joined": [room] }));
        let own = "/v1/mutual_rooms?user_id=@alice:neurite.test";
        alice.get(own).await.fails(400, "M_INVALID_PARAM");
        assert!(found(&bob, "bob").await.is_empty());
        create_room(&bob, json!({ "preset": "public_chat" })).await;
        assert_eq!(found(&bob, "bob").await, ["@bob:neurite.test"]);
        assert_eq!(found(&carol, "bob").await, ["@bob:neurite.test"]);
        let search = json!({ "search_term": "neurite.test", "limit": 0 });
        let limited = carol.post("/v3/user_directory/search", search).await.ok();
        assert_eq!(limited, json!({ "results": [], "limited": true }));
        let auth = json!({ "auth": password_login("bob") });
        bob.post("/v3/account/deactivate", auth).await.ok();
        assert!(found(&alice, "bob").await.is_empty());
    }

    async fn a_new_profile_is_shown_in_rooms_and_a_deactivated_user_leaves_them() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = create_room(&alice, json!({ "invite": ["@bob:neurite.test"] })).await;
        let member = |user: &str| format!("/v3/rooms/{room}/state/m.room.member/@{user}:neurite.test");
        let name = json!({ "displayname": "Alice" });
        alice.put("/v3/profile/@alice:neurite.test/displayname", name).await.ok();
        let shown = alice.get(&member("alice")).await.ok();
        assert_eq!((&shown["displayname"], &shown["membership"]), (&json!("Alice"), &json!("join")));
        alice.delete("/v3/profile/@alice:neurite.test/displayname", None).await.ok();
        assert_eq!(alice.get(&member("alice")).await.ok()["displayname"], Value::Null);

        assert_eq!(alice.get(&member("bob")).await.ok()["membership"], "invite");
        bob.post("/v3/account/deactivate", json!({ "auth": password_login("bob") })).await.ok();
        assert_eq!(alice.get(&member("bob")).await.ok()["membership"], "leave");
    }

    async fn openid_tokens_tell_whose_they_are() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let path = "/v3/user/@alice:neurite.test/openid/request_token";
        let token = alice.post(path, json!({})).await.ok();
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["matrix_server_name"], "neurite.test");
        let info = format!(
            "/_matrix/federation/v1/openid/userinfo?access_token={}",
            token["access_token"].as_str().unwrap()
        );
        let anonymous = Client::anonymous(&server);
        let told = anonymous.send("GET", &info, None).await.ok();
        assert_eq!(told, json!({ "sub": "@alice:neurite.test" }));
        let wrong = "/_matrix/federation/v1/openid/userinfo?access_token=wrong";
        anonymous.send("GET", wrong, None).await.fails(401, "M_UNKNOWN_TOKEN");
        let others = "/v3/user/@bob:neurite.test/openid/request_token";
        alice.post(others, json!({})).await.fails(403, "M_FORBIDDEN");
    }

    async fn what_is_not_there_is_told_as_the_specification_says() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        assert_eq!(alice.get("/v3/voip/turnServer").await.ok(), json!({}));
        assert_eq!(alice.get("/v3/thirdparty/protocols").await.ok(), json!({}));
        alice.get("/v3/thirdparty/protocol/irc").await.fails(404, "M_NOT_FOUND");
        alice.get("/v3/thirdparty/user/irc").await.fails(404, "M_NOT_FOUND");
        assert_eq!(alice.get("/v3/account/3pid").await.ok(), json!({ "threepids": [] }));
        let token = json!({ "client_secret": "secret", "email": "a@b.c", "send_attempt": 1 });
        let path = "/v3/account/password/email/requestToken";
        alice.post(path, token.clone()).await.fails(400, "M_THREEPID_NOT_FOUND");
        let credentials = json!({ "three_pid_creds": {} });
        alice.post("/v3/account/3pid", credentials).await.fails(403, "M_THREEPID_DENIED");
        alice.post("/v3/register/email/requestToken", token).await.fails(403, "M_THREEPID_DENIED");
        let identifier = json!({ "medium": "email", "address": "a@b.c" });
        let removed = alice.post("/v3/account/3pid/delete", identifier).await.ok();
        assert_eq!(removed, json!({ "id_server_unbind_result": "success" }));
        let own = alice.get("/v3/admin/whois/@alice:neurite.test").await.ok();
        assert!(own["devices"][&alice.device_id]["sessions"].is_array());
        alice.get("/v3/admin/whois/@bob:neurite.test").await.fails(403, "M_FORBIDDEN");
        Client::anonymous(&server).get("/v3/voip/turnServer").await.fails(401, "M_MISSING_TOKEN");
    }

    async fn guests_go_where_they_are_let_in() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let anonymous = Client::anonymous(&server);
        let guest = anonymous.post("/v3/register?kind=guest", json!({})).await.ok();
        let guest = anonymous.logged_in(&guest);
        guest.post("/v3/createRoom", json!({})).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        guest.send("POST", "/_matrix/media/v3/upload", None).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        let profile = format!("/v3/profile/{}", guest.user_id);
        guest.put(&format!("{profile}/displayname"), json!({ "displayname": "Guest" })).await.ok();
        let avatar = json!({ "avatar_url": "mxc://a/b" });
        guest.put(&format!("{profile}/avatar_url"), avatar).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        let room = create_room(&alice, json!({ "preset": "public_chat" })).await;
        let join = format!("/v3/rooms/{room}/join");
        guest.post(&join, json!({})).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        let own = format!("/v3/rooms/{room}/state/m.room.member/{}", guest.user_id);
        let joined = json!({ "membership": "join" });
        guest.put(&own, joined.clone()).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        let access = format!("/v3/rooms/{room}/state/m.room.guest_access");
        let can_join = json!({ "guest_access": "can_join" });
        alice.put(&access, can_join.clone()).await.ok();
        guest.put(&own, joined).await.ok();
        let bob = Client::register(&server, "bob").await;
        bob.post(&join, json!({})).await.ok();
        // When the room no longer lets guests in, those who are in it have to leave.
        let members = format!("/v3/rooms/{room}/joined_members");
        let both = json!({
            (&alice.user_id): { "display_name": null, "avatar_url": null },
            (&bob.user_id): { "display_name": null, "avatar_url": null },
        });
        alice.put(&access, json!({ "guest_access": "forbidden" })).await.ok();
        assert_eq!(alice.get(&members).await.ok()["joined"], both);
        let again = alice.put(&access, can_join.clone()).await.ok();
        guest.post(&join, json!({})).await.ok();
        let event_id = again["event_id"].as_str().unwrap();
        let redact = format!("/v3/rooms/{room}/redact/{event_id}/1");
        alice.put(&redact, json!({})).await.ok();
        assert_eq!(alice.get(&members).await.ok()["joined"], both);
        alice.put(&access, can_join).await.ok();
        guest.post(&join, json!({})).await.ok();
        let send = format!("/v3/rooms/{room}/send/m.room.message/1");
        guest.put(&send, json!({ "msgtype": "m.text", "body": "hello" })).await.ok();
        guest.post("/v3/logout", json!({})).await.ok();
    }

    async fn a_flood_is_held_up_with_the_time_to_wait() {
        let server = server_over(support::store().await, |config| config.rate_limits = true).await;
        let alice = Client::register(&server, "alice").await;
        let anonymous = Client::anonymous(&server);
        let wrong = json!({ "refresh_token": "wrong" });
        let mut tries = 0;
        let limited = loop {
            let answer = anonymous.post("/v3/refresh", wrong.clone()).await;
            if answer.status == 429 || tries == 1000 {
                break answer;
            }
            answer.fails(401, "M_UNKNOWN_TOKEN");
            tries += 1;
        };
        limited.fails(429, "M_LIMIT_EXCEEDED");
        assert!(limited.body["retry_after_ms"].as_u64().unwrap() > 0);
        assert!(limited.headers.contains_key("retry-after"));
        // Who is logged in has a limit of their own, and reading has none.
        alice.post("/v3/keys/query", json!({ "device_keys": {} })).await.ok();
        anonymous.get("/v3/login").await.ok();
    }
}
