//! Requests, publishes, acknowledgements and snapshots of clients that mean no good: random ones, with
//! numbers, times and names at the ends of what there can be. Nothing panics, and the queue goes on.
#![cfg(not(target_arch = "wasm32"))]

#[macro_use]
mod support;

use std::{cell::Cell, rc::Rc, sync::Once, time::Duration};

use neurite::{
    platform,
    queue::{CoreMessage, Headers, Purge, Queue, StreamConfig, StreamSource},
    store::Batch,
};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};
use support::{
    nats::Client,
    queue::{World, stream},
};

const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "100",
    "-1",
    "-2",
    "65536",
    "4294967296",
    "1000000000",
    "100000000",
    "4611686018427387904",
    "9223372036854775806",
    "9223372036854775807",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e300",
    "0.5",
    "170141183460469231731687303715884105728",
    "2",
];
const TEXTS: [&str; 40] = [
    "",
    "a",
    "S",
    "T",
    "M",
    "c",
    "d",
    "g",
    "s",
    "s.a",
    "s.b",
    "s.*",
    "s.>",
    ">",
    "*",
    "s..a",
    ".",
    "new",
    "old",
    "none",
    "all",
    "explicit",
    "flow_control",
    "interest",
    "workqueue",
    "limits",
    "memory",
    "last",
    "last_per_subject",
    "by_start_sequence",
    "by_start_time",
    "original",
    "async",
    "to.me",
    "pinned_client",
    "overflow",
    "prioritized",
    "100%",
    "\u{e9}\u{0}\u{1F600}",
    "s.{{wildcard(9)}}",
];
const TIMES: [&str; 9] = [
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2001-09-09T01:46:41Z",
    "2262-04-11T23:47:16.9Z",
    "9999-12-31T23:59:59.999999999Z",
    "2000-01-01T00:00:00+99999999999999999:00",
    "2000-01-01T00:00:00-00:9223372036854775807",
    "2000-02-31T24:60:60Z",
    "2554-07-21T23:34:33.7Z",
];
const STREAM: [&str; 36] = [
    "description",
    "subjects",
    "retention",
    "max_consumers",
    "max_msgs",
    "max_bytes",
    "max_age",
    "max_msgs_per_subject",
    "max_msg_size",
    "discard",
    "storage",
    "num_replicas",
    "no_ack",
    "duplicate_window",
    "placement",
    "mirror",
    "sources",
    "compression",
    "first_seq",
    "subject_transform",
    "republish",
    "allow_direct",
    "mirror_direct",
    "discard_new_per_subject",
    "sealed",
    "deny_delete",
    "deny_purge",
    "allow_rollup_hdrs",
    "consumer_limits",
    "allow_msg_ttl",
    "subject_delete_marker_ttl",
    "allow_msg_counter",
    "allow_atomic",
    "allow_msg_schedules",
    "persist_mode",
    "allow_batched",
];
const CONSUMER: [&str; 33] = [
    "durable_name",
    "name",
    "description",
    "deliver_policy",
    "opt_start_seq",
    "opt_start_time",
    "ack_policy",
    "ack_wait",
    "max_deliver",
    "backoff",
    "filter_subject",
    "filter_subjects",
    "replay_policy",
    "rate_limit_bps",
    "sample_freq",
    "max_waiting",
    "max_ack_pending",
    "flow_control",
    "headers_only",
    "max_batch",
    "max_expires",
    "max_bytes",
    "deliver_subject",
    "deliver_group",
    "idle_heartbeat",
    "inactive_threshold",
    "num_replicas",
    "mem_storage",
    "direct",
    "pause_until",
    "priority_groups",
    "priority_policy",
    "priority_timeout",
];
const HEADERS: [&str; 22] = [
    "Nats-Msg-Id",
    "Nats-Expected-Stream",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Last-Subject-Sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject",
    "Nats-Expected-Last-Msg-Id",
    "Nats-Rollup",
    "Nats-TTL",
    "Nats-Incr",
    "Nats-Counter-Sources",
    "Nats-Batch-Id",
    "Nats-Batch-Sequence",
    "Nats-Batch-Commit",
    "Nats-Schedule",
    "Nats-Schedule-Target",
    "Nats-Schedule-TTL",
    "Nats-Schedule-Source",
    "Nats-Schedule-Time-Zone",
    "Nats-Scheduler",
    "Nats-Schedule-Next",
    "Nats-Required-Api-Level",
    "Nats-Stream-Source",
];
const VALUES: [&str; 26] = [
    "eob",
    "sub",
    "all",
    "never",
    "purge",
    "+1",
    "-1",
    "+99999999999999999999999999",
    "@every 1s",
    "@every 99999999999h",
    "@every 1ns",
    "@at 9999-12-31T23:59:59Z",
    "@at 0001-01-01T00:00:00Z",
    "@yearly",
    "* * * * * *",
    "0 0 0 31 2 *",
    "*/0 * * * * *",
    "59-0 * * * * *",
    "99999999999 * * * * *",
    "99999999h",
    "1e400s",
    "0.0000001s",
    "Mars/North",
    "9999999999999999999s",
    "1",
    "2",
];
const REPLIES: [&str; 14] = [
    "r",
    "r.id.1.ok.1.0.$FI",
    "r.id.9.fail.1.2.$FI",
    "r.id.1.ok.2.1.$FI",
    "r.id.1.ok.3.3.$FI",
    "r.id.1.ok.18446744073709551614.1.$FI",
    "r.id.1.ok.18446744073709551614.3.$FI",
    "r.id.1.ok.18446744073709551614.4.$FI",
    "r.id.1.ok.18446744073709551615.4.$FI",
    "r.id.18446744073709551615.ok.5.1.$FI",
    "s.a",
    "$JS.API.STREAM.PURGE.S",
    "$JS.ACK.S.c.1.1.1.1.1",
    "s.*",
];
/// Requests, and the fields that they have.
const ACTIONS: [(&str, &[&str]); 25] = [
    ("STREAM.CREATE.S", &STREAM),
    ("STREAM.CREATE.T", &STREAM),
    ("STREAM.CREATE.M", &STREAM),
    ("STREAM.UPDATE.S", &STREAM),
    ("STREAM.UPDATE.T", &STREAM),
    ("STREAM.INFO.S", &["offset", "deleted_details", "subjects_filter"]),
    ("STREAM.INFO.M", &["offset", "deleted_details", "subjects_filter"]),
    ("STREAM.NAMES", &["offset", "subject"]),
    ("STREAM.LIST", &["offset", "subject"]),
    ("STREAM.PURGE.S", &["filter", "seq", "keep"]),
    ("STREAM.PURGE.T", &["filter", "seq", "keep"]),
    ("STREAM.MSG.GET.S", &DIRECT),
    ("STREAM.MSG.DELETE.S", &["seq"]),
    ("STREAM.SNAPSHOT.S", &["chunk_size", "window_size", "no_consumers"]),
    ("DIRECT.GET.S", &DIRECT),
    ("DIRECT.GET.M", &DIRECT),
    ("CONSUMER.CREATE.S.c", &CONSUMER),
    ("CONSUMER.CREATE.T.e", &CONSUMER),
    ("CONSUMER.PAUSE.S.c", &["pause_until"]),
    ("CONSUMER.RESET.S.c", &["seq"]),
    ("CONSUMER.RESET.S.d", &["seq"]),
    ("CONSUMER.MSG.NEXT.S.c", &PULL),
    ("CONSUMER.MSG.NEXT.T.e", &PULL),
    ("CONSUMER.LIST.S", &["offset"]),
    ("INFO", &[]),
];
const DIRECT: [&str; 10] = [
    "seq",
    "last_by_subj",
    "next_by_subj",
    "batch",
    "max_bytes",
    "start_time",
    "multi_last",
    "up_to_seq",
    "up_to_time",
    "no_hdr",
];
const PULL: [&str; 10] = [
    "batch",
    "expires",
    "no_wait",
    "max_bytes",
    "idle_heartbeat",
    "group",
    "min_pending",
    "min_ack_pending",
    "id",
    "priority",
];
/// Fields that have one of a few values.
const CHOICES: [(&str, &[&str]); 9] = [
    ("retention", &["limits", "interest", "workqueue"]),
    ("discard", &["old", "new"]),
    ("storage", &["file", "memory"]),
    ("deliver_policy", &["last", "new", "by_start_sequence", "by_start_time", "last_per_subject"]),
    ("ack_policy", &["none", "all", "explicit", "flow_control"]),
    ("replay_policy", &["original"]),
    ("priority_policy", &["overflow", "pinned_client", "prioritized"]),
    ("persist_mode", &["async"]),
    ("group", &["g"]),
];

#[derive(Clone, Debug)]
enum Operation {
    Request(&'static str, Value),
    Text(&'static str, String),
    Publish(&'static str, Option<&'static str>, Vec<(&'static str, String)>, &'static str),
    Ack([&'static str; 4], String),
    Advance(u64),
}

fn number() -> impl Strategy<Value = Value> {
    select(&NUMBERS[..]).prop_map(|text| serde_json::from_str(text).unwrap())
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(&TEXTS[..]).prop_map(|text| json!(text)),
        2 => select(&TIMES[..]).prop_map(|text| json!(text)),
        1 => select(&NUMBERS[..]).prop_map(|text| json!(text)),
        1 => Just(json!("a".repeat(300))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        5 => number(),
        5 => text(),
        3 => any::<bool>().prop_map(|flag| json!(flag)),
        1 => Just(Value::Null),
    ];
    let inner = prop_oneof![select(
        &[
            "name",
            "src",
            "dest",
            "filter_subject",
            "opt_start_seq",
            "opt_start_time",
            "inactive_threshold",
            "max_ack_pending",
            "consumer"
        ][..]
    )];
    plain.prop_recursive(2, 8, 3, move |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), value), 0..3).prop_map(object),
        ]
    })
}

fn object(fields: Vec<(&'static str, Value)>) -> Value {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Some fields, of the right kind more often than not.
fn fields(names: &'static [&'static str]) -> BoxedStrategy<Value> {
    if names.is_empty() {
        return Just(json!({})).boxed();
    }
    let field = (select(names), number(), text(), value(), any::<bool>(), 0..64usize);
    let field = field.prop_map(|(name, number, text, value, flag, nth)| {
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let choices = CHOICES.iter().find(|(of, _)| *of == name);
        let value = match (nth, choices) {
            (0..6, _) => value,
            (_, Some((_, choices))) => json!(choices[nth % choices.len()]),
            _ if name == "backoff" => json!([number]),
            _ if name == "mirror" => json!({ "name": "S", "opt_start_seq": number }),
            _ if name == "sources" => json!([{ "name": "S", "opt_start_seq": number }]),
            _ if has(&["subjects", "groups", "multi_last"]) => json!([text]),
            _ if has(&["_time", "until"]) => text,
            _ if has(&[
                "max",
                "min",
                "seq",
                "wait",
                "window",
                "ttl",
                "threshold",
                "heartbeat",
                "timeout",
                "batch",
                "expires",
                "bps",
                "keep",
                "offset",
                "priority",
                "size",
            ]) && !name.starts_with("allow") =>
            {
                number
            }
            _ if has(&[
                "allow", "deny", "no_", "sealed", "flow", "headers", "direct", "deleted",
            ]) =>
            {
                json!(flag)
            }
            _ => text,
        };
        (name, value)
    });
    prop::collection::vec(field, 0..3).prop_map(object).boxed()
}

fn request() -> impl Strategy<Value = Operation> {
    let action = select(&ACTIONS[..]);
    let request = action.prop_flat_map(|(action, names)| (Just(action), fields(names)));
    request.prop_map(|(action, fields)| {
        let tokens: Vec<_> = action.split('.').collect();
        let usual = match tokens[..] {
            ["STREAM", "CREATE" | "UPDATE", "S"] => {
                json!({ "name": "S", "subjects": ["s.>"], "allow_atomic": true, "allow_batched": true })
            }
            ["STREAM", "CREATE" | "UPDATE", name] => json!({ "name": name }),
            ["STREAM", "SNAPSHOT", _] => json!({ "deliver_subject": "pieces" }),
            ["CONSUMER", "CREATE", _, name] => json!({ "durable_name": name }),
            _ => json!({}),
        };
        let mut request = usual;
        if let (Some(request), Value::Object(fields)) = (request.as_object_mut(), fields) {
            request.extend(fields);
        }
        if let ["CONSUMER", "CREATE", stream, _] = tokens[..] {
            request = json!({ "stream_name": stream, "config": request });
        }
        Operation::Request(action, request)
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let header = (
        select(&HEADERS[..]),
        prop_oneof![select(&VALUES[..]), select(&NUMBERS[..]), select(&TEXTS[..])],
    );
    let header = header.prop_map(|(name, value)| (name, value.replace(['\0', '\n'], "")));
    let subject = select(&["s.a", "s.b", "s.c.d", "T"][..]);
    let payload = select(&["", "x", "{\"val\":\"9999999999999999999999\"}", "{\"val\":null}"][..]);
    let reply = prop::option::of(select(&REPLIES[..]));
    let acks = [
        "",
        "+ACK",
        "-NAK",
        "-NAK {\"delay\":9223372036854775807}",
        "-NAK {\"delay\":-9223372036854775808}",
        "-NAK 99999999999999999h",
        "-NAK 1e300s",
        "+WPI",
        "+NXT",
        "+NXT 9223372036854775807",
        "+NXT {\"batch\":-1,\"expires\":9223372036854775807}",
        "+TERM \u{e9}",
        "+NXT -9223372036854775808",
    ];
    let numbers = select(&["0", "1", "2", "3", "18446744073709551615", "9223372036854775808"][..]);
    let numbers = [numbers.clone(), numbers.clone(), numbers.clone(), numbers];
    let raw = [
        "null",
        "[",
        "{}",
        "[]",
        "5",
        "-5",
        "99999999999999999999",
        "{\"batch\":9223372036854775807,\"expires\":9223372036854775807}",
        "\"x\"",
    ];
    let raw = prop_oneof![
        4 => select(Vec::from(raw)).prop_map(str::to_owned),
        1 => Just("[".repeat(50_000)),
        1 => Just("{\"config\":".repeat(20_000)),
    ];
    prop_oneof![
        6 => request(),
        1 => (select(&ACTIONS[..]), raw).prop_map(|((action, _), text)| Operation::Text(action, text)),
        5 => (subject, reply, prop::collection::vec(header, 0..4), payload)
            .prop_map(|(to, reply, headers, payload)| Operation::Publish(to, reply, headers, payload)),
        2 => (numbers, select(Vec::from(acks))).prop_map(|(numbers, said)| Operation::Ack(numbers, said.to_owned())),
        1 => prop_oneof![Just(0u64), Just(1), Just(3_600), Just(1 << 32)].prop_map(Operation::Advance),
    ]
}

async fn run(operations: Vec<Operation>) {
    let world = World::new().await;
    let client = Client::new(world.queue.clone());
    let config = json!({ "name": "S", "subjects": ["s.>"], "allow_atomic": true, "allow_batched": true, "allow_direct": true });
    client.request("STREAM.CREATE.S", config).await;
    for (name, to) in [("c", Value::Null), ("d", json!("to.me"))] {
        let config =
            json!({ "durable_name": name, "ack_policy": "explicit", "deliver_subject": to });
        let request = json!({ "stream_name": "S", "config": config });
        client.request(&format!("CONSUMER.CREATE.S.{name}"), request).await;
    }
    let _listening = ["r.>", "r", "to.me", "pieces"].map(|to| world.listen(to));
    client.store("s.a", &[], "one").await;
    for operation in operations {
        step(&world, &client, operation).await;
        for _ in 0..8 {
            platform::next_turn().await;
        }
        // What can't be written is not the point here.
        let _ = world.store.commit(Batch::new()).await;
    }
    for stream in ["S", "M", "T"] {
        client.request(&format!("STREAM.INFO.{stream}"), Value::Null).await;
        client.request(&format!("CONSUMER.LIST.{stream}"), Value::Null).await;
    }
    let streams = client.request("STREAM.LIST", Value::Null).await;
    assert!(streams["error"].is_null(), "{streams}");
    // What was stored opens again.
    let world = world.killed().await;
    world.queue.status().await.unwrap();
}

async fn step(world: &World, client: &Client, operation: Operation) {
    match operation {
        Operation::Request(action, request) => {
            ask(&world.queue, action, request.to_string());
        }
        Operation::Text(action, text) => ask(&world.queue, action, text),
        Operation::Publish(subject, reply, headers, payload) => {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            client.publish(subject, reply, &headers, payload);
        }
        Operation::Ack([deliveries, stream, consumer, pending], said) => {
            for name in ["c", "d"] {
                let subject =
                    format!("$JS.ACK.S.{name}.{deliveries}.{stream}.{consumer}.1.{pending}");
                client.publish(&subject, Some("r"), &[], said.clone());
            }
        }
        Operation::Advance(seconds) => world.clock.advance(Duration::from_secs(seconds)),
    }
}

fn ask(queue: &Queue, action: &str, payload: String) {
    queue.broker().publish(&CoreMessage {
        subject: format!("$JS.API.{action}").into(),
        reply: Some(Rc::from("r.answer")),
        headers: Default::default(),
        payload: payload.into(),
    });
}

tests! {
    async fn sequence_numbers_end_before_they_overflow() {
        let world = World::new().await;
        let config = |first_seq| StreamConfig { first_seq, ..stream("s") };
        let most = i64::MAX as u64;
        let refused = world.queue.create_stream(config(most + 1)).await.unwrap_err();
        assert_eq!(refused.err_code, 10052);
        world.stream(config(most)).await;
        assert_eq!(world.publish("s.a", "last").await, most);
        assert_eq!(world.refused("s.a", Headers::new()).await, 10077);
        let world = world.killed().await;
        assert_eq!(world.refused("s.a", Headers::new()).await, 10077);
        assert_eq!(world.sequences("S").await, [most]);
        world.stream(stream("t")).await;
        let purge = Purge { seq: u64::MAX, ..Purge::default() };
        world.queue.purge_stream("T", &purge).await.unwrap();
        assert_eq!(world.publish("t.a", "last").await, most);
    }

    async fn what_is_deleted_is_told_as_far_as_that_goes() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        let mirror = StreamSource { name: "S".into(), ..StreamSource::default() };
        world.stream(StreamConfig { name: "M".into(), mirror: Some(mirror), ..StreamConfig::default() }).await;
        world.publish("s.a", "first").await;
        let mirrored = async |last| while world.info("M").await.state.last_seq < last {};
        mirrored(1).await;
        let purge = Purge { seq: 1 << 60, ..Purge::default() };
        world.queue.purge_stream("S", &purge).await.unwrap();
        mirrored(world.publish("s.a", "second").await).await;
        assert_eq!(world.info("M").await.state.messages, 2);
        let deleted = world.queue.stream_deleted("M").await.unwrap();
        assert_eq!((deleted.len(), deleted[0]), (1 << 20, 2));
    }
}

/// What is done to a row of a snapshot: which row, where in its key or value, and what is written
/// there.
type Change = (prop::sample::Index, bool, prop::sample::Index, Vec<u8>);

/// The rows of a snapshot: table, key and value.
fn read_rows(mut snapshot: &[u8]) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    snapshot = &snapshot[8..];
    while let [table, head @ ..] = snapshot {
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        let (key, value) = (number(0), number(4));
        let (row, rest) = head[12..].split_at(key + value);
        rows.push((*table, row[..key].to_vec(), row[key..].to_vec()));
        snapshot = rest;
    }
    rows
}

fn write_rows(rows: &[(u8, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut snapshot = b"NEURITE1".to_vec();
    for (table, key, value) in rows {
        snapshot.push(*table);
        let checksum = crc32fast::hash(&[&key[..], value].concat());
        for number in [key.len() as u32, value.len() as u32, checksum] {
            snapshot.extend(number.to_be_bytes());
        }
        snapshot.extend([&key[..], value].concat());
    }
    snapshot
}

/// A snapshot of a stream with some of everything.
async fn snapshot(client: &Client) -> Vec<u8> {
    let config = json!({
        "name": "S", "subjects": ["s.>"], "retention": "interest", "allow_msg_ttl": true, "max_age": 1u64 << 40,
    });
    client.request("STREAM.CREATE.S", config).await;
    for name in ["c", "d"] {
        let config = json!({ "durable_name": name, "ack_policy": "explicit" });
        let request = json!({ "stream_name": "S", "config": config });
        client.request(&format!("CONSUMER.CREATE.S.{name}"), request).await;
    }
    for n in 0..8 {
        let id = format!("id {n}");
        client.store("s.a", &[("Nats-Msg-Id", &*id), ("Nats-TTL", "60s")], "x").await;
    }
    let consumer = client.queue.consumer("S", "c").unwrap();
    let messages = consumer.fetch(3, Duration::ZERO).await.unwrap();
    messages[1].ack_now().await.unwrap();
    let pieces = client.inbox();
    client.request("STREAM.SNAPSHOT.S", json!({ "deliver_subject": pieces.subject })).await;
    pieces.next().await.payload.to_vec()
}

async fn restore(changes: Vec<Change>) {
    let world = World::new().await;
    let client = Client::new(world.queue.clone());
    let mut rows = read_rows(&snapshot(&client).await);
    for (row, of_key, place, bytes) in changes {
        let (_, key, value) = row.get_mut(&mut rows);
        let changed = if of_key { key } else { value };
        if !changed.is_empty() {
            let place = place.index(changed.len());
            // A number that is longer takes the place of a short one.
            let end = changed.len().min(place + if bytes.len() > 8 { 1 } else { bytes.len() });
            changed.splice(place..end, bytes);
        }
    }
    for (_, _, value) in &mut rows {
        // A message has a checksum of its own.
        if value.first() == Some(&2) && value.len() > 5 {
            let checksum = crc32fast::hash(&value[5..]);
            value[1..5].copy_from_slice(&checksum.to_le_bytes());
        }
    }
    let config = client.request("STREAM.INFO.S", Value::Null).await["config"].clone();
    client.request("STREAM.DELETE.S", Value::Null).await;
    let begun = client.request("STREAM.RESTORE.S", json!({ "config": config, "state": {} })).await;
    let to = begun["deliver_subject"].as_str().unwrap().to_owned();
    if client.ask(&to, &[], write_rows(&rows)).await.payload.is_empty() {
        client.ask(&to, &[], "").await;
    }
    let use_it = async |client: &Client| {
        client
            .request("STREAM.INFO.S", json!({ "deleted_details": true, "subjects_filter": ">" }))
            .await;
        client.request("CONSUMER.LIST.S", Value::Null).await;
        let _listening = ["r"].map(|to| client.subscribe(to));
        for name in ["c", "d"] {
            let next = format!("$JS.API.CONSUMER.MSG.NEXT.S.{name}");
            client.publish(&next, Some("r"), &[], r#"{"batch":9,"expires":9000000000}"#);
            for sequence in 1..9 {
                client.publish(&format!("$JS.ACK.S.{name}.1.{sequence}.1.1.1"), None, &[], "");
            }
        }
        client.publish("s.a", Some("r"), &[], "more");
        for _ in 0..8 {
            platform::next_turn().await;
        }
        client.request("STREAM.PURGE.S", json!({ "keep": 1 })).await;
        client.request("STREAM.MSG.DELETE.S", json!({ "seq": 9 })).await;
        client.request("CONSUMER.RESET.S.c", json!({})).await;
    };
    use_it(&client).await;
    world.clock.advance(Duration::from_secs(100));
    drop(client);
    let world = world.killed().await;
    use_it(&Client::new(world.queue.clone())).await;
    world.queue.status().await.unwrap();
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = prop_oneof![
        Just(vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        Just(vec![0xff; 8]),
        Just(vec![0; 8]),
        Just(vec![0x7f]),
        Just(b"9223372036854775807".to_vec()),
        Just(b"18446744073709551615".to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    (any::<prop::sample::Index>(), any::<bool>(), any::<prop::sample::Index>(), bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(200), ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_clients_say_panics(operations in prop::collection::vec(operation(), 1..30)) {
        prop_assert_eq!(panics_of(run(operations)), 0);
    }

    #[test]
    fn no_snapshot_panics(changes in prop::collection::vec(change(), 1..4)) {
        prop_assert_eq!(panics_of(restore(changes)), 0);
    }
}

/// How many panics there are until this is done, in tasks of the queue's too.
fn panics_of(done: impl Future<Output = ()>) -> usize {
    thread_local! {
        static PANICS: Cell<usize> = const { Cell::new(0) };
    }
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
    PANICS.set(0);
    platform::run(done);
    PANICS.get()
}
