//! Consumers that clients pull from: requests, their statuses, acknowledgements, groups.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{CoreMessage, ManualClock, Queue};
use serde_json::{Value, json};
use support::nats::{Client, Inbox, header, status};

const SECOND: Duration = Duration::from_secs(1);

/// A client of a queue whose clock stands, with a stream `S` of `s.>`.
struct World {
    client: Client,
    clock: ManualClock,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let queue = Queue::open_with(support::store().await, Rc::new(clock.clone())).await.unwrap();
        let client = Client::new(queue);
        let stream = json!({ "name": "S", "subjects": ["s.>"] });
        client.request("STREAM.CREATE.S", stream).await;
        Self { client, clock }
    }

    async fn store(&self, subject: &str, count: usize) {
        for n in 0..count {
            self.client.store(subject, &[], &format!("m{n}")).await;
        }
    }

    /// Makes a consumer, with what is not said being explicit acknowledgement and durability.
    async fn consumer(&self, name: &str, config: Value) -> Value {
        let mut all = json!({ "durable_name": name, "ack_policy": "explicit" });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let request = json!({ "stream_name": "S", "config": all });
        self.client.request(&format!("CONSUMER.CREATE.S.{name}"), request).await
    }

    async fn info(&self, name: &str) -> Value {
        self.client.request(&format!("CONSUMER.INFO.S.{name}"), Value::Null).await
    }

    /// Sends a pull request; the answers come to the inbox.
    fn pull(&self, name: &str, request: Value) -> Inbox {
        let inbox = self.client.inbox();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.S.{name}");
        let asked = self.client.publish(&subject, Some(&inbox.subject), &[], request.to_string());
        assert_eq!(asked, 1);
        inbox
    }

    /// The payloads of the messages that a request gets.
    async fn get(&self, name: &str, batch: usize) -> Vec<CoreMessage> {
        self.get_as(name, json!({ "batch": batch })).await
    }

    async fn get_as(&self, name: &str, request: Value) -> Vec<CoreMessage> {
        let inbox = self.pull(name, request.clone());
        let mut messages = Vec::new();
        for _ in 0..request["batch"].as_u64().unwrap() {
            messages.push(inbox.next().await);
        }
        messages
    }

    /// Acknowledges and waits until that is durable.
    async fn ack_sync(&self, message: &CoreMessage, word: &str) {
        let to = message.reply.as_deref().unwrap();
        let answer = self.client.ask(to, &[], word.to_owned()).await;
        assert!(answer.payload.is_empty());
    }
}

fn payloads(messages: &[CoreMessage]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(&message.payload).unwrap()).collect()
}

tests! {
    async fn requests_are_served_and_end_as_they_asked() {
        let world = World::new().await;
        let made = world.consumer("C", json!({})).await;
        assert_eq!(made["config"]["name"], "C");
        assert_eq!(made["config"]["max_waiting"], 512);
        assert_eq!(made["config"]["ack_wait"], 30_000_000_000_u64);
        world.store("s.a", 5).await;
        let two = world.get("C", 2).await;
        assert_eq!(payloads(&two), ["m0", "m1"]);
        assert_eq!(&*two[0].subject, "s.a");
        let ack = "$JS.ACK.S.C.1.2.2.1700000000000000000.3";
        assert_eq!(two[1].reply.as_deref(), Some(ack));
        // What there is, and the end of it.
        let rest = world.pull("C", json!({ "batch": 10, "no_wait": true }));
        for n in 2..5 {
            assert_eq!(&*rest.next().await.payload, format!("m{n}").as_bytes());
        }
        assert_eq!(status(&rest.next().await), "404 No Messages");
        // A request waits until it expires, and says how it is meanwhile.
        let request = json!({ "batch": 2, "expires": 3_000_000_000_u64, "idle_heartbeat": 1_000_000_000 });
        let waits = world.pull("C", request);
        assert_eq!(world.info("C").await["num_waiting"], 1);
        world.clock.advance(SECOND);
        let beat = waits.next().await;
        assert_eq!(status(&beat), "100 Idle Heartbeat");
        assert_eq!((header(&beat, "Nats-Last-Consumer"), header(&beat, "Nats-Last-Stream")), (Some("5"), Some("5")));
        world.store("s.b", 1).await;
        assert_eq!(&*waits.next().await.subject, "s.b");
        world.clock.advance(SECOND);
        assert_eq!(status(&waits.next().await), "100 Idle Heartbeat");
        world.clock.advance(SECOND);
        let end = waits.next().await;
        assert_eq!(status(&end), "408 Request Timeout");
        assert_eq!(header(&end, "Nats-Pending-Messages"), Some("1"));
        assert_eq!(world.info("C").await["num_waiting"], 0);
        // Who has left is not served.
        drop(world.pull("C", json!({ "batch": 1 })));
        world.store("s.c", 1).await;
        assert_eq!(payloads(&world.get("C", 1).await), ["m0"]);
        let inbox = world.client.inbox();
        let nobody = world.client.publish("$JS.API.CONSUMER.MSG.NEXT.S.X", Some(&inbox.subject), &[], "");
        assert_eq!(nobody, 0);
    }

    async fn requests_are_limited() {
        let world = World::new().await;
        world.store("s.a", 5).await;
        let limits = json!({ "max_batch": 2, "max_expires": 1_000_000_000, "max_bytes": 100, "max_waiting": 1 });
        world.consumer("C", limits).await;
        for (request, expected) in [
            (json!({ "batch": 3 }), "409 Exceeded MaxRequestBatch of 2"),
            (json!({ "expires": 2_000_000_000_u64 }), "409 Exceeded MaxRequestExpires of 1s"),
            (json!({ "max_bytes": 1000 }), "409 Exceeded MaxRequestMaxBytes of 100"),
            (json!({ "max_bytes": 10 }), "409 Message Size Exceeds MaxBytes"),
            (json!({ "expires": 100, "idle_heartbeat": 100 }), "400 Bad Request - heartbeat value too large"),
        ] {
            assert_eq!(status(&world.pull("C", request).next().await), expected);
        }
        // One has room, and what is left is told.
        let inbox = world.pull("C", json!({ "batch": 2, "max_bytes": 60 }));
        assert_eq!(&*inbox.next().await.payload, b"m0");
        let end = inbox.next().await;
        assert_eq!(status(&end), "409 Message Size Exceeds MaxBytes");
        assert_eq!((header(&end, "Nats-Pending-Messages"), header(&end, "Nats-Pending-Bytes")), (Some("1"), Some("16")));
        let filtered = json!({ "filter_subject": "s.none", "max_waiting": 1 });
        world.consumer("N", filtered).await;
        let first = world.pull("N", json!({ "batch": 1 }));
        assert_eq!(status(&world.pull("N", json!({ "batch": 1 })).next().await), "409 Exceeded MaxWaiting");
        world.client.request("CONSUMER.DELETE.S.N", Value::Null).await;
        assert_eq!(status(&first.next().await), "409 Consumer Deleted");
        // No more than may be pending.
        world.consumer("P", json!({ "max_ack_pending": 1 })).await;
        let one = world.get("P", 1).await;
        let next = world.pull("P", json!({ "batch": 1, "no_wait": true }));
        world.info("P").await;
        assert!(next.rest().is_empty());
        world.ack_sync(&one[0], "+ACK").await;
        assert_eq!(&*next.next().await.payload, b"m1");
    }

    async fn acknowledgements_come_as_messages() {
        let world = World::new().await;
        let advisories = world.client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.*.S.C");
        let metrics = world.client.subscribe("$JS.EVENT.METRIC.>");
        world.consumer("C", json!({ "max_deliver": 2, "sample_freq": "100" })).await;
        assert_eq!(&*advisories.next().await.subject, "$JS.EVENT.ADVISORY.CONSUMER.CREATED.S.C");
        world.store("s.a", 6).await;
        let all = world.get("C", 6).await;
        world.clock.advance(SECOND);
        world.ack_sync(&all[0], "").await;
        let metric: Value = serde_json::from_slice(&metrics.next().await.payload).unwrap();
        assert_eq!((&metric["ack_time"], &metric["stream_seq"]), (&json!(1_000_000_000), &json!(1)));
        world.ack_sync(&all[1], "-NAK").await;
        let advisory: Value = serde_json::from_slice(&advisories.next().await.payload).unwrap();
        assert_eq!(advisory["type"], "io.nats.jetstream.advisory.v1.nak");
        assert_eq!(advisory["stream_seq"], 2);
        world.ack_sync(&all[2], r#"-NAK {"delay": 5000000000}"#).await;
        advisories.next().await;
        world.ack_sync(&all[3], "+TERM it is no good").await;
        let advisory: Value = serde_json::from_slice(&advisories.next().await.payload).unwrap();
        assert_eq!(advisory["reason"], "it is no good");
        // The next one comes where the acknowledgement says.
        let next = world.client.ask(all[4].reply.as_deref().unwrap(), &[], "+NXT").await;
        assert_eq!(&*next.payload, b"m1");
        assert!(next.reply.unwrap().starts_with("$JS.ACK.S.C.2.2.7."));
        let info = world.info("C").await;
        assert_eq!((&info["num_ack_pending"], &info["num_redelivered"]), (&json!(3), &json!(1)));
        assert_eq!(info["ack_floor"]["stream_seq"], 1);
        // Work in progress waits longer.
        world.clock.advance(25 * SECOND);
        world.ack_sync(&all[5], "+WPI").await;
        world.clock.advance(10 * SECOND);
        let due = world.get("C", 1).await;
        assert_eq!(payloads(&due), ["m2"], "put off, and due again");
        // Delivered as often as is allowed.
        let inbox = world.pull("C", json!({ "batch": 1 }));
        world.clock.advance(30 * SECOND);
        assert_eq!(&*inbox.next().await.payload, b"m5");
        loop {
            let advisory = advisories.next().await;
            if advisory.subject.contains("MAX_DELIVERIES") {
                let advisory: Value = serde_json::from_slice(&advisory.payload).unwrap();
                assert_eq!(advisory["deliveries"], 2);
                break;
            }
        }
        let gone = world.client.publish("$JS.ACK.S.X.1.1.1.1.1", None, &[], "");
        assert_eq!(gone, 0, "no such consumer");
    }

    async fn acknowledging_all_or_none() {
        let world = World::new().await;
        world.store("s.a", 4).await;
        world.consumer("A", json!({ "ack_policy": "all" })).await;
        let all = world.get("A", 3).await;
        world.ack_sync(&all[1], "").await;
        assert_eq!(world.info("A").await["num_ack_pending"], 1);
        assert_eq!(world.info("A").await["ack_floor"]["stream_seq"], 2);
        world.consumer("N", json!({ "ack_policy": "none" })).await;
        world.get("N", 4).await;
        let info = world.info("N").await;
        assert_eq!((&info["num_ack_pending"], &info["num_pending"]), (&json!(0), &json!(0)));
    }

    async fn consumers_start_where_they_are_told_to() {
        let world = World::new().await;
        for (subject, payload) in [("s.a", "a1"), ("s.b", "b1"), ("s.a", "a2")] {
            world.client.store(subject, &[], payload).await;
            world.clock.advance(SECOND);
        }
        let start = |config: Value, expected: Vec<&'static str>| {
            let world = &world;
            async move {
                let name = format!("c{}", neurite::platform::random_string(6));
                let made = world.consumer(&name, config.clone()).await;
                assert_eq!(made["num_pending"], expected.len(), "{config} {made}");
                assert_eq!(payloads(&world.get(&name, expected.len()).await), expected, "{config}");
            }
        };
        start(json!({ "deliver_policy": "all" }), vec!["a1", "b1", "a2"]).await;
        start(json!({ "deliver_policy": "last" }), vec!["a2"]).await;
        start(json!({ "deliver_policy": "last", "filter_subject": "s.b" }), vec!["b1", ]).await;
        start(json!({ "deliver_policy": "new" }), vec![]).await;
        start(json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": 2 }), vec!["b1", "a2"]).await;
        let time = json!({ "deliver_policy": "by_start_time", "opt_start_time": "2023-11-14T22:13:21.5Z" });
        start(time, vec!["a2"]).await;
        let last = json!({ "deliver_policy": "last_per_subject", "filter_subject": "s.>" });
        start(last.clone(), vec!["b1", "a2"]).await;
        start(json!({ "filter_subjects": ["s.b", "s.c"] }), vec!["b1"]).await;
        // What comes later comes too; what is replaced meanwhile does not.
        world.consumer("L", last).await;
        world.client.request("STREAM.MSG.DELETE.S", json!({ "seq": 2 })).await;
        world.client.store("s.b", &[], "b2").await;
        assert_eq!(world.info("L").await["num_pending"], 2);
        assert_eq!(payloads(&world.get("L", 2).await), ["a2", "b2"]);
        for (config, err_code) in [
            (json!({ "deliver_policy": "last_per_subject" }), 10094),
            (json!({ "deliver_policy": "by_start_time" }), 10094),
            (json!({ "deliver_policy": "new", "opt_start_seq": 1 }), 10094),
            (json!({ "sample_freq": "huh" }), 10095),
            (json!({ "deliver_subject": "s.x" }), 10081),
            (json!({ "deliver_subject": "x.*" }), 10079),
            (json!({ "flow_control": true }), 10089),
            (json!({ "priority_groups": ["A"] }), 10196),
            (json!({ "priority_policy": "overflow" }), 10159),
        ] {
            let refused = world.consumer("R", config.clone()).await;
            assert_eq!(refused["error"]["err_code"], err_code, "{config}");
        }
    }

    async fn what_is_replayed_keeps_its_pace() {
        let world = World::new().await;
        world.store("s.a", 1).await;
        world.clock.advance(2 * SECOND);
        world.store("s.a", 1).await;
        world.consumer("C", json!({ "replay_policy": "original" })).await;
        let inbox = world.pull("C", json!({ "batch": 3 }));
        inbox.next().await;
        world.clock.advance(SECOND);
        world.info("C").await;
        assert!(inbox.rest().is_empty());
        world.clock.advance(SECOND);
        inbox.next().await;
        // From here on there is nothing to keep pace with.
        world.clock.advance(5 * SECOND);
        world.store("s.a", 1).await;
        inbox.next().await;
    }

    async fn nothing_is_delivered_while_it_is_paused() {
        let world = World::new().await;
        world.store("s.a", 1).await;
        world.consumer("C", json!({})).await;
        let until = json!({ "pause_until": "2023-11-14T22:13:30Z" });
        let paused = world.client.request("CONSUMER.PAUSE.S.C", until).await;
        assert_eq!((&paused["paused"], &paused["pause_remaining"]), (&json!(true), &json!(10_000_000_000_u64)));
        let inbox = world.pull("C", json!({ "batch": 1 }));
        assert_eq!(world.info("C").await["paused"], true);
        assert!(inbox.rest().is_empty());
        world.clock.advance(10 * SECOND);
        inbox.next().await;
        let on = world.client.request("CONSUMER.PAUSE.S.C", json!({})).await;
        assert_eq!(on["paused"], false);
    }

    async fn a_consumer_is_put_back() {
        let world = World::new().await;
        world.store("s.a", 5).await;
        world.consumer("C", json!({})).await;
        let all = world.get("C", 4).await;
        for message in &all[..2] {
            world.ack_sync(message, "").await;
        }
        let reset = world.client.request("CONSUMER.RESET.S.C", Value::Null).await;
        assert_eq!((&reset["reset_seq"], &reset["num_pending"]), (&json!(3), &json!(3)));
        assert_eq!(payloads(&world.get("C", 1).await), ["m2"]);
        let reset = world.client.request("CONSUMER.RESET.S.C", json!({ "seq": 1 })).await;
        assert_eq!((&reset["reset_seq"], &reset["num_ack_pending"]), (&json!(1), &json!(0)));
        assert_eq!(payloads(&world.get("C", 5).await), ["m0", "m1", "m2", "m3", "m4"]);
        world.consumer("N", json!({ "deliver_policy": "new" })).await;
        assert_eq!(world.client.refusal("CONSUMER.RESET.S.N", json!({ "seq": 1 })).await, 10204);
    }

    async fn groups_serve_who_is_to_be_served() {
        let world = World::new().await;
        let group = |policy: &str| json!({ "priority_groups": ["A"], "priority_policy": policy });
        world.consumer("O", group("overflow")).await;
        assert_eq!(status(&world.pull("O", json!({ "batch": 1 })).next().await), "400 Bad Request - Priority Group missing");
        let overflow = world.pull("O", json!({ "batch": 1, "group": "A", "min_pending": 2 }));
        world.store("s.a", 1).await;
        world.info("O").await;
        assert!(overflow.rest().is_empty());
        world.store("s.a", 1).await;
        overflow.next().await;

        world.consumer("P", group("prioritized")).await;
        let all = world.get_as("P", json!({ "batch": 2, "group": "A" })).await;
        assert_eq!(all.len(), 2);
        let later = world.pull("P", json!({ "batch": 1, "group": "A", "priority": 2 }));
        let first = world.pull("P", json!({ "batch": 1, "group": "A", "priority": 1 }));
        world.store("s.a", 1).await;
        first.next().await;
        assert!(later.rest().is_empty());

        let advisories = world.client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.*.S.I");
        world.consumer("I", group("pinned_client")).await;
        advisories.next().await;
        let one = world.pull("I", json!({ "batch": 1, "group": "A" }));
        let pinned = one.next().await;
        let id = header(&pinned, "Nats-Pin-Id").unwrap().to_owned();
        assert!(advisories.next().await.subject.contains(".PINNED."));
        let other = world.pull("I", json!({ "batch": 1, "group": "A" }));
        assert_eq!(status(&world.pull("I", json!({ "group": "A", "id": "no" })).next().await), "423 Nats-Pin-Id mismatch");
        let mine = world.pull("I", json!({ "batch": 1, "group": "A", "id": id }));
        mine.next().await;
        assert!(other.rest().is_empty());
        assert_eq!(world.info("I").await["priority_groups"][0]["pinned_client_id"], id);
        world.client.request("CONSUMER.UNPIN.S.I", json!({ "group": "A" })).await;
        assert!(advisories.next().await.subject.contains(".UNPINNED."));
        assert_ne!(header(&other.next().await, "Nats-Pin-Id"), Some(&*id));
        assert_eq!(world.client.refusal("CONSUMER.UNPIN.S.I", json!({ "group": "B" })).await, 10160);
        // Who does not ask any more gives up the place.
        let next = world.pull("I", json!({ "batch": 1, "group": "A" }));
        world.store("s.a", 1).await;
        world.clock.advance(121 * SECOND);
        next.next().await;
    }
}
