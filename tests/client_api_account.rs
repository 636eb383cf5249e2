//! Registration, login, tokens and User-Interactive Authentication.

#[macro_use]
mod support;

use neurite::config::Registration;
use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

/// The `auth` of somebody who gives their password again.
fn password_auth(username: &str, session: &Value) -> Value {
    let mut auth = password_login(username);
    auth["session"] = session.clone();
    auth
}

tests! {
    async fn registration_authenticates_in_stages_and_logs_in() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let mut body = json!({ "username": "Alice", "password": "p", "device_id": "PHONE" });
        let challenge = anonymous.post("/v3/register", body.clone()).await;
        assert_eq!(challenge.status, 401);
        assert_eq!(challenge.body["flows"], json!([{ "stages": ["m.login.dummy"] }]));
        assert_eq!(challenge.body["params"], json!({}));
        body["auth"] =
            json!({ "type": "m.login.dummy", "session": challenge.body["session"] });
        let registered = anonymous.post("/v3/register", body).await.ok();
        assert_eq!(registered["user_id"], "@alice:neurite.test");
        assert_eq!(registered["device_id"], "PHONE");
        let alice = anonymous.logged_in(&registered);
        assert_eq!(
            alice.get("/v3/account/whoami").await.ok(),
            json!({ "user_id": "@alice:neurite.test", "device_id": "PHONE" })
        );
    }

    async fn bad_registrations_are_refused_before_authentication() {
        let server = server().await;
        Client::register(&server, "alice").await;
        let anonymous = Client::anonymous(&server);
        for (username, errcode) in [
            ("alice", "M_USER_IN_USE"),
            ("ALICE", "M_USER_IN_USE"),
            ("", "M_INVALID_USERNAME"),
            ("al ice", "M_INVALID_USERNAME"),
            ("ali:ce", "M_INVALID_USERNAME"),
            ("älice", "M_INVALID_USERNAME"),
            (&"a".repeat(255), "M_INVALID_USERNAME"),
        ] {
            let body = json!({ "username": username, "password": "p" });
            anonymous.post("/v3/register", body).await.fails(400, errcode);
            let path = format!("/v3/register/available?username={}", username.replace(' ', "%20").replace('ä', "%C3%A4"));
            anonymous.get(&path).await.fails(400, errcode);
        }
        anonymous.get("/v3/register/available?username=bob").await.ok();
        let dummy = json!({ "type": "m.login.dummy" });
        anonymous.post("/v3/register", json!({ "auth": dummy })).await.fails(400, "M_MISSING_PARAM");
        anonymous
            .post("/v3/register", json!({ "auth": dummy, "username": "bob", "password": "" }))
            .await
            .fails(400, "M_WEAK_PASSWORD");
        anonymous.send("POST", "/_matrix/client/v3/register", Some(b"{".to_vec())).await.fails(400, "M_NOT_JSON");
        anonymous.post("/v3/register", json!({ "username": 1 })).await.fails(400, "M_BAD_JSON");
    }

    async fn one_of_two_concurrent_registrations_of_a_name_wins() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let body = json!({ "auth": { "type": "m.login.dummy" }, "username": "eve", "password": "p" });
        let (one, two) = futures::join!(
            anonymous.post("/v3/register", body.clone()),
            anonymous.post("/v3/register", body),
        );
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }

    async fn registration_follows_the_configuration() {
        let token = server_over(support::store().await, |config| {
            config.registration = Registration::Token("secret".to_owned());
        })
        .await;
        let anonymous = Client::anonymous(&token);
        let validity = "/v1/register/m.login.registration_token/validity?token=";
        assert_eq!(anonymous.get(&format!("{validity}secret")).await.ok()["valid"], true);
        assert_eq!(anonymous.get(&format!("{validity}other")).await.ok()["valid"], false);
        let body = |token: &str| json!({
            "auth": { "type": "m.login.registration_token", "token": token },
            "username": "alice",
            "password": "p",
        });
        let refused = anonymous.post("/v3/register", body("other")).await;
        refused.fails(401, "M_UNAUTHORIZED");
        assert_eq!(refused.body["flows"], json!([{ "stages": ["m.login.registration_token"] }]));
        anonymous.post("/v3/register", body("secret")).await.ok();
        anonymous.post("/v3/register?kind=guest", json!({})).await.fails(403, "M_FORBIDDEN");

        let closed =
            server_over(support::store().await, |config| config.registration = Registration::Closed).await;
        let anonymous = Client::anonymous(&closed);
        let body = json!({ "username": "alice", "password": "p" });
        anonymous.post("/v3/register", body).await.fails(403, "M_FORBIDDEN");
    }

    async fn guests_and_inhibited_logins() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let guest = anonymous.post("/v3/register?kind=guest", json!({})).await.ok();
        let guest = anonymous.logged_in(&guest);
        assert_eq!(guest.get("/v3/account/whoami").await.ok()["is_guest"], true);
        let body = json!({
            "auth": { "type": "m.login.dummy" },
            "username": "alice",
            "password": "password",
            "inhibit_login": true,
        });
        let registered = anonymous.post("/v3/register", body).await.ok();
        assert_eq!(registered["access_token"], Value::Null);
        Client::login(&server, "alice").await;
    }

    async fn a_guest_becomes_a_user_of_the_same_name() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let anonymous = Client::anonymous(&server);
        let guests = (
            anonymous.post("/v3/register?kind=guest", json!({})).await.ok(),
            anonymous.post("/v3/register?kind=guest", json!({})).await.ok(),
        );
        let (guest, other) = (anonymous.logged_in(&guests.0), anonymous.logged_in(&guests.1));
        let alice = Client::register(&server, "alice").await;
        let name = |of: &Client| of.user_id[1..].split(':').next().unwrap().to_owned();
        let body = |username: Option<String>, token: &Client| {
            let mut body = json!({
                "auth": { "type": "m.login.dummy" },
                "password": "password",
                "guest_access_token": token.access_token,
            });
            if let Some(username) = username {
                body["username"] = username.into();
            }
            body
        };
        let refused = anonymous.post("/v3/register", body(None, &guest)).await;
        refused.fails(400, "M_MISSING_PARAM");
        let mut nobody = guest.clone();
        nobody.access_token = Some("nothing".to_owned());
        for (username, token) in [
            (name(&other), &guest),
            ("free".to_owned(), &guest),
            ("alice".to_owned(), &alice),
            (name(&guest), &nobody),
        ] {
            let refused = anonymous.post("/v3/register", body(Some(username), token)).await;
            refused.fails(403, "M_FORBIDDEN");
        }
        // Without a token the name is taken, also by guests.
        let mut without = body(Some(name(&guest)), &guest);
        without["guest_access_token"].take();
        anonymous.post("/v3/register", without).await.fails(400, "M_USER_IN_USE");

        let upgraded = anonymous.post("/v3/register", body(Some(name(&guest)), &guest)).await.ok();
        let user = anonymous.logged_in(&upgraded);
        assert_eq!(user.user_id, guest.user_id);
        assert_eq!(user.get("/v3/account/whoami").await.ok()["is_guest"], Value::Null);
        guest.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        anonymous.post("/v3/register", body(Some(name(&guest)), &user)).await.fails(403, "M_FORBIDDEN");
        assert_eq!(other.get("/v3/account/whoami").await.ok()["is_guest"], true);
        let server = server_over(store, |_| {}).await;
        let user = Client { server: server.clone(), ..user };
        user.post("/v3/createRoom", json!({})).await.ok();
        Client::login(&server, &name(&guest)).await;
    }

    async fn login_by_password_takes_every_identifier_of_the_user() {
        let server = server().await;
        Client::register(&server, "alice").await;
        let anonymous = Client::anonymous(&server);
        let flows = anonymous.get("/v3/login").await.ok();
        assert_eq!(flows["flows"][0]["type"], "m.login.password");
        assert_eq!(flows["flows"][1], json!({ "type": "m.login.token", "get_login_token": true }));
        for identifier in ["alice", "@alice:neurite.test", "Alice", "@Alice:neurite.test"] {
            anonymous.post("/v3/login", password_login(identifier)).await.ok();
        }
        anonymous
            .post("/r0/login", json!({ "type": "m.login.password", "user": "alice", "password": "password" }))
            .await
            .ok();
        for body in [
            password_login("bob"),
            password_login("@alice:elsewhere.test"),
            password_login("not a user"),
            json!({ "type": "m.login.password", "password": "password", "identifier":
                { "type": "m.id.thirdparty", "medium": "email", "address": "a@b.c" } }),
            json!({ "type": "m.login.password", "password": "wrong", "identifier":
                { "type": "m.id.user", "user": "alice" } }),
            json!({ "type": "m.login.token", "token": "nothing" }),
        ] {
            anonymous.post("/v3/login", body).await.fails(403, "M_FORBIDDEN");
        }
        anonymous.post("/v3/login", json!({ "type": "m.login.magic" })).await.fails(400, "M_UNKNOWN");
        anonymous.post("/v3/login", json!({})).await.fails(400, "M_MISSING_PARAM");
        anonymous.post("/v3/login", json!({ "type": 1 })).await.fails(400, "M_BAD_JSON");
        anonymous.post("/v3/login", json!([])).await.fails(400, "M_BAD_JSON");
    }

    async fn a_login_with_a_known_device_replaces_its_tokens() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let mut body = password_login("alice");
        body["device_id"] = json!(alice.device_id);
        let again = alice.post("/v3/login", body).await.ok();
        assert_eq!(again["device_id"], json!(alice.device_id));
        alice.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        alice.logged_in(&again).get("/v3/account/whoami").await.ok();
        Client::anonymous(&server).get("/v3/account/whoami").await.fails(401, "M_MISSING_TOKEN");
    }

    async fn logout_ends_one_device_and_logout_all_every_one() {
        let server = server().await;
        let one = Client::register(&server, "alice").await;
        let two = Client::login(&server, "alice").await;
        let three = Client::login(&server, "alice").await;
        two.post("/v3/logout", json!({})).await.ok();
        two.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        one.get("/v3/account/whoami").await.ok();
        one.send("POST", "/_matrix/client/v3/logout/all", None).await.ok();
        one.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        three.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
    }

    async fn a_refresh_voids_the_old_tokens_once_the_new_ones_are_used() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        Client::register(&server, "alice").await;
        let anonymous = Client::anonymous(&server);
        let mut body = password_login("alice");
        body["refresh_token"] = json!(true);
        let first = anonymous.post("/v3/login", body).await.ok();
        assert!(first["expires_in_ms"].as_u64().unwrap() > 0);
        let refresh = |server: &std::rc::Rc<neurite::Homeserver>, login: &Value| {
            let anonymous = Client::anonymous(server);
            let body = json!({ "refresh_token": login["refresh_token"] });
            async move { anonymous.post("/v3/refresh", body).await }
        };
        let as_client = |tokens: &Value| {
            let mut client = anonymous.logged_in(&first);
            client.access_token = tokens["access_token"].as_str().map(str::to_owned);
            client
        };
        let lost = refresh(&server, &first).await.ok();
        let second = refresh(&server, &first).await.ok();
        // The answer that was lost is void, the first tokens are not.
        as_client(&lost).get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        as_client(&first).get("/v3/account/whoami").await.ok();
        // A restart changes nothing of that.
        let server = server_over(store, |_| {}).await;
        let client = Client { server: server.clone(), ..as_client(&second) };
        client.get("/v3/account/whoami").await.ok();
        let old = Client { server: server.clone(), ..as_client(&first) };
        old.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        refresh(&server, &first).await.fails(401, "M_UNKNOWN_TOKEN");
        refresh(&server, &second).await.ok();
    }

    async fn a_login_token_logs_in_once() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let challenge = alice.post("/v1/login/get_token", json!({})).await;
        assert_eq!(challenge.status, 401);
        let auth = password_auth("alice", &challenge.body["session"]);
        let token = alice.post("/v1/login/get_token", json!({ "auth": auth })).await.ok();
        assert_eq!(token["expires_in_ms"], 120_000);
        let login = json!({ "type": "m.login.token", "token": token["login_token"] });
        let anonymous = Client::anonymous(&server);
        let answer = anonymous.post("/v3/login", login.clone()).await.ok();
        assert_eq!(answer["user_id"], json!(alice.user_id));
        anonymous.post("/v3/login", login).await.fails(403, "M_FORBIDDEN");
    }

    async fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let other = Client::login(&server, "alice").await;
        let mut body = json!({ "new_password": "new" });
        let challenge = alice.post("/v3/account/password", body.clone()).await;
        assert_eq!(challenge.body["flows"], json!([{ "stages": ["m.login.password"] }]));
        let mut wrong = password_auth("alice", &challenge.body["session"]);
        wrong["password"] = json!("wrong");
        body["auth"] = wrong;
        alice.post("/v3/account/password", body.clone()).await.fails(401, "M_FORBIDDEN");
        body["auth"] = password_auth("alice", &challenge.body["session"]);
        // The session is for this request and no other.
        let session = json!({ "auth": body["auth"], "new_password": "else" });
        alice.post("/v3/account/password", session).await.fails(403, "M_FORBIDDEN");
        alice.post("/v3/account/password", body).await.ok();
        alice.get("/v3/account/whoami").await.ok();
        other.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        let anonymous = Client::anonymous(&server);
        anonymous.post("/v3/login", password_login("alice")).await.fails(403, "M_FORBIDDEN");
        let mut login = password_login("alice");
        login["password"] = json!("new");
        anonymous.post("/v3/login", login).await.ok();
    }

    async fn a_deactivated_account_is_gone_but_its_name_stays_taken() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let auth = json!({ "auth": password_login("bob") });
        alice.post("/v3/account/deactivate", auth.clone()).await.fails(403, "M_FORBIDDEN");
        let auth = json!({ "auth": password_login("alice") });
        let answer = alice.post("/v3/account/deactivate", auth).await.ok();
        assert_eq!(answer["id_server_unbind_result"], "success");
        let server = server_over(store, |_| {}).await;
        let alice = Client { server: server.clone(), ..alice };
        alice.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        let anonymous = Client::anonymous(&server);
        anonymous.post("/v3/login", password_login("alice")).await.fails(403, "M_USER_DEACTIVATED");
        let body = json!({ "username": "alice", "password": "p" });
        anonymous.post("/v3/register", body).await.fails(400, "M_USER_IN_USE");
        Client { server, ..bob }.get("/v3/account/whoami").await.ok();
    }

    async fn who_goes_on_with_a_session_need_not_say_again_what_they_asked() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let asked = json!({ "username": "alice", "password": "password", "device_id": "PHONE" });
        let session = anonymous.post("/v3/register", asked).await.body["session"].clone();
        let dummy = json!({ "type": "m.login.dummy", "session": session });
        let registered = anonymous.post("/v3/register", json!({ "auth": dummy })).await.ok();
        assert_eq!(registered["user_id"], "@alice:neurite.test");
        assert_eq!(registered["device_id"], "PHONE");

        let alice = anonymous.logged_in(&registered);
        let bob = Client::register(&server, "bob").await;
        let other = Client::login(&server, "alice").await;
        let third = Client::login(&server, "alice").await;
        let device = format!("/v3/devices/{}", other.device_id);
        for (method, path, body) in [
            ("DELETE", &*device, None),
            ("POST", "/v3/delete_devices", Some(json!({ "devices": [third.device_id] }))),
            ("POST", "/v1/login/get_token", None),
            (
                "POST",
                "/v3/account/password",
                Some(json!({ "new_password": "new", "logout_devices": false })),
            ),
        ] {
            let begun = alice.request(method, path, body.clone()).await;
            assert_eq!(begun.status, 401, "{path}: {begun:?}");
            let auth = password_auth("alice", &begun.body["session"]);
            // Others get nothing of it, with whichever password.
            for username in ["alice", "bob"] {
                let auth = password_auth(username, &begun.body["session"]);
                let answer = bob.request(method, path, Some(json!({ "auth": auth }))).await;
                assert_ne!(answer.status, 200, "{path}: {answer:?}");
            }
            alice.request(method, path, Some(json!({ "auth": auth }))).await.ok();
        }
        for gone in [&other, &third] {
            gone.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        }
        let mut login = password_login("alice");
        login["password"] = json!("new");
        anonymous.post("/v3/login", login).await.ok();
        // What is said again counts, as far as the session is for it.
        let path = "/v3/delete_devices";
        let begun = alice.post(path, json!({ "devices": ["A"] })).await;
        let mut auth = password_auth("alice", &begun.body["session"]);
        auth["password"] = json!("new");
        let body = json!({ "devices": ["B"], "auth": auth });
        alice.post(path, body).await.fails(403, "M_FORBIDDEN");
    }

    async fn a_registration_whose_answer_was_lost_can_be_sent_again() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let register = async |body: &Value| anonymous.post("/v3/register", body.clone()).await;
        let begin = async |body: &Value| register(body).await.body["session"].clone();
        let dummy = |session: &Value| json!({ "type": "m.login.dummy", "session": session });
        for username in [Some("alice"), None] {
            let mut body = json!({ "password": "password" });
            if let Some(username) = username {
                body["username"] = username.into();
            }
            let session = begin(&body).await;
            body["auth"] = dummy(&session);
            // Also while the first is under way.
            let (first, second) = futures::join!(register(&body), register(&body));
            let first = first.ok();
            assert_eq!(second.ok(), first);
            assert_eq!(register(&body).await.ok(), first);
            let user = anonymous.logged_in(&first);
            assert_eq!(user.get("/v3/account/whoami").await.ok()["user_id"], first["user_id"]);
            // Nothing else comes of the session.
            let only_auth = json!({ "auth": dummy(&session) });
            register(&only_auth).await.fails(400, "M_MISSING_PARAM");
            let page = format!(
                "/_matrix/client/v3/auth/m.login.dummy/fallback/web?session={}",
                session.as_str().unwrap()
            );
            anonymous.send("GET", &page, None).await.fails(404, "M_NOT_FOUND");
            let mut other = body.clone();
            other["username"] = json!("alice");
            other["password"] = json!("other");
            register(&other).await.fails(400, "M_USER_IN_USE");
            // An hour later it is too late to ask again.
            server.expire(neurite::platform::unix_millis() + 60 * 60 * 1000).await.unwrap();
            let late = register(&body).await;
            match username {
                Some(_) => drop(late.fails(400, "M_USER_IN_USE")),
                None => assert_ne!(late.ok()["user_id"], first["user_id"]),
            }
        }
        // Who was told what they had asked before, says no more than that when they ask again.
        let session = begin(&json!({ "username": "bob", "password": "password" })).await;
        let only_auth = json!({ "auth": dummy(&session) });
        let first = register(&only_auth).await.ok();
        assert_eq!(register(&only_auth).await.ok(), first);
    }

    async fn a_name_that_was_taken_meanwhile_can_be_replaced_in_the_same_session() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let mut body = json!({ "username": "alice", "password": "password" });
        let session = anonymous.post("/v3/register", body.clone()).await.body["session"].clone();
        Client::register(&server, "alice").await;
        body["auth"] = json!({ "type": "m.login.dummy", "session": session });
        anonymous.post("/v3/register", body.clone()).await.fails(400, "M_USER_IN_USE");
        body["username"] = json!("alice2");
        let registered = anonymous.post("/v3/register", body).await.ok();
        assert_eq!(registered["user_id"], "@alice2:neurite.test");
    }

    async fn a_stage_takes_the_name_that_older_clients_give_and_tells_what_is_completed() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        Client::register(&server, "bob").await;
        let path = "/v1/login/get_token";
        for asked in [json!({}), json!({ "auth": {} }), json!({ "auth": null })] {
            let begun = alice.post(path, asked).await;
            assert_eq!((begun.status, &begun.body["completed"]), (401, &json!([])), "{begun:?}");
        }
        let auth = |user: &str, password: &str| {
            json!({ "auth": { "type": "m.login.password", "user": user, "password": password } })
        };
        let wrong = alice.post(path, auth("alice", "wrong")).await;
        wrong.fails(401, "M_FORBIDDEN");
        for member in ["error", "params", "completed", "flows", "session"] {
            assert!(wrong.body.get(member).is_some(), "{member}: {wrong:?}");
        }
        alice.post(path, auth("bob", "password")).await.fails(403, "M_FORBIDDEN");
        for user in ["alice", "@alice:neurite.test"] {
            alice.post(path, auth(user, "password")).await.ok();
        }
        alice.post(path, json!({ "auth": "none" })).await.fails(400, "M_BAD_JSON");
        alice.post(path, json!([])).await.fails(400, "M_BAD_JSON");
    }
}
