//! Requests as programs of all kinds write them.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::nats::{Client, status};

const STREAM: &str = "name description subjects retention max_consumers max_msgs max_bytes max_age \
    max_msgs_per_subject max_msg_size discard storage num_replicas no_ack duplicate_window \
    placement mirror sources compression first_seq subject_transform republish allow_direct \
    mirror_direct discard_new_per_subject sealed deny_delete deny_purge allow_rollup_hdrs \
    consumer_limits allow_msg_ttl subject_delete_marker_ttl allow_msg_counter allow_atomic \
    allow_msg_schedules persist_mode allow_batched metadata";
const CONSUMER: &str = "durable_name name description deliver_policy opt_start_seq opt_start_time \
    ack_policy ack_wait max_deliver backoff filter_subject filter_subjects replay_policy \
    rate_limit_bps sample_freq max_waiting max_ack_pending flow_control headers_only max_batch \
    max_expires max_bytes deliver_subject deliver_group idle_heartbeat inactive_threshold \
    num_replicas mem_storage direct sourcing metadata pause_until priority_groups \
    priority_policy priority_timeout";
const PULL: &str = "batch expires no_wait max_bytes idle_heartbeat group min_pending \
    min_ack_pending id priority";
const DIRECT: &str = "seq last_by_subj next_by_subj batch max_bytes start_time multi_last \
    up_to_seq up_to_time no_hdr";

/// The object with a null for each of the fields that it does not have.
fn with_nulls(object: &Value, fields: &str) -> Value {
    let mut object = object.as_object().cloned().unwrap_or_default();
    for field in fields.split_whitespace() {
        object.entry(field).or_insert(Value::Null);
    }
    object.into()
}

/// A client of a queue with the stream S, its messages `s.a` and `s.b`, and its consumer C.
async fn with_stream() -> Client {
    let client = Client::open().await;
    let config = json!({ "name": "S", "subjects": ["s.>"], "allow_direct": true });
    client.request("STREAM.CREATE.S", config).await;
    client.store("s.a", &[], "one").await;
    client.store("s.b", &[], "two").await;
    let config = json!({ "durable_name": "C", "ack_policy": "explicit" });
    let request = json!({ "stream_name": "S", "config": config });
    client.request("CONSUMER.DURABLE.CREATE.S.C", request).await;
    client
}

tests! {
    async fn null_says_nothing_in_any_request() {
        let restored = json!({ "name": "R" });
        let requests = [
            ("STREAM.CREATE.N", json!({ "name": "N" }), STREAM),
            ("STREAM.UPDATE.S", json!({ "name": "S", "subjects": ["s.>"] }), STREAM),
            ("STREAM.INFO.S", json!({}), "offset deleted_details subjects_filter"),
            ("STREAM.NAMES", json!({}), "offset subject"),
            ("STREAM.LIST", json!({}), "offset subject"),
            ("STREAM.MSG.GET.S", json!({ "seq": 1 }), DIRECT),
            ("STREAM.MSG.DELETE.S", json!({ "seq": 1 }), "no_erase"),
            ("STREAM.PURGE.S", json!({ "seq": 1 }), "filter seq keep"),
            ("STREAM.SNAPSHOT.S", json!({ "deliver_subject": "pieces" }),
                "no_consumers chunk_size window_size jsck"),
            ("STREAM.RESTORE.R", json!({ "config": with_nulls(&restored, STREAM) }), "state"),
            ("CONSUMER.CREATE.S.N", json!({ "stream_name": "S", "config": { "name": "N" } }),
                "action pedantic"),
            ("CONSUMER.INFO.S.C", json!({}), ""),
            ("CONSUMER.NAMES.S", json!({}), "offset"),
            ("CONSUMER.LIST.S", json!({}), "offset"),
            ("CONSUMER.PAUSE.S.C", json!({}), "pause_until"),
            ("CONSUMER.RESET.S.C", json!({}), "seq"),
            ("CONSUMER.UNPIN.S.C", json!({ "group": "g" }), ""),
        ];
        for (subject, request, fields) in requests {
            let answer = async |request| with_stream().await.request(subject, request).await;
            let (plain, nulls) = (request.clone(), with_nulls(&request, fields));
            let (plain, with_nulls) = (answer(plain).await, answer(nulls).await);
            assert_eq!(plain["error"], with_nulls["error"], "{subject}");
            assert_eq!(plain["config"], with_nulls["config"], "{subject}");
            assert_ne!(plain["error"]["err_code"], 10025, "{subject}");
        }
    }

    async fn null_says_nothing_in_configurations() {
        let client = with_stream().await;
        let plain = json!({ "name": "N", "subjects": ["n"], "metadata": { "a": null, "b": "" },
            "mirror": null, "republish": null, "consumer_limits": { "max_ack_pending": null },
            "sources": [{ "name": "S", "filter_subject": null, "opt_start_time": null }] });
        let made = client.request("STREAM.CREATE.N", with_nulls(&plain, STREAM)).await;
        assert_eq!(made["error"], Value::Null);
        let metadata = &made["config"]["metadata"];
        assert_eq!((&metadata["a"], &metadata["b"]), (&json!(""), &json!("")));
        assert_eq!(made["config"]["sources"], json!([{ "name": "S" }]));
        let config = json!({ "name": "D", "backoff": null, "metadata": { "a": null } });
        let request = json!({ "stream_name": "S", "config": with_nulls(&config, CONSUMER) });
        let made = client.request("CONSUMER.CREATE.S.D", request).await;
        assert_eq!(made["error"], Value::Null);
        assert_eq!(made["config"]["metadata"]["a"], "");
        for subjects in [json!([null]), json!(["a", null])] {
            let wrong = json!({ "name": "W", "subjects": subjects });
            assert_eq!(client.refusal("STREAM.CREATE.W", wrong).await, 10052);
        }
        let unknown = json!({ "name": "W", "subject": null });
        assert_eq!(client.refusal("STREAM.CREATE.W", unknown).await, 10025);
    }

    async fn null_says_nothing_where_messages_are_asked_for() {
        let client = with_stream().await;
        let wanted = with_nulls(&json!({ "seq": 2 }), DIRECT).to_string();
        let got = client.ask("$JS.API.DIRECT.GET.S", &[], wanted).await;
        assert_eq!(&*got.payload, b"two");
        let next = "$JS.API.CONSUMER.MSG.NEXT.S.C";
        let pulled = client.ask(next, &[], with_nulls(&json!({ "batch": 1 }), PULL).to_string());
        let pulled = pulled.await;
        assert_eq!(&*pulled.payload, b"one");
        let reply = pulled.reply.unwrap();
        client.ask(&reply, &[], r#"-NAK {"delay":null}"#).await;
        let again = client.ask(next, &[], with_nulls(&json!({}), PULL).to_string()).await;
        assert_eq!(&*again.payload, b"one");
        let asks = format!("+NXT {}", with_nulls(&json!({ "batch": 1 }), PULL));
        let after = client.ask(&again.reply.unwrap(), &[], asks).await;
        assert_eq!((&*after.payload, status(&after)), (&b"two"[..], ""));
    }
}
