//! The homeserver through its one door, `Homeserver::fetch`.

mod support;

use neurite::{
    Config, Homeserver,
    client_api::Body,
    queue::{ConsumerConfig, Queue},
};
use ruma::server_name;
use serde_json::Value;
use support::client::{Client, password_login, server};

tests! {
    async fn consumers_of_older_versions_give_up_what_can_not_be_worked_on_too() {
        let place = support::place::Place::new();
        let start = async || {
            let config = Config::new(server_name!("neurite.test").to_owned());
            Homeserver::start(config, place.open().await).await.unwrap()
        };
        start().await;
        let queue = Queue::open(place.open().await).await.unwrap();
        for name in ["push", "search"] {
            let config = ConsumerConfig { durable_name: name.into(), ..ConsumerConfig::default() };
            queue.create_consumer("ROOM_EVENTS", config).await.unwrap();
        }
        let server = start().await;
        for name in ["push", "search"] {
            let info = server.queue.consumer("ROOM_EVENTS", name).unwrap().info();
            assert_eq!(info.config.max_deliver, 4, "{name}");
        }
        let streams = server.status().await.unwrap().streams;
        let events = streams.iter().find(|stream| stream.name == "ROOM_EVENTS").unwrap();
        assert!(events.consumers.iter().all(|consumer| consumer.set_aside == 0));
    }

    async fn versions_are_told_and_unknown_endpoints_are_unrecognized() {
        let config = Config::new(server_name!("neurite.test").to_owned());
        let server = Homeserver::start(config, support::store().await).await.unwrap();
        for (method, path, status) in [
            ("GET", "/_matrix/client/versions", 200),
            ("GET", "/_matrix/client/v3/nothing", 404),
            ("POST", "/_matrix/client/versions", 405),
            ("OPTIONS", "/_matrix/client/v3/nothing", 200),
        ] {
            let request =
                http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = server.fetch(request).await;
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
        }
    }

    async fn every_response_keeps_browsers_from_taking_it_for_something_else() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let upload = async |kind: &str, name: &str| {
            let path = format!("/_matrix/media/v3/upload?filename={name}");
            let request = http::Request::post(path)
                .header("authorization", format!("Bearer {}", alice.access_token.as_deref().unwrap()))
                .header("content-type", kind)
                .body(Body::from(b"alert(1)".to_vec()));
            let body = server.fetch(request.unwrap()).await.into_body().bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let id = body["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
            format!("/_matrix/client/v1/media/download/{id}")
        };
        let (text, script) = (upload("text/plain", "a.txt").await, upload("text/JavaScript; a=b", "a.js").await);
        let html = upload("text/html", "a%0Ab%22.html").await;
        let api = "sandbox; default-src 'none'; frame-ancestors 'none'";
        let media = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
                     style-src 'unsafe-inline'; object-src 'self';";
        let (stored, kept) = ("no-store", "private, max-age=31536000, immutable");
        let login = || Some(password_login("alice").to_string().into_bytes());
        let openid = format!("/_matrix/client/v3/user/{}/openid/request_token", alice.user_id);
        for (method, path, body, status, policy, caching) in [
            ("GET", "/_matrix/client/versions", None, 200, api, stored),
            ("POST", "/_matrix/client/v3/login", login(), 200, api, stored),
            ("POST", "/_matrix/client/v3/register", Some(b"{}".to_vec()), 401, api, stored),
            ("POST", "/_matrix/client/v3/refresh", Some(b"{}".to_vec()), 400, api, stored),
            ("POST", "/_matrix/client/v1/login/get_token", Some(b"{}".to_vec()), 401, api, stored),
            ("POST", &openid, Some(b"{}".to_vec()), 200, api, stored),
            ("GET", "/_matrix/client/v3/nothing", None, 404, api, stored),
            ("OPTIONS", "/_matrix/client/v3/sync", None, 200, api, stored),
            ("GET", "/_matrix/static/client/login/", None, 200, "default-src 'none'; script-src 'nonce-", stored),
            ("GET", "/_matrix/client/v1/media/download/neurite.test/none", None, 404, api, stored),
            ("GET", &text, None, 200, media, kept),
            ("GET", &script, None, 200, media, kept),
            ("GET", &html, None, 200, media, kept),
        ] {
            let answer = alice.send(method, path, body).await;
            let header = |name: &str| answer.headers.get(name).map(|of| of.to_str().unwrap());
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(header("x-content-type-options"), Some("nosniff"), "{method} {path}");
            assert_eq!(header("cache-control"), Some(caching), "{method} {path}");
            assert!(header("content-security-policy").unwrap().starts_with(policy), "{method} {path}");
            assert_eq!(header("access-control-allow-origin"), Some("*"), "{method} {path}");
            let embedded = (caching == kept).then_some("cross-origin");
            assert_eq!(header("cross-origin-resource-policy"), embedded, "{method} {path}");
        }
        for (path, kind, disposition) in [
            (&text, "text/plain", "inline; filename=a.txt"),
            (&script, "application/octet-stream", "attachment; filename=a.js"),
            (&html, "text/html", "attachment; filename="),
        ] {
            let answer = alice.send("GET", path, None).await;
            assert_eq!(answer.headers["content-type"], kind);
            let given = answer.headers["content-disposition"].to_str().unwrap();
            assert!(given.starts_with(disposition), "{given}");
        }
    }

    #[cfg(target_arch = "wasm32")]
    async fn a_clock_before_the_epoch_breaks_nothing() {
        let date = js_sys::global();
        let date = js_sys::Reflect::get(&date, &"Date".into()).unwrap();
        let set = |now: &wasm_bindgen::JsValue| {
            js_sys::Reflect::set(&date, &"now".into(), now).unwrap();
        };
        let real = js_sys::Reflect::get(&date, &"now".into()).unwrap();
        set(&js_sys::Function::new_no_args("return -86400000"));
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.post("/v3/createRoom", serde_json::json!({})).await.ok();
        let room = room["room_id"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/send/m.x/1");
        alice.put(&path, serde_json::json!({})).await.ok();
        alice.get("/v3/sync").await.ok();
        set(&real);
    }
}
