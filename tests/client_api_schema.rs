//! The Client-Server API held against the specification: each of its operations is answered, and what
//! it does not allow is refused and changes nothing.
#![cfg(not(target_arch = "wasm32"))]

mod support;

#[path = "client_api_schema/operations.rs"]
mod operations;
#[path = "client_api_schema/world.rs"]
mod world;
#[path = "client_api_schema/wrong.rs"]
mod wrong;

use std::collections::BTreeSet;

use neurite::platform;
use operations::{Kind, Name, Operation, operations};
use support::client::{Answer, Client};
use world::{Examples, Expected, World};
use wrong::{Wrong, wrong};

/// How often a request that was refused is sent again to see whether it was what changed something:
/// more often than other things happen beside it.
const TRIES: usize = 3;

/// What is taken although the specification does not allow it: operation, place, value (`*` for any)
/// and why. Besides, a member that is null is as good as left out, as ruma and Synapse have it for
/// the clients that send it so; and what POST requests need no member of may be left out whole.
const TAKEN: [(&str, &str, &str, &str); 5] = [
    ("postRoomKeysVersion", "body.algorithm", "*", ALGORITHM),
    ("getContentThumbnail", "query.animated", "", FLAG),
    ("getContentThumbnailAuthed", "query.animated", "", FLAG),
    ("peekEvents", "query.room_id", "", "without a room it is another operation, getEvents"),
    ("setPushRule", "body.conditions[0].value", "-1", "an integer may be negative there"),
];
const ALGORITHM: &str = "what a backup is encrypted with is its user's affair, as in MSC3270";
const FLAG: &str = "a flag without a value is none, as forms are read";

fn is_taken(operation: &Operation, wrong: &Wrong) -> bool {
    TAKEN.iter().any(|(id, place, value, _)| {
        *id == operation.id
            && *place == wrong.place
            && (*value == "*" || value.as_bytes() == wrong.value)
    })
}

/// The codes by which what is wrong there may be refused.
fn codes(operation: &Operation, wrong: &Wrong) -> &'static [&'static str] {
    match wrong.place.split_once('.') {
        Some(("path", _)) if wrong.value.is_empty() => &["M_UNRECOGNIZED"],
        // What can't be called so is not there.
        Some(("path", _)) if operation.method == "GET" => &["M_INVALID_PARAM", "M_NOT_FOUND"],
        Some(("path", _)) => &["M_INVALID_PARAM", "M_MISSING_PARAM"],
        // What is no filter may be the id of one.
        Some(("query", "filter")) if operation.id == "sync" => &["M_INVALID_PARAM", "M_NOT_FOUND"],
        Some(("query", _)) => &["M_INVALID_PARAM", "M_MISSING_PARAM"],
        _ => &["M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM", "M_MISSING_PARAM"],
    }
}

/// Status and code of an answer.
fn told(answer: &Answer) -> Expected {
    let errcode = answer.body["errcode"].as_str().filter(|_| answer.status != 200);
    (answer.status, errcode.map(str::to_owned))
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().take(80).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

/// What is wrong with how an operation is answered.
async fn faults(operation: &Operation, examples: &Examples) -> Vec<String> {
    let mut faults = Vec::new();
    let mut world = World::of(operation, examples).await;
    let expected = examples.expected(operation);
    let mut all = wrong(operation, &examples.request(operation, &world));
    for at in 0..all.len() {
        let one = &all[at];
        let (answer, changed) = send_wrong(&world, examples.sender(operation, &world), one).await;
        let (status, errcode) = told(&answer);
        let refused = (400..500).contains(&status)
            && errcode.as_deref().is_some_and(|code| codes(operation, one).contains(&code));
        // An operation that is always refused need not look at what it is asked.
        let is_right = !changed && (refused || (status >= 400 && told(&answer) == expected));
        if !is_right && !is_taken(operation, one) {
            let changed = if changed { ", changed" } else { "" };
            let (place, value) = (&one.place, shown(&one.value));
            faults.push(format!("{} {place} {value}: {answer:?}{changed}", operation.id));
        }
        if changed {
            // What is wrong in each world has the same places.
            world = World::of(operation, examples).await;
            all = wrong(operation, &examples.request(operation, &world));
        }
    }
    // So it was what was wrong that was refused. What is not known is ignored.
    let mut request = examples.request(operation, &world);
    request.query.push(("org.example.unknown".to_owned(), "1".to_owned()));
    if let (Some(body), false) = (&mut request.body, is_map(operation)) {
        let rest = body.split_off(1);
        let comma = if rest == b"}" { "" } else { "," };
        body.extend(format!("\"org.example.unknown\":[]{comma}").bytes().chain(rest));
    }
    let answer = request.send(examples.sender(operation, &world)).await;
    if told(&answer) != expected {
        faults.push(format!("{} {}: {answer:?}", operation.id, request.target()));
    }
    faults
}

/// Whether no member of a body can be unknown.
fn is_map(operation: &Operation) -> bool {
    match &operation.body {
        Some(Kind::Members(members)) => {
            members.iter().any(|member| matches!(member.name, Name::Any(_)))
        }
        kind => matches!(kind, Some(Kind::Bytes)),
    }
}

/// Sends a wrong request: the answer, and whether anything changes by it.
async fn send_wrong(world: &World, sender: &Client, wrong: &Wrong) -> (Answer, bool) {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = world.changes().await;
        let answer = wrong.request.send(sender).await;
        let changed = world.changes().await != before;
        if !changed || answer.status == 200 || tries == TRIES {
            return (answer, changed);
        }
    }
}

#[test]
fn what_the_specification_does_not_allow_is_refused_and_changes_nothing() {
    platform::run(async {
        let examples = Examples::new();
        let mut all = Vec::new();
        for operation in operations() {
            all.extend(faults(&operation, &examples).await);
        }
        assert!(all.is_empty(), "{} faults:\n{}", all.len(), all.join("\n"));
    });
}

#[test]
fn who_has_to_be_known_is() {
    platform::run(async {
        let (examples, world) = (Examples::new(), World::new(false).await);
        let stranger = Client { access_token: Some("none".to_owned()), ..world.anonymous.clone() };
        for operation in operations() {
            if !["required", "appservice"].contains(&operation.auth.as_str()) {
                continue;
            }
            let request = examples.request(&operation, &world);
            request.send(&world.anonymous).await.fails(401, "M_MISSING_TOKEN");
            request.send(&stranger).await.fails(401, "M_UNKNOWN_TOKEN");
        }
    });
}

#[test]
fn there_is_an_example_of_each_operation() {
    let operations = operations();
    let ids: BTreeSet<_> = operations.iter().map(|operation| &operation.id).collect();
    let examples = Examples::new();
    assert_eq!(examples.ids().collect::<BTreeSet<_>>(), ids);
    // By that code clients find out that there is no OAuth. All others have a route.
    let unrecognized = operations
        .iter()
        .filter(|operation| examples.expected(operation).1.as_deref() == Some("M_UNRECOGNIZED"));
    let ids: Vec<_> = unrecognized.map(|operation| &operation.id).collect();
    assert_eq!(ids, ["getAuthMetadata"]);
}
