//! Which rooms `/sync` tells whom of, and what it tells with them.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server};

async fn sync(client: &Client, query: &str) -> Value {
    client.get(&format!("/v3/sync?{query}")).await.ok()
}

async fn since(client: &Client, before: &Value) -> Value {
    sync(client, &format!("since={}", before["next_batch"].as_str().unwrap())).await
}

async fn room(client: &Client, preset: &str, invited: &[&Client]) -> String {
    let invite: Vec<_> = invited.iter().map(|client| &client.user_id).collect();
    let request = json!({ "preset": preset, "name": "Club", "invite": invite });
    let made = client.post("/v3/createRoom", request).await.ok();
    made["room_id"].as_str().unwrap().to_owned()
}

async fn act(client: &Client, room: &str, action: &str, body: Value) {
    client.post(&format!("/v3/rooms/{room}/{action}"), body).await.ok();
}

async fn name(client: &Client, room: &str, name: &str) {
    client.put(&format!("/v3/rooms/{room}/state/m.room.name"), json!({ "name": name })).await.ok();
}

/// Types of state and timeline together.
fn types(part: &Value) -> Vec<&str> {
    ["state", "state_after", "timeline"]
        .iter()
        .filter_map(|list| part[list]["events"].as_array())
        .flatten()
        .filter_map(|event| event["type"].as_str())
        .collect()
}

tests! {
    async fn unread_counts_stand_with_whatever_else_a_room_tells() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = room(&alice, "public_chat", &[]).await;
        let first = sync(&alice, "").await;
        name(&alice, &room, "Other").await;
        let next = since(&alice, &first).await;
        let counts = &next["rooms"]["join"][&room]["unread_notifications"];
        assert_eq!(*counts, json!({ "notification_count": 0, "highlight_count": 0 }));
        assert_eq!(since(&alice, &next).await["rooms"], Value::Null);
    }

    async fn who_was_never_in_a_private_room_is_told_nothing_of_it_but_their_own_membership() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let before = (sync(&bob, "").await, sync(&carol, "").await);
        let room = room(&alice, "private_chat", &[&bob]).await;
        act(&bob, &room, "leave", json!({})).await;
        act(&alice, &room, "ban", json!({ "user_id": carol.user_id })).await;
        for answer in [
            since(&bob, &before.0).await,
            since(&carol, &before.1).await,
            sync(&bob, &format!("filter={}", r#"{"room":{"include_leave":true}}"#.replace('"', "%22"))).await,
        ] {
            let part = &answer["rooms"]["leave"][&room];
            assert!(part["timeline"]["events"].is_array(), "{answer}");
            assert!(types(part).iter().all(|kind| *kind == "m.room.member"), "{part}");
            assert_eq!(part["state"], json!({ "events": [] }));
        }
        let token = before.0["next_batch"].as_str().unwrap();
        let after = sync(&bob, &format!("since={token}&use_state_after=true")).await;
        let state = after["rooms"]["leave"][&room]["state_after"]["events"].as_array().unwrap();
        assert_eq!(state.len(), 1);
        assert_eq!(state[0]["content"]["membership"], "leave");
    }

    async fn who_left_and_declined_to_come_back_is_told_the_state_of_the_leaving() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "private_chat", &[&bob]).await;
        act(&bob, &room, "join", json!({})).await;
        act(&bob, &room, "leave", json!({})).await;
        let left = sync(&bob, "").await;
        name(&alice, &room, "Secret").await;
        act(&alice, &room, "invite", json!({ "user_id": bob.user_id })).await;
        act(&bob, &room, "leave", json!({})).await;
        let token = left["next_batch"].as_str().unwrap();
        for form in ["", "&use_state_after=true"] {
            let filter = r#"{"room":{"timeline":{"limit":1}}}"#.replace('"', "%22");
            let answer = sync(&bob, &format!("since={token}&filter={filter}{form}")).await;
            let part = &answer["rooms"]["leave"][&room];
            assert!(types(part).contains(&"m.room.name"), "{part}");
            assert!(part.to_string().contains("Club"), "{part}");
            assert!(!part.to_string().contains("Secret"), "{part}");
        }
    }

    async fn a_room_left_and_forgotten_reaches_other_devices_with_its_account_data() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let phone = Client::login(&server, "alice").await;
        let room = room(&alice, "public_chat", &[]).await;
        let before = sync(&phone, "").await;
        let tag = format!("/v3/user/{}/rooms/{room}/tags/u.mine", alice.user_id);
        alice.put(&tag, json!({})).await.ok();
        act(&alice, &room, "leave", json!({})).await;
        act(&alice, &room, "forget", json!({})).await;
        let answer = since(&phone, &before).await;
        let part = &answer["rooms"]["leave"][&room];
        assert!(types(part).contains(&"m.room.member"), "{answer}");
        assert_eq!(part["account_data"]["events"][0]["type"], "m.tag");
        assert_eq!(since(&phone, &answer).await["rooms"], Value::Null);
        assert_eq!(sync(&phone, "").await["rooms"], Value::Null);
    }

    async fn the_presence_of_who_comes_to_share_a_room_is_told() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        sync(&bob, "").await;
        let before = sync(&alice, "").await;
        let first = room(&alice, "public_chat", &[]).await;
        let alone = since(&alice, &before).await;
        assert_eq!(alone["presence"], Value::Null);
        act(&bob, &first, "join", json!({})).await;
        let met = since(&alice, &alone).await;
        let events = met["presence"]["events"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["sender"], json!(bob.user_id));
        // The one who joins is told of those who are there.
        let carol = Client::register(&server, "carol").await;
        let before = sync(&carol, "").await;
        act(&carol, &first, "join", json!({})).await;
        let joined = since(&carol, &before).await;
        assert_eq!(joined["presence"]["events"].as_array().map(Vec::len), Some(2), "{joined}");
    }

    async fn presence_tells_names_and_who_does_something() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "public_chat", &[&bob]).await;
        act(&bob, &room, "join", json!({})).await;
        let status = format!("/v3/presence/{}/status", bob.user_id);
        for bad in [json!({ "presence": "asleep" }), json!({ "presence": "" })] {
            bob.put(&status, bad).await.fails(400, "M_INVALID_PARAM");
        }
        for bad in [json!({}), json!({ "presence": 1 }), json!({ "presence": "online", "status_msg": 1 })] {
            bob.put(&status, bad).await.fails(400, "M_BAD_JSON");
        }
        bob.get("/v3/sync?set_presence=asleep").await.fails(400, "M_INVALID_PARAM");
        let away = json!({ "presence": "unavailable" });
        bob.put(&status, away).await.ok();
        let told = async |before: &Value| {
            let answer = since(&alice, before).await;
            let events = answer["presence"]["events"].as_array().cloned().unwrap_or_default();
            let of_bob = events.into_iter().filter(|event| event["sender"] == bob.user_id.as_str());
            (of_bob.map(|event| event["content"].clone()).collect::<Vec<_>>(), answer)
        };
        let say = async || {
            let path = format!("/v3/rooms/{room}/send/m.room.message/{}", neurite::platform::random_string(8));
            bob.put(&path, json!({ "msgtype": "m.text", "body": "I am here" })).await.ok();
        };
        let before = sync(&alice, "").await;
        say().await;
        let (news, before) = told(&before).await;
        assert_eq!((news.len(), &news[0]["presence"], &news[0]["currently_active"]), (1, &json!("online"), &json!(true)));
        assert!(alice.get(&status).await.ok()["last_active_ago"].as_u64().unwrap() < 60_000);
        // While it is so nothing more is told.
        say().await;
        let (news, _) = told(&before).await;
        assert!(news.is_empty(), "{news:?}");
        // Who was away is back, but who says to be offline is not.
        bob.put(&status, json!({ "presence": "unavailable", "status_msg": "lunch" })).await.ok();
        say().await;
        let now = alice.get(&status).await.ok();
        assert_eq!((&now["presence"], &now["status_msg"]), (&json!("online"), &json!("lunch")));
        bob.put(&status, json!({ "presence": "offline" })).await.ok();
        let before = sync(&alice, "").await;
        say().await;
        assert_eq!(alice.get(&status).await.ok()["presence"], "offline");

        for (field, value) in [("displayname", "Bob"), ("avatar_url", "mxc://neurite.test/bob")] {
            let path = format!("/v3/profile/{}/{field}", bob.user_id);
            bob.put(&path, json!({ field: value })).await.ok();
        }
        let (news, _) = told(&before).await;
        assert_eq!((news.len(), &news[0]["displayname"]), (1, &json!("Bob")));
        assert_eq!(news[0]["avatar_url"], "mxc://neurite.test/bob");
    }

    async fn who_does_anything_in_a_room_is_online() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let club = room(&alice, "public_chat", &[]).await;
        let event = alice.put(&format!("/v3/rooms/{club}/send/m.x/1"), json!({})).await.ok();
        let event = event["event_id"].as_str().unwrap();
        for (name, joined, path, body) in [
            ("maker", false, "/v3/createRoom".to_owned(), json!({})),
            ("comer", false, format!("/v3/join/{club}"), json!({})),
            ("joiner", false, format!("/v3/rooms/{club}/join"), json!({})),
            ("reader", true, format!("/v3/rooms/{club}/receipt/m.read/{event}"), json!({})),
            ("marker", true, format!("/v3/rooms/{club}/read_markers"), json!({ "m.read": event })),
            ("leaver", true, format!("/v3/rooms/{club}/leave"), json!({})),
        ] {
            let client = Client::fast(&server, name).await;
            let status = format!("/v3/presence/{}/status", client.user_id);
            if joined {
                act(&client, &club, "join", json!({})).await;
                client.put(&status, json!({ "presence": "unavailable" })).await.ok();
            }
            client.post(&path, body).await.ok();
            let shown = client.get(&status).await.ok();
            assert_eq!(shown["presence"], "online", "{name}");
            assert_eq!(shown["currently_active"], true, "{name}");
        }
        // Who comes is told of to those who are there.
        let before = sync(&alice, "").await;
        let bob = Client::fast(&server, "bob").await;
        act(&bob, &club, "join", json!({})).await;
        let met = since(&alice, &before).await;
        let events = met["presence"]["events"].as_array().unwrap();
        assert_eq!((events.len(), &events[0]["sender"]), (1, &json!(bob.user_id)));
        assert_eq!(events[0]["content"]["presence"], "online");
    }

    // In browsers time can't be made to pass.
    #[cfg(not(target_arch = "wasm32"))]
    async fn who_does_nothing_is_unavailable_after_a_while_and_then_offline() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let club = room(&alice, "public_chat", &[]).await;
        act(&bob, &club, "join", json!({})).await;
        tokio::time::pause();
        let status = format!("/v3/presence/{}/status", bob.user_id);
        let presence = async || alice.get(&status).await.ok()["presence"].clone();
        let at = sync(&alice, "set_presence=offline").await;
        // His client goes on to sync all the time.
        let mut held = sync(&bob, "").await;
        let started = tokio::time::Instant::now();
        let mut shown = Vec::new();
        while started.elapsed().as_secs() < 360 {
            let token = held["next_batch"].as_str().unwrap();
            held = sync(&bob, &format!("since={token}&timeout=30000")).await;
            let now = presence().await;
            if shown.last() != Some(&now) {
                shown.push(now);
            }
        }
        assert_eq!(shown, ["online", "unavailable"]);
        let told = since(&alice, &at).await;
        let mut told = told["presence"]["events"].as_array().unwrap().iter();
        let of_bob = told.find(|event| event["sender"] == json!(bob.user_id)).unwrap();
        assert_eq!(of_bob["content"]["presence"], "unavailable");
        assert_eq!(of_bob["content"]["currently_active"], false);
        // Anything that he does himself brings him back.
        name(&alice, &club, "Other").await;
        act(&bob, &club, "read_markers", json!({})).await;
        assert_eq!(presence().await, "online");
        neurite::platform::sleep(std::time::Duration::from_secs(120)).await;
        assert_eq!(presence().await, "offline");
        sync(&bob, "").await;
        assert_eq!(presence().await, "online");
    }
}
