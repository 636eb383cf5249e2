//! Push rules, notifications and unread counts, as clients see them.

#[macro_use]
mod support;

use std::rc::Rc;

use neurite::Homeserver;
use serde_json::{Value, json};
use support::{
    client::{Client, server, server_over},
    place::Place,
};

async fn on(place: &Place) -> Rc<Homeserver> {
    server_over(place.open().await, |_| {}).await
}

/// The same person after a restart.
fn again(client: &Client, server: &Rc<Homeserver>) -> Client {
    Client { server: server.clone(), ..client.clone() }
}

/// A room with both in it, made by the first.
async fn room(alice: &Client, bob: &Client) -> String {
    let body = json!({ "preset": "private_chat", "invite": [bob.user_id] });
    let room = alice.post("/v3/createRoom", body).await.ok();
    let room = room["room_id"].as_str().unwrap().to_owned();
    bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
    room
}

async fn send(client: &Client, room: &str, content: Value) -> String {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

fn in_thread(root: &str, body: &str) -> Value {
    let mut content = text(body);
    content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    content
}

fn mention(body: &str, user_id: &str) -> Value {
    let mut content = text(body);
    content["m.mentions"] = json!({ "user_ids": [user_id] });
    content
}

fn pusher(key: &str) -> Value {
    json!({
        "app_id": "app", "pushkey": key, "kind": "http", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en",
        "data": { "url": "https://push.example/_matrix/push/v1/notify" },
    })
}

/// Syncs until the newest counts of the room are these: all, highlighted, and of each thread.
async fn unread(client: &Client, room: &str, notifications: u64, highlights: u64, threads: Value) {
    let filter = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
    let path = format!("/v3/user/{}/filter", client.user_id);
    let filter = client.post(&path, filter).await.ok()["filter_id"].as_str().unwrap().to_owned();
    let expected = json!({ "notification_count": notifications, "highlight_count": highlights });
    let mut since = String::new();
    for _ in 0..20 {
        let sync = format!("/v3/sync?filter={filter}&timeout=10000{since}");
        let sync = client.get(&sync).await.ok();
        let joined = &sync["rooms"]["join"][room];
        if joined["unread_notifications"] == expected
            && joined.get("unread_thread_notifications").unwrap_or(&json!({})) == &threads
        {
            return;
        }
        since = format!("&since={}", sync["next_batch"].as_str().unwrap());
    }
    panic!("the counts never were {expected} and {threads}");
}

async fn read(client: &Client, room: &str, event: &str, body: Value) {
    let path = format!("/v3/rooms/{room}/receipt/m.read/{event}");
    client.post(&path, body).await.ok();
}

tests! {
    async fn messages_count_until_they_are_read() {
        let place = Place::new();
        let server = on(&place).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let first = send(&bob, &room, text("one")).await;
        send(&bob, &room, mention("two", &alice.user_id)).await;
        unread(&alice, &room, 2, 1, json!({})).await;
        read(&alice, &room, &first, json!({})).await;
        unread(&alice, &room, 1, 1, json!({})).await;
        // Notices and the user's own messages notify nobody; the counts outlast a restart.
        let mut notice = text("three");
        notice["msgtype"] = "m.notice".into();
        send(&bob, &room, notice).await;
        let last = send(&bob, &room, text("four")).await;
        unread(&alice, &room, 2, 1, json!({})).await;
        let server = on(&place).await;
        let (alice, bob) = (again(&alice, &server), again(&bob, &server));
        unread(&alice, &room, 2, 1, json!({})).await;
        send(&bob, &room, text("five")).await;
        unread(&alice, &room, 3, 1, json!({})).await;
        read(&alice, &room, &last, json!({ "thread_id": "main" })).await;
        unread(&alice, &room, 1, 0, json!({})).await;
        send(&alice, &room, text("I have read it all")).await;
        unread(&alice, &room, 0, 0, json!({})).await;
        unread(&bob, &room, 1, 0, json!({})).await;
    }

    async fn threads_are_counted_apart() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let root = send(&alice, &room, text("root")).await;
        send(&bob, &room, text("main")).await;
        send(&bob, &room, in_thread(&root, "thread")).await;
        let last = send(&bob, &room, in_thread(&root, "thread")).await;
        let two = json!({ "notification_count": 2, "highlight_count": 0 });
        unread(&alice, &room, 1, 0, json!({ &root: two })).await;
        let user_id = ruma::UserId::parse(alice.user_id.as_str()).unwrap();
        let room_id = ruma::RoomId::parse(room.as_str()).unwrap();
        let counts = server.push.unread_counts(&user_id, &room_id);
        assert_eq!(counts.await.unwrap().total().notification_count, 3);
        read(&alice, &room, &last, json!({ "thread_id": root })).await;
        unread(&alice, &room, 1, 0, json!({})).await;
        send(&bob, &room, in_thread(&root, "more")).await;
        let one = json!({ "notification_count": 1, "highlight_count": 0 });
        unread(&alice, &room, 1, 0, json!({ &root: one })).await;
        let end = send(&bob, &room, text("end")).await;
        read(&alice, &room, &end, json!({})).await;
        unread(&alice, &room, 0, 0, json!({})).await;
    }

    async fn what_is_redacted_or_in_a_room_left_is_not_unread() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let root = send(&alice, &room, text("root")).await;
        send(&bob, &room, text("one")).await;
        let two = send(&bob, &room, mention("two", &alice.user_id)).await;
        send(&bob, &room, in_thread(&root, "three")).await;
        let one = json!({ "notification_count": 1, "highlight_count": 0 });
        unread(&alice, &room, 2, 1, json!({ &root: one })).await;
        bob.put(&format!("/v3/rooms/{room}/redact/{two}/1"), json!({})).await.ok();
        unread(&alice, &room, 1, 0, json!({ &root: one })).await;
        alice.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        let user_id = ruma::UserId::parse(alice.user_id.as_str()).unwrap();
        let room_id = ruma::RoomId::parse(room.as_str()).unwrap();
        loop {
            let counts = server.push.unread_counts(&user_id, &room_id).await.unwrap();
            if counts.total().notification_count == 0 && counts.threads.is_empty() {
                break;
            }
            neurite::platform::next_turn().await;
        }
    }

    async fn notifications_are_listed_newest_first() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        for body in ["one", "two", "three"] {
            send(&bob, &room, text(body)).await;
        }
        let last = send(&bob, &room, mention("four", &alice.user_id)).await;
        let page = alice.get("/v3/notifications?limit=3").await.ok();
        let bodies = |page: &Value| -> Vec<String> {
            let all = page["notifications"].as_array().unwrap().iter();
            all.map(|one| one["event"]["content"]["body"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(bodies(&page), ["four", "three", "two"]);
        assert_eq!(page["notifications"][0]["read"], false);
        assert_eq!(page["notifications"][0]["room_id"], room.as_str());
        let next = page["next_token"].as_str().unwrap();
        let rest = alice.get(&format!("/v3/notifications?limit=3&from={next}")).await.ok();
        assert_eq!(bodies(&rest), ["one"]);
        assert_eq!(rest.get("next_token"), None);
        let highlights = alice.get("/v3/notifications?only=highlight").await.ok();
        assert_eq!(bodies(&highlights), ["four"]);
        read(&alice, &room, &last, json!({})).await;
        let page = alice.get("/v3/notifications").await.ok();
        assert_eq!(page["notifications"][0]["read"], true);
        // Bob was notified of his invite.
        let invited = bob.get("/v3/notifications").await.ok();
        assert_eq!(invited["notifications"][0]["event"]["type"], "m.room.member");
        alice.get("/v3/notifications?from=x").await.fails(400, "M_INVALID_PARAM");
    }

    async fn push_rules_are_set_ordered_switched_and_deleted() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let global = "/v3/pushrules/global";
        let all = alice.get("/v3/pushrules/").await.ok();
        assert_eq!(all["global"]["override"][0]["rule_id"], ".m.rule.master");
        let rule = |rule: &str| format!("{global}/content/{rule}");
        let body = json!({ "actions": ["notify", { "set_tweak": "highlight" }], "pattern": "cake" });
        alice.put(&rule("one"), body.clone()).await.ok();
        alice.put(&rule("two"), body.clone()).await.ok();
        alice.put(&format!("{}?after=one", rule("three")), body.clone()).await.ok();
        alice.put(&format!("{}?before=one", rule("four")), body.clone()).await.ok();
        let content = alice.get(&format!("{global}/")).await.ok();
        let content = content["global"].as_object().map_or(content["content"].clone(), |global| global["content"].clone());
        let ids: Vec<_> = content.as_array().unwrap().iter().map(|r| &r["rule_id"]).collect();
        assert_eq!(ids[..4], ["two", "four", "one", "three"]);
        // A rule that is there moves to where it is asked to be.
        let order = async || {
            let all = alice.get("/v3/pushrules/").await.ok();
            let rules = all["global"]["content"].as_array().unwrap().iter();
            let own = rules.filter(|rule| rule["default"] == false);
            own.map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for (moved, place, expected) in [
            ("two", "after=three", ["four", "one", "three", "two"]),
            ("four", "before=three", ["one", "four", "three", "two"]),
            ("two", "before=one", ["two", "one", "four", "three"]),
            ("three", "after=two", ["two", "three", "one", "four"]),
            ("three", "after=two&before=one", ["two", "three", "one", "four"]),
            ("three", "after=one", ["two", "one", "three", "four"]),
            ("two", "before=four", ["one", "three", "two", "four"]),
            ("two", "before=one", ["two", "one", "three", "four"]),
            ("four", "after=two", ["two", "four", "one", "three"]),
        ] {
            alice.put(&format!("{}?{place}", rule(moved)), body.clone()).await.ok();
            assert_eq!(order().await, expected, "{moved} {place}");
        }
        let itself = format!("{}?after=three", rule("three"));
        alice.put(&itself, body.clone()).await.fails(400, "M_INVALID_PARAM");
        let one = alice.get(&rule("one")).await.ok();
        assert_eq!((&one["pattern"], &one["enabled"], &one["default"]), (&json!("cake"), &json!(true), &json!(false)));

        send(&bob, &room, text("there is cake")).await;
        unread(&alice, &room, 1, 1, json!({})).await;
        let off = json!({ "enabled": false });
        for id in ["one", "two", "three", "four"] {
            alice.put(&format!("{}/enabled", rule(id)), off.clone()).await.ok();
        }
        assert_eq!(alice.get(&format!("{}/enabled", rule("one"))).await.ok(), off);
        send(&bob, &room, text("more cake")).await;
        unread(&alice, &room, 2, 1, json!({})).await;
        let silent = json!({ "actions": [] });
        for kind in ["underride/.m.rule.message", "underride/.m.rule.room_one_to_one"] {
            let path = format!("{global}/{kind}/actions");
            alice.put(&path, silent.clone()).await.ok();
            assert_eq!(alice.get(&path).await.ok(), silent);
        }
        send(&bob, &room, text("a whisper")).await;
        send(&bob, &room, mention("a shout", &alice.user_id)).await;
        unread(&alice, &room, 3, 2, json!({})).await;

        let always = format!("{global}/override/always");
        alice.put(&always, json!({ "actions": [] })).await.ok();
        assert_eq!(alice.get(&always).await.ok()["conditions"], json!([]));
        alice.delete(&always, None).await.ok();
        alice.delete(&rule("one"), None).await.ok();
        alice.get(&rule("one")).await.fails(404, "M_NOT_FOUND");
        alice.delete(&rule("one"), None).await.fails(404, "M_NOT_FOUND");
        let default = format!("{global}/override/.m.rule.master");
        alice.delete(&default, None).await.fails(400, "M_INVALID_PARAM");
        alice.put(&rule(".one"), body.clone()).await.fails(400, "M_INVALID_PARAM");
        alice.put(&format!("{}?before=none", rule("five")), body.clone()).await.fails(400, "M_UNKNOWN");
        alice.put(&format!("{}?after=none", rule("three")), body.clone()).await.fails(400, "M_UNKNOWN");
        alice.get(&rule("three")).await.ok();
        alice.put(&rule("five"), json!({ "actions": [] })).await.fails(400, "M_BAD_JSON");
        alice.put(&format!("{}/enabled", rule("none")), off).await.fails(404, "M_NOT_FOUND");
        // Clients learn of changes by account data.
        let sync = alice.get("/v3/sync").await.ok();
        let types: Vec<_> = sync["account_data"]["events"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect();
        assert!(types.contains(&json!("m.push_rules")));
    }

    async fn push_rules_are_found_by_kind_and_malformed_paths_are_told() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        for base in ["/v3/pushrules", "/r0/pushrules"] {
            let all = alice.get(&format!("{base}/")).await.ok();
            assert_eq!(alice.get(&format!("{base}/global/")).await.ok(), all["global"]);
            for kind in ["override", "underride", "sender", "room", "content"] {
                for end in ["", "/"] {
                    let rules = alice.get(&format!("{base}/global/{kind}{end}")).await.ok();
                    assert_eq!(rules, *all["global"].get(kind).unwrap_or(&json!([])), "{kind}");
                }
            }
            let rule = json!({ "actions": [], "pattern": "cake" });
            for (method, path) in [
                ("GET", ""),
                ("GET", "/global"),
                ("GET", "/device/"),
                ("GET", "/device/override/one"),
                ("GET", "/global/none"),
                ("GET", "/global/none/"),
                ("GET", "/global/none/one"),
                ("GET", "/global/none/one/enabled"),
                ("GET", "/global/content/.m.rule.contains_user_name/none"),
                ("PUT", "/"),
                ("PUT", "/global"),
                ("PUT", "/global/"),
                ("PUT", "/global/content"),
                ("PUT", "/global/content/"),
                ("PUT", "/device/content/one"),
                ("PUT", "/global/none/one"),
                ("PUT", "/global/none/one/enabled"),
                ("PUT", "/global/none/one/actions"),
                ("PUT", "/global/content/a%2Fb"),
                ("PUT", "/global/content/a/b"),
                ("PUT", "/global/content/one/none"),
                ("PUT", "/global/room/one"),
                ("PUT", "/global/sender/one"),
                ("DELETE", "/global/content/"),
                ("DELETE", "/global/none/one"),
                ("DELETE", "/device/content/one"),
            ] {
                let body = match path.rsplit_once('/') {
                    Some((_, "enabled")) => json!({ "enabled": true }),
                    _ => rule.clone(),
                };
                let body = Some(body).filter(|_| method == "PUT");
                let answer = alice.request(method, &format!("{base}{path}"), body).await;
                assert_eq!(answer.status, 400, "{method} {path}: {answer:?}");
            }
            let anonymous = Client::anonymous(&server);
            for path in ["/global/override/", "/device/", "/global/none/one/none"] {
                let answer = anonymous.get(&format!("{base}{path}")).await;
                answer.fails(401, "M_MISSING_TOKEN");
            }
        }
    }

    async fn a_room_rule_may_be_called_by_an_alias() {
        let place = Place::new();
        let server = on(&place).await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let rooms = "/v3/pushrules/global/room";
        let body = json!({ "actions": ["notify"] });
        let rule = |alias: &str| format!("{rooms}/%23{alias}:neurite.test");
        alice.put(&rule("one"), body.clone()).await.ok();
        alice.put(&rule("two"), body.clone()).await.ok();
        alice.put(&format!("{rooms}/{room}?after=%23two:neurite.test"), body.clone()).await.ok();
        alice.put(&format!("{}/enabled", rule("two")), json!({ "enabled": false })).await.ok();
        alice.put(&format!("{}/actions", rule("two")), json!({ "actions": [] })).await.ok();
        let one = json!({
            "rule_id": "#one:neurite.test",
            "default": false,
            "enabled": true,
            "actions": ["notify"],
        });
        let two = json!({
            "rule_id": "#two:neurite.test",
            "default": false,
            "enabled": false,
            "actions": [],
        });
        let of_room =
            json!({ "rule_id": room, "default": false, "enabled": true, "actions": ["notify"] });
        let expected = json!([two, of_room, one]);
        // A restart reads them as they were written.
        let server = on(&place).await;
        let alice = again(&alice, &server);
        assert_eq!(alice.get(rooms).await.ok(), expected);
        assert_eq!(alice.get(&rule("two")).await.ok(), two);
        let enabled = alice.get(&format!("{}/enabled", rule("two"))).await.ok();
        assert_eq!(enabled["enabled"], false);
        let sync = alice.get("/v3/sync").await.ok();
        let data = sync["account_data"]["events"].as_array().unwrap();
        let told = data.iter().find(|event| event["type"] == "m.push_rules").unwrap();
        assert_eq!(told["content"]["global"]["room"], expected);
        alice.delete(&rule("two"), None).await.ok();
        alice.delete(&rule("two"), None).await.fails(404, "M_NOT_FOUND");
        alice.delete(&rule("one"), None).await.ok();
        assert_eq!(alice.get(rooms).await.ok(), json!([of_room]));
    }

    async fn each_kind_of_condition_is_asked() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, &bob).await;
        let is = |key: &str, value: Value| {
            json!({ "kind": "event_property_is", "key": key, "value": value })
        };
        let contains = |value: Value| {
            json!({ "kind": "event_property_contains", "key": "content.list", "value": value })
        };
        let matches = |key: &str, pattern: &str| {
            json!({ "kind": "event_match", "key": key, "pattern": pattern })
        };
        let count = |is: &str| json!({ "kind": "room_member_count", "is": is });
        let may = |key: &str| json!({ "kind": "sender_notification_permission", "key": key });
        let message = json!({
            "msgtype": "m.text", "body": "An Example, alice", "list": ["a", 1, null], "n": 2,
            "m.dots": { "in": true },
        });
        for (conditions, met) in [
            (json!([]), true),
            (json!([matches("content.body", "ex*ple")]), true),
            (json!([matches("content.body", "exam")]), false),
            (json!([matches("content.msgtype", "M.TE??")]), true),
            (json!([matches("content.msgtype", "text")]), false),
            (json!([matches("content.n", "2")]), false),
            (json!([matches("content.missing", "*")]), false),
            (json!([matches("room_id", &room)]), true),
            (json!([matches("sender", "@bob:*"), matches("sender", "@carol:*")]), false),
            (json!([{ "kind": "contains_display_name" }]), true),
            (json!([count("2")]), true),
            (json!([count("<2")]), false),
            (json!([count(">=2"), count("<3")]), true),
            // Bob has the power level 0 and notifies a room with 50.
            (json!([may("room")]), false),
            (json!([is("content.n", json!(2))]), true),
            (json!([is("content.n", json!("2"))]), false),
            (json!([is(r"content.m\.dots.in", json!(true))]), true),
            (json!([contains(json!("a")), contains(json!(1)), contains(json!(null))]), true),
            (json!([contains(json!("1"))]), false),
            (json!([{ "kind": "org.example.unknown" }]), false),
        ] {
            let path = "/v3/pushrules/global/override/asked";
            let actions = json!(["notify", { "set_tweak": "highlight" }]);
            alice.put(path, json!({ "actions": actions, "conditions": conditions })).await.ok();
            send(&bob, &room, message.clone()).await;
            let told = alice.get("/v3/notifications?limit=1").await.ok();
            let actions = told["notifications"][0]["actions"].to_string();
            assert_eq!(actions.contains("highlight"), met, "{conditions}: {actions}");
            alice.delete(path, None).await.ok();
        }
    }

    async fn pushers_are_kept_and_belong_to_one_user_unless_appended() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let pusher = pusher("key");
        alice.post("/v3/pushers/set", pusher.clone()).await.ok();
        let kept = alice.get("/v3/pushers").await.ok();
        assert_eq!(kept["pushers"][0]["device_display_name"], "Phone");
        let mut appended = pusher.clone();
        appended["append"] = true.into();
        bob.post("/v3/pushers/set", appended).await.ok();
        assert_eq!(alice.get("/v3/pushers").await.ok()["pushers"].as_array().unwrap().len(), 1);
        bob.post("/v3/pushers/set", pusher).await.ok();
        assert_eq!(alice.get("/v3/pushers").await.ok()["pushers"], json!([]));
        let delete = json!({ "app_id": "app", "pushkey": "key", "kind": null });
        bob.post("/v3/pushers/set", delete).await.ok();
        assert_eq!(bob.get("/v3/pushers").await.ok()["pushers"], json!([]));
    }

    async fn pushers_have_the_form_of_the_specification() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let set = async |change: &dyn Fn(&mut Value)| {
            let mut body = pusher("key");
            change(&mut body);
            alice.post("/v3/pushers/set", body).await
        };
        for url in [
            "ftp://push.example/_matrix/push/v1/notify",
            "https://push.example/notify",
            "https://push.example/_matrix/push/v1/notify/more",
            "push.example",
            "",
        ] {
            set(&|body| body["data"]["url"] = url.into()).await.fails(400, "M_INVALID_PARAM");
        }
        set(&|body| body["data"] = json!({})).await.fails(400, "M_MISSING_PARAM");
        set(&|body| body["data"]["url"] = 1.into()).await.fails(400, "M_BAD_JSON");
        for kind in ["email", "pigeon"] {
            set(&|body| body["kind"] = kind.into()).await.fails(400, "M_INVALID_PARAM");
        }
        set(&|body| body["kind"] = 1.into()).await.fails(400, "M_BAD_JSON");
        for member in ["kind", "app_id", "pushkey", "app_display_name", "device_display_name", "lang", "data"] {
            let answer = set(&|body| _ = body.as_object_mut().unwrap().remove(member)).await;
            answer.fails(400, "M_MISSING_PARAM");
            assert!(answer.body["error"].as_str().unwrap().contains(member));
        }
        alice.post("/v3/pushers/set", json!({ "kind": null, "app_id": "app" })).await.fails(400, "M_MISSING_PARAM");
        set(&|body| body["pushkey"] = "é".repeat(257).into()).await.fails(400, "M_INVALID_PARAM");
        set(&|body| body["app_id"] = "a".repeat(65).into()).await.fails(400, "M_INVALID_PARAM");
        assert_eq!(alice.get("/v3/pushers").await.ok()["pushers"], json!([]));
        set(&|body| body["pushkey"] = "é".repeat(256).into()).await.ok();
        set(&|body| body["app_id"] = "é".repeat(64).into()).await.ok();
        set(&|body| body["data"]["custom"] = json!({ "kept": true })).await.ok();
        let all = alice.get("/v3/pushers").await.ok();
        let all = all["pushers"].as_array().unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.iter().any(|pusher| pusher["data"]["custom"]["kept"] == true));
    }

    async fn pushers_go_with_the_device_that_set_them() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        bob.post("/v3/pushers/set", pusher("of bob")).await.ok();
        let keys = async || {
            let all = alice.get("/v3/pushers").await.ok();
            let all = all["pushers"].as_array().unwrap().iter();
            all.map(|pusher| pusher["pushkey"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (phone, tablet) = (Client::login(&server, "alice").await, Client::login(&server, "alice").await);
        for (device, key) in [(&alice, "a"), (&phone, "b"), (&tablet, "c"), (&phone, "d")] {
            device.post("/v3/pushers/set", pusher(key)).await.ok();
        }
        // It is whose who set it last.
        tablet.post("/v3/pushers/set", pusher("d")).await.ok();
        phone.post("/v3/logout", json!({})).await.ok();
        assert_eq!(keys().await, ["a", "c", "d"]);
        let mut auth = support::client::password_login("alice");
        let path = format!("/v3/devices/{}", tablet.device_id);
        let challenge = alice.delete(&path, Some(json!({}))).await;
        auth["session"] = challenge.body["session"].clone();
        alice.delete(&path, Some(json!({ "auth": auth }))).await.ok();
        assert_eq!(keys().await, ["a"]);
        let phone = Client::login(&server, "alice").await;
        phone.post("/v3/pushers/set", pusher("b")).await.ok();
        for (stay, left) in [(true, &["a", "b"][..]), (false, &["a"])] {
            let body = |auth: Value| json!({ "new_password": "password", "logout_devices": !stay, "auth": auth });
            alice.post("/v3/account/password", body(support::client::password_login("alice"))).await.ok();
            assert_eq!(keys().await, left);
        }
        alice.post("/v3/logout/all", json!({})).await.ok();
        let alice = Client::login(&server, "alice").await;
        assert_eq!(alice.get("/v3/pushers").await.ok()["pushers"], json!([]));
        assert_eq!(bob.get("/v3/pushers").await.ok()["pushers"].as_array().unwrap().len(), 1);
    }
}
