//! Streams of the program's own: what clients may do with them, and how they are put right.

#[macro_use]
mod support;

use std::time::Duration;

use neurite::{
    platform,
    queue::{
        AckPolicy, ConsumerConfig, DeliverPolicy, Discard, Headers, ManualClock, Purge, Republish,
        Retention, StreamConfig, StreamSource, time::Timestamp,
    },
    store::{
        self, Options,
        memory::{Disk, Fault},
    },
};
use serde_json::{Value, json};
use support::{
    nats::Client,
    queue::{World, stream},
};

/// How long what is waited for may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn own() -> StreamConfig {
    StreamConfig {
        name: "OWN".into(),
        subjects: vec!["own.*".into()],
        retention: Retention::Interest,
        ..StreamConfig::default()
    }
}

fn part() -> ConsumerConfig {
    ConsumerConfig { durable_name: "part".into(), max_deliver: 4, ..ConsumerConfig::default() }
}

fn source(name: &str) -> StreamSource {
    StreamSource { name: name.into(), ..StreamSource::default() }
}

/// What the program does at each start.
async fn reserve(world: &World) {
    world.queue.reserve_stream(own()).await.unwrap();
    world.queue.reserve_consumer("OWN", part()).await.unwrap();
    world.queue.finish_reserving("OWN").unwrap();
}

/// A queue with a reserved stream that has two messages and a consumer, one that clients may change,
/// and a client.
async fn world() -> (World, Client) {
    let world = World::new().await;
    reserve(&world).await;
    world.stream(stream("free")).await;
    for payload in ["one", "two"] {
        world.publish("own.a", payload).await;
    }
    let client = Client::new(world.queue.clone());
    (world, client)
}

/// Nothing has changed.
async fn check(world: &World) {
    assert_eq!(world.sequences("OWN").await, [1, 2]);
    let info = world.info("OWN").await;
    assert_eq!((&info.config.subjects, info.config.sealed), (&own().subjects, false));
    assert_eq!(info.consumers.len(), 1);
    let consumer = world.consumer_info("OWN", "part");
    assert_eq!((consumer.num_pending, consumer.num_ack_pending), (2, 0));
    assert_eq!((consumer.config.max_deliver, consumer.config.pause_until), (4, None));
}

tests! {
    async fn clients_change_nothing_of_a_reserved_stream() {
        let (world, client) = world().await;
        let consumer = |config: Value| json!({ "stream_name": "OWN", "config": config });
        let copy = json!({ "name": "OWN" });
        let requests = [
            ("STREAM.UPDATE.OWN", json!({ "name": "OWN", "subjects": ["own.*"], "sealed": true }), 10051),
            ("STREAM.CREATE.OWN", json!({ "name": "OWN", "subjects": ["other"] }), 10058),
            ("STREAM.DELETE.OWN", Value::Null, 10051),
            ("STREAM.PURGE.OWN", Value::Null, 10051),
            ("STREAM.PURGE.OWN", json!({ "filter": "own.a" }), 10051),
            ("STREAM.MSG.DELETE.OWN", json!({ "seq": 1 }), 10051),
            ("STREAM.RESTORE.OWN", json!({ "config": { "name": "OWN" } }), 10130),
            ("CONSUMER.CREATE.OWN", consumer(json!({ "name": "part" })), 10051),
            ("CONSUMER.CREATE.OWN.part", consumer(json!({ "name": "part", "ack_policy": "explicit" })), 10051),
            ("CONSUMER.CREATE.OWN.part.own.a", consumer(json!({ "name": "part", "filter_subject": "own.a" })), 10051),
            ("CONSUMER.DURABLE.CREATE.OWN.part", consumer(json!({ "durable_name": "part" })), 10051),
            ("CONSUMER.DELETE.OWN.part", Value::Null, 10051),
            ("CONSUMER.PAUSE.OWN.part", json!({ "pause_until": "2100-01-01T00:00:00Z" }), 10051),
            ("CONSUMER.RESET.OWN.part", json!({ "seq": 2 }), 10051),
            ("CONSUMER.UNPIN.OWN.part", json!({ "group": "g" }), 10051),
            // What would have it keep messages, or take its subjects.
            ("STREAM.CREATE.M", json!({ "name": "M", "mirror": copy }), 10051),
            ("STREAM.CREATE.M", json!({ "name": "M", "sources": [copy] }), 10051),
            ("STREAM.UPDATE.FREE", json!({ "name": "FREE", "subjects": ["free.>"], "sources": [copy] }), 10051),
            ("STREAM.RESTORE.M", json!({ "config": { "name": "M", "mirror": copy } }), 10051),
            ("STREAM.CREATE.M", json!({ "name": "M", "subjects": ["own.b"] }), 10065),
            ("STREAM.CREATE.M", json!({ "name": "M", "subjects": [">"], "no_ack": true }), 10065),
        ];
        for (subject, request, code) in requests {
            assert_eq!(client.refusal(subject, request.clone()).await, code, "{subject} {request}");
            check(&world).await;
        }
        let others = json!({ "stream_name": "FREE", "config": { "durable_name": "OWN" } });
        let made = client.request("CONSUMER.CREATE.FREE.OWN", others).await;
        assert!(made["error"].is_null(), "{made}");
        let deleted = client.request("CONSUMER.DELETE.FREE.OWN", Value::Null).await;
        assert_eq!(deleted["success"], true);
    }

    async fn clients_read_a_reserved_stream() {
        let (world, client) = world().await;
        let info = client.request("STREAM.INFO.OWN", json!({ "subjects_filter": ">" })).await;
        assert_eq!(info["state"]["subjects"]["own.a"], 2);
        for (subject, request) in [
            ("STREAM.NAMES", Value::Null),
            ("STREAM.LIST", Value::Null),
            ("STREAM.MSG.GET.OWN", json!({ "seq": 1 })),
            ("STREAM.SNAPSHOT.OWN", json!({ "deliver_subject": "pieces" })),
            ("CONSUMER.INFO.OWN.part", Value::Null),
            ("CONSUMER.NAMES.OWN", Value::Null),
            ("CONSUMER.LIST.OWN", Value::Null),
            // It is there as it is asked for.
            ("STREAM.CREATE.OWN", info["config"].clone()),
        ] {
            let answer = client.request(subject, request).await;
            assert!(answer["error"].is_null(), "{subject}: {answer}");
        }
        check(&world).await;
    }

    async fn consumers_of_clients_read_a_reserved_stream_and_keep_nothing() {
        let (world, client) = world().await;
        let config = json!({ "durable_name": "c", "ack_policy": "explicit", "max_ack_pending": 2 });
        let made = json!({ "stream_name": "OWN", "config": config });
        let made = client.request("CONSUMER.CREATE.OWN.c", made).await;
        assert_eq!(made["num_pending"], 2, "{made}");
        let pushing = json!({ "name": "p", "deliver_subject": "to.me", "ack_policy": "none" });
        let pushed = client.subscribe("to.me");
        let made = json!({ "stream_name": "OWN", "config": pushing });
        assert!(client.request("CONSUMER.CREATE.OWN.p", made).await["error"].is_null());
        // It gets what is there, and what comes.
        let inbox = client.inbox();
        client.publish("$JS.API.CONSUMER.MSG.NEXT.OWN.c", Some(&inbox.subject), &[], "1");
        let first = inbox.next().await;
        assert_eq!(&*first.payload, b"one");
        world.publish("own.a", "three").await;
        for payload in ["one", "two", "three"] {
            assert_eq!(&*pushed.next().await.payload, payload.as_bytes());
        }
        // What the program is done with goes, whatever the clients' consumers have of it.
        for message in world.fetch("OWN", "part", 3).await {
            message.ack_now().await.unwrap();
        }
        assert_eq!(world.sequences("OWN").await, [0; 0]);
        for name in ["c", "p"] {
            let info = world.consumer_info("OWN", name);
            assert_eq!((info.num_pending, info.num_ack_pending), (0, 0), "{name}");
        }
        // Its acknowledgements are answered.
        let ack = client.ask(first.reply.as_deref().unwrap(), &[], "+ACK").await;
        assert!(ack.payload.is_empty());
        world.publish("own.a", "four").await;
        client.publish("$JS.API.CONSUMER.MSG.NEXT.OWN.c", Some(&inbox.subject), &[], "1");
        let fourth = inbox.next().await;
        assert_eq!(&*fourth.payload, b"four");
        client.ask(fourth.reply.as_deref().unwrap(), &[], "+ACK").await;
        assert_eq!(world.sequences("OWN").await, [4]);
        // What they are is their makers' to change.
        let until = json!({ "pause_until": "2100-01-01T00:00:00Z" });
        assert_eq!(client.request("CONSUMER.PAUSE.OWN.c", until).await["paused"], true);
        assert_eq!(client.request("CONSUMER.RESET.OWN.c", json!({ "seq": 1 })).await["reset_seq"], 1);
        // They are what they were with the next start.
        let world = world.killed().await;
        reserve(&world).await;
        for message in world.fetch("OWN", "part", 3).await {
            message.ack_now().await.unwrap();
        }
        assert_eq!(world.sequences("OWN").await, [0; 0]);
        let client = Client::new(world.queue.clone());
        assert_eq!(client.request("CONSUMER.DELETE.OWN.c", Value::Null).await["success"], true);
    }

    async fn consumers_of_clients_alone_have_nothing_stored() {
        let world = World::new().await;
        let filtered = ConsumerConfig { filter_subject: Some("own.a".into()), ..part() };
        world.queue.reserve_stream(own()).await.unwrap();
        world.queue.reserve_consumer("OWN", filtered).await.unwrap();
        world.queue.finish_reserving("OWN").unwrap();
        let client = Client::new(world.queue.clone());
        let made = json!({ "stream_name": "OWN", "config": { "name": "c", "ack_policy": "explicit" } });
        client.request("CONSUMER.CREATE.OWN.c", made).await;
        world.publish("own.b", "").await;
        world.publish("own.a", "").await;
        assert_eq!(world.sequences("OWN").await, [2]);
        assert_eq!(world.consumer_info("OWN", "c").num_pending, 1);
    }

    async fn what_goes_for_consumers_of_clients_comes_back_with_a_failed_commit() {
        let world = World::on_disk().await;
        reserve(&world).await;
        let client = Client::new(world.queue.clone());
        for name in ["c", "d"] {
            let config = json!({ "durable_name": name, "ack_policy": "explicit" });
            let made = json!({ "stream_name": "OWN", "config": config });
            client.request(&format!("CONSUMER.CREATE.OWN.{name}"), made).await;
        }
        for payload in ["one", "two"] {
            world.publish("own.a", payload).await;
        }
        world.fetch("OWN", "c", 1).await;
        let counts = |name: &str| {
            let info = world.consumer_info("OWN", name);
            (info.num_pending, info.num_ack_pending)
        };
        let before = [counts("c"), counts("d")];
        assert_eq!(before, [(1, 1), (2, 0)]);
        let messages = world.fetch("OWN", "part", 2).await;
        world.disk().fault_after(0, Fault::Fail(store::Error::QuotaExceeded));
        assert!(messages[0].ack_now().await.is_err());
        assert_eq!([counts("c"), counts("d")], before);
        assert_eq!(world.sequences("OWN").await, [1, 2]);
        let again = world.fetch("OWN", "part", 2).await;
        again[0].ack_now().await.unwrap();
        assert_eq!([counts("c"), counts("d")], [(1, 0), (1, 0)]);
        assert_eq!(world.sequences("OWN").await, [2]);
    }

    async fn what_clients_have_others_publish_does_not_get_there() {
        let (world, client) = world().await;
        let republish = Republish { src: "free.r".into(), dest: "own.r".into(), headers_only: false };
        let config = StreamConfig {
            republish: Some(republish),
            allow_atomic: true,
            allow_batched: true,
            ..stream("free")
        };
        world.queue.update_stream(config).await.unwrap();
        let (heard, _subscription) = world.listen("own.*");
        // Messages are pushed to who listens to just that subject.
        let _pushed = world.listen("own.d");
        // What is republished, acknowledged, delivered and answered.
        client.publish("free.r", Some("own.ack"), &[], "x");
        let batch = [("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")];
        client.publish("free.a", Some("own.ack"), &batch, "x");
        client.publish("$JS.API.INFO", Some("own.answer"), &[], "");
        let consumer = json!({ "durable_name": "c", "deliver_subject": "own.d", "ack_policy": "explicit" });
        let made = json!({ "stream_name": "FREE", "config": consumer });
        client.request("CONSUMER.CREATE.FREE.c", made).await;
        world.until(|| heard.count() >= 6).await;
        check(&world).await;
        // An acknowledgement is answered with nothing, which is all that a deletion asks for.
        let delivered = heard.take().into_iter().find_map(|message| message.reply).unwrap();
        for subject in ["STREAM.DELETE.OWN", "STREAM.PURGE.OWN", "CONSUMER.DELETE.OWN.part"] {
            client.publish(&delivered, Some(&format!("$JS.API.{subject}")), &[], "+WPI");
            world.settle().await;
            check(&world).await;
        }
        // Nor does anybody take what is published there.
        let headers = [("Nats-Batch-Id", "b"), ("Nats-Batch-Sequence", "1"), ("Nats-Batch-Commit", "1")];
        drop((_subscription, _pushed));
        for reply in ["ack", "x.id.1.ok.1.2.$FI"] {
            assert_eq!(client.publish("own.a", Some(reply), &headers, "x"), 0);
        }
        check(&world).await;
    }

    async fn clients_neither_take_nor_acknowledge_messages_of_a_reserved_stream() {
        let (world, client) = world().await;
        let next = "$JS.API.CONSUMER.MSG.NEXT.OWN.part";
        assert_eq!(client.publish(next, Some("inbox"), &[], "1"), 0);
        check(&world).await;
        assert_eq!(world.fetch("OWN", "part", 1).await.len(), 1);
        for payload in ["", "+ACK", "+TERM", "-NAK", "+WPI", "+NXT"] {
            assert_eq!(client.publish("$JS.ACK.OWN.part.1.1.1.0.1", Some("inbox"), &[], payload), 0);
        }
        world.settle().await;
        assert_eq!(world.consumer_info("OWN", "part").num_ack_pending, 1);
    }

    async fn a_start_puts_right_what_was_changed() {
        for change in 0..15 {
            let world = World::new().await;
            world.stream(own()).await;
            world.consumer("OWN", part()).await;
            world.publish("own.a", "before").await;
            let queue = &world.queue;
            let consumer = |config| queue.create_consumer("OWN", config);
            let kept = match change {
                0 => {
                    let sealed = StreamConfig { sealed: true, ..own() };
                    queue.update_stream(sealed).await.map(|_| true)
                }
                1 => {
                    let limited = StreamConfig { max_msgs: 1, discard: Discard::New, ..own() };
                    queue.update_stream(limited).await.map(|_| true)
                }
                2 => {
                    let moved = StreamConfig { subjects: vec!["else".into()], max_consumers: 1, ..own() };
                    queue.update_stream(moved).await.map(|_| true)
                }
                3 => queue.delete_stream("OWN").await.map(|()| false),
                4 => {
                    queue.delete_stream("OWN").await.unwrap();
                    let work = StreamConfig { retention: Retention::WorkQueue, ..own() };
                    queue.create_stream(work).await.map(|_| false)
                }
                5 => {
                    queue.delete_stream("OWN").await.unwrap();
                    world.stream(stream("free")).await;
                    let mirror = StreamConfig { subjects: Vec::new(), mirror: Some(source("FREE")), retention: Retention::Limits, ..own() };
                    queue.create_stream(mirror).await.map(|_| false)
                }
                6 => {
                    queue.delete_stream("OWN").await.unwrap();
                    let other = StreamConfig { subjects: vec!["own.>".into()], ..stream("other") };
                    queue.create_stream(other).await.map(|_| false)
                }
                7 => queue.delete_consumer("OWN", "part").await.map(|()| false),
                8 => {
                    let until = Timestamp::from_millis(1 << 42);
                    queue.consumer("OWN", "part").unwrap().pause(until).await.map(|_| true)
                }
                9 => queue.consumer("OWN", "part").unwrap().reset(1 << 62).await.map(|_| false),
                10 => {
                    let filtered = ConsumerConfig { filter_subject: Some("own.z".into()), ..part() };
                    consumer(filtered).await.map(|_| false)
                }
                11 => {
                    queue.delete_consumer("OWN", "part").await.unwrap();
                    let other = ConsumerConfig { ack_policy: AckPolicy::None, max_deliver: -1, ..part() };
                    consumer(other).await.map(|_| false)
                }
                12 => {
                    queue.delete_consumer("OWN", "part").await.unwrap();
                    let pushing = ConsumerConfig { deliver_subject: Some("to.me".into()), deliver_policy: DeliverPolicy::New, ..part() };
                    consumer(pushing).await.map(|_| false)
                }
                13 => {
                    let waiting = ConsumerConfig { durable_name: "client".into(), ..part() };
                    consumer(waiting).await.map(|_| true)
                }
                _ => {
                    let copy = StreamConfig { name: "COPY".into(), sources: vec![source("OWN")], ..StreamConfig::default() };
                    let made = queue.create_stream(copy).await.map(|_| true);
                    // It is copied through a consumer, which stays.
                    let copied = async {
                        while world.info("OWN").await.consumers.len() < 2 {
                            world.settle().await;
                        }
                    };
                    platform::timeout(PATIENCE, copied).await.expect("nothing copies it");
                    made
                }
            };
            let kept = kept.unwrap_or_else(|cause| panic!("{change}: {cause}"));
            let world = world.killed().await;
            reserve(&world).await;
            let after = world.publish("own.b", "after").await;
            let info = world.info("OWN").await;
            let plain = |config: &StreamConfig| (config.sealed, config.retention, config.subjects.clone(), config.max_msgs, config.mirror.clone());
            assert_eq!(plain(&info.config), plain(&own()), "{change}");
            let others = info.consumers.iter().filter(|consumer| consumer.name != "part");
            assert_eq!(others.count(), usize::from(change >= 13), "{change}");
            let got = world.fetch("OWN", "part", 9).await;
            assert_eq!(&*got.last().unwrap().payload, b"after", "{change}");
            assert!(!kept || got.len() == 2, "{change}");
            for message in got {
                message.ack_now().await.unwrap();
            }
            // Nothing is kept for anybody else.
            assert_eq!(world.sequences("OWN").await, [0; 0], "{change}");
            assert_eq!(world.info("OWN").await.state.last_seq, after, "{change}");
            // And the next start finds it as it is to be.
            let world = world.killed().await;
            reserve(&world).await;
            assert_eq!(world.info("OWN").await.state.last_seq, after, "{change}");
        }
    }

    async fn a_start_without_room_puts_right_what_it_can() {
        // Without a reserve, what is there has to do.
        for (change, reserve_bytes) in [(0, 64 << 10), (1, 64 << 10), (2, 64 << 10), (3, 64 << 10), (0, 0), (1, 0)] {
            let disk = Disk::new();
            let options = Options { reserve_bytes, ..Options::default() };
            let clock = ManualClock::new(1_000_000_000_000);
            let world = World::on(disk.clone(), clock.clone(), options.clone()).await;
            reserve(&world).await;
            world.publish("own.a", "").await;
            let queue = &world.queue;
            match change {
                0 => drop(queue.update_stream(StreamConfig { max_msgs: 7, ..own() }).await.unwrap()),
                1 => {
                    let until = Timestamp::from_millis(1 << 42);
                    queue.consumer("OWN", "part").unwrap().pause(until).await.unwrap();
                }
                2 => queue.delete_consumer("OWN", "part").await.unwrap(),
                _ => queue.delete_stream("OWN").await.unwrap(),
            }
            world.settle().await;
            disk.fill_up();
            let world = World::on(disk.clone(), clock, options).await;
            reserve(&world).await;
            assert_eq!(world.refused("own.a", Headers::new()).await, 10047, "{change}");
            let put_right = reserve_bytes > 0;
            let info = world.info("OWN").await;
            assert_eq!(info.config.max_msgs == -1, put_right || change != 0, "{change}");
            let is_paused = world.consumer_info("OWN", "part").config.pause_until.is_some();
            assert_eq!(is_paused, !put_right && change == 1, "{change}");
            disk.set_quota(None);
            let world = world.killed().await;
            reserve(&world).await;
            world.publish("own.a", "after").await;
            let got = world.fetch("OWN", "part", 9).await;
            assert_eq!(&*got.last().unwrap().payload, b"after", "{change}");
        }
    }

    async fn what_is_reserved_is_published_to_by_the_program_alone() {
        let world = World::new().await;
        let other = StreamConfig { subjects: vec!["own.>".into()], ..stream("a") };
        world.stream(other).await;
        reserve(&world).await;
        assert_eq!(*world.publish_with("own.a", Headers::new(), "").await.unwrap().stream, *"OWN");
        assert_eq!(*world.publish_with("own.a.b", Headers::new(), "").await.unwrap().stream, *"A");
        world.queue.purge_stream("OWN", &Purge::default()).await.unwrap();
        let consumer = world.queue.consumer("OWN", "part").unwrap();
        assert!(consumer.fetch(1, Duration::ZERO).await.unwrap().is_empty());
    }
}
