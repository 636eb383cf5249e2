//! Getting messages from streams, one by one and many at once, and letting go of them.

#[macro_use]
mod support;

use neurite::queue::{
    DirectReply, DirectRequest, Discard, Error, MessageRequest, Purge, Storage, StreamConfig,
};
use neurite::store::{Batch, Direction, KeyRange, Submission, Table, memory::Fault};
use support::queue::{SECOND, World, header, stream};

async fn direct(world: &World, request: DirectRequest) -> Vec<(String, String)> {
    let replies = world.queue.direct_get("S", &request).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let tell = |reply: &DirectReply| {
        let headers = text(&reply.headers);
        let value = |name: &str| {
            headers
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name}: ")))
                .map(str::to_owned)
        };
        let place =
            ["Nats-Sequence", "Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence"];
        let place: Vec<_> = place.iter().filter_map(|name| value(name)).collect();
        let status = headers.lines().next().unwrap_or_default().replace("NATS/1.0", "");
        (format!("{}{}", status, place.join(",")), text(&reply.payload))
    };
    replies.iter().map(tell).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect()
}

tests! {
    async fn messages_are_got_by_number_by_subject_and_by_time() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for (subject, payload) in [("s.a", "1"), ("s.b.x", "2"), ("s.a", "3"), ("s.b.y", "4"), ("s.c", "5")] {
            world.publish(subject, payload).await;
            world.clock.advance(SECOND);
        }
        let get = async |request: MessageRequest| {
            let got = world.queue.get_message("S", &request).await;
            got.map(|message| message.sequence).map_err(|cause| cause.err_code)
        };
        let last = async |filter: &str| {
            get(MessageRequest { last_by_subj: Some(filter.into()), ..Default::default() }).await
        };
        assert_eq!((last("s.a").await, last("s.b.*").await, last(">").await), (Ok(3), Ok(4), Ok(5)));
        assert_eq!(last("s.z").await, Err(10037));
        let next = async |filter: &str, seq| {
            get(MessageRequest { seq, next_by_subj: Some(filter.into()), ..Default::default() }).await
        };
        assert_eq!((next("s.a", 2).await, next("s.b.>", 3).await, next("s.a", 4).await), (Ok(3), Ok(4), Err(10037)));
        assert_eq!(get(MessageRequest::default()).await, Err(10003));
        let third = world.queue.message("S", 3).await.unwrap();
        let start_time = Some(neurite::queue::time::Timestamp::from_millis(third.time));
        assert_eq!(get(MessageRequest { start_time, ..Default::default() }).await, Ok(3));
        world.queue.delete_message("S", 3).await.unwrap();
        assert_eq!(last("s.a").await, Ok(1));
        assert_eq!(get(MessageRequest { seq: 3, ..Default::default() }).await, Err(10037));
        let world = world.killed().await;
        assert_eq!(world.sequences("S").await, [1, 2, 4, 5]);
        let subjects = world.queue.stream_subjects("S", ">").await.unwrap();
        assert_eq!(Vec::from_iter(subjects), [("s.a".into(), 1), ("s.b.x".into(), 1), ("s.b.y".into(), 1), ("s.c".into(), 1)]);
        assert_eq!(world.queue.stream_deleted("S").await.unwrap(), [3]);
        assert_eq!(world.info("S").await.state.num_deleted, 1);
    }

    async fn direct_gets_answer_in_batches() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for (subject, payload) in [("s.a", "1"), ("s.b", "2"), ("s.a", "3"), ("s.c", "4"), ("s.b", "5")] {
            world.publish(subject, payload).await;
            world.clock.advance(SECOND);
        }
        let request = DirectRequest::default;
        let get = async |request| direct(&world, request).await;
        assert_eq!(get(DirectRequest { seq: 2, ..request() }).await, pairs(&[("2", "2")]));
        assert_eq!(get(DirectRequest::last_of("s.a")).await, pairs(&[("3", "3")]));
        assert_eq!(get(request()).await, pairs(&[(" 408 Empty Request", "")]));
        let bad = DirectRequest { seq: 1, last_by_subj: "s.a".into(), ..request() };
        assert_eq!(get(bad).await, pairs(&[(" 408 Bad Request", "")]));
        assert_eq!(get(DirectRequest { seq: 9, ..request() }).await, pairs(&[(" 404 Message Not Found", "")]));
        let batch = DirectRequest { seq: 1, next_by_subj: "s.a".into(), batch: 5, ..request() };
        assert_eq!(get(batch).await, pairs(&[("1,1,0", "1"), ("3,0,1", "3"), (" 204 EOB0,3", "")]));
        let some = DirectRequest { seq: 2, batch: 2, ..request() };
        assert_eq!(get(some).await, pairs(&[("2,3,0", "2"), ("3,2,2", "3"), (" 204 EOB2,3", "")]));
        let multi = DirectRequest { multi_last: vec!["s.a".into(), "s.>".into()], ..request() };
        assert_eq!(get(multi).await, pairs(&[("3,2,0", "3"), ("4,1,3", "4"), ("5,0,4", "5"), (" 204 EOB0,5,5", "")]));
        let up_to = DirectRequest { multi_last: vec!["s.b".into()], up_to_seq: 4, ..request() };
        assert_eq!(get(up_to).await, pairs(&[("2,0,0", "2"), (" 204 EOB0,2,4", "")]));
        let fourth = world.queue.message("S", 4).await.unwrap().time;
        let up_to_time = Some(neurite::queue::time::Timestamp::from_millis(fourth));
        let until = DirectRequest { multi_last: vec!["s.*".into()], up_to_time, ..request() };
        assert_eq!(get(until).await, pairs(&[("2,1,0", "2"), ("3,0,2", "3"), (" 204 EOB0,3,3", "")]));
        let nothing = DirectRequest { multi_last: vec!["s.z".into()], ..request() };
        assert_eq!(get(nothing).await, pairs(&[(" 404 No Results", "")]));
    }

    async fn purges_take_a_filter_a_number_or_what_to_keep() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        for n in 0..12 {
            world.publish(["s.a", "s.b", "s.c.d"][n % 3], "x").await;
        }
        let purge = async |filter: &str, seq, keep| {
            world.queue.purge_stream("S", &Purge { filter: filter.into(), seq, keep }).await.unwrap()
        };
        assert_eq!(purge("s.a", 0, 1).await, 3);
        assert_eq!(world.sequences("S").await, [2, 3, 5, 6, 8, 9, 10, 11, 12]);
        assert_eq!(purge("s.b", 6, 0).await, 2);
        assert_eq!(purge("s.c.>", 0, 2).await, 2);
        assert_eq!(world.sequences("S").await, [8, 9, 10, 11, 12]);
        assert_eq!(purge("", 10, 0).await, 2);
        assert_eq!(purge("", 0, 1).await, 2);
        assert_eq!(world.sequences("S").await, [12]);
        assert_eq!(purge("", 21, 0).await, 1);
        let world = world.killed().await;
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.last_seq), (0, 21, 20));
        assert_eq!(world.publish("s.a", "x").await, 21);
        let both = Purge { seq: 1, keep: 1, ..Purge::default() };
        assert_eq!(world.queue.purge_stream("S", &both).await.unwrap_err(), Error::BAD_REQUEST);
    }

    async fn many_messages_of_few_subjects_are_counted() {
        let world = World::new().await;
        world.stream(stream("s")).await;
        let publish = |batch: &mut Submission| {
            for n in 0..4000 {
                let subject = ["s.a", "s.b", "s.a", "s.c"][n % 4];
                world.queue.publish(batch, subject, &Default::default(), "x").unwrap();
            }
        };
        world.commit(Batch::new(), publish).await.unwrap();
        assert_eq!(world.info("S").await.state.num_subjects, 3);
        let count = async |filter: &str| {
            world.queue.stream_subjects("S", filter).await.unwrap().values().sum::<u64>()
        };
        assert_eq!((count("s.a").await, count("s.*").await, count("s.d").await), (2000, 4000, 0));
        world.queue.purge_stream("S", &Purge { filter: "s.b".into(), ..Purge::default() }).await.unwrap();
        assert_eq!(world.info("S").await.state.num_subjects, 2);
    }

    async fn a_purge_of_everything_tells_at_once_and_gives_the_space_back() {
        let world = World::on_disk().await;
        world.stream(stream("s")).await;
        let config = neurite::queue::ConsumerConfig { durable_name: "c".into(), ..Default::default() };
        let consumer = world.queue.create_consumer("S", config).await.unwrap();
        let publish = |batch: &mut Submission| {
            for n in 0..5000 {
                world.queue.publish(batch, ["s.a", "s.b"][n % 2], &Default::default(), "x").unwrap();
            }
        };
        world.commit(Batch::new(), publish).await.unwrap();
        let delivered = consumer.fetch(10, std::time::Duration::ZERO).await.unwrap();
        // One that fails leaves everything as it was.
        world.disk().fault_after(0, Fault::Fail(neurite::store::Error::QuotaExceeded));
        assert!(world.queue.purge_stream("S", &Purge::default()).await.is_err());
        let info = consumer.info();
        assert_eq!((info.num_pending, info.num_ack_pending), (4990, 10));
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.num_subjects), (5000, 1, 2));

        let operations = world.disk().operations();
        assert_eq!(world.queue.purge_stream("S", &Purge::default()).await.unwrap(), 5000);
        assert!(world.disk().operations() <= operations + 4);
        let info = consumer.info();
        assert_eq!((info.num_pending, info.num_ack_pending), (0, 0));
        delivered[0].ack_now().await.unwrap();
        assert_eq!(world.publish("s.b", "new").await, 5001);
        let world = world.killed().await;
        let state = world.info("S").await.state;
        assert_eq!((state.messages, state.first_seq, state.num_subjects), (1, 5001, 1));
        assert_eq!(world.queue.message("S", 4999).await.unwrap_err(), Error::NO_MESSAGE_FOUND);
        assert!(world.queue.delete_message("S", 4999).await.is_err());
        let consumer = world.queue.consumer("S", "c").unwrap();
        let delivered = consumer.fetch(10, std::time::Duration::ZERO).await.unwrap();
        assert_eq!(delivered[0].stream_sequence, 5001);
        for table in [Table::QueueMessages, Table::QueueSubjects, Table::QueuePurges] {
            let left = usize::from(table != Table::QueuePurges);
            while world.store.scan(table, KeyRange::all(), Direction::Forward, 9).await.unwrap().len() > left {
                world.settle().await;
            }
        }
        assert_eq!(world.sequences("S").await, [5001]);
    }

    async fn what_is_denied_is_refused() {
        let world = World::new().await;
        let deny = StreamConfig { deny_delete: true, deny_purge: true, ..stream("s") };
        world.stream(deny.clone()).await;
        world.publish("s.a", "x").await;
        assert_eq!(world.queue.delete_message("S", 1).await.unwrap_err().err_code, 10057);
        assert_eq!(world.queue.purge_stream("S", &Purge::default()).await.unwrap_err().err_code, 10110);
        assert_eq!(world.queue.update_stream(stream("s")).await.unwrap_err().err_code, 10052);
        let sealed = StreamConfig { sealed: true, ..deny };
        assert_eq!(world.queue.create_stream(StreamConfig { name: "T".into(), subjects: vec!["t".into()], ..sealed.clone() }).await.unwrap_err().err_code, 10052);
        let info = world.queue.update_stream(sealed).await.unwrap();
        assert_eq!(info.config.discard, Discard::New);
        assert_eq!(world.refused("s.a", Default::default()).await, 10109);
        assert_eq!(world.queue.delete_message("S", 1).await.unwrap_err().err_code, 10109);
        assert_eq!(world.info("S").await.state.messages, 1);
    }

    async fn what_is_acknowledged_leaves_a_stream_in_memory() {
        let world = World::new().await;
        let retention = neurite::queue::Retention::WorkQueue;
        world.stream(StreamConfig { storage: Storage::Memory, retention, ..stream("s") }).await;
        let config = neurite::queue::ConsumerConfig { durable_name: "c".into(), ..Default::default() };
        let consumer = world.queue.create_consumer("S", config).await.unwrap();
        for _ in 0..3 {
            world.publish("s.a", "x").await;
        }
        let messages = consumer.fetch(3, std::time::Duration::ZERO).await.unwrap();
        messages[0].ack_now().await.unwrap();
        let mut batch = Batch::new();
        messages[1].ack(&mut batch);
        drop(batch);
        let mut batch = Batch::new();
        messages[2].ack(&mut batch);
        world.store.commit(batch).await.unwrap();
        while world.info("S").await.state.messages > 1 {
            world.settle().await;
        }
        assert_eq!(world.sequences("S").await, [2]);
        let rows = KeyRange::all();
        let forward = Direction::Forward;
        for table in [Table::QueueConsumerStates, Table::QueueMessages] {
            assert!(world.store.scan(table, rows.clone(), forward, 9).await.unwrap().is_empty());
        }
    }

    async fn streams_in_memory_go_with_the_queue() {
        let world = World::new().await;
        let config = StreamConfig { storage: Storage::Memory, first_seq: 100, ..stream("s") };
        world.stream(config.clone()).await;
        assert_eq!(world.publish("s.a", "x").await, 100);
        let publish = |batch: &mut Submission| world.queue.publish(batch, "s.b", &header("a", "b"), "y");
        assert_eq!(world.store.commit_with(Batch::new(), publish).await.unwrap().sequence, 101);
        world.until(|| true).await;
        assert_eq!(world.queue.update_stream(stream("s")).await.unwrap_err().err_code, 10052);
        while world.info("S").await.state.messages < 2 {}
        assert_eq!(world.sequences("S").await, [100, 101]);
        let world = world.killed().await;
        assert_eq!(world.queue.stream_info("S").await.unwrap_err(), Error::STREAM_NOT_FOUND);
        world.stream(config).await;
        assert_eq!(world.publish("s.a", "x").await, 100);
    }
}
