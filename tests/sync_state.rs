//! The state that clients put together from `/sync` is the server's.

#[path = "support/picture.rs"]
mod picture;
#[macro_use]
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
        assert_eq!(answer["rooms"]["join"][&room]["state"], json!({ "events": [] }));
        assert_eq!(types(&answer["rooms"]["join"][&room]["timeline"]), ["m.room.topic"]);
        // What it shows is told as it was before.
        topic(&alice, &room, "in the gap").await;
        topic(&alice, &room, "after the gap").await;
        let filter = json!({ "room": { "timeline": { "limit": 1 } } });
        let answer = follower.sync_with(filter, "").await;
        let part = &answer["rooms"]["join"][&room];
        for (list, value) in [("state", "in the gap"), ("timeline", "after the gap")] {
            assert_eq!(types(&part[list]), ["m.room.topic"]);
            assert_eq!(part[list]["events"][0]["content"]["topic"], value);
        }
    }

    async fn a_timeline_is_cut_where_it_would_leave_a_client_with_the_wrong_state() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "shared").await;
        act(&bob, &room, "join").await;
        let power = json!({ "users": { &bob.user_id: 100 } });
        alice.put(&format!("/v3/rooms/{room}/state/m.room.power_levels"), power).await.ok();
        let filter = json!({ "room": { "timeline": { "senders": [alice.user_id] } } });
        let mut follower = Follower::new(&alice);
        follower.sync_with(filter.clone(), "").await;
        say(&alice, &room, "one").await;
        topic(&alice, &room, "by Alice").await;
        say(&alice, &room, "two").await;
        topic(&bob, &room, "by Bob").await;
        let state = state_of(&alice, &room).await;
        let after = follower.ask(&filter, "&use_state_after=true").await;
        assert_eq!(events(&after["rooms"]["join"][&room]["timeline"]).len(), 3);
        let answer = follower.sync_with(filter, "").await;
        follower.knows(&room, &state);
        let timeline = &answer["rooms"]["join"][&room]["timeline"];
        assert_eq!(types(timeline), ["m.room.message"]);
        assert_eq!(timeline["limited"], true);
        // What was cut off is to be had where the timeline begins.
        let from = timeline["prev_batch"].as_str().unwrap();
        let before = alice.get(&format!("/v3/rooms/{room}/messages?dir=b&limit=2&from={from}")).await.ok();
        assert_eq!(types(&json!({ "events": before["chunk"] })), ["m.room.topic", "m.room.message"]);
    }

    async fn who_joins_does_not_take_for_members_those_who_left_unseen() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = room(&alice, "shared").await;
        act(&bob, &room, "join").await;
        let path = format!("/v3/rooms/{room}/state/m.room.history_visibility");
        alice.put(&path, json!({ "history_visibility": "joined" })).await.ok();
        act(&bob, &room, "leave").await;
        act(&carol, &room, "join").await;
        let mut follower = Follower::new(&carol);
        follower.sync().await;
        follower.knows(&room, &state_of(&carol, &room).await);
    }

    async fn an_invite_that_was_declined_is_told_whatever_the_timeline_shows() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "shared").await;
        let mut follower = Follower::new(&bob);
        follower.sync().await;
        let invite = json!({ "user_id": bob.user_id });
        alice.post(&format!("/v3/rooms/{room}/invite"), invite).await.ok();
        act(&bob, &room, "leave").await;
        let state = state_of(&alice, &room).await;
        let filter = json!({ "room": { "timeline": { "types": ["m.room.message"] } } });
        follower.sync_with(filter, "").await;
        let own = ("m.room.member".to_owned(), bob.user_id.clone());
        follower.knows(&room, &[(own.clone(), state[&own].clone())].into());
    }

    async fn members_loaded_lazily_are_told_again_once_they_have_changed() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        for visibility in ["joined", "shared"] {
            let room = room(&alice, visibility).await;
            act(&bob, &room, "join").await;
            act(&carol, &room, "join").await;
            let lazy = json!({ "room": {
                "state": { "lazy_load_members": true }, "timeline": { "types": ["m.room.message"] },
            }});
            let mut followers: Vec<_> = FORMS.iter().map(|_| Follower::new(&bob)).collect();
            say(&carol, &room, "here").await;
            for bob in &mut followers {
                bob.sync_with(lazy.clone(), "").await;
            }
            // As part of the whole state, ...
            let name = format!("/v3/profile/{}/displayname", carol.user_id);
            carol.put(&name, json!({ "displayname": visibility })).await.ok();
            for (bob, form) in followers.iter_mut().zip(FORMS) {
                bob.sync_with(lazy.clone(), form).await;
                bob.knows(&room, &state_of(&alice, &room).await);
            }
            // ... and to somebody who comes back.
            act(&bob, &room, "leave").await;
            for bob in &mut followers {
                bob.sync_with(lazy.clone(), "").await;
            }
            act(&carol, &room, "leave").await;
            act(&bob, &room, "join").await;
            for (bob, form) in followers.iter_mut().zip(FORMS) {
                bob.sync_with(lazy.clone(), form).await;
                bob.knows(&room, &state_of(&alice, &room).await);
            }
        }
    }

    async fn a_leave_that_an_invite_hid_is_made_up_for() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let room = room(&alice, "shared").await;
        act(&bob, &room, "join").await;
        act(&carol, &room, "join").await;
        let lazy = json!({ "room": { "state": { "lazy_load_members": true } } });
        let mut follower = Follower::new(&bob);
        follower.sync_with(lazy.clone(), "").await;
        act(&carol, &room, "leave").await;
        act(&bob, &room, "leave").await;
        let mut state = state_of(&alice, &room).await;
        let invite = json!({ "user_id": bob.user_id });
        alice.post(&format!("/v3/rooms/{room}/invite"), invite).await.ok();
        let invited = follower.sync_with(lazy.clone(), "").await;
        assert!(invited["rooms"]["invite"][&room].is_object());
        act(&bob, &room, "leave").await;
        let filter = json!({ "room": {
            "state": { "lazy_load_members": true }, "timeline": { "limit": 1 },
        }});
        follower.sync_with(filter, "").await;
        let own = ("m.room.member".to_owned(), bob.user_id.clone());
        state.insert(own.clone(), state_of(&alice, &room).await[&own].clone());
        follower.knows(&room, &state);
    }

    async fn who_has_left_is_never_told_an_older_state_than_before() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "world_readable").await;
        act(&bob, &room, "join").await;
        topic(&alice, &room, "before").await;
        act(&bob, &room, "leave").await;
        topic(&alice, &room, "for everybody").await;
        let body = json!({ "user_id": bob.user_id });
        alice.post(&format!("/v3/rooms/{room}/ban"), body.clone()).await.ok();
        let mut follower = Follower::new(&bob);
        let filter = json!({ "room": { "include_leave": true } });
        follower.sync_with(filter.clone(), "").await;
        let mut state = state_of(&alice, &room).await;
        follower.knows(&room, &state);
        let path = format!("/v3/rooms/{room}/state/m.room.history_visibility");
        alice.put(&path, json!({ "history_visibility": "joined" })).await.ok();
        topic(&alice, &room, "for members").await;
        alice.post(&format!("/v3/rooms/{room}/unban"), body).await.ok();
        follower.sync_with(filter, "").await;
        let own = ("m.room.member".to_owned(), bob.user_id.clone());
        state.insert(own.clone(), state_of(&alice, &room).await[&own].clone());
        follower.knows(&room, &state);
    }

    async fn members_that_an_answer_told_which_was_lost_are_told_again() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "shared").await;
        act(&bob, &room, "join").await;
        let lazy = |limit: usize| json!({ "room": {
            "state": { "lazy_load_members": true }, "timeline": { "limit": limit },
        }});
        let bobs = ("m.room.member".to_owned(), bob.user_id.clone());
        let mut follower = Follower::new(&alice);
        // With a name nobody has to be known to name it.
        alice.put(&format!("/v3/rooms/{room}/state/m.room.name"), json!({ "name": "x" })).await.ok();
        follower.sync_with(lazy(1), "").await;
        assert!(!follower.picture.rooms[&room].contains_key(&bobs));
        let (saved, token) = (follower.picture.clone(), follower.token.clone());
        say(&bob, &room, "one").await;
        // The answer that tells him is lost, and the one that comes shows nothing of him.
        follower.ask(&lazy(1), "").await;
        say(&alice, &room, "two").await;
        follower.sync_with(lazy(1), "").await;
        say(&bob, &room, "three").await;
        follower.sync_with(lazy(1), "").await;
        assert!(follower.picture.rooms[&room].contains_key(&bobs));
        // A client that goes back to what it had saved no longer has him.
        (follower.picture, follower.token) = (saved, token);
        follower.sync_with(lazy(1), "").await;
        assert!(follower.picture.rooms[&room].contains_key(&bobs));
    }

    async fn a_room_whose_name_was_redacted_goes_by_its_members() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let room = room(&alice, "shared").await;
        act(&bob, &room, "join").await;
        let name = format!("/v3/rooms/{room}/state/m.room.name");
        let named = alice.put(&name, json!({ "name": "x" })).await.ok();
        let mut follower = Follower::new(&alice);
        follower.sync().await;
        let named = named["event_id"].as_str().unwrap();
        alice.put(&format!("/v3/rooms/{room}/redact/{named}/1"), json!({})).await.ok();
        let answer = follower.sync().await;
        assert_eq!(answer["rooms"]["join"][&room]["summary"]["m.heroes"], json!([bob.user_id]));
    }
}
