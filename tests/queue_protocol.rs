//! The NATS client protocol: what a client says and hears, byte by byte.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use futures::{StreamExt, channel::mpsc};
use neurite::queue::{
    CoreMessage, ManualClock, Queue, StreamConfig,
    protocol::{Connection, MAX_PAYLOAD, Outlet, Server, VERSION},
};

/// What the other end of a connection hears.
enum Heard {
    Frame(Vec<u8>),
    Closed(String),
}

struct Ear(mpsc::UnboundedSender<Heard>);

impl Outlet for Ear {
    fn send(&self, frame: &[u8]) {
        // A test that ended hears nothing any more.
        let _ = self.0.unbounded_send(Heard::Frame(frame.to_vec()));
    }

    fn closed(&self, reason: &str) {
        let _ = self.0.unbounded_send(Heard::Closed(reason.to_owned()));
    }
}

struct World {
    clock: ManualClock,
    queue: Queue,
    server: Server,
}

struct Client {
    connection: Connection,
    ear: mpsc::UnboundedReceiver<Heard>,
    info: serde_json::Value,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::new(1_000_000);
        let store = support::store().await;
        let queue = Queue::open_with(store, Rc::new(clock.clone())).await.unwrap();
        let server = Server::new(&queue);
        Self { clock, queue, server }
    }

    /// A client that has said nothing yet.
    async fn stranger(&self) -> Client {
        let (sender, mut ear) = mpsc::unbounded();
        let connection = self.server.connect(Ear(sender));
        let Some(Heard::Frame(info)) = ear.next().await else { panic!("INFO comes first") };
        let info = String::from_utf8(info).unwrap();
        let json = info.strip_prefix("INFO ").and_then(|info| info.strip_suffix("\r\n")).unwrap();
        Client { connection, ear, info: serde_json::from_str(json).unwrap() }
    }

    /// A client as the official ones are.
    async fn client(&self) -> Client {
        self.client_with(r#""verbose":false,"pedantic":false"#).await
    }

    async fn client_with(&self, more: &str) -> Client {
        let mut client = self.stranger().await;
        let connect = format!(r#"CONNECT {{"headers":true,"no_responders":true,{more}}}"#);
        let answer = client.ask(&format!("{connect}\r\n")).await;
        assert!(answer.is_empty() || answer == "+OK\r\n", "{answer}");
        client
    }

    fn publish(&self, subject: &str, payload: &str) -> usize {
        self.queue.broker().publish(&CoreMessage::new(subject, payload.to_owned()))
    }
}

impl Client {
    fn say(&self, bytes: &str) {
        self.connection.receive(bytes.as_bytes().to_vec());
    }

    /// Says it, and PING; what comes before the PONG.
    async fn ask(&mut self, bytes: &str) -> String {
        self.say(&format!("{bytes}PING\r\n"));
        self.hear_until("PONG\r\n").await
    }

    /// What comes before `end`.
    async fn hear_until(&mut self, end: &str) -> String {
        let mut heard = String::new();
        loop {
            match self.ear.next().await {
                Some(Heard::Frame(frame)) => heard.push_str(&String::from_utf8(frame).unwrap()),
                Some(Heard::Closed(reason)) => panic!("closed: {reason}, after {heard}"),
                None => panic!("gone after {heard}"),
            }
            if let Some(heard) = heard.strip_suffix(end) {
                return heard.to_owned();
            }
        }
    }

    /// What comes until the connection is closed, and why it was.
    async fn hear_end(&mut self) -> (String, String) {
        let mut heard = String::new();
        loop {
            match self.ear.next().await {
                Some(Heard::Frame(frame)) => heard.push_str(&String::from_utf8(frame).unwrap()),
                Some(Heard::Closed(reason)) => return (heard, reason),
                None => panic!("gone after {heard}"),
            }
        }
    }
}

tests! {
    async fn clients_do_not_publish_to_what_is_reserved() {
        let world = World::new().await;
        let config = StreamConfig {
            name: "OWN".into(),
            subjects: vec!["own.*".into()],
            ..StreamConfig::default()
        };
        world.queue.reserve_stream(config).await.unwrap();
        let mut client = world.client_with(r#""verbose":true,"pedantic":false"#).await;
        client.ask("SUB > 1\r\n").await;
        for said in [
            "PUB own.a 1\r\nx\r\n",
            "PUB own.a reply 1\r\nx\r\n",
            "HPUB own.a 12 13\r\nNATS/1.0\r\n\r\nx\r\n",
        ] {
            let answer = client.ask(said).await;
            assert_eq!(answer, "-ERR 'Permissions Violation for Publish to \"own.a\"'\r\n", "{said}");
        }
        assert_eq!(world.queue.stream_info("OWN").await.unwrap().state.last_seq, 0);
        assert_eq!(client.ask("PUB own.a.b 1\r\nx\r\n").await, "+OK\r\nMSG own.a.b 1 1\r\nx\r\n");
    }

    async fn info_says_what_the_server_is() {
        let world = World::new().await;
        let (one, two) = (world.stranger().await, world.stranger().await);
        assert_eq!(one.info["version"], VERSION);
        assert_eq!(one.info["proto"], 1);
        assert_eq!(one.info["headers"], true);
        assert_eq!(one.info["jetstream"], true);
        assert_eq!(one.info["api_lvl"], 4);
        assert_eq!(one.info["max_payload"], MAX_PAYLOAD);
        assert_eq!(one.info["server_id"], two.info["server_id"]);
        assert_ne!(one.info["client_id"], two.info["client_id"]);
        assert!(one.info.get("connect_urls").is_none());
    }

    async fn messages_reach_subscriptions_in_order() {
        let world = World::new().await;
        let (mut one, mut two) = (world.client().await, world.client().await);
        assert_eq!(one.ask("SUB a.* 1\r\nSUB a.> 22\r\n").await, "");
        let published = "PUB a.b 2\r\nhi\r\nPUB a.b.c r.s 0\r\n\r\nHPUB a.b 12 13\r\nNATS/1.0\r\n\r\n!\r\n";
        assert_eq!(two.ask(published).await, "");
        let heard = one.ask("").await;
        assert_eq!(heard.matches("MSG a.b 1 2\r\nhi\r\n").count(), 1);
        assert_eq!(heard.matches("MSG a.b 22 2\r\nhi\r\n").count(), 1);
        assert!(heard.contains("MSG a.b.c 22 r.s 0\r\n\r\n"));
        assert!(heard.contains("HMSG a.b 1 12 13\r\nNATS/1.0\r\n\r\n!\r\n"));
        assert!(heard.find("hi").unwrap() < heard.find("r.s").unwrap());
        assert_eq!(world.publish("a.x", "from inside"), 2);
        assert!(one.ask("").await.contains("MSG a.x 1 11\r\nfrom inside\r\n"));
        assert_eq!(one.ask("UNSUB 1\r\nUNSUB 22\r\nPUB a.b 0\r\n\r\n").await, "");
    }

    async fn a_client_without_headers_is_sent_none() {
        let world = World::new().await;
        let (mut one, mut two) = (world.stranger().await, world.client().await);
        assert_eq!(one.ask("CONNECT {\"verbose\":false}\r\nSUB a 1\r\n").await, "");
        two.ask("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n").await;
        assert_eq!(one.ask("").await, "MSG a 1 2\r\nhi\r\n");
    }

    async fn a_queue_group_shares_messages() {
        let world = World::new().await;
        let (mut one, mut two) = (world.client().await, world.client().await);
        one.ask("SUB work q 1\r\nSUB work 2\r\n").await;
        two.ask("SUB work q 1\r\n").await;
        for _ in 0..10 {
            assert_eq!(world.publish("work", ""), 2);
        }
        let (one, two) = (one.ask("").await, two.ask("").await);
        assert_eq!(one.matches("MSG work 2 0").count(), 10);
        assert_eq!(one.matches("MSG work 1 0").count() + two.matches("MSG work 1 0").count(), 10);
        assert!(two.contains("MSG work 1 0"));
    }

    async fn unsubscribing_after_a_number_counts_those_before() {
        let world = World::new().await;
        let mut client = world.client().await;
        let published = "PUB a 1\r\nx\r\n".repeat(4);
        let heard = client.ask(&format!("SUB a 1\r\nUNSUB 1 3\r\n{published}")).await;
        assert_eq!(heard.matches("MSG").count(), 3);
        // Two have been delivered: it ends at once, and its name can be used again.
        let heard = client.ask("SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1 2\r\nPUB a 0\r\n\r\n").await;
        assert_eq!(heard.matches("MSG").count(), 2);
        assert_eq!(client.ask("SUB a 1\r\nSUB b 1\r\nPUB b 0\r\n\r\nUNSUB 7\r\n").await, "");
        assert!(!world.queue.broker().has_interest("b"), "the second of a name is left out");
    }

    async fn who_asks_nobody_is_told() {
        let world = World::new().await;
        let mut client = world.client().await;
        let heard = client.ask("SUB in.* 5\r\nPUB nobody in.1 2\r\nhi\r\nPUB nobody 0\r\n\r\n").await;
        assert_eq!(heard, "HMSG in.1 5 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n");
        let mut other = world.stranger().await;
        other.ask("CONNECT {\"verbose\":false,\"headers\":true}\r\n").await;
        assert_eq!(other.ask("SUB in.* 5\r\nPUB nobody in.1 2\r\nhi\r\n").await, "");
    }

    async fn a_client_that_wants_no_echo_hears_others_only() {
        let world = World::new().await;
        let mut quiet = world.client_with(r#""verbose":false,"echo":false"#).await;
        let mut other = world.client().await;
        assert_eq!(quiet.ask("SUB a 1\r\nPUB a 0\r\n\r\n").await, "");
        other.ask("PUB a 1\r\nx\r\n").await;
        assert_eq!(quiet.ask("").await, "MSG a 1 1\r\nx\r\n");
        let heard = quiet.ask("SUB r 2\r\nPUB a r 0\r\n\r\n").await;
        assert!(heard.starts_with("HMSG r 2"), "nobody else is there to answer: {heard}");
    }

    async fn a_verbose_client_is_told_that_all_is_well() {
        let world = World::new().await;
        let mut client = world.client_with(r#""verbose":true,"pedantic":true"#).await;
        let heard = client.ask("SUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1\r\n").await;
        assert_eq!(heard, "+OK\r\n+OK\r\nMSG a 1 1\r\nx\r\n+OK\r\n");
        let heard = client.ask("PUB a.* 0\r\n\r\nSUB a..b 2\r\nSUB a.>.b 2\r\n").await;
        let invalid = "-ERR 'Invalid Subject'\r\n";
        assert_eq!(heard, format!("-ERR 'Invalid Publish Subject'\r\n{invalid}{invalid}"));
    }

    async fn what_is_no_command_ends_that_connection_alone() {
        let world = World::new().await;
        let cases = [
            ("FOO\r\n".to_owned(), "Unknown Protocol Operation"),
            ("PUB a\r\n".to_owned(), "Parser Error"),
            ("CONNECT {\r\n".to_owned(), "Parser Error"),
            (format!("SUB {}", "a".repeat(5000)), "maximum control line exceeded"),
            (format!("PUB a {}\r\n", MAX_PAYLOAD + 1), "Maximum Payload Violation"),
            ("CONNECT {\"no_responders\":true}\r\n".to_owned(), "no responders requires headers support"),
            ("CONNECT {\"verbose\":false}\r\nHPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n".to_owned(), "message headers not supported"),
        ];
        let mut other = world.client().await;
        for (bytes, error) in cases {
            let mut client = world.client().await;
            client.ask("SUB a 1\r\n").await;
            client.say(&format!("{bytes}PUB b 0\r\n\r\n"));
            let (heard, reason) = client.hear_end().await;
            assert_eq!(heard, format!("-ERR '{error}'\r\n"));
            assert_eq!(reason, error);
            assert!(!world.queue.broker().has_interest("a"), "its subscriptions end");
            assert_eq!(other.ask("").await, "");
        }
    }

    async fn what_is_sent_in_one_turn_goes_out_at_once() {
        let world = World::new().await;
        let mut client = world.client().await;
        client.ask("SUB a 1\r\n").await;
        for _ in 0..1000 {
            world.publish("a", "x");
        }
        let Some(Heard::Frame(frame)) = client.ear.next().await else { panic!("a frame") };
        assert_eq!(frame, b"MSG a 1 1\r\nx\r\n".repeat(1000));
    }

    async fn a_slow_reader_is_left() {
        let world = World::new().await;
        let (mut slow, quick) = (world.client().await, world.client().await);
        slow.ask("SUB a 1\r\n").await;
        quick.say("SUB a 1\r\n");
        let payload = "x".repeat(MAX_PAYLOAD);
        let mut taken = 0;
        let mut quick = quick;
        for _ in 0..100 {
            world.publish("a", &payload);
            let Some(Heard::Frame(frame)) = quick.ear.next().await else { panic!("a frame") };
            taken += frame.len() as u64;
            quick.connection.took(taken + 1000);
        }
        let (heard, reason) = slow.hear_end().await;
        assert_eq!(reason, "Slow Consumer");
        assert!(heard.ends_with("-ERR 'Slow Consumer'\r\n"));
        assert!((60 << 20..65 << 20).contains(&heard.len()), "{}", heard.len());
        assert_eq!(world.publish("a", ""), 1);
    }

    async fn a_client_that_does_not_answer_is_left() {
        let world = World::new().await;
        let mut there = world.client().await;
        let mut gone = world.client().await;
        let interval = Duration::from_secs(120);
        for round in 0..3 {
            world.clock.advance(interval);
            assert_eq!(there.hear_until("PING\r\n").await, "");
            there.say("PONG\r\n");
            if round < 2 {
                assert_eq!(gone.hear_until("PING\r\n").await, "");
            }
        }
        let (heard, reason) = gone.hear_end().await;
        assert_eq!((heard.as_str(), reason.as_str()), ("-ERR 'Stale Connection'\r\n", "Stale Connection"));
    }

    async fn a_client_may_ask_who_it_is() {
        let world = World::new().await;
        let mut client = world.client().await;
        let heard = client.ask("SUB in 1\r\nPUB $SYS.REQ.USER.INFO in 0\r\n\r\n").await;
        let json = heard.split("\r\n").nth(1).unwrap();
        let answer: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(answer["data"]["account"], "$G");
        assert_eq!(answer["server"]["ver"], VERSION);
        assert_eq!(answer["server"]["time"], "1970-01-01T00:16:40Z");
    }

    async fn all_are_told_when_the_server_ends() {
        let world = World::new().await;
        let mut clients = [world.client().await, world.client().await];
        clients[0].ask("SUB a 1\r\n").await;
        world.server.shut_down();
        for mut client in clients {
            assert_eq!(client.hear_end().await, (String::new(), "Server Shutdown".to_owned()));
        }
        assert!(!world.queue.broker().has_interest("a"));
    }
}
