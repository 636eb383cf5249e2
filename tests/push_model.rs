//! Unread counts and lists of notifications against what they are by the rules, worked out for each
//! user and event one by one: random messages, receipts, redactions, rules, comings and goings.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use neurite::feed::Position;
use proptest::prelude::*;
use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::{Value, json};
use support::{
    client::{Client, server_over},
    place::Place,
};

const USERS: usize = 4;

#[derive(Clone, Debug)]
enum Operation {
    /// Some messages, one right after the other: by whom, in which thread, about what.
    Send(Vec<(usize, Option<usize>, About)>),
    /// A user has read up to an event, in its thread or everywhere.
    Read {
        user: usize,
        event: usize,
        threaded: bool,
    },
    Redact {
        event: usize,
    },
    Leave {
        user: usize,
    },
    Join {
        user: usize,
    },
    /// A user asks for their counts, which may be stored then.
    Ask {
        user: usize,
    },
    Rule {
        user: usize,
        rule: Rule,
        on: bool,
    },
    Restart,
}

#[derive(Clone, Debug)]
enum About {
    Nothing,
    Cake,
    Notice,
    User(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// Messages about cake are highlighted.
    Cake,
    /// Nothing in the room notifies.
    Mute,
    Ignore(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let user = 0..USERS;
    let about = prop_oneof![
        4 => Just(About::Nothing),
        1 => Just(About::Cake),
        1 => Just(About::Notice),
        1 => user.clone().prop_map(About::User),
    ];
    let thread = prop::option::weighted(0.4, 0..2_usize);
    let message = (user.clone(), thread, about);
    let rule =
        prop_oneof![Just(Rule::Cake), Just(Rule::Mute), user.clone().prop_map(Rule::Ignore),];
    prop_oneof![
        8 => prop::collection::vec(message, 1..12).prop_map(Operation::Send),
        6 => (user.clone(), 0..1000_usize, any::<bool>())
            .prop_map(|(user, event, threaded)| Operation::Read { user, event, threaded }),
        3 => (0..1000_usize).prop_map(|event| Operation::Redact { event }),
        2 => user.clone().prop_map(|user| Operation::Leave { user }),
        3 => user.clone().prop_map(|user| Operation::Join { user }),
        4 => user.clone().prop_map(|user| Operation::Ask { user }),
        2 => (user, rule, any::<bool>())
            .prop_map(|(user, rule, on)| Operation::Rule { user, rule, on }),
        1 => Just(Operation::Restart),
    ]
}

struct Sent {
    id: String,
    part: String,
    redacted: bool,
}

/// What the room means to a user.
#[derive(Default)]
struct Reader {
    joined: bool,
    rules: BTreeSet<Rule>,
    /// Events that are not read, and whether they are highlighted.
    unread: BTreeMap<usize, bool>,
    /// Events that the user was notified of.
    notified: BTreeSet<usize>,
    receipts: BTreeMap<String, usize>,
}

struct World {
    place: Place,
    users: Vec<Client>,
    room: OwnedRoomId,
    roots: Vec<String>,
    sent: Vec<Sent>,
    readers: Vec<Reader>,
}

impl World {
    async fn new() -> Self {
        let place = Place::new();
        let server = server_over(place.open().await, |_| {}).await;
        let mut users = Vec::new();
        for name in ["alice", "bob", "carol", "dave"] {
            users.push(Client::fast(&server, name).await);
        }
        let made = users[0].post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
        let room = RoomId::parse(made["room_id"].as_str().unwrap()).unwrap();
        let readers = (0..USERS).map(|user| Reader { joined: user == 0, ..Reader::default() });
        let readers = readers.collect();
        let mut world = Self { place, users, room, roots: Vec::new(), sent: Vec::new(), readers };
        // What is in the room before the others come.
        for _ in 0..2 {
            let root = world.send(0, None, &About::Nothing).await;
            world.roots.push(root);
        }
        for user in [1, 2] {
            world.join(user).await;
        }
        world.check().await;
        world
    }

    fn path(&self, path: &str) -> String {
        format!("/v3/rooms/{}/{path}", self.room)
    }

    async fn send(&mut self, by: usize, thread: Option<usize>, about: &About) -> String {
        let mut content = json!({ "msgtype": "m.text", "body": "hello", "m.mentions": {} });
        match about {
            About::Nothing => {}
            About::Cake => content["body"] = "there is cake".into(),
            About::Notice => content["msgtype"] = "m.notice".into(),
            About::User(user) => {
                content["m.mentions"] = json!({ "user_ids": [self.users[*user].user_id] });
            }
        }
        let root = thread.and_then(|thread| self.roots.get(thread)).cloned();
        if let Some(root) = &root {
            content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
        }
        let path = self.path(&format!("send/m.room.message/{}", self.sent.len()));
        let answer = self.users[by].put(&path, content).await.ok();
        let id = answer["event_id"].as_str().unwrap().to_owned();
        let part = root.unwrap_or_else(|| "main".to_owned());
        let number = self.sent.len();
        self.sent.push(Sent { id: id.clone(), part: part.clone(), redacted: false });
        self.has_read(by, Some(&part), number);
        for (user, reader) in self.readers.iter_mut().enumerate() {
            if user == by || !reader.joined || reader.rules.contains(&Rule::Ignore(by)) {
                continue;
            }
            let mentioned = matches!(about, About::User(of) if *of == user);
            let cake = matches!(about, About::Cake) && reader.rules.contains(&Rule::Cake);
            let notifies = match about {
                About::Notice => false,
                _ => mentioned || cake || !reader.rules.contains(&Rule::Mute),
            };
            if notifies {
                reader.unread.insert(number, mentioned || cake);
                reader.notified.insert(number);
            }
        }
        id
    }

    fn has_read(&mut self, user: usize, part: Option<&str>, until: usize) {
        let sent = &self.sent;
        self.readers[user].unread.retain(|event, _| {
            *event > until || part.is_some_and(|part| part != sent[*event].part)
        });
    }

    async fn join(&mut self, user: usize) {
        if !std::mem::replace(&mut self.readers[user].joined, true) {
            self.users[user].post(&self.path("join"), json!({})).await.ok();
        }
    }

    async fn step(&mut self, operation: &Operation) {
        match operation {
            Operation::Send(messages) => {
                for (by, thread, about) in messages {
                    if self.readers[*by].joined {
                        self.send(*by, *thread, about).await;
                    }
                }
            }
            Operation::Read { user, event, threaded } => {
                let event = event % self.sent.len();
                let part = self.sent[event].part.clone();
                let thread = threaded.then_some(part);
                let body = match &thread {
                    Some(thread) => json!({ "thread_id": thread }),
                    None => json!({}),
                };
                if !self.readers[*user].joined {
                    return;
                }
                let path = self.path(&format!("receipt/m.read/{}", self.sent[event].id));
                let answer = self.users[*user].post(&path, body).await;
                // Of a redacted event it is not known any longer in which thread it was.
                if !self.sent[event].redacted {
                    answer.ok();
                } else if answer.status != 200 {
                    return;
                }
                let receipts = &mut self.readers[*user].receipts;
                let receipt = receipts.entry(thread.clone().unwrap_or_default());
                let before = receipt.or_insert(0);
                if *before < event {
                    *before = event;
                    self.has_read(*user, thread.as_deref(), event);
                }
            }
            Operation::Redact { event } => {
                let event = event % self.sent.len();
                let path = self.path(&format!("redact/{}/{event}", self.sent[event].id));
                self.users[0].put(&path, json!({})).await.ok();
                if std::mem::replace(&mut self.sent[event].redacted, true) {
                    return;
                }
                self.readers.iter_mut().for_each(|reader| _ = reader.unread.remove(&event));
                self.has_read(0, Some("main"), usize::MAX);
            }
            Operation::Leave { user } => {
                if *user != 0 && std::mem::replace(&mut self.readers[*user].joined, false) {
                    self.users[*user].post(&self.path("leave"), json!({})).await.ok();
                    self.readers[*user].unread.clear();
                }
            }
            Operation::Join { user } => self.join(*user).await,
            Operation::Ask { user } => {
                self.users[*user].get("/v3/sync?set_presence=offline").await.ok();
            }
            Operation::Rule { user, rule, on } => self.set_rule(*user, rule, *on).await,
            Operation::Restart => {
                let server = server_over(self.place.open().await, |_| {}).await;
                self.users.iter_mut().for_each(|user| user.server = server.clone());
            }
        }
    }

    async fn set_rule(&mut self, user: usize, rule: &Rule, on: bool) {
        if matches!(rule, Rule::Ignore(of) if *of == user) {
            return;
        }
        let reader = &mut self.readers[user];
        let changed = match on {
            true => reader.rules.insert(rule.clone()),
            false => reader.rules.remove(rule),
        };
        if !changed {
            return;
        }
        let client = &self.users[user];
        let (path, body) = match rule {
            Rule::Cake => (
                "/v3/pushrules/global/content/cake".to_owned(),
                json!({ "pattern": "cake", "actions": ["notify", { "set_tweak": "highlight" }] }),
            ),
            Rule::Mute => {
                (format!("/v3/pushrules/global/room/{}", self.room), json!({ "actions": [] }))
            }
            Rule::Ignore(_) => {
                let ignored = reader.rules.iter().filter_map(|rule| match rule {
                    Rule::Ignore(of) => Some((self.users[*of].user_id.clone(), json!({}))),
                    _ => None,
                });
                let ignored: serde_json::Map<String, Value> = ignored.collect();
                let path = format!("/v3/user/{}/account_data/m.ignored_user_list", client.user_id);
                client.put(&path, json!({ "ignored_users": ignored })).await.ok();
                return;
            }
        };
        match on {
            true => client.put(&path, body).await.ok(),
            false => client.delete(&path, None).await.ok(),
        };
    }

    /// What the server says against what is so.
    async fn check(&self) {
        let push = &self.users[0].server.push;
        push.catch_up().await;
        for (user, reader) in self.readers.iter().enumerate() {
            let user_id = UserId::parse(self.users[user].user_id.as_str()).unwrap();
            let counts = push.unread_counts(&user_id, &self.room).await.unwrap();
            let mut parts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for (event, highlight) in &reader.unread {
                let part = parts.entry(self.sent[*event].part.clone()).or_default();
                *part = (part.0 + 1, part.1 + u64::from(*highlight));
            }
            let main = (counts.main.notification_count, counts.main.highlight_count);
            assert_eq!(main, parts.remove("main").unwrap_or_default(), "user {user}, main");
            let threads = counts.threads.iter().map(|(root, counts)| {
                (root.to_string(), (counts.notification_count, counts.highlight_count))
            });
            assert_eq!(threads.collect::<BTreeMap<_, _>>(), parts, "user {user}, threads");

            let told = push.notifications(&user_id, Position::MAX, 1000, false).await.unwrap();
            let told: Vec<_> =
                told.iter().map(|told| (told.event_id.as_str(), told.read)).collect();
            let expected: Vec<_> = reader
                .notified
                .iter()
                .rev()
                .map(|event| (self.sent[*event].id.as_str(), !reader.unread.contains_key(event)))
                .collect();
            assert_eq!(told, expected, "user {user}");
        }
    }
}

async fn run(operations: Vec<Operation>) {
    let mut world = World::new().await;
    for (number, operation) in operations.iter().enumerate() {
        world.step(operation).await;
        // Rules and comings count for what comes after them.
        world.users[0].server.push.catch_up().await;
        // Not each time: to ask may store what was counted.
        if number % 5 == 4 {
            world.check().await;
        }
    }
    world.check().await;
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: support::queue::cases(60),
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn counts_and_lists_are_what_the_rules_say(
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        neurite::platform::run(run(operations));
    }
}
