//! What may differ, and what does.

use neurite::queue::time::Timestamp;
use serde_json::Value;

/// Fields that an older server does not know.
const NEWER: &[&str] = &[
    // 2.10
    "compression",
    "consumer_limits",
    "first_seq",
    "metadata",
    "subject_transform",
    "ts",
    // 2.11
    "allow_msg_ttl",
    "cluster",
    "level",
    "reserved_memory",
    "reserved_storage",
];

/// What differs on purpose: a part of the request, a part of the place in the answer, and why.
const ALWAYS: &[(&str, &str, &str)] = &[
    ("CONSUMER.", ".pause_remaining", "time goes on"),
    (".INFO.", ".cluster.leader", "it is made up"),
    ("CONSUMER.CREATE.KV_b", ".name", "it is made up"),
    ("CONSUMER.CREATE.S {", ".name", "it is made up"),
    ("STREAM.CREATE.C ", ".error.description", "without the number once more"),
    ("STREAM.MSG.GET.C", ".message.seq", "copies of two streams come in any order"),
    ("STREAM.INFO.M", "bytes", "streams in memory count bytes as those in the store do"),
    ("MEMORYNEW", "", "the same"),
    ("memory-", ".state.bytes", "the same"),
    ("INFO", ".memory", "the same"),
    (
        "CONSUMER.INFO.S.B",
        "",
        "what was delivered often enough is over, and no longer in the floor's way",
    ),
    ("\"num_replicas\":3,\"subjects", "", "a real server takes it in an update, for nothing"),
    ("opt_start_time\":\"2024", "", "a real server takes a mirror that starts in two ways"),
    ("CONSUMER.DURABLE.CREATE.S {", "", "a real server does not answer"),
    ("STREAM.INFO.I", "_ts", "what is not stored leaves no time"),
    (
        "\"deliver_subject\":\"to.me\",\"durable_name\":\"U\"",
        ".error.description",
        "other order of checks",
    ),
];

/// What differs from a server before 2.14 besides.
const KNOWN: &[(&str, &str, &str)] = &[
    ("STREAM.INFO.M", "bytes", "streams in memory count bytes as those in the store do"),
    ("MEMORYNEW", "", "the same"),
    ("INFO", ".memory", "the same"),
    ("INFO", ".api.", "other requests are errors"),
    ("STREAM.INFO.S abc", "", "since 2.11 what is no object is let be"),
    ("Nats-Rollup\", \"what", "", "2.9 does not answer"),
    ("STREAM.CREATE.C ", "duplicate_window", "since 2.10 streams with sources have none"),
    ("PURGE.S {\"seq\":1}", "", "2.9 purges everything"),
    ("\"subjects\":[\">\"]", ".error", "since 2.11 it takes no_ack"),
    ("$JS.API.>", ".error.description", "since 2.11 it takes no_ack"),
    ("\"max_msgs\":-5", ".max_msgs", "since 2.12 limits below -1 become -1"),
    ("opt_start_time\":\"2024", "", "2.9 takes a mirror that starts in two ways"),
    ("\"dest\":\"b.>\",\"src\":\"a.*", ".error.description", "newer words"),
    ("\"placement\":{}", ".placement", "since 2.11 an empty placement is none"),
    ("\"retention\":\"workqueue", ".error.description", "since 2.10 other changes are possible"),
    ("\"num_replicas\":3", "", "2.9 takes it in an update, for nothing"),
    ("STREAM.CREATE.M ", ".mirror", "since 2.10 it is in this answer too"),
    ("STREAM.CREATE.C ", ".sources", "since 2.10 it is in this answer too"),
    ("STREAM.MSG.GET.C", ".hdrs", "since 2.10 with the filter, what it becomes and the subject"),
    ("CONSUMER.", ".config.name", "since 2.10 what is durable has its name there too"),
    ("CONSUMER.LIST", ".name", "the same"),
    ("CONSUMER.DURABLE.CREATE.S {", "", "2.9 does not answer"),
    ("CONSUMER.CREATE.S ", ".error", "since 2.11 no payload says as much as an empty object"),
    ("\"deliver_policy\":\"", ".ack_floor.stream_seq", "since 2.10 it is just before the start"),
    ("NEXT", ".headers", "since 2.11 no_wait ends with 404 where it ended with 408"),
    ("STREAM.MSG.GET.C", ".message.seq", "copies of two streams come in any order"),
    ("STREAM.INFO.I", "_ts", "what is not stored leaves no time"),
    ("CONSUMER.INFO.S.W", ".ack_floor.stream_seq", "the same"),
    ("CONSUMER.CREATE.S {", ".name", "it is made up"),
    ("\"backoff\"", "", "since 2.10 a backoff needs no max_deliver"),
    ("\"filter_subject\":\"t\"", "", "since 2.10 a filter may lie outside of the stream"),
    ("\"max_deliver\":-7", ".max_deliver", "since 2.10 below -1 is -1"),
    (
        "\"deliver_subject\":\"to.me\",\"durable_name\":\"U\"",
        ".error.description",
        "other order of checks",
    ),
    ("DURABLE.CREATE.I", ".ack_floor.stream_seq", "since 2.10 it is just before the start"),
    (
        "CREATE.W.A {\"config\":{\"ack_policy\":\"none",
        ".error",
        "since 2.12 push and pull are told the same",
    ),
    ("CONSUMER.CREATE.KV_b", ".name", "it is made up"),
    (
        "CONSUMER.INFO.S.B",
        "",
        "what was delivered often enough is over, and no longer in the floor's way",
    ),
    (".INFO.", ".cluster.leader", "it is made up"),
    ("\"subjects\":[\"a\",\"a\"]", ".error.description", "other words since 2.10"),
    ("\"opt_start_seq\":99", ".delivered.stream_seq", "since 2.10 a start may be yet to come"),
    ("\"opt_start_seq\":99", ".ack_floor.stream_seq", "the same"),
    ("\"max_waiting\":-2", "", "since 2.12 below 0 is 0"),
    ("\"max_batch\":-1", "", "since 2.12 below 0 is 0"),
    ("\"max_consumers\":3", "", "since 2.10 it may change"),
    ("republished", ".headers", "since 2.10 with Nats-Time-Stamp"),
    ("headers only", ".headers", "since 2.10 with Nats-Time-Stamp"),
];

/// How the two transcripts differ, a line each.
pub fn differences(
    real: &[(String, Value)],
    ours: &[(String, Value)],
    is_older: bool,
) -> Vec<String> {
    let mut found = Vec::new();
    if real.len() != ours.len() {
        found.push(format!("{} answers | {}", real.len(), ours.len()));
    }
    for ((label, real), (_, ours)) in real.iter().zip(ours) {
        let mut different = Vec::new();
        compare(real, ours, "", &mut different);
        different.retain(|(place, _)| {
            let known = if is_older { KNOWN } else { &[] };
            let mut known = ALWAYS.iter().chain(known);
            !known.any(|(of, at, _)| label.contains(of) && place.contains(at))
        });
        let lines =
            different.into_iter().map(|(place, line)| format!("{label}\n    {place}: {line}"));
        found.extend(lines);
    }
    found
}

fn compare(real: &Value, ours: &Value, place: &str, found: &mut Vec<(String, String)>) {
    match (real, ours) {
        (Value::Object(one), Value::Object(other)) => {
            for (field, real) in one {
                let place = format!("{place}.{field}");
                match other.get(field) {
                    Some(ours) => compare(real, ours, &place, found),
                    None => found.push((place, format!("{real} is missing"))),
                }
            }
            for (field, ours) in other {
                if !one.contains_key(field) && !NEWER.contains(&field.as_str()) {
                    found.push((format!("{place}.{field}"), format!("{ours} is too much")));
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, (real, ours)) in one.iter().zip(other).enumerate() {
                compare(real, ours, &format!("{place}.{number}"), found);
            }
        }
        (Value::String(one), Value::String(other)) if plain(one) == plain(other) => {}
        // What 2.9 tells where there is no message any longer.
        (Value::String(one), Value::String(other))
            if one == "1970-01-01T00:00:00Z" && other == "0001-01-01T00:00:00Z" => {}
        (real, ours) if real == ours => {}
        (real, ours) => found.push((place.to_owned(), format!("{real} | {ours}"))),
    }
}

/// Text without the times in it.
fn plain(text: &str) -> String {
    if Timestamp::parse(text).is_some_and(|time| time != Timestamp::default()) {
        return "<time>".to_owned();
    }
    // Why it is none is told since 2.11, and not in the words of Go.
    if text.starts_with("invalid JSON") {
        return "invalid JSON".to_owned();
    }
    if let Some((name, value)) = text.split_once(": ")
        && Timestamp::parse(value).is_some()
    {
        return format!("{name}: <time>");
    }
    if text.starts_with("Nats-Pin-Id: ") {
        return "Nats-Pin-Id: <id>".to_owned();
    }
    let mut tokens: Vec<_> = text.split('.').collect();
    if tokens.starts_with(&["$JS", "ACK"]) && tokens.len() == 9 {
        tokens[7] = "<time>";
        return tokens.join(".");
    }
    text.to_owned()
}
