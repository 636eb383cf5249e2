//! Mirrors and sources: streams that store what other streams store.

#[macro_use]
mod support;

use neurite::queue::{
    AckPolicy, ConsumerConfig, Error, Retention, SourceConsumer, Storage, StreamConfig,
    StreamSource, SubjectTransform,
};
use support::queue::{SECOND, World, header, stream};

fn source(name: &str) -> StreamSource {
    StreamSource { name: name.into(), ..StreamSource::default() }
}

fn mirror(of: StreamSource) -> StreamConfig {
    StreamConfig { name: "M".into(), mirror: Some(of), ..StreamConfig::default() }
}

fn sourcing(sources: Vec<StreamSource>) -> StreamConfig {
    StreamConfig { name: "D".into(), sources, ..StreamConfig::default() }
}

async fn reaches(world: &World, stream: &str, last: u64) {
    for _ in 0..1000 {
        if world.info(stream).await.state.last_seq >= last {
            // It counts what it has taken, also while that is on its way to the disk.
            return world.settle().await;
        }
        world.settle().await;
    }
    panic!("{stream} is at {:?}", world.info(stream).await);
}

tests! {
    async fn a_mirror_has_the_same_numbers_and_times() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for payload in ["1", "2", "3", "4"] {
            world.publish_with("s.a", header("mine", payload), payload).await.unwrap();
            world.clock.advance(SECOND);
        }
        world.queue.delete_message("S", 2).await.unwrap();
        world.stream(mirror(source("S"))).await;
        reaches(&world, "M", 4).await;
        assert_eq!(world.messages("M").await, world.messages("S").await);
        let world = world.killed().await;
        world.publish("s.a", "5").await;
        reaches(&world, "M", 5).await;
        assert_eq!(world.messages("M").await, world.messages("S").await);
        let told = world.info("M").await.mirror.unwrap();
        assert_eq!((told.name.as_str(), told.lag, told.error), ("S", 0, None));
        // It takes nothing else, until it is no mirror any more.
        let code = async |config| world.queue.update_stream(config).await.unwrap_err().err_code;
        assert_eq!(code(mirror(source("T"))).await, 10055);
        assert_eq!(code(StreamConfig { subjects: vec!["m".into()], ..mirror(source("S")) }).await, 10034);
        let free = StreamConfig { mirror: None, subjects: vec!["m".into()], ..mirror(source("S")) };
        world.queue.update_stream(free).await.unwrap();
        assert_eq!(world.publish("m", "6").await, 6);
        world.publish("s.a", "not copied").await;
        world.settle().await;
        assert_eq!(world.info("M").await.state.last_seq, 6);
    }

    async fn sources_are_filtered_and_transformed_and_say_where_they_are_from() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        world.stream(stream("t")).await;
        let transforms = vec![
            SubjectTransform { src: "t.a.*".into(), dest: "from.t.$1".into() },
            SubjectTransform { src: "t.b".into(), dest: String::new() },
        ];
        let sources = vec![
            StreamSource { filter_subject: "s.a".into(), opt_start_seq: 2, ..source("S") },
            StreamSource { subject_transforms: transforms, ..source("T") },
        ];
        for subject in ["s.a", "s.a", "s.b", "s.a"] {
            world.publish_with(subject, header("Nats-Msg-Id", "x").with("a", "b"), subject).await.unwrap();
            world.clock.advance(130 * SECOND);
        }
        world.stream(StreamConfig { subjects: vec!["own".into()], ..sourcing(sources.clone()) }).await;
        reaches(&world, "D", 2).await;
        for subject in ["t.a.x", "t.c", "t.b", "own"] {
            world.publish(subject, subject).await;
            world.settle().await;
        }
        reaches(&world, "D", 5).await;
        let world = world.killed().await;
        let mut copied: Vec<_> = world.messages("D").await.into_iter().map(|message| {
            let from = message.headers.get("Nats-Stream-Source").unwrap_or_default().replace('\u{c}', "|");
            (message.subject, from)
        }).collect();
        copied.sort();
        let expected = [
            ("from.t.x", "T 1 t.a.*|t.b from.t.$1|> t.a.x"),
            ("own", ""),
            ("s.a", "S 2 s.a > s.a"),
            ("s.a", "S 4 s.a > s.a"),
            ("t.b", "T 3 t.a.*|t.b from.t.$1|> t.b"),
        ];
        assert_eq!(copied, expected.map(|(one, two)| (one.to_owned(), two.to_owned())));
        // One that goes and comes again goes on where it was.
        world.queue.update_stream(sourcing(sources[..1].to_vec())).await.unwrap();
        world.publish("t.b", "later").await;
        world.queue.update_stream(sourcing(sources)).await.unwrap();
        reaches(&world, "D", 6).await;
        assert_eq!(world.info("D").await.sources.len(), 2);
    }

    async fn a_work_queue_is_moved() {
        let world = World::new().await;
        world.stream(StreamConfig { retention: Retention::WorkQueue, ..stream("s") }).await;
        world.publish("s.a", "1").await;
        world.publish("s.a", "2").await;
        world.stream(sourcing(vec![source("S")])).await;
        reaches(&world, "D", 2).await;
        world.until(|| true).await;
        assert_eq!(world.info("S").await.state.messages, 0);
        let world = world.killed().await;
        world.publish("s.b", "3").await;
        reaches(&world, "D", 3).await;
        assert_eq!(world.info("S").await.state.messages, 0);
        let payloads: Vec<_> = world.messages("D").await.into_iter().map(|m| m.payload).collect();
        assert_eq!(payloads, ["1", "2", "3"]);
    }

    async fn a_consumer_of_ones_own_says_what_is_copied() {
        let world = World::new().await;
        world.stream(StreamConfig { retention: Retention::Interest, ..stream("s") }).await;
        let through = |name: &str| StreamSource {
            consumer: Some(SourceConsumer { name: name.into(), deliver_subject: "deliver.x".into() }), ..source("S")
        };
        let config = |name: &str, ack_policy| ConsumerConfig {
            durable_name: name.into(),
            deliver_subject: Some("deliver.x".into()),
            filter_subject: Some("s.a".into()),
            ack_policy,
            flow_control: true,
            idle_heartbeat: SECOND,
            ..ConsumerConfig::default()
        };
        let wrong = ConsumerConfig { flow_control: false, idle_heartbeat: Default::default(), ..config("wrong", AckPolicy::Explicit) };
        world.queue.create_consumer("S", wrong).await.unwrap();
        world.stream(sourcing(vec![through("wrong")])).await;
        let told = loop {
            match world.info("D").await.sources.remove(0).error {
                Some(told) => break told,
                None => world.settle().await,
            }
        };
        assert_eq!(told.err_code, 10217);
        world.queue.delete_stream("D").await.unwrap();
        let right = ConsumerConfig { ack_wait: Default::default(), ..config("right", AckPolicy::FlowControl) };
        world.queue.delete_consumer("S", "wrong").await.unwrap();
        world.queue.create_consumer("S", right).await.unwrap();
        world.publish("s.a", "1").await;
        world.publish("s.b", "2").await;
        world.stream(sourcing(vec![through("right")])).await;
        world.publish("s.a", "3").await;
        reaches(&world, "D", 2).await;
        let payloads: Vec<_> = world.messages("D").await.into_iter().map(|m| m.payload).collect();
        assert_eq!(payloads, ["1", "3"]);
        // The flow is acknowledged once what came is kept.
        let left = async || world.info("S").await.state.messages;
        for _ in 0..1000 {
            if left().await == 0 {
                break;
            }
            world.settle().await;
        }
        assert_eq!(left().await, 0);
    }

    async fn counters_add_up_over_streams() {
        let world = World::new().await;
        for name in ["s", "t"] {
            world.stream(StreamConfig { allow_msg_counter: true, ..stream(name) }).await;
        }
        let all = |name: &str| StreamSource {
            subject_transforms: vec![SubjectTransform { src: format!("{name}.hits"), dest: "hits".into() }],
            ..source(&name.to_uppercase())
        };
        let config = StreamConfig { allow_msg_counter: true, ..sourcing(vec![all("s"), all("t")]) };
        world.stream(config).await;
        for (subject, by) in [("s.hits", "5"), ("t.hits", "7"), ("s.hits", "-1")] {
            world.publish_with(subject, header("Nats-Incr", by), "").await.unwrap();
        }
        reaches(&world, "D", 3).await;
        let last = world.queue.message("D", 3).await.unwrap();
        assert_eq!(&*last.payload, b"{\"val\":\"11\"}");
        assert_eq!(last.headers.get("Nats-Counter-Sources"), Some(r#"{"S":{"s.hits":"4"},"T":{"t.hits":"7"}}"#));
    }

    async fn a_source_may_come_later_and_lie_in_memory() {
        let world = World::new().await;
        world.stream(sourcing(vec![source("S")])).await;
        world.settle().await;
        let told = world.info("D").await.sources;
        assert_eq!((told[0].active, told[0].error.clone()), (-1, Some(Error::STREAM_NOT_FOUND)));
        world.stream(StreamConfig { storage: Storage::Memory, ..stream("s") }).await;
        world.publish("s.a", "1").await;
        reaches(&world, "D", 1).await;
        world.stream(StreamConfig { storage: Storage::Memory, ..mirror(source("D")) }).await;
        reaches(&world, "M", 1).await;
        assert_eq!(world.messages("M").await.len(), 1);
    }

    async fn what_goes_round_is_refused() {
        let world = World::new().await;
        let code = async |config| world.queue.create_stream(config).await.unwrap_err().err_code;
        world.stream(StreamConfig { sources: vec![source("T")], ..stream("s") }).await;
        assert_eq!(code(StreamConfig { sources: vec![source("S")], ..stream("t") }).await, 10052);
        assert_eq!(code(sourcing(vec![source("S"), source("S")])).await, 10140);
        assert_eq!(code(sourcing(vec![source("a.b")])).await, 10141);
        let both = StreamSource {
            filter_subject: "a".into(), subject_transforms: vec![SubjectTransform::default()], ..source("S")
        };
        assert_eq!(code(sourcing(vec![both.clone()])).await, 10144);
        assert_eq!(code(mirror(both)).await, 10150);
        assert_eq!(code(StreamConfig { first_seq: 5, ..mirror(source("S")) }).await, 10143);
        assert_eq!(code(StreamConfig { sources: vec![source("S")], ..mirror(source("S")) }).await, 10031);
    }

    async fn a_source_that_is_made_anew_is_copied_from_its_beginning() {
        for retention in [Retention::Limits, Retention::WorkQueue] {
            let world = World::new().await;
            let config = StreamConfig { retention, ..stream("s") };
            world.stream(config.clone()).await;
            world.stream(sourcing(vec![source("S")])).await;
            for payload in ["1", "2", "3"] {
                world.publish("s.a", payload).await;
            }
            reaches(&world, "D", 3).await;
            world.queue.delete_stream("S").await.unwrap();
            world.settle().await;
            world.clock.advance(SECOND);
            world.stream(config.clone()).await;
            world.publish("s.a", "4").await;
            reaches(&world, "D", 4).await;
            assert_eq!(world.info("D").await.sources[0].error, None);
            // The same while the other was not there.
            world.queue.delete_stream("S").await.unwrap();
            let world = world.killed().await;
            world.clock.advance(SECOND);
            world.stream(config).await;
            world.publish("s.a", "5").await;
            reaches(&world, "D", 5).await;
            let world = world.killed().await;
            world.publish("s.a", "6").await;
            reaches(&world, "D", 6).await;
            let payloads: Vec<_> = world.messages("D").await.into_iter().map(|message| message.payload).collect();
            assert_eq!(payloads, ["1", "2", "3", "4", "5", "6"]);
        }
    }

    async fn a_mirror_goes_on_after_its_last_number() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        world.stream(mirror(source("S"))).await;
        for payload in ["1", "2"] {
            world.publish("s.a", payload).await;
        }
        reaches(&world, "M", 2).await;
        world.queue.delete_stream("S").await.unwrap();
        world.clock.advance(SECOND);
        world.stream(stream("s")).await;
        for payload in ["new 1", "new 2", "new 3"] {
            world.publish("s.a", payload).await;
        }
        reaches(&world, "M", 3).await;
        let payloads: Vec<_> = world.messages("M").await.into_iter().map(|message| message.payload).collect();
        assert_eq!(payloads, ["1", "2", "new 3"]);
    }
}
