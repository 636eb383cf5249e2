//! How pull requests end, who is pinned, and what becomes of acknowledgements over a restart.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{CoreMessage, ManualClock, Queue};
use serde_json::{Value, json};
use support::{
    nats::{Client, Inbox, header, status},
    place::Place,
};

const SECOND: Duration = Duration::from_secs(1);

/// A client of a queue whose clock stands, with a stream `S` of `s.>`.
struct World {
    place: Place,
    client: Client,
    clock: ManualClock,
}

impl World {
    async fn new(retention: &str) -> Self {
        let world = Self::open(Place::new(), ManualClock::new(1_700_000_000_000)).await;
        let stream = json!({ "name": "S", "subjects": ["s.>"], "retention": retention });
        world.client.request("STREAM.CREATE.S", stream).await;
        world
    }

    async fn open(place: Place, clock: ManualClock) -> Self {
        let queue = Queue::open_with(place.open().await, Rc::new(clock.clone())).await.unwrap();
        Self { place, client: Client::new(queue), clock }
    }

    async fn again(self) -> Self {
        Self::open(self.place, self.clock).await
    }

    async fn store(&self, subject: &str, count: usize) {
        for n in 0..count {
            self.client.store(subject, &[], &format!("m{n}")).await;
        }
    }

    async fn consumer(&self, config: Value) {
        let mut all = json!({ "durable_name": "C", "ack_policy": "explicit" });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let request = json!({ "stream_name": "S", "config": all });
        let made = self.client.request("CONSUMER.DURABLE.CREATE.S.C", request).await;
        assert!(made["error"].is_null(), "{made}");
    }

    async fn info(&self) -> Value {
        self.client.request("CONSUMER.INFO.S.C", Value::Null).await
    }

    fn pull(&self, request: Value) -> Inbox {
        let inbox = self.client.inbox();
        let request = request.to_string();
        self.client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(&inbox.subject), &[], request);
        inbox
    }

    /// The status that a request ends with at once.
    async fn refusal(&self, request: Value) -> String {
        status(&self.pull(request).next().await).to_owned()
    }
}

fn ack_of(message: &CoreMessage) -> &str {
    message.reply.as_deref().unwrap()
}

tests! {
    async fn requests_end_when_they_have_what_they_asked_for() {
        let world = World::new("limits").await;
        world.store("s.a", 3).await;
        world.consumer(json!({})).await;
        // Not all of the bytes were needed.
        let request = world.pull(json!({ "batch": 1, "max_bytes": 10_000 }));
        let size = {
            let message = request.next().await;
            message.subject.len() + ack_of(&message).len() + message.payload.len()
        };
        let end = request.next().await;
        assert_eq!(status(&end), "409 Batch Completed");
        assert_eq!(header(&end, "Nats-Pending-Messages"), Some("0"));
        assert_eq!(header(&end, "Nats-Pending-Bytes"), Some(&*(10_000 - size).to_string()));
        // With a time to wait, a request is for the first messages that there are.
        let request = world.pull(json!({ "batch": 5, "no_wait": true, "expires": 5_000_000_000_u64 }));
        assert_eq!(&*request.next().await.payload, b"m1");
        assert_eq!(&*request.next().await.payload, b"m2");
        assert_eq!(status(&request.next().await), "404 No Messages");
        let request = world.pull(json!({ "batch": 5, "no_wait": true, "expires": 5_000_000_000_u64 }));
        world.info().await;
        assert!(request.rest().is_empty());
        world.store("s.a", 1).await;
        assert_eq!(&*request.next().await.payload, b"m0");
        assert_eq!(status(&request.next().await), "404 No Messages");
        world.client.request("CONSUMER.DELETE.S.C", Value::Null).await;
    }

    async fn requests_are_refused_for_what_the_consumer_is_not() {
        let world = World::new("limits").await;
        world.consumer(json!({})).await;
        let refused = world.refusal(json!({ "batch": 1, "group": "A", "min_pending": 1 })).await;
        assert_eq!(refused, "400 Bad Request - Not a Overflow Priority consumer");
        let refused = world.refusal(json!({ "batch": 1, "group": "A", "id": "x" })).await;
        assert_eq!(refused, "400 Bad Request - Not a Pinned Client Priority consumer");
        let refused = world.refusal(json!({ "batch": 1, "priority": 10 })).await;
        assert_eq!(refused, "400 Bad Request - Priority must be between 0 and 9");
        // An acknowledgement that asks for what can't be asked for acknowledges.
        world.store("s.a", 1).await;
        let message = world.pull(json!({ "batch": 1 })).next().await;
        let refused = world.client.ask(ack_of(&message), &[], r#"+NXT {"batch":"#).await;
        assert!(status(&refused).starts_with("400 Bad Request"));
        while world.info().await["num_ack_pending"] != 0 {}
    }

    async fn who_is_served_first_is_pinned() {
        let world = World::new("limits").await;
        world.consumer(json!({ "priority_groups": ["A"], "priority_policy": "pinned_client" })).await;
        // Who got nothing has no id, and can't be told from others.
        let first = world.pull(json!({ "batch": 1, "group": "A", "expires": 1_000_000_000 }));
        world.info().await;
        world.clock.advance(SECOND);
        assert_eq!(status(&first.next().await), "408 Request Timeout");
        let second = world.pull(json!({ "batch": 1, "group": "A" }));
        world.store("s.a", 1).await;
        let message = second.next().await;
        let id = header(&message, "Nats-Pin-Id").unwrap();
        // Whoever is not pinned any longer is told so.
        let waits = world.pull(json!({ "batch": 1, "group": "A", "id": id, "expires": 60_000_000_000_u64 }));
        world.info().await;
        world.client.request("CONSUMER.UNPIN.S.C", json!({ "group": "A" })).await;
        assert_eq!(status(&waits.next().await), "423 Nats-Wrong-Pin-Id");
    }

    async fn a_consumer_stays_while_what_it_delivered_may_be_worked_on() {
        let world = World::new("limits").await;
        world.store("s.a", 1).await;
        let second = SECOND.as_nanos() as u64;
        world.consumer(json!({ "inactive_threshold": second, "ack_wait": 60 * second })).await;
        let got = world.pull(json!({ "batch": 1, "no_wait": true })).next().await;
        assert_eq!(&*got.payload, b"m0");
        world.clock.advance(SECOND * 60);
        for _ in 0..50 {
            neurite::platform::next_turn().await;
        }
        assert_eq!(world.info().await["num_ack_pending"], 1);
        world.clock.advance(SECOND + SECOND / 2);
        while world.info().await["error"].is_null() {
            neurite::platform::next_turn().await;
        }
        assert_eq!(world.info().await["error"]["err_code"], 10014);
    }

    async fn what_two_filters_match_comes_once_and_counts_once() {
        let world = World::new("limits").await;
        for subject in ["s.a.x", "s.x.b", "s.a.b", "s.c.d"] {
            world.store(subject, 1).await;
        }
        world.consumer(json!({ "filter_subjects": ["s.a.*", "s.*.b"] })).await;
        assert_eq!(world.info().await["num_pending"], 3);
        world.store("s.a.b", 1).await;
        assert_eq!(world.info().await["num_pending"], 4);
        let inbox = world.pull(json!({ "batch": 9, "no_wait": true }));
        let mut subjects = Vec::new();
        loop {
            let message = inbox.next().await;
            if !status(&message).is_empty() {
                break;
            }
            subjects.push(message.subject.to_string());
        }
        assert_eq!(subjects, ["s.a.x", "s.x.b", "s.a.b", "s.a.b"]);
        assert_eq!(world.info().await["num_pending"], 0);
    }

    async fn a_pause_is_no_business_of_making_a_consumer_again() {
        let world = World::new("limits").await;
        let until = "2200-01-01T00:00:00Z";
        world.consumer(json!({ "pause_until": until })).await;
        world.consumer(json!({})).await;
        assert_eq!(world.info().await["config"]["pause_until"], until);
        let resumed = world.client.request("CONSUMER.PAUSE.S.C", json!({})).await;
        assert_eq!(resumed["paused"], false);
        world.consumer(json!({ "pause_until": until })).await;
        assert_eq!(world.info().await["config"]["pause_until"], Value::Null);
    }

    async fn a_purge_moves_consumers_on() {
        let world = World::new("limits").await;
        for n in 0..6 {
            world.store(&format!("s.{}", n % 2), 1).await;
        }
        world.consumer(json!({ "filter_subject": "s.1" })).await;
        world.client.request("STREAM.PURGE.S", json!({ "filter": "s.0" })).await;
        assert_eq!(world.info().await["delivered"]["stream_seq"], 0);
        world.client.request("STREAM.PURGE.S", json!({ "filter": "s.*", "keep": 1 })).await;
        let info = world.info().await;
        assert_eq!((&info["delivered"]["stream_seq"], &info["num_pending"]), (&json!(5), &json!(1)));
        world.client.request("STREAM.PURGE.S", Value::Null).await;
        let info = world.info().await;
        assert_eq!((&info["delivered"]["stream_seq"], &info["num_pending"]), (&json!(6), &json!(0)));
        assert_eq!(info["ack_floor"]["stream_seq"], 6);
        world.store("s.1", 1).await;
        let got = world.pull(json!({ "batch": 1, "no_wait": true })).next().await;
        assert!(ack_of(&got).starts_with("$JS.ACK.S.C.1.7.1."), "{}", ack_of(&got));
    }

    async fn what_goes_before_it_is_acknowledged_is_told() {
        let world = World::new("limits").await;
        let told = world.client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>");
        world.store("s.a", 2).await;
        world.consumer(json!({})).await;
        let inbox = world.pull(json!({ "batch": 2, "no_wait": true }));
        inbox.next().await;
        inbox.next().await;
        world.client.request("STREAM.MSG.DELETE.S", json!({ "seq": 1 })).await;
        let advisory: Value = serde_json::from_slice(&told.next().await.payload).unwrap();
        assert_eq!((&advisory["stream_seq"], &advisory["deliveries"]), (&json!(1), &json!(1)));
        assert_eq!(advisory["reason"], "Unacknowledged message was deleted");
        world.client.request("STREAM.PURGE.S", Value::Null).await;
        assert_eq!(world.info().await["num_ack_pending"], 0);
        assert!(told.rest().is_empty());
    }

    async fn the_end_of_a_pause_is_told() {
        let world = World::new("limits").await;
        let advisories = world.client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.PAUSE.S.C");
        world.consumer(json!({})).await;
        world.client.request("CONSUMER.PAUSE.S.C", json!({ "pause_until": "2023-11-14T22:13:30Z" })).await;
        let paused: Value = serde_json::from_slice(&advisories.next().await.payload).unwrap();
        assert_eq!(paused["paused"], true);
        world.clock.advance(10 * SECOND);
        let goes_on: Value = serde_json::from_slice(&advisories.next().await.payload).unwrap();
        assert_eq!(goes_on["paused"], false);
    }

    async fn what_was_delivered_before_a_restart_can_be_acknowledged_after_it() {
        for retention in ["workqueue", "interest"] {
            let world = World::new(retention).await;
            world.consumer(json!({})).await;
            world.store("s.a", 3).await;
            let request = world.pull(json!({ "batch": 3 }));
            let messages = [request.next().await, request.next().await, request.next().await];
            drop(request);
            // That these were delivered is known with the acknowledgement of one.
            world.client.ask(ack_of(&messages[0]), &[], "").await;
            let world = world.again().await;
            world.client.ask(ack_of(&messages[1]), &[], "+ACK").await;
            let state = world.client.request("STREAM.INFO.S", Value::Null).await["state"].clone();
            assert_eq!((&state["messages"], &state["first_seq"]), (&json!(1), &json!(3)));
            let left = world.pull(json!({ "batch": 1 })).next().await;
            assert_eq!(&*left.payload, b"m2");
        }
    }

    async fn what_is_not_known_to_be_delivered_is_not_confirmed() {
        let world = World::new("limits").await;
        world.consumer(json!({})).await;
        world.store("s.a", 1).await;
        let message = world.pull(json!({ "batch": 1 })).next().await;
        let world = world.again().await;
        let answer = world.client.inbox();
        world.client.publish(ack_of(&message), Some(&answer.subject), &[], "+ACK");
        let again = world.pull(json!({ "batch": 1 })).next().await;
        assert_eq!(&*again.payload, b"m0");
        world.client.ask(ack_of(&again), &[], "").await;
        assert!(answer.rest().is_empty());
    }

    async fn a_delay_may_be_written_as_in_go() {
        let world = World::new("limits").await;
        world.consumer(json!({})).await;
        world.store("s.a", 1).await;
        let message = world.pull(json!({ "batch": 1 })).next().await;
        world.client.ask(ack_of(&message), &[], "-NAK 1m30s").await;
        let again = world.pull(json!({ "batch": 1 }));
        world.clock.advance(89 * SECOND);
        world.info().await;
        assert!(again.rest().is_empty());
        world.clock.advance(SECOND);
        again.next().await;
    }

    async fn few_among_many_are_found() {
        let world = World::new("limits").await;
        world.store("s.a", 1).await;
        for _ in 0..3 {
            world.store("s.other.b", 150).await;
            world.store("s.a", 1).await;
        }
        for filters in [json!(["s.a"]), json!(["s.*"]), json!(["s.a", "s.b"])] {
            world.consumer(json!({ "filter_subjects": filters })).await;
            let request = world.pull(json!({ "batch": 10, "no_wait": true }));
            for sequence in [1, 152, 303, 454] {
                let message = request.next().await;
                let subject = format!("$JS.ACK.S.C.1.{sequence}.");
                assert!(ack_of(&message).starts_with(&subject), "{message:?}");
            }
            assert_eq!(status(&request.next().await), "404 No Messages");
            world.client.request("CONSUMER.DELETE.S.C", Value::Null).await;
        }
    }

    async fn headers_alone_are_delivered_inside_the_program_too() {
        let world = World::new("limits").await;
        world.consumer(json!({ "headers_only": true })).await;
        world.store("s.a", 1).await;
        let consumer = world.client.queue.consumer("S", "C").unwrap();
        let messages = consumer.fetch(1, Duration::ZERO).await.unwrap();
        assert!(messages[0].payload.is_empty());
        assert_eq!(messages[0].headers.get("Nats-Msg-Size"), Some("2"));
    }

    async fn a_reset_consumer_begins_with_its_first_number() {
        let world = World::new("interest").await;
        world.consumer(json!({})).await;
        world.store("s.a", 5).await;
        let request = world.pull(json!({ "batch": 3 }));
        for _ in 0..2 {
            world.client.ask(ack_of(&request.next().await), &[], "").await;
        }
        let reset = world.client.request("CONSUMER.RESET.S.C", Value::Null).await;
        assert_eq!((&reset["reset_seq"], &reset["num_pending"]), (&json!(3), &json!(3)));
        for place in ["delivered", "ack_floor"] {
            assert_eq!((&reset[place]["consumer_seq"], &reset[place]["stream_seq"]), (&json!(0), &json!(2)));
        }
        let message = world.pull(json!({ "batch": 1 })).next().await;
        assert!(ack_of(&message).starts_with("$JS.ACK.S.C.1.3.1."), "{message:?}");
        let world = world.again().await;
        assert_eq!(world.info().await["ack_floor"]["stream_seq"], 2);
        // What it passes over nobody needs.
        world.client.request("CONSUMER.RESET.S.C", json!({ "seq": 5 })).await;
        let message = world.pull(json!({ "batch": 1 })).next().await;
        assert!(ack_of(&message).starts_with("$JS.ACK.S.C.1.5.1."), "{message:?}");
        let state = world.client.request("STREAM.INFO.S", Value::Null).await["state"].clone();
        assert_eq!((&state["messages"], &state["first_seq"]), (&json!(1), &json!(5)));
    }
}
