//! Consumers that push, and those that go when nobody uses them.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{ManualClock, Queue};
use serde_json::{Value, json};
use support::{
    nats::{Client, header, status},
    place::Place,
};

const SECOND: Duration = Duration::from_secs(1);

/// A client of a queue whose clock stands, with a stream `S` of `s.>`.
struct World {
    client: Client,
    clock: ManualClock,
    place: Place,
}

impl World {
    async fn new() -> Self {
        let world = Self::open(Place::new(), ManualClock::new(1_700_000_000_000)).await;
        let stream = json!({ "name": "S", "subjects": ["s.>"] });
        world.client.request("STREAM.CREATE.S", stream).await;
        world
    }

    async fn open(place: Place, clock: ManualClock) -> Self {
        let queue = Queue::open_with(place.open().await, Rc::new(clock.clone())).await.unwrap();
        Self { client: Client::new(queue), clock, place }
    }

    /// The same after a kill.
    async fn again(self) -> Self {
        Self::open(self.place, self.clock).await
    }

    async fn store(&self, count: usize) {
        for n in 0..count {
            self.client.store("s.a", &[], &format!("m{n}")).await;
        }
    }

    /// Makes a consumer; its name.
    async fn consumer(&self, config: Value) -> String {
        let request = json!({ "stream_name": "S", "config": config });
        let made = self.client.request("CONSUMER.CREATE.S", request).await;
        made["name"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    async fn durable(&self, name: &str, config: Value) {
        let request = json!({ "stream_name": "S", "config": config });
        let made = self.client.request(&format!("CONSUMER.CREATE.S.{name}"), request).await;
        assert_eq!(made["name"], name, "{made}");
    }

    async fn info(&self, name: &str) -> Value {
        self.client.request(&format!("CONSUMER.INFO.S.{name}"), Value::Null).await
    }
}

tests! {
    async fn messages_are_pushed_while_somebody_listens() {
        let world = World::new().await;
        world.store(2).await;
        let name = world
            .consumer(json!({ "deliver_subject": "to", "ack_policy": "explicit", "idle_heartbeat": 1_000_000_000 }))
            .await;
        assert_eq!(name.len(), 8);
        assert_eq!(world.info(&name).await["num_pending"], 2);
        assert_eq!(world.info(&name).await.get("push_bound"), None);
        let to = world.client.subscribe("to");
        let first = to.next().await;
        assert_eq!((&*first.subject, &*first.payload), ("s.a", &b"m0"[..]));
        to.next().await;
        assert_eq!(world.info(&name).await["push_bound"], true);
        world.clock.advance(SECOND);
        let beat = to.next().await;
        assert_eq!(status(&beat), "100 Idle Heartbeat");
        assert_eq!((header(&beat, "Nats-Last-Consumer"), header(&beat, "Nats-Last-Stream")), (Some("2"), Some("2")));
        world.client.ask(first.reply.as_deref().unwrap(), &[], "").await;
        assert_eq!(world.info(&name).await["num_ack_pending"], 1);
        // What was not acknowledged comes again.
        world.clock.advance(30 * SECOND);
        loop {
            let again = to.next().await;
            if status(&again) == "100 Idle Heartbeat" {
                continue;
            }
            assert_eq!(&*again.payload, b"m1");
            break;
        }
        let pulled = world.client.inbox();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.S.{name}");
        world.client.publish(&subject, Some(&pulled.subject), &[], "");
        assert_eq!(status(&pulled.next().await), "409 Consumer is push based");
    }

    async fn members_of_a_group_share_what_is_pushed() {
        let world = World::new().await;
        let (one, other) = (world.client.subscribe_in("to", "g"), world.client.subscribe_in("to", "g"));
        world.durable("C", json!({ "durable_name": "C", "deliver_subject": "to", "deliver_group": "g", "ack_policy": "none" })).await;
        world.store(4).await;
        // Only when it is acknowledged is it known to be everywhere.
        let (mut to_one, mut to_other) = (0, 0);
        for _ in 0..100 {
            if to_one + to_other == 4 {
                break;
            }
            to_one += one.rest().len();
            to_other += other.rest().len();
            world.info("C").await;
        }
        assert_eq!((to_one, to_other), (2, 2));
    }

    async fn the_flow_stops_until_it_is_answered() {
        let world = World::new().await;
        let to = world.client.subscribe("to");
        let name = world
            .consumer(json!({
                "deliver_subject": "to", "ack_policy": "none", "flow_control": true,
                "idle_heartbeat": 1_000_000_000, "mem_storage": true,
            }))
            .await;
        let large = "x".repeat(500_000);
        for _ in 0..8 {
            world.client.store("s.a", &[], &large).await;
        }
        let (mut got, mut question) = (0, None);
        while question.is_none() || got < 5 {
            let message = to.next().await;
            match status(&message) {
                "100 FlowControl Request" => question = message.reply.clone(),
                _ => got += 1,
            }
        }
        world.clock.advance(SECOND);
        let stalled = to.next().await;
        assert_eq!(header(&stalled, "Nats-Consumer-Stalled"), question.as_deref());
        assert_eq!(world.info(&name).await["num_pending"], 3);
        world.client.publish(question.as_deref().unwrap(), None, &[], "");
        while got < 8 {
            let message = to.next().await;
            if message.payload.len() == large.len() {
                got += 1;
            } else if let Some(reply) = message.reply.as_deref() {
                world.client.publish(reply, None, &[], "");
            }
        }
    }

    async fn flow_control_can_acknowledge() {
        let world = World::new().await;
        let to = world.client.subscribe("to");
        let config = json!({ "deliver_subject": "to", "ack_policy": "flow_control" });
        let name = world.consumer(config).await;
        let config = world.info(&name).await["config"].clone();
        assert_eq!((&config["flow_control"], &config["idle_heartbeat"]), (&json!(true), &json!(SECOND.as_nanos() as u64)));
        world.store(2).await;
        // Asks that come with what was sent; who keeps the flow only has perhaps not seen it all.
        let mut questions = 0;
        while questions < 2 {
            let message = to.next().await;
            if status(&message) == "100 FlowControl Request" {
                world.client.publish(message.reply.as_deref().unwrap(), None, &[], "");
                questions += 1;
            }
            // A heartbeat comes with the next question.
            world.clock.advance(SECOND);
        }
        assert_eq!(world.info(&name).await["ack_floor"]["stream_seq"], 0);
        for upto in [1, 2] {
            let question = loop {
                let message = to.next().await;
                if status(&message) == "100 FlowControl Request" {
                    break message.reply.unwrap();
                }
                world.clock.advance(SECOND);
            };
            let last = upto.to_string();
            let headers = [("Nats-Last-Consumer", &*last), ("Nats-Last-Stream", &*last)];
            world.client.publish(&question, None, &headers, "");
            while world.info(&name).await["ack_floor"]["stream_seq"] != upto {
                world.clock.advance(SECOND / 10);
                neurite::platform::next_turn().await;
            }
        }
        // What says so otherwise is no acknowledgement.
        let ack = format!("$JS.ACK.S.{name}.1.1.1.0.0");
        assert_eq!(world.client.publish(&ack, Some("answer"), &[], "+ACK"), 0);
    }

    async fn headers_alone_and_no_faster_than_asked() {
        let world = World::new().await;
        let to = world.client.subscribe("to");
        world.client.store("s.a", &[("X", "y")], "hello").await;
        let config = json!({ "deliver_subject": "to", "ack_policy": "none", "headers_only": true });
        world.consumer(config).await;
        let message = to.next().await;
        assert!(message.payload.is_empty());
        assert_eq!((header(&message, "X"), header(&message, "Nats-Msg-Size")), (Some("y"), Some("5")));
        let slow = world.client.subscribe("slow");
        // Each message has some 20 bytes.
        let config = json!({ "deliver_subject": "slow", "ack_policy": "none", "rate_limit_bps": 100 });
        let name = world.consumer(config).await;
        slow.next().await;
        world.store(1).await;
        world.info(&name).await;
        assert!(slow.rest().is_empty());
        world.clock.advance(5 * SECOND);
        slow.next().await;
    }

    async fn who_is_not_used_goes() {
        let world = World::new().await;
        let advisories = world.client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.DELETED.>");
        let pull = world.consumer(json!({ "ack_policy": "explicit" })).await;
        world.clock.advance(4 * SECOND);
        let inbox = world.client.inbox();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.S.{pull}");
        let request = json!({ "expires": 10_000_000_000_u64 });
        world.client.publish(&subject, Some(&inbox.subject), &[], request.to_string());
        world.clock.advance(4 * SECOND);
        assert_eq!(world.info(&pull).await["num_waiting"], 1);
        drop(inbox);
        world.clock.advance(6 * SECOND);
        assert!(advisories.next().await.subject.ends_with(&pull));
        assert_eq!(world.info(&pull).await["error"]["err_code"], 10014);
        world.durable("D", json!({ "durable_name": "D", "ack_policy": "explicit" })).await;
        world.durable("E", json!({ "durable_name": "E", "inactive_threshold": 1_000_000_000 })).await;
        world.clock.advance(60 * SECOND);
        assert!(advisories.next().await.subject.ends_with(".E"));
        assert_eq!(world.info("D").await["name"], "D");
    }

    async fn what_is_pushed_goes_on_after_a_restart() {
        let world = World::new().await;
        world.durable("C", json!({ "durable_name": "C", "deliver_subject": "to", "ack_policy": "explicit" })).await;
        world.durable("M", json!({ "durable_name": "M", "ack_policy": "explicit", "mem_storage": true })).await;
        let to = world.client.subscribe("to");
        world.store(2).await;
        let first = to.next().await;
        to.next().await;
        world.client.ask(first.reply.as_deref().unwrap(), &[], "").await;
        drop(to);
        let world = world.again().await;
        let to = world.client.subscribe("to");
        assert_eq!(&*to.next().await.payload, b"m1");
        world.store(1).await;
        assert_eq!(&*to.next().await.payload, b"m0");
        assert_eq!(world.info("M").await["error"]["err_code"], 10014, "it was in memory only");
    }
}
