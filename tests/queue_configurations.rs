//! Configurations whose records are damaged: each is stored twice, and what can be read in neither
//! place stands in nobody's way.

#[macro_use]
mod support;

use std::time::Duration;

use neurite::{
    queue::{ConsumerConfig, Error, ManualClock, Retention, StreamConfig},
    store::{Batch, Key, Options, Table, memory::Disk},
};
use serde_json::Value;
use support::queue::{World, stream};

fn small() -> Options {
    Options { journal_records: 8, ..Options::default() }
}

fn interest(name: &str) -> StreamConfig {
    StreamConfig { retention: Retention::Interest, ..stream(name) }
}

fn durable(name: &str) -> ConsumerConfig {
    ConsumerConfig { durable_name: name.into(), ..ConsumerConfig::default() }
}

/// Two streams, the first with two consumers of which `slow` has still to acknowledge messages 4 to
/// 6; then every record of `tables` is damaged.
async fn damaged(tables: &[Table]) -> World {
    let (disk, clock) = (Disk::new(), ManualClock::new(1_000_000));
    let world = World::on(disk.clone(), clock.clone(), small()).await;
    world.stream(interest("s")).await;
    world.stream(stream("t")).await;
    for name in ["fast", "slow"] {
        world.queue.create_consumer("S", durable(name)).await.unwrap();
    }
    for _ in 0..6 {
        world.publish("s.a", "x").await;
    }
    world.publish("t.a", "x").await;
    for (name, count) in [("fast", 6), ("slow", 3)] {
        let consumer = world.queue.consumer("S", name).unwrap();
        for message in consumer.fetch(count, Duration::ZERO).await.unwrap() {
            message.ack_now().await.unwrap();
        }
    }
    for _ in 0..40 {
        // Something has to be written for the journal to be worked off.
        world.publish("t.a", "x").await;
        world.settle().await;
    }
    disk.kill();
    for table in tables {
        assert!(disk.damage_leaves(&[*table as u8]) > 0, "{table:?}");
    }
    World::on(disk, clock, small()).await
}

async fn slow_has(world: &World) -> Vec<u64> {
    let consumer = world.queue.consumer("S", "slow").unwrap();
    let messages = consumer.fetch(10, Duration::ZERO).await.unwrap();
    messages.iter().map(|message| message.stream_sequence).collect()
}

async fn asked(world: &World, subject: &str) -> Value {
    let (heard, _subscription) = world.listen("inbox");
    let request = neurite::queue::CoreMessage {
        reply: Some("inbox".into()),
        ..neurite::queue::CoreMessage::new(subject, "")
    };
    world.queue.broker().publish(&request);
    world.until(|| heard.count() == 1).await;
    heard.json().remove(0)
}

tests! {
    async fn one_damaged_table_takes_no_configuration() {
        for table in [Table::QueueStreams, Table::QueueConsumers] {
            let world = damaged(&[table]).await;
            assert_eq!(world.queue.offline_streams().len(), 0);
            let info = world.info("S").await;
            assert_eq!((info.state.messages, info.consumers.len()), (3, 2));
            assert_eq!(info.offline_consumers.len(), 0);
            assert_eq!(slow_has(&world).await, [4, 5, 6]);
            // What is written from now on is read again.
            world.stream(stream("u")).await;
            world.queue.create_consumer("U", durable("c")).await.unwrap();
            world.queue.delete_consumer("S", "fast").await.unwrap();
            world.queue.delete_stream("T").await.unwrap();
            let world = world.killed().await;
            assert_eq!(world.queue.stream_info("T").await.unwrap_err(), Error::STREAM_NOT_FOUND);
            assert_eq!(world.queue.consumer("S", "fast").err(), Some(Error::CONSUMER_NOT_FOUND));
            assert_eq!(world.publish("u.a", "x").await, 1);
            assert_eq!(world.queue.consumer("U", "c").unwrap().info().num_pending, 1);
            assert_eq!(slow_has(&world).await, [4, 5, 6]);
        }
    }

    async fn streams_that_cant_be_read_are_kept_and_told() {
        let world = damaged(&[Table::QueueStreams, Table::QueueConsumers]).await;
        let offline = Vec::from_iter(world.queue.offline_streams().into_keys());
        assert_eq!(offline, ["stream 1", "stream 2"]);
        assert_eq!(world.queue.offline_status()[0].name, "stream 1");
        let names = asked(&world, "$JS.API.STREAM.NAMES").await;
        assert_eq!((&names["total"], &names["streams"]), (&0.into(), &Value::Null));
        let list = asked(&world, "$JS.API.STREAM.LIST").await;
        assert_eq!(list["missing"], serde_json::json!(["stream 1", "stream 2"]));
        assert!(list["offline"]["stream 1"].is_string(), "{list}");
        assert_eq!(asked(&world, "$JS.API.STREAM.INFO.S").await["error"]["err_code"], 10059);
        // A stream of the same name is another, and takes nothing from what is there.
        world.stream(interest("s")).await;
        world.queue.create_consumer("S", durable("slow")).await.unwrap();
        assert_eq!(world.publish("s.a", "x").await, 1);
        assert_eq!(slow_has(&world).await, [1]);
        let row = world.store.get(Table::QueueMessages, Key::new().u64(1).u64(4)).await.unwrap();
        assert!(row.is_some());
        let world = world.killed().await;
        assert_eq!(slow_has(&world).await, [1]);
        assert_eq!(world.queue.offline_streams().len(), 2);
        world.queue.delete_stream("S").await.unwrap();
        let world = world.killed().await;
        assert_eq!(world.queue.stream_info("S").await.unwrap_err(), Error::STREAM_NOT_FOUND);
        assert_eq!(world.queue.offline_streams().len(), 2);
    }

    async fn a_consumer_that_cant_be_read_is_kept_and_told() {
        let world = damaged(&[]).await;
        let key = Key::new().u64(1).u64(2);
        let row = world.store.get(Table::QueueConsumers, &*key).await.unwrap().unwrap();
        for text in ["{\"config\":{\"name\":\"slow\"}}", "nothing"] {
            let mut batch = Batch::new();
            batch.put(Table::QueueConsumers, key.clone(), text);
            batch.put(Table::QueueStreams, key.clone(), text);
            world.store.commit(batch).await.unwrap();
        }
        let world = world.killed().await;
        let info = world.info("S").await;
        assert_eq!(info.consumers.len(), 1);
        assert_eq!(Vec::from_iter(info.offline_consumers.into_keys()), ["consumer 2"]);
        // It may need what is there. What comes is for those who can be served.
        assert_eq!(world.sequences("S").await, [4, 5, 6]);
        world.publish("s.a", "x").await;
        let fast = world.queue.consumer("S", "fast").unwrap();
        for message in fast.fetch(10, Duration::ZERO).await.unwrap() {
            message.ack_now().await.unwrap();
        }
        assert_eq!(world.sequences("S").await, [4, 5, 6]);
        let mut batch = Batch::new();
        batch.put(Table::QueueConsumers, key.clone(), "{\"config\":{\"name\":\"slow\"}}");
        world.store.commit(batch).await.unwrap();
        let world = world.killed().await;
        let refused = [
            world.queue.consumer("S", "slow").err().map(|cause| cause.err_code),
            world.queue.delete_consumer("S", "slow").await.err().map(|cause| cause.err_code),
            world.queue.create_consumer("S", durable("slow")).await.err().map(|cause| cause.err_code),
        ];
        assert_eq!(refused, [Some(10195); 3]);
        let list = asked(&world, "$JS.API.CONSUMER.LIST.S").await;
        assert!(list["offline"]["slow"].is_string() && list["consumers"][0]["name"] == "fast", "{list}");
        let mut batch = Batch::new();
        batch.put(Table::QueueConsumers, key, row.to_vec());
        world.store.commit(batch).await.unwrap();
        assert_eq!(slow_has(&world.killed().await).await, [4, 5, 6]);
    }
}
