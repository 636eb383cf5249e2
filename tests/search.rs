//! Search, as clients see it.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::{
    client::{Client, server, server_over},
    place::Place,
};

async fn create(client: &Client, body: Value) -> String {
    client.post("/v3/createRoom", body).await.ok()["room_id"].as_str().unwrap().to_owned()
}

async fn send(client: &Client, room: &str, body: &str) -> String {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    let content = json!({ "msgtype": "m.text", "body": body });
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

async fn search(client: &Client, criteria: Value) -> Value {
    search_on(client, criteria, "").await
}

async fn search_on(client: &Client, criteria: Value, query: &str) -> Value {
    let body = json!({ "search_categories": { "room_events": criteria } });
    let answer = client.post(&format!("/v3/search{query}"), body).await.ok();
    answer["search_categories"]["room_events"].clone()
}

fn bodies(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    let body = |result: &Value| result["result"]["content"]["body"].as_str().map(str::to_owned);
    results.iter().filter_map(body).collect()
}

tests! {
    async fn messages_are_found_by_their_words() {
        let place = Place::new();
        let server = server_over(place.open().await, |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let room = create(&alice, json!({ "name": "Crème Club", "topic": "on puddings" })).await;
        for body in ["crème brûlée", "only creme", "creme, creme and brulee", "nothing"] {
            send(&alice, &room, body).await;
        }
        let recent = json!({ "search_term": "Crème BRÛLÉE", "order_by": "recent" });
        let found = search(&alice, recent.clone()).await;
        assert_eq!(bodies(&found), ["creme, creme and brulee", "crème brûlée"]);
        assert_eq!((&found["count"], &found["highlights"]), (&json!(2), &json!(["brulee", "creme"])));
        let best = search(&alice, json!({ "search_term": "creme" })).await;
        assert_eq!(best["results"][0]["result"]["content"]["body"], "creme, creme and brulee");
        let ranks: Vec<_> =
            best["results"].as_array().unwrap().iter().map(|r| r["rank"].as_f64().unwrap()).collect();
        assert!(ranks.is_sorted_by(|a, b| a >= b));
        let names = json!({ "search_term": "creme", "keys": ["content.name"] });
        let names = search(&alice, names).await;
        assert_eq!(names["results"].as_array().unwrap().len(), 1);
        assert_eq!(names["results"][0]["result"]["type"], "m.room.name");
        assert_eq!(bodies(&search(&alice, json!({ "search_term": "…" })).await), [""; 0]);
        // The index outlasts a restart, and goes on.
        let server = server_over(place.open().await, |_| {}).await;
        let alice = Client { server: server.clone(), ..alice };
        send(&alice, &room, "a late creme brulee").await;
        assert_eq!(bodies(&search(&alice, recent).await).len(), 3);
    }

    async fn only_what_the_user_may_see_is_found() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let eve = Client::register(&server, "eve").await;
        let state = json!([{
            "type": "m.room.history_visibility",
            "state_key": "",
            "content": { "history_visibility": "joined" },
        }]);
        let body = json!({ "invite": [bob.user_id], "initial_state": state });
        let room = create(&alice, body).await;
        send(&alice, &room, "secret before").await;
        bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
        let middle = send(&alice, &room, "secret between").await;
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        send(&alice, &room, "secret after").await;
        let criteria = json!({ "search_term": "secret", "order_by": "recent" });
        assert_eq!(bodies(&search(&alice, criteria.clone()).await).len(), 3);
        assert_eq!(bodies(&search(&bob, criteria.clone()).await), ["secret between"]);
        assert_eq!(bodies(&search(&eve, criteria.clone()).await), [""; 0]);
        let path = format!("/v3/rooms/{room}/redact/{middle}/1");
        alice.put(&path, json!({})).await.ok();
        assert_eq!(
            bodies(&search(&alice, criteria.clone()).await),
            ["secret after", "secret before"]
        );
        bob.post(&format!("/v3/rooms/{room}/forget"), json!({})).await.ok();
        assert_eq!(bodies(&search(&bob, criteria).await), [""; 0]);
    }

    async fn results_are_filtered_paged_grouped_and_shown_with_what_is_around_them() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let path = format!("/v3/profile/{}/displayname", alice.user_id);
        alice.put(&path, json!({ "displayname": "Alice" })).await.ok();
        let (one, two) = (create(&alice, json!({})).await, create(&alice, json!({})).await);
        for place in 0..5 {
            send(&alice, &one, &format!("cake {place}")).await;
            send(&alice, &two, "cake elsewhere").await;
        }
        let mut criteria = json!({
            "search_term": "cake",
            "order_by": "recent",
            "filter": { "rooms": [one], "limit": 2 },
            "event_context": { "before_limit": 1, "after_limit": 1, "include_profile": true },
            "groupings": { "group_by": [{ "key": "room_id" }, { "key": "sender" }] },
            "include_state": true,
        });
        let first = search(&alice, criteria.clone()).await;
        assert_eq!(bodies(&first), ["cake 4", "cake 3"]);
        assert_eq!(first["groups"]["room_id"][&one]["results"].as_array().unwrap().len(), 2);
        assert_eq!(first["groups"]["sender"][&alice.user_id]["order"], 1);
        let context = &first["results"][1]["context"];
        assert_eq!(context["events_before"][0]["content"]["body"], "cake 2");
        assert_eq!(context["events_after"][0]["content"]["body"], "cake 4");
        assert_eq!(context["profile_info"][&alice.user_id]["displayname"], "Alice");
        let state = first["state"][&one].as_array().unwrap();
        assert!(state.iter().any(|event| event["type"] == "m.room.create"));
        // What comes in meanwhile moves nothing.
        send(&alice, &one, "cake 5").await;
        let next = format!("?next_batch={}", first["next_batch"].as_str().unwrap());
        let second = search_on(&alice, criteria.clone(), &next).await;
        assert_eq!(bodies(&second), ["cake 2", "cake 1"]);
        let next = format!("?next_batch={}", second["next_batch"].as_str().unwrap());
        let third = search_on(&alice, criteria.clone(), &next).await;
        assert_eq!(bodies(&third), ["cake 0"]);
        assert_eq!(third.get("next_batch"), None);
        criteria["filter"] = json!({ "not_rooms": [one], "senders": [alice.user_id] });
        assert_eq!(bodies(&search(&alice, criteria).await), ["cake elsewhere"; 5]);
        let body = json!({ "search_categories": { "room_events": { "search_term": "cake" } } });
        let bad = alice.post("/v3/search?next_batch=x", body).await;
        bad.fails(400, "M_INVALID_PARAM");
    }

    async fn names_and_topics_are_found_by_their_fields_also_where_messages_are_encrypted() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let encryption = json!({
            "type": "m.room.encryption",
            "state_key": "",
            "content": { "algorithm": "m.megolm.v1.aes-sha2" },
        });
        let body = json!({ "name": "Pastry", "topic": "on pastry", "initial_state": [encryption] });
        let room = create(&alice, body).await;
        let path = format!("/v3/rooms/{room}/send/m.room.encrypted/1");
        let hidden = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "pastry", "body": "pastry" });
        alice.put(&path, hidden).await.ok();
        let types = async |criteria: Value| {
            let found = search(&alice, criteria).await;
            let results = found["results"].as_array().cloned().unwrap_or_default();
            let kind = |result: &Value| result["result"]["type"].as_str().unwrap().to_owned();
            results.iter().map(kind).collect::<Vec<_>>()
        };
        let recent = |term: &str| json!({ "search_term": term, "order_by": "recent" });
        assert_eq!(types(recent("pastry")).await, ["m.room.topic", "m.room.name"]);
        for (key, expected) in [
            ("content.body", &[][..]),
            ("content.name", &["m.room.name"]),
            ("content.topic", &["m.room.topic"]),
        ] {
            let found = types(json!({ "search_term": "pastry", "keys": [key] })).await;
            assert_eq!(found, expected, "{key}");
        }
        // What else is in a content, and of what form, hides nothing.
        let topic = format!("/v3/rooms/{room}/state/m.room.topic");
        let texts = json!([
            { "mimetype": "text/html", "body": "<blink>tarts</blink>" },
            { "body": "tarts" },
            { "mimetype": "text/plain", "body": "strudel" },
        ]);
        let content = json!({ "topic": "tarts", "body": 1, "name": [], "m.topic": { "m.text": texts } });
        alice.put(&topic, content).await.ok();
        let keys = json!(["content.topic"]);
        for term in ["tarts", "strudel", "tarts strudel"] {
            assert_eq!(types(json!({ "search_term": term, "keys": keys })).await, ["m.room.topic"]);
        }
        assert_eq!(types(recent("blink")).await, [""; 0]);
        let only = json!({ "m.topic": { "m.text": [{ "body": "waffles" }] } });
        alice.put(&topic, only).await.ok();
        assert_eq!(types(json!({ "search_term": "waffles", "keys": keys })).await, ["m.room.topic"]);
    }
}
