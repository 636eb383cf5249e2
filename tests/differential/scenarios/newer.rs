//! What came with 2.10 to 2.14.

use serde_json::{Value, json};

use super::consumers::asked;
use crate::differential::{Side, shown};

const SECOND: u64 = 1_000_000_000;

pub async fn strictness(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjets": ["s"] })).await;
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"], "pedantic": true }))
        .await;
    for (name, config) in [
        ("P1", json!({ "max_msgs": -5 })),
        ("P2", json!({ "max_age": SECOND, "duplicate_window": 0 })),
        ("P3", json!({ "republish": { "dest": "x.>" } })),
        ("P4", json!({ "subject_delete_marker_ttl": SECOND })),
        ("P5", json!({ "allow_msg_schedules": true })),
    ] {
        let mut config = config;
        config["name"] = json!(name);
        config["pedantic"] = json!(true);
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
    }
    side.api("STREAM.INFO.S", json!({ "what": 1 })).await;
    side.api("STREAM.NAMES", json!({ "what": 1 })).await;
    side.api("STREAM.PURGE.S", json!({ "what": 1 })).await;
    side.api("CONSUMER.CREATE.S.C", asked(&json!({ "name": "C", "what": 1 }))).await;
    for action in ["update", "create", "create", "update", "", "what"] {
        let request =
            json!({ "stream_name": "S", "config": { "durable_name": "C" }, "action": action });
        side.api("CONSUMER.CREATE.S.C", request).await;
    }
    for level in ["4", "5", "x"] {
        for subject in ["INFO", "STREAM.INFO.S", "CONSUMER.INFO.S.C", "STREAM.NAMES"] {
            let headers = [("Nats-Required-Api-Level", level)];
            let answer = side.ask(&format!("$JS.API.{subject}"), &headers, "").await;
            let answer: Value = answer
                .and_then(|answer| serde_json::from_slice(&answer.payload).ok())
                .unwrap_or_default();
            side.note(format!("{subject} at level {level}"), answer["error"].clone());
        }
    }
}

pub async fn newer_streams(side: &Side) {
    for (name, config) in [
        ("A", json!({ "compression": "s2", "first_seq": 100, "metadata": { "a": "b" } })),
        (
            "B",
            json!({ "subject_transform": { "src": "b.*", "dest": "c.{{wildcard(1)}}" }, "subjects": ["b.*"] }),
        ),
        (
            "C",
            json!({ "subject_transform": { "src": "b.*", "dest": "c.{{wildcard(2)}}" }, "subjects": ["d.*"] }),
        ),
        (
            "D",
            json!({ "consumer_limits": { "max_ack_pending": 10, "inactive_threshold": SECOND } }),
        ),
        ("E", json!({ "allow_msg_ttl": true, "subject_delete_marker_ttl": 2 * SECOND })),
        ("F", json!({ "subject_delete_marker_ttl": 1 })),
        ("G", json!({ "allow_msg_counter": true, "discard": "new" })),
        ("H", json!({ "allow_msg_counter": true, "allow_direct": true })),
        ("I", json!({ "allow_atomic": true, "persist_mode": "async" })),
        ("J", json!({ "persist_mode": "async", "storage": "memory" })),
        ("K", json!({ "persist_mode": "async" })),
        ("L", json!({ "allow_msg_schedules": true })),
        ("M", json!({ "allow_batched": true, "allow_atomic": true })),
        ("N", json!({ "mirror": { "name": "A" }, "allow_msg_counter": true })),
        ("O", json!({ "mirror": { "name": "A", "opt_start_seq": 3 }, "first_seq": 4 })),
        ("P", json!({ "sources": [{ "name": "A" }, { "name": "A" }] })),
        (
            "Q",
            json!({ "sources": [{ "name": "A", "filter_subject": "x",
            "subject_transforms": [{ "src": "x", "dest": "y" }] }] }),
        ),
        ("R", json!({ "metadata": { "x": "y".repeat(200_000) } })),
    ] {
        let mut config = config;
        config["name"] = json!(name);
        side.api(&format!("STREAM.CREATE.{name}"), config).await;
    }
    side.store("A", &[], "first").await;
    side.store("b.x", &[], "transformed").await;
    side.api("STREAM.MSG.GET.B", json!({ "seq": 1 })).await;
    side.api("STREAM.INFO.A", Value::Null).await;
    for config in [
        json!({ "durable_name": "d1", "ack_policy": "explicit" }),
        json!({ "durable_name": "d2", "ack_policy": "explicit", "max_ack_pending": 20 }),
        json!({ "durable_name": "d3", "inactive_threshold": 5 * SECOND }),
    ] {
        let name = config["durable_name"].as_str().unwrap().to_owned();
        let request = json!({ "stream_name": "D", "config": config });
        side.api(&format!("CONSUMER.CREATE.D.{name}"), request).await;
    }
}

pub async fn counters_and_batches(side: &Side) {
    side.api(
        "STREAM.CREATE.C",
        json!({ "name": "C", "subjects": ["c.*"], "allow_msg_counter": true }),
    )
    .await;
    for headers in [
        &[("Nats-Incr", "1")][..],
        &[("Nats-Incr", "+2")],
        &[("Nats-Incr", "-5")],
        &[("Nats-Incr", "x")],
        &[],
        &[("Nats-Incr", "100000000000000000000000000")],
        &[("Nats-Incr", "0")],
    ] {
        side.store("c.a", headers, "").await;
    }
    side.store("c.a", &[("Nats-Incr", "1")], "payload").await;
    side.api("STREAM.MSG.GET.C", json!({ "last_by_subj": "c.a" })).await;
    side.api("STREAM.CREATE.N", json!({ "name": "N", "subjects": ["n"] })).await;
    side.store("n", &[("Nats-Incr", "1")], "").await;
    side.store(
        "n",
        &[("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")],
        "",
    )
    .await;
    side.store("n", &[("Nats-TTL", "5s")], "").await;
    side.store("n", &[("Nats-Schedule", "@every 1s"), ("Nats-Schedule-Target", "n")], "").await;
    side.api(
        "STREAM.CREATE.B",
        json!({ "name": "B", "subjects": ["b.*"], "allow_atomic": true, "allow_direct": true }),
    )
    .await;
    let part =
        |sequence: &'static str| [("Nats-Batch-Id", "one"), ("Nats-Batch-Sequence", sequence)];
    side.store("b.1", &part("1"), "1").await;
    side.store("b.2", &part("2"), "2").await;
    side.store("b.3", &[part("3")[0], part("3")[1], ("Nats-Batch-Commit", "1")], "3").await;
    side.store("b.1", &part("2"), "never begun").await;
    side.store("b.1", &[("Nats-Batch-Id", "x")], "no sequence").await;
    let gap =
        |sequence: &'static str| [("Nats-Batch-Id", "gap"), ("Nats-Batch-Sequence", sequence)];
    side.store("b.1", &gap("1"), "1").await;
    side.store("b.1", &[gap("3")[0], gap("3")[1], ("Nats-Batch-Commit", "1")], "3").await;
    let id = "i".repeat(65);
    side.store("b.1", &[("Nats-Batch-Id", &id), ("Nats-Batch-Sequence", "1")], "").await;
    let end =
        |sequence: &'static str| [("Nats-Batch-Id", "eob"), ("Nats-Batch-Sequence", sequence)];
    side.store("b.1", &end("1"), "1").await;
    side.store("b.1", &[end("2")[0], end("2")[1], ("Nats-Batch-Commit", "eob")], "end").await;
    side.store(
        "b.1",
        &[("Nats-Batch-Id", "c"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "what")],
        "",
    )
    .await;
    side.api("STREAM.INFO.B", json!({ "subjects_filter": ">" })).await;
    for request in [
        json!({ "seq": 1, "batch": 2 }),
        json!({ "seq": 1, "batch": 9, "max_bytes": 1 }),
        json!({ "multi_last": ["b.*"] }),
        json!({ "multi_last": ["b.1", "b.2"], "up_to_seq": 2 }),
        json!({ "multi_last": ["nothing"] }),
        json!({ "next_by_subj": "b.>", "batch": 10, "seq": 2 }),
        json!({ "batch": 3 }),
        json!({ "start_time": "2001-01-01T00:00:00Z", "batch": 1 }),
        json!({ "last_by_subj": "b.1", "no_hdr": true }),
    ] {
        let inbox = side.listen("_R.direct");
        side.publish("$JS.API.DIRECT.GET.B", Some("_R.direct"), &[], &request.to_string());
        side.hear(&format!("DIRECT {request}"), &inbox, 6).await;
        drop(inbox);
    }
}

pub async fn times_to_live(side: &Side) {
    side.api("STREAM.CREATE.T", json!({
        "name": "T", "subjects": ["t.*"], "allow_msg_ttl": true, "subject_delete_marker_ttl": 3600 * SECOND,
        "allow_direct": true,
    })).await;
    for ttl in ["1s", "1", "never", "0", "x", "500ms", "1h", "-1"] {
        side.store("t.a", &[("Nats-TTL", ttl)], ttl).await;
    }
    side.api("STREAM.CREATE.U", json!({ "name": "U", "subjects": ["u.*"], "allow_msg_ttl": true }))
        .await;
    side.store("u.a", &[("Nats-TTL", "1s")], "gone").await;
    side.store("u.b", &[], "stays").await;
    side.wait(2500).await;
    side.api("STREAM.INFO.U", json!({ "subjects_filter": ">" })).await;
    side.api("STREAM.PURGE.T", json!({ "filter": "t.a" })).await;
    let got = side.ask("$JS.API.DIRECT.GET.T.t.a", &[], "").await;
    side.note("a marker", got.as_ref().map_or(Value::Null, shown));
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"], "allow_msg_schedules": true, "allow_msg_ttl": true, "allow_direct": true })).await;
    for headers in [
        &[("Nats-Schedule", "@at 2001-01-01T00:00:00Z"), ("Nats-Schedule-Target", "s.out")][..],
        &[("Nats-Schedule", "@every 1s"), ("Nats-Schedule-Target", "elsewhere")],
        &[("Nats-Schedule", "@every 10ms"), ("Nats-Schedule-Target", "s.out")],
        &[("Nats-Schedule", "sometimes"), ("Nats-Schedule-Target", "s.out")],
        &[("Nats-Schedule", "@hourly"), ("Nats-Schedule-Target", "s.*")],
        &[
            ("Nats-Schedule", "0 0 * * * *"),
            ("Nats-Schedule-Target", "s.out"),
            ("Nats-Schedule-Time-Zone", "Nowhere/Land"),
        ],
        &[
            ("Nats-Schedule", "0 0 * * * *"),
            ("Nats-Schedule-Target", "s.out"),
            ("Nats-Schedule-TTL", "x"),
        ],
        &[("Nats-Schedule", "0 0 * * * *")],
    ] {
        side.store("s.plan", headers, "scheduled").await;
    }
    side.wait(1500).await;
    let got = side.ask("$JS.API.DIRECT.GET.S.s.out", &[], "").await;
    side.note(
        "what was scheduled",
        got.as_ref().map_or(Value::Null, |got| {
            let mut shown = shown(got);
            shown["headers"] = json!(shown["headers"].as_array().map(|lines| {
                lines
                    .iter()
                    .filter(|line| !line.to_string().contains("Sequence"))
                    .cloned()
                    .collect::<Vec<_>>()
            }));
            shown
        }),
    );
}

pub async fn newer_consumers(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..4 {
        side.store(&format!("s.{n}"), &[], &n.to_string()).await;
    }
    for (name, config) in [
        ("A", json!({ "filter_subjects": ["s.1", "s.2"], "metadata": { "a": "b" } })),
        ("B", json!({ "filter_subjects": ["s.1", "s.*"] })),
        ("C", json!({ "filter_subjects": ["s.1"], "filter_subject": "s.2" })),
        ("D", json!({ "filter_subjects": ["s.1", ""] })),
        ("E", json!({ "priority_policy": "overflow" })),
        ("F", json!({ "priority_groups": ["g"] })),
        (
            "G",
            json!({ "priority_policy": "overflow", "priority_groups": ["g"], "ack_policy": "explicit" }),
        ),
        (
            "H",
            json!({ "priority_policy": "pinned_client", "priority_groups": ["g"], "ack_policy": "explicit", "priority_timeout": 10 * SECOND }),
        ),
        (
            "I",
            json!({ "priority_policy": "prioritized", "priority_groups": ["g"], "ack_policy": "explicit" }),
        ),
        ("J", json!({ "priority_policy": "overflow", "priority_groups": ["g g"] })),
        (
            "K",
            json!({ "priority_policy": "overflow", "priority_groups": ["g"], "deliver_subject": "to.k" }),
        ),
        (
            "L",
            json!({ "priority_policy": "overflow", "priority_groups": ["this is far too long"] }),
        ),
        ("M", json!({ "pause_until": "2099-01-01T00:00:00Z", "ack_policy": "explicit" })),
        ("N", json!({ "ack_policy": "flow_control" })),
        ("O", json!({ "priority_timeout": 10 * SECOND })),
    ] {
        let mut config = config;
        config["durable_name"] = json!(name);
        side.api(&format!("CONSUMER.CREATE.S.{name}"), asked(&config)).await;
    }
    side.api("CONSUMER.INFO.S.M", Value::Null).await;
    side.pull("S.M", json!({ "batch": 1, "no_wait": true }), 1).await;
    side.api("CONSUMER.PAUSE.S.M", json!({})).await;
    side.pull("S.M", json!({ "batch": 1, "no_wait": true }), 1).await;
    side.api("CONSUMER.PAUSE.S.M", json!({ "pause_until": "2001-01-01T00:00:00Z" })).await;
    side.api("CONSUMER.PAUSE.S.nobody", Value::Null).await;
    for request in [json!({}), json!({ "seq": 3 }), json!({ "seq": 1 }), json!({ "seq": 99 })] {
        side.api("CONSUMER.RESET.S.M", request).await;
    }
    for request in [
        json!({ "batch": 1, "no_wait": true }),
        json!({ "batch": 1, "no_wait": true, "group": "h" }),
        json!({ "batch": 1, "expires": SECOND, "group": "g", "min_pending": 2 }),
        json!({ "batch": 1, "no_wait": true, "group": "g", "priority": 3 }),
    ] {
        side.pull("S.G", request, 1).await;
    }
    let heard = side.pull("S.H", json!({ "batch": 1, "expires": SECOND, "group": "g" }), 1).await;
    side.note("one came", json!(heard.len()));
    side.pull("S.H", json!({ "batch": 1, "expires": SECOND, "group": "g", "id": "other" }), 1)
        .await;
    side.api("CONSUMER.UNPIN.S.H", json!({ "group": "h" })).await;
    side.api("CONSUMER.UNPIN.S.H", json!({})).await;
    side.api("CONSUMER.UNPIN.S.H", json!({ "group": "g" })).await;
    side.pull("S.I", json!({ "batch": 1, "no_wait": true, "group": "g", "priority": 12 }), 1).await;
    side.pull("S.I", json!({ "batch": 1, "no_wait": true, "group": "g", "priority": 2 }), 1).await;
}

/// Atomic batches that expect something of what has wildcards.
pub async fn batches_that_expect(side: &Side) {
    let config = json!({
        "name": "B", "subjects": ["b.>"], "allow_atomic": true, "allow_rollup_hdrs": true,
    });
    side.api("STREAM.CREATE.B", config).await;
    side.store("b.1.a", &[], "").await;
    // Subject, what is expected, of which subject, and whether it rolls up.
    type Part = (&'static str, &'static str, &'static str, bool);
    let batches: [(&str, &[Part]); 5] = [
        ("apart", &[("b.2.a", "0", "b.2.*", false), ("b.3.a", "0", "b.3.*", false)]),
        ("before", &[("b.1.b", "1", "b.1.*", false), ("b.1.c", "1", "b.1.*", false)]),
        ("since", &[("b.1.b", "1", "b.1.*", false), ("b.1.c", "2", "b.1.*", false)]),
        ("same", &[("b.4.a", "0", "b.4.a", false), ("b.4.a", "0", "b.4.a", false)]),
        ("rollup", &[("b.5.a", "0", "b.5.*", true), ("b.5.b", "0", "b.5.*", false)]),
    ];
    for (id, parts) in batches {
        for (place, (subject, expected, of, rolls_up)) in parts.iter().enumerate() {
            let place = (place + 1).to_string();
            let mut headers = vec![
                ("Nats-Batch-Id", id),
                ("Nats-Batch-Sequence", &place),
                ("Nats-Expected-Last-Subject-Sequence", *expected),
                ("Nats-Expected-Last-Subject-Sequence-Subject", *of),
            ];
            if place == parts.len().to_string() {
                headers.push(("Nats-Batch-Commit", "1"));
            }
            if *rolls_up {
                headers.push(("Nats-Rollup", "sub"));
            }
            side.store(subject, &headers, "").await;
        }
    }
    side.api("STREAM.INFO.B", json!({ "subjects_filter": ">" })).await;
}

/// Fast batches. ADR-50
pub async fn fast_batches(side: &Side) {
    side.api("STREAM.CREATE.F", json!({ "name": "F", "subjects": ["f.*"], "allow_batched": true }))
        .await;
    side.api("STREAM.CREATE.N", json!({ "name": "N", "subjects": ["n"] })).await;
    let inbox = side.listen("_R.>");
    let send = |subject: &str, id: &str, place: &str, headers: &[(&str, &str)]| {
        side.publish(subject, Some(&format!("_R.{id}.{place}.$FI")), headers, "x");
    };
    send("n", "none", "10.fail.1.0", &[]);
    side.hear("not allowed", &inbox, 1).await;
    send("f.a", "one", "10.fail.1.0", &[]);
    side.hear("begun", &inbox, 1).await;
    send("f.a", "one", "10.fail.2.1", &[]);
    send("f.b", "one", "10.fail.3.2", &[]);
    side.hear("committed", &inbox, 3).await;
    send("f.a", "two", "10.fail.1.0", &[]);
    side.hear("begun", &inbox, 1).await;
    send("f.a", "two", "10.fail.2.3", &[]);
    side.hear("ended", &inbox, 2).await;
    send("f.a", "lost", "10.fail.5.1", &[]);
    side.hear("never begun", &inbox, 1).await;
    send("f.a", "gap", "10.fail.1.0", &[]);
    side.hear("begun", &inbox, 1).await;
    send("f.a", "gap", "10.fail.4.1", &[]);
    side.hear("a gap", &inbox, 2).await;
    send("f.a", "bad", "10.maybe.1.0", &[]);
    side.hear("no such pattern", &inbox, 1).await;
    send("f.a", "ping", "10.ok.1.0", &[]);
    side.hear("begun", &inbox, 1).await;
    send("f.a", "ping", "10.ok.1.4", &[]);
    side.hear("pinged", &inbox, 1).await;
    send("f.a", "single", "10.fail.1.2", &[]);
    side.hear("one alone", &inbox, 2).await;
    side.api("STREAM.CREATE.G", json!({ "name": "G", "subjects": ["g"], "allow_batched": true }))
        .await;
    send("g", "both", "10.fail.1.0", &[]);
    send("g", "both", "10.fail.2.3", &[]);
    side.hear("begun and ended at once", &inbox, 2).await;
    side.api("STREAM.INFO.F", json!({ "subjects_filter": ">" })).await;
}
