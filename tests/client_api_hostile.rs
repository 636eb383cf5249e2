//! Requests of the Client-Server API that mean no good, one after the other in the same world: the
//! examples of its operations, changed anywhere, with whatever answers have told before. None is
//! answered with a fault of the homeserver, none hangs, nothing panics, and the homeserver goes on.
//!
//! `HOSTILE_REQUESTS` says how many there are. The same `HOSTILE_SEED` makes much the same requests
//! again, but for the ids that the homeserver gives.
#![cfg(not(target_arch = "wasm32"))]

mod support;

#[allow(dead_code, reason = "for the suite that knows what is wrong")]
#[path = "client_api_schema/operations.rs"]
mod operations;
#[allow(dead_code, reason = "for the suite that knows what is wrong")]
#[path = "client_api_schema/world.rs"]
mod world;

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use neurite::platform;
use operations::{Operation, operations};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use support::{any_content::TYPES, client::Client};
use world::{Examples, Request, World};

/// How many requests there are, unless it is said.
const REQUESTS: usize = 20_000;
/// How many there are in one world, if the sender is not logged out before.
const IN_A_WORLD: usize = 400;
/// How long an answer may take that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is waited for that may be for what is to come.
const SHORT: Duration = Duration::from_millis(20);
/// The operations that wait.
const WAITING: [&str; 9] = [
    "sync",
    "getEvents",
    "peekEvents",
    "getContent",
    "getContentAuthed",
    "getContentOverrideName",
    "getContentOverrideNameAuthed",
    "getContentThumbnail",
    "getContentThumbnailAuthed",
];
/// How much of what was told is known at most.
const KNOWN: usize = 200;

/// Values that something may not be ready for.
const VALUES: [&str; 32] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "-0",
    "0.5",
    "1e999",
    "-1e-999",
    "9007199254740991",
    "9007199254740992",
    "-9007199254740992",
    "18446744073709551615",
    "99999999999999999999",
    "\"\"",
    "\"*\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"m.*\"",
    "\"%00/../\"",
    "\"@:\"",
    "\"!\"",
    "\"$\"",
    "\"a.b\\\\.c\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"\":{}}",
    "{\"a\":[1,{\"b\":null}]}",
];
/// Members that something looks at, wherever they are.
const MEMBERS: [&str; 24] = [
    "",
    "alias",
    "allow",
    "auth",
    "ban",
    "body",
    "content",
    "event_id",
    "events",
    "join_rule",
    "key",
    "keys",
    "kind",
    "limit",
    "m.mentions",
    "m.relates_to",
    "membership",
    "rel_type",
    "room_id",
    "session",
    "type",
    "user_id",
    "users",
    "via",
];

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn asked<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

/// What decides on each request, and what is known from the answers.
struct Hostile {
    dice: StdRng,
    known: Vec<String>,
}

impl Hostile {
    fn below(&mut self, end: usize) -> usize {
        self.dice.random_range(0..end)
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        of.choose(&mut self.dice).unwrap()
    }

    /// A text for a path or a query, percent-encoded.
    fn text(&mut self) -> String {
        let bytes = match self.below(8) {
            0..4 if !self.known.is_empty() => {
                let at = self.below(self.known.len());
                self.known[at].clone().into_bytes()
            }
            4 => self.one_of(&TYPES).as_bytes().to_vec(),
            5 => "a".repeat(self.below(400)).into_bytes(),
            6 => (0..self.below(6)).map(|_| self.dice.random()).collect(),
            _ => self.one_of(&VALUES).trim_matches('"').as_bytes().to_vec(),
        };
        percent_encode(&bytes, NON_ALPHANUMERIC).to_string()
    }

    /// JSON, which may be none.
    fn json(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 if !self.known.is_empty() => {
                let at = self.below(self.known.len());
                json!(self.known[at]).to_string()
            }
            1 => json!(self.one_of(&TYPES)).to_string(),
            2 => json!("a".repeat(self.below(70_000))).to_string(),
            3 if depth < 4 => {
                let members = (0..self.below(4)).map(|_| {
                    let name = json!(self.one_of(&MEMBERS));
                    format!("{name}:{}", self.json(depth + 1))
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            4 if self.one_in(4) => {
                let depth = self.below(200);
                format!("{}{}", "[".repeat(depth), "]".repeat(depth))
            }
            _ => (*self.one_of(&VALUES)).to_owned(),
        }
    }

    /// Changes something of a request.
    fn change(&mut self, request: &mut Request) {
        match self.below(10) {
            0..2 if !request.variables.is_empty() => {
                let at = self.below(request.variables.len());
                request.variables[at] = self.text();
            }
            2 if !request.query.is_empty() => {
                let at = self.below(request.query.len());
                match self.below(3) {
                    0 => drop(request.query.remove(at)),
                    1 => request.query[at].1 = self.text(),
                    _ => {
                        let twice = (request.query[at].0.clone(), self.text());
                        request.query.push(twice);
                    }
                }
            }
            3 if self.one_in(10) => {
                let methods = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"];
                request.method = (*self.one_of(&methods)).to_owned();
            }
            4 if self.one_in(10) => {
                let name = ["limit", "from", "filter", "timeout"];
                request.query.push(((*self.one_of(&name)).to_owned(), self.text()));
            }
            _ => self.change_body(request),
        }
    }

    fn change_body(&mut self, request: &mut Request) {
        let Some(body) = &mut request.body else {
            if self.one_in(10) {
                request.body = Some(self.json(0).into_bytes());
            }
            return;
        };
        const MARK: &str = "\"<here>\"";
        if let Ok(mut json) = serde_json::from_slice::<Value>(body) {
            self.put(&mut json, json!(MARK.trim_matches('"')));
            *body = json.to_string().replace(MARK, &self.json(0)).into_bytes();
        }
        if self.one_in(20) {
            let at = self.below(body.len() + 1);
            match self.below(3) {
                0 => body.truncate(at),
                1 => body.insert(at, self.dice.random()),
                _ => body.extend_from_within(at..),
            }
        }
    }

    /// Puts `what` somewhere in a value.
    fn put(&mut self, value: &mut Value, what: Value) {
        let here = self.one_in(4);
        match value {
            Value::Object(object) if !here => {
                let names: Vec<_> = object.keys().cloned().collect();
                let name = match names.is_empty() || self.one_in(4) {
                    true => (*self.one_of(&MEMBERS)).to_owned(),
                    false => self.one_of(&names).clone(),
                };
                self.put(object.entry(name).or_insert(Value::Null), what);
            }
            Value::Array(items) if !here && !items.is_empty() => {
                let at = self.below(items.len());
                self.put(&mut items[at], what);
            }
            value => *value = what,
        }
    }

    /// Keeps what looks like an id or a token.
    fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.len() < 256 => {
                let is_id = text.starts_with(['!', '@', '#', '$', 's']) || text.len() < 24;
                if is_id && self.known.len() < KNOWN {
                    self.known.push(text.clone());
                } else if is_id {
                    let at = self.below(KNOWN);
                    self.known[at].clone_from(text);
                }
            }
            Value::Array(items) => items.iter().take(8).for_each(|item| self.learn(item)),
            Value::Object(object) => object.values().take(16).for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    /// Sends requests until there were so many, or nobody is logged in any more; how many.
    async fn run(&mut self, operations: &[Operation], examples: &Examples, most: usize) -> usize {
        let world = World::new(self.one_in(10)).await;
        self.known = world.names.values().cloned().collect();
        let senders = [&world.alice, &world.alice, &world.alice, &world.bob, &world.admin];
        for count in 1..=most {
            let operation = self.one_of(operations);
            if operation.id.starts_with("logout") && !self.one_in(10) {
                continue;
            }
            let mut request = examples.request(operation, &world);
            for _ in 0..self.below(4) {
                self.change(&mut request);
            }
            let sender = match self.one_in(10) {
                true => &world.anonymous,
                false => senders[self.below(senders.len())],
            };
            let waits = WAITING.contains(&operation.id.as_str());
            let patience = if waits { SHORT } else { PATIENCE };
            let body = request.body.as_deref().unwrap_or_default();
            let told: String = format!("{} {} ", request.method, request.target())
                .chars()
                .chain(body.escape_ascii().map(char::from))
                .take(4000)
                .collect();
            let Some(answer) = platform::timeout(patience, request.send(sender)).await else {
                assert!(waits, "no answer: {told}");
                continue;
            };
            // Pages and files of elsewhere can't be had here.
            let is_fault = answer.status >= 500 && ![502, 504].contains(&answer.status);
            assert!(!is_fault, "{told}: {answer:?}");
            assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{told}");
            self.learn(&answer.body);
            if answer.body["errcode"] == "M_UNKNOWN_TOKEN" {
                return count;
            }
        }
        world.settle().await;
        let erin = Client::fast(&world.server, "erin").await;
        erin.post("/v3/createRoom", json!({})).await.ok();
        assert_eq!(erin.get("/v3/sync").await.ok()["rooms"]["join"].as_object().unwrap().len(), 1);
        assert_eq!(PANICS.load(Ordering::Relaxed), 0);
        most
    }
}

#[test]
fn no_request_is_answered_with_a_fault_hangs_or_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    let requests = asked("HOSTILE_REQUESTS").unwrap_or(REQUESTS);
    let first: u64 = asked("HOSTILE_SEED").unwrap_or(1);
    let (operations, examples) = (operations(), Examples::new());
    let mut sent = 0;
    for seed in first.. {
        if sent >= requests {
            break;
        }
        println!("HOSTILE_SEED={seed}, after {sent} requests");
        let mut hostile = Hostile { dice: StdRng::seed_from_u64(seed), known: Vec::new() };
        let most = IN_A_WORLD.min(requests - sent);
        sent += platform::run(hostile.run(&operations, &examples, most));
    }
}
