//! The pages for what a client can't do itself.

#[macro_use]
mod support;

use std::rc::Rc;

use neurite::{Homeserver, config::Registration, http::Body};
use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

/// A page as a browser gets it: status, type and HTML.
async fn page(server: &Rc<Homeserver>, path: &str, form: Option<&str>) -> (u16, String, String) {
    let request = http::Request::builder().uri(path);
    let request = match form {
        Some(form) => request.method("POST").body(Body::from(form.as_bytes().to_vec())),
        None => request.body(Body::empty()),
    };
    let response = server.fetch(request.unwrap()).await;
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let body = response.into_body().bytes().await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

/// The HTML of a page that is there.
async fn html(server: &Rc<Homeserver>, path: &str, form: Option<&str>) -> String {
    let (status, kind, html) = page(server, path, form).await;
    assert_eq!((status, &*kind), (200, "text/html; charset=utf-8"), "{html}");
    html
}

fn stage(stage: &str, session: &Value) -> String {
    let session = session.as_str().unwrap();
    format!("/_matrix/client/v3/auth/{stage}/fallback/web?session={session}")
}

fn is_done(html: &str) -> bool {
    html.contains("postMessage(\"authDone\", \"*\")") && html.contains("window.onAuthDone()")
}

tests! {
    async fn the_login_page_brings_all_that_it_needs() {
        let server = server().await;
        for path in [
            "/_matrix/static/client/login/",
            "/_matrix/static/client/login",
            "/_matrix/static/client/login/?device_id=PHONE",
        ] {
            let html = html(&server, path, None).await;
            assert!(html.contains("<html lang=\"en\">"));
            assert!(html.contains("window.matrixLogin"));
            assert!(html.contains("<label for=\"password\">"));
            assert!(!html.contains("src="));
            assert!(!html.contains("{nonce}") && !html.contains("{body}"));
        }
        let request = http::Request::get("/_matrix/static/client/login/");
        let response = server.fetch(request.body(Body::empty()).unwrap()).await;
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"));
    }

    async fn the_stages_of_a_registration_can_be_completed_on_their_pages() {
        let store = support::store().await;
        let token = |config: &mut neurite::Config| {
            config.registration = Registration::Token("let me in & stay".to_owned());
        };
        let open = server().await;
        let closed = server_over(store, token).await;
        for (server, kind, wrong, right) in [
            (&open, "m.login.dummy", None, ""),
            (
                &closed,
                "m.login.registration_token",
                Some("token=let+me"),
                "token=let+me+in+%26+stay",
            ),
        ] {
            let anonymous = Client::anonymous(server);
            let mut body = json!({ "username": "alice", "password": "password" });
            let session = anonymous.post("/v3/register", body.clone()).await.body["session"].clone();
            let path = stage(kind, &session);
            assert!(!is_done(&html(server, &path, None).await));
            body["auth"] = json!({ "session": session });
            assert_eq!(anonymous.post("/v3/register", body.clone()).await.status, 401);
            if let Some(wrong) = wrong {
                let again = html(server, &path, Some(wrong)).await;
                assert!(again.contains("The registration token is not valid") && !is_done(&again));
            }
            assert!(is_done(&html(server, &path, Some(right)).await));
            assert!(is_done(&html(server, &path, None).await));
            anonymous.post("/v3/register", body).await.ok();
        }
    }

    async fn a_password_can_be_given_on_a_page() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        Client::register(&server, "bob").await;
        let other = Client::login(&server, "alice").await;
        let path = format!("/v3/devices/{}", other.device_id);
        let session = alice.delete(&path, Some(json!({}))).await.body["session"].clone();
        let page = stage("m.login.password", &session);
        assert!(html(&server, &page, None).await.contains("value=\"@alice:neurite.test\""));
        // It is about this account, whatever the form says.
        for wrong in ["", "password=", "password=wrong", "user=bob&password="] {
            let again = html(&server, &page, Some(wrong)).await;
            assert!(again.contains("Invalid username or password") && !is_done(&again));
        }
        assert!(is_done(&html(&server, &page, Some("password=password")).await));
        let auth = json!({ "auth": { "session": session } });
        alice.delete(&path, Some(auth)).await.ok();
        other.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
    }

    async fn a_session_confirms_nothing_for_others_than_who_began_it() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let bobs_other = Client::login(&server, "bob").await;
        let device = format!("/v3/devices/{}", alice.device_id);
        let signing_key = |client: &Client, key: &str| {
            json!({ "master_key": {
                "user_id": client.user_id,
                "usage": ["master"],
                "keys": { format!("ed25519:{key}"): key },
            } })
        };
        let replaced = "rm3yl6GHfY2ZRJ8OjSLzYYbIKmxJ8fJC3yOXcIqZ6gw";
        for client in [&alice, &bob] {
            let key = signing_key(client, "xaOUG9mdJY8FW8pAjzpJKEMPOxrQtFkr3KeJqzyGVys");
            client.post("/v3/keys/device_signing/upload", key).await.ok();
        }
        for (method, path, body) in [
            ("POST", "/v3/account/password", json!({ "new_password": "new" })),
            ("POST", "/v3/account/deactivate", json!({})),
            ("DELETE", &*device, json!({})),
            ("POST", "/v3/delete_devices", json!({ "devices": [alice.device_id] })),
            ("POST", "/v1/login/get_token", json!({})),
            ("POST", "/v3/keys/device_signing/upload", signing_key(&alice, replaced)),
        ] {
            let own = match path.ends_with("upload") {
                true => signing_key(&bob, replaced),
                false => body.clone(),
            };
            let begun = bob.request(method, path, Some(own)).await;
            assert_eq!(begun.status, 401, "{path}: {begun:?}");
            let session = &begun.body["session"];
            let page = stage("m.login.password", session);
            assert!(is_done(&html(&server, &page, Some("password=password")).await));
            let with = |auth: Value| {
                let mut body = body.clone();
                body["auth"] = auth;
                Some(body)
            };
            // Neither for another user nor on another device.
            for client in [&alice, &bobs_other] {
                let answer = client.request(method, path, with(json!({ "session": session }))).await;
                answer.fails(403, "M_FORBIDDEN");
            }
            // Nor does the password of one user confirm what another asks.
            let begun = alice.request(method, path, Some(body.clone())).await;
            let mut auth = password_login("bob");
            auth["session"] = begun.body["session"].clone();
            alice.request(method, path, with(auth)).await.fails(403, "M_FORBIDDEN");
        }
        alice.get("/v3/account/whoami").await.ok();
        Client::login(&server, "alice").await;
    }

    async fn a_session_confirms_one_request() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let path = "/v1/login/get_token";
        let session = alice.post(path, json!({})).await.body["session"].clone();
        let page = stage("m.login.password", &session);
        assert!(is_done(&html(&server, &page, Some("password=password")).await));
        let body = json!({ "auth": { "session": session } });
        alice.post(path, body.clone()).await.ok();
        assert_eq!(alice.post(path, body).await.status, 401);
        alice.send("GET", &page, None).await.fails(404, "M_NOT_FOUND");
    }

    async fn pages_are_there_only_for_what_a_session_asks_for() {
        let server = server().await;
        let anonymous = Client::anonymous(&server);
        let session = anonymous.post("/v3/register", json!({})).await.body["session"].clone();
        let at = |path: String| {
            let anonymous = &anonymous;
            async move { anonymous.send("GET", &path, None).await }
        };
        let dummy = stage("m.login.dummy", &session);
        at(dummy.replace("?session=", "?other=")).await.fails(400, "M_MISSING_PARAM");
        at(format!("{dummy}x")).await.fails(404, "M_NOT_FOUND");
        for kind in ["m.login.password", "m.login.recaptcha", "org.example"] {
            at(stage(kind, &session)).await.fails(404, "M_UNRECOGNIZED");
            let path = stage(kind, &session);
            anonymous.send("POST", &path, Some(vec![])).await.fails(404, "M_UNRECOGNIZED");
        }
        anonymous.send("PUT", &dummy, None).await.fails(405, "M_UNRECOGNIZED");
    }
}
