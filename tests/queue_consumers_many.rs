//! Consumers that have much pending: what is pending is stored in many rows then.

#[macro_use]
mod support;

use std::{collections::BTreeSet, time::Duration};

use neurite::{
    queue::{Consumer, ConsumerConfig, Headers, Message, Purge, StreamConfig},
    store::{Batch, Direction, Error, Key, KeyRange, Submission, Table, memory::Fault},
};
use support::queue::{World, stream};

const MANY: usize = 3000;

async fn fill(world: &World, count: usize) {
    let publish = |batch: &mut Submission| {
        for _ in 0..count {
            world.queue.publish(batch, "s.a", &Headers::new(), "x").unwrap();
        }
    };
    world.commit(Batch::new(), publish).await.unwrap();
}

/// A consumer that `count` messages are delivered of, and acknowledged none.
async fn delivered(count: usize) -> (World, Vec<Message>) {
    let world = World::on_disk().await;
    world.stream(StreamConfig { max_bytes: -1, ..stream("s") }).await;
    fill(&world, count).await;
    let config = ConsumerConfig {
        durable_name: "c".into(),
        max_ack_pending: 100_000,
        ..ConsumerConfig::default()
    };
    let consumer = world.queue.create_consumer("S", config).await.unwrap();
    let messages = consumer.fetch(count, Duration::ZERO).await.unwrap();
    assert_eq!(messages.len(), count);
    (world, messages)
}

fn consumer(world: &World) -> Consumer {
    world.queue.consumer("S", "c").unwrap()
}

async fn rows(world: &World) -> usize {
    let range = KeyRange::prefix(Key::new().u64(1));
    let table = Table::QueueConsumerStates;
    world.store.scan(table, range, Direction::Forward, usize::MAX).await.unwrap().len()
}

async fn again(world: &World) -> BTreeSet<u64> {
    let messages = consumer(world).fetch(2 * MANY, Duration::ZERO).await.unwrap();
    messages.iter().map(|message| message.stream_sequence).collect()
}

tests! {
    async fn what_is_pending_is_known_after_a_kill() {
        let (world, messages) = delivered(MANY).await;
        let acknowledged = |sequence: u64| sequence.is_multiple_of(3);
        let some: Vec<_> = messages.into_iter().filter(|m| acknowledged(m.stream_sequence)).collect();
        for part in some.chunks(100) {
            let mut batch = Batch::new();
            Message::ack_all(part, &mut batch);
            world.store.commit(batch).await.unwrap();
        }
        assert!(rows(&world).await > 3);
        let expected = (1..=MANY as u64).filter(|sequence| !acknowledged(*sequence));
        let world = world.killed().await;
        assert_eq!(consumer(&world).info().num_ack_pending, 2 * MANY / 3);
        assert_eq!(again(&world).await, expected.collect());
    }

    async fn what_failed_to_be_written_is_written_with_the_next() {
        let (world, messages) = delivered(MANY).await;
        messages[0].ack_now().await.unwrap();
        for at in [600, 1200, 1800] {
            world.disk().fault_after(0, Fault::Fail(Error::QuotaExceeded));
            assert!(messages[at].ack_now().await.is_err());
            fill(&world, 1).await;
            // Delivered since, and not told to the store before.
            consumer(&world).fetch(1, Duration::ZERO).await.unwrap();
            messages[at + 1].ack_now().await.unwrap();
        }
        let gone: BTreeSet<u64> = [1, 602, 1202, 1802].into();
        let world = world.killed().await;
        let pending = again(&world).await;
        assert!(pending.is_disjoint(&gone));
        assert!([601, 1201, 1801, MANY as u64].iter().all(|sequence| pending.contains(sequence)));
        assert_eq!(pending.len() + gone.len(), MANY + 3);
    }

    async fn with_less_pending_it_is_one_row_again() {
        let (world, messages) = delivered(MANY).await;
        messages[0].ack_now().await.unwrap();
        assert!(rows(&world).await > 3);
        // The way back fails at first.
        world.disk().fault_after(0, Fault::Fail(Error::QuotaExceeded));
        let mut batch = Batch::new();
        Message::ack_all(&messages[..MANY - 100], &mut batch);
        assert!(world.store.commit(batch).await.is_err());
        assert_eq!(consumer(&world).info().num_ack_pending, MANY - 1);
        let mut batch = Batch::new();
        Message::ack_all(&messages[..MANY - 100], &mut batch);
        world.store.commit(batch).await.unwrap();
        assert_eq!(rows(&world).await, 1);
        let world = world.killed().await;
        assert_eq!(again(&world).await, (MANY as u64 - 99..=MANY as u64).collect());
        // And much again.
        fill(&world, MANY).await;
        consumer(&world).fetch(MANY, Duration::ZERO).await.unwrap()[0].ack_now().await.unwrap();
        assert!(rows(&world).await > 3);
        let world = world.killed().await;
        assert_eq!(again(&world).await.len(), MANY + 99);
    }

    async fn deliveries_and_delays_are_stored_too() {
        let (world, messages) = delivered(MANY).await;
        messages[0].ack_now().await.unwrap();
        messages[10].nak(Some(Duration::from_secs(100)));
        world.settle().await;
        let world = world.killed().await;
        let pending = again(&world).await;
        assert!(!pending.contains(&11) && pending.len() == MANY - 2);
        consumer(&world).fetch(1, Duration::ZERO).await.unwrap();
        world.clock.advance(Duration::from_secs(100));
        let late = consumer(&world).fetch(2 * MANY, Duration::ZERO).await.unwrap();
        assert!(late.iter().any(|message| message.stream_sequence == 11));
        late[0].ack_now().await.unwrap();
        let world = world.killed().await;
        let last = consumer(&world).fetch(2 * MANY, Duration::ZERO).await.unwrap();
        assert!(last.iter().all(|message| message.num_delivered > 2));
    }

    async fn when_some_of_it_cant_be_read_all_comes_again() {
        let (world, messages) = delivered(MANY).await;
        messages[0].ack_now().await.unwrap();
        let range = KeyRange::prefix(Key::new().u64(1));
        let table = Table::QueueConsumerStates;
        let all = world.store.scan(table, range, Direction::Forward, usize::MAX).await.unwrap();
        let mut batch = Batch::new();
        batch.put(table, &*all[2].0, [0xff]);
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        let messages = consumer(&world).fetch(2 * MANY, Duration::ZERO).await.unwrap();
        assert_eq!(messages.len(), MANY);
        for message in &messages[..10] {
            message.ack_now().await.unwrap();
        }
        // What is left of the rows before is not taken for these.
        let world = world.killed().await;
        assert_eq!(again(&world).await, (11..=MANY as u64).collect());
    }

    async fn a_purge_a_reset_and_a_deletion_leave_no_rows() {
        for way in 0..3 {
            let (world, messages) = delivered(MANY).await;
            messages[0].ack_now().await.unwrap();
            assert!(rows(&world).await > 3);
            match way {
                0 => _ = world.queue.purge_stream("S", &Purge::default()).await.unwrap(),
                1 => _ = consumer(&world).reset(1).await.unwrap(),
                _ => world.queue.delete_consumer("S", "c").await.unwrap(),
            }
            world.settle().await;
            assert_eq!(rows(&world).await, usize::from(way < 2));
            let world = world.killed().await;
            if way == 1 {
                assert_eq!(again(&world).await.len(), MANY);
            }
        }
    }
}
