//! Consumers: administration and configuration.

use serde_json::{Value, json};

use crate::differential::Side;

/// What a request to make a consumer of S says.
pub fn asked(config: &Value) -> Value {
    json!({ "stream_name": "S", "config": config })
}

pub async fn consumer_admin(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    side.store("s.a", &[], "1").await;
    side.store("s.b", &[], "2").await;
    side.api("CONSUMER.NAMES.S", Value::Null).await;
    side.api("CONSUMER.LIST.S", Value::Null).await;
    side.api("CONSUMER.NAMES.N", Value::Null).await;
    side.api("CONSUMER.LIST.N", Value::Null).await;
    let durable = json!({ "durable_name": "D", "ack_policy": "explicit" });
    side.api("CONSUMER.DURABLE.CREATE.S.D", asked(&durable)).await;
    side.api("CONSUMER.DURABLE.CREATE.S.D", asked(&durable)).await;
    side.api("CONSUMER.DURABLE.CREATE.S.E", asked(&durable)).await;
    side.api("CONSUMER.DURABLE.CREATE.S.E", asked(&json!({ "ack_policy": "explicit" }))).await;
    side.api("CONSUMER.DURABLE.CREATE.S", asked(&durable)).await;
    side.api("CONSUMER.DURABLE.CREATE.N.D", asked(&durable)).await;
    side.api("CONSUMER.CREATE.S", asked(&durable)).await;
    side.api("CONSUMER.CREATE.S", Value::Null).await;
    side.api("CONSUMER.CREATE.S", json!("{")).await;
    side.api("CONSUMER.CREATE.N", json!({ "stream_name": "N", "config": {} })).await;
    side.api(
        "CONSUMER.CREATE.S.F",
        asked(&json!({
            "name": "F", "durable_name": "F", "filter_subject": "s.a", "ack_policy": "all",
        })),
    )
    .await;
    side.api("CONSUMER.CREATE.S.G.s.b", asked(&json!({ "name": "G", "filter_subject": "s.b" })))
        .await;
    side.api("CONSUMER.CREATE.S.H.s.b", asked(&json!({ "name": "H", "filter_subject": "s.a" })))
        .await;
    side.api("CONSUMER.CREATE.S.I", asked(&json!({ "name": "I", "durable_name": "J" }))).await;
    for name in ["D", "F", "G", "none"] {
        side.api(&format!("CONSUMER.INFO.S.{name}"), Value::Null).await;
    }
    side.api("CONSUMER.INFO.S.D", json!({ "a": 1 })).await;
    side.api("CONSUMER.INFO.N.D", Value::Null).await;
    side.api("CONSUMER.NAMES.S", Value::Null).await;
    side.api("CONSUMER.NAMES.S", json!({ "offset": 2 })).await;
    side.api("CONSUMER.LIST.S", Value::Null).await;
    side.api("STREAM.INFO.S", Value::Null).await;
    let ephemeral = side.api("CONSUMER.CREATE.S", asked(&json!({ "ack_policy": "none" }))).await;
    side.note("its name has", json!(ephemeral["name"].as_str().map(str::len)));
    side.api("CONSUMER.LEADER.STEPDOWN.S.D", Value::Null).await;
    side.api("CONSUMER.DELETE.S.D", json!({ "a": 1 })).await;
    side.api("CONSUMER.DELETE.S.D", Value::Null).await;
    side.api("CONSUMER.DELETE.S.D", Value::Null).await;
    side.api("CONSUMER.DELETE.N.D", Value::Null).await;
    side.api("CONSUMER.INFO.S.D", Value::Null).await;
}

pub async fn consumer_configurations(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..6 {
        side.store(&format!("s.{}", n % 2), &[], &n.to_string()).await;
    }
    let long = "d".repeat(5000);
    for (number, config) in [
        json!({}),
        json!({ "ack_policy": "explicit", "ack_wait": 1_000_000_000u64, "max_deliver": 3 }),
        json!({ "ack_policy": "all", "max_ack_pending": 7, "max_waiting": 3 }),
        json!({ "ack_policy": "none", "max_ack_pending": 7 }),
        json!({ "ack_policy": "maybe" }),
        json!({ "ack_policy": "explicit", "backoff": [1_000_000_000u64, 2_000_000_000u64] }),
        json!({ "ack_policy": "explicit", "max_deliver": 3,
            "backoff": [1_000_000_000u64, 2_000_000_000u64] }),
        json!({ "ack_policy": "explicit", "max_deliver": 1,
            "backoff": [1_000_000_000u64, 2_000_000_000u64] }),
        json!({ "deliver_policy": "last" }),
        json!({ "deliver_policy": "new" }),
        json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 4 }),
        json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 99 }),
        json!({ "deliver_policy": "by_start_sequence" }),
        json!({ "deliver_policy": "all", "opt_start_seq": 4 }),
        json!({ "deliver_policy": "by_start_time", "opt_start_time": "2024-01-01T00:00:00Z" }),
        json!({ "deliver_policy": "by_start_time", "opt_start_time": "2224-01-01T00:00:00Z" }),
        json!({ "deliver_policy": "by_start_time" }),
        json!({ "deliver_policy": "last", "opt_start_time": "2024-01-01T00:00:00Z" }),
        json!({ "deliver_policy": "last_per_subject" }),
        json!({ "deliver_policy": "last_per_subject", "filter_subject": "s.>" }),
        json!({ "deliver_policy": "someday" }),
        json!({ "filter_subject": "s.0" }),
        json!({ "filter_subject": "t" }),
        json!({ "filter_subject": "s.*.>" }),
        json!({ "replay_policy": "original" }),
        json!({ "replay_policy": "backwards" }),
        json!({ "deliver_subject": "to.me" }),
        json!({ "deliver_subject": "to.me", "deliver_group": "g", "rate_limit_bps": 100_000 }),
        json!({ "deliver_subject": "to.*" }),
        json!({ "deliver_subject": "s.a" }),
        json!({ "deliver_subject": "to.me", "idle_heartbeat": 1_000_000_000u64,
            "flow_control": true }),
        json!({ "deliver_subject": "to.me", "idle_heartbeat": 1 }),
        json!({ "deliver_subject": "to.me", "flow_control": true }),
        json!({ "deliver_subject": "to.me", "max_waiting": 3 }),
        json!({ "deliver_subject": "to.me", "headers_only": true, "ack_policy": "explicit" }),
        json!({ "deliver_subject": "to.me", "max_batch": 3 }),
        json!({ "idle_heartbeat": 1_000_000_000u64 }),
        json!({ "flow_control": true }),
        json!({ "rate_limit_bps": 1000 }),
        json!({ "max_waiting": -2 }),
        json!({ "max_batch": 10, "max_expires": 2_000_000_000u64, "max_bytes": 1000 }),
        json!({ "max_batch": -1 }),
        json!({ "max_expires": 10 }),
        json!({ "sample_freq": "30" }),
        json!({ "sample_freq": "30%" }),
        json!({ "sample_freq": "often" }),
        json!({ "inactive_threshold": 60_000_000_000u64 }),
        json!({ "num_replicas": 1, "mem_storage": true }),
        json!({ "num_replicas": 3 }),
        json!({ "description": "told" }),
        json!({ "description": long }),
        json!({ "max_deliver": 0, "ack_policy": "explicit" }),
        json!({ "max_deliver": -7, "ack_policy": "explicit" }),
        json!({ "direct": true }),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("C{number}");
        let mut durable = config.clone();
        durable["durable_name"] = json!(name);
        side.api(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), asked(&durable)).await;
        side.quietly(&format!("CONSUMER.DELETE.S.{name}")).await;
        let mut ephemeral = config;
        ephemeral["name"] = json!(name);
        side.api(&format!("CONSUMER.CREATE.S.{name}"), asked(&ephemeral)).await;
        side.quietly(&format!("CONSUMER.DELETE.S.{name}")).await;
    }
    for name in ["a b", "a>", "a/b"] {
        let config = asked(&json!({ "durable_name": name }));
        side.api("CONSUMER.CREATE.S", config).await;
    }
    // Changes.
    let config = json!({ "durable_name": "U", "ack_policy": "explicit" });
    side.api("CONSUMER.DURABLE.CREATE.S.U", asked(&config)).await;
    for change in [
        json!({ "description": "changed" }),
        json!({ "ack_wait": 5_000_000_000u64 }),
        json!({ "max_deliver": 5 }),
        json!({ "sample_freq": "10" }),
        json!({ "max_ack_pending": 3 }),
        json!({ "max_waiting": 9 }),
        json!({ "headers_only": true }),
        json!({ "filter_subject": "s.1" }),
        json!({ "ack_policy": "all" }),
        json!({ "deliver_policy": "new" }),
        json!({ "replay_policy": "original" }),
        json!({ "deliver_subject": "to.me" }),
        json!({ "backoff": [1_000_000_000u64] }),
        json!({ "inactive_threshold": 1_000_000_000u64 }),
    ] {
        let mut changed = config.clone();
        changed.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        side.api("CONSUMER.DURABLE.CREATE.S.U", asked(&changed)).await;
    }
    // What other streams ask of their consumers.
    side.api(
        "STREAM.CREATE.W",
        json!({
            "name": "W", "subjects": ["w.>"], "retention": "workqueue", "max_consumers": 2,
        }),
    )
    .await;
    for (name, config) in [
        ("A", json!({ "ack_policy": "none" })),
        ("A", json!({ "ack_policy": "explicit", "deliver_policy": "new" })),
        ("A", json!({ "ack_policy": "explicit", "filter_subject": "w.a" })),
        ("B", json!({ "ack_policy": "explicit" })),
        ("B", json!({ "ack_policy": "explicit", "filter_subject": "w.*" })),
        ("B", json!({ "ack_policy": "explicit", "filter_subject": "w.b" })),
        ("C", json!({ "ack_policy": "explicit", "filter_subject": "w.c" })),
    ] {
        let mut config = config;
        config["durable_name"] = json!(name);
        let request = json!({ "stream_name": "W", "config": config });
        side.api(&format!("CONSUMER.DURABLE.CREATE.W.{name}"), request).await;
    }
}
