//! What clients put together from `/sync` against what the server has: random users, rooms, filters
//! and gaps, answers that are lost, clients that go back or begin anew.
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/picture.rs"]
mod picture;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use picture::{Picture, events, query};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{
    client::{Answer, Client, server_over},
    place::Place,
};

const ROOMS: usize = 2;
/// The first made the rooms, sees everything and never leaves; the others come and go.
const USERS: [&str; 4] = ["root", "alice", "bob", "carol"];
const KEYS: [(&str, &str); 5] =
    [("m.room.topic", ""), ("m.room.name", ""), ("m.room.avatar", ""), ("x.y", "a"), ("x.y", "b")];
const VISIBILITIES: [&str; 4] = ["joined", "invited", "shared", "world_readable"];
const FORMS: [&str; 3] = ["", "&use_state_after=true", "&org.matrix.msc4222.use_state_after=true"];

#[derive(Clone, Debug)]
enum Operation {
    /// A user does something with their own membership.
    Own(usize, usize, &'static str),
    /// A user does something with another's membership.
    Other(usize, usize, usize, &'static str),
    State(usize, usize, usize, u8),
    Say(usize, usize),
    Redact(usize, usize),
    Visibility(usize, usize),
    JoinRule(usize, &'static str),
    Rename(usize, u8),
    /// A device asks for what is new, and gets the answer or does not.
    Sync(usize, Asked, bool),
    /// A device writes down what it has.
    Save(usize),
    /// A device goes back to what it has written down.
    Restore(usize),
    /// A device forgets everything.
    Forget(usize),
    Restart,
}

#[derive(Clone, Debug)]
enum Filter {
    All,
    Types(&'static [&'static str]),
    NotTypes(&'static [&'static str]),
    Senders(usize),
    NotSenders(usize),
    Url(bool),
    Room(usize),
    NotRoom(usize),
}

/// What may be different from one sync of a device to the next.
#[derive(Clone, Debug)]
struct Asked {
    timeline: Filter,
    limit: Option<usize>,
    form: usize,
    full_state: bool,
}

/// What stays the same for a device.
#[derive(Clone, Debug)]
struct Habits {
    user: usize,
    state: Filter,
    /// Whether members are loaded lazily, and then whether redundant ones too.
    lazy: Option<bool>,
    /// Asks only for one room.
    only: Option<usize>,
    include_leave: bool,
    /// Drops what it knows of a room when its user has left.
    drops: bool,
}

fn filter() -> impl Strategy<Value = Filter> {
    prop_oneof![
        12 => Just(Filter::All),
        1 => Just(Filter::Types(&["m.room.message"])),
        1 => Just(Filter::Types(&["m.room.member", "x.*"])),
        1 => Just(Filter::Types(&[])),
        1 => Just(Filter::NotTypes(&["m.room.topic", "m.room.history_visibility"])),
        1 => Just(Filter::NotTypes(&["m.room.member"])),
        2 => (0..USERS.len()).prop_map(Filter::Senders),
        2 => (0..USERS.len()).prop_map(Filter::NotSenders),
        1 => any::<bool>().prop_map(Filter::Url),
        1 => (0..ROOMS).prop_map(Filter::Room),
        1 => (0..ROOMS).prop_map(Filter::NotRoom),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let limit = prop::option::of(1..4usize);
    let form = prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(2)];
    let full_state = prop::bool::weighted(0.1);
    (filter(), limit, form, full_state).prop_map(|(timeline, limit, form, full_state)| Asked {
        timeline,
        limit,
        form,
        full_state,
    })
}

fn habits(user: usize) -> impl Strategy<Value = Habits> {
    let lazy = prop::option::of(prop::bool::weighted(0.2));
    let only = prop::option::weighted(0.1, 0..ROOMS);
    (filter(), lazy, only, any::<bool>(), any::<bool>()).prop_map(
        move |(state, lazy, only, include_leave, drops)| Habits {
            user,
            state,
            lazy,
            only,
            include_leave,
            drops,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let (user, room, device) = (|| 1..USERS.len(), || 0..ROOMS, || 0..DEVICES);
    let own = prop_oneof![
        6 => Just("join"), 4 => Just("leave"), 1 => Just("forget"), 1 => Just("knock"),
    ];
    let other = prop_oneof![
        3 => Just("invite"), 2 => Just("kick"), 1 => Just("ban"), 2 => Just("unban"),
    ];
    let rule = prop_oneof![2 => Just("public"), 1 => Just("invite"), 1 => Just("knock")];
    prop_oneof![
        10 => (user(), room(), own).prop_map(|(u, r, a)| Operation::Own(u, r, a)),
        6 => (0..USERS.len(), room(), user(), other)
            .prop_map(|(u, r, o, a)| Operation::Other(u, r, o, a)),
        8 => (0..USERS.len(), room(), 0..KEYS.len(), 0..3u8)
            .prop_map(|(u, r, k, v)| Operation::State(u, r, k, v)),
        10 => (0..USERS.len(), room()).prop_map(|(u, r)| Operation::Say(u, r)),
        1 => (room(), 0..10usize).prop_map(|(r, n)| Operation::Redact(r, n)),
        2 => (room(), 0..VISIBILITIES.len()).prop_map(|(r, v)| Operation::Visibility(r, v)),
        1 => (room(), rule).prop_map(|(r, v)| Operation::JoinRule(r, v)),
        2 => (user(), any::<u8>()).prop_map(|(u, n)| Operation::Rename(u, n)),
        16 => (device(), asked(), prop::bool::weighted(0.7))
            .prop_map(|(d, a, arrives)| Operation::Sync(d, a, arrives)),
        1 => device().prop_map(Operation::Save),
        1 => device().prop_map(Operation::Restore),
        1 => device().prop_map(Operation::Forget),
        1 => Just(Operation::Restart),
    ]
}

const DEVICES: usize = 4;

impl Filter {
    fn json(&self, world: &World) -> Value {
        match self {
            Self::All => json!({}),
            Self::Types(types) => json!({ "types": types }),
            Self::NotTypes(types) => json!({ "not_types": types }),
            Self::Senders(user) => json!({ "senders": [world.users[*user].user_id] }),
            Self::NotSenders(user) => json!({ "not_senders": [world.users[*user].user_id] }),
            Self::Url(with) => json!({ "contains_url": with }),
            Self::Room(room) => json!({ "rooms": [world.rooms[*room].id] }),
            Self::NotRoom(room) => json!({ "not_rooms": [world.rooms[*room].id] }),
        }
    }

    fn passes(&self, world: &World, room: usize, event: &Value) -> bool {
        let is_of = |types: &[&str]| {
            let kind = event["type"].as_str().unwrap();
            types.iter().any(|of| match of.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => kind == *of,
            })
        };
        let sent_by = |user: usize| event["sender"] == world.users[user].user_id.as_str();
        match self {
            Self::All => true,
            Self::Types(types) => is_of(types),
            Self::NotTypes(types) => !is_of(types),
            Self::Senders(user) => sent_by(*user),
            Self::NotSenders(user) => !sent_by(*user),
            Self::Url(with) => event["content"]["url"].is_null() != *with,
            Self::Room(of) => room == *of,
            Self::NotRoom(of) => room != *of,
        }
    }
}

/// The state of a room: the events by type and state key.
type Events = BTreeMap<(String, String), Value>;

fn member_key(user_id: &str) -> (String, String) {
    ("m.room.member".to_owned(), user_id.to_owned())
}

#[derive(Default)]
struct Room {
    id: String,
    /// Its state now.
    state: Events,
    /// Its state when users last left it.
    left: BTreeMap<String, Events>,
    /// Its state at what befell users last who had left it, if everybody could read it then.
    open: BTreeMap<String, Events>,
    /// The events that were sent to it.
    sent: Vec<String>,
}

impl Room {
    fn membership(&self, user_id: &str) -> &str {
        let member = self.state.get(&member_key(user_id));
        member.map_or("none", |member| member["content"]["membership"].as_str().unwrap())
    }

    fn content(&self, kind: &str, field: &str) -> &str {
        let event = self.state.get(&(kind.to_owned(), String::new()));
        event.and_then(|event| event["content"][field].as_str()).unwrap_or_default()
    }

    /// Whether everybody may read it.
    fn is_open(&self) -> bool {
        self.content("m.room.history_visibility", "history_visibility") == "world_readable"
    }

    /// The state that a user who is or was in the room is told.
    fn told_to(&self, user_id: &str) -> Option<Events> {
        let own = member_key(user_id);
        match self.membership(user_id) {
            "join" => Some(self.state.clone()),
            "leave" | "ban" => {
                let seen = self.open.get(user_id).or(self.left.get(user_id));
                let mut seen = seen.cloned().unwrap_or_default();
                seen.insert(own.clone(), self.state[&own].clone());
                Some(seen)
            }
            _ => None,
        }
    }

    fn becomes(&mut self, state: Events) {
        let before = std::mem::replace(&mut self.state, state);
        for name in &USERS[1..] {
            let user_id = format!("@{name}:neurite.test");
            let own = member_key(&user_id);
            let id = |state: &Events| state.get(&own).map(|event| event["event_id"].clone());
            if id(&before) == id(&self.state) {
                continue;
            }
            let was_joined =
                before.get(&own).is_some_and(|event| event["content"]["membership"] == "join");
            if was_joined {
                self.left.insert(user_id.clone(), self.state.clone());
            }
            match self.is_open() {
                true => self.open.insert(user_id, self.state.clone()),
                false => self.open.remove(&user_id),
            };
        }
    }

    /// Whom the room is called by, where it has no name.
    fn heroes(&self, but: &str) -> Option<BTreeSet<String>> {
        if !self.content("m.room.name", "name").is_empty() {
            return None;
        }
        let those = |memberships: [&str; 2]| -> BTreeSet<String> {
            let members = self.state.keys().filter(|(kind, _)| kind == "m.room.member");
            members
                .map(|(_, user_id)| user_id.clone())
                .filter(|user_id| user_id != but && memberships.contains(&self.membership(user_id)))
                .collect()
        };
        let here = those(["join", "invite"]);
        Some(if here.is_empty() { those(["leave", "ban"]) } else { here })
    }

    fn count(&self, membership: &str) -> usize {
        let members = self.state.keys().filter(|(kind, _)| kind == "m.room.member");
        members.filter(|(_, user_id)| self.membership(user_id) == membership).count()
    }
}

/// What a device has from its syncs.
#[derive(Clone, Debug, Default)]
struct Held {
    token: Option<String>,
    picture: Picture,
    /// In which section each room was last.
    sections: BTreeMap<String, &'static str>,
    /// What summaries have said of each room.
    summaries: BTreeMap<String, Value>,
}

struct Device {
    habits: Habits,
    client: Client,
    held: Held,
    saved: Held,
}

struct World {
    place: Place,
    users: Vec<Client>,
    rooms: Vec<Room>,
    devices: Vec<Device>,
    count: usize,
}

impl World {
    async fn new(habits: Vec<Habits>) -> Self {
        let place = Place::new();
        let server = server_over(place.open().await, |_| {}).await;
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
        let mut world = Self { place, users, rooms, devices, count: 0 };
        world.look().await;
        world
    }

    /// Takes in what has become of the rooms.
    async fn look(&mut self) {
        for room in &mut self.rooms {
            let state = self.users[0].get(&format!("/v3/rooms/{}/state", room.id)).await.ok();
            let field = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
            let state = state.as_array().unwrap().iter().map(|event| {
                let mut event = event.clone();
                event["unsigned"].take();
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
                let server = server_over(self.place.open().await, |_| {}).await;
                let clients = self.devices.iter_mut().map(|device| &mut device.client);
                for client in self.users.iter_mut().chain(clients) {
                    client.server = server.clone();
                }
            }
            _ => {
                let answer = self.change(operation).await;
                assert!(answer.status < 500, "{answer:?}");
                self.look().await;
            }
        }
    }

    /// Does what changes rooms; it may well be refused.
    async fn change(&mut self, operation: &Operation) -> Answer {
        self.count += 1;
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
        let mut timeline = asked.timeline.json(self);
        if let Some(limit) = asked.limit {
            timeline["limit"] = limit.into();
        }
        let mut state = habits.state.json(self);
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
        let answer = client.get(&path).await.ok();
        if arrives {
            self.check_timelines(device, &answer, &asked.timeline).await;
            self.devices[device].held.take(&answer);
            self.check(device, &answer).await;
        }
    }

    /// The timelines of an answer are the newest of what is new, and the rest is to be had from
    /// where they begin.
    async fn check_timelines(&self, device: usize, answer: &Value, filter: &Filter) {
        let Device { client, held, habits, .. } = &self.devices[device];
        let filter = query(&filter.json(self));
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
                if !habits.state.passes(self, index, event) {
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
            if is_in == "join" {
                assert!(picture.keys().all(|key| told.contains_key(key)), "{picture:?}");
                self.check_summary(room, &held.summaries[&room.id], user_id);
                shown.extend(room.heroes(user_id).unwrap_or_default());
            }
            for user_id in shown {
                let key = member_key(&user_id);
                let Some(member) = told.get(&key) else { continue };
                if habits.state.passes(self, index, member) {
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

async fn run(habits: Vec<Habits>, operations: Vec<Operation>) {
    let mut world = World::new(habits).await;
    for operation in &operations {
        world.step(operation).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(150), max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_clients_put_together_is_what_the_server_has(
        habits in [habits(1), habits(1), habits(2), habits(3)],
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        neurite::platform::run(run(habits.to_vec(), operations));
    }
}
