//! Streams and consumers together, as programs use them.

use std::time::Duration;

use serde_json::{Value, json};

use super::consumers::asked;
use crate::differential::{Side, shown};

const SECOND: u64 = 1_000_000_000;

/// What a key-value store asks for. ADR-8
pub async fn key_value(side: &Side) {
    side.api(
        "STREAM.CREATE.KV_b",
        json!({
            "name": "KV_b", "subjects": ["$KV.b.>"], "max_msgs_per_subject": 3, "discard": "new",
            "allow_rollup_hdrs": true, "deny_delete": true, "allow_direct": true, "num_replicas": 1,
            "max_bytes": -1, "max_age": 0, "storage": "file", "duplicate_window": 120 * SECOND,
        }),
    )
    .await;
    let must_be_new = [("Nats-Expected-Last-Subject-Sequence", "0")];
    side.store("$KV.b.one", &must_be_new, "1").await;
    side.store("$KV.b.one", &must_be_new, "1").await;
    side.store("$KV.b.one", &[("Nats-Expected-Last-Subject-Sequence", "1")], "2").await;
    for n in 0..5 {
        side.store("$KV.b.two", &[], &n.to_string()).await;
    }
    side.store("$KV.b.three.a", &[], "x").await;
    side.store("$KV.b.one", &[("KV-Operation", "DEL")], "").await;
    side.store("$KV.b.two", &[("KV-Operation", "PURGE"), ("Nats-Rollup", "sub")], "").await;
    for key in ["one", "two", "three.a", "none"] {
        let got = side.ask(&format!("$JS.API.DIRECT.GET.KV_b.$KV.b.{key}"), &[], "").await;
        side.note(format!("get {key}"), got.as_ref().map_or(Value::Null, shown));
    }
    side.api("STREAM.INFO.KV_b", json!({ "subjects_filter": "$KV.b.>", "deleted_details": true }))
        .await;
    // They are listened to till the end.
    let mut listening = Vec::new();
    for (name, policy, filter, headers_only) in [
        ("watch", "last_per_subject", "$KV.b.>", false),
        ("keys", "last_per_subject", "$KV.b.>", true),
        ("history", "all", "$KV.b.one", false),
        ("updates", "new", "$KV.b.>", false),
    ] {
        let to = side.listen(&format!("to.{name}"));
        let made = side
            .api(
                "CONSUMER.CREATE.KV_b",
                json!({ "stream_name": "KV_b", "config": {
            "deliver_subject": format!("to.{name}"), "deliver_policy": policy, "ack_policy": "none",
            "filter_subject": filter, "headers_only": headers_only, "max_deliver": 1,
            "flow_control": true, "idle_heartbeat": 5 * SECOND, "mem_storage": true,
            "num_replicas": 1, "ack_wait": 79_200 * SECOND,
        } }),
            )
            .await;
        side.mask(made["name"].as_str().unwrap_or("none"), &format!("<{name}>"));
        side.hear(name, &to, 4).await;
        listening.push(to);
    }
    side.api("STREAM.PURGE.KV_b", json!({ "filter": "$KV.b.one", "keep": 1 })).await;
    side.api("STREAM.INFO.KV_b", json!({ "subjects_filter": ">" })).await;
}

/// Redeliveries by the clock.
pub async fn redeliveries(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..3 {
        side.store(&format!("s.{n}"), &[], &n.to_string()).await;
    }
    side.api(
        "CONSUMER.DURABLE.CREATE.S.B",
        asked(&json!({
            "durable_name": "B", "ack_policy": "explicit", "max_deliver": 3,
            "backoff": [SECOND / 4, SECOND / 2],
        })),
    )
    .await;
    side.pull("S.B", json!(1), 1).await;
    for _ in 0..3 {
        // Once more, until it was delivered often enough.
        side.wait(700).await;
        side.pull("S.B", json!({ "batch": 1, "no_wait": true }), 1).await;
    }
    side.api("CONSUMER.INFO.S.B", Value::Null).await;
    let to = side.listen("to.me");
    side.api(
        "CONSUMER.DURABLE.CREATE.S.P",
        asked(&json!({
            "durable_name": "P", "deliver_subject": "to.me", "ack_policy": "explicit",
            "ack_wait": SECOND / 2, "max_deliver": 2, "max_ack_pending": 1,
        })),
    )
    .await;
    let heard = side.hear("the first", &to, 1).await;
    side.hear("the first again, then the second", &to, 2).await;
    side.note("so many", json!(heard.len()));
}

/// Several who share what is pushed.
pub async fn groups(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    let made = side.api("CONSUMER.CREATE.S.E", asked(&json!({
        "name": "E", "deliver_subject": "to.all", "deliver_group": "g", "ack_policy": "none",
    }))).await;
    side.note("made", made["config"]["deliver_group"].clone());
    side.store("s.a", &[], "nobody is in the group").await;
    side.wait(100).await;
    side.api("CONSUMER.INFO.S.E", Value::Null).await;
    side.api("CONSUMER.DELETE.S.E", Value::Null).await;
    // An ephemeral consumer goes by itself.
    let config = json!({ "name": "I", "ack_policy": "none", "inactive_threshold": SECOND / 2 });
    side.api("CONSUMER.CREATE.S.I", asked(&config)).await;
    side.wait(2500).await;
    side.api("CONSUMER.INFO.S.I", Value::Null).await;
}

/// What is pending when messages go.
pub async fn removals(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.*"] })).await;
    for n in 0..10 {
        side.store(&format!("s.{}", n % 2), &[], &n.to_string()).await;
    }
    for (name, config) in [("ALL", json!({})), ("ONE", json!({ "filter_subject": "s.1" }))] {
        let mut config = config;
        config["durable_name"] = json!(name);
        config["ack_policy"] = json!("explicit");
        side.api(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), asked(&config)).await;
    }
    let infos = async |label: &str| {
        side.wait(50).await;
        for name in ["ALL", "ONE"] {
            let info = side.ask(&format!("$JS.API.CONSUMER.INFO.S.{name}"), &[], "").await;
            let info: Value = info
                .and_then(|info| serde_json::from_slice(&info.payload).ok())
                .unwrap_or_default();
            side.note(
                format!("{label} {name}"),
                json!([
                    info["num_pending"],
                    info["num_ack_pending"],
                    info["delivered"]["stream_seq"],
                ]),
            );
        }
    };
    infos("made").await;
    side.pull("S.ALL", json!(3), 3).await;
    side.pull("S.ONE", json!(1), 1).await;
    infos("pulled").await;
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 6 })).await;
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 9 })).await;
    infos("deleted").await;
    side.pull("S.ALL", json!({ "batch": 9, "no_wait": true }), 9).await;
    side.pull("S.ONE", json!({ "batch": 9, "no_wait": true }), 9).await;
    infos("pulled again").await;
    side.api("STREAM.PURGE.S", Value::Null).await;
    infos("purged").await;
    side.store("s.1", &[], "after").await;
    infos("published").await;
    side.pull("S.ONE", json!({ "batch": 1, "no_wait": true }), 1).await;
}

/// Messages of several kinds at once, and a consumer's view of them.
pub async fn headers(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    side.store("s.a", &[("A", "1"), ("A", "2"), ("b", "ü")], "").await;
    side.store("s.a", &[("Status", "")], "{}").await;
    side.store("s.a", &[("Nats-Msg-Id", "")], "empty id").await;
    side.store("s.a", &[("Nats-Expected-Stream", "")], "empty stream").await;
    side.store("s.a", &[("Nats-Expected-Last-Sequence", "x")], "no number").await;
    side.store("s.a", &[("Nats-Expected-Last-Subject-Sequence", "x")], "no number").await;
    side.store("s.a", &[("nats-msg-id", "lower")], "case").await;
    side.store("s.a", &[("nats-msg-id", "lower")], "case").await;
    side.api(
        "CONSUMER.DURABLE.CREATE.S.C",
        asked(&json!({
            "durable_name": "C", "ack_policy": "none",
        })),
    )
    .await;
    side.pull("S.C", json!({ "batch": 9, "no_wait": true }), 9).await;
    side.api("STREAM.MSG.GET.S", json!({ "seq": 1 })).await;
    // What comes while a request waits.
    let inbox = side.listen("_R.waits");
    let request = json!({ "batch": 2, "expires": 5 * SECOND }).to_string();
    side.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some("_R.waits"), &[], &request);
    side.wait(50).await;
    side.publish("s.b", None, &[("X", "y")], "one");
    side.hear("while it waits", &inbox, 1).await;
    side.publish("s.c", None, &[], "two");
    side.hear("while it waits", &inbox, 1).await;
    side.publish("s.d", None, &[], "three");
    let late = inbox.next(Duration::from_millis(300)).await;
    side.note("no more", late.as_ref().map_or(Value::Null, shown));
}
