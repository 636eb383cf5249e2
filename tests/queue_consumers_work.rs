//! Parts of the homeserver at their work: what they fail on, and what ends the worker.

#[macro_use]
mod support;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use neurite::{
    queue::{Consumer, ConsumerConfig, Message, StreamConfig, work},
    store::Batch,
};
use support::queue::World;

/// How often a message is delivered.
const MAX_DELIVER: i64 = 3;
const EVENTS: usize = 8;

fn stream() -> StreamConfig {
    StreamConfig { name: "S".into(), subjects: vec!["s".into()], ..StreamConfig::default() }
}

async fn consumer(world: &World, name: &str) -> Consumer {
    let config = ConsumerConfig {
        durable_name: name.to_owned(),
        max_deliver: MAX_DELIVER,
        ..ConsumerConfig::default()
    };
    world.consumer("S", config).await
}

/// Somebody who works on messages, and whom a message ends that says so.
#[derive(Default)]
struct Part {
    done: RefCell<Vec<String>>,
    ended: Cell<bool>,
    failures: Cell<usize>,
}

impl Part {
    fn start(world: &World, consumer: Consumer) -> Rc<Self> {
        let part = Rc::new(Self::default());
        let store = world.store.clone();
        work(&part, consumer, EVENTS, async move |part, messages: Vec<Message>| {
            let texts = messages.iter().map(|message| String::from_utf8_lossy(&message.payload));
            let texts: Vec<_> = texts.map(String::from).collect();
            if texts.iter().any(|text| text == "end") {
                part.ended.set(true);
                std::future::pending::<()>().await;
            }
            if texts.iter().any(|text| text == "fail") {
                part.failures.set(part.failures.get() + 1);
                return Err("it fails");
            }
            let mut batch = Batch::new();
            Message::ack_all(&messages, &mut batch);
            store.commit(batch).await.map_err(|_| "the store fails")?;
            part.done.borrow_mut().extend(texts);
            Ok(())
        });
        part
    }
}

tests! {
    async fn a_message_that_ends_the_worker_each_time_is_set_aside() {
        let mut world = World::new().await;
        world.stream(stream()).await;
        let mut part = Part::start(&world, consumer(&world, "c").await);
        for text in ["1", "end", "2"] {
            world.publish("s", text).await;
        }
        // Once among others, and then as often as is allowed.
        for _ in 0..=MAX_DELIVER {
            world.until(|| part.ended.get()).await;
            world = world.killed().await;
            part = Part::start(&world, consumer(&world, "c").await);
        }
        world.until(|| part.done.borrow().last().is_some_and(|text| text == "2")).await;
        assert!(!part.ended.get());
        let info = world.consumer_info("S", "c");
        assert_eq!((info.set_aside, info.num_ack_pending, info.num_pending), (1, 0, 0));
        // That is for good.
        world = world.killed().await;
        part = Part::start(&world, consumer(&world, "c").await);
        world.publish("s", "3").await;
        world.until(|| !part.done.borrow().is_empty()).await;
        assert_eq!(*part.done.borrow(), ["3"]);
    }

    async fn what_ends_one_part_is_not_held_against_another() {
        let mut world = World::new().await;
        world.stream(stream()).await;
        let (a, b) = (consumer(&world, "a").await, consumer(&world, "b").await);
        for text in ["end", "1"] {
            world.publish("s", text).await;
        }
        let mut part = Part::start(&world, b);
        drop(a);
        // What is there at a start may have ended a worker before: each time counts.
        for _ in 0..MAX_DELIVER {
            world.until(|| part.ended.get()).await;
            world = world.killed().await;
            // The other one takes it each time at the same moment, and has no time for more.
            let other = consumer(&world, "a").await;
            part = Part::start(&world, consumer(&world, "b").await);
            let store = world.store.clone();
            work(&part, other, EVENTS, async move |_, messages: Vec<Message>| {
                let mut batch = Batch::new();
                Message::ack_all(&messages, &mut batch);
                store.commit(batch).await.map_err(|_| "the store fails")
            });
        }
        world.until(|| part.done.borrow().last().is_some_and(|text| text == "1")).await;
        world.until(|| world.consumer_info("S", "a").ack_floor.stream_seq == 2).await;
        assert_eq!(world.consumer_info("S", "a").set_aside, 0);
    }

    async fn a_message_that_fails_keeps_no_other_from_being_worked_on() {
        let world = World::new().await;
        world.stream(stream()).await;
        let consumer = consumer(&world, "c").await;
        let part = Part::start(&world, consumer);
        for text in ["1", "fail", "2"] {
            world.publish("s", text).await;
        }
        world.until(|| part.done.borrow().len() == 2).await;
        assert_eq!(world.consumer_info("S", "c").num_ack_pending, 1);
    }
}
