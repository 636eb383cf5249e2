//! The queue against a plain model of it, with random operations, failures and kills.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use neurite::{
    queue::{ConsumerConfig, Headers, ManualClock, Message, Queue, Retention, StreamConfig},
    store::{
        Batch, Error, Options, Store, Submission,
        memory::{Disk, Fault},
    },
};
use proptest::prelude::*;

const ACK_WAIT: u64 = 10;
const MAX_ACK_PENDING: usize = 6;
const SUBJECTS: [&str; 2] = ["s.a", "s.b"];
/// Name, subjects and how often a message is delivered, of each consumer.
const CONSUMERS: [(&str, &[&str], Option<u64>); 3] =
    [("all", &SUBJECTS, None), ("a", &["s.a"], Some(3)), ("b", &["s.b"], None)];

#[derive(Clone, Debug)]
enum Operation {
    Publish(usize),
    Fetch(usize, usize),
    Finish(usize, usize, End),
    Delete(u64),
    Advance(u64),
    /// Acknowledges what a consumer has at hand and publishes, in one batch that goes wrong so.
    Fault(usize, usize, Trouble),
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Ack,
    Term,
    Nak(u64),
    Progress,
    AckInDroppedBatch,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    Fail,
    KillBefore,
    KillAfter,
}

fn operation() -> impl Strategy<Value = Operation> {
    let end = prop_oneof![
        6 => Just(End::Ack),
        1 => Just(End::Term),
        1 => Just(End::Nak(0)),
        1 => (1u64..20).prop_map(End::Nak),
        1 => Just(End::Progress),
        1 => Just(End::AckInDroppedBatch),
    ];
    let trouble = prop_oneof![
        Just(Trouble::None),
        Just(Trouble::Fail),
        Just(Trouble::KillBefore),
        Just(Trouble::KillAfter),
    ];
    prop_oneof![
        6 => (0..2usize).prop_map(Operation::Publish),
        6 => (0..3usize, 1..5usize).prop_map(|(c, n)| Operation::Fetch(c, n)),
        6 => (0..3usize, 0..8usize, end).prop_map(|(c, n, end)| Operation::Finish(c, n, end)),
        1 => (1..30u64).prop_map(Operation::Delete),
        2 => (1..15u64).prop_map(Operation::Advance),
        2 => (0..3usize, 0..2usize, trouble).prop_map(|(c, s, t)| Operation::Fault(c, s, t)),
        1 => Just(Operation::Kill),
    ]
}

#[derive(Clone, Default)]
struct Consumer {
    cursor: u64,
    /// Sequence number → deliveries, when it is due again, whether that was asked for.
    pending: BTreeMap<u64, (u64, u64, bool)>,
}

#[derive(Default)]
struct Model {
    messages: BTreeMap<u64, &'static str>,
    last: u64,
    now: u64,
    consumers: BTreeMap<usize, Consumer>,
    /// The consumers as they are stored.
    stored: BTreeMap<usize, Consumer>,
}

fn takes(consumer: usize, subject: &str) -> bool {
    CONSUMERS[consumer].1.contains(&subject)
}

impl Model {
    fn publish(&mut self, subject: &'static str) {
        self.last += 1;
        self.messages.insert(self.last, subject);
    }

    fn store(&mut self, consumer: usize) {
        self.stored.insert(consumer, self.consumers[&consumer].clone());
    }

    fn finish(&mut self, consumer: usize, sequences: &[u64], retention: Retention, keep: bool) {
        for sequence in sequences {
            self.consumers.get_mut(&consumer).unwrap().pending.remove(sequence);
            let Some(subject) = self.messages.get(sequence).copied() else { continue };
            let needed = self.consumers.iter().any(|(id, other)| {
                takes(*id, subject)
                    && (*sequence >= other.cursor || other.pending.contains_key(sequence))
            });
            let goes = match retention {
                Retention::Limits => false,
                Retention::WorkQueue => !keep,
                Retention::Interest => !needed,
            };
            if goes {
                self.messages.remove(sequence);
            }
        }
        self.store(consumer);
    }

    fn fetch(&mut self, consumer: usize, max: usize, retention: Retention) -> Vec<(u64, u64)> {
        let now = self.now;
        let max_deliver = CONSUMERS[consumer].2.unwrap_or(u64::MAX);
        let due = |of: &Consumer| {
            let mut due: Vec<_> = of
                .pending
                .iter()
                .filter(|(_, (_, at, _))| *at <= now)
                .map(|(sequence, (times, at, _))| (*at, *sequence, *times))
                .collect();
            due.sort_unstable();
            due
        };
        let exhausted: Vec<_> = due(&self.consumers[&consumer])
            .into_iter()
            .filter(|(_, _, times)| *times >= max_deliver)
            .map(|(_, sequence, _)| sequence)
            .collect();
        if !exhausted.is_empty() {
            self.finish(consumer, &exhausted, retention, true);
        }
        let of = self.consumers.get_mut(&consumer).unwrap();
        let mut fetched = Vec::new();
        for (_, sequence, times) in due(of).into_iter().take(max) {
            of.pending.insert(sequence, (times + 1, now + ACK_WAIT, false));
            fetched.push((sequence, times + 1));
        }
        for (sequence, subject) in self.messages.range(of.cursor..) {
            if fetched.len() == max || of.pending.len() == MAX_ACK_PENDING {
                break;
            }
            if takes(consumer, subject) {
                of.pending.insert(*sequence, (1, now + ACK_WAIT, false));
                of.cursor = sequence + 1;
                fetched.push((*sequence, 1));
            }
        }
        if max_deliver != u64::MAX && !fetched.is_empty() {
            self.store(consumer);
        }
        fetched
    }

    fn delete(&mut self, sequence: u64) -> bool {
        let deleted = self.messages.remove(&sequence).is_some();
        if deleted {
            for id in self.consumers.keys().copied().collect::<Vec<_>>() {
                let pending = &mut self.consumers.get_mut(&id).unwrap().pending;
                if pending.remove(&sequence).is_some() {
                    self.store(id);
                }
            }
        }
        deleted
    }

    fn reopen(&mut self) {
        self.consumers = self.stored.clone();
        for consumer in self.consumers.values_mut() {
            for (_, at, delayed) in consumer.pending.values_mut() {
                if !*delayed {
                    *at = 0;
                }
            }
        }
    }

    fn num_pending(&self, consumer: usize) -> u64 {
        let from = self.consumers[&consumer].cursor;
        let matching = |(_, subject): &(&u64, &&str)| takes(consumer, subject);
        self.messages.range(from..).filter(matching).count() as u64
    }
}

/// The queue and the messages at hand of each consumer.
struct World {
    disk: Disk,
    clock: ManualClock,
    store: Store,
    queue: Queue,
    hands: BTreeMap<usize, Vec<Message>>,
}

impl World {
    async fn open(disk: Disk, clock: ManualClock) -> Self {
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        let queue = Queue::open_with(store.clone(), Rc::new(clock.clone())).await.unwrap();
        Self { disk, clock, store, queue, hands: BTreeMap::new() }
    }

    fn consumer(&self, consumer: usize) -> neurite::queue::Consumer {
        self.queue.consumer("S", CONSUMERS[consumer].0).unwrap()
    }

    async fn settle(&self) {
        self.store.commit(Batch::new()).await.unwrap();
    }
}

async fn run(retention: Retention, operations: Vec<Operation>) {
    let mut world = World::open(Disk::new(), ManualClock::new(0)).await;
    let config = StreamConfig {
        name: "S".into(),
        subjects: vec!["s.*".into()],
        retention,
        ..Default::default()
    };
    world.queue.create_stream(config).await.unwrap();
    let mut model = Model::default();
    // Consumers of a work queue share no subject.
    let first = usize::from(retention == Retention::WorkQueue);
    for (id, (name, subjects, max_deliver)) in CONSUMERS.iter().enumerate().skip(first) {
        let config = ConsumerConfig {
            durable_name: (*name).into(),
            filter_subjects: subjects.iter().map(|subject| (*subject).into()).collect(),
            ack_wait: Duration::from_secs(ACK_WAIT),
            max_deliver: max_deliver.map_or(-1, |times| times as i64),
            max_ack_pending: MAX_ACK_PENDING as i64,
            ..Default::default()
        };
        world.queue.create_consumer("S", config).await.unwrap();
        model.consumers.insert(id, Consumer { cursor: 1, ..Default::default() });
        model.store(id);
    }
    for operation in operations {
        step(&mut world, &mut model, retention, operation).await;
        check(&world, &model).await;
    }
}

async fn step(world: &mut World, model: &mut Model, retention: Retention, operation: Operation) {
    match operation {
        Operation::Publish(subject) => {
            let subject = SUBJECTS[subject];
            let answer = world.queue.publish_now(subject, &Headers::new(), "x").await.unwrap();
            model.publish(subject);
            assert_eq!(answer.sequence, model.last);
        }
        Operation::Fetch(consumer, max) if model.consumers.contains_key(&consumer) => {
            let messages = world.consumer(consumer).fetch(max, Duration::ZERO).await.unwrap();
            let fetched: Vec<_> =
                messages.iter().map(|m| (m.stream_sequence, m.num_delivered)).collect();
            assert_eq!(fetched, model.fetch(consumer, max, retention));
            world.hands.entry(consumer).or_default().extend(messages);
            world.settle().await;
        }
        Operation::Finish(consumer, place, end) => {
            finish(world, model, retention, consumer, place, end).await;
        }
        Operation::Delete(sequence) => {
            let deleted = world.queue.delete_message("S", sequence).await.is_ok();
            assert_eq!(deleted, model.delete(sequence));
        }
        Operation::Advance(seconds) => {
            world.clock.advance(Duration::from_secs(seconds));
            model.now += seconds;
        }
        Operation::Fault(consumer, subject, trouble) if model.consumers.contains_key(&consumer) => {
            fault(world, model, retention, consumer, SUBJECTS[subject], trouble).await;
        }
        Operation::Kill => kill(world, model).await,
        Operation::Fetch(..) | Operation::Fault(..) => {}
    }
}

async fn finish(
    world: &mut World,
    model: &mut Model,
    retention: Retention,
    consumer: usize,
    place: usize,
    end: End,
) {
    let hand = world.hands.entry(consumer).or_default();
    if hand.is_empty() {
        return;
    }
    let message = hand.remove(place % hand.len());
    let sequence = message.stream_sequence;
    let mut batch = Batch::new();
    let entry = model.consumers.get_mut(&consumer).unwrap().pending.get_mut(&sequence);
    match end {
        End::Ack => message.ack(&mut batch),
        End::Term => message.term(&mut batch),
        End::AckInDroppedBatch => {
            message.ack(&mut batch);
            drop(batch);
            return;
        }
        End::Nak(seconds) => message.nak((seconds > 0).then(|| Duration::from_secs(seconds))),
        End::Progress => message.in_progress(),
    }
    match (end, entry) {
        (_, None) => {}
        (End::Nak(seconds), Some(entry)) => {
            (entry.1, entry.2) = (model.now + seconds, seconds > 0);
            if seconds > 0 {
                model.store(consumer);
            }
        }
        (End::Progress, Some(entry)) => (entry.1, entry.2) = (model.now + ACK_WAIT, false),
        (_, Some(_)) => model.finish(consumer, &[sequence], retention, false),
    }
    world.store.commit(batch).await.unwrap();
}

async fn fault(
    world: &mut World,
    model: &mut Model,
    retention: Retention,
    consumer: usize,
    subject: &'static str,
    trouble: Trouble,
) {
    let mut batch = Batch::new();
    let hand = world.hands.remove(&consumer).unwrap_or_default();
    Message::ack_all(&hand, &mut batch);
    match trouble {
        Trouble::None => {}
        // Without room what was acknowledged would come again only after a while.
        Trouble::Fail => world.disk.fault_after(0, Fault::Fail(Error::Backend(String::new()))),
        Trouble::KillBefore => world.disk.fault_after(0, Fault::KillBefore),
        Trouble::KillAfter => world.disk.fault_after(0, Fault::KillAfter),
    }
    let publish =
        |batch: &mut Submission| world.queue.publish(batch, subject, &Headers::new(), "y");
    let committed = world.store.commit_with(batch, publish).await;
    assert_eq!(committed.is_ok(), trouble == Trouble::None);
    let durable = matches!(trouble, Trouble::None | Trouble::KillAfter);
    let sequences: BTreeSet<_> = hand.iter().map(|message| message.stream_sequence).collect();
    let pending = &mut model.consumers.get_mut(&consumer).unwrap().pending;
    let sequences: Vec<_> =
        sequences.into_iter().filter(|sequence| pending.contains_key(sequence)).collect();
    if durable {
        model.publish(subject);
        if !sequences.is_empty() {
            model.finish(consumer, &sequences, retention, false);
        }
    } else {
        for sequence in sequences {
            pending.get_mut(&sequence).unwrap().1 = model.now;
        }
    }
    if matches!(trouble, Trouble::KillBefore | Trouble::KillAfter) {
        kill(world, model).await;
    }
}

async fn kill(world: &mut World, model: &mut Model) {
    world.disk.kill();
    *world = World::open(world.disk.clone(), world.clock.clone()).await;
    model.reopen();
}

async fn check(world: &World, model: &Model) {
    let info = world.queue.stream_info("S").await.unwrap();
    assert_eq!(info.state.messages, model.messages.len() as u64);
    assert_eq!(info.state.last_seq, model.last);
    // Nothing was ever in it: there is no first.
    let none = if model.last == 0 { 0 } else { model.last + 1 };
    let first = model.messages.keys().next().copied().unwrap_or(none);
    assert_eq!(info.state.first_seq, first);
    for (id, expected) in &model.consumers {
        let info = world.consumer(*id).info();
        assert_eq!(info.num_pending, model.num_pending(*id), "{}", info.name);
        assert_eq!(info.num_ack_pending, expected.pending.len());
        if let Some(first) = expected.pending.keys().next() {
            assert_eq!(info.ack_floor.stream_seq, first - 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(300), ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_the_model_does(
        retention in prop_oneof![
            Just(Retention::Limits), Just(Retention::Interest), Just(Retention::WorkQueue)
        ],
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        neurite::platform::run(run(retention, operations));
    }
}
