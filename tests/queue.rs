//! The queue: JetStream's behaviour, kept over restarts and failures.

#[macro_use]
mod support;

use std::time::Duration;

use neurite::{
    platform,
    queue::{
        AckPolicy, Acknowledgements, ConsumerConfig, DeliverPolicy, Discard, Error, Headers,
        Message, Publish, Purge, Retention, StreamConfig,
    },
    store::{
        Batch, Options, Submission,
        memory::{Disk, Fault},
    },
};
use support::queue::{SECOND, World};

const NOTHING: Duration = Duration::ZERO;

fn stream(retention: Retention) -> StreamConfig {
    StreamConfig { name: "S".into(), subjects: vec!["s.>".into()], retention, ..Default::default() }
}

fn durable(name: &str) -> ConsumerConfig {
    ConsumerConfig { durable_name: name.into(), ..Default::default() }
}

fn sequences(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.stream_sequence).collect()
}

tests! {
    async fn messages_are_delivered_in_order_and_acknowledged() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        let messages = consumer.fetch(2, NOTHING).await.unwrap();
        assert_eq!(sequences(&messages), [1, 2]);
        assert_eq!(&*messages[1].payload, b"b");
        assert_eq!((messages[1].num_pending, messages[1].num_delivered), (1, 1));
        messages[1].ack_now().await.unwrap();
        let info = consumer.info();
        assert_eq!((info.num_pending, info.num_ack_pending), (1, 1));
        assert_eq!((info.ack_floor.stream_seq, info.delivered.stream_seq), (0, 2));
        messages[0].ack_now().await.unwrap();
        assert_eq!(consumer.info().ack_floor.stream_seq, 2);
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.last_seq), (3, 1, 3));
    }

    async fn a_publish_joins_its_batch_and_a_dropped_batch_leaves_no_trace() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        let none = Headers::new();
        let before = world.info("S").await.state;
        let id = Headers::new().with("Nats-Msg-Id", "1");
        world.drop_batch(|batch| {
            assert_eq!(world.queue.publish(batch, "s.x", &id, "a").unwrap().sequence, 1);
            assert_eq!(world.queue.publish(batch, "s.x", &none, "b").unwrap().sequence, 2);
        });
        assert_eq!(world.info("S").await.state, before);
        let publish = |batch: &mut Submission| {
            assert_eq!(world.queue.publish(batch, "s.x", &id, "b").unwrap().sequence, 1);
            world.queue.publish(batch, "s.x", &none, "c")
        };
        let (last, commit) = world.store.submit_with(Batch::new(), publish).unwrap();
        assert_eq!(last.sequence, 2);
        assert!(consumer.fetch(9, NOTHING).await.unwrap().is_empty());
        commit.await.unwrap();
        assert_eq!(sequences(&consumer.fetch(9, NOTHING).await.unwrap()), [1, 2]);
        assert_eq!(world.info("S").await.state.messages, 2);
    }

    async fn what_a_batch_publishes_and_acknowledges_is_data_until_it_is_submitted() {
        let world = World::new().await;
        world.stream(stream(Retention::WorkQueue)).await;
        let consumer = world.consumer("S", durable("c")).await;
        world.publish("s.x", "a").await;
        let delivered = consumer.fetch(1, NOTHING).await.unwrap();
        let with = |subject: &str| {
            let mut batch = Batch::new();
            delivered[0].ack(&mut batch);
            world.queue.publish_with(&mut batch, subject.into(), Headers::new(), b"b".to_vec());
            batch
        };
        let refused = with("nobody.takes.this");
        assert!(matches!(world.store.commit(refused).await, Err(neurite::store::Error::Refused(_))));
        assert_eq!(world.sequences("S").await, [1]);
        let batch = with("s.y");
        let acknowledged = batch.operations::<Acknowledgements>().next().unwrap();
        assert_eq!((acknowledged.consumer(), acknowledged.sequences()), ("c", &[1][..]));
        let published = batch.operations::<Publish>().next().unwrap();
        assert_eq!((published.subject(), published.payload()), ("s.y", &b"b"[..]));
        // Nothing has come of it yet.
        assert_eq!(world.info("S").await.state.last_seq, 1);
        world.store.commit(batch).await.unwrap();
        assert_eq!(world.sequences("S").await, [2]);
    }

    async fn a_failed_commit_takes_back_publishes_and_acknowledgements() {
        let world = World::on_disk().await;
        world.stream(stream(Retention::WorkQueue)).await;
        let consumer = world.consumer("S", durable("c")).await;
        world.publish("s.x", "a").await;
        let delivered = consumer.fetch(1, NOTHING).await.unwrap();
        world.disk().fault_after(0, Fault::Fail(neurite::store::Error::QuotaExceeded));
        let mut batch = Batch::new();
        delivered[0].ack(&mut batch);
        let publish = |batch: &mut Submission| drop(world.queue.publish(batch, "s.x", &Headers::new(), "b").unwrap());
        world.commit(batch, publish).await.unwrap_err();
        let info = world.info("S").await;
        assert_eq!((info.state.messages, info.state.first_seq, info.state.last_seq), (1, 1, 1));
        assert_eq!(info.consumers[0].num_pending, 0);
        let again = consumer.fetch(9, NOTHING).await.unwrap();
        assert_eq!((again.len(), again[0].num_delivered), (1, 2));
        assert_eq!(world.publish("s.x", "c").await, 2);
        again[0].ack_now().await.unwrap();
        let world = world.killed().await;
        assert_eq!(sequences(&world.fetch("S", "c", 9).await), [2]);
        assert_eq!(world.info("S").await.state.messages, 1);
    }

    async fn without_room_it_starts_and_removes_and_nobody_is_busy() {
        let disk = Disk::new();
        let options = Options { reserve_bytes: 64 << 10, ..Options::default() };
        let clock = neurite::queue::ManualClock::new(1_000_000_000_000);
        let world = World::on(disk.clone(), clock.clone(), options.clone()).await;
        world.stream(stream(Retention::WorkQueue)).await;
        world.consumer("S", durable("c")).await;
        let limited = |name: &str| StreamConfig {
            name: name.into(),
            subjects: vec![format!("{name}.>")],
            ..StreamConfig::default()
        };
        for name in ["L", "D"] {
            world.stream(limited(name)).await;
            world.publish(&format!("{name}.x"), "a").await;
        }
        let none = ConsumerConfig { ack_policy: AckPolicy::None, ..durable("none") };
        world.consumer("L", none).await;
        let twice = ConsumerConfig { max_deliver: 1, ..durable("once") };
        world.consumer("L", twice).await;
        assert_eq!(world.fetch("L", "once", 9).await.len(), 1);
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        disk.fill_up();
        let world = World::on(disk.clone(), clock.clone(), options).await;
        clock.advance(60 * SECOND);
        for _ in 0..5 {
            // What is delivered without an acknowledgement, and what was delivered too often.
            world.fetch("L", "none", 9).await;
            world.fetch("L", "once", 9).await;
        }
        let before = disk.operations();
        for _ in 0..200 {
            platform::next_turn().await;
        }
        assert!(disk.operations() < before + 100);
        assert_eq!(world.refused("s.x", Headers::new()).await, 10047);
        let taken = world.fetch("S", "c", 1).await;
        assert_eq!(sequences(&taken), [1]);
        taken[0].ack_now().await.unwrap();
        world.queue.delete_message("S", 2).await.unwrap();
        assert_eq!(world.sequences("S").await, [3]);
        assert_eq!(world.queue.purge_stream("L", &Purge::default()).await.unwrap(), 1);
        world.queue.delete_consumer("L", "none").await.unwrap();
        world.queue.delete_stream("D").await.unwrap();
        assert_eq!(world.refused("s.x", Headers::new()).await, 10047);
        disk.set_quota(None);
        while world.publish_with("s.x", Headers::new(), "d").await.is_err() {
            platform::sleep(Duration::from_millis(10)).await;
        }
        let world = world.killed().await;
        assert_eq!(world.sequences("S").await, [3, 4]);
        assert_eq!(world.info("L").await.state.messages, 0);
        assert!(world.queue.stream_info("D").await.is_err());
    }

    async fn rows_hold_what_is_true_at_submission_in_whatever_order_batches_were_made() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        let messages = consumer.fetch(3, NOTHING).await.unwrap();
        let (mut first, mut second) = (Batch::new(), Batch::new());
        messages[0].ack(&mut first);
        messages[1].ack(&mut second);
        world.store.commit(second).await.unwrap();
        world.store.commit(first).await.unwrap();
        let world = world.killed().await;
        assert_eq!(sequences(&world.fetch("S", "c", 9).await), [3]);
    }

    async fn what_was_delivered_and_not_acknowledged_comes_again_after_a_restart() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        for payload in ["a", "b", "c", "d"] {
            world.publish("s.x", payload).await;
        }
        let messages = consumer.fetch(3, NOTHING).await.unwrap();
        messages[1].ack_now().await.unwrap();
        let world = world.killed().await;
        let info = world.consumer_info("S", "c");
        assert_eq!((info.num_pending, info.num_ack_pending, info.ack_floor.stream_seq), (1, 2, 0));
        let again = world.fetch("S", "c", 9).await;
        assert_eq!(sequences(&again), [1, 3, 4]);
        assert_eq!((again[0].num_delivered, again[2].num_delivered), (2, 1));
        let mut batch = Batch::new();
        Message::ack_all(&again, &mut batch);
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        assert!(world.fetch("S", "c", 9).await.is_empty());
        let info = world.consumer_info("S", "c");
        assert_eq!((info.num_pending, info.num_ack_pending, info.ack_floor.stream_seq), (0, 0, 4));
        assert_eq!(world.publish("s.x", "e").await, 5);
    }

    async fn redelivery_after_ack_wait_nak_progress_and_max_deliver() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let config = ConsumerConfig { ack_wait: 10 * SECOND, max_deliver: 3, ..durable("c") };
        let consumer = world.consumer("S", config).await;
        world.publish("s.x", "a").await;
        assert_eq!(consumer.fetch(1, NOTHING).await.unwrap().len(), 1);
        world.clock.advance(9 * SECOND);
        assert!(consumer.fetch(1, NOTHING).await.unwrap().is_empty());
        world.clock.advance(SECOND);
        let second = consumer.fetch(1, NOTHING).await.unwrap();
        assert_eq!(second[0].num_delivered, 2);
        assert_eq!(consumer.info().num_redelivered, 1);
        second[0].nak(Some(5 * SECOND));
        assert!(consumer.fetch(1, NOTHING).await.unwrap().is_empty());
        // What was put off stays put off, and deliveries are counted over restarts.
        world.settle().await;
        let world = world.killed().await;
        assert!(world.fetch("S", "c", 1).await.is_empty());
        world.clock.advance(5 * SECOND);
        let third = world.fetch("S", "c", 1).await;
        assert_eq!(third[0].num_delivered, 3);
        world.clock.advance(9 * SECOND);
        third[0].in_progress();
        world.clock.advance(9 * SECOND);
        assert!(world.fetch("S", "c", 1).await.is_empty());
        assert_eq!(world.consumer_info("S", "c").num_ack_pending, 1);
        world.clock.advance(SECOND);
        assert!(world.fetch("S", "c", 1).await.is_empty());
        assert_eq!(world.consumer_info("S", "c").num_ack_pending, 0);
        assert_eq!(world.info("S").await.state.messages, 1);
    }

    async fn a_new_max_deliver_goes_for_what_is_pending() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let config = |max_deliver| ConsumerConfig { ack_wait: SECOND, max_deliver, ..durable("c") };
        let consumer = world.consumer("S", config(-1)).await;
        for payload in ["a", "b"] {
            world.publish("s.x", payload).await;
        }
        for _ in 0..3 {
            assert_eq!(consumer.fetch(1, NOTHING).await.unwrap()[0].stream_sequence, 1);
            world.clock.advance(SECOND);
        }
        world.consumer("S", config(3)).await;
        // The first was delivered three times, and the second not yet.
        assert_eq!(consumer.fetch(2, NOTHING).await.unwrap()[0].stream_sequence, 2);
        world.settle().await;
        assert_eq!(consumer.info().set_aside, 1);
        world.clock.advance(SECOND);
        world.consumer("S", config(1)).await;
        assert!(consumer.fetch(2, NOTHING).await.unwrap().is_empty());
        world.settle().await;
        let info = consumer.info();
        assert_eq!((info.set_aside, info.num_ack_pending, info.num_redelivered), (2, 0, 0));
    }

    async fn backoff_replaces_ack_wait_and_nak_delivers_at_once() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let backoff = vec![SECOND, 5 * SECOND];
        let consumer = world.consumer("S", ConsumerConfig { backoff, ..durable("c") }).await;
        world.publish("s.x", "a").await;
        consumer.fetch(1, NOTHING).await.unwrap();
        for (wait, delivered) in [(1, 2), (5, 3), (5, 4)] {
            world.clock.advance(wait * SECOND - Duration::from_millis(1));
            assert!(consumer.fetch(1, NOTHING).await.unwrap().is_empty());
            world.clock.advance(Duration::from_millis(1));
            let again = consumer.fetch(1, NOTHING).await.unwrap();
            assert_eq!(again[0].num_delivered, delivered);
        }
        world.clock.advance(5 * SECOND);
        let again = consumer.fetch(1, NOTHING).await.unwrap();
        again[0].nak(None);
        assert_eq!(consumer.fetch(1, NOTHING).await.unwrap()[0].num_delivered, 6);
    }

    async fn a_waiting_fetch_is_woken_by_a_publish_and_by_a_deadline() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        let publish = async { world.publish("s.x", "a").await };
        let (fetched, _) = futures::join!(consumer.fetch(9, 60 * SECOND), publish);
        assert_eq!(fetched.unwrap().len(), 1);
        let advance = async { world.clock.advance(30 * SECOND) };
        let (fetched, ()) = futures::join!(consumer.fetch(9, 60 * SECOND), advance);
        assert_eq!(fetched.unwrap()[0].num_delivered, 2);
        let advance = async { world.clock.advance(SECOND) };
        let (fetched, ()) = futures::join!(consumer.fetch(9, SECOND), advance);
        assert!(fetched.unwrap().is_empty());
    }

    async fn max_ack_pending_holds_back_what_is_new() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let config = ConsumerConfig { max_ack_pending: 2, ..durable("c") };
        let consumer = world.consumer("S", config).await;
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        let first = consumer.fetch(9, NOTHING).await.unwrap();
        assert_eq!(sequences(&first), [1, 2]);
        assert!(consumer.fetch(9, NOTHING).await.unwrap().is_empty());
        let ack = async { first[0].ack_now().await.unwrap() };
        let (fetched, ()) = futures::join!(consumer.fetch(9, 60 * SECOND), ack);
        assert_eq!(sequences(&fetched.unwrap()), [3]);
    }

    async fn an_id_is_stored_once_within_the_duplicate_window() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let id = Headers::new().with("Nats-Msg-Id", "one");
        let publish = async |world: &World| {
            let answer = world.queue.publish_now("s.x", &id, "a").await.unwrap();
            (answer.sequence, answer.duplicate)
        };
        assert_eq!(publish(&world).await, (1, false));
        assert_eq!(publish(&world).await, (1, true));
        let world = world.killed().await;
        assert_eq!(publish(&world).await, (1, true));
        world.clock.advance(121 * SECOND);
        assert_eq!(publish(&world).await, (2, false));
        let world = world.killed().await;
        assert_eq!(publish(&world).await, (2, true));
        assert_eq!(world.info("S").await.state.messages, 2);
    }

    async fn interest_keeps_a_message_until_every_consumer_acknowledged_it() {
        let world = World::new().await;
        world.stream(stream(Retention::Interest)).await;
        assert_eq!(world.publish("s.x", "for nobody").await, 1);
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.last_seq), (0, 2, 1));
        let one = world.consumer("S", durable("one")).await;
        let filter = ConsumerConfig { filter_subject: Some("s.x".into()), ..durable("two") };
        let two = world.consumer("S", filter).await;
        world.publish("s.x", "for both").await;
        world.publish("s.y", "for one").await;
        assert_eq!(two.info().num_pending, 1);
        for message in one.fetch(9, NOTHING).await.unwrap() {
            message.ack_now().await.unwrap();
        }
        assert_eq!(world.info("S").await.state.messages, 1);
        let world = world.killed().await;
        let messages = world.fetch("S", "two", 9).await;
        assert_eq!(sequences(&messages), [2]);
        messages[0].ack_now().await.unwrap();
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.bytes, state.first_seq), (0, 0, 4));
    }

    async fn interest_lets_go_of_what_a_deleted_consumer_held() {
        let world = World::new().await;
        world.stream(stream(Retention::Interest)).await;
        let one = world.consumer("S", durable("one")).await;
        world.consumer("S", durable("two")).await;
        for _ in 0..3 {
            world.publish("s.x", "a").await;
        }
        let messages = one.fetch(2, NOTHING).await.unwrap();
        let mut batch = Batch::new();
        Message::ack_all(&messages, &mut batch);
        world.store.commit(batch).await.unwrap();
        assert_eq!(world.info("S").await.state.messages, 3);
        world.queue.delete_consumer("S", "two").await.unwrap();
        assert_eq!(world.info("S").await.state.messages, 1);
        let missing = world.queue.delete_consumer("S", "two").await.unwrap_err();
        assert_eq!((missing.code, missing.err_code), (404, 10014));
        // A deletion is finished by whoever opens the queue next.
        world.consumer("S", durable("three")).await;
        let deleted = world.queue.delete_consumer("S", "one").await;
        let world = world.killed().await;
        deleted.unwrap();
        assert_eq!(world.info("S").await.state.messages, 1);
        world.queue.delete_consumer("S", "three").await.unwrap();
        assert_eq!(world.info("S").await.state.messages, 0);
    }

    async fn a_work_queue_gives_each_message_to_one_consumer_and_lets_go_of_it() {
        let world = World::new().await;
        world.stream(stream(Retention::WorkQueue)).await;
        let filtered = |name: &str, filter: &str| ConsumerConfig {
            filter_subjects: vec![filter.into()],
            ..durable(name)
        };
        let worker = world.consumer("S", filtered("x", "s.x.*")).await;
        for (config, err_code) in [
            (durable("all"), 10099),
            (filtered("other", "s.*.1"), 10100),
            (ConsumerConfig { ack_policy: AckPolicy::None, ..filtered("n", "s.y") }, 10084),
            (ConsumerConfig { deliver_policy: DeliverPolicy::New, ..filtered("n", "s.y") }, 10101),
        ] {
            let refused = world.queue.create_consumer("S", config).await.err().unwrap();
            assert_eq!(refused.err_code, err_code);
        }
        world.publish("s.x.1", "a").await;
        world.publish("s.y", "b").await;
        let messages = worker.fetch(9, NOTHING).await.unwrap();
        assert_eq!(sequences(&messages), [1]);
        messages[0].ack_now().await.unwrap();
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq), (1, 2));
        let world = world.killed().await;
        let late = world.consumer("S", filtered("y", "s.y")).await;
        assert_eq!(late.info().num_pending, 1);
        assert_eq!(sequences(&late.fetch(9, NOTHING).await.unwrap()), [2]);
    }

    async fn limits_let_go_of_the_oldest_or_refuse_the_newest() {
        let world = World::new().await;
        world.stream(StreamConfig { max_msgs: 3, ..stream(Retention::Limits) }).await;
        let consumer = world.consumer("S", durable("c")).await;
        world.publish("s.x", "a").await;
        let first = consumer.fetch(1, NOTHING).await.unwrap();
        for payload in ["b", "c", "d", "e"] {
            world.publish("s.x", payload).await;
        }
        let info = world.info("S").await;
        assert_eq!((info.state.messages, info.state.first_seq, info.state.last_seq), (3, 3, 5));
        assert_eq!((info.consumers[0].num_pending, info.consumers[0].num_ack_pending), (3, 0));
        // What is gone needs no acknowledgement.
        first[0].ack_now().await.unwrap();
        assert_eq!(sequences(&consumer.fetch(9, NOTHING).await.unwrap()), [3, 4, 5]);
        let full = StreamConfig {
            name: "N".into(),
            subjects: vec!["n".into()],
            max_msgs: 1,
            max_msg_size: 4,
            discard: Discard::New,
            ..Default::default()
        };
        world.stream(full).await;
        let none = Headers::new();
        let large = world.queue.publish_now("n", &none, "large").await.unwrap_err();
        assert_eq!((large.code, large.err_code), (400, 10054));
        let publish = |batch: &mut Submission| {
            world.queue.publish(batch, "n", &none, "a").unwrap();
            let refused = world.queue.publish(batch, "n", &none, "b").unwrap_err();
            assert_eq!((refused.err_code, &*refused.description), (10077, "maximum messages exceeded"));
        };
        world.commit(Batch::new(), publish).await.unwrap();
        assert_eq!(world.info("N").await.state.messages, 1);
    }

    async fn limits_per_subject_and_age() {
        let world = World::new().await;
        let config = StreamConfig {
            max_msgs_per_subject: 2,
            max_age: 60 * SECOND,
            ..stream(Retention::Limits)
        };
        world.stream(config).await;
        for subject in ["s.x", "s.y", "s.x", "s.x"] {
            world.publish(subject, "a").await;
        }
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq), (3, 2));
        let world = world.killed().await;
        assert_eq!(world.info("S").await.state.messages, 3);
        let consumer = world.consumer("S", durable("c")).await;
        world.clock.advance(30 * SECOND);
        world.publish("s.z", "young").await;
        world.clock.advance(31 * SECOND);
        // What is too old is neither told nor delivered.
        assert_eq!(world.info("S").await.state.messages, 1);
        for _ in 0..3 {
            world.publish("s.z", "younger").await;
        }
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.last_seq), (2, 8));
        assert_eq!(sequences(&consumer.fetch(9, NOTHING).await.unwrap()), [7, 8]);
    }

    async fn consumers_start_where_they_are_told() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        for subject in ["s.x", "s.y", "s.x", "s.y"] {
            world.publish(subject, "a").await;
        }
        let x = Some("s.x".to_owned());
        for (policy, start, filter, expected) in [
            (DeliverPolicy::All, None, None, vec![1, 2, 3, 4]),
            (DeliverPolicy::Last, None, x.clone(), vec![3]),
            (DeliverPolicy::New, None, None, vec![]),
            (DeliverPolicy::ByStartSequence, Some(2), x.clone(), vec![3]),
        ] {
            let config = ConsumerConfig {
                deliver_policy: policy,
                opt_start_seq: start,
                filter_subject: filter,
                ..durable("c")
            };
            let consumer = world.consumer("S", config).await;
            assert_eq!(consumer.info().num_pending, expected.len() as u64);
            assert_eq!(sequences(&consumer.fetch(9, NOTHING).await.unwrap()), expected);
            world.queue.delete_consumer("S", "c").await.unwrap();
        }
    }

    async fn an_acknowledgement_may_stand_for_all_before_it_or_not_be_needed() {
        let world = World::new().await;
        world.stream(stream(Retention::Interest)).await;
        let all = ConsumerConfig { ack_policy: AckPolicy::All, ..durable("all") };
        let all = world.consumer("S", all).await;
        let none = ConsumerConfig { ack_policy: AckPolicy::None, ..durable("none") };
        let none = world.consumer("S", none).await;
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        assert_eq!(none.fetch(9, NOTHING).await.unwrap().len(), 3);
        assert_eq!(none.info().num_ack_pending, 0);
        let messages = all.fetch(9, NOTHING).await.unwrap();
        messages[1].ack_now().await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.info("S").await.state.messages, 1);
        assert!(world.fetch("S", "none", 9).await.is_empty());
        assert_eq!(sequences(&world.fetch("S", "all", 9).await), [3]);
    }

    async fn messages_are_purged_and_deleted_for_every_consumer() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let consumer = world.consumer("S", durable("c")).await;
        for payload in ["a", "b", "c", "d"] {
            world.publish("s.x", payload).await;
        }
        let pending = consumer.fetch(1, NOTHING).await.unwrap();
        world.queue.delete_message("S", 3).await.unwrap();
        let missing = world.queue.delete_message("S", 3).await.unwrap_err();
        assert_eq!((missing.code, missing.err_code), (404, 10037));
        assert_eq!(world.queue.message("S", 3).await.unwrap_err(), Error::NO_MESSAGE_FOUND);
        assert_eq!(&*world.queue.message("S", 4).await.unwrap().payload, b"d");
        assert_eq!(consumer.info().num_pending, 2);
        assert_eq!(world.queue.purge_stream("S", &Purge::default()).await.unwrap(), 3);
        let info = world.info("S").await;
        assert_eq!((info.state.messages, info.state.first_seq, info.state.last_seq), (0, 5, 4));
        assert_eq!((info.consumers[0].num_pending, info.consumers[0].num_ack_pending), (0, 0));
        pending[0].ack_now().await.unwrap();
        world.publish("s.x", "e").await;
        let world = world.killed().await;
        assert_eq!(sequences(&world.fetch("S", "c", 9).await), [5]);
    }

    async fn streams_are_made_once_changed_and_deleted() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        world.stream(stream(Retention::Limits)).await;
        let create = async |config| world.queue.create_stream(config).await.unwrap_err().err_code;
        assert_eq!(create(stream(Retention::Interest)).await, 10058);
        let other = StreamConfig { name: "T".into(), ..stream(Retention::Limits) };
        assert_eq!(create(other).await, 10065);
        assert_eq!(create(StreamConfig { name: "a.b".into(), ..Default::default() }).await, 10052);
        for payload in ["a", "b", "c"] {
            world.publish("s.x", payload).await;
        }
        let smaller = StreamConfig { max_msgs: 1, ..stream(Retention::Limits) };
        assert_eq!(world.queue.update_stream(smaller).await.unwrap().state.messages, 1);
        let work = world.queue.update_stream(stream(Retention::WorkQueue)).await.unwrap_err();
        assert_eq!(work.err_code, 10052);
        let consumer = world.consumer("S", durable("c")).await;
        let waiting = async {
            let deleted = world.queue.delete_stream("S").await;
            deleted.unwrap();
        };
        let (fetched, ()) = futures::join!(
            async { consumer.fetch(9, 60 * SECOND).await.unwrap();
                    consumer.fetch(9, 60 * SECOND).await },
            waiting
        );
        assert_eq!(fetched.err(), Some(Error::CONSUMER_NOT_FOUND));
        let gone = world.queue.stream_info("S").await.unwrap_err();
        assert_eq!((gone.code, gone.err_code, &*gone.description), (404, 10059, "stream not found"));
        let nobody = world.queue.publish_now("s.x", &Headers::new(), "a").await.unwrap_err();
        assert_eq!(nobody, Error::NO_RESPONDERS);
        // One of the same name has nothing of the old one.
        world.stream(stream(Retention::Limits)).await;
        assert_eq!(world.publish("s.x", "a").await, 1);
        let world = world.killed().await;
        let info = world.info("S").await;
        assert_eq!((info.state.messages, info.state.consumer_count), (1, 0));
    }

    async fn consumers_are_changed_where_that_can_be() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        for subject in ["s.x", "s.y", "s.y"] {
            world.publish(subject, "a").await;
        }
        world.consumer("S", durable("c")).await;
        let refused = ConsumerConfig { deliver_policy: DeliverPolicy::New, ..durable("c") };
        let refused = world.queue.create_consumer("S", refused).await.err().unwrap();
        assert_eq!(refused.err_code, 10012);
        let filter = ConsumerConfig { filter_subject: Some("s.y".into()), ..durable("c") };
        let consumer = world.consumer("S", filter).await;
        assert_eq!(consumer.info().num_pending, 2);
        assert_eq!(sequences(&consumer.fetch(9, NOTHING).await.unwrap()), [2, 3]);
        for (config, err_code) in [
            (ConsumerConfig { filter_subject: Some("t..x".into()), ..durable("d") }, 10052),
            (
                ConsumerConfig {
                    filter_subjects: vec!["s.*".into(), "s.x".into()],
                    ..durable("d")
                },
                10138,
            ),
            (
                ConsumerConfig { max_deliver: 1, backoff: vec![SECOND, SECOND], ..durable("d") },
                10116,
            ),
            (durable("a.b"), 10052),
        ] {
            let refused = world.queue.create_consumer("S", config).await.err().unwrap();
            assert_eq!(refused.err_code, err_code);
        }
        let missing = world.queue.consumer("S", "d").err().unwrap();
        assert_eq!(&*missing.description, "consumer not found");
    }

    async fn expected_headers_and_subjects_are_checked() {
        let world = World::new().await;
        world.stream(stream(Retention::Limits)).await;
        let publish = async |subject: &str, name: &str, value: &str| {
            let headers = Headers::new().with(name, value);
            world.queue.publish_now(subject, &headers, "a").await.map_err(|cause| cause.err_code)
        };
        assert_eq!(publish("s.x", "Nats-Expected-Stream", "T").await, Err(10060));
        assert_eq!(publish("s.x", "Nats-Expected-Last-Sequence", "1").await, Err(10071));
        assert!(publish("s.x", "Nats-Expected-Last-Sequence", "0").await.is_ok());
        assert_eq!(publish("s.*", "X", "y").await, Err(10003));
        assert_eq!(publish("s.x", "X", "a\r\nb").await, Err(10003));
        assert_eq!(publish("t", "X", "y").await, Err(0));
        let stored = world.queue.message("S", 1).await.unwrap();
        assert_eq!(stored.headers.get("Nats-Expected-Last-Sequence"), Some("0"));
        assert_eq!((stored.time, &*stored.subject), (1_000_000_000_000, "s.x"));
    }
}
