//! `/events` and `/initialSync`, which clients used before `/sync`, and peeking.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server};

async fn create(client: &Client, body: Value) -> String {
    let room = client.post("/v3/createRoom", body).await.ok();
    room["room_id"].as_str().unwrap().to_owned()
}

async fn say(client: &Client, room: &str, body: &str) -> String {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    let content = json!({ "msgtype": "m.text", "body": body });
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

async fn join(client: &Client, room: &str) {
    client.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
}

/// What messages say, in their order.
fn said(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().filter_map(|of| of["content"]["body"].as_str()).collect()
}

fn types(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// The room of that id among those that are told.
fn room<'a>(answer: &'a Value, room: &str) -> Option<&'a Value> {
    answer["rooms"].as_array().unwrap().iter().find(|info| info["room_id"] == room)
}

tests! {
    async fn events_are_told_as_they_come() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let shared = create(&alice, json!({ "preset": "public_chat" })).await;
        let hidden = create(&alice, json!({})).await;
        join(&bob, &shared).await;
        let start = bob.get("/v3/events?timeout=0").await.ok();
        assert_eq!(start["chunk"], json!([]));
        assert_eq!(start["start"], start["end"]);
        let path = format!("/v3/events?from={}&timeout=30000", start["end"].as_str().unwrap());
        // It wakes for what concerns him, and only for that.
        let speak = async {
            say(&alice, &hidden, "not for bob").await;
            say(&alice, &shared, "one").await;
        };
        let (first, ()) = futures::join!(bob.get(&path), speak);
        let first = first.ok();
        assert_eq!(said(&first["chunk"]), ["one"]);
        assert_eq!(first["chunk"][0]["room_id"], json!(shared));
        assert_eq!(first["start"], start["end"]);
        say(&alice, &shared, "two").await;
        let path = format!("/v3/events?from={}", first["end"].as_str().unwrap());
        let next = bob.get(&path).await.ok();
        assert_eq!(said(&next["chunk"]), ["two"]);
        // The same token, the same events.
        let path = format!("/v3/events?from={}&timeout=0", start["end"].as_str().unwrap());
        assert_eq!(said(&bob.get(&path).await.ok()["chunk"]), ["one", "two"]);
        for wrong in ["from=nonsense", "from=s999999", "timeout=soon", "room_id=here"] {
            bob.get(&format!("/v3/events?{wrong}")).await.fails(400, "M_INVALID_PARAM");
        }
        Client::anonymous(&server).get("/v3/events").await.fails(401, "M_MISSING_TOKEN");
    }

    async fn a_room_that_everybody_may_read_can_be_looked_into() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let guest = Client::anonymous(&server).post("/v3/register?kind=guest", json!({})).await;
        let guest = Client::anonymous(&server).logged_in(&guest.ok());
        let visible = json!({ "history_visibility": "world_readable" });
        let open = create(&alice, json!({
            "initial_state": [{ "type": "m.room.history_visibility", "content": visible }],
        })).await;
        let closed = create(&alice, json!({})).await;
        say(&alice, &open, "before").await;
        for peeker in [&bob, &guest] {
            let info = peeker.get(&format!("/v3/rooms/{open}/initialSync")).await.ok();
            assert_eq!(info["room_id"], json!(open));
            assert_eq!(info.get("membership"), None);
            assert_eq!(info["visibility"], "private");
            assert_eq!(said(&info["messages"]["chunk"]), ["before"]);
            assert!(types(&info["state"]).contains(&"m.room.power_levels"));
            let end = info["messages"]["end"].as_str().unwrap();
            let path = format!("/v3/events?room_id={open}&from={end}");
            let (heard, _) = futures::join!(peeker.get(&path), say(&alice, &open, "now"));
            assert_eq!(said(&heard.ok()["chunk"]), ["now"]);
            for path in [
                format!("/v3/rooms/{closed}/initialSync"),
                format!("/v3/events?room_id={closed}&timeout=0"),
            ] {
                peeker.get(&path).await.fails(403, "M_FORBIDDEN");
            }
            // For the next one as it was.
            let last = alice.get(&format!("/v3/rooms/{open}/messages?dir=b&limit=1")).await.ok();
            let last = last["chunk"][0]["event_id"].as_str().unwrap().to_owned();
            alice.put(&format!("/v3/rooms/{open}/redact/{last}/{last}"), json!({})).await.ok();
        }
        for path in ["/v3/events?timeout=0", "/v3/initialSync", "/v3/events/$event"] {
            guest.get(path).await.fails(403, "M_GUEST_ACCESS_FORBIDDEN");
        }
    }

    async fn everything_of_a_user_is_told_at_once() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let mallory = Client::register(&server, "mallory").await;
        let public = json!({ "preset": "public_chat", "visibility": "public" });
        let joined = create(&alice, public.clone()).await;
        join(&bob, &joined).await;
        for body in ["one", "two", "three"] {
            say(&alice, &joined, body).await;
        }
        let tag = format!("/v3/user/{}/rooms/{joined}/tags/u.work", bob.user_id);
        bob.put(&tag, json!({ "order": 1.0 })).await.ok();
        let left = create(&alice, public).await;
        join(&bob, &left).await;
        say(&alice, &left, "while bob was here").await;
        bob.post(&format!("/v3/rooms/{left}/leave"), json!({})).await.ok();
        say(&alice, &left, "after bob").await;
        let invited = create(&alice, json!({ "invite": [bob.user_id] })).await;
        let unwanted = create(&mallory, json!({ "invite": [bob.user_id] })).await;
        let ignored = json!({ "ignored_users": { &mallory.user_id: {} } });
        let list = format!("/v3/user/{}/account_data/m.ignored_user_list", bob.user_id);
        bob.put(&list, ignored.clone()).await.ok();

        let all = bob.get("/v3/initialSync?limit=2").await.ok();
        let info = room(&all, &joined).unwrap();
        assert_eq!((&info["membership"], &info["visibility"]), (&json!("join"), &json!("public")));
        assert_eq!(said(&info["messages"]["chunk"]), ["two", "three"]);
        assert_eq!(info["account_data"][0]["type"], "m.tag");
        assert_eq!(info["account_data"][0]["content"]["tags"]["u.work"]["order"], 1.0);
        assert_eq!(types(&info["state"]).iter().filter(|kind| **kind == "m.room.member").count(), 2);
        let before = info["messages"]["start"].as_str().unwrap();
        let path = format!("/v3/rooms/{joined}/messages?dir=b&limit=1&from={before}");
        assert_eq!(said(&bob.get(&path).await.ok()["chunk"]), ["one"]);
        let info = room(&all, &invited).unwrap();
        assert_eq!(info["membership"], "invite");
        assert_eq!(info["invite"]["content"]["membership"], "invite");
        assert_eq!((info.get("messages"), info.get("state")), (None, None));
        assert!(room(&all, &unwanted).is_none() && room(&all, &left).is_none());
        let data = all["account_data"].as_array().unwrap();
        assert!(data.iter().any(|data| data["content"] == ignored));
        assert!(data.iter().any(|data| data["type"] == "m.push_rules"));
        assert!(all["presence"].is_array());

        let archived = bob.get("/v3/initialSync?archived=true").await.ok();
        let info = room(&archived, &left).unwrap();
        assert_eq!(info["membership"], "leave");
        let chunk = &info["messages"]["chunk"];
        assert_eq!(said(chunk), ["while bob was here"]);
        assert_eq!(types(chunk).last(), Some(&"m.room.member"));

        let event = say(&alice, &joined, "news").await;
        let path = format!("/v3/events?from={}", all["end"].as_str().unwrap());
        assert_eq!(said(&bob.get(&path).await.ok()["chunk"]), ["news"]);
        let one = bob.get(&format!("/v3/events/{event}")).await.ok();
        assert_eq!(one["content"]["body"], "news");
        assert_eq!(one["room_id"], json!(joined));
        mallory.get(&format!("/v3/events/{event}")).await.fails(404, "M_NOT_FOUND");
        bob.get("/v3/events/nothing").await.fails(404, "M_NOT_FOUND");
    }
}
