//! `$JS.API.STREAM.SNAPSHOT` and `RESTORE`: a stream as bytes, and back.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{ManualClock, Queue};
use serde_json::{Value, json};
use support::nats::{Client, status};

/// The pieces of a snapshot of S, each acknowledged as it comes.
async fn snapshot(client: &Client, request: Value) -> (Value, Vec<Vec<u8>>) {
    let pieces = client.inbox();
    let mut request = request;
    request["deliver_subject"] = json!(pieces.subject);
    let told = client.request("STREAM.SNAPSHOT.S", request).await;
    assert!(told["error"].is_null(), "{told}");
    let mut all = Vec::new();
    loop {
        let piece = pieces.next().await;
        if piece.payload.is_empty() {
            assert_eq!(status(&piece), "204");
            return (told, all);
        }
        all.push(piece.payload.to_vec());
        if let Some(reply) = piece.reply {
            client.publish(&reply, None, &[], "");
        }
    }
}

/// What becomes of the pieces; the last answer.
async fn restore(client: &Client, config: Value, pieces: &[Vec<u8>]) -> Value {
    let name = config["name"].as_str().unwrap().to_owned();
    let request = json!({ "config": config, "state": {} });
    let begun = client.request(&format!("STREAM.RESTORE.{name}"), request).await;
    let to = begun["deliver_subject"].as_str().unwrap();
    for piece in pieces {
        let answer = client.ask(to, &[], piece.clone()).await;
        if !answer.payload.is_empty() {
            return serde_json::from_slice(&answer.payload).unwrap();
        }
    }
    serde_json::from_slice(&client.ask(to, &[], "").await.payload).unwrap()
}

/// A stream with some of everything.
async fn filled() -> Client {
    fill(Client::open().await).await
}

async fn fill(client: Client) -> Client {
    client.request("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..300 {
        let id = [("Nats-Msg-Id", &*format!("id {n}"))];
        client.store(&format!("s.{}", n % 7), &id, &"x".repeat(n)).await;
    }
    client.request("STREAM.PURGE.S", json!({ "seq": 20 })).await;
    client.request("STREAM.MSG.DELETE.S", json!({ "seq": 50 })).await;
    let config = json!({ "durable_name": "C", "ack_policy": "explicit", "filter_subject": "s.1" });
    let request = json!({ "stream_name": "S", "config": config });
    client.request("CONSUMER.DURABLE.CREATE.S.C", request).await;
    let consumer = client.queue.consumer("S", "C").unwrap();
    let messages = consumer.fetch(3, Duration::ZERO).await.unwrap();
    messages[0].ack_now().await.unwrap();
    client
}

tests! {
    async fn a_snapshot_becomes_the_same_stream() {
        let client = filled().await;
        let before = client.request("STREAM.INFO.S", json!({ "subjects_filter": ">" })).await;
        let consumer = client.request("CONSUMER.INFO.S.C", Value::Null).await;
        let (told, pieces) =
            snapshot(&client, json!({ "chunk_size": 4096, "window_size": 8192 })).await;
        assert_eq!(told["type"], "io.nats.jetstream.api.v1.stream_snapshot_response");
        assert_eq!(told["state"]["messages"], before["state"]["messages"]);
        assert!(pieces.len() > 5);
        client.request("STREAM.DELETE.S", Value::Null).await;
        let restored = restore(&client, told["config"].clone(), &pieces).await;
        assert_eq!(restored["type"], "io.nats.jetstream.api.v1.stream_create_response");
        assert_eq!(restored["created"], before["created"]);
        let after = client.request("STREAM.INFO.S", json!({ "subjects_filter": ">" })).await;
        assert_eq!(after["state"], before["state"]);
        assert_eq!(after["config"], before["config"]);
        let again = client.request("CONSUMER.INFO.S.C", Value::Null).await;
        for field in ["delivered", "ack_floor", "num_pending", "num_ack_pending"] {
            assert_eq!(
                again[field]["stream_seq"], consumer[field]["stream_seq"],
                "{field}: {again} | {consumer}"
            );
        }
        assert_eq!(again["num_pending"], consumer["num_pending"]);
        assert_eq!(again["num_ack_pending"], consumer["num_ack_pending"]);
        // It goes on where it was: numbers, ids, subjects.
        assert_eq!(client.store("s.1", &[], "").await["seq"], 301);
        let duplicate = client.store("s.1", &[("Nats-Msg-Id", "id 299")], "").await;
        assert_eq!(duplicate["duplicate"], true);
        let last = client.request("STREAM.MSG.GET.S", json!({ "last_by_subj": "s.2" })).await;
        assert_eq!(last["message"]["seq"], 297);
    }

    async fn consumers_can_be_left_out() {
        let client = filled().await;
        let (told, pieces) = snapshot(&client, json!({ "no_consumers": true })).await;
        let mut config = told["config"].clone();
        config["name"] = json!("T");
        config["subjects"] = json!(["t"]);
        let restored = restore(&client, config, &pieces).await;
        assert_eq!(restored["state"]["consumer_count"], 0);
        assert_eq!(restored["state"]["messages"], told["state"]["messages"]);
    }

    async fn what_is_no_snapshot_becomes_nothing() {
        let client = filled().await;
        assert_eq!(client.refusal("STREAM.SNAPSHOT.S", Value::Null).await, 10003);
        let request = json!({ "deliver_subject": "a.*" });
        assert_eq!(client.refusal("STREAM.SNAPSHOT.S", request.clone()).await, 10015);
        assert_eq!(client.refusal("STREAM.SNAPSHOT.N", request).await, 10059);
        let request = json!({ "config": { "name": "S" } });
        assert_eq!(client.refusal("STREAM.RESTORE.S", request.clone()).await, 10130);
        assert_eq!(client.refusal("STREAM.RESTORE.T", request).await, 10056);
        let (_, pieces) = snapshot(&client, json!({ "chunk_size": 4096 })).await;
        let config = json!({ "name": "T", "subjects": ["t"] });
        let mut broken = pieces.clone();
        broken[3][100] ^= 1;
        for (pieces, cause) in [
            (vec![b"something else".to_vec()], "restore failed: not a snapshot of this server"),
            (pieces[..4].to_vec(), "restore failed: incomplete snapshot"),
            // Either a row is not as it was, or its length is not.
            (broken, "restore failed: "),
        ] {
            let refusal = restore(&client, config.clone(), &pieces).await;
            assert_eq!(refusal["error"]["err_code"], 10062);
            let description = refusal["error"]["description"].as_str().unwrap();
            assert!(description.starts_with(cause), "{description}");
            assert_eq!(client.refusal("STREAM.INFO.T", Value::Null).await, 10059);
        }
    }

    async fn who_does_not_take_the_pieces_gets_no_more() {
        let clock = ManualClock::new(1_000_000);
        let store = support::store().await;
        let queue = Queue::open_with(store, Rc::new(clock.clone())).await.unwrap();
        let client = fill(Client::new(queue)).await;
        let pieces = client.inbox();
        let request = json!({
            "deliver_subject": pieces.subject, "chunk_size": 1024, "window_size": 2048,
        });
        client.request("STREAM.SNAPSHOT.S", request).await;
        pieces.next().await;
        pieces.next().await;
        clock.advance(Duration::from_secs(5));
        assert_eq!(status(&pieces.next().await), "408 No Flow Response");
    }
}
