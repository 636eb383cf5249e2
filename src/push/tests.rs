//! What is worked on late, or again after everything ended, by messages that the tests fetch.

use std::{iter::successors, pin::pin, rc::Rc, time::Duration};

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
    api::client::room::create_room::v3::RoomPreset,
    events::{TimelineEventType, receipt::ReceiptThread},
    server_name,
};
use serde_json::{json, value::to_raw_value};

use super::Push;
use crate::{
    Result,
    config::KeptChanges,
    feed::{Feed, Position},
    platform,
    queue::{Message, Queue},
    rooms::{CreateRoom, NewEvent, Profile, ROOM_EVENTS, Rooms},
    store::{Batch, Options, Store, memory::Disk},
    users::Users,
};

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:neurite.test")).unwrap()
}

/// A server that works on nothing by itself.
struct World {
    store: Store,
    queue: Queue,
    rooms: Rooms,
    push: Push,
}

impl World {
    /// What is on the disk. Whoever had it open loses it, as when a worker is killed.
    async fn on(disk: &Disk) -> Self {
        disk.kill();
        let store = Store::open_memory(disk, Options::default()).await.unwrap();
        let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
        let queue = Queue::open(store.clone()).await.unwrap();
        let name = server_name!("neurite.test").to_owned();
        let version = RoomVersionId::V12;
        let rooms =
            Rooms::open(store.clone(), feed.clone(), Rc::new(queue.clone()), name.clone(), version);
        let rooms = rooms.await.unwrap();
        let users = Users::new(store.clone(), feed.clone(), name, &[]);
        let push = Push::new(store.clone(), feed, &queue, rooms.clone(), users).await.unwrap();
        Self { store, queue, rooms, push }
    }

    /// A room with everybody, whose making is worked on.
    async fn room(&self, names: &[&str]) -> OwnedRoomId {
        let request = CreateRoom { preset: Some(RoomPreset::PublicChat), ..CreateRoom::default() };
        let room_id = self.rooms.create(&user("alice"), request).await.unwrap();
        for name in names {
            self.rooms.join(&user(name), &room_id, Profile::default(), None).await.unwrap();
        }
        self.work().await;
        room_id
    }

    async fn say(&self, room_id: &OwnedRoomId, content: serde_json::Value) -> OwnedEventId {
        let content = to_raw_value(&content).unwrap();
        let event = NewEvent::message(TimelineEventType::RoomMessage, content);
        self.rooms.append(room_id, &user("alice"), event).await.unwrap()
    }

    async fn fetch(&self) -> Vec<Message> {
        let consumer = self.queue.consumer(ROOM_EVENTS, "push").unwrap();
        consumer.fetch(1000, Duration::ZERO).await.unwrap()
    }

    async fn process(&self, messages: Vec<Message>) -> Result<()> {
        self.push.process(messages.into_iter().map(Into::into).collect()).await
    }

    /// Works on all that there is.
    async fn work(&self) {
        let messages = self.fetch().await;
        self.process(messages).await.unwrap();
    }

    /// How much a user has not read, and how much of it is highlighted.
    async fn unread(&self, name: &str, room_id: &OwnedRoomId) -> (u64, u64) {
        let counts = self.push.unread_counts(&user(name), room_id).await.unwrap().total();
        (counts.notification_count, counts.highlight_count)
    }

    async fn notifications(&self, name: &str) -> Vec<OwnedEventId> {
        let all = self.push.notifications(&user(name), Position::MAX, 100, false).await.unwrap();
        all.into_iter().map(|one| one.event_id).collect()
    }

    async fn read(&self, name: &str, room_id: &OwnedRoomId, event_id: &OwnedEventId) {
        let event = self.rooms.room(room_id).await.unwrap().event(event_id).await.unwrap().unwrap();
        let mut batch = Batch::new();
        let (user_id, all) = (user(name), ReceiptThread::Unthreaded);
        let read = self.push.read_up_to(&mut batch, &user_id, room_id, &all, event.position);
        read.await.unwrap();
        self.store.commit(batch).await.unwrap();
    }
}

fn text(body: &str) -> serde_json::Value {
    json!({ "msgtype": "m.text", "body": body })
}

fn mention(name: &str) -> serde_json::Value {
    json!({ "msgtype": "m.text", "body": "you", "m.mentions": { "user_ids": [user(name)] } })
}

/// Goes on with what is under way for so many turns at most; whether it came to its end.
async fn goes_on(work: impl Future, turns: usize) -> bool {
    let mut work = pin!(work);
    for _ in 0..turns {
        if futures::poll!(&mut work).is_ready() {
            return true;
        }
        platform::next_turn().await;
    }
    false
}

#[test]
fn what_is_worked_on_when_everything_ends_counts_once() {
    platform::run(async {
        for turns in successors(Some(0), |turns| Some(turns * 2 + 1)) {
            let disk = Disk::new();
            let world = World::on(&disk).await;
            let room_id = world.room(&["bob", "carol"]).await;
            let mut sent = Vec::new();
            for content in [text("one"), mention("bob"), text("three")] {
                sent.push(world.say(&room_id, content).await);
            }
            sent.reverse();
            let messages = world.fetch().await;
            assert_eq!(messages.len(), 3);
            let is_done = goes_on(world.process(messages), turns).await;

            let world = World::on(&disk).await;
            assert!(!is_done || world.fetch().await.is_empty());
            world.work().await;
            assert_eq!(world.unread("bob", &room_id).await, (3, 1));
            assert_eq!(world.unread("carol", &room_id).await, (3, 0));
            assert_eq!(world.unread("alice", &room_id).await, (0, 0));
            for name in ["bob", "carol"] {
                assert_eq!(world.notifications(name).await, sent);
            }
            if is_done {
                assert!(turns > 1, "there was nothing to end");
                return;
            }
        }
    });
}

#[test]
fn what_comes_late_counts_for_those_who_have_counted_on() {
    platform::run(async {
        let disk = Disk::new();
        let world = World::on(&disk).await;
        let room_id = world.room(&["bob", "carol", "dave"]).await;
        let first = world.say(&room_id, text("first")).await;
        world.work().await;
        let second = world.say(&room_id, text("second")).await;
        world.rooms.redact(&room_id, &user("alice"), first.clone(), None, None).await.unwrap();
        let third = world.say(&room_id, text("third")).await;
        let mut late = world.fetch().await;
        let newest = late.pop().unwrap();
        world.process(vec![newest]).await.unwrap();
        // Some have counted on, and that is stored for one of them; another has read it all.
        world.read("carol", &room_id, &first).await;
        assert_eq!(world.unread("carol", &room_id).await, (1, 0));
        assert_eq!(world.unread("bob", &room_id).await, (2, 0));
        world.read("dave", &room_id, &third).await;

        late.iter().for_each(|message| message.nak(None));
        // Newer ones may come along, in any order.
        let fourth = world.say(&room_id, text("fourth")).await;
        let mut messages = world.fetch().await;
        assert_eq!(messages.len(), 3);
        messages.rotate_left(2);
        world.process(messages).await.unwrap();
        for (name, unread) in [("bob", 3), ("carol", 3), ("dave", 1), ("alice", 0)] {
            assert_eq!(world.unread(name, &room_id).await, (unread, 0), "{name}");
        }
        let sent = [&fourth, &third, &second, &first].map(Clone::clone);
        assert_eq!(world.notifications("bob").await, sent);
        world.read("bob", &room_id, &second).await;
        assert_eq!(world.unread("bob", &room_id).await, (2, 0));
        world.read("bob", &room_id, &fourth).await;
        assert_eq!(world.unread("bob", &room_id).await, (0, 0));
    });
}
