//! What clients put together from `/sync` against what the server has: random users, rooms, filters
//! and gaps, answers that are lost, clients that go back or begin anew, tokens that are older than what
//! the feed keeps.
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/picture.rs"]
mod picture;
mod support;
#[path = "sync_model"]
mod model {
    pub mod data;
    pub mod operations;
    pub mod room;
}

use std::collections::{BTreeMap, BTreeSet};

use model::{
    data::{Data, Sent},
    operations::{
        Asked, FORMS, Filter, Habits, KEYS, Operation, ROOMS, USERS, VISIBILITIES, habits, kept,
        operation,
    },
    room::{Room, member_key},
};
use neurite::config::KeptChanges;
use picture::{Picture, events, query};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{
    client::{Answer, Client, server_over},
    place::Place,
};

/// What a device has from its syncs.
#[derive(Clone, Debug, Default)]
struct Held {
    token: Option<String>,
    picture: Picture,
    /// In which section each room was last.
    sections: BTreeMap<String, &'static str>,
    /// What summaries have said of each room.
    summaries: BTreeMap<String, Value>,
    data: Data,
}

struct Device {
    habits: Habits,
    client: Client,
    held: Held,
    saved: Held,
}

struct World {
    place: Place,
    /// How much of the feed is kept: mostly so little that tokens are soon too old for it.
    kept: KeptChanges,
    users: Vec<Client>,
    rooms: Vec<Room>,
    devices: Vec<Device>,
    sent: Sent,
    count: usize,
}

impl World {
    async fn new(habits: Vec<Habits>, kept: KeptChanges) -> Self {
        let place = Place::new();
        let server = server_over(place.open().await, |config| config.kept_changes = kept).await;
        let mut users = Vec::new();
        for name in USERS {
            users.push(Client::fast(&server, name).await);
        }
        let mut devices = Vec::new();
        for habits in habits {
            let client = Client::fast(&server, USERS[habits.user]).await;
            let (held, saved) = (Held::default(), Held::default());
            devices.push(Device { habits, client, held, saved });
        }
        let mut rooms = Vec::new();
        for _ in 0..ROOMS {
            let request = json!({
                "preset": "public_chat",
                "power_level_content_override": { "users_default": 50 },
            });
            let made = users[0].post("/v3/createRoom", request).await.ok();
            let id = made["room_id"].as_str().unwrap().to_owned();
            for user in &users[2..] {
                user.post(&format!("/v3/join/{id}"), json!({})).await.ok();
            }
            rooms.push(Room { id, ..Room::default() });
        }
        let sent = Sent::default();
        let mut world = Self { place, kept, users, rooms, devices, sent, count: 0 };
        world.look().await;
        world
    }

    fn room_ids(&self) -> Vec<String> {
        self.rooms.iter().map(|room| room.id.clone()).collect()
    }

    /// Takes in what has become of the rooms.
    async fn look(&mut self) {
        for room in &mut self.rooms {
            let state = self.users[0].get(&format!("/v3/rooms/{}/state", room.id)).await.ok();
            let field = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
            let state = state.as_array().unwrap().iter().map(|event| {
                let mut event = event.clone();
                // What is in it grows old.
                let unsigned = event["unsigned"].take();
                event["redacted"] = unsigned["redacted_because"].is_object().into();
                ((field(&event, "type"), field(&event, "state_key")), event)
            });
            room.becomes(state.collect());
        }
    }

    async fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Sync(device, asked, arrives) => self.sync(*device, asked, *arrives).await,
            Operation::Save(device) => {
                let device = &mut self.devices[*device];
                device.saved = device.held.clone();
            }
            Operation::Restore(device) => {
                let device = &mut self.devices[*device];
                device.held = device.saved.clone();
            }
            Operation::Forget(device) => self.devices[*device].held = Held::default(),
            Operation::Restart => {
                let store = self.place.open().await;
                let server = server_over(store, |config| config.kept_changes = self.kept).await;
                let clients = self.devices.iter_mut().map(|device| &mut device.client);
                for client in self.users.iter_mut().chain(clients) {
                    client.server = server.clone();
                }
            }
            _ => {
                self.count += 1;
                let answer = match self.change_data(operation).await {
                    Some(answer) => answer,
                    None => self.change(operation).await,
                };
                assert!(answer.status < 500, "{answer:?}");
                self.look().await;
            }
        }
    }

    /// Does what changes rooms; it may well be refused.
    async fn change(&mut self, operation: &Operation) -> Answer {
        let count = self.count;
        let state = async |world: &Self, user: usize, room: usize, kind: &str, content: Value| {
            let path = format!("/v3/rooms/{}/state/{kind}", world.rooms[room].id);
            world.users[user].put(&path, content).await
        };
        match operation {
            Operation::Own(user, room, "knock") => {
                let path = format!("/v3/knock/{}", self.rooms[*room].id);
                self.users[*user].post(&path, json!({})).await
            }
            Operation::Own(user, room, action) => {
                let path = format!("/v3/rooms/{}/{action}", self.rooms[*room].id);
                self.users[*user].post(&path, json!({})).await
            }
            Operation::Other(user, room, other, action) => {
                let path = format!("/v3/rooms/{}/{action}", self.rooms[*room].id);
                let body = json!({ "user_id": self.users[*other].user_id });
                self.users[*user].post(&path, body).await
            }
            Operation::State(user, room, key, value) => {
                let (kind, key) = KEYS[*key];
                let content = match (kind, value) {
                    (_, 0) => json!({}),
                    ("m.room.avatar", _) => json!({ "url": format!("mxc://neurite.test/{count}") }),
                    ("m.room.name", _) => json!({ "name": count.to_string() }),
                    _ => json!({ "topic": count.to_string() }),
                };
                state(self, *user, *room, &format!("{kind}/{key}"), content).await
            }
            Operation::Say(user, room) => {
                let path =
                    format!("/v3/rooms/{}/send/m.room.message/{count}", self.rooms[*room].id);
                let body = json!({ "msgtype": "m.text", "body": "x" });
                let answer = self.users[*user].put(&path, body).await;
                self.rooms[*room].sent.extend(answer.body["event_id"].as_str().map(str::to_owned));
                answer
            }
            Operation::Redact(room, event) => {
                let room = &self.rooms[*room];
                let state = room.state.iter().filter(|((kind, _), _)| kind != "m.room.create");
                let state = state.map(|(_, event)| event["event_id"].as_str().unwrap());
                let all: Vec<_> = state.chain(room.sent.iter().map(String::as_str)).collect();
                let path =
                    format!("/v3/rooms/{}/redact/{}/{count}", room.id, all[event % all.len()]);
                self.users[0].put(&path, json!({})).await
            }
            Operation::Visibility(room, visibility) => {
                let content = json!({ "history_visibility": VISIBILITIES[*visibility] });
                state(self, 0, *room, "m.room.history_visibility", content).await
            }
            Operation::JoinRule(room, rule) => {
                state(self, 0, *room, "m.room.join_rules", json!({ "join_rule": rule })).await
            }
            Operation::Rename(user, number) => {
                let user = &self.users[*user];
                let path = format!("/v3/profile/{}/displayname", user.user_id);
                user.put(&path, json!({ "displayname": number.to_string() })).await
            }
            _ => unreachable!(),
        }
    }

    async fn sync(&mut self, device: usize, asked: &Asked, arrives: bool) {
        let Device { habits, client, held, .. } = &self.devices[device];
        let mut timeline = asked.timeline.json(&self.room_ids());
        if let Some(limit) = asked.limit {
            timeline["limit"] = limit.into();
        }
        let mut state = habits.state.json(&self.room_ids());
        if let Some(redundant) = habits.lazy {
            state["lazy_load_members"] = true.into();
            state["include_redundant_members"] = redundant.into();
        }
        let mut room = json!({
            "timeline": timeline, "state": state, "include_leave": habits.include_leave,
        });
        if let Some(only) = habits.only {
            room["rooms"] = json!([self.rooms[only].id]);
        }
        let mut path =
            format!("/v3/sync?set_presence=offline&filter={}", query(&json!({ "room": room })));
        if let Some(token) = &held.token {
            path.push_str(&format!("&since={token}"));
        }
        if asked.full_state {
            path.push_str("&full_state=true");
        }
        path.push_str(FORMS[asked.form]);
        let client = client.clone();
        self.acknowledge(device);
        let answer = client.get(&path).await.ok();
        if arrives {
            self.check_timelines(device, &answer, &asked.timeline).await;
            self.take_data(device, &answer);
            self.devices[device].held.take(&answer);
            self.check(device, &answer).await;
            self.check_data(device).await;
        }
    }

    /// The timelines of an answer are the newest of what is new, and the rest is to be had from
    /// where they begin.
    async fn check_timelines(&self, device: usize, answer: &Value, filter: &Filter) {
        let Device { client, held, habits, .. } = &self.devices[device];
        let filter = query(&filter.json(&self.room_ids()));
        for (index, room) in self.rooms.iter().enumerate() {
            if habits.only.is_some_and(|only| only != index)
                || room.membership(&client.user_id) != "join"
            {
                continue;
            }
            let room = &room.id;
            let timeline = &answer["rooms"]["join"][room]["timeline"];
            // Who was not in the room before is told of it from its beginning.
            let was_in = held.sections.get(room) == Some(&"join");
            let to = held.token.as_ref().filter(|_| was_in);
            let to = to.map_or(String::new(), |token| format!("&to={token}"));
            let back_from = async |token: &Value| -> Vec<Value> {
                let token = token.as_str().unwrap();
                let path = format!(
                    "/v3/rooms/{room}/messages?dir=b&limit=1000&from={token}{to}&filter={filter}"
                );
                let page = client.get(&path).await.ok();
                page["chunk"].as_array().unwrap().iter().map(|e| e["event_id"].clone()).collect()
            };
            let shown = events(timeline).iter().rev().map(|event| event["event_id"].clone());
            let mut all: Vec<_> = shown.collect();
            if timeline["limited"] == true {
                all.extend(back_from(&timeline["prev_batch"]).await);
            }
            assert_eq!(all, back_from(&answer["next_batch"]).await, "the timeline of {room}");
        }
    }

    async fn check(&mut self, device: usize, answer: &Value) {
        let Device { habits, held, client, .. } = &self.devices[device];
        for (index, room) in self.rooms.iter().enumerate() {
            if habits.only.is_some_and(|only| only != index) {
                continue;
            }
            let user_id = &client.user_id;
            let section = held.sections.get(&room.id).copied().unwrap_or("leave");
            let is_in = match room.membership(user_id) {
                "none" | "ban" => "leave",
                membership => membership,
            };
            assert_eq!(section, is_in, "the section of {}", room.id);
            let Some(told) = room.told_to(user_id) else { continue };
            let Some(picture) = held.picture.rooms.get(&room.id) else { continue };
            let lazy = |kind: &str, key: &str| {
                habits.lazy.is_some() && kind == "m.room.member" && key != user_id
            };
            for (key, event) in &told {
                if !habits.state.passes(index, event) {
                    continue;
                }
                let known = picture.get(key).map(String::as_str);
                if known.is_some() || !lazy(&key.0, &key.1) {
                    assert_eq!(known, event["event_id"].as_str(), "{key:?} of {}", room.id);
                }
            }
            let part = &answer["rooms"][section][&room.id];
            let senders = events(&part["timeline"]).iter().map(|event| event["sender"].as_str());
            let mut shown: BTreeSet<_> = senders.flatten().map(str::to_owned).collect();
            assert!(picture.keys().all(|key| told.contains_key(key)), "{picture:?}");
            if is_in == "join" {
                self.check_summary(room, &held.summaries[&room.id], user_id);
                shown.extend(room.heroes(user_id).unwrap_or_default());
            }
            for user_id in shown {
                let key = member_key(&user_id);
                let Some(member) = told.get(&key) else { continue };
                if habits.state.passes(index, member) {
                    assert!(picture.contains_key(&key), "{user_id} is shown, of {}", room.id);
                }
            }
            let state = client.get(&format!("/v3/rooms/{}/state", room.id)).await;
            let readable = match is_in {
                "join" => Some(&room.state),
                // Who has forgotten it may read what everybody may, and that is another state.
                _ if room.is_open() => None,
                _ => room.left.get(user_id).filter(|_| state.status == 200),
            };
            if let Some(readable) = readable {
                assert_eq!(state.ok().as_array().map(Vec::len), Some(readable.len()));
            }
        }
        if self.devices[device].habits.drops {
            let held = &mut self.devices[device].held;
            held.picture.rooms.retain(|room, _| held.sections[room] == "join");
        }
    }

    fn check_summary(&self, room: &Room, summary: &Value, user_id: &str) {
        for (name, membership) in
            [("m.joined_member_count", "join"), ("m.invited_member_count", "invite")]
        {
            assert_eq!(summary[name], room.count(membership), "{membership} in {}", room.id);
        }
        if let Some(heroes) = room.heroes(user_id) {
            let named = summary["m.heroes"].as_array().unwrap().iter();
            let named: BTreeSet<_> = named.map(|hero| hero.as_str().unwrap().to_owned()).collect();
            assert_eq!(named, heroes, "heroes of {}", room.id);
        }
    }
}

impl Held {
    fn take(&mut self, answer: &Value) {
        self.token = answer["next_batch"].as_str().map(str::to_owned);
        self.picture.apply(answer);
        for section in ["join", "invite", "knock", "leave"] {
            for (room, part) in answer["rooms"][section].as_object().into_iter().flatten() {
                self.sections.insert(room.clone(), section);
                let summary = self.summaries.entry(room.clone()).or_insert_with(|| json!({}));
                for (name, value) in part["summary"].as_object().into_iter().flatten() {
                    summary[name] = value.clone();
                }
            }
        }
    }
}

async fn run(habits: Vec<Habits>, kept: KeptChanges, operations: Vec<Operation>) {
    let mut world = World::new(habits, kept).await;
    for operation in &operations {
        world.step(operation).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(150), max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_clients_put_together_is_what_the_server_has(
        habits in [habits(1), habits(1), habits(2), habits(3)],
        kept in kept(),
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        neurite::platform::run(run(habits.to_vec(), kept, operations));
    }
}
