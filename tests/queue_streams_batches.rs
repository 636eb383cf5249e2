//! Batches of clients, and schedules.

#[macro_use]
mod support;

use neurite::queue::{Headers, StreamConfig};
use serde_json::json;
use support::queue::{SECOND, World, header, stream};

fn batch(id: &str, place: u64) -> Headers {
    header("Nats-Batch-Id", id).with("Nats-Batch-Sequence", place.to_string())
}

fn commit(id: &str, place: u64, commit: &str) -> Headers {
    batch(id, place).with("Nats-Batch-Commit", commit)
}

tests! {
    async fn an_atomic_batch_is_stored_together_or_not_at_all() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_atomic: true, max_msgs_per_subject: 1, ..stream("s") }).await;
        world.publish("s.a", "before").await;
        let (heard, _subscription) = world.listen("inbox.>");
        let send = |headers: &Headers, subject: &str| world.send("S", subject, "inbox.x", headers, "x");
        send(&batch("b", 1), "s.a");
        send(&batch("b", 2).with("Nats-Expected-Last-Subject-Sequence", "0"), "s.b");
        world.until(|| heard.count() == 2).await;
        assert!(heard.take().iter().all(|answer| answer.payload.is_empty()));
        assert_eq!(world.sequences("S").await, [1]);
        send(&commit("b", 3, "1"), "s.c");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json(), [json!({ "stream": "S", "seq": 4, "batch": "b", "count": 3 })]);
        assert_eq!(world.sequences("S").await, [2, 3, 4]);
        // One that can't be stored takes all with it.
        send(&batch("c", 1), "s.a");
        send(&commit("c", 2, "1").with("Nats-Expected-Last-Subject-Sequence", "9"), "s.b");
        world.until(|| heard.count() == 2).await;
        assert_eq!(heard.json()[1]["error"]["err_code"], 10071);
        assert_eq!(world.sequences("S").await, [2, 3, 4]);
        // The end that is no message.
        send(&batch("d", 1), "s.d");
        send(&commit("d", 2, "eob"), "s.ignored");
        world.until(|| heard.count() == 2).await;
        assert_eq!(heard.json()[1], json!({ "stream": "S", "seq": 5, "batch": "d", "count": 1 }));
        let world = world.killed().await;
        let last = world.queue.message("S", 5).await.unwrap();
        assert_eq!(last.headers.get("Nats-Batch-Commit"), Some("1"));
    }

    async fn atomic_batches_that_are_wrong_are_refused() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_atomic: true, ..stream("s") }).await;
        world.stream(stream("t")).await;
        let (heard, _subscription) = world.listen("inbox.>");
        let (advisories, _advised) = world.listen("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.>");
        let refused = async |stream: &str, headers: Headers| {
            world.send(stream, &format!("{}.a", stream.to_lowercase()), "inbox.x", &headers, "");
            world.until(|| heard.count() == 1).await;
            heard.json()[0]["error"]["err_code"].as_u64()
        };
        assert_eq!(refused("T", batch("b", 1)).await, Some(10174));
        assert_eq!(refused("S", header("Nats-Batch-Id", "b")).await, Some(10175));
        assert_eq!(refused("S", batch(&"b".repeat(65), 1)).await, Some(10179));
        assert_eq!(refused("S", batch("b", 2)).await, Some(10176));
        assert_eq!(refused("S", batch("b", 1002)).await, Some(10199));
        assert_eq!(refused("S", commit("b", 1, "yes")).await, Some(10200));
        assert_eq!(refused("S", batch("b", 1)).await, None);
        assert_eq!(refused("S", batch("b", 3)).await, Some(10176));
        assert_eq!(advisories.json()[0]["reason"], "incomplete");
        assert_eq!(refused("S", commit("b", 1, "1").with("Nats-Expected-Last-Msg-Id", "x")).await, Some(10177));
        // Only the first may expect something of the stream's last.
        let expecting = |headers: Headers, last: u64| headers.with("Nats-Expected-Last-Sequence", last.to_string());
        assert_eq!(refused("S", expecting(batch("b", 1), 0)).await, None);
        assert_eq!(refused("S", expecting(commit("b", 2, "1"), 1)).await, Some(10164));
        assert_eq!(refused("S", batch("b", 1)).await, None);
        assert_eq!(refused("S", expecting(commit("b", 2, "1"), 7)).await, Some(10071));
        world.publish_with("s.a", header("Nats-Msg-Id", "x"), "").await.unwrap();
        assert_eq!(refused("S", commit("b", 1, "1").with("Nats-Msg-Id", "x")).await, Some(10201));
        assert_eq!(refused("S", batch("late", 1)).await, None);
        world.clock.advance(10 * SECOND);
        world.until(|| advisories.count() == 1).await;
        assert_eq!(advisories.json()[0]["reason"], "timeout");
        assert_eq!(refused("S", commit("late", 2, "1")).await, Some(10176));
        assert_eq!(world.info("S").await.state.messages, 1);
    }

    async fn a_batch_expects_something_of_what_was_there_before_it() {
        let world = World::new().await;
        let config = StreamConfig { allow_atomic: true, allow_rollup_hdrs: true, ..stream("s") };
        world.stream(config).await;
        world.publish("s.1.a", "1").await;
        let (heard, _subscription) = world.listen("inbox");
        let send = |id: &str, parts: &[(&str, u64, &str)]| {
            for (place, (subject, expected, of)) in parts.iter().enumerate() {
                let mut headers = batch(id, place as u64 + 1)
                    .with("Nats-Expected-Last-Subject-Sequence", expected.to_string())
                    .with("Nats-Expected-Last-Subject-Sequence-Subject", *of);
                if place + 1 == parts.len() {
                    headers = headers.with("Nats-Batch-Commit", "1");
                }
                if id == "rollup" {
                    headers = headers.with("Nats-Rollup", "sub");
                }
                world.send("S", subject, "inbox", &headers, "");
            }
        };
        // Many patterns, of which none is forgotten over the others.
        let many: Vec<_> = (2..90).map(|n| (format!("s.{n}.a"), format!("s.{n}.*"))).collect();
        let many: Vec<_> = many.iter().map(|(to, of)| (&**to, 0, &**of)).collect();
        send("many", &many);
        world.until(|| heard.count() == 88).await;
        assert_eq!(heard.json()[87]["count"], 88);
        // What the batch itself stores, or lets go of, does not count.
        for id in ["plain", "rollup"] {
            let last = world.info("S").await.state.last_seq;
            send(id, &[("s.1.b", last, "s.>"), ("s.1.c", last, "s.>")]);
            world.until(|| heard.count() == 2).await;
            assert_eq!(heard.json()[1]["count"], 2);
        }
    }

    async fn a_fast_batch_is_acknowledged_to_what_ends_it() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_batched: true, ..stream("s") }).await;
        let (heard, _subscription) = world.listen("inbox.>");
        for (n, last) in ["2.3", "2.2"].into_iter().enumerate() {
            let reply = |place: &str| format!("inbox.{n}.4.fail.{place}.$FI");
            for place in ["1.0", last] {
                world.send("S", "s.a", &reply(place), &Headers::new(), "x");
            }
            world.until(|| heard.count() == 2).await;
            let ack = heard.take().pop().unwrap();
            assert_eq!(*ack.subject, reply(last));
            let ack: serde_json::Value = serde_json::from_slice(&ack.payload).unwrap();
            assert_eq!(ack["count"], n + 1);
        }
    }

    async fn a_fast_batch_is_acknowledged_at_its_pace() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_batched: true, ..stream("s") }).await;
        let (heard, _subscription) = world.listen("inbox.>");
        let send = |place: u64, operation: u8, gap: &str| {
            world.send("S", "s.a", &format!("inbox.id.4.{gap}.{place}.{operation}.$FI"), &Headers::new(), "x");
        };
        send(1, 0, "fail");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json(), [json!({ "type": "ack", "seq": 0, "msgs": 4 })]);
        for place in 2..=9 {
            send(place, 1, "fail");
        }
        world.until(|| heard.count() == 2).await;
        assert_eq!(heard.json(), [json!({ "type": "ack", "seq": 4, "msgs": 4 }), json!({ "type": "ack", "seq": 8, "msgs": 4 })]);
        send(9, 4, "fail");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json(), [json!({ "type": "ack", "seq": 8, "msgs": 4 })]);
        send(10, 2, "fail");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json(), [json!({ "stream": "S", "seq": 10, "batch": "id", "count": 10 })]);
        // A gap ends the next one, and what was there before is acknowledged.
        send(1, 0, "fail");
        send(3, 1, "fail");
        world.until(|| heard.count() == 3).await;
        let answers = heard.json();
        assert!(answers.contains(&json!({ "type": "gap", "last_seq": 2, "seq": 3 })));
        assert!(answers.contains(&json!({ "stream": "S", "seq": 11, "batch": "id", "count": 1 })));
        send(7, 1, "fail");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json()[0]["error"]["err_code"], 10208);
        // One that allows gaps goes on.
        send(1, 0, "ok");
        send(3, 1, "ok");
        send(4, 3, "ok");
        world.until(|| heard.count() == 3).await;
        assert_eq!(heard.json()[2], json!({ "stream": "S", "seq": 13, "batch": "id", "count": 3 }));
        send(1, 9, "ok");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json()[0]["error"]["err_code"], 10206);
    }

    async fn a_message_is_published_when_its_schedule_says() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_msg_schedules: true, allow_msg_ttl: true, ..stream("s") }).await;
        let schedule = |when: &str| header("Nats-Schedule", when).with("Nats-Schedule-Target", "s.target");
        let at = neurite::queue::time::Timestamp::from_millis(1_000_000_010_000);
        let once = schedule(&format!("@at {at}")).with("mine", "yes").with("Nats-Schedule-TTL", "5m");
        world.publish_with("s.once", once, "hello").await.unwrap();
        world.clock.advance(9 * SECOND);
        assert_eq!(world.sequences("S").await, [1]);
        world.clock.advance(SECOND);
        let world = world.killed().await;
        let messages = world.messages("S").await;
        assert_eq!((messages.len(), messages[0].subject.as_str(), &*messages[0].payload), (1, "s.target", &b"hello"[..]));
        let headers: Vec<_> = messages[0].headers.iter().collect();
        assert_eq!(headers, [("mine", "yes"), ("Nats-Scheduler", "s.once"), ("Nats-Schedule-Next", "purge"), ("Nats-TTL", "5m")]);

        let every = schedule("@every 10s").with("Nats-Schedule-Source", "s.source").with("Nats-Schedule-Rollup", "sub");
        world.publish_with("s.often", every, "none yet").await.unwrap();
        world.clock.advance(10 * SECOND);
        assert_eq!(&*world.messages("S").await.pop().unwrap().payload, b"none yet");
        world.publish("s.source", "sample").await;
        world.clock.advance(10 * SECOND);
        let messages = world.messages("S").await;
        let told: Vec<_> = messages.iter().map(|m| (m.subject.as_str(), &*m.payload)).collect();
        assert_eq!(told, [("s.often", &b"none yet"[..]), ("s.source", b"sample"), ("s.target", b"sample")]);
        // What was missed comes once.
        world.clock.advance(65 * SECOND);
        assert_eq!(world.messages("S").await.last().unwrap().sequence, messages[2].sequence + 1);
        // It ends with a message that says so.
        let end = header("Nats-Schedule-Next", "purge").with("Nats-Scheduler", "s.often");
        assert_eq!(world.refused("s.often", end.clone()).await, 10212);
        let not = header("Nats-Schedule-Next", "purge").with("Nats-Scheduler", "s.source");
        assert_eq!(world.refused("s.cancelled", not).await, 10212);
        world.publish_with("s.cancelled", end, "").await.unwrap();
        let before = world.info("S").await.state.last_seq;
        world.clock.advance(60 * SECOND);
        assert_eq!(world.info("S").await.state.last_seq, before);
        assert!(world.messages("S").await.iter().all(|m| m.subject != "s.often"));
    }

    async fn schedules_that_are_wrong_are_refused() {
        let world = World::new().await;
        world.stream(StreamConfig { allow_msg_schedules: true, ..stream("s") }).await;
        world.stream(stream("t")).await;
        let schedule = |when: &str, target: &str| header("Nats-Schedule", when).with("Nats-Schedule-Target", target);
        assert_eq!(world.refused("t.a", schedule("@hourly", "t.b")).await, 10188);
        for (headers, code) in [
            (schedule("@often", "s.b"), 10189),
            (schedule("@hourly", "s.a"), 10190),
            (schedule("@hourly", "elsewhere"), 10190),
            (schedule("@hourly", "s.b").with("Nats-Schedule-TTL", "x"), 10191),
            (schedule("@hourly", "s.b").with("Nats-Schedule-TTL", "1m"), 10166),
            (schedule("@hourly", "s.b").with("Nats-Rollup", "all"), 10192),
            (schedule("@hourly", "s.b").with("Nats-Schedule-Source", "s.b"), 10203),
            (schedule("@hourly", "s.b").with("Nats-Schedule-Time-Zone", "Mars/North"), 10223),
            (header("Nats-Scheduler", "s.b"), 10212),
        ] {
            assert_eq!(world.refused("s.a", headers).await, code);
        }
        world.publish_with("s.a", schedule("0 0 5 * * *", "s.b").with("Nats-Schedule-Time-Zone", "Europe/Berlin"), "").await.unwrap();
        world.publish_with("s.a", schedule("@daily", "s.b"), "").await.unwrap();
        assert_eq!(world.sequences("S").await, [2]);
    }
}
