//! Streams against a plain model of them, with random operations, failures and kills.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::{collections::BTreeMap, time::Duration};

use neurite::{
    queue::{
        ConsumerConfig, Error, Headers, MessageRequest, Purge, Queue, StreamConfig, StreamSource,
    },
    store::{Batch, Error as StoreError, Submission, memory::Fault},
};
use proptest::prelude::*;
use support::queue::{World, header};

const SUBJECTS: [&str; 4] = ["s.a", "s.b", "s.c.x", "s.c.y"];
const FILTERS: [&str; 6] = ["s.a", "s.b", "s.c.x", "s.c.*", "s.*", ""];

#[derive(Clone, Debug)]
enum Operation {
    Publish(usize, Kind),
    /// Several in one batch of the store, which goes wrong so.
    Batch(Vec<(usize, Kind)>, Trouble),
    /// Several in one atomic batch.
    Atomic(Vec<(usize, Kind)>),
    Delete(u64),
    Purge(usize, u64, u64),
    Advance(u64),
    Limit(i64),
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    /// Expects this of the subject's last sequence number: what it is, or something else.
    Expecting(bool),
    Rollup,
    RollupAll,
    Ttl(u64),
    Id(u8),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    Drop,
    Fail,
    KillBefore,
    KillAfter,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => Just(Kind::Plain),
        3 => any::<bool>().prop_map(Kind::Expecting),
        2 => Just(Kind::Rollup),
        1 => Just(Kind::RollupAll),
        2 => (1u64..30).prop_map(Kind::Ttl),
        1 => (0u8..4).prop_map(Kind::Id),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let trouble = prop_oneof![
        2 => Just(Trouble::None),
        1 => Just(Trouble::Drop),
        1 => Just(Trouble::Fail),
        1 => Just(Trouble::KillBefore),
        1 => Just(Trouble::KillAfter),
    ];
    let several = || prop::collection::vec((0..4usize, kind()), 1..5);
    prop_oneof![
        8 => (0..4usize, kind()).prop_map(|(s, k)| Operation::Publish(s, k)),
        4 => (several(), trouble).prop_map(|(m, t)| Operation::Batch(m, t)),
        2 => several().prop_map(Operation::Atomic),
        2 => (1..40u64).prop_map(Operation::Delete),
        2 => (0..6usize, 0..40u64, 0..4u64).prop_map(|(f, s, k)| Operation::Purge(f, s, k)),
        2 => (1..20u64).prop_map(Operation::Advance),
        1 => prop_oneof![Just(-1i64), 1..4i64].prop_map(Operation::Limit),
        2 => Just(Operation::Kill),
    ]
}

#[derive(Clone, Default, Debug)]
struct Model {
    /// Sequence number → subject, and when it goes.
    messages: BTreeMap<u64, (&'static str, u64)>,
    last: u64,
    now: u64,
    limit: i64,
    /// Id → sequence number and time.
    ids: BTreeMap<u8, (u64, u64)>,
}

/// What a publish leads to.
#[derive(Debug, PartialEq)]
enum Outcome {
    Stored(u64),
    Duplicate(u64),
    Refused,
}

fn matches(filter: &str, subject: &str) -> bool {
    match filter {
        "" => true,
        "s.c.*" => subject.starts_with("s.c."),
        "s.*" => !subject.starts_with("s.c."),
        literal => literal == subject,
    }
}

impl Model {
    fn of(&self, subject: &str) -> Vec<u64> {
        let of = self.messages.iter().filter(|(_, (other, _))| *other == subject);
        of.map(|(sequence, _)| *sequence).collect()
    }

    fn last_of(&self, subject: &str) -> u64 {
        self.of(subject).last().copied().unwrap_or(0)
    }

    fn publish(&mut self, subject: &'static str, kind: Kind) -> Outcome {
        if let Kind::Id(id) = kind
            && let Some((sequence, time)) = self.ids.get(&id)
            && time + 120 > self.now
        {
            return Outcome::Duplicate(*sequence);
        }
        if kind == Kind::Expecting(false) {
            return Outcome::Refused;
        }
        self.last += 1;
        let goes = match kind {
            Kind::Ttl(seconds) => self.now + seconds,
            _ => u64::MAX,
        };
        match kind {
            Kind::Rollup => self.messages.retain(|_, (of, _)| *of != subject),
            Kind::RollupAll => self.messages.clear(),
            Kind::Id(id) => _ = self.ids.insert(id, (self.last, self.now)),
            _ => {}
        }
        self.messages.insert(self.last, (subject, goes));
        self.trim(subject);
        Outcome::Stored(self.last)
    }

    fn trim(&mut self, subject: &str) {
        if let Ok(limit @ 1..) = usize::try_from(self.limit) {
            let of = self.of(subject);
            for sequence in &of[..of.len().saturating_sub(limit)] {
                self.messages.remove(sequence);
            }
        }
    }

    fn headers(&self, subject: &str, kind: Kind) -> Headers {
        match kind {
            Kind::Plain => Headers::new(),
            Kind::Expecting(right) => {
                let last = self.last_of(subject) + u64::from(!right);
                header("Nats-Expected-Last-Subject-Sequence", last)
            }
            Kind::Rollup => header("Nats-Rollup", "sub"),
            Kind::RollupAll => header("Nats-Rollup", "all"),
            Kind::Ttl(seconds) => header("Nats-TTL", seconds),
            Kind::Id(id) => header("Nats-Msg-Id", id),
        }
    }

    fn purge(&mut self, filter: &str, seq: u64, keep: u64) -> u64 {
        let below = if seq == 0 { u64::MAX } else { seq };
        let mut going: Vec<_> = self
            .messages
            .iter()
            .filter(|(sequence, (subject, _))| **sequence < below && matches(filter, subject))
            .map(|(sequence, _)| *sequence)
            .collect();
        going.truncate(going.len().saturating_sub(keep as usize));
        for sequence in &going {
            self.messages.remove(sequence);
        }
        if filter.is_empty() && seq > self.last + 1 {
            self.last = seq - 1;
        }
        going.len() as u64
    }
}

fn told(ack: neurite::queue::Result<neurite::queue::PubAck>) -> Outcome {
    match ack {
        Ok(ack) if ack.duplicate => Outcome::Duplicate(ack.sequence),
        Ok(ack) => Outcome::Stored(ack.sequence),
        Err(Error { err_code: 10071, .. }) => Outcome::Refused,
        Err(cause) => panic!("{cause}"),
    }
}

fn config(limit: i64) -> StreamConfig {
    StreamConfig {
        name: "S".into(),
        subjects: vec!["s.>".into()],
        max_msgs_per_subject: limit,
        allow_rollup_hdrs: true,
        allow_msg_ttl: true,
        allow_atomic: true,
        ..StreamConfig::default()
    }
}

async fn run(operations: Vec<Operation>) {
    let mut world = World::on_disk().await;
    world.stream(config(-1)).await;
    let mirror = StreamSource { name: "S".into(), ..StreamSource::default() };
    world
        .stream(StreamConfig { name: "M".into(), mirror: Some(mirror), ..StreamConfig::default() })
        .await;
    let consumer = ConsumerConfig { durable_name: "c".into(), ..ConsumerConfig::default() };
    world.queue.create_consumer("S", consumer).await.unwrap();
    let mut model = Model { limit: -1, ..Model::default() };
    for operation in operations {
        world = step(world, &mut model, operation).await;
        let now = model.now;
        model.messages.retain(|_, (_, goes)| *goes > now);
        check(&world, &model).await;
    }
}

async fn step(world: World, model: &mut Model, operation: Operation) -> World {
    match operation {
        Operation::Publish(subject, kind) => {
            let (subject, headers) = (SUBJECTS[subject], model.headers(SUBJECTS[subject], kind));
            let ack = world.queue.publish_now(subject, &headers, "x").await;
            assert_eq!(told(ack), model.publish(subject, kind));
        }
        Operation::Batch(messages, trouble) => return batch(world, model, messages, trouble).await,
        Operation::Atomic(messages) => atomic(&world, model, messages).await,
        Operation::Delete(sequence) => {
            let deleted = world.queue.delete_message("S", sequence).await.is_ok();
            assert_eq!(deleted, model.messages.remove(&sequence).is_some());
        }
        Operation::Purge(filter, seq, keep) => {
            let keep = if seq > 0 { 0 } else { keep };
            let purge = Purge { filter: FILTERS[filter].into(), seq, keep };
            let purged = world.queue.purge_stream("S", &purge).await.unwrap();
            assert_eq!(purged, model.purge(FILTERS[filter], seq, keep));
        }
        Operation::Advance(seconds) => {
            world.clock.advance(Duration::from_secs(seconds));
            model.now += seconds;
        }
        Operation::Limit(limit) => {
            world.queue.update_stream(config(limit)).await.unwrap();
            // A subject without limit before is trimmed by its next message only.
            if limit < std::mem::replace(&mut model.limit, limit) {
                SUBJECTS.iter().for_each(|subject| model.trim(subject));
            }
        }
        Operation::Kill => return world.killed().await,
    }
    world
}

async fn prepare(queue: &Queue, messages: &[(usize, Kind)]) {
    for (subject, kind) in messages {
        // Whatever is expected, the subject is looked up.
        let headers = match kind {
            Kind::Expecting(_) => header("Nats-Expected-Last-Subject-Sequence", 0),
            _ => Headers::new(),
        };
        queue.prepare(SUBJECTS[*subject], &headers).await.unwrap();
    }
}

async fn batch(
    world: World,
    model: &mut Model,
    messages: Vec<(usize, Kind)>,
    trouble: Trouble,
) -> World {
    if messages.len().is_multiple_of(2)
        || messages.iter().any(|(_, kind)| matches!(kind, Kind::Expecting(_)))
    {
        prepare(&world.queue, &messages).await;
    }
    // Messages that were given out and are not there yet are as good as there to those after them.
    let mut after = model.clone();
    let mut empty = false;
    let fill = |batch: &mut Submission| {
        for (subject, kind) in messages {
            let (subject, headers) = (SUBJECTS[subject], after.headers(SUBJECTS[subject], kind));
            let ack = world.queue.publish(batch, subject, &headers, "x");
            assert_eq!(told(ack), after.publish(subject, kind));
        }
        empty = batch.is_empty();
    };
    // What the mirror writes is not to fail instead.
    for _ in 0..8 {
        world.settle().await;
    }
    match trouble {
        Trouble::None => {}
        Trouble::Drop => {
            world.drop_batch(fill);
            return world;
        }
        Trouble::Fail => world.disk().fault_after(0, Fault::Fail(StoreError::QuotaExceeded)),
        Trouble::KillBefore => world.disk().fault_after(0, Fault::KillBefore),
        Trouble::KillAfter => world.disk().fault_after(0, Fault::KillAfter),
    }
    let committed = world.commit(Batch::new(), fill).await;
    if empty {
        // Nothing was written: the fault is still to come.
        return world.killed().await;
    }
    assert_eq!(committed.is_ok(), trouble == Trouble::None);
    if matches!(trouble, Trouble::None | Trouble::KillAfter) {
        *model = after;
    }
    match trouble {
        Trouble::KillBefore | Trouble::KillAfter => world.killed().await,
        _ => world,
    }
}

async fn atomic(world: &World, model: &mut Model, messages: Vec<(usize, Kind)>) {
    let (heard, _subscription) = world.listen("inbox");
    let mut after = model.clone();
    let mut fits = true;
    let mut written: Vec<&str> = Vec::new();
    let count = messages.len();
    for (place, (subject, kind)) in messages.into_iter().enumerate() {
        let subject = SUBJECTS[subject];
        let place = place + 1;
        let mut headers = after
            .headers(subject, kind)
            .with("Nats-Batch-Id", "b")
            .with("Nats-Batch-Sequence", place.to_string());
        if place == count {
            headers = headers.with("Nats-Batch-Commit", "1");
        }
        fits &= match kind {
            Kind::Expecting(_) | Kind::Rollup => !written.contains(&subject),
            Kind::RollupAll => written.is_empty(),
            _ => true,
        };
        written.push(subject);
        fits &= matches!(after.publish(subject, kind), Outcome::Stored(_));
        world.send("S", subject, "inbox", &headers, "x");
    }
    world.until(|| heard.count() == count).await;
    let answer = heard.json().pop().unwrap();
    assert_eq!(answer["error"].is_null(), fits, "{answer}");
    if fits {
        assert_eq!((&answer["seq"], &answer["count"]), (&after.last.into(), &count.into()));
        *model = after;
    }
}

async fn check(world: &World, model: &Model) {
    let state = world.info("S").await.state;
    let expected: Vec<_> = model.messages.keys().copied().collect();
    // Before any message there is no first.
    let none = if model.last == 0 { 0 } else { model.last + 1 };
    let first = expected.first().copied().unwrap_or(none);
    assert_eq!((state.messages, state.last_seq), (expected.len() as u64, model.last));
    assert_eq!(state.first_seq, first);
    let bytes = 22 + 3 + 1 + 8;
    assert!(state.bytes >= bytes * state.messages && (state.messages > 0 || state.bytes == 0));
    assert_eq!(world.sequences("S").await, expected);
    let subjects = world.queue.stream_subjects("S", ">").await.unwrap();
    assert_eq!(state.num_subjects, subjects.len() as u64);
    for subject in SUBJECTS {
        let count = subjects.get(subject).copied().unwrap_or(0);
        assert_eq!(count, model.of(subject).len() as u64, "{subject}");
        let last = MessageRequest { last_by_subj: Some(subject.into()), ..Default::default() };
        let last = world.queue.get_message("S", &last).await.map_or(0, |message| message.sequence);
        assert_eq!(last, model.last_of(subject), "{subject}");
    }
    let consumer = world.queue.consumer("S", "c").unwrap();
    assert_eq!(consumer.info().num_pending, expected.len() as u64);
    // The mirror comes after, and loses nothing that is still there.
    for _ in 0..1000 {
        if world.info("M").await.state.last_seq >= expected.last().copied().unwrap_or(0) {
            break;
        }
        world.settle().await;
    }
    // It counts what it has taken, also while that is on its way to the disk.
    world.settle().await;
    let mirrored = world.sequences("M").await;
    assert!(
        expected.iter().all(|sequence| mirrored.contains(sequence)),
        "{mirrored:?} {expected:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: support::queue::cases(200), ..ProptestConfig::default() })]

    #[test]
    fn streams_do_what_the_model_does(operations in prop::collection::vec(operation(), 1..50)) {
        neurite::platform::run(run(operations));
    }
}
