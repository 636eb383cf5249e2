//! Streams: administration, publishes, gets, limits.

use serde_json::{Value, json};

use crate::differential::Side;

pub async fn stream_admin(side: &Side) {
    side.api("INFO", Value::Null).await;
    side.api("STREAM.NAMES", Value::Null).await;
    side.api("STREAM.LIST", Value::Null).await;
    let config = json!({ "name": "S", "subjects": ["s.>"], "description": "told" });
    side.api("STREAM.CREATE.S", config.clone()).await;
    side.api("STREAM.CREATE.S", config).await;
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["t"] })).await;
    side.api("STREAM.CREATE.X", json!({ "name": "S" })).await;
    side.api("STREAM.CREATE.X", json!("{\"name\"")).await;
    side.api("STREAM.CREATE.X", json!({ "name": "X", "max_msgs": "a" })).await;
    side.api("STREAM.CREATE.X", json!({ "name": "X", "subjects": ["s.a"] })).await;
    side.api("STREAM.CREATE.M", json!({ "name": "M", "storage": "memory" })).await;
    side.api("STREAM.INFO.S", Value::Null).await;
    side.api("STREAM.INFO.S", json!({})).await;
    side.api("STREAM.INFO.S", json!("abc")).await;
    side.api("STREAM.INFO.N", Value::Null).await;
    side.api("STREAM.NAMES", Value::Null).await;
    side.api("STREAM.NAMES", json!({ "offset": 1 })).await;
    side.api("STREAM.NAMES", json!({ "offset": 7 })).await;
    side.api("STREAM.NAMES", json!({ "subject": "s.*" })).await;
    side.api("STREAM.NAMES", json!({ "subject": "nothing" })).await;
    side.api("STREAM.LIST", Value::Null).await;
    side.api("STREAM.LIST", json!({ "offset": 1 })).await;
    side.store("s.a", &[], "one").await;
    side.store("s.b", &[("A", "b")], "two").await;
    side.store("M", &[], "three").await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": ">" })).await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": "s.a", "offset": 1 })).await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": "nothing" })).await;
    side.api("STREAM.INFO.M", json!({ "deleted_details": true })).await;
    side.api("INFO", Value::Null).await;
    side.api("STREAM.LEADER.STEPDOWN.S", Value::Null).await;
    side.api("STREAM.PEER.REMOVE.S", json!({ "peer": "x" })).await;
    side.api("STREAM.DELETE.S", json!({ "a": 1 })).await;
    side.api("STREAM.DELETE.S", json!({})).await;
    side.api("STREAM.DELETE.S", Value::Null).await;
    side.api("STREAM.NAMES", Value::Null).await;
}

pub async fn stream_configurations(side: &Side) {
    side.api("STREAM.CREATE.ORIGIN", json!({ "name": "ORIGIN", "max_msg_size": 100 })).await;
    for (number, config) in [
        json!({ "subjects": ["a.>.b"] }),
        json!({ "subjects": ["a", "a"] }),
        json!({ "subjects": ["a.*", "a.b"] }),
        json!({ "subjects": [">"] }),
        json!({ "subjects": ["$JS.API.>"] }),
        json!({ "subjects": ["$JS.EVENT.>"] }),
        json!({ "subjects": [" "] }),
        json!({ "max_age": 1 }),
        json!({ "max_age": 1_000_000_000u64 }),
        json!({ "max_age": 1_000_000_000u64, "duplicate_window": 2_000_000_000u64 }),
        json!({ "duplicate_window": 1 }),
        json!({ "max_msgs": -5, "max_bytes": 0, "max_consumers": 3, "max_msg_size": -1 }),
        json!({ "num_replicas": 0 }),
        json!({ "num_replicas": 3 }),
        json!({ "num_replicas": 7 }),
        json!({ "num_replicas": -1 }),
        json!({ "retention": "sometimes" }),
        json!({ "retention": "interest", "discard": "new", "storage": "memory" }),
        json!({ "retention": "workqueue", "no_ack": true }),
        json!({ "discard_new_per_subject": true }),
        json!({ "discard_new_per_subject": true, "discard": "new" }),
        json!({ "discard_new_per_subject": true, "discard": "new", "max_msgs_per_subject": 1 }),
        json!({ "sealed": true }),
        json!({ "deny_purge": true, "allow_rollup_hdrs": true }),
        json!({ "deny_delete": true, "deny_purge": true }),
        json!({ "allow_rollup_hdrs": true, "allow_direct": true }),
        json!({ "mirror_direct": true }),
        json!({ "mirror": { "name": "ORIGIN" }, "subjects": ["b"] }),
        json!({ "mirror": { "name": "ORIGIN" }, "sources": [{ "name": "ORIGIN" }] }),
        json!({ "mirror": { "name": "ORIGIN" }, "max_msg_size": 10 }),
        json!({ "mirror": { "name": "ORIGIN", "opt_start_seq": 1,
            "opt_start_time": "2024-01-01T00:00:00Z" } }),
        json!({ "sources": [{ "name": "ORIGIN" }], "max_msg_size": 10 }),
        json!({ "republish": { "src": "a.>", "dest": "b.>" }, "subjects": ["a.>"] }),
        json!({ "republish": { "src": "a.>", "dest": "a.>" }, "subjects": ["a.>"] }),
        json!({ "republish": { "src": "a.*", "dest": "b.>" }, "subjects": ["a.>"] }),
        json!({ "placement": {} }),
        json!({ "subjects": null, "description": null, "mirror": null, "sources": null }),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("C{number}");
        let mut named = config;
        named["name"] = json!(name);
        side.api(&format!("STREAM.CREATE.{name}"), named).await;
        side.quietly(&format!("STREAM.DELETE.{name}")).await;
    }
    side.api("STREAM.CREATE.a/b", json!({ "name": "a/b" })).await;
    let long = "n".repeat(256);
    side.api(&format!("STREAM.CREATE.{long}"), json!({ "name": long })).await;
    side.api("STREAM.CREATE.D", json!({ "name": "D", "description": "d".repeat(5000) })).await;
}

pub async fn stream_updates(side: &Side) {
    let config = json!({ "name": "S", "subjects": ["s.>"], "max_msgs": 10, "max_consumers": 2 });
    side.api("STREAM.UPDATE.S", config.clone()).await;
    side.api("STREAM.CREATE.S", config.clone()).await;
    side.api("STREAM.CREATE.T", json!({ "name": "T", "subjects": ["t"] })).await;
    for n in 0..5 {
        side.store(&format!("s.{n}"), &[], "").await;
    }
    for change in [
        json!({ "max_msgs": 3 }),
        json!({ "max_msgs": 3, "description": "other", "max_age": 3_600_000_000_000u64 }),
        json!({ "max_consumers": 3 }),
        json!({ "storage": "memory" }),
        json!({ "retention": "workqueue" }),
        json!({ "subjects": ["s.*", "t"] }),
        json!({ "subjects": ["s.*", "u"] }),
        json!({ "mirror": { "name": "T" } }),
        json!({ "deny_delete": true }),
        json!({ "deny_delete": false }),
        json!({ "allow_rollup_hdrs": true, "deny_delete": true }),
        json!({ "discard": "new", "deny_delete": true }),
        json!({ "num_replicas": 3, "deny_delete": true }),
        json!({ "sealed": true, "deny_delete": true }),
        json!({ "sealed": false, "deny_delete": true }),
    ] {
        let mut changed = config.clone();
        changed.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        side.api("STREAM.UPDATE.S", changed).await;
    }
    side.api("STREAM.INFO.S", Value::Null).await;
    side.store("s.1", &[], "").await;
    side.api("STREAM.PURGE.S", Value::Null).await;
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 4 })).await;
}

pub async fn publishes(side: &Side) {
    side.api(
        "STREAM.CREATE.S",
        json!({
            "name": "S", "subjects": ["s.>"], "max_msg_size": 200, "allow_rollup_hdrs": true,
        }),
    )
    .await;
    side.api("STREAM.CREATE.N", json!({ "name": "N", "subjects": ["n"] })).await;
    side.store("s.a", &[], "1").await;
    side.store("s.a", &[("Nats-Msg-Id", "x")], "2").await;
    side.store("s.a", &[("Nats-Msg-Id", "x")], "2").await;
    side.store("s.b", &[("Nats-Msg-Id", "x")], "2").await;
    for headers in [
        [("Nats-Expected-Stream", "T")],
        [("Nats-Expected-Stream", "S")],
        [("Nats-Expected-Last-Sequence", "1")],
        [("Nats-Expected-Last-Sequence", "3")],
        [("Nats-Expected-Last-Msg-Id", "y")],
        [("Nats-Expected-Last-Subject-Sequence", "1")],
        [("Nats-Expected-Last-Subject-Sequence", "4")],
    ] {
        side.store("s.a", &headers, "3").await;
    }
    side.store("s.new", &[("Nats-Expected-Last-Subject-Sequence", "0")], "").await;
    side.store("s.new", &[("Nats-Expected-Last-Subject-Sequence", "0")], "").await;
    let both = [("Nats-Msg-Id", "z"), ("Nats-Expected-Last-Msg-Id", "z")];
    side.store("s.a", &both, "").await;
    side.store("s.a", &[("Nats-Msg-Id", "z")], "").await;
    side.store("s.a", &both[1..], "").await;
    side.store("s.a", &[], &"x".repeat(201)).await;
    side.store("s.a", &[("A", &"x".repeat(150))], &"x".repeat(60)).await;
    side.store("s.a", &[("A", &"x".repeat(70_000))], "").await;
    side.store("s.b", &[], "kept").await;
    side.store("s.a", &[("Nats-Rollup", "what")], "").await;
    side.store("s.a", &[("Nats-Rollup", "sub")], "rolled").await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": ">" })).await;
    side.store("s.a", &[("Nats-Rollup", "all")], "all").await;
    side.api("STREAM.INFO.S", json!({ "subjects_filter": ">" })).await;
    side.store("n", &[("Nats-Rollup", "sub")], "").await;
    side.api("STREAM.INFO.N", Value::Null).await;
}

pub async fn gets(side: &Side) {
    side.api(
        "STREAM.CREATE.S",
        json!({
            "name": "S", "subjects": ["s.>"], "allow_direct": true,
        }),
    )
    .await;
    side.store("s.a", &[("X", "y"), ("Nats-Msg-Id", "i")], "one").await;
    side.store("s.b", &[], "two").await;
    side.store("s.a", &[], "").await;
    side.store("s.c.d", &[], "four").await;
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 2 })).await;
    for request in [
        json!({ "seq": 1 }),
        json!({ "seq": 2 }),
        json!({ "seq": 3 }),
        json!({ "seq": 99 }),
        json!({ "last_by_subj": "s.a" }),
        json!({ "last_by_subj": "s.b" }),
        json!({ "last_by_subj": "s.>" }),
        json!({ "next_by_subj": "s.a", "seq": 2 }),
        json!({ "next_by_subj": "s.*", "seq": 0 }),
        json!({ "next_by_subj": "s.c.*" }),
        json!({ "next_by_subj": "s.c.*", "seq": 5 }),
        json!({ "seq": 1, "last_by_subj": "s.a" }),
        json!({}),
        Value::Null,
        json!("{"),
        json!({ "last_by_subj": "s.a", "next_by_subj": "s.a" }),
    ] {
        side.api("STREAM.MSG.GET.S", request.clone()).await;
        let payload = if request.is_null() { String::new() } else { request.to_string() };
        let payload = if request == "{" { "{".to_owned() } else { payload };
        let direct = side.ask("$JS.API.DIRECT.GET.S", &[], &payload).await;
        side.note(
            format!("DIRECT {payload}"),
            direct.as_ref().map_or(Value::Null, crate::differential::shown),
        );
    }
    side.api("STREAM.MSG.GET.N", json!({ "seq": 1 })).await;
    for subject in ["s.a", "s.b", "s.>", "nothing"] {
        let direct = side.ask(&format!("$JS.API.DIRECT.GET.S.{subject}"), &[], "").await;
        side.note(
            format!("DIRECT {subject}"),
            direct.as_ref().map_or(Value::Null, crate::differential::shown),
        );
    }
    for request in [json!({ "seq": 2 }), json!({ "seq": 77 }), json!({ "seq": 0 }), Value::Null] {
        side.api("STREAM.MSG.DELETE.S", request).await;
    }
    side.api("STREAM.MSG.DELETE.S", json!({ "seq": 1, "no_erase": true })).await;
    side.api("STREAM.MSG.DELETE.N", json!({ "seq": 1 })).await;
    side.api("STREAM.INFO.S", json!({ "deleted_details": true })).await;
}

pub async fn purges(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.*"] })).await;
    let fill = async || {
        for n in 0..12 {
            side.store(&format!("s.{}", n % 3), &[], &n.to_string()).await;
        }
    };
    fill().await;
    for request in [
        json!({ "seq": 2, "keep": 1 }),
        json!({ "filter": "s.0", "keep": 2 }),
        json!({ "filter": "s.1", "seq": 6 }),
        json!({ "seq": 4 }),
        json!({ "keep": 5 }),
        json!({ "filter": "nothing" }),
        json!({ "keep": 100 }),
        json!({ "filter": "s.2" }),
        json!({ "filter": "s.*" }),
    ] {
        side.api("STREAM.PURGE.S", request).await;
        side.api("STREAM.INFO.S", json!({ "subjects_filter": ">", "deleted_details": true })).await;
    }
    fill().await;
    side.api("STREAM.PURGE.S", Value::Null).await;
    side.api("STREAM.INFO.S", Value::Null).await;
    side.store("s.1", &[], "after").await;
    side.api("STREAM.PURGE.S", json!({ "seq": 100 })).await;
    side.api("STREAM.INFO.S", Value::Null).await;
    side.store("s.1", &[], "after").await;
    side.api("STREAM.PURGE.N", Value::Null).await;
    side.api("STREAM.CREATE.D", json!({ "name": "D", "deny_purge": true })).await;
    side.api("STREAM.PURGE.D", Value::Null).await;
}

pub async fn limits(side: &Side) {
    for (name, config) in [
        ("OLD", json!({ "max_msgs": 3 })),
        ("NEW", json!({ "max_msgs": 3, "discard": "new" })),
        ("BYTES", json!({ "max_bytes": 150 })),
        ("NEWBYTES", json!({ "max_bytes": 150, "discard": "new" })),
        ("SUBJECT", json!({ "max_msgs_per_subject": 2 })),
        (
            "NEWSUBJECT",
            json!({
                "max_msgs_per_subject": 2, "discard": "new", "discard_new_per_subject": true,
            }),
        ),
        ("BOTH", json!({ "max_msgs_per_subject": 2, "max_msgs": 3, "discard": "new" })),
        ("MEMORY", json!({ "max_msgs": 3, "storage": "memory" })),
        ("MEMORYNEW", json!({ "max_bytes": 100, "storage": "memory", "discard": "new" })),
        ("ONE", json!({ "max_msgs_per_subject": 1 })),
    ] {
        let mut config = config;
        config["name"] = json!(name);
        config["subjects"] = json!([format!("{name}.*")]);
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
        for n in 0..5 {
            side.store(&format!("{name}.a"), &[], &format!("message {n}")).await;
        }
        side.store(&format!("{name}.b"), &[], "other").await;
        let request = json!({ "subjects_filter": ">", "deleted_details": true });
        side.api(&format!("STREAM.INFO.{name}"), request).await;
    }
    side.api("STREAM.CREATE.AGE", json!({ "name": "AGE", "max_age": 200_000_000 })).await;
    side.store("AGE", &[], "").await;
    side.wait(900).await;
    side.api("STREAM.INFO.AGE", Value::Null).await;
    side.api("INFO", Value::Null).await;
}

/// A limit that is lowered below what a stream holds, from another one or from none.
pub async fn lowered_limits(side: &Side) {
    let cases = [
        ("max_msgs", json!(-1), json!(2)),
        ("max_msgs", json!(8), json!(2)),
        ("max_bytes", json!(-1), json!(150)),
        ("max_bytes", json!(1500), json!(150)),
        ("max_msgs_per_subject", json!(-1), json!(1)),
        ("max_msgs_per_subject", json!(3), json!(1)),
        ("max_age", json!(0), json!(400_000_000)),
        ("max_msg_size", json!(-1), json!(3)),
    ];
    for storage in ["file", "memory"] {
        for (n, more) in [
            json!({ "discard": "old" }),
            json!({ "discard": "new" }),
            json!({ "discard": "new", "discard_new_per_subject": true }),
        ]
        .into_iter()
        .enumerate()
        {
            for (m, (limit, before, after)) in cases.iter().enumerate() {
                let per_subject = *limit == "max_msgs_per_subject" && *before != json!(-1);
                if n == 2 && !per_subject || storage == "memory" && *limit == "max_bytes" {
                    continue;
                }
                let name = format!("{storage}-{n}-{m}");
                let mut config = more.clone();
                config["name"] = json!(name);
                config["subjects"] = json!([format!("{name}.*")]);
                config["storage"] = json!(storage);
                config["duplicate_window"] = json!(200_000_000);
                config[limit] = before.clone();
                side.api(&format!("STREAM.CREATE.{name}"), config.clone()).await;
                for n in 0..5 {
                    side.store(&format!("{name}.{}", n % 2), &[], &format!("message {n}")).await;
                }
                config[limit] = after.clone();
                side.api(&format!("STREAM.UPDATE.{name}"), config).await;
                if *limit == "max_age" {
                    side.wait(900).await;
                }
                let request = json!({ "subjects_filter": ">", "deleted_details": true });
                side.api(&format!("STREAM.INFO.{name}"), request.clone()).await;
                for subject in [0, 1, 2] {
                    side.store(&format!("{name}.{subject}"), &[], "one more").await;
                }
                side.api(&format!("STREAM.INFO.{name}"), request).await;
            }
        }
    }
}
