//! What publishes ask of streams, and what streams do with them.

#[macro_use]
mod support;

use std::time::Duration;

use neurite::{
    queue::{Discard, Headers, PersistMode, Republish, Retention, StreamConfig, SubjectTransform},
    store::{Batch, Submission},
};
use support::queue::{SECOND, World, header, stream};

tests! {
    async fn expectations_are_checked_against_what_was_published_before() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        let of_subject = |seq: u64| header("Nats-Expected-Last-Subject-Sequence", seq);
        world.publish_with("s.a", of_subject(0), "1").await.unwrap();
        assert_eq!(world.refused("s.a", of_subject(0)).await, 10071);
        world.publish_with("s.a", of_subject(1), "2").await.unwrap();
        world.publish("s.b", "3").await;
        let other = |seq: u64, of: &str| of_subject(seq).with("Nats-Expected-Last-Subject-Sequence-Subject", of);
        world.publish_with("s.c", other(3, "s.b"), "4").await.unwrap();
        assert_eq!(world.refused("s.c", other(3, "s.>")).await, 10071);
        world.publish_with("s.c", other(4, "s.>"), "5").await.unwrap();
        let alone = header("Nats-Expected-Last-Subject-Sequence-Subject", "s.a");
        assert_eq!(world.refused("s.a", alone).await, 10193);
        assert_eq!(world.refused("s.a", header("Nats-Expected-Last-Sequence", 3)).await, 10071);
        assert_eq!(world.refused("s.a", header("Nats-Expected-Stream", "T")).await, 10060);
        let id = |id: &str| header("Nats-Msg-Id", id);
        world.publish_with("s.a", id("one"), "6").await.unwrap();
        assert!(world.publish_with("s.a", id("one"), "6").await.unwrap().duplicate);
        assert_eq!(world.refused("s.a", header("Nats-Expected-Last-Msg-Id", "two")).await, 10070);
        world.publish_with("s.a", header("Nats-Expected-Last-Msg-Id", "one"), "7").await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.refused("s.a", of_subject(6)).await, 10071);
        world.publish_with("s.a", of_subject(7), "8").await.unwrap();
        world.queue.delete_message("S", 8).await.unwrap();
        world.publish_with("s.a", of_subject(7), "9").await.unwrap();
    }

    async fn something_is_expected_of_a_pattern_beside_a_new_subject() {
        let world = World::new().await;
        world.stream(StreamConfig { max_msgs_per_subject: 1, ..stream("s") }).await;
        let of = |seq: u64, of: &str| {
            header("Nats-Expected-Last-Subject-Sequence", seq)
                .with("Nats-Expected-Last-Subject-Sequence-Subject", of)
        };
        world.publish("s.1.foo", "1").await;
        assert_eq!(world.refused("s.1.foo", of(0, "s.1.*")).await, 10071);
        world.publish_with("s.1.xxx", of(1, "s.1.*"), "2").await.unwrap();
        // However many patterns and subjects are asked about.
        for n in 3..60 {
            world.publish_with(&format!("s.{n}.a"), of(0, &format!("s.{n}.*")), "").await.unwrap();
            assert_eq!(world.refused(&format!("s.{n}.b"), of(0, &format!("s.{n}.>"))).await, 10071);
        }
        world.publish_with("s.1.yyy", of(2, "s.1.*"), "").await.unwrap();
        // What can be no subject has no messages.
        assert_eq!(world.refused("s.a", of(1, "s..*")).await, 10071);
        world.publish_with("s.a", of(0, "s..*"), "").await.unwrap();
    }

    async fn a_stream_that_refuses_new_messages_keeps_what_it_has() {
        let world = World::new().await;
        for (discard, left) in [(Discard::New, 5), (Discard::Old, 2)] {
            for (limit, lowered) in [
                (StreamConfig { max_msgs: 9, ..stream("s") }, StreamConfig { max_msgs: 2, ..stream("s") }),
                (stream("s"), StreamConfig { max_msgs: 2, ..stream("s") }),
                (stream("s"), StreamConfig { max_bytes: 80, ..stream("s") }),
            ] {
                world.stream(StreamConfig { discard, ..limit }).await;
                for n in 0..5 {
                    world.publish(&format!("s.{n}"), "x").await;
                }
                let changed = world.queue.update_stream(StreamConfig { discard, ..lowered }).await;
                assert_eq!(changed.unwrap().state.messages, left);
                let refused = world.publish_with("s.new", Headers::new(), "").await.err();
                assert_eq!(refused.map(|cause| cause.err_code), (left == 5).then_some(10077));
                assert_eq!(world.info("S").await.state.messages, left);
                world.queue.delete_stream("S").await.unwrap();
            }
        }
    }

    async fn a_subject_without_limit_before_keeps_what_it_has_until_its_next_message() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for n in 0..9 {
            world.publish(["s.a", "s.b"][n % 2], "x").await;
        }
        let limited = |most| StreamConfig { max_msgs_per_subject: most, ..stream("s") };
        world.queue.update_stream(limited(2)).await.unwrap();
        assert_eq!(world.info("S").await.state.messages, 9);
        world.publish("s.a", "x").await;
        assert_eq!(world.sequences("S").await, [2, 4, 6, 8, 9, 10]);
        // One that had a limit has the lower one at once.
        world.queue.update_stream(limited(1)).await.unwrap();
        assert_eq!(world.sequences("S").await, [8, 10]);
    }

    async fn a_dropped_batch_leaves_expectations_as_they_were() {
        let world = World::new().await;
        world.stream(StreamConfig { max_msgs_per_subject: 1, ..stream("s") }).await;
        world.publish("s.a", "1").await;
        let expected = header("Nats-Expected-Last-Subject-Sequence", 1);
        world.queue.prepare("s.a", &expected).await.unwrap();
        world.drop_batch(|batch| {
            assert_eq!(world.queue.publish(batch, "s.a", &expected, "2").unwrap().sequence, 2);
            assert_eq!(world.queue.publish(batch, "s.a", &expected, "2").unwrap_err().err_code, 10071);
        });
        assert_eq!(world.publish_with("s.a", expected, "2").await.unwrap().sequence, 2);
        assert_eq!(world.sequences("S").await, [2]);
    }

    async fn a_subject_holds_as_many_messages_as_it_may() {
        let world = World::new().await;
        world.stream(StreamConfig { max_msgs_per_subject: 2, ..stream("s") }).await;
        for n in 0..9 {
            world.publish(["s.a", "s.b", "s.c"][n % 3], "x").await;
        }
        assert_eq!(world.sequences("S").await, [4, 5, 6, 7, 8, 9]);
        // What was not looked up goes a little later.
        let world = world.killed().await;
        let publish = |batch: &mut Submission| world.queue.publish(batch, "s.a", &Headers::new(), "x");
        world.store.commit_with(Batch::new(), publish).await.unwrap();
        assert_eq!(world.sequences("S").await, [5, 6, 7, 8, 9, 10]);
        let fewer = StreamConfig { max_msgs_per_subject: 1, ..stream("s") };
        world.queue.update_stream(fewer).await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.sequences("S").await, [8, 9, 10]);
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq), (3, 8));
    }

    async fn a_stream_that_discards_new_messages_can_do_so_by_subject() {
        let world = World::new().await;
        let config = StreamConfig {
            discard: Discard::New, discard_new_per_subject: true, max_msgs_per_subject: 1, max_msgs: 2, ..stream("s")
        };
        let alone = StreamConfig { max_msgs_per_subject: -1, ..config.clone() };
        assert_eq!(world.queue.create_stream(alone).await.unwrap_err().err_code, 10052);
        world.stream(config).await;
        world.publish("s.a", "x").await;
        let full = world.publish_with("s.a", Headers::new(), "x").await.unwrap_err();
        assert_eq!((full.err_code, &*full.description), (10077, "maximum messages per subject exceeded"));
        world.publish("s.b", "x").await;
        let full = world.publish_with("s.c", Headers::new(), "x").await.unwrap_err();
        assert_eq!((full.err_code, &*full.description), (10077, "maximum messages exceeded"));
        world.queue.delete_message("S", 1).await.unwrap();
        world.publish("s.a", "x").await;
    }

    async fn a_rollup_takes_the_place_of_what_was_before() {
        let world = World::new().await;
        world.stream(stream("t")).await;
        assert_eq!(world.refused("t.a", header("Nats-Rollup", "sub")).await, 10111);
        world.stream(StreamConfig { allow_rollup_hdrs: true, ..stream("s") }).await;
        for n in 0..10 {
            world.publish(["s.a", "s.b"][n % 2], "x").await;
        }
        assert_eq!(world.refused("s.a", header("Nats-Rollup", "none")).await, 10111);
        world.publish_with("s.a", header("Nats-Rollup", "sub"), "").await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.sequences("S").await, [2, 4, 6, 8, 10, 11]);
        world.publish_with("s.b", header("Nats-Rollup", "all"), "").await.unwrap();
        assert_eq!(world.sequences("S").await, [12]);
        assert_eq!(world.info("S").await.state.messages, 1);
    }

    async fn messages_live_as_long_as_they_say() {
        let world = World::new().await;
        world.stream(stream("t")).await;
        assert_eq!(world.refused("t.a", header("Nats-TTL", "1s")).await, 10166);
        let config = StreamConfig {
            allow_msg_ttl: true, max_age: 10 * SECOND, subject_delete_marker_ttl: 5 * SECOND, ..stream("s")
        };
        world.stream(config).await;
        assert_eq!(world.refused("s.a", header("Nats-TTL", "100ms")).await, 10165);
        world.publish_with("s.a", header("Nats-TTL", "6"), "").await.unwrap();
        world.publish_with("s.b", header("Nats-TTL", "never"), "").await.unwrap();
        world.publish_with("s.c", header("Nats-TTL", "1s"), "").await.unwrap();
        world.publish("s.d", "").await;
        let short = world.queue.message("S", 3).await.unwrap();
        assert_eq!(short.headers.get("Nats-TTL"), Some("5"));
        world.clock.advance(7 * SECOND);
        let world = world.killed().await;
        let messages = world.messages("S").await;
        let subjects: Vec<_> = messages.iter().map(|m| (m.subject.as_str(), m.headers.get("Nats-Marker-Reason"))).collect();
        assert_eq!(subjects, [("s.b", None), ("s.d", None), ("s.a", Some("MaxAge")), ("s.c", Some("MaxAge"))]);
        assert_eq!(messages[2].headers.get("Nats-TTL"), Some("5s"));
        world.clock.advance(5 * SECOND);
        let subjects: Vec<_> = world.messages("S").await.into_iter().map(|m| m.subject).collect();
        assert_eq!(subjects, ["s.b", "s.d"]);
        world.clock.advance(60 * SECOND);
        assert_eq!(world.sequences("S").await, [2]);
    }

    async fn counters_count() {
        let world = World::new().await;
        world.stream(stream("t")).await;
        assert_eq!(world.refused("t.a", header("Nats-Incr", "1")).await, 10168);
        world.stream(StreamConfig { allow_msg_counter: true, ..stream("s") }).await;
        let add = async |world: &World, by: &str| {
            world.publish_with("s.hits", header("Nats-Incr", by), "").await.unwrap().value.unwrap()
        };
        assert_eq!((add(&world, "+1").await, add(&world, "41").await), ("1".into(), "42".into()));
        let world = world.killed().await;
        assert_eq!(add(&world, "-50").await, "-8");
        assert_eq!(add(&world, "100000000000000000000000000").await, "99999999999999999999999992");
        assert_eq!(&*world.queue.message("S", 3).await.unwrap().payload, b"{\"val\":\"-8\"}");
        assert_eq!(world.refused("s.hits", Headers::new()).await, 10169);
        assert_eq!(world.refused("s.hits", header("Nats-Incr", "1.5")).await, 10171);
        assert_eq!(world.refused("s.hits", header("Nats-Incr", "1").with("Nats-Rollup", "sub")).await, 10171);
        let full = world.publish_with("s.hits", header("Nats-Incr", "1"), "x").await.unwrap_err();
        assert_eq!(full.err_code, 10170);
        // Several in one batch count on.
        let one = header("Nats-Incr", "1");
        world.drop_batch(|batch| {
            let values = [0; 2].map(|_| world.queue.publish(batch, "s.hits", &one, "").unwrap().value.unwrap());
            assert_eq!(values, ["99999999999999999999999993", "99999999999999999999999994"]);
        });
        assert_eq!(add(&world, "1").await, "99999999999999999999999993");
    }

    async fn subjects_are_transformed_and_messages_published_again() {
        let world = World::new().await;
        let config = StreamConfig {
            subject_transform: Some(SubjectTransform { src: "s.in.*".into(), dest: "s.out.{{wildcard(1)}}".into() }),
            republish: Some(Republish { src: "s.out.>".into(), dest: "again.>".into(), headers_only: true }),
            ..stream("s")
        };
        let cycle = Republish { src: String::new(), dest: "s.again.>".into(), headers_only: false };
        let cycle = StreamConfig { republish: Some(cycle), ..config.clone() };
        assert_eq!(world.queue.create_stream(cycle).await.unwrap_err().err_code, 10052);
        world.stream(config).await;
        let (heard, _subscription) = world.listen("again.>");
        world.publish("s.in.x", "one").await;
        world.publish("s.other", "two").await;
        world.publish_with("s.in.x", header("mine", "yes"), "three").await.unwrap();
        let subjects: Vec<_> = world.messages("S").await.into_iter().map(|m| m.subject).collect();
        assert_eq!(subjects, ["s.out.x", "s.other", "s.out.x"]);
        let again = heard.take();
        let headers: Vec<_> = again.iter().map(|m| String::from_utf8(m.headers.to_vec()).unwrap()).collect();
        assert_eq!((again.len(), &*again[1].subject, again[1].payload.len()), (2, "again.x", 0));
        assert!(headers[0].contains("Nats-Last-Sequence: 0\r\n") && headers[0].contains("Nats-Msg-Size: 3\r\n"));
        assert!(headers[1].starts_with("NATS/1.0\r\nmine: yes\r\nNats-Stream: S\r\nNats-Subject: s.out.x\r\nNats-Sequence: 3\r\n"));
        assert!(headers[1].contains("Nats-Last-Sequence: 1\r\n"));
    }

    async fn clients_are_answered_when_it_is_durable() {
        let world = World::on_disk().await;
        world.stream(StreamConfig { max_msg_size: 60, ..stream("s") }).await;
        let (heard, _subscription) = world.listen("inbox.>");
        for n in 0..3 {
            world.send("S", "s.a", &format!("inbox.{n}"), &header("Nats-Msg-Id", n), "");
        }
        world.send("S", "s.a", "inbox.large", &Headers::new(), &"x".repeat(61));
        world.send("S", "s.a", "inbox.wrong", &header("Nats-Expected-Last-Subject-Sequence", 9), "");
        assert_eq!(heard.count(), 0);
        world.until(|| heard.count() == 5).await;
        let mut answers = heard.json();
        answers.sort_by_key(|answer| answer["error"]["err_code"].as_u64());
        assert_eq!(answers[0], serde_json::json!({ "stream": "S", "seq": 1 }));
        assert_eq!(answers[2]["seq"], 3);
        assert_eq!((&answers[3]["error"]["err_code"], &answers[4]["error"]["err_code"]), (&10054.into(), &10071.into()));
        let full = neurite::store::memory::Fault::Fail(neurite::store::Error::QuotaExceeded);
        world.disk().fault_after(0, full);
        world.send("S", "s.a", "inbox.full", &Headers::new(), "");
        world.until(|| heard.count() == 1).await;
        assert_eq!(heard.json()[0]["error"]["err_code"], 10047);
        assert_eq!(world.info("S").await.state.messages, 3);
    }

    async fn a_stream_takes_in_no_more_than_it_can_hold() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        let (heard, _subscription) = world.listen("inbox");
        let large = "x".repeat(1 << 20);
        for _ in 0..140 {
            world.send("S", "s.a", "inbox", &Headers::new(), &large);
        }
        let refused = heard.json();
        assert!((10..=13).contains(&refused.len()), "{}", refused.len());
        assert!(refused.iter().all(|answer| answer["error"]["err_code"] == 10167));
        world.until(|| heard.count() + refused.len() == 140).await;
        world.send("S", "s.a", "inbox", &Headers::new(), "x");
        world.until(|| heard.count() + refused.len() == 141).await;
        assert!(heard.json().iter().all(|answer| answer["error"].is_null()));
    }

    async fn answers_may_come_before_or_never() {
        let world = World::on_disk().await;
        world.stream(StreamConfig { persist_mode: PersistMode::Async, ..stream("s") }).await;
        world.stream(StreamConfig { no_ack: true, ..stream("t") }).await;
        let (heard, _subscription) = world.listen("inbox");
        world.send("T", "t.a", "inbox", &Headers::new(), "");
        world.send("S", "s.a", "inbox", &Headers::new(), "");
        let operations = world.disk().operations();
        while heard.count() == 0 {
            neurite::platform::sleep(Duration::ZERO).await;
        }
        // It did not wait for the store.
        assert!(world.disk().operations() <= operations + 1);
        assert_eq!(heard.json(), [serde_json::json!({ "stream": "S", "seq": 1 })]);
        while world.info("S").await.state.messages == 0 {
            world.settle().await;
        }
        assert_eq!((world.info("T").await.state.messages, heard.count()), (1, 0));
        let atomic = StreamConfig { persist_mode: PersistMode::Async, allow_atomic: true, ..stream("u") };
        assert_eq!(world.queue.create_stream(atomic).await.unwrap_err().err_code, 10052);
    }

    async fn interest_keeps_nothing_without_consumers_but_numbers_go_on() {
        let world = World::new().await;
        world.stream(StreamConfig { retention: Retention::Interest, ..stream("s") }).await;
        assert_eq!((world.publish("s.a", "").await, world.publish("s.a", "").await), (1, 2));
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.last_seq), (0, 3, 2));
    }

    async fn limits_are_never_seen_exceeded() {
        let world = World::new().await;
        let limits = StreamConfig { max_msgs: 3, max_age: Duration::from_secs(60), ..stream("s") };
        world.stream(limits).await;
        for _ in 0..7 {
            world.publish("s.a", "x").await;
            assert!(world.queue.message("S", 1).await.is_err() == (world.info("S").await.state.last_seq > 3));
        }
        assert_eq!(world.sequences("S").await, [5, 6, 7]);
    }
}
