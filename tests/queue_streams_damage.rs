//! Streams whose records are damaged: what can be read stays readable, what can't is told.

#[macro_use]
mod support;

use std::time::Duration;

use neurite::{
    queue::{ConsumerConfig, DeliverPolicy, ManualClock, Purge, StreamConfig},
    store::{Batch, Key, Options, Table, memory::Disk},
};
use support::queue::{SECOND, World, stream};

/// `stream is offline`
const OFFLINE: u32 = 10194;

fn small() -> Options {
    Options { journal_records: 8, leaf_bytes: 1024, ..Options::default() }
}

/// Has a message of the first stream be something that can't be read.
async fn damage_row(world: &World, sequence: u64) {
    let mut batch = Batch::new();
    batch.put(Table::QueueMessages, Key::new().u64(1).u64(sequence), [0xff]);
    world.store.commit(batch).await.unwrap();
}

async fn consumed(world: &World) -> Vec<u64> {
    let config = ConsumerConfig {
        durable_name: "c".into(),
        filter_subject: Some("s.*".into()),
        ..Default::default()
    };
    let consumer = world.queue.create_consumer("S", config).await.unwrap();
    let messages = consumer.fetch(1000, Duration::ZERO).await.unwrap();
    assert_eq!(consumer.info().num_pending, 0);
    messages.iter().map(|message| message.stream_sequence).collect()
}

/// A stream of 100 messages whose record in the middle or at the end is damaged.
async fn damaged(at_the_end: bool) -> World {
    damaged_table(Table::QueueMessages, at_the_end).await
}

async fn damaged_table(table: Table, at_the_end: bool) -> World {
    let (disk, clock) = (Disk::new(), ManualClock::new(1_000_000));
    let world = World::on(disk.clone(), clock.clone(), small()).await;
    world.stream(stream("s")).await;
    for n in 0..100 {
        world.publish(["s.a", "s.b"][n % 2], "some payload").await;
    }
    for _ in 0..200 {
        world.settle().await;
    }
    let prefix = [table as u8];
    let leaves: Vec<_> =
        disk.leaf_keys().into_iter().filter(|key| key.starts_with(&prefix)).collect();
    assert!(!leaves.is_empty(), "{leaves:?}");
    let damaged = if at_the_end { leaves.len() - 1 } else { leaves.len() / 2 };
    disk.kill();
    assert_eq!(disk.damage_leaves(&leaves[damaged]), 1);
    World::on(disk, clock, small()).await
}

tests! {
    async fn a_damaged_record_is_a_gap_in_its_stream() {
        let world = damaged(false).await;
        let readable = world.sequences("S").await;
        assert!(readable.len() > 50 && readable.len() < 100 && readable.contains(&1) && readable.contains(&100));
        let state = world.info("S").await.state;
        let lost = state.lost.unwrap().msgs;
        assert_eq!(lost.len() + readable.len(), 100);
        assert!(lost.iter().all(|sequence| !readable.contains(sequence)));
        assert_eq!((state.messages, state.first_seq, state.last_seq), (readable.len() as u64, 1, 100));
        let subjects = world.queue.stream_subjects("S", ">").await.unwrap();
        assert_eq!(subjects.values().sum::<u64>(), readable.len() as u64);
        assert_eq!(world.publish("s.a", "on it goes").await, 101);
        let expected = [&readable[..], &[101]].concat();
        let world = world.killed().await;
        assert_eq!(world.info("S").await.state.lost.unwrap().msgs, lost);
        assert_eq!(consumed(&world).await, expected);
        let all = world.queue.purge_stream("S", &Purge { seq: 101, ..Purge::default() }).await.unwrap();
        assert_eq!((all, world.sequences("S").await), (readable.len() as u64, vec![101]));
    }

    async fn a_damaged_last_record_does_not_take_what_comes_next() {
        let world = damaged(true).await;
        assert_eq!(world.publish("s.a", "on it goes").await, 101);
        let readable = consumed(&world).await;
        assert!(readable.len() < 101 && readable.last() == Some(&101));
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.last_seq), (readable.len() as u64, 101));
        assert_eq!(state.lost.unwrap().msgs.len() + readable.len(), 101);
        let world = world.killed().await;
        assert_eq!(world.publish("s.b", "and on").await, 102);
        assert_eq!(world.sequences("S").await, [&readable[..], &[102]].concat());
    }

    async fn a_damaged_message_expires_with_those_after_it() {
        let world = World::new().await;
        world.stream(StreamConfig { max_age: 10 * SECOND, ..stream("s") }).await;
        for _ in 0..3 {
            world.publish("s.a", "x").await;
            world.clock.advance(SECOND);
        }
        damage_row(&world, 2).await;
        assert_eq!(world.sequences("S").await, [1, 3]);
        let lost = async || world.info("S").await.state.lost.map(|lost| lost.msgs);
        assert_eq!(lost().await, Some(vec![2]));
        world.clock.advance(8 * SECOND);
        assert_eq!(world.sequences("S").await, [3]);
        assert_eq!(lost().await, Some(vec![2]), "how old it is, is not known");
        world.clock.advance(SECOND);
        assert!(world.sequences("S").await.is_empty());
        assert_eq!(lost().await, None);
    }

    async fn a_message_that_is_found_damaged_at_its_redelivery_is_lost() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for _ in 0..3 {
            world.publish("s.a", "x").await;
        }
        assert_eq!(consumed(&world).await, [1, 2, 3]);
        damage_row(&world, 2).await;
        world.clock.advance(60 * SECOND);
        assert_eq!(consumed(&world).await, [1, 3]);
        assert_eq!(world.info("S").await.state.lost.map(|lost| lost.msgs), Some(vec![2]));
    }

    async fn what_a_consumer_is_not_to_get_is_no_loss_to_it() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for subject in ["s.a", "s.b", "s.b"] {
            world.publish(subject, "x").await;
        }
        let config = ConsumerConfig {
            durable_name: "last".into(),
            deliver_policy: DeliverPolicy::LastPerSubject,
            filter_subject: Some("s.*".into()),
            ..ConsumerConfig::default()
        };
        let consumer = world.consumer("S", config).await;
        damage_row(&world, 2).await;
        assert_eq!(world.sequences("S").await, [1, 3]);
        assert!(world.info("S").await.state.lost.is_some());
        assert_eq!(consumer.info().num_pending, 2);
        assert_eq!(consumer.fetch(9, Duration::ZERO).await.unwrap().len(), 2);
        assert_eq!(consumer.info().num_pending, 0);
    }

    async fn without_its_index_a_stream_is_as_before_only_slower() {
        let world = damaged_table(Table::QueueSubjects, true).await;
        assert_eq!(world.sequences("S").await.len(), 100);
        let subjects = world.queue.stream_subjects("S", ">").await.unwrap();
        assert_eq!(Vec::from_iter(subjects), [("s.a".to_owned(), 50), ("s.b".to_owned(), 50)]);
        assert_eq!(world.info("S").await.state.num_subjects, 2);
        let last = neurite::queue::MessageRequest { last_by_subj: Some("s.a".into()), ..Default::default() };
        assert_eq!(world.queue.get_message("S", &last).await.unwrap().sequence, 99);
        let expected = support::queue::header("Nats-Expected-Last-Subject-Sequence", 100);
        assert_eq!(world.publish_with("s.b", expected, "x").await.unwrap().sequence, 101);
        let purge = Purge { filter: "s.a".into(), keep: 1, ..Purge::default() };
        assert_eq!(world.queue.purge_stream("S", &purge).await.unwrap(), 49);
        assert_eq!(consumed(&world).await.len(), 52);
    }

    async fn damaged_counts_are_made_anew() {
        let world = damaged_table(Table::QueueStates, true).await;
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.last_seq), (100, 1, 100));
        assert_eq!(world.publish("s.a", "x").await, 101);
        assert_eq!(world.killed().await.info("S").await.state.messages, 101);
    }

    async fn a_damaged_row_is_lost_alone() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for n in 0..9 {
            world.publish(["s.a", "s.b", "s.c"][n % 3], "x").await;
        }
        let mut batch = Batch::new();
        batch.put(Table::QueueMessages, Key::new().u64(1).u64(7), [2, 1, 2, 3, 4, 0, 3, b's', b'.', b'a', 0]);
        world.store.commit(batch).await.unwrap();
        assert_eq!(world.sequences("S").await, [1, 2, 3, 4, 5, 6, 8, 9]);
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.lost.unwrap().msgs), (8, vec![7]));
        let last = neurite::queue::MessageRequest { last_by_subj: Some("s.a".into()), ..Default::default() };
        assert_eq!(world.queue.get_message("S", &last).await.unwrap().sequence, 4);
        assert_eq!(consumed(&world).await, [1, 2, 3, 4, 5, 6, 8, 9]);
    }

    async fn a_stream_whose_configuration_cant_be_read_is_kept() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        world.publish("s.a", "x").await;
        let key = Key::new().u64(1);
        let row = world.store.get(Table::QueueStreams, &*key).await.unwrap().unwrap();
        let newer = String::from_utf8(row.to_vec()).unwrap().replace("\"limits\"", "\"whatever\"");
        let mut batch = Batch::new();
        batch.put(Table::QueueStreams, key.clone(), newer.clone());
        batch.put(Table::QueueConsumers, key.clone().u64(0), newer);
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.queue.stream_info("S").await.unwrap_err().err_code, OFFLINE);
        assert_eq!(world.queue.create_stream(stream("s")).await.unwrap_err().err_code, OFFLINE);
        assert_eq!(world.queue.delete_stream("S").await.unwrap_err().err_code, OFFLINE);
        assert!(world.queue.offline_streams()["S"].contains("whatever"));
        world.stream(StreamConfig { name: "T".into(), subjects: vec!["t".into()], ..StreamConfig::default() }).await;
        // Once it can be read, everything is there.
        let mut batch = Batch::new();
        batch.put(Table::QueueStreams, key, row.to_vec());
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.sequences("S").await, [1]);
    }

    async fn counts_of_an_unknown_form_are_made_anew() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for _ in 0..5 {
            world.publish("s.a", "x").await;
        }
        world.queue.delete_message("S", 1).await.unwrap();
        let before = world.info("S").await.state;
        let mut batch = Batch::new();
        batch.put(Table::QueueStates, Key::new().u64(1), [99]);
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.info("S").await.state, before);
    }
}
