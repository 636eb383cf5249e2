//! Consumers as clients have them, with random requests, failures and kills: what was confirmed as
//! acknowledged never comes again, everything else does.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use neurite::{
    platform,
    queue::{CoreMessage, ManualClock, Queue, Retention},
    store::{
        Batch, Error, Options, Store,
        memory::{Disk, Fault},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::nats::{Client, Inbox, status};

const ACK_WAIT: u64 = 10;
const SUBJECTS: [&str; 2] = ["s.a", "s.b"];
/// Name, filter, and what an acknowledgement stands for. Consumers of a work queue are the last two.
const CONSUMERS: [(&str, &str, &str); 4] = [
    ("floor", "s.>", "all"),
    ("every", "s.>", "explicit"),
    ("a", "s.a", "explicit"),
    ("b", "s.b", "explicit"),
];

#[derive(Clone, Debug)]
enum Operation {
    Publish(usize),
    Pull(usize, u64),
    Answer(usize, usize, Word),
    /// An acknowledgement and a publish whose commit goes wrong so.
    Fault(usize, usize, Trouble),
    Advance(u64),
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Ack,
    /// Nobody waits until it is durable.
    AckBlindly,
    /// And the next message is asked for.
    AckNext,
    Nak(u64),
    Progress,
    Term,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Fail,
    KillBefore,
    KillAfter,
}

fn operation() -> impl Strategy<Value = Operation> {
    let word = prop_oneof![
        6 => Just(Word::Ack),
        2 => Just(Word::AckBlindly),
        2 => Just(Word::AckNext),
        1 => Just(Word::Nak(0)),
        1 => (1u64..20).prop_map(Word::Nak),
        1 => Just(Word::Progress),
        1 => Just(Word::Term),
    ];
    let trouble =
        prop_oneof![Just(Trouble::Fail), Just(Trouble::KillBefore), Just(Trouble::KillAfter)];
    prop_oneof![
        6 => (0..2usize).prop_map(Operation::Publish),
        6 => (0..4usize, 1..5u64).prop_map(|(c, n)| Operation::Pull(c, n)),
        8 => (0..4usize, 0..8usize, word).prop_map(|(c, n, w)| Operation::Answer(c, n, w)),
        1 => (0..4usize, 0..8usize, trouble).prop_map(|(c, n, t)| Operation::Fault(c, n, t)),
        2 => (1..15u64).prop_map(Operation::Advance),
        1 => Just(Operation::Kill),
    ]
}

/// What is known of a consumer from outside.
#[derive(Default)]
struct Known {
    /// Delivered and not answered.
    hand: Vec<CoreMessage>,
    /// Confirmed as acknowledged, and acknowledged without anybody knowing whether it was heard.
    confirmed: BTreeSet<u64>,
    perhaps: BTreeSet<u64>,
    delivered: BTreeSet<u64>,
    /// The highest sequence number that was delivered since the last kill.
    newest: u64,
}

impl Known {
    /// What the acknowledgement of a message acknowledges.
    fn stands_for(&self, consumer: usize, sequence: u64) -> Vec<u64> {
        let first = if CONSUMERS[consumer].2 == "all" { 0 } else { sequence };
        self.delivered.range(first..=sequence).copied().collect()
    }
}

struct World {
    disk: Disk,
    clock: ManualClock,
    store: Store,
    client: Client,
    retention: Retention,
    known: BTreeMap<usize, Known>,
    /// Sequence number → subject, of what was acknowledged to the publisher.
    stored: BTreeMap<u64, &'static str>,
}

fn takes(consumer: usize, subject: &str) -> bool {
    matches!((CONSUMERS[consumer].1, subject), ("s.>", _) | ("s.a", "s.a") | ("s.b", "s.b"))
}

/// Deliveries, stream sequence and pending of a delivered message.
fn place(message: &CoreMessage) -> (u64, u64, u64) {
    let subject = message.reply.as_deref().unwrap();
    let numbers: Vec<u64> =
        subject.split('.').skip(4).map(|token| token.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[4])
}

async fn open(disk: &Disk, clock: &ManualClock) -> (Store, Client) {
    let store = Store::open_memory(disk, Options::default()).await.unwrap();
    let queue = Queue::open_with(store.clone(), Rc::new(clock.clone())).await.unwrap();
    (store, Client::new(queue))
}

impl World {
    async fn new(retention: Retention) -> Self {
        let (disk, clock) = (Disk::new(), ManualClock::new(1_000_000));
        let (store, client) = open(&disk, &clock).await;
        let stream = json!({ "name": "S", "subjects": ["s.>"], "retention": retention });
        client.request("STREAM.CREATE.S", stream).await;
        let first = if retention == Retention::WorkQueue { 2 } else { 0 };
        let mut known = BTreeMap::new();
        for (id, (name, filter, policy)) in CONSUMERS.iter().enumerate().skip(first) {
            let config = json!({
                "durable_name": name, "filter_subject": filter, "ack_policy": policy,
                "ack_wait": ACK_WAIT * 1_000_000_000,
            });
            let request = json!({ "stream_name": "S", "config": config });
            let made = client.request(&format!("CONSUMER.CREATE.S.{name}.{filter}"), request).await;
            assert!(made["error"].is_null(), "{made}");
            known.insert(id, Known::default());
        }
        let stored = BTreeMap::new();
        Self { disk, clock, store, client, retention, known, stored }
    }

    async fn info(&self, consumer: usize) -> Value {
        let name = CONSUMERS[consumer].0;
        self.client.request(&format!("CONSUMER.INFO.S.{name}"), Value::Null).await
    }

    fn delivered(&self, consumer: usize) -> u64 {
        let consumer = self.client.queue.consumer("S", CONSUMERS[consumer].0).unwrap();
        consumer.info().delivered.stream_seq
    }

    /// Ends everything at once and opens what the disk holds; the clients keep what they have.
    async fn kill(&mut self) {
        self.disk.kill();
        (self.store, self.client) = open(&self.disk, &self.clock).await;
        for consumer in self.known.keys().copied().collect::<Vec<_>>() {
            // Whatever was delivered and is not known any longer is new again.
            let newest = self.delivered(consumer);
            self.known.get_mut(&consumer).unwrap().newest = newest;
        }
    }

    async fn step(&mut self, operation: Operation) {
        match operation {
            Operation::Publish(subject) => self.publish(SUBJECTS[subject]).await,
            Operation::Pull(consumer, batch) if self.known.contains_key(&consumer) => {
                self.pull(consumer, batch).await;
            }
            Operation::Answer(consumer, place, word) if self.known.contains_key(&consumer) => {
                self.answer(consumer, place, word).await;
            }
            Operation::Fault(consumer, place, trouble) if self.known.contains_key(&consumer) => {
                self.fail(consumer, place, trouble).await;
            }
            Operation::Advance(seconds) => self.clock.advance(Duration::from_secs(seconds)),
            Operation::Kill => self.kill().await,
            Operation::Pull(..) | Operation::Answer(..) | Operation::Fault(..) => {}
        }
    }

    async fn publish(&mut self, subject: &'static str) {
        let ack = self.client.store(subject, &[], "x").await;
        let sequence = ack["seq"].as_u64().unwrap();
        assert!(self.stored.insert(sequence, subject).is_none());
    }

    async fn fail(&mut self, consumer: usize, place: usize, trouble: Trouble) {
        let fault = match trouble {
            // Without room what was acknowledged would come again only after a while.
            Trouble::Fail => Fault::Fail(Error::Backend(String::new())),
            Trouble::KillBefore => Fault::KillBefore,
            Trouble::KillAfter => Fault::KillAfter,
        };
        self.disk.fault_after(0, fault);
        self.answer(consumer, place, Word::AckBlindly).await;
        let inbox = self.client.inbox();
        self.client.publish(SUBJECTS[0], Some(&inbox.subject), &[], "x");
        // Whoever is awaited here comes after both.
        while matches!(trouble, Trouble::Fail) && inbox.rest().is_empty() {
            platform::sleep(Duration::ZERO).await;
        }
        for _ in 0..4 {
            // Which commit it was that failed is seen from what is there.
            let _ = self.store.commit(Batch::new()).await;
        }
        if !matches!(trouble, Trouble::Fail) {
            self.kill().await;
        }
        let info = self.client.request("STREAM.INFO.S", Value::Null).await;
        let last = info["state"]["last_seq"].as_u64().unwrap();
        let known = self.stored.last_key_value().map_or(0, |(sequence, _)| *sequence);
        assert!(last <= known + 1);
        if last > known {
            self.stored.insert(last, SUBJECTS[0]);
        }
    }

    async fn pull(&mut self, consumer: usize, batch: u64) -> u64 {
        let inbox = self.client.inbox();
        let name = CONSUMERS[consumer].0;
        let request = json!({ "batch": batch, "no_wait": true }).to_string();
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.S.{name}");
        self.client.publish(&subject, Some(&inbox.subject), &[], request);
        self.take(consumer, &inbox, batch).await
    }

    /// Takes what comes to a request until it ends; how many messages.
    async fn take(&mut self, consumer: usize, inbox: &Inbox, batch: u64) -> u64 {
        let mut count = 0;
        while count < batch {
            let message = inbox.next().await;
            if message.reply.is_none() {
                assert_eq!(status(&message), "404 No Messages");
                break;
            }
            count += 1;
            self.heard(consumer, message);
        }
        count
    }

    fn heard(&mut self, consumer: usize, message: CoreMessage) {
        let (deliveries, sequence, pending) = place(&message);
        let known = self.known.get_mut(&consumer).unwrap();
        let name = CONSUMERS[consumer].0;
        assert!(!known.confirmed.contains(&sequence), "{name}: {sequence} comes again");
        assert!(takes(consumer, &message.subject));
        assert_eq!(self.stored.get(&sequence), Some(&&*message.subject));
        if deliveries == 1 {
            // What is new comes in the order of the stream, and the rest is told.
            assert!(sequence > known.newest, "{name}: {sequence} after {}", known.newest);
            let skipped = self.stored.range(known.newest + 1..sequence);
            assert_eq!(skipped.filter(|(_, subject)| takes(consumer, subject)).count(), 0);
            let rest = self.stored.range(sequence + 1..);
            let rest = rest.filter(|(_, subject)| takes(consumer, subject)).count();
            assert_eq!(pending, rest as u64, "{name}: after {sequence}");
            known.newest = sequence;
        }
        known.delivered.insert(sequence);
        known.hand.push(message);
    }

    async fn answer(&mut self, consumer: usize, place_in_hand: usize, word: Word) {
        let known = self.known.get_mut(&consumer).unwrap();
        if known.hand.is_empty() {
            return;
        }
        let message = known.hand.remove(place_in_hand % known.hand.len());
        let (_, sequence, _) = place(&message);
        let to = message.reply.as_deref().unwrap();
        let text = match word {
            Word::Ack | Word::AckBlindly => "+ACK".to_owned(),
            Word::AckNext => r#"+NXT {"batch":1,"no_wait":true}"#.to_owned(),
            Word::Nak(0) => "-NAK".to_owned(),
            Word::Nak(seconds) => format!(r#"-NAK {{"delay":{}}}"#, seconds * 1_000_000_000),
            Word::Progress => "+WPI".to_owned(),
            Word::Term => "+TERM no use".to_owned(),
        };
        match word {
            Word::AckBlindly => {
                self.client.publish(to, None, &[], text);
                self.note_perhaps(consumer, sequence);
            }
            Word::AckNext => {
                let inbox = self.client.inbox();
                self.client.publish(to, Some(&inbox.subject), &[], text);
                self.note_perhaps(consumer, sequence);
                self.take(consumer, &inbox, 1).await;
            }
            // It was delivered, and is not known to have been.
            _ if self.delivered(consumer) < sequence => {
                self.client.publish(to, Some("nobody"), &[], text);
            }
            _ => {
                let answer = self.client.ask(to, &[], text).await;
                assert!(answer.payload.is_empty());
                if matches!(word, Word::Ack | Word::Term) {
                    let known = self.known.get_mut(&consumer).unwrap();
                    known.confirmed.extend(known.stands_for(consumer, sequence));
                }
            }
        }
    }

    fn note_perhaps(&mut self, consumer: usize, sequence: u64) {
        let known = self.known.get_mut(&consumer).unwrap();
        known.perhaps.extend(known.stands_for(consumer, sequence));
    }

    /// Takes and acknowledges everything: nothing is missing.
    async fn drain(&mut self) {
        self.kill().await;
        for consumer in self.known.keys().copied().collect::<Vec<_>>() {
            // What was put off is due by now.
            self.clock.advance(Duration::from_secs(100));
            while self.pull(consumer, 4).await > 0 {
                while !self.known[&consumer].hand.is_empty() {
                    self.answer(consumer, 0, Word::Ack).await;
                }
            }
            let known = &self.known[&consumer];
            for (sequence, subject) in &self.stored {
                let there = known.confirmed.contains(sequence) || known.perhaps.contains(sequence);
                assert!(there || !takes(consumer, subject), "{sequence} never came");
            }
            let info = self.info(consumer).await;
            assert_eq!(
                (info["num_pending"].as_u64(), info["num_ack_pending"].as_u64()),
                (Some(0), Some(0))
            );
        }
        let info = self.client.request("STREAM.INFO.S", Value::Null).await;
        let left = if self.retention == Retention::Limits { self.stored.len() as u64 } else { 0 };
        assert_eq!(info["state"]["messages"].as_u64(), Some(left));
    }
}

async fn run(retention: Retention, operations: Vec<Operation>) {
    let mut world = World::new(retention).await;
    for operation in operations {
        world.step(operation).await;
    }
    world.drain().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(200), max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn what_is_confirmed_never_comes_again_and_everything_else_does(
        retention in prop_oneof![
            Just(Retention::Limits), Just(Retention::Interest), Just(Retention::WorkQueue)
        ],
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        platform::run(run(retention, operations));
    }
}
