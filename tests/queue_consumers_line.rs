//! Several pull requests that wait on one consumer: who gets which message, and how each ends.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{ManualClock, Queue};
use serde_json::{Value, json};
use support::{
    nats::{Client, Inbox, header, status},
    place::Place,
};

/// A client of a queue whose clock stands, with a stream `S` of `s.>` that has a consumer `C`.
struct World {
    client: Client,
    clock: ManualClock,
    _place: Place,
}

impl World {
    async fn new(config: Value) -> Self {
        let (place, clock) = (Place::new(), ManualClock::new(1_700_000_000_000));
        let queue = Queue::open_with(place.open().await, Rc::new(clock.clone())).await.unwrap();
        let world = Self { client: Client::new(queue), clock, _place: place };
        world.client.request("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
        let mut all = json!({ "durable_name": "C", "ack_policy": "explicit" });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let request = json!({ "stream_name": "S", "config": all });
        let made = world.client.request("CONSUMER.DURABLE.CREATE.S.C", request).await;
        assert!(made["error"].is_null(), "{made}");
        world
    }

    /// Publishes all at once.
    async fn store(&self, messages: &[&str]) {
        let inboxes: Vec<_> = messages
            .iter()
            .map(|message| {
                let inbox = self.client.inbox();
                self.client.publish("s.a", Some(&inbox.subject), &[], message.to_string());
                inbox
            })
            .collect();
        for inbox in inboxes {
            inbox.next().await;
        }
    }

    async fn info(&self) -> Value {
        self.client.request("CONSUMER.INFO.S.C", Value::Null).await
    }

    /// A request that has arrived.
    async fn pull(&self, request: Value) -> Inbox {
        let inbox = self.client.inbox();
        let subject = "$JS.API.CONSUMER.MSG.NEXT.S.C";
        self.client.publish(subject, Some(&inbox.subject), &[], request.to_string());
        self.info().await;
        inbox
    }

    async fn until_delivered(&self, count: u64) {
        for _ in 0..1000 {
            if self.info().await["delivered"]["consumer_seq"] == count {
                return;
            }
        }
        panic!("they were never delivered: {}", self.info().await);
    }
}

fn payloads(inbox: &Inbox) -> Vec<String> {
    let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).unwrap();
    inbox.rest().iter().map(|message| text(&message.payload)).collect()
}

const LONG: u64 = 60_000_000_000;

tests! {
    async fn each_message_goes_to_the_next_in_line() {
        let world = World::new(json!({})).await;
        let a = world.pull(json!({ "batch": 2, "expires": LONG })).await;
        let b = world.pull(json!({ "batch": 10, "expires": LONG })).await;
        let c = world.pull(json!({ "batch": 10, "expires": LONG })).await;
        world.store(&["0", "1", "2", "3", "4", "5", "6", "7"]).await;
        world.until_delivered(8).await;
        assert_eq!(payloads(&a), ["0", "3"]);
        assert_eq!(payloads(&b), ["1", "4", "6"]);
        assert_eq!(payloads(&c), ["2", "5", "7"]);
        // Those that wait on are where they were.
        world.store(&["8"]).await;
        world.until_delivered(9).await;
        assert_eq!(payloads(&b), ["8"]);
    }

    async fn who_leaves_is_passed_over() {
        let world = World::new(json!({})).await;
        let a = world.pull(json!({ "batch": 10, "expires": LONG })).await;
        let b = world.pull(json!({ "batch": 10, "expires": LONG })).await;
        drop(a);
        world.store(&["0", "1"]).await;
        world.until_delivered(2).await;
        assert_eq!(payloads(&b), ["0", "1"]);
        assert_eq!(world.info().await["num_redelivered"], 0);
    }

    async fn the_most_important_are_served_in_turn() {
        let config = json!({ "priority_groups": ["A"], "priority_policy": "prioritized" });
        let world = World::new(config).await;
        let request = |priority: u64| json!({ "batch": 2, "expires": LONG, "group": "A", "priority": priority });
        let last = world.pull(request(5)).await;
        let first = world.pull(request(1)).await;
        let second = world.pull(request(1)).await;
        world.store(&["0", "1", "2", "3", "4"]).await;
        world.until_delivered(5).await;
        assert_eq!(payloads(&first), ["0", "2"]);
        assert_eq!(payloads(&second), ["1", "3"]);
        assert_eq!(payloads(&last), ["4"]);
    }

    async fn what_overflows_is_served_while_it_does() {
        let config = json!({ "priority_groups": ["A"], "priority_policy": "overflow" });
        let world = World::new(config).await;
        world.store(&["0", "1", "2", "3", "4", "5", "6"]).await;
        let alone = world.pull(json!({ "batch": 7, "expires": LONG, "group": "A", "min_pending": 5 })).await;
        world.until_delivered(3).await;
        assert_eq!(payloads(&alone), ["0", "1", "2"]);
        world.store(&["7", "8"]).await;
        world.until_delivered(5).await;
        assert_eq!(payloads(&alone), ["3", "4"]);
    }

    async fn what_is_too_large_for_one_goes_to_the_next() {
        let world = World::new(json!({})).await;
        let small = world.pull(json!({ "batch": 5, "max_bytes": 60, "expires": LONG })).await;
        let large = world.pull(json!({ "batch": 5, "expires": LONG })).await;
        let text = "a message that is longer than that";
        world.store(&[text]).await;
        let end = small.next().await;
        assert_eq!(status(&end), "409 Message Size Exceeds MaxBytes");
        assert_eq!(header(&end, "Nats-Pending-Messages"), Some("5"));
        assert_eq!(header(&end, "Nats-Pending-Bytes"), Some("60"));
        assert_eq!(&*large.next().await.payload, text.as_bytes());
    }

    async fn bytes_are_counted_exactly() {
        let world = World::new(json!({})).await;
        world.store(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]).await;
        // Subject, acknowledgement subject and payload of the first two.
        let size = |ack: &str| 3 + ack.len() + 1;
        let first = size("$JS.ACK.S.C.1.1.1.1700000000000000000.10");
        let second = size("$JS.ACK.S.C.1.2.2.1700000000000000000.9");
        let request = world.pull(json!({ "batch": 5, "max_bytes": first + second })).await;
        world.until_delivered(2).await;
        // It is used up, which needs no word.
        assert_eq!(payloads(&request), ["0", "1"]);
    }

    async fn who_does_not_wait_is_not_let_before_those_who_do() {
        let world = World::new(json!({ "max_ack_pending": 1 })).await;
        let refused = |inbox: Inbox| async move { status(&inbox.next().await).to_owned() };
        let at_once = json!({ "batch": 1, "no_wait": true });
        assert_eq!(refused(world.pull(at_once.clone()).await).await, "404 No Messages");
        world.store(&["0", "1", "2"]).await;
        let waits = world.pull(json!({ "batch": 4, "expires": LONG })).await;
        world.until_delivered(1).await;
        // Two are there, and three are waited for.
        assert_eq!(refused(world.pull(at_once.clone()).await).await, "408 Requests Pending");
        world.store(&["3", "4"]).await;
        let patient = world.pull(at_once).await;
        assert!(patient.rest().is_empty());
        drop(waits);
    }

    async fn ends_tell_what_was_not_delivered() {
        let world = World::new(json!({})).await;
        world.store(&["0"]).await;
        let request = json!({ "batch": 3, "max_bytes": 1000, "expires": 1_000_000_000, "idle_heartbeat": 400_000_000 });
        let request = world.pull(request).await;
        world.until_delivered(1).await;
        let size = request.next().await;
        let left = 1000 - (size.subject.len() + size.reply.as_ref().unwrap().len() + size.payload.len());
        world.clock.advance(Duration::from_millis(400));
        let beat = request.next().await;
        assert_eq!(status(&beat), "100 Idle Heartbeat");
        assert_eq!((header(&beat, "Nats-Last-Consumer"), header(&beat, "Nats-Last-Stream")), (Some("1"), Some("1")));
        world.clock.advance(Duration::from_millis(600));
        let mut end = request.next().await;
        if status(&end) == "100 Idle Heartbeat" {
            end = request.next().await;
        }
        assert_eq!(status(&end), "408 Request Timeout");
        assert_eq!(header(&end, "Nats-Pending-Messages"), Some("2"));
        assert_eq!(header(&end, "Nats-Pending-Bytes"), Some(&*left.to_string()));
        let waits = world.pull(json!({ "batch": 3, "expires": LONG })).await;
        world.client.request("CONSUMER.DELETE.S.C", Value::Null).await;
        let end = waits.next().await;
        assert_eq!((status(&end), header(&end, "Nats-Pending-Messages")), ("409 Consumer Deleted", None));
    }

    async fn heartbeats_tell_how_far_the_stream_was_looked_at() {
        let world = World::new(json!({ "filter_subject": "s.b" })).await;
        world.store(&["0", "1"]).await;
        let request = json!({ "batch": 1, "expires": LONG, "idle_heartbeat": 1_000_000_000 });
        let request = world.pull(request).await;
        world.clock.advance(Duration::from_secs(1));
        let beat = request.next().await;
        assert_eq!((header(&beat, "Nats-Last-Consumer"), header(&beat, "Nats-Last-Stream")), (Some("0"), Some("2")));
        assert_eq!(world.info().await["delivered"]["stream_seq"], 0);
    }

    async fn who_needs_more_than_there_is_gets_no_messages() {
        let world = World::new(json!({})).await;
        let inbox = world.client.inbox();
        let headers = [("Nats-Required-Api-Level", "99")];
        world.client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(&inbox.subject), &headers, "1");
        assert_eq!(status(&inbox.next().await), "412 Required Api Level");
    }

    async fn a_consumer_pushes_to_its_own_group() {
        let world = World::new(json!({ "deliver_subject": "to", "deliver_group": "g" })).await;
        let bound = async || world.info().await["push_bound"] == true;
        let plain = world.client.subscribe("to");
        assert!(!bound().await);
        let other = world.client.queue.broker().subscribe("to", Some("other"), |_| {});
        world.store(&["0"]).await;
        assert!(!bound().await && plain.rest().is_empty());
        let pattern = world.client.queue.broker().subscribe("*", Some("g"), |_| {});
        assert!(!bound().await);
        let member = world.client.queue.broker().subscribe("to", Some("g"), |_| {});
        assert!(bound().await);
        plain.next().await;
        drop((member, other, pattern));
        assert!(!bound().await);
    }
}
