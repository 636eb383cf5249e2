//! Requests that are interrupted: aborted by who asked, or by a kill. Whenever that happens, what a
//! request does is not done or done whole, and the same request again does what is left to do.

#[macro_use]
mod support;

use std::{fmt::Debug, pin::pin, rc::Rc, time::Duration};

use futures::future::{Either, select};
use neurite::{
    Homeserver, platform,
    store::{
        Error,
        memory::{Disk, Fault},
    },
};
use serde_json::{Value, json};
use support::{
    client::{Answer, Client, password_login, server_over},
    place::Place,
};

/// How long anything takes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a request is interrupted.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    /// Who asked does not wait any longer from this moment on: see [`World::moment`].
    Abort(usize),
    /// The same, and they ask again at once.
    AbortAndAgain(usize),
    /// Everything ends before the write after so many others.
    KillBefore(u64),
    /// Everything ends after it.
    KillAfter(u64),
    /// That write fails.
    Fail(u64),
}

/// A homeserver with some users.
struct World {
    disk: Disk,
    server: Rc<Homeserver>,
    alice: Client,
    bob: Client,
}

/// A request to be interrupted.
#[derive(Clone)]
struct Ask {
    by: Client,
    method: &'static str,
    path: String,
    body: Value,
}

impl Ask {
    fn new(by: &Client, method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { by: by.clone(), method, path: path.into(), body }
    }

    async fn answer(&self) -> Answer {
        self.by.request(self.method, &self.path, Some(self.body.clone())).await
    }
}

impl World {
    async fn new() -> Self {
        let disk = Disk::new();
        let server = start(&disk).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        Self { disk, server, alice, bob }
    }

    /// Starts again over the same disk.
    async fn restart(&mut self) {
        self.disk.kill();
        self.server = start(&self.disk).await;
        self.alice.server = self.server.clone();
        self.bob.server = self.server.clone();
    }

    async fn interrupt(&mut self, ask: &mut Ask, how: Interruption) -> bool {
        let server = self.server.clone();
        let references = Rc::strong_count(&server);
        let over = match how {
            Interruption::Abort(moment) => self.abort(ask, moment).await,
            Interruption::AbortAndAgain(moment) => {
                let over = self.abort(ask, moment).await;
                let again = ask.answer().await;
                assert!(again.status < 500, "{how:?}: {again:?}");
                over
            }
            Interruption::KillBefore(after) => self.fault(ask, after, Fault::KillBefore).await,
            Interruption::KillAfter(after) => self.fault(ask, after, Fault::KillAfter).await,
            Interruption::Fail(after) => {
                let over = self.fault(ask, after, Fault::Fail(Error::QuotaExceeded)).await;
                // As it is done from time to time, and after a kill by the start.
                server.finish_follow_ups().await.unwrap();
                over
            }
        };
        // No request stays under way without end.
        turns_until(|| Rc::strong_count(&server) <= references).await;
        if matches!(how, Interruption::KillBefore(_) | Interruption::KillAfter(_)) {
            self.restart().await;
            ask.by.server = self.server.clone();
        }
        over
    }

    /// Whether the request was over before it was aborted.
    async fn abort(&self, ask: &Ask, moment: usize) -> bool {
        let moment = self.moment(moment);
        matches!(select(pin!(ask.answer()), pin!(moment)).await, Either::Left(_))
    }

    /// A moment in a request that begins now: after each of its first turns of the event loop, then
    /// after each of some turns from each of its writes. While a password is hashed there are many
    /// turns, in which nothing happens.
    async fn moment(&self, moment: usize) {
        const FIRST: usize = 48;
        const AFTER_EACH_WRITE: usize = 8;
        let begun = self.disk.operations();
        let turns = match moment.checked_sub(FIRST) {
            None => moment,
            Some(later) => {
                let writes = (later / AFTER_EACH_WRITE) as u64 + 1;
                while self.disk.operations() < begun + writes {
                    platform::next_turn().await;
                }
                later % AFTER_EACH_WRITE
            }
        };
        for _ in 0..turns {
            platform::next_turn().await;
        }
    }

    /// Whether the request was over before the fault.
    async fn fault(&self, ask: &Ask, after: u64, fault: Fault) -> bool {
        let before = self.disk.operations();
        self.disk.fault_after(after, fault);
        ask.answer().await;
        let over = self.disk.operations() <= before + after;
        self.disk.fault_after(u64::MAX / 2, Fault::None);
        over
    }
}

async fn start(disk: &Disk) -> Rc<Homeserver> {
    server_over(Place::Memory(disk.clone()).open().await, |_| {}).await
}

/// What `future` gives if it takes at most so many turns of the event loop.
async fn abort_after<T>(turns: usize, future: impl Future<Output = T>) -> Option<T> {
    let passing = async {
        for _ in 0..turns {
            platform::next_turn().await;
        }
    };
    match select(pin!(future), pin!(passing)).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

async fn turns_until(mut reached: impl FnMut() -> bool) {
    let turns = async {
        while !reached() {
            platform::next_turn().await;
        }
    };
    platform::timeout(PATIENCE, turns).await.expect("it never ends");
}

/// Interrupts a request at every moment, in every way, and repeats it. `prepare` makes a request
/// that was not sent before; `times` says how often what it asks for is done, and fails when it is
/// done by half; `most` is how often it may be done when it was sent twice.
async fn interrupted(
    most: usize,
    prepare: impl AsyncFn(&World, &str) -> Ask,
    times: impl AsyncFn(&World, &Ask, &str) -> usize,
) {
    let ways: [fn(usize) -> Interruption; 5] = [
        Interruption::Abort,
        Interruption::AbortAndAgain,
        |after| Interruption::KillBefore(after as u64),
        |after| Interruption::KillAfter(after as u64),
        |after| Interruption::Fail(after as u64),
    ];
    for (place, way) in ways.into_iter().enumerate() {
        let mut world = World::new().await;
        // What is read for the first time takes a turn more, in which a write may end.
        prepare(&world, "first").await.answer().await;
        for moment in 0.. {
            let how = way(moment);
            let name = format!("w{place}n{moment}");
            let mut ask = prepare(&world, &name).await;
            assert_eq!(times(&world, &ask, &name).await, 0, "{how:?}");
            let over = world.interrupt(&mut ask, how).await;
            let once = times(&world, &ask, &name).await;
            let begun = if matches!(how, Interruption::AbortAndAgain(_)) { most } else { 1 };
            assert!(once <= begun, "{how:?}: {once}");
            assert!(!over || once >= 1, "{how:?}: it was answered");
            if !matches!(how, Interruption::AbortAndAgain(_)) {
                let again = ask.answer().await;
                assert!(again.status < 500, "{how:?}: {again:?}");
            }
            let twice = times(&world, &ask, &name).await;
            assert!((1..=most).contains(&twice), "{how:?}: {once}, {twice}");
            if over {
                break;
            }
        }
    }
}

async fn new_room(client: &Client) -> String {
    let answer = client.post("/v3/createRoom", json!({ "preset": "public_chat" })).await;
    answer.ok()["room_id"].as_str().unwrap().to_owned()
}

/// The events of a room's timeline, newest first.
async fn timeline(client: &Client, room_id: &str) -> Vec<Value> {
    let path = format!("/v3/rooms/{room_id}/messages?dir=b&limit=1000");
    client.get(&path).await.ok()["chunk"].as_array().unwrap().clone()
}

fn room_of(ask: &Ask) -> &str {
    let mut parts = ask.path.split('/').skip_while(|part| *part != "rooms");
    parts.nth(1).unwrap()
}

fn count<T: Debug>(all: &[T], holds: impl Fn(&T) -> bool) -> usize {
    all.iter().filter(|one| holds(one)).count()
}

/// How often the user's membership was set to this in the room of the request, by the events.
async fn memberships(of: &World, ask: &Ask, user_id: &str, membership: &str) -> usize {
    count(&timeline(&of.alice, room_of(ask)).await, |event| {
        event["state_key"] == user_id && event["content"]["membership"] == membership
    })
}

tests! {
    async fn an_event_is_sent_once() {
        interrupted(
            1,
            async |world, name| {
                let room_id = new_room(&world.alice).await;
                let path = format!("/v3/rooms/{room_id}/send/m.room.message/{name}");
                Ask::new(&world.alice, "PUT", path, json!({ "body": "once" }))
            },
            async |world, ask, _| {
                let events = timeline(&world.alice, room_of(ask)).await;
                count(&events, |event| event["content"]["body"] == "once")
            },
        )
        .await;
    }

    async fn the_answer_to_an_aborted_send_names_the_one_event() {
        let world = World::new().await;
        let room_id = new_room(&world.alice).await;
        let path = format!("/v3/rooms/{room_id}/send/m.room.message/first");
        world.alice.put(&path, json!({ "body": "first" })).await.ok();
        for turns in 0.. {
            let path = format!("/v3/rooms/{room_id}/send/m.room.message/t{turns}");
            let ask = Ask::new(&world.alice, "PUT", path, json!({ "body": turns }));
            // The same again at once, while the first may still be under way.
            let over = abort_after(turns, ask.answer()).await.is_some();
            let event_id = ask.answer().await.ok()["event_id"].clone();
            let events = timeline(&world.alice, &room_id).await;
            let sent: Vec<_> =
                events.iter().filter(|event| event["content"]["body"] == turns).collect();
            assert_eq!(sent.len(), 1, "{turns}");
            assert_eq!(sent[0]["event_id"], event_id);
            if over {
                break;
            }
        }
    }

    async fn an_event_is_redacted_once() {
        interrupted(
            1,
            async |world, name| {
                let room_id = new_room(&world.alice).await;
                let path = format!("/v3/rooms/{room_id}/send/m.room.message/{name}");
                let sent = world.alice.put(&path, json!({ "body": "to go" })).await.ok();
                let event_id = sent["event_id"].as_str().unwrap();
                let path = format!("/v3/rooms/{room_id}/redact/{event_id}/{name}");
                Ask::new(&world.alice, "PUT", path, json!({}))
            },
            async |world, ask, _| {
                let events = timeline(&world.alice, room_of(ask)).await;
                let redactions = count(&events, |event| event["type"] == "m.room.redaction");
                let left = count(&events, |event| event["content"]["body"] == "to go");
                assert_eq!(left + redactions.min(1), 1);
                redactions
            },
        )
        .await;
    }

    async fn a_to_device_message_is_sent_once() {
        interrupted(
            1,
            async |world, name| {
                let bob = &world.bob;
                let path = format!("/v3/sendToDevice/m.test/{name}");
                let messages =
                    json!({ (bob.user_id.clone()): { (bob.device_id.clone()): { "name": name } } });
                Ask::new(&world.alice, "PUT", path, json!({ "messages": messages }))
            },
            async |world, _, name| {
                let sync = world.bob.get("/v3/sync").await.ok();
                let events = sync["to_device"]["events"].as_array().cloned().unwrap_or_default();
                count(&events, |event| event["content"]["name"] == name)
            },
        )
        .await;
    }

    async fn a_room_is_made_whole() {
        interrupted(
            2,
            async |world, name| {
                let body = json!({
                    "preset": "public_chat",
                    "name": name,
                    "invite": [world.bob.user_id],
                    "visibility": "public",
                });
                Ask::new(&world.alice, "POST", "/v3/createRoom", body)
            },
            async |world, _, name| {
                let joined = world.alice.get("/v3/joined_rooms").await.ok();
                let mut made = 0;
                for room_id in joined["joined_rooms"].as_array().unwrap() {
                    let room_id = room_id.as_str().unwrap();
                    let path = format!("/v3/rooms/{room_id}/state/m.room.name");
                    if world.alice.get(&path).await.ok()["name"] != name {
                        continue;
                    }
                    made += 1;
                    let member = format!("/v3/rooms/{room_id}/state/m.room.member/@bob:neurite.test");
                    let member = world.alice.get(&member).await.ok();
                    assert_eq!(member["membership"], "invite");
                    let listed = format!("/v3/directory/list/room/{room_id}");
                    assert_eq!(world.alice.get(&listed).await.ok()["visibility"], "public");
                }
                made
            },
        )
        .await;
    }

    async fn an_alias_is_given_and_its_room_made() {
        interrupted(
            1,
            async |world, name| {
                let body = json!({ "room_alias_name": name });
                Ask::new(&world.alice, "POST", "/v3/createRoom", body)
            },
            async |world, _, name| {
                let path = format!("/v3/directory/room/%23{name}:neurite.test");
                let answer = world.alice.get(&path).await;
                if answer.status == 404 {
                    return 0;
                }
                let room_id = answer.ok()["room_id"].as_str().unwrap().to_owned();
                assert!(!timeline(&world.alice, &room_id).await.is_empty());
                1
            },
        )
        .await;
    }

    async fn an_alias_goes_from_the_directory_and_from_the_room() {
        interrupted(
            1,
            async |world, name| {
                let body = json!({ "room_alias_name": name });
                world.alice.post("/v3/createRoom", body).await.ok();
                let path = format!("/v3/directory/room/%23{name}:neurite.test");
                Ask::new(&world.alice, "DELETE", path, json!({}))
            },
            async |world, ask, name| {
                let gone = world.alice.get(&ask.path).await.status == 404;
                let alias = json!(format!("#{name}:neurite.test"));
                let mut shown = false;
                let joined = world.alice.get("/v3/joined_rooms").await.ok();
                for room_id in joined["joined_rooms"].as_array().unwrap() {
                    let room_id = room_id.as_str().unwrap();
                    let path = format!("/v3/rooms/{room_id}/state/m.room.canonical_alias");
                    shown |= world.alice.get(&path).await.body["alias"] == alias;
                }
                assert_eq!(gone, !shown);
                usize::from(gone)
            },
        )
        .await;
    }

    async fn a_device_goes_with_all_that_it_has() {
        interrupted(
            1,
            async |world, name| {
                let device = Client::login(&world.server, "bob").await;
                let keys = json!({ "signed_curve25519:AAAA": { "key": name, "signatures": {} } });
                let upload = json!({ "one_time_keys": keys });
                device.post("/v3/keys/upload", upload).await.ok();
                Ask::new(&device, "POST", "/v3/logout", json!({}))
            },
            async |world, ask, _| {
                let gone = ask.by.get("/v3/account/whoami").await.status == 401;
                let device = format!("/v3/devices/{}", ask.by.device_id);
                assert_eq!(world.bob.get(&device).await.status == 404, gone);
                let (user_id, device_id) = (&ask.by.user_id, &ask.by.device_id);
                let user_id = user_id.as_str().try_into().unwrap();
                let counts = world.server.users.key_counts(user_id, device_id.as_str().into());
                let keys = counts.await.unwrap().one_time_keys.values().sum::<u64>();
                assert_eq!(keys == 0, gone);
                usize::from(gone)
            },
        )
        .await;
    }

    async fn a_backup_is_begun_once_and_takes_keys() {
        interrupted(
            1,
            async |world, name| {
                let version = json!({ "algorithm": "m.test", "auth_data": {} });
                let version = world.alice.post("/v3/room_keys/version", version).await.ok();
                let version = version["version"].as_str().unwrap();
                let key = json!({
                    "first_message_index": 0,
                    "forwarded_count": 0,
                    "is_verified": true,
                    "session_data": { "name": name },
                });
                let path = format!("/v3/room_keys/keys/!a:b/session?version={version}");
                Ask::new(&world.alice, "PUT", path, key)
            },
            async |world, ask, _| {
                let version = ask.path.rsplit('=').next().unwrap();
                let path = format!("/v3/room_keys/version/{version}");
                let count = world.alice.get(&path).await.ok()["count"].as_u64().unwrap();
                let there = world.alice.get(&ask.path).await.status == 200;
                assert_eq!(there, count == 1);
                count as usize
            },
        )
        .await;
    }

    async fn what_is_set_is_there() {
        type Place = fn(&str, &str) -> String;
        type Content = fn(&str) -> Value;
        // Where it is set, and as what.
        let cases: [(Place, Content); 6] = [
            (
                |_, name| format!("/v3/user/@alice:neurite.test/account_data/m.test.{name}"),
                |name| json!({ "name": name }),
            ),
            (
                |room_id, name| {
                    format!("/v3/user/@alice:neurite.test/rooms/{room_id}/account_data/m.{name}")
                },
                |name| json!({ "name": name }),
            ),
            (
                |room_id, _| format!("/v3/rooms/{room_id}/state/m.room.topic"),
                |name| json!({ "topic": name }),
            ),
            (
                |room_id, _| format!("/v3/directory/list/room/{room_id}"),
                |_| json!({ "visibility": "public" }),
            ),
            (
                |_, name| format!("/v3/pushrules/global/content/{name}/enabled"),
                |_| json!({ "enabled": false }),
            ),
            (
                |_, name| format!("/v3/profile/@alice:neurite.test/m.test.{name}"),
                |name| json!({ (format!("m.test.{name}")): name }),
            ),
        ];
        for (path, body) in cases {
            interrupted(
                1,
                async |world, name| {
                    let room_id = new_room(&world.alice).await;
                    let rule = json!({ "pattern": name, "actions": [] });
                    let path_of_rule = format!("/v3/pushrules/global/content/{name}");
                    world.alice.put(&path_of_rule, rule).await.ok();
                    Ask::new(&world.alice, "PUT", path(&room_id, name), body(name))
                },
                async |world, ask, _| {
                    let there = world.alice.get(&ask.path).await.body;
                    let set = ask.body.as_object().unwrap().iter();
                    usize::from(set.into_iter().all(|(field, value)| there[field] == *value))
                },
            )
            .await;
        }
    }

    async fn a_pusher_is_set() {
        interrupted(
            1,
            async |world, name| {
                let body = json!({
                    "app_id": name,
                    "pushkey": "key",
                    "kind": "http",
                    "app_display_name": "app",
                    "device_display_name": "device",
                    "lang": "en",
                    "data": { "url": "https://push.test/_matrix/push/v1/notify" },
                });
                Ask::new(&world.alice, "POST", "/v3/pushers/set", body)
            },
            async |world, _, name| {
                let pushers = world.alice.get("/v3/pushers").await.ok();
                count(pushers["pushers"].as_array().unwrap(), |pusher| pusher["app_id"] == name)
            },
        )
        .await;
    }

    async fn a_cross_signing_key_is_published() {
        interrupted(
            1,
            async |world, name| {
                let user = Client::register(&world.server, name).await;
                let key = json!({
                    "user_id": user.user_id,
                    "usage": ["master"],
                    "keys": { "ed25519:AAAA": "AAAA" },
                });
                let body = json!({ "master_key": key });
                Ask::new(&user, "POST", "/v3/keys/device_signing/upload", body)
            },
            async |_, ask, _| {
                let query = json!({ "device_keys": { (ask.by.user_id.clone()): [] } });
                let keys = ask.by.post("/v3/keys/query", query).await.ok();
                usize::from(keys["master_keys"][&ask.by.user_id].is_object())
            },
        )
        .await;
    }

    async fn a_wait_ends_when_nobody_waits_any_longer() {
        let world = World::new().await;
        let created = world.alice.send("POST", "/_matrix/media/v1/create", None).await.ok();
        let media = created["content_uri"].as_str().unwrap().replace("mxc://", "");
        let since = world.alice.get("/v3/sync").await.ok();
        let since = since["next_batch"].as_str().unwrap();
        for path in [
            format!("/v3/sync?since={since}&timeout=30000"),
            format!("/v3/events?from={since}&timeout=30000"),
            format!("/v1/media/download/{media}?timeout_ms=30000"),
            format!("/v1/media/thumbnail/{media}?width=1&height=1&timeout_ms=30000"),
        ] {
            let references = Rc::strong_count(&world.server);
            let waiting = world.alice.get(&path);
            assert!(abort_after(100, waiting).await.is_none(), "{path} does not wait");
            turns_until(|| Rc::strong_count(&world.server) <= references).await;
        }
    }

    // In browsers time can't be made to pass.
    #[cfg(not(target_arch = "wasm32"))]
    async fn who_aborts_a_sync_and_comes_no_more_is_offline_after_a_while() {
        let world = World::new().await;
        tokio::time::pause();
        let since = world.alice.get("/v3/sync").await.ok();
        let since = since["next_batch"].as_str().unwrap();
        let path = format!("/v3/sync?since={since}&timeout=30000");
        assert!(abort_after(100, world.alice.get(&path)).await.is_none());
        let presence = async || {
            let path = "/v3/presence/@alice:neurite.test/status";
            world.alice.get(path).await.ok()["presence"].clone()
        };
        assert_eq!(presence().await, "online");
        platform::sleep(Duration::from_secs(120)).await;
        assert_eq!(presence().await, "offline");
    }

    async fn a_room_is_joined_once() {
        interrupted(
            1,
            async |world, _| {
                let room_id = new_room(&world.alice).await;
                Ask::new(&world.bob, "POST", format!("/v3/rooms/{room_id}/join"), json!({}))
            },
            async |world, ask, _| memberships(world, ask, &world.bob.user_id, "join").await,
        )
        .await;
    }

    async fn a_member_goes_once() {
        for (action, membership) in [("kick", "leave"), ("ban", "ban")] {
            interrupted(
                1,
                async |world, _| {
                    let room_id = new_room(&world.alice).await;
                    world.bob.post(&format!("/v3/rooms/{room_id}/join"), json!({})).await.ok();
                    let body = json!({ "user_id": world.bob.user_id });
                    let path = format!("/v3/rooms/{room_id}/{action}");
                    Ask::new(&world.alice, "POST", path, body)
                },
                async |world, ask, _| {
                    memberships(world, ask, &world.bob.user_id, membership).await
                },
            )
            .await;
        }
    }

    async fn a_room_is_upgraded_whole() {
        interrupted(
            2,
            async |world, _| {
                let room_id = new_room(&world.alice).await;
                let body = json!({ "new_version": "11" });
                Ask::new(&world.alice, "POST", format!("/v3/rooms/{room_id}/upgrade"), body)
            },
            async |world, ask, _| {
                let path = format!("/v3/rooms/{}/state/m.room.tombstone", room_of(ask));
                let answer = world.alice.get(&path).await;
                if answer.status == 404 {
                    return 0;
                }
                let replacement = answer.ok()["replacement_room"].as_str().unwrap().to_owned();
                assert!(!timeline(&world.alice, &replacement).await.is_empty());
                1
            },
        )
        .await;
    }

    async fn keys_are_uploaded_together() {
        interrupted(
            1,
            async |world, name| {
                // Each time another device.
                let device = Client::login(&world.server, "bob").await;
                let keys = json!({
                    "user_id": device.user_id,
                    "device_id": device.device_id,
                    "algorithms": [],
                    "keys": { (format!("ed25519:{}", device.device_id)): name },
                    "signatures": {},
                });
                let body = json!({
                    "device_keys": keys,
                    "one_time_keys": { "signed_curve25519:AAAA": { "key": name, "signatures": {} } },
                    "fallback_keys": { "signed_curve25519:BBBB": { "key": name, "fallback": true, "signatures": {} } },
                });
                Ask::new(&device, "POST", "/v3/keys/upload", body)
            },
            async |world, ask, _| {
                let (user_id, device_id) = (&ask.by.user_id, &ask.by.device_id);
                let query = json!({ "device_keys": { (user_id.clone()): [device_id] } });
                let keys = world.alice.post("/v3/keys/query", query).await.ok();
                let published = keys["device_keys"][user_id][device_id].is_object();
                let sync = ask.by.get("/v3/sync").await.ok();
                let left = &sync["device_one_time_keys_count"]["signed_curve25519"];
                let fallback = &sync["device_unused_fallback_key_types"];
                assert_eq!(published, *left == 1, "{sync}");
                assert_eq!(published, *fallback == json!(["signed_curve25519"]), "{sync}");
                usize::from(published)
            },
        )
        .await;
    }

    async fn a_one_time_key_is_claimed_by_one() {
        interrupted(
            2,
            async |world, name| {
                let device = Client::login(&world.server, "bob").await;
                let keys = json!({
                    (format!("signed_curve25519:{name}a")): { "key": "a", "signatures": {} },
                    (format!("signed_curve25519:{name}b")): { "key": "b", "signatures": {} },
                });
                let upload = json!({ "one_time_keys": keys });
                device.post("/v3/keys/upload", upload).await.ok();
                let wanted = json!({ (device.user_id.clone()): {
                    (device.device_id.clone()): "signed_curve25519",
                }});
                Ask::new(&world.alice, "POST", "/v3/keys/claim", json!({ "one_time_keys": wanted }))
            },
            async |world, ask, _| {
                let wanted = ask.body["one_time_keys"]["@bob:neurite.test"].as_object().unwrap();
                let device_id = wanted.keys().next().unwrap();
                let bob = world.server.users.key_counts(
                    "@bob:neurite.test".try_into().unwrap(),
                    device_id.as_str().into(),
                );
                2 - bob.await.unwrap().one_time_keys.values().sum::<u64>() as usize
            },
        )
        .await;
    }

    async fn an_account_is_registered_whole() {
        interrupted(
            1,
            async |world, name| {
                let body = json!({
                    "auth": { "type": "m.login.dummy" },
                    "username": name,
                    "password": "password",
                });
                Ask::new(&Client::anonymous(&world.server), "POST", "/v3/register", body)
            },
            async |world, _, name| {
                let anonymous = Client::anonymous(&world.server);
                let free = anonymous.get(&format!("/v3/register/available?username={name}")).await;
                let login = anonymous.post("/v3/login", password_login(name)).await;
                assert_eq!(free.status == 200, login.status == 403);
                usize::from(login.status == 200)
            },
        )
        .await;
    }

    async fn a_password_is_changed_and_other_devices_logged_out() {
        interrupted(
            1,
            async |world, name| {
                Client::register(&world.server, name).await;
                let user = Client::login(&world.server, name).await;
                let mut auth = password_login(name);
                auth["session"] = Value::Null;
                let body = json!({
                    "auth": auth,
                    "new_password": "another",
                    "logout_devices": true,
                });
                Ask::new(&user, "POST", "/v3/account/password", body)
            },
            async |world, ask, name| {
                let devices = ask.by.get("/v3/devices").await.ok();
                let alone = devices["devices"].as_array().unwrap().len() == 1;
                let user_id = world.server.users.user_id(name).unwrap();
                let right = world.server.users.check_password(&user_id, "another").await.unwrap();
                assert_eq!(right, alone);
                usize::from(alone)
            },
        )
        .await;
    }

    async fn an_account_is_deactivated_and_its_rooms_left() {
        interrupted(
            1,
            async |world, name| {
                let user = Client::register(&world.server, name).await;
                for _ in 0..2 {
                    let room_id = new_room(&world.alice).await;
                    user.post(&format!("/v3/rooms/{room_id}/join"), json!({})).await.ok();
                }
                let body = json!({ "auth": password_login(name) });
                Ask::new(&user, "POST", "/v3/account/deactivate", body)
            },
            async |world, ask, _| {
                let user_id = ask.by.user_id.as_str().try_into().unwrap();
                let account = world.server.users.account(user_id).await.unwrap().unwrap();
                let rooms = world.server.rooms.joined_rooms(user_id).await.unwrap().len();
                assert_eq!(rooms, if account.deactivated { 0 } else { 2 });
                usize::from(account.deactivated)
            },
        )
        .await;
    }

    async fn a_name_is_shown_in_all_rooms() {
        interrupted(
            1,
            async |world, name| {
                for _ in 0..2 {
                    new_room(&world.alice).await;
                }
                let path = "/v3/profile/@alice:neurite.test/displayname";
                Ask::new(&world.alice, "PUT", path, json!({ "displayname": name }))
            },
            async |world, ask, name| {
                let named = world.alice.get(&ask.path).await.body["displayname"] == name;
                let joined = world.alice.get("/v3/joined_rooms").await.ok();
                for room_id in joined["joined_rooms"].as_array().unwrap() {
                    let room_id = room_id.as_str().unwrap();
                    let path = format!("/v3/rooms/{room_id}/state/m.room.member/@alice:neurite.test");
                    let member = world.alice.get(&path).await.ok();
                    assert_eq!(member["displayname"] == name, named, "{member}");
                }
                usize::from(named)
            },
        )
        .await;
    }

    async fn a_room_without_guests_is_left_by_them_all() {
        interrupted(
            1,
            async |world, _| {
                let access = json!({
                    "type": "m.room.guest_access",
                    "content": { "guest_access": "can_join" },
                });
                let body = json!({ "preset": "public_chat", "initial_state": [access] });
                let room_id = world.alice.post("/v3/createRoom", body).await.ok()["room_id"].clone();
                let room_id = room_id.as_str().unwrap();
                let anonymous = Client::anonymous(&world.server);
                for _ in 0..2 {
                    let guest = anonymous.post("/v3/register?kind=guest", json!({})).await;
                    let guest = anonymous.logged_in(&guest.ok());
                    guest.post(&format!("/v3/rooms/{room_id}/join"), json!({})).await.ok();
                }
                let path = format!("/v3/rooms/{room_id}/state/m.room.guest_access");
                Ask::new(&world.alice, "PUT", path, json!({ "guest_access": "forbidden" }))
            },
            async |world, ask, _| {
                let forbidden = world.alice.get(&ask.path).await.ok()["guest_access"] == "forbidden";
                let path = format!("/v3/rooms/{}/joined_members", room_of(ask));
                let members = world.alice.get(&path).await.ok();
                let members = members["joined"].as_object().unwrap().len();
                assert_eq!(members, if forbidden { 1 } else { 3 });
                usize::from(forbidden)
            },
        )
        .await;
    }

    async fn read_markers_move_together() {
        interrupted(
            1,
            async |world, name| {
                let room_id = new_room(&world.alice).await;
                let path = format!("/v3/rooms/{room_id}/send/m.room.message/{name}");
                let sent = world.alice.put(&path, json!({ "body": "read" })).await.ok();
                let event_id = &sent["event_id"];
                let body = json!({
                    "m.fully_read": event_id,
                    "m.read": event_id,
                    "m.read.private": event_id,
                });
                Ask::new(&world.alice, "POST", format!("/v3/rooms/{room_id}/read_markers"), body)
            },
            async |world, ask, _| {
                let sync = world.alice.get("/v3/sync").await.ok();
                let room = &sync["rooms"]["join"][room_of(ask)];
                let of = |events: &Value, kind: &str| {
                    let events = events["events"].as_array().cloned().unwrap_or_default();
                    events.into_iter().find(|event| event["type"] == kind)
                };
                let marker = of(&room["account_data"], "m.fully_read");
                let receipts = of(&room["ephemeral"], "m.receipt").unwrap_or_default();
                let receipt = &receipts["content"][ask.body["m.read"].as_str().unwrap()];
                assert_eq!(marker.is_some(), receipt["m.read"].is_object(), "{room}");
                assert_eq!(marker.is_some(), receipt["m.read.private"].is_object(), "{room}");
                usize::from(marker.is_some())
            },
        )
        .await;
    }

    async fn a_login_token_is_used_by_a_login() {
        interrupted(
            1,
            async |world, name| {
                let auth = password_login("alice");
                let token = world.alice.post("/v1/login/get_token", json!({ "auth": auth })).await;
                let body = json!({
                    "type": "m.login.token",
                    "token": token.ok()["login_token"],
                    "device_id": name,
                });
                Ask::new(&Client::anonymous(&world.server), "POST", "/v3/login", body)
            },
            async |world, ask, _| {
                let devices = world.alice.get("/v3/devices").await.ok();
                let device_id = &ask.body["device_id"];
                let devices = devices["devices"].as_array().unwrap();
                count(devices, |device| device["device_id"] == *device_id)
            },
        )
        .await;
    }
}
