//! Pull requests that wait together, and whom consumers push to.

use std::time::Duration;

use serde_json::{Value, json};

use super::consumers::asked;
use crate::differential::{Listening, Side, shown};

const SECOND: u64 = 1_000_000_000;

fn pull(side: &Side, inbox: &str, request: Value) -> Listening {
    let listening = side.listen(inbox);
    let subject = "$JS.API.CONSUMER.MSG.NEXT.S.C";
    side.publish(subject, Some(inbox), &[], &request.to_string());
    listening
}

async fn consumer(side: &Side, config: Value) {
    let mut all = json!({ "durable_name": "C", "ack_policy": "explicit" });
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    side.api("CONSUMER.DURABLE.CREATE.S.C", asked(&all)).await;
}

/// Who gets which message.
pub async fn lines(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for (config, requests) in [
        (json!({}), vec![json!({ "batch": 2 }), json!({ "batch": 9 }), json!({ "batch": 9 })]),
        (
            json!({ "priority_groups": ["A"], "priority_policy": "prioritized" }),
            vec![
                json!({ "batch": 9, "priority": 5 }),
                json!({ "batch": 2, "priority": 1 }),
                json!({ "batch": 2, "priority": 1 }),
            ],
        ),
        (
            json!({ "priority_groups": ["A"], "priority_policy": "overflow" }),
            vec![
                json!({ "batch": 9, "min_pending": 4 }),
                json!({ "batch": 3, "min_ack_pending": 2 }),
                json!({ "batch": 9, "max_bytes": 10 }),
            ],
        ),
    ] {
        consumer(side, config).await;
        let mut waiting = Vec::new();
        for (place, mut request) in requests.into_iter().enumerate() {
            request["expires"] = json!(SECOND);
            request["group"] = json!("A");
            waiting.push(pull(side, &format!("to.{place}"), request));
            side.quietly("CONSUMER.INFO.S.C").await;
        }
        for n in 0..6 {
            side.store("s.a", &[], &n.to_string()).await;
        }
        side.wait(1200).await;
        for (place, listening) in waiting.iter().enumerate() {
            // Without what is left: nats-server counts a message that overflows for nobody twice.
            let mut heard = Vec::new();
            while let Some(message) = listening.next(Duration::from_millis(200)).await {
                let mut message = shown(&message);
                message["reply"] = Value::Null;
                heard.push(message);
            }
            side.note(format!("request {place}"), heard.into());
        }
        side.quietly("CONSUMER.DELETE.S.C").await;
        side.quietly("STREAM.PURGE.S").await;
    }
}

/// How requests end.
pub async fn ends(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    consumer(side, json!({ "max_ack_pending": 2, "filter_subject": "s.a" })).await;
    let ask = async |label: &str, request: Value, most| {
        let listening = pull(side, &format!("to.{label}"), request);
        side.hear(label, &listening, most).await;
    };
    ask("nothing", json!({ "no_wait": true }), 1).await;
    ask("none", json!({ "batch": 0, "expires": SECOND / 5 }), 1).await;
    ask("less", json!({ "batch": -3, "max_bytes": 99, "expires": SECOND / 5 }), 1).await;
    ask("huge", json!({ "batch": 1, "priority": -1 }), 1).await;
    for n in 0..5 {
        side.store("s.a", &[], &n.to_string()).await;
        side.store("s.b", &[], &n.to_string()).await;
    }
    ask("zero", json!({ "batch": 0, "max_bytes": 1000 }), 2).await;
    let waits = pull(side, "to.waits", json!({ "batch": 8, "expires": 3 * SECOND }));
    side.hear("waits", &waits, 1).await;
    ask("pending", json!({ "batch": 1, "no_wait": true }), 1).await;
    ask("beats", json!({ "batch": 1, "expires": SECOND, "idle_heartbeat": 300_000_000 }), 4).await;
    side.api("CONSUMER.RESET.S.C", json!({})).await;
    side.hear("after the reset", &waits, 2).await;
    side.api("CONSUMER.DELETE.S.C", Value::Null).await;
    side.hear("deleted", &waits, 1).await;
}

/// Whether somebody listens to what is pushed.
pub async fn bound(side: &Side) {
    side.api("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for (name, group) in [("G", "g"), ("P", "")] {
        let config = json!({ "durable_name": name, "deliver_subject": format!("to.{name}"), "deliver_group": group });
        side.api(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), asked(&config)).await;
    }
    let pattern = side.listen("to.*");
    side.store("s.a", &[], "a pattern").await;
    let plain = side.listen("to.G");
    side.wait(100).await;
    side.api("CONSUMER.INFO.S.G", Value::Null).await;
    side.api("CONSUMER.INFO.S.P", Value::Null).await;
    let own = side.listen("to.P");
    side.hear("itself", &own, 1).await;
    side.api("CONSUMER.INFO.S.P", Value::Null).await;
    side.hear("the pattern", &pattern, 2).await;
    side.hear("the plain one", &plain, 1).await;
}
