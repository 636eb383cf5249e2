//! The state that clients put together from `/sync` is the server's.

#[path = "support/picture.rs"]
mod picture;
mod support;

use picture::{Follower, events, state_of};
use serde_json::{Value, json};
use support::client::{Client, server};

async fn room(client: &Client, visibility: &str) -> String {
    let state = json!([{
        "type": "m.room.history_visibility", "content": { "history_visibility": visibility },
    }]);
    let request = json!({ "preset": "public_chat", "initial_state": state });
    let made = client.post("/v3/createRoom", request).await.ok();
    made["room_id"].as_str().unwrap().to_owned()
}

async fn act(client: &Client, room: &str, action: &str) {
    client.post(&format!("/v3/rooms/{room}/{action}"), json!({})).await.ok();
}

async fn topic(client: &Client, room: &str, topic: &str) {
    let path = format!("/v3/rooms/{room}/state/m.room.topic");
    client.put(&path, json!({ "topic": topic })).await.ok();
}

async fn say(client: &Client, room: &str, text: &str) {
    let txn = neurite::platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    client.put(&path, json!({ "msgtype": "m.text", "body": text })).await.ok();
}

fn types(list: &Value) -> Vec<&str> {
    events(list).iter().filter_map(|event| event["type"].as_str()).collect()
}

/// How a client may ask for state, beside the filter.
const FORMS: [&str; 4] =
    ["", "&use_state_after=true", "&full_state=true", "&full_state=true&use_state_after=true"];

tests! {
    async fn what_happened_while_somebody_was_away_is_told_to_them() {
        for visibility in ["joined", "invited", "shared"] {
            let server = server().await;
            let alice = Client::register(&server, "alice").await;
            let bob = Client::register(&server, "bob").await;
            let carol = Client::register(&server, "carol").await;
            let room = room(&alice, visibility).await;
            act(&bob, &room, "join").await;
            let mut followers: Vec<_> = FORMS.iter().map(|_| Follower::new(&bob)).collect();
            for bob in &mut followers {
                bob.sync().await;
            }
            act(&bob, &room, "leave").await;
            topic(&alice, &room, "while Bob was away").await;
            act(&carol, &room, "join").await;
            act(&bob, &room, "join").await;
            let state = state_of(&alice, &room).await;
            for (bob, form) in followers.iter_mut().zip(FORMS) {
                bob.sync_with(json!({}), form).await;
                bob.knows(&room, &state);
                let mut anew = Follower::new(bob.client);
                anew.sync_with(json!({}), form).await;
                anew.knows(&room, &state);
            }
        }
    }

    async fn state_that_the_filter_keeps_out_of_the_timeline_is_told_beside_it() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "shared").await;
        for filter in [
            json!({ "types": ["m.room.message"] }),
            json!({ "not_types": ["m.room.topic"] }),
            json!({ "senders": [bob.user_id] }),
            json!({ "not_senders": [alice.user_id] }),
            json!({ "rooms": [] }),
            json!({ "contains_url": true }),
        ] {
            let filter = json!({ "room": { "timeline": filter } });
            let mut followers: Vec<_> = FORMS.iter().map(|_| Follower::new(&alice)).collect();
            for alice in &mut followers {
                alice.sync_with(filter.clone(), "").await;
            }
            say(&alice, &room, "before").await;
            topic(&alice, &room, &filter.to_string()).await;
            say(&alice, &room, "after").await;
            let state = state_of(&alice, &room).await;
            for (alice, form) in followers.iter_mut().zip(FORMS) {
                alice.sync_with(filter.clone(), form).await;
                alice.knows(&room, &state);
                assert_eq!(alice.sync_with(filter.clone(), "").await["rooms"], Value::Null);
            }
        }
        // What the timeline shows is not told twice.
        let mut follower = Follower::new(&alice);
        follower.sync().await;
        topic(&alice, &room, "shown").await;
        let answer = follower.sync().await;
        assert_eq!(answer["rooms"]["join"][&room]["state"], Value::Null);
        assert_eq!(types(&answer["rooms"]["join"][&room]["timeline"]), ["m.room.topic"]);
    }
}
