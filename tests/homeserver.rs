//! The homeserver through its one door, `Homeserver::fetch`.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::{
    Config, Homeserver,
    config::KeptChanges,
    feed::{Change, Feed, Recording},
    http::Body,
    platform,
    queue::{AckPolicy, ConsumerConfig, Queue, Retention, StreamConfig},
    store::{
        self, Batch, Options, Store,
        memory::{Disk, Fault},
    },
};
use ruma::{RoomId, room_id, server_name};
use serde_json::{Value, json};
use support::{
    client::{Client, password_login, server, server_over},
    place::Place,
};

/// A homeserver with people, messages and a file, whose disk has no more room.
struct Full {
    disk: Disk,
    server: Rc<Homeserver>,
    alice: Client,
    bob: Client,
    room_id: String,
    file: String,
    since: String,
}

impl Full {
    /// Started where there is as much room as `quota` says of what is in use.
    async fn started(quota: impl FnOnce(u64) -> u64) -> Self {
        let disk = Disk::new();
        let options = || Options { reserve_bytes: 64 << 10, ..Options::default() };
        let start =
            async || server_over(Store::open_memory(&disk, options()).await.unwrap(), |_| {}).await;
        let server = start().await;
        let mut alice = Client::register(&server, "alice").await;
        let mut bob = Client::register(&server, "bob").await;
        let room = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
        let room_id = room["room_id"].as_str().unwrap().to_owned();
        bob.post(&format!("/v3/rooms/{room_id}/join"), json!({})).await.ok();
        let upload = alice.send("POST", "/_matrix/media/v3/upload", Some(vec![1; 5000])).await.ok();
        let file = upload["content_uri"].as_str().unwrap().replace("mxc://", "");
        let since = alice.get("/v3/sync").await.ok()["next_batch"].as_str().unwrap().to_owned();
        let devices = json!({ &alice.user_id: { &alice.device_id: { "n": 1 } } });
        bob.put("/v3/sendToDevice/m.x/1", json!({ "messages": devices })).await.ok();
        let mut full = Self { disk: disk.clone(), server, alice, bob, room_id, file, since };
        full.say("hello").await.ok();
        // What the consumers have not done by now is left to do.
        disk.kill();
        disk.set_quota(Some(quota(disk.bytes())));
        full.server = start().await;
        alice = full.alice.clone();
        bob = full.bob.clone();
        (alice.server, bob.server) = (full.server.clone(), full.server.clone());
        Self { alice, bob, ..full }
    }

    async fn say(&self, body: &str) -> support::client::Answer {
        let path = format!("/v3/rooms/{}/send/m.room.message/{body}", self.room_id);
        self.alice.put(&path, json!({ "msgtype": "m.text", "body": body })).await
    }

    /// That everything is answered that needs to write nothing.
    async fn assert_readable(&self) {
        assert!(self.server.store.is_full());
        for path in ["/v3/sync".to_owned(), format!("/v3/sync?since={}", self.since)] {
            let sync = self.alice.get(&path).await.ok();
            assert_eq!(sync["to_device"]["events"].as_array().map(Vec::len), Some(1), "{path}");
            let timeline = &sync["rooms"]["join"][&self.room_id]["timeline"]["events"];
            let last = timeline.as_array().unwrap().last().unwrap();
            assert_eq!(last["content"]["body"], "hello");
        }
        let seen = self.alice.get("/v3/sync").await.ok();
        let since = seen["next_batch"].as_str().unwrap();
        // It has the message to the device now.
        self.alice.get(&format!("/v3/sync?since={since}")).await.ok();
        let messages = format!("/v3/rooms/{}/messages?dir=b&limit=1", self.room_id);
        let messages = self.bob.get(&messages).await.ok();
        assert_eq!(messages["chunk"][0]["content"]["body"], "hello");
        let download = self.bob.get(&format!("/v1/media/download/{}", self.file)).await;
        assert_eq!(download.status, 200);
    }

    async fn assert_not_writable(&self) {
        self.say("refused").await.fails(507, "M_UNKNOWN");
        let upload = self.alice.send("POST", "/_matrix/media/v3/upload", Some(vec![1; 5000])).await;
        upload.fails(507, "M_UNKNOWN");
        let anonymous = Client::anonymous(&self.server);
        let login = anonymous.post("/v3/login", password_login("alice"));
        login.await.fails(507, "M_UNKNOWN");
    }

    /// That the parts that have something to do wait for room.
    async fn assert_patient(&self) {
        let before = self.disk.operations();
        for _ in 0..200 {
            platform::next_turn().await;
        }
        let operations = self.disk.operations() - before;
        assert!(operations < 100, "{operations}");
    }

    async fn assert_recovers(&self) {
        self.disk.set_quota(None);
        while self.say("refused").await.status != 200 {
            platform::sleep(Duration::from_millis(10)).await;
        }
        assert!(!self.server.store.is_full());
        let search = json!({ "search_categories": { "room_events": { "search_term": "hello" } } });
        let found = async || {
            let found = self.alice.post("/v3/search", search.clone()).await.ok();
            found["search_categories"]["room_events"]["count"] == 1
        };
        // What was not indexed for lack of room is so now.
        while !found().await {}
    }
}

async fn create_room(client: &Client) -> String {
    let made = client.post("/v3/createRoom", json!({})).await.ok();
    made["room_id"].as_str().unwrap().to_owned()
}

async fn send(client: &Client, room: &str, number: usize) {
    let content = json!({ "msgtype": "m.text", "body": "needle" });
    let path = format!("/v3/rooms/{room}/send/m.room.message/{number}");
    client.put(&path, content).await.ok();
}

/// How many messages a search finds.
async fn found(client: &Client) -> usize {
    let search = json!({ "search_categories": { "room_events": { "search_term": "needle" } } });
    let answer = client.post("/v3/search", search).await.ok();
    let found = &answer["search_categories"]["room_events"];
    found["results"].as_array().unwrap().len()
}

tests! {
    async fn with_no_room_at_all_it_starts_and_answers_what_needs_none() {
        let full = Full::started(|_| 0).await;
        full.assert_patient().await;
        full.assert_not_writable().await;
        full.assert_readable().await;
        full.assert_recovers().await;
    }

    async fn with_no_more_room_it_removes_what_people_do_not_want() {
        let full = Full::started(|used| used).await;
        full.assert_not_writable().await;
        full.assert_readable().await;
        let typing = format!("/v3/rooms/{}/typing/{}", full.room_id, full.bob.user_id);
        full.bob.put(&typing, json!({ "typing": true, "timeout": 1000 })).await.ok();
        full.bob.post("/v3/logout", json!({})).await.ok();
        full.bob.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        full.assert_not_writable().await;
        full.assert_recovers().await;
    }

    async fn an_account_is_given_up_without_room() {
        let full = Full::started(|used| used).await;
        let auth = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": "bob" },
            "password": "password",
        });
        let deactivate = json!({ "auth": auth, "erase": true });
        full.bob.post("/v3/account/deactivate", deactivate).await.ok();
        full.bob.get("/v3/account/whoami").await.fails(401, "M_UNKNOWN_TOKEN");
        full.assert_recovers().await;
        full.server.finish_follow_ups().await.unwrap();
        let path = format!("/v3/rooms/{}/joined_members", full.room_id);
        let members = full.alice.get(&path).await.ok();
        assert_eq!(members["joined"].as_object().unwrap().len(), 1);
    }

    async fn positions_do_not_go_back_after_a_write_that_failed() {
        let disk = Disk::new();
        let open = async || {
            let store = Store::open_memory(&disk, Options::default()).await.unwrap();
            (Feed::open(store.clone(), KeptChanges::default()).await.unwrap(), store)
        };
        let change = || Change::Typing { room_id: room_id!("!a:neurite.test").to_owned() };
        let (feed, _store) = open().await;
        // The first position needs a ceiling, which is not written here.
        disk.fault_after(0, Fault::Fail(store::Error::QuotaExceeded));
        feed.announce(change()).await.unwrap_err();
        let position = feed.announce(change()).await.unwrap();
        disk.kill();
        let (feed, _store) = open().await;
        assert!(feed.announce(change()).await.unwrap() > position);
    }

    async fn positions_are_in_the_order_of_submissions() {
        let store = Store::open_memory(&Disk::new(), Options::default()).await.unwrap();
        let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
        let change = |n: usize| Change::Typing { room_id: RoomId::parse(format!("!{n}:x.y")).unwrap() };
        let begun = |n: usize| {
            let mut batch = Batch::new();
            feed.record(&mut batch, change(n));
            batch
        };
        let (first, second) = (begun(1), begun(2));
        let recorded: Vec<_> = first.operations::<Recording>().map(Recording::change).collect();
        assert_eq!(recorded, [&change(1)]);
        // Whatever came in between.
        let position = feed.announce(change(0)).await.unwrap();
        let second = store.submit(second);
        store.commit(first).await.unwrap();
        second.await.unwrap();
        let all = feed.since(position, feed.current()).await.unwrap().unwrap();
        assert_eq!(all, [(position + 1, change(2)), (position + 2, change(1))]);
    }

    async fn consumers_of_older_versions_do_where_there_is_no_room() {
        let disk = Disk::new();
        let open = async || Store::open_memory(&disk, Options::default()).await.unwrap();
        server_over(open().await, |_| {}).await.store.close().await;
        let queue = Queue::open(open().await).await.unwrap();
        for name in ["push", "search"] {
            let config = ConsumerConfig { durable_name: name.into(), ..ConsumerConfig::default() };
            queue.create_consumer("ROOM_EVENTS", config).await.unwrap();
        }
        disk.kill();
        disk.fill_up();
        server_over(open().await, |_| {}).await;
    }

    async fn consumers_of_older_versions_give_up_what_can_not_be_worked_on_too() {
        let place = Place::new();
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

    async fn clients_of_the_queue_do_not_stop_the_homeserver() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = create_room(&alice).await;
        let client = support::nats::Client::new(server.queue.clone());
        for (subject, request) in [
            ("STREAM.UPDATE.ROOM_EVENTS", json!({ "name": "ROOM_EVENTS", "subjects": ["other"] })),
            ("STREAM.DELETE.ROOM_EVENTS", Value::Null),
            ("CONSUMER.DELETE.ROOM_EVENTS.search", Value::Null),
            ("CONSUMER.PAUSE.ROOM_EVENTS.push", json!({ "pause_until": "2100-01-01T00:00:00Z" })),
        ] {
            assert_eq!(client.refusal(subject, request).await, 10051, "{subject}");
        }
        assert_eq!(client.publish("room.event.x", None, &[], "x"), 0);
        // They may listen, and what they do not acknowledge is not kept.
        let consumer = json!({ "durable_name": "app", "ack_policy": "explicit", "deliver_policy": "new" });
        let made = json!({ "stream_name": "ROOM_EVENTS", "config": consumer });
        assert!(client.request("CONSUMER.CREATE.ROOM_EVENTS.app", made).await["error"].is_null());
        let inbox = client.inbox();
        client.publish("$JS.API.CONSUMER.MSG.NEXT.ROOM_EVENTS.app", Some(&inbox.subject), &[], "1");
        send(&alice, &room, 0).await;
        let heard: Value = serde_json::from_slice(&inbox.next().await.payload).unwrap();
        assert_eq!(heard["room_id"], room);
        assert_eq!(found(&alice).await, 1);
        while server.queue.stream_info("ROOM_EVENTS").await.unwrap().state.messages > 0 {
            platform::next_turn().await;
        }
    }

    async fn a_start_puts_right_what_clients_of_the_queue_changed_before() {
        let place = Place::new();
        let before = server_over(place.open().await, |_| {}).await;
        let alice = Client::register(&before, "alice").await;
        let room = create_room(&alice).await;
        for change in 0..5 {
            let queue = Queue::open(place.open().await).await.unwrap();
            let stream = |subject: &str| StreamConfig {
                name: "ROOM_EVENTS".into(),
                subjects: vec![subject.into()],
                retention: Retention::Interest,
                ..StreamConfig::default()
            };
            let consumer = |name: &str| ConsumerConfig { durable_name: name.into(), ..ConsumerConfig::default() };
            match change {
                0 => drop(queue.update_stream(StreamConfig { sealed: true, ..stream("other") }).await.unwrap()),
                1 => queue.delete_stream("ROOM_EVENTS").await.unwrap(),
                2 => queue.delete_consumer("ROOM_EVENTS", "search").await.unwrap(),
                3 => {
                    queue.delete_consumer("ROOM_EVENTS", "push").await.unwrap();
                    let other = ConsumerConfig { ack_policy: AckPolicy::None, ..consumer("push") };
                    queue.create_consumer("ROOM_EVENTS", other).await.unwrap();
                }
                _ => drop(queue.create_consumer("ROOM_EVENTS", consumer("client")).await.unwrap()),
            }
            let server = server_over(place.open().await, |_| {}).await;
            let alice = Client { server: server.clone(), ..alice.clone() };
            send(&alice, &room, change).await;
            assert_eq!(found(&alice).await, change + 1, "{change}");
            let events = server.queue.stream_info("ROOM_EVENTS").await.unwrap();
            let consumers: Vec<_> = events.consumers.iter().map(|consumer| &*consumer.name).collect();
            let expected: &[&str] = if change < 4 { &["push", "search"] } else { &["client", "push", "search"] };
            assert_eq!(consumers, expected, "{change}");
            assert_eq!(events.config.subjects, ["room.event.*"], "{change}");
        }
    }

    async fn rooms_and_accounts_are_counted_as_they_come() {
        let place = Place::new();
        let counts = async |server: &Homeserver| {
            let status = server.status().await.unwrap();
            (status.rooms, status.users)
        };
        let server = server_over(place.open().await, |_| {}).await;
        assert_eq!(counts(&server).await, (0, 0));
        let alice = Client::fast(&server, "alice").await;
        let room = create_room(&alice).await;
        send(&alice, &room, 0).await;
        assert_eq!(counts(&server).await, (1, 1));
        create_room(&alice).await;
        Client::fast(&server, "bob").await;
        assert_eq!(counts(&server).await, (2, 2));
        let server = server_over(place.open().await, |_| {}).await;
        // Somebody comes while it is counted.
        let (before, carol) = futures::join!(counts(&server), Client::fast(&server, "carol"));
        assert!([(2, 2), (2, 3)].contains(&before), "{before:?}");
        create_room(&carol).await;
        assert_eq!(counts(&server).await, (3, 3));
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
