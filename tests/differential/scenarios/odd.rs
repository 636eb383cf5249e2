//! What is seldom asked for, and asked wrongly, as 2.14 answers it.

use std::time::Duration;

use serde_json::{Value, json};

use super::consumers::asked;
use crate::differential::{Listening, Side, reply_of, shown};

const SECOND: u64 = 1_000_000_000;
/// How long silence is listened to.
const PATIENCE: Duration = Duration::from_millis(400);

async fn make(side: &Side, stream: &str, name: &str, config: Value) -> Value {
    let mut config = config;
    config["durable_name"] = json!(name);
    let request = json!({ "stream_name": stream, "config": config });
    side.api(&format!("CONSUMER.CREATE.{stream}.{name}"), request).await
}

pub async fn odd_consumers(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for (place, config) in [
        json!({ "sample_freq": "%" }),
        json!({ "sample_freq": "5%%" }),
        json!({ "sample_freq": "500%" }),
        json!({ "sample_freq": "7" }),
        json!({ "num_replicas": -1 }),
        json!({ "num_replicas": 2 }),
        json!({ "ack_wait": -1 }),
        json!({ "backoff": [SECOND, -1] }),
        json!({ "ack_wait": -1, "backoff": [SECOND] }),
        json!({ "inactive_threshold": -1 }),
        json!({ "idle_heartbeat": -1 }),
        json!({ "max_expires": -1 }),
        json!({ "max_ack_pending": -7, "max_waiting": -3, "max_batch": -2, "max_bytes": -2 }),
        json!({ "ack_policy": "none", "max_ack_pending": 5 }),
        json!({ "ack_policy": "none", "max_ack_pending": 5, "deliver_subject": "to" }),
        json!({ "ack_policy": "none", "deliver_subject": "to", "idle_heartbeat": -5 }),
        json!({ "filter_subject": "s..a" }),
        json!({ "filter_subjects": ["s.a", "s. b"] }),
        json!({ "filter_subjects": ["s.*", "s.a"] }),
        json!({ "filter_subjects": ["s.a", "s.*"] }),
        json!({ "filter_subjects": ["s.a.*", "s.*.b"] }),
        json!({ "filter_subjects": ["s.a", "s.a"] }),
        json!({ "deliver_policy": "last_per_subject", "opt_start_seq": 4 }),
        json!({ "deliver_subject": "a..b" }),
        json!({ "deliver_subject": "s.*" }),
        json!({ "deliver_subject": "s.a" }),
        json!({ "deliver_subject": "to", "flow_control": true }),
        json!({ "ack_policy": "flow_control" }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to" }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to", "max_ack_pending": -1 }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to", "ack_wait": SECOND }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to", "max_deliver": 3 }),
        json!({ "sourcing": true }),
        json!({ "name": "other" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut config = config;
        if config["ack_policy"].is_null() {
            config["ack_policy"] = json!("explicit");
        }
        make(side, "S", &format!("C{place}"), config).await;
    }
    for name in ["a>b", "a*b", "a\\u0062", &"n".repeat(256)] {
        let config = json!({ "durable_name": name });
        side.api(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), asked(&config)).await;
    }
    side.api("CONSUMER.CREATE.S", asked(&json!({ "name": "a b" }))).await;
    for config in [
        json!({ "max_deliver": -5 }),
        json!({ "max_waiting": -5 }),
        json!({ "max_ack_pending": -5 }),
        json!({ "max_batch": -5 }),
        json!({ "max_bytes": -5 }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to" }),
        json!({ "ack_policy": "flow_control", "deliver_subject": "to", "flow_control": true }),
    ] {
        let mut config = config;
        config["name"] = json!("P");
        let request = json!({ "stream_name": "S", "config": config, "pedantic": true });
        side.api("CONSUMER.CREATE.S.P", request).await;
    }
}

pub async fn limited_consumers(side: &Side) {
    let limits = json!({ "max_ack_pending": 10, "inactive_threshold": 60 * SECOND });
    let stream = json!({ "name": "S", "subjects": ["s"], "consumer_limits": limits });
    side.api("STREAM.CREATE.S", stream.clone()).await;
    for (name, config) in [
        ("A", json!({ "ack_policy": "explicit", "max_ack_pending": -1 })),
        ("B", json!({ "ack_policy": "explicit", "max_ack_pending": 11 })),
        ("C", json!({ "ack_policy": "none" })),
        ("D", json!({ "ack_policy": "none", "deliver_subject": "to" })),
        ("E", json!({ "inactive_threshold": 61 * SECOND })),
        ("F", json!({ "ack_policy": "all", "inactive_threshold": SECOND })),
    ] {
        make(side, "S", name, config).await;
    }
    // Several that are beyond a limit are named in any order.
    side.api("CONSUMER.DELETE.S.F", Value::Null).await;
    let mut less = stream;
    less["consumer_limits"]["max_ack_pending"] = json!(5);
    side.api("STREAM.UPDATE.S", less.clone()).await;
    side.api("CONSUMER.DELETE.S.C", Value::Null).await;
    less["consumer_limits"] = json!({ "max_ack_pending": 10, "inactive_threshold": SECOND });
    side.api("STREAM.UPDATE.S", less).await;
}

pub async fn shared_work(side: &Side) {
    let stream = json!({ "name": "W", "subjects": ["w.>"], "retention": "workqueue" });
    side.api("STREAM.CREATE.W", stream).await;
    let explicit = |filter: &str| json!({ "ack_policy": "explicit", "filter_subject": filter });
    make(side, "W", "N", json!({ "ack_policy": "none" })).await;
    make(side, "W", "N", json!({ "ack_policy": "none", "deliver_subject": "to" })).await;
    make(side, "W", "N", json!({ "ack_policy": "all" })).await;
    make(side, "W", "N", json!({ "ack_policy": "explicit", "deliver_policy": "new" })).await;
    make(side, "W", "A", explicit("w.a")).await;
    make(side, "W", "B", json!({ "ack_policy": "explicit" })).await;
    make(side, "W", "B", explicit("w.*")).await;
    make(side, "W", "B", explicit("w.b")).await;
    make(side, "W", "B", explicit("w.a")).await;
    make(side, "W", "B", json!({ "ack_policy": "explicit" })).await;
    make(side, "W", "C", explicit("w.c")).await;
    let flow =
        json!({ "ack_policy": "flow_control", "deliver_subject": "to", "filter_subject": "w.f" });
    make(side, "W", "F", flow).await;
}

/// A message that two filters match is delivered once.
pub async fn filters_that_overlap(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for subject in ["s.a.x", "s.x.b", "s.a.b", "s.c.d", "s.a.b"] {
        side.store(subject, &[], "x").await;
    }
    let filters = ["s.a.*", "s.*.b"];
    let config = json!({ "name": "C", "ack_policy": "explicit", "filter_subjects": filters });
    let made = side.ask("$JS.API.CONSUMER.CREATE.S.C", &[], &asked(&config).to_string()).await;
    side.note("made", json!(made.is_some()));
    side.store("s.a.b", &[], "later").await;
    // How many it counts as pending is another matter: the real server counts some twice.
    let inbox = side.listen("_R");
    let request = json!({ "batch": 9, "no_wait": true }).to_string();
    side.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some("_R"), &[], &request);
    let mut heard = Vec::new();
    while let Some(message) = inbox.next(PATIENCE).await {
        heard.push(json!([&*message.subject, String::from_utf8_lossy(&message.payload)]));
    }
    side.note("what came", heard.into());
}

/// What is not acknowledged by messages takes none.
pub async fn acknowledging_nothing(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s"] })).await;
    side.store("s", &[], "x").await;
    make(side, "S", "C", json!({ "ack_policy": "none" })).await;
    let heard = side.pull("S.C", json!({ "batch": 1, "no_wait": true }), 1).await;
    let answer = side.ask(reply_of(&heard, 0), &[], "+ACK").await;
    side.note("acknowledged", answer.as_ref().map_or(Value::Null, shown));
}

/// The advisory that comes next.
async fn told(side: &Side, label: &str, advisories: &Listening) {
    let told = advisories.next(PATIENCE).await;
    let mut told: Value =
        told.and_then(|told| serde_json::from_slice(&told.payload).ok()).unwrap_or_default();
    for field in ["id", "timestamp"] {
        if let Some(value) = told.get_mut(field) {
            *value = json!("some");
        }
    }
    side.note(label, told);
}

pub async fn pauses(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s"] })).await;
    let heard = side.listen("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.>");
    let until = "2200-01-01T00:00:00Z";
    make(side, "S", "C", json!({ "ack_policy": "explicit", "pause_until": until })).await;
    told(side, "made paused", &heard).await;
    make(side, "S", "C", json!({ "ack_policy": "explicit" })).await;
    told(side, "made again", &heard).await;
    let later = json!({ "ack_policy": "explicit", "pause_until": "2300-01-01T00:00:00Z" });
    let request = json!({
        "stream_name": "S", "config": { "durable_name": "C", "ack_policy": "explicit" },
        "action": "create",
    });
    side.api("CONSUMER.CREATE.S.C", request).await;
    told(side, "made as it is", &heard).await;
    make(side, "S", "C", later).await;
    told(side, "made with another pause", &heard).await;
    side.api("CONSUMER.PAUSE.S.C", json!({})).await;
    told(side, "resumed", &heard).await;
    make(side, "S", "C", json!({ "ack_policy": "explicit", "pause_until": until })).await;
    told(side, "not paused by making it", &heard).await;
}

pub async fn times_below_zero(side: &Side) {
    for (name, config) in [
        ("A", json!({ "max_age": -1 })),
        ("B", json!({ "duplicate_window": -1 })),
        ("C", json!({ "max_age": 5 })),
        ("D", json!({ "duplicate_window": 5 })),
    ] {
        let mut config = config;
        config["name"] = json!(name);
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
    }
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s"] })).await;
    side.store("s", &[], "x").await;
    make(side, "S", "C", json!({ "ack_policy": "explicit" })).await;
    for request in [
        json!({ "expires": -1, "batch": 1 }),
        json!({ "expires": -1, "batch": 1, "no_wait": true }),
        json!({ "idle_heartbeat": -1, "batch": 1, "no_wait": true }),
    ] {
        side.pull("S.C", request, 2).await;
    }
}

/// What a consumer has to say after messages went that it was delivered, or still to be.
pub async fn purged_consumers(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.*"] })).await;
    for n in 0..12 {
        side.store(&format!("s.{}", n % 3), &[], "x").await;
    }
    let consumers = [("ALL", json!(null)), ("ONE", json!("s.1")), ("TWO", json!("s.2"))];
    for (name, filter) in &consumers {
        let config = json!({ "ack_policy": "explicit", "filter_subject": filter });
        make(side, "S", name, config).await;
        side.pull(&format!("S.{name}"), json!({ "batch": 2, "no_wait": true }), 2).await;
    }
    let infos = async |label: &str| {
        side.wait(50).await;
        for (name, _) in &consumers {
            let info = side.ask(&format!("$JS.API.CONSUMER.INFO.S.{name}"), &[], "").await;
            let info: Value = info
                .and_then(|info| serde_json::from_slice(&info.payload).ok())
                .unwrap_or_default();
            let numbers = |of: &str| json!([info[of]["consumer_seq"], info[of]["stream_seq"]]);
            let told = json!([numbers("delivered"), info["num_pending"], info["num_ack_pending"]]);
            side.note(format!("{label} {name}"), told);
        }
    };
    infos("delivered").await;
    side.api("STREAM.PURGE.S", json!({ "filter": "s.1", "keep": 1 })).await;
    infos("one subject but the last").await;
    side.api("STREAM.PURGE.S", json!({ "filter": "s.1" })).await;
    infos("one subject").await;
    side.api("STREAM.PURGE.S", json!({ "seq": 7 })).await;
    infos("up to a number").await;
    side.api("STREAM.PURGE.S", Value::Null).await;
    infos("everything").await;
    side.store("s.1", &[], "x").await;
    infos("published").await;
    side.api("STREAM.PURGE.S", json!({ "seq": 100 })).await;
    infos("beyond the end").await;
}

/// What is not acknowledged and goes is told.
pub async fn deleted_before_acknowledged(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s"], "max_msgs": 2 })).await;
    make(side, "S", "C", json!({ "ack_policy": "explicit" })).await;
    let heard = side.listen("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>");
    side.store("s", &[], "x").await;
    side.store("s", &[], "x").await;
    side.pull("S.C", json!({ "batch": 2, "no_wait": true }), 2).await;
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 1 })).await;
    told(side, "deleted", &heard).await;
    side.store("s", &[], "x").await;
    side.store("s", &[], "x").await;
    told(side, "by a limit", &heard).await;
}

pub async fn headers_of_clients(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s"], "allow_direct": true }))
        .await;
    side.store("s", &[("Nats-Stream-Source", "O 1 > > s")], "x").await;
    side.store("s", &[("Nats-Sequence", "7"), ("Nats-Time-Stamp", "x")], "x").await;
    for seq in 1..3 {
        side.api("STREAM.MSG.GET.S", json!({ "seq": seq })).await;
    }
}

pub async fn copies_that_are_odd(side: &Side) {
    side.api("STREAM.CREATE.O", json!({ "name": "O", "subjects": ["o.*"], "allow_direct": true }))
        .await;
    side.store("o.a", &[], "x").await;
    for (name, config) in [
        ("A", json!({ "mirror": { "name": "O", "filter_subject": "o..a" } })),
        ("B", json!({ "sources": [{ "name": "O", "filter_subject": "o. a" }] })),
        ("C", json!({ "sources": [{ "name": "O", "filter_subject": "o.>.a" }] })),
    ] {
        let mut config = config;
        config["name"] = json!(name);
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
    }
}

pub async fn direct_gets_by_mirrors(side: &Side) {
    side.api("STREAM.CREATE.O", json!({ "name": "O", "subjects": ["o.*"] })).await;
    let mirror = json!({ "name": "M", "mirror": { "name": "O" }, "mirror_direct": true });
    side.api("STREAM.CREATE.M", mirror).await;
    side.store("o.a", &[], "x").await;
    side.wait(1500).await;
    let get = async |label: &str| {
        for name in ["O", "M"] {
            let request = json!({ "last_by_subj": "o.a" }).to_string();
            let answer = side.ask(&format!("$JS.API.DIRECT.GET.{name}"), &[], &request).await;
            let status = answer.as_ref().map_or(Value::Null, |answer| {
                json!([
                    String::from_utf8_lossy(&answer.headers).lines().next(),
                    String::from_utf8_lossy(&answer.payload),
                ])
            });
            side.note(format!("{label} {name}"), status);
        }
    };
    get("made").await;
    let direct = json!({ "name": "O", "subjects": ["o.*"], "allow_direct": true });
    side.api("STREAM.UPDATE.O", direct).await;
    get("direct").await;
    side.api("STREAM.DELETE.O", Value::Null).await;
    get("deleted").await;
    side.api("STREAM.CREATE.D", json!({ "name": "D", "subjects": ["d.*"], "allow_direct": true }))
        .await;
    side.store("d.a", &[], "x").await;
    let inbox = side.listen("_D");
    for request in [
        json!({ "multi_last": ["d.*"], "seq": 5 }),
        json!({ "multi_last": ["d.*"], "seq": 1 }),
        json!({ "multi_last": ["none.*"] }),
        json!({ "multi_last": ["d.*"], "up_to_seq": 1 }),
    ] {
        side.publish("$JS.API.DIRECT.GET.D", Some("_D"), &[], &request.to_string());
        let mut came = Vec::new();
        while let Some(message) = inbox.next(PATIENCE).await {
            let headers = String::from_utf8_lossy(&message.headers).into_owned();
            let told = headers.lines().filter(|line| !line.contains("Time-Stamp"));
            came.push(json!(told.collect::<Vec<_>>()));
        }
        side.note(request.to_string(), came.into());
    }
}

/// Expectations of what has wildcards.
pub async fn expected_of_patterns(side: &Side) {
    for (name, limit) in [("E", 1), ("F", -1)] {
        let config = json!({
            "name": name, "subjects": [format!("{name}.>")], "max_msgs_per_subject": limit,
        });
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
        let store = async |subject: &str, expected: &str, of: &str| {
            let headers = [
                ("Nats-Expected-Last-Subject-Sequence", expected),
                ("Nats-Expected-Last-Subject-Sequence-Subject", &format!("{name}.{of}")),
            ];
            side.store(&format!("{name}.{subject}"), &headers, "").await;
        };
        side.store(&format!("{name}.1.foo"), &[], "").await;
        side.store(&format!("{name}.1.foo"), &[], "").await;
        store("1.foo", "0", "1.*").await;
        store("1.xxx", "2", "1.*").await;
        store("2.xxx", "0", "2.*").await;
        store("1.xxx", "3", "1.>").await;
        store("3.xxx", "1", "3.*").await;
        store("3.xxx", "0", "3..*").await;
        store("3.yyy", "5", "*.xxx").await;
    }
}

/// Fields without a value.
pub async fn nulls(side: &Side) {
    let config = json!({
        "name": "S", "subjects": ["s.>"], "description": null, "max_msgs": null, "mirror": null,
        "sources": null, "metadata": { "a": null, "b": "c" }, "no_ack": null,
    });
    side.api("STREAM.CREATE.S", config).await;
    side.api("STREAM.CREATE.T", json!({ "name": "T", "subjects": [null] })).await;
    side.api("STREAM.CREATE.T", json!({ "name": "T", "unknown": null })).await;
    side.api("STREAM.CREATE.T", json!("null")).await;
    side.store("s.a", &[], "one").await;
    let config = json!({
        "durable_name": "C", "ack_policy": "explicit", "backoff": null, "filter_subject": null,
        "metadata": { "a": null },
    });
    let request = json!({ "stream_name": "S", "config": config, "pedantic": null });
    side.api("CONSUMER.CREATE.S.C", request).await;
    let request = json!({
        "batch": 1, "no_wait": true, "min_pending": null, "group": null, "priority": null,
        "expires": null, "idle_heartbeat": null, "max_bytes": null,
    });
    side.pull("S.C", request, 1).await;
    side.pull("S.C", json!({ "batch": null, "no_wait": true, "id": null }), 1).await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": null, "offset": null })).await;
    side.api("STREAM.NAMES", json!({ "subject": null })).await;
    side.api("STREAM.MSG.GET.S", json!({ "seq": 1, "last_by_subj": null })).await;
    side.api("STREAM.PURGE.S", json!({ "filter": null, "keep": null })).await;
    side.api("CONSUMER.PAUSE.S.C", json!({ "pause_until": null })).await;
}
