//! Consumers: deliveries, acknowledgements, retention; streams that publish themselves.

use std::time::Duration;

use serde_json::{Value, json};

use super::consumers::asked;
use crate::differential::{Side, reply_of, shown};

const SECOND: u64 = 1_000_000_000;

/// Stream S with so many messages, and its durable consumer C.
async fn with_consumer(side: &Side, messages: usize, config: Value) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..messages {
        side.store(&format!("s.{n}"), &[("N", &n.to_string())], &format!("message {n}")).await;
    }
    let mut config = config;
    config["durable_name"] = json!("C");
    side.api("CONSUMER.DURABLE.CREATE.S.C", asked(&config)).await;
}

pub async fn pulls(side: &Side) {
    with_consumer(side, 6, json!({ "ack_policy": "explicit", "max_batch": 4 })).await;
    side.pull("S.C", Value::Null, 1).await;
    side.pull("S.C", json!(2), 2).await;
    side.pull("S.C", json!({ "batch": 1, "no_wait": true }), 1).await;
    side.pull("S.C", json!({ "batch": 4, "no_wait": true }), 3).await;
    side.pull("S.C", json!({ "batch": 1, "no_wait": true }), 1).await;
    side.api("CONSUMER.INFO.S.C", Value::Null).await;
    side.pull("S.C", json!({ "batch": 2, "expires": SECOND / 2 }), 1).await;
    side.pull("S.C", json!({ "batch": 5, "expires": SECOND }), 1).await;
    side.pull("S.C", json!("{"), 1).await;
    side.pull("S.C", json!({ "batch": -1 }), 1).await;
    let beats = json!({ "batch": 1, "expires": SECOND, "idle_heartbeat": SECOND / 5 });
    side.pull("S.C", beats, 2).await;
    side.pull("S.C", json!({ "batch": 1, "expires": SECOND / 2, "idle_heartbeat": SECOND }), 1)
        .await;
    side.pull("S.C", json!({ "batch": 1, "idle_heartbeat": SECOND }), 1).await;
    side.wait(1200).await;
    // More wait than may.
    let config = json!({
        "durable_name": "W", "ack_policy": "explicit", "deliver_policy": "new", "max_waiting": 1,
    });
    side.api("CONSUMER.DURABLE.CREATE.S.W", asked(&config)).await;
    let reply = side.listen("_R.waiting.*");
    let wait = |to: &str| {
        let request = json!({ "batch": 1, "expires": 20 * SECOND }).to_string();
        side.publish("$JS.API.CONSUMER.MSG.NEXT.S.W", Some(to), &[], &request);
    };
    wait("_R.waiting.1");
    side.wait(50).await;
    wait("_R.waiting.2");
    side.hear("more than may wait", &reply, 1).await;
    side.api("CONSUMER.INFO.S.W", Value::Null).await;
    side.store("s.late", &[], "late").await;
    side.hear("what comes late", &reply, 1).await;
    // Those who wait are told when it ends.
    wait("_R.waiting.3");
    side.wait(50).await;
    side.api("CONSUMER.INFO.S.W", Value::Null).await;
    side.api("CONSUMER.DELETE.S.W", Value::Null).await;
    side.hear("the end", &reply, 1).await;
    // Sizes.
    side.api(
        "CONSUMER.DURABLE.CREATE.S.B",
        asked(&json!({
            "durable_name": "B", "ack_policy": "explicit", "max_bytes": 1000,
            "max_expires": 2 * SECOND, "filter_subject": "s.*",
        })),
    )
    .await;
    side.pull("S.B", json!({ "batch": 10, "max_bytes": 150, "expires": SECOND / 2 }), 3).await;
    side.pull("S.B", json!({ "batch": 1, "max_bytes": 10, "expires": SECOND / 2 }), 1).await;
    side.pull("S.B", json!({ "batch": 1, "max_bytes": 2000 }), 1).await;
    side.pull("S.B", json!({ "batch": 1, "expires": 3 * SECOND }), 1).await;
    side.api(
        "CONSUMER.DURABLE.CREATE.S.H",
        asked(&json!({
            "durable_name": "H", "ack_policy": "none", "headers_only": true,
            "deliver_policy": "last_per_subject", "filter_subject": "s.>",
        })),
    )
    .await;
    side.pull("S.H", json!({ "batch": 9, "no_wait": true }), 8).await;
    side.api("CONSUMER.INFO.S.H", Value::Null).await;
    for (name, config) in [
        ("L", json!({ "deliver_policy": "last" })),
        ("Q", json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 5 })),
        ("N", json!({ "deliver_policy": "new" })),
        (
            "T",
            json!({ "deliver_policy": "by_start_time", "opt_start_time": "2001-01-01T00:00:00Z" }),
        ),
    ] {
        let mut config = config;
        config["durable_name"] = json!(name);
        config["ack_policy"] = json!("explicit");
        side.api(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), asked(&config)).await;
        side.pull(&format!("S.{name}"), json!({ "batch": 2, "no_wait": true }), 2).await;
    }
}

pub async fn acknowledgements(side: &Side) {
    with_consumer(
        side,
        9,
        json!({
            "ack_policy": "explicit", "ack_wait": SECOND, "max_deliver": 3, "max_ack_pending": 4,
        }),
    )
    .await;
    let got = side.pull("S.C", json!(4), 4).await;
    side.acknowledge(&got, 0, "").await;
    side.acknowledge(&got, 0, "+ACK").await;
    side.api("CONSUMER.INFO.S.C", Value::Null).await;
    side.acknowledge(&got, 1, "-NAK").await;
    side.pull("S.C", json!(1), 1).await;
    side.acknowledge(&got, 2, "-NAK {\"delay\": 300000000}").await;
    side.pull("S.C", json!({ "batch": 1, "expires": SECOND }), 1).await;
    side.acknowledge(&got, 3, "+TERM").await;
    side.api("CONSUMER.INFO.S.C", Value::Null).await;
    side.acknowledge(&got, 1, "+WPI").await;
    side.acknowledge(&got, 1, "nonsense").await;
    let next = side.listen("_R.next");
    side.publish(reply_of(&got, 2), Some("_R.next"), &[], "+NXT");
    side.hear("the next", &next, 1).await;
    side.publish(reply_of(&got, 1), Some("_R.next"), &[], "+NXT {\"batch\": 2, \"no_wait\": true}");
    side.hear("two more", &next, 2).await;
    side.api("CONSUMER.INFO.S.C", Value::Null).await;
    side.wait(1300).await;
    // Out of order as it is due; what counts is how often each came.
    let again = side.pull("S.C", json!({ "batch": 4, "no_wait": true }), 4).await;
    side.note("so many", json!(again.len()));
    // An acknowledgement that stands for all before it.
    side.api(
        "CONSUMER.DURABLE.CREATE.S.A",
        asked(&json!({
            "durable_name": "A", "ack_policy": "all",
        })),
    )
    .await;
    let got = side.pull("S.A", json!(5), 5).await;
    side.acknowledge(&got, 2, "").await;
    side.api("CONSUMER.INFO.S.A", Value::Null).await;
    side.acknowledge(&got, 4, "+ACK").await;
    side.api("CONSUMER.INFO.S.A", Value::Null).await;
    // And none.
    side.api(
        "CONSUMER.DURABLE.CREATE.S.N",
        asked(&json!({
            "durable_name": "N", "ack_policy": "none",
        })),
    )
    .await;
    side.pull("S.N", json!(3), 3).await;
    side.api("CONSUMER.INFO.S.N", Value::Null).await;
}

pub async fn pushes(side: &Side) {
    let to = side.listen("to.me");
    with_consumer(
        side,
        3,
        json!({
            "deliver_subject": "to.me", "ack_policy": "explicit", "max_ack_pending": 2,
        }),
    )
    .await;
    let got = side.hear("pushed", &to, 3).await;
    side.api("CONSUMER.INFO.S.C", Value::Null).await;
    side.acknowledge(&got, 0, "").await;
    side.hear("pushed next", &to, 1).await;
    side.api("CONSUMER.DELETE.S.C", Value::Null).await;
    // Nobody listens yet.
    side.api(
        "CONSUMER.DURABLE.CREATE.S.L",
        asked(&json!({
            "durable_name": "L", "deliver_subject": "to.later", "ack_policy": "none",
        })),
    )
    .await;
    side.api("CONSUMER.INFO.S.L", Value::Null).await;
    let later = side.listen("to.later");
    side.hear("pushed later", &later, 3).await;
    side.api("CONSUMER.INFO.S.L", Value::Null).await;
    // Heartbeats and flow control.
    let beats = side.listen("to.beats");
    let made = side
        .api(
            "CONSUMER.CREATE.S",
            asked(&json!({
                "deliver_subject": "to.beats", "ack_policy": "none", "idle_heartbeat": SECOND / 4,
                "flow_control": true, "deliver_policy": "last",
            })),
        )
        .await;
    side.mask(made["name"].as_str().unwrap_or("none"), "<name>");
    side.hear("the last", &beats, 1).await;
    side.hear("a beat", &beats, 1).await;
    side.store("s.more", &[], "more").await;
    let mut got = None;
    // A beat may have come before it.
    for _ in 0..3 {
        let next = beats.next(Duration::from_secs(1)).await;
        if next.as_ref().is_some_and(|message| !message.payload.is_empty()) {
            got = next;
            break;
        }
    }
    side.note("more", got.as_ref().map_or(Value::Null, shown));
    side.api(
        "CONSUMER.DURABLE.CREATE.S.L",
        asked(&json!({
            "durable_name": "L", "deliver_subject": "to.other", "ack_policy": "none",
        })),
    )
    .await;
    let pull = side.ask("$JS.API.CONSUMER.MSG.NEXT.S.L", &[], "").await;
    side.note("a pull of what is pushed", json!(pull.is_some_and(|m| m.headers.is_empty())));
}

pub async fn work_queues_and_interest(side: &Side) {
    side.api(
        "STREAM.CREATE.W",
        json!({
            "name": "W", "subjects": ["w.>"], "retention": "workqueue",
        }),
    )
    .await;
    side.store("w.a", &[], "1").await;
    side.store("w.b", &[], "2").await;
    side.api(
        "CONSUMER.DURABLE.CREATE.W.C",
        json!({ "stream_name": "W", "config": {
        "durable_name": "C", "ack_policy": "explicit",
    } }),
    )
    .await;
    let got = side.pull("W.C", json!(2), 2).await;
    side.acknowledge(&got, 1, "").await;
    side.api("STREAM.INFO.W", json!({ "deleted_details": true })).await;
    side.acknowledge(&got, 0, "+TERM").await;
    side.api("STREAM.INFO.W", Value::Null).await;
    side.api(
        "STREAM.CREATE.I",
        json!({
            "name": "I", "subjects": ["i.>"], "retention": "interest",
        }),
    )
    .await;
    side.store("i.a", &[], "nobody").await;
    side.api("STREAM.INFO.I", Value::Null).await;
    for (name, filter) in [("A", "i.>"), ("B", "i.b")] {
        let config = json!({
            "durable_name": name, "ack_policy": "explicit", "filter_subject": filter,
        });
        let request = json!({ "stream_name": "I", "config": config });
        side.api(&format!("CONSUMER.DURABLE.CREATE.I.{name}"), request).await;
    }
    side.store("i.a", &[], "2").await;
    side.store("i.b", &[], "3").await;
    let got = side.pull("I.A", json!(2), 2).await;
    side.acknowledge(&got, 0, "").await;
    side.acknowledge(&got, 1, "").await;
    side.api("STREAM.INFO.I", Value::Null).await;
    side.api("CONSUMER.DELETE.I.B", Value::Null).await;
    side.wait(200).await;
    side.api("STREAM.INFO.I", Value::Null).await;
}

pub async fn republishing(side: &Side) {
    side.api("STREAM.CREATE.S", json!({
        "name": "S", "subjects": ["s.>"], "republish": { "src": "s.*", "dest": "told.{{wildcard(1)}}" },
    })).await;
    let told = side.listen("told.>");
    side.store("s.a", &[("A", "b")], "1").await;
    side.store("s.a", &[], "2").await;
    side.store("s.b.c", &[], "3").await;
    side.hear("republished", &told, 3).await;
    side.api(
        "STREAM.CREATE.H",
        json!({
            "name": "H", "subjects": ["h"],
            "republish": { "src": "h", "dest": "heard", "headers_only": true },
        }),
    )
    .await;
    let heard = side.listen("heard");
    side.store("h", &[], "payload").await;
    side.hear("headers only", &heard, 1).await;
}

pub async fn copies(side: &Side) {
    side.api("STREAM.CREATE.O", json!({ "name": "O", "subjects": ["o.>"] })).await;
    side.api("STREAM.CREATE.P", json!({ "name": "P", "subjects": ["p.>"] })).await;
    for n in 0..4 {
        side.store(&format!("o.{}", n % 2), &[], &n.to_string()).await;
    }
    side.store("p.a", &[("A", "b")], "p").await;
    // How far a copy is when it was just made, and in which order sources come, is left to chance.
    let create = async |stream: &str, config: Value| {
        let made =
            side.ask(&format!("$JS.API.STREAM.CREATE.{stream}"), &[], &config.to_string()).await;
        made.and_then(|made| serde_json::from_slice::<Value>(&made.payload).ok())
            .unwrap_or_default()
    };
    let made = create("M", json!({ "name": "M", "mirror": { "name": "O" } })).await;
    side.note("a mirror is made", made["error"].clone());
    let sources = json!([{ "name": "O", "filter_subject": "o.1" }, { "name": "P" }]);
    let made = create("C", json!({ "name": "C", "sources": sources })).await;
    side.note("sources are taken", made["error"].clone());
    for stream in ["M", "C"] {
        for _ in 0..100 {
            let info = side.ask(&format!("$JS.API.STREAM.INFO.{stream}"), &[], "").await;
            let info: Value = info
                .and_then(|info| serde_json::from_slice(&info.payload).ok())
                .unwrap_or_default();
            let enough = if stream == "M" { 4 } else { 3 };
            if info["state"]["messages"] == enough {
                break;
            }
            side.wait(50).await;
        }
    }
    for seq in 1..=4 {
        side.api("STREAM.MSG.GET.M", json!({ "seq": seq })).await;
    }
    for subject in ["p.a", "o.1"] {
        let request = json!({ "last_by_subj": subject }).to_string();
        let copied = side.ask("$JS.API.STREAM.MSG.GET.C", &[], &request).await;
        let copied: Value = copied
            .and_then(|copied| serde_json::from_slice(&copied.payload).ok())
            .unwrap_or_default();
        side.note("a copied payload", copied["message"]["data"].clone());
    }
    side.store("M", &[], "").await;
}

pub async fn advisories(side: &Side) {
    let streams = side.listen("$JS.EVENT.ADVISORY.STREAM.>");
    let consumers = side.listen("$JS.EVENT.ADVISORY.CONSUMER.>");
    let metrics = side.listen("$JS.EVENT.METRIC.>");
    with_consumer(side, 3, json!({
        "ack_policy": "explicit", "ack_wait": SECOND / 2, "max_deliver": 1, "sample_freq": "100",
    })).await;
    let got = side.pull("S.C", json!(3), 3).await;
    side.acknowledge(&got, 0, "-NAK").await;
    side.acknowledge(&got, 1, "+TERM").await;
    side.acknowledge(&got, 2, "").await;
    side.wait(1000).await;
    let events = |heard: Vec<neurite::queue::CoreMessage>| {
        let mut events: Vec<_> = heard
            .iter()
            .map(|message| {
                let mut event: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
                for field in ["id", "timestamp", "ack_time"] {
                    event[field] = json!(event[field].is_null());
                }
                json!([&*message.subject, event])
            })
            .collect();
        events.sort_by_key(ToString::to_string);
        Value::from(events)
    };
    let mut heard = Vec::new();
    while let Some(message) = consumers.next(Duration::from_millis(400)).await {
        heard.push(message);
    }
    side.note("of consumers", events(heard));
    let metric = metrics.next(Duration::from_secs(1)).await;
    side.note("metrics", events(metric.into_iter().collect()));
    side.api("STREAM.DELETE.S", Value::Null).await;
    let mut heard = Vec::new();
    while let Some(message) = streams.next(Duration::from_millis(400)).await {
        heard.push(message);
    }
    side.note("of streams", events(heard));
}
