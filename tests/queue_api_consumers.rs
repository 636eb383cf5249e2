//! `$JS.API.CONSUMER.>`, pulls, and acknowledgements as clients send them.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::queue::{ManualClock, Queue};
use serde_json::{Value, json};
use support::nats::{Client, header, status};

const START: u64 = 1_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A client of a queue with the stream S, which has `messages` messages, and the clock of that.
async fn with_messages(messages: usize) -> (Client, ManualClock) {
    let clock = ManualClock::new(START);
    let store = support::store().await;
    let client = Client::new(Queue::open_with(store, Rc::new(clock.clone())).await.unwrap());
    client.request("STREAM.CREATE.S", json!({ "name": "S", "subjects": ["s.>"] })).await;
    for n in 0..messages {
        client.store(&format!("s.{n}"), &[], &format!("message {n}")).await;
    }
    (client, clock)
}

async fn make(client: &Client, name: &str, config: Value) -> Value {
    let mut config = config;
    config["durable_name"] = json!(name);
    let request = json!({ "stream_name": "S", "config": config });
    let made = client.request(&format!("CONSUMER.DURABLE.CREATE.S.{name}"), request).await;
    assert!(made["error"].is_null(), "{made}");
    made
}

async fn info(client: &Client, name: &str) -> Value {
    client.request(&format!("CONSUMER.INFO.S.{name}"), Value::Null).await
}

tests! {
    async fn consumers_are_made_told_and_deleted() {
        let (client, _) = with_messages(3).await;
        let made = make(&client, "D", json!({ "ack_policy": "explicit" })).await;
        assert_eq!(made["type"], "io.nats.jetstream.api.v1.consumer_create_response");
        assert_eq!((&made["stream_name"], &made["name"]), (&json!("S"), &json!("D")));
        assert_eq!(made["num_pending"], 3);
        assert_eq!(made["config"]["max_waiting"], 512);
        assert_eq!(made["config"]["metadata"]["_nats.level"], "4");
        let again = info(&client, "D").await;
        assert_eq!(again["config"], made["config"]);
        assert_eq!(again["created"], made["created"]);
        let named = json!({ "stream_name": "S", "config": {
            "name": "F", "filter_subject": "s.1", "inactive_threshold": 60 * SECOND,
        } });
        let filtered = client.request("CONSUMER.CREATE.S.F.s.1", named).await;
        assert_eq!(filtered["num_pending"], 1);
        let anonymous = json!({ "stream_name": "S", "config": { "ack_policy": "none" } });
        let anonymous = client.request("CONSUMER.CREATE.S", anonymous).await;
        assert_eq!(anonymous["config"]["inactive_threshold"], 5 * SECOND);
        let names = client.request("CONSUMER.NAMES.S", Value::Null).await;
        assert_eq!(names["total"], 3);
        assert!(names["consumers"].as_array().unwrap().contains(&anonymous["name"]));
        let list = client.request("CONSUMER.LIST.S", json!({ "offset": 2 })).await;
        assert_eq!(list["consumers"].as_array().unwrap().len(), 1);
        assert_eq!((&list["total"], &list["limit"]), (&json!(3), &json!(256)));
        let deleted = client.request("CONSUMER.DELETE.S.D", Value::Null).await;
        assert_eq!(deleted["success"], true);
        for subject in ["CONSUMER.INFO.S.D", "CONSUMER.DELETE.S.D", "CONSUMER.PAUSE.S.D"] {
            assert_eq!(client.refusal(subject, Value::Null).await, 10014, "{subject}");
        }
        for subject in ["CONSUMER.INFO.N.D", "CONSUMER.NAMES.N", "CONSUMER.LIST.N"] {
            assert_eq!(client.refusal(subject, Value::Null).await, 10059, "{subject}");
        }
    }

    async fn subjects_and_requests_have_to_agree() {
        let (client, _) = with_messages(0).await;
        let refusal = async |subject: &str, config: Value| {
            let request = json!({ "stream_name": "S", "config": config });
            client.refusal(&format!("CONSUMER.{subject}"), request).await
        };
        assert_eq!(refusal("CREATE.T", json!({})).await, 10056);
        assert_eq!(refusal("CREATE.S", json!({ "durable_name": "D" })).await, 10020);
        assert_eq!(refusal("DURABLE.CREATE.S.D", json!({})).await, 10018);
        assert_eq!(refusal("DURABLE.CREATE.S.D", json!({ "durable_name": "E" })).await, 10017);
        assert_eq!(refusal("DURABLE.CREATE.S", json!({ "durable_name": "E" })).await, 10016);
        assert_eq!(refusal("CREATE.S.D", json!({ "durable_name": "E" })).await, 10017);
        assert_eq!(refusal("CREATE.S.a/b", json!({ "name": "a/b" })).await, 10127);
        let filters = json!({ "name": "D", "filter_subjects": ["s.a", "s.b"] });
        assert_eq!(refusal("CREATE.S.D.s.a", filters).await, 10137);
        let other = json!({ "name": "D", "filter_subject": "s.b" });
        assert_eq!(refusal("CREATE.S.D.s.a", other).await, 10131);
        assert_eq!(refusal("CREATE.S", json!({ "ack_wiat": 1 })).await, 10025);
        assert_eq!(refusal("LEADER.STEPDOWN.S.D", json!({})).await, 10010);
        let request = json!({ "stream_name": "S", "config": { "name": "D" }, "action": "update" });
        assert_eq!(client.refusal("CONSUMER.CREATE.S.D", request.clone()).await, 10149);
        let mut create = request;
        create["action"] = json!("create");
        client.request("CONSUMER.CREATE.S.D", create.clone()).await;
        create["config"]["description"] = json!("other");
        assert_eq!(client.refusal("CONSUMER.CREATE.S.D", create).await, 10148);
    }

    async fn messages_are_pulled_and_acknowledged() {
        let (client, clock) = with_messages(5).await;
        make(&client, "C", json!({ "ack_policy": "explicit", "ack_wait": 10 * SECOND })).await;
        let inbox = client.inbox();
        let pull = |request: Value| {
            let to = Some(&*inbox.subject);
            assert_eq!(client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", to, &[], request.to_string()), 1);
        };
        pull(json!({ "batch": 3 }));
        let mut messages = Vec::new();
        for n in 0..3 {
            let message = inbox.next().await;
            assert_eq!(&*message.payload, format!("message {n}").as_bytes());
            messages.push(message);
        }
        let time = START * 1_000_000;
        assert_eq!(messages[1].reply.as_deref(), Some(&*format!("$JS.ACK.S.C.1.2.2.{time}.3")));
        // Answered when it is durable.
        let acknowledge = async |nth: usize, payload: &str| {
            let to = messages[nth].reply.clone().unwrap();
            client.ask(&to, &[], payload.to_owned()).await
        };
        assert!(acknowledge(0, "+ACK").await.payload.is_empty());
        let told = info(&client, "C").await;
        assert_eq!((&told["num_ack_pending"], &told["num_pending"]), (&json!(2), &json!(2)));
        assert_eq!(told["ack_floor"]["stream_seq"], 1);
        acknowledge(1, "-NAK").await;
        acknowledge(2, "+TERM").await;
        pull(json!(1));
        let again = inbox.next().await;
        assert_eq!(again.reply.as_deref(), Some(&*format!("$JS.ACK.S.C.2.2.4.{time}.2")));
        // What is not acknowledged comes again.
        clock.advance(Duration::from_secs(11));
        pull(json!({ "batch": 1, "no_wait": true }));
        let again = inbox.next().await;
        assert_eq!(again.reply.as_deref(), Some(&*format!("$JS.ACK.S.C.3.2.5.{time}.2")));
        // The next one with the acknowledgement of this one.
        client.publish(again.reply.as_deref().unwrap(), Some(&inbox.subject), &[], "+NXT");
        assert_eq!(&*inbox.next().await.payload, b"message 3");
        pull(json!({ "batch": 9, "no_wait": true }));
        assert_eq!(&*inbox.next().await.payload, b"message 4");
    }

    async fn pulls_end_with_a_status() {
        let (client, clock) = with_messages(1).await;
        make(&client, "C", json!({ "ack_policy": "explicit", "max_batch": 5, "max_waiting": 1 })).await;
        let inbox = client.inbox();
        let pull = |request: &str| {
            client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(&inbox.subject), &[], request.to_owned());
        };
        pull("1");
        inbox.next().await;
        pull(r#"{"no_wait":true}"#);
        assert_eq!(status(&inbox.next().await), "404 No Messages");
        pull("{");
        assert!(status(&inbox.next().await).starts_with("400 Bad Request"));
        pull(r#"{"batch":6}"#);
        assert_eq!(status(&inbox.next().await), "409 Exceeded MaxRequestBatch of 5");
        pull(r#"{"batch":3,"expires":5000000000,"idle_heartbeat":1000000000}"#);
        pull(r#"{"batch":1,"expires":5000000000}"#);
        assert_eq!(status(&inbox.next().await), "409 Exceeded MaxWaiting");
        clock.advance(Duration::from_secs(1));
        assert_eq!(status(&inbox.next().await), "100 Idle Heartbeat");
        clock.advance(Duration::from_secs(5));
        let end = loop {
            let message = inbox.next().await;
            if status(&message) != "100 Idle Heartbeat" {
                break message;
            }
        };
        assert_eq!(status(&end), "408 Request Timeout");
        assert_eq!(header(&end, "Nats-Pending-Messages"), Some("3"));
        pull(r#"{"batch":1,"expires":5000000000}"#);
        client.request("CONSUMER.DELETE.S.C", Value::Null).await;
        assert_eq!(status(&inbox.next().await), "409 Consumer Deleted");
        // Nobody takes pulls for what is not there.
        for consumer in ["S.C", "N.C"] {
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{consumer}");
            assert_eq!(client.publish(&subject, Some("r"), &[], ""), 0);
        }
    }

    async fn messages_are_pushed() {
        let (client, _) = with_messages(3).await;
        let to = client.subscribe("to.me");
        let config = json!({ "deliver_subject": "to.me", "ack_policy": "explicit" });
        make(&client, "P", config).await;
        for n in 0..3 {
            let message = to.next().await;
            assert_eq!((&*message.subject, &*message.payload), (&*format!("s.{n}"), format!("message {n}").as_bytes()));
        }
        assert_eq!(info(&client, "P").await["push_bound"], true);
        client.store("s.more", &[("A", "b")], "").await;
        assert_eq!(header(&to.next().await, "A"), Some("b"));
    }

    async fn consumers_are_paused_and_put_back() {
        let (client, clock) = with_messages(3).await;
        make(&client, "C", json!({ "ack_policy": "explicit" })).await;
        let paused = json!({ "pause_until": "2001-09-09T02:00:00Z" });
        let paused = client.request("CONSUMER.PAUSE.S.C", paused).await;
        assert_eq!(paused["type"], "io.nats.jetstream.api.v1.consumer_pause_response");
        assert_eq!((&paused["paused"], &paused["pause_until"]), (&json!(true), &json!("2001-09-09T02:00:00Z")));
        assert_eq!(paused["pause_remaining"], 800 * SECOND);
        assert_eq!(info(&client, "C").await["paused"], true);
        let inbox = client.inbox();
        client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(&inbox.subject), &[], "2");
        clock.advance(Duration::from_secs(801));
        inbox.next().await;
        let resumed = client.request("CONSUMER.PAUSE.S.C", Value::Null).await;
        assert_eq!(resumed["paused"], false);
        let put_back = client.request("CONSUMER.RESET.S.C", json!({ "seq": 2 })).await;
        assert_eq!(put_back["type"], "io.nats.jetstream.api.v1.consumer_reset_response");
        assert_eq!((&put_back["reset_seq"], &put_back["num_pending"]), (&json!(2), &json!(2)));
        assert_eq!(client.refusal("CONSUMER.RESET.S.N", Value::Null).await, 10014);
    }

    async fn groups_are_unpinned() {
        let (client, _) = with_messages(3).await;
        let config = json!({
            "ack_policy": "explicit", "priority_policy": "pinned_client", "priority_groups": ["g"],
        });
        make(&client, "C", config).await;
        let inbox = client.inbox();
        let request = json!({ "batch": 1, "group": "g" }).to_string();
        client.publish("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(&inbox.subject), &[], request);
        let pinned = inbox.next().await;
        assert!(header(&pinned, "Nats-Pin-Id").is_some());
        let unpinned = client.request("CONSUMER.UNPIN.S.C", json!({ "group": "g" })).await;
        assert_eq!(unpinned, json!({ "type": "io.nats.jetstream.api.v1.consumer_unpin_response" }));
        assert_eq!(client.refusal("CONSUMER.UNPIN.S.C", json!({ "group": "h" })).await, 10160);
        assert_eq!(client.refusal("CONSUMER.UNPIN.S.C", json!({ "group": "h h" })).await, 10162);
        assert_eq!(client.refusal("CONSUMER.UNPIN.S.C", json!({})).await, 10025);
    }

    async fn whoever_wants_to_hears_of_consumers() {
        let (client, _) = with_messages(0).await;
        let advisories = client.subscribe("$JS.EVENT.ADVISORY.CONSUMER.>");
        make(&client, "C", json!({})).await;
        client.request("CONSUMER.DELETE.S.C", Value::Null).await;
        for (verb, action) in [("CREATED", "create"), ("DELETED", "delete")] {
            let heard = advisories.next().await;
            assert_eq!(&*heard.subject, format!("$JS.EVENT.ADVISORY.CONSUMER.{verb}.S.C"));
            let event: Value = serde_json::from_slice(&heard.payload).unwrap();
            assert_eq!(event["type"], "io.nats.jetstream.advisory.v1.consumer_action");
            assert_eq!((&event["stream"], &event["consumer"], &event["action"]), (&json!("S"), &json!("C"), &json!(action)));
        }
        assert!(advisories.rest().is_empty());
    }
}
