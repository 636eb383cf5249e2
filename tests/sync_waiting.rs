//! Whom a change wakes of those who wait with a sync.

#[macro_use]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use neurite::{
    log::{Fields, Levels, Sink, Wanted},
    platform,
};
use serde_json::{Value, json};
use support::client::{Client, server};
use tracing::{Level, level_filters::LevelFilter, subscriber::DefaultGuard};

/// How often an answer to a sync was worked out.
#[derive(Clone, Default)]
struct Answers(Arc<AtomicUsize>);

impl Answers {
    /// Counts what this thread does, until the guard is dropped.
    fn count() -> (Self, DefaultGuard) {
        let answers = Self::default();
        let wanted = Wanted { levels: Levels::all(LevelFilter::INFO), spans: true };
        let (_, guard) = support::log::listen(answers.clone(), wanted);
        (answers, guard)
    }

    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Sink for Answers {
    fn message(&self, _: Level, _: &str, _: &str, _: &Fields) {}

    fn span(&self, name: &str, part: &str, _: &Fields, _: Duration) {
        if (name, part) == ("sync", "sync") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn room(alice: &Client, with: &[&Client]) -> String {
    let made = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room = made["room_id"].as_str().unwrap().to_owned();
    for other in with {
        other.post(&format!("/v3/join/{room}"), json!({})).await.ok();
    }
    room
}

async fn say(client: &Client, room: &str) -> String {
    let path = format!("/v3/rooms/{room}/send/m.room.message/{}", platform::random_string(8));
    let body = json!({ "msgtype": "m.text", "body": "hello" });
    client.put(&path, body).await.ok()["event_id"].as_str().unwrap().to_owned()
}

/// A token from which there is nothing new.
async fn token(client: &Client) -> String {
    client.server.push.catch_up().await;
    let answer = client.get("/v3/sync?set_presence=offline").await.ok();
    answer["next_batch"].as_str().unwrap().to_owned()
}

async fn wait(client: &Client, since: &str) -> Value {
    let path = format!("/v3/sync?set_presence=offline&timeout=30000&since={since}");
    client.get(&path).await.ok()
}

/// Lets everything that can go on do so.
async fn settle(client: &Client) {
    client.server.push.catch_up().await;
    for _ in 0..100 {
        platform::next_turn().await;
    }
}

tests! {
    async fn what_does_not_concern_somebody_does_not_wake_them() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let carol = Client::fast(&server, "carol").await;
        let shared = room(&alice, &[&bob]).await;
        room(&carol, &[]).await;
        // A room that she was in.
        let left = room(&alice, &[&carol]).await;
        carol.post(&format!("/v3/rooms/{left}/leave"), json!({})).await.ok();
        let since = token(&carol).await;
        let (answers, _guard) = Answers::count();
        let waiting = wait(&carol, &since).fuse();
        futures::pin_mut!(waiting);
        let others = async {
            settle(&alice).await;
            assert_eq!(answers.take(), 1, "hers, to see that there is nothing yet");
            let event = say(&alice, &shared).await;
            say(&alice, &left).await;
            let receipt = format!("/v3/rooms/{shared}/receipt/m.read/{event}");
            bob.post(&receipt, json!({})).await.ok();
            let typing = format!("/v3/rooms/{shared}/typing/{}", bob.user_id);
            bob.put(&typing, json!({ "typing": true, "timeout": 30000 })).await.ok();
            let status = format!("/v3/presence/{}/status", bob.user_id);
            bob.put(&status, json!({ "presence": "online", "status_msg": "here" })).await.ok();
            let data = format!("/v3/user/{}/account_data/x", bob.user_id);
            bob.put(&data, json!({})).await.ok();
            bob.put("/v3/sendToDevice/x/1", json!({ "messages": { &alice.user_id: { "*": {} } } })).await.ok();
            settle(&alice).await;
            assert_eq!(answers.take(), 0);
            alice.post(&format!("/v3/rooms/{shared}/invite"), json!({ "user_id": carol.user_id })).await.ok();
        };
        let (answer, ()) = futures::join!(waiting, others);
        assert!(answer["rooms"]["invite"][&shared].is_object(), "{answer}");
        assert_eq!(answers.take(), 1);
    }

    async fn what_concerns_somebody_wakes_them_whatever_it_is() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let shared = room(&alice, &[&bob]).await;
        let event = say(&alice, &shared).await;
        let at = |path: &str| format!("/v3/rooms/{shared}/{path}");
        let requests = [
            ("PUT", at("send/m.room.message/1"), json!({ "msgtype": "m.text", "body": "x" })),
            ("POST", at(&format!("receipt/m.read/{event}")), json!({})),
            ("PUT", at(&format!("typing/{}", alice.user_id)), json!({ "typing": true })),
            ("PUT", format!("/v3/presence/{}/status", alice.user_id), json!({ "presence": "online", "status_msg": "x" })),
            ("PUT", "/v3/sendToDevice/x/1".to_owned(), json!({ "messages": { &bob.user_id: { "*": {} } } })),
            ("POST", at("kick"), json!({ "user_id": bob.user_id })),
        ];
        for (method, path, body) in requests {
            let since = token(&bob).await;
            let asked = async {
                settle(&alice).await;
                alice.request(method, &path, Some(body)).await.ok();
            };
            // Before the sync's own time is up.
            let woken = platform::timeout(Duration::from_secs(20), wait(&bob, &since));
            let (answer, ()) = futures::join!(woken, asked);
            assert!(answer.is_some(), "{path}");
        }
    }

    async fn whoever_changes_something_is_answered_before_those_who_wait_for_it() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let mut members = Vec::new();
        for number in 0..20 {
            members.push(Client::fast(&server, &format!("member{number}")).await);
        }
        let shared = room(&alice, &members.iter().collect::<Vec<_>>()).await;
        let mut waiting = FuturesUnordered::new();
        for member in &members {
            let since = token(member).await;
            waiting.push(async move { wait(member, &since).await });
        }
        let sent = async {
            settle(&alice).await;
            let (answers, guard) = Answers::count();
            say(&alice, &shared).await;
            drop(guard);
            answers.take()
        };
        let all = async {
            let mut answered = 0;
            while let Some(answer) = waiting.next().await {
                assert!(answer["rooms"]["join"][&shared].is_object());
                answered += 1;
            }
            answered
        };
        let (before, answered) = futures::join!(sent, all);
        assert!(before <= 2, "{before} were answered first");
        assert_eq!(answered, 20);
    }

    async fn who_wants_nothing_told_is_not_woken_by_their_own_new_name() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        room(&alice, &[&bob]).await;
        let none = json!({ "types": [] });
        let all = json!({ "not_types": ["*"] });
        let filters = [&none, &all].map(|part| {
            json!({
                "presence": part,
                "account_data": part,
                "room": { "timeline": part, "state": part, "ephemeral": part, "account_data": part },
            })
        });
        let no_rooms = json!({ "presence": none, "account_data": none, "room": { "rooms": [] } });
        for filter in filters.into_iter().chain([no_rooms]) {
            let path = format!("/v3/user/{}/filter", alice.user_id);
            let id = alice.post(&path, filter.clone()).await.ok()["filter_id"].clone();
            let since = token(&alice).await;
            let path = format!(
                "/v3/sync?timeout=30000&since={since}&filter={}",
                id.as_str().unwrap()
            );
            let waiting = alice.get(&path).fuse();
            futures::pin_mut!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            settle(&alice).await;
            let name = json!({ "displayname": platform::random_string(5) });
            alice.put(&format!("/v3/profile/{}/displayname", alice.user_id), name).await.ok();
            settle(&alice).await;
            let woken = futures::poll!(&mut waiting);
            assert!(woken.is_pending(), "{filter}: {woken:?}");
        }
    }
}
