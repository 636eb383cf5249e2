//! What a user is shown of those whom they ignore, beside `/sync`.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server};

async fn send(client: &Client, room: &str, content: Value) -> String {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

fn relating(body: &str, rel_type: &str, parent: &str) -> Value {
    let mut content = text(body);
    content["m.relates_to"] = json!({ "rel_type": rel_type, "event_id": parent });
    content
}

async fn ignore(client: &Client, whom: Value) {
    let path = format!("/v3/user/{}/account_data/m.ignored_user_list", client.user_id);
    client.put(&path, json!({ "ignored_users": whom })).await.ok();
}

/// The ids of some events.
fn ids(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["event_id"].as_str().unwrap()).collect()
}

/// What messages say, oldest first.
fn said(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().filter_map(|of| of["content"]["body"].as_str()).collect()
}

struct World {
    alice: Client,
    bob: Client,
    room: String,
}

/// A room of Alice's with Bob in it.
async fn world() -> World {
    let server = server().await;
    let alice = Client::register(&server, "alice").await;
    let bob = Client::register(&server, "bob").await;
    let room = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room = room["room_id"].as_str().unwrap().to_owned();
    bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
    World { alice, bob, room }
}

tests! {
    async fn threads_are_told_without_those_who_are_ignored() {
        let World { alice, bob, room } = world().await;
        let root = send(&alice, &room, text("root")).await;
        let first = send(&alice, &room, relating("mine", "m.thread", &root)).await;
        let second = send(&bob, &room, relating("his", "m.thread", &root)).await;
        let other = send(&alice, &room, text("another root")).await;
        send(&bob, &room, relating("only his", "m.thread", &other)).await;
        let his = send(&bob, &room, text("his root")).await;
        send(&alice, &room, relating("below his", "m.thread", &his)).await;
        let thread = async |of: &str| {
            let event = alice.get(&format!("/v3/rooms/{room}/event/{of}")).await.ok();
            let thread = event["unsigned"]["m.relations"]["m.thread"].clone();
            (thread["latest_event"]["event_id"].clone(), thread["count"].clone())
        };
        let roots = async || alice.get(&format!("/v1/rooms/{room}/threads")).await.ok();
        assert_eq!(thread(&root).await, (json!(second), json!(2)));
        assert_eq!(ids(&roots().await["chunk"]), [&his, &other, &root]);

        ignore(&alice, json!({ "@bob:neurite.test": {}, "@alice:neurite.test": {} })).await;
        assert_eq!(thread(&root).await, (json!(first), json!(1)));
        assert_eq!(thread(&other).await, (Value::Null, Value::Null));
        assert_eq!(ids(&roots().await["chunk"]), [&root]);
        // Only for her.
        let event = bob.get(&format!("/v3/rooms/{room}/event/{root}")).await.ok();
        assert_eq!(event["unsigned"]["m.relations"]["m.thread"]["count"], 2);

        ignore(&alice, json!({})).await;
        assert_eq!(thread(&root).await, (json!(second), json!(2)));
        assert_eq!(thread(&other).await.1, json!(1));
    }

    async fn lists_of_events_leave_out_messages_and_keep_state() {
        let World { alice, bob, room } = world().await;
        let parent = send(&alice, &room, text("the wall")).await;
        let own = send(&alice, &room, relating("my wall", "m.reference", &parent)).await;
        send(&bob, &room, relating("his wall", "m.reference", &parent)).await;
        let topic = json!({ "displayname": "Robert", "membership": "join" });
        let member = format!("/v3/rooms/{room}/state/m.room.member/{}", bob.user_id);
        let member = bob.put(&member, topic).await.ok();
        let last = send(&alice, &room, text("last")).await;
        ignore(&alice, json!({ "@bob:neurite.test": {} })).await;

        let messages = alice.get(&format!("/v3/rooms/{room}/messages?dir=b&limit=50")).await.ok();
        assert_eq!(said(&messages["chunk"]), ["last", "my wall", "the wall"]);
        assert!(ids(&messages["chunk"]).contains(&member["event_id"].as_str().unwrap()));

        let context = format!("/v3/rooms/{room}/context/{own}?limit=50");
        let context = alice.get(&context).await.ok();
        assert_eq!(said(&context["events_before"]), ["the wall"]);
        assert_eq!(said(&context["events_after"]), ["last"]);
        assert_eq!(ids(&context["events_after"]), [member["event_id"].as_str().unwrap(), &last]);

        let relations = alice.get(&format!("/v1/rooms/{room}/relations/{parent}")).await.ok();
        assert_eq!(ids(&relations["chunk"]), [&own]);
        let parent = alice.get(&format!("/v3/rooms/{room}/event/{parent}")).await.ok();
        let references = &parent["unsigned"]["m.relations"]["m.reference"]["chunk"];
        assert_eq!(ids(references), [&own]);

        let search = async |term: &str| -> Vec<Value> {
            let criteria = json!({ "search_term": term, "event_context": { "after_limit": 5 } });
            let body = json!({ "search_categories": { "room_events": criteria } });
            let found = alice.post("/v3/search", body).await.ok();
            let results = &found["search_categories"]["room_events"]["results"];
            results.as_array().cloned().unwrap_or_default()
        };
        // The index follows the rooms, in their order.
        let indexed = async {
            while search("last").await.is_empty() {
                neurite::platform::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        neurite::platform::timeout(std::time::Duration::from_secs(10), indexed).await.unwrap();
        let results = search("wall").await;
        let found: Vec<_> = results.iter().map(|result| result["result"]["event_id"].as_str()).collect();
        assert!(found.contains(&Some(&own)) && found.len() == 2, "{found:?}");
        for result in &results {
            assert!(!said(&result["context"]["events_after"]).contains(&"his wall"));
        }
    }
}
