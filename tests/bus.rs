//! Another bus: rooms, push and search work over anything that keeps the promises of `Bus`, here
//! lists in memory.

#[macro_use]
mod support;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use futures::{FutureExt, future::LocalBoxFuture};
use neurite::{
    Result,
    bus::{Bus, Consumer, Message, Status, Stream, Work},
    config::KeptChanges,
    feed::Feed,
    platform::{self, Notify},
    push::Push,
    rooms::{CreateRoom, NewEvent, Profile, Rooms},
    search::Search,
    store::{Batch, Store},
    users::Users,
};
use ruma::{
    OwnedUserId, RoomVersionId, UserId, api::client::room::create_room::v3::RoomPreset,
    events::TimelineEventType, server_name,
};
use serde_json::{json, value::to_raw_value};

/// One stream, whose messages each consumer is handed.
#[derive(Default)]
struct Lists {
    subjects: RefCell<Vec<String>>,
    consumers: Rc<RefCell<Vec<Rc<List>>>>,
}

#[derive(Default)]
struct List {
    waiting: RefCell<Vec<Message>>,
    come: Notify,
    last: Cell<u64>,
    acknowledged: Rc<Cell<u64>>,
}

impl Bus for Lists {
    fn ensure_stream<'a>(&'a self, stream: &'a Stream) -> LocalBoxFuture<'a, Result<()>> {
        self.subjects.borrow_mut().extend(stream.subjects.iter().copied().map(str::to_owned));
        async { Ok(()) }.boxed_local()
    }

    fn ensure_consumer<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: u32,
    ) -> LocalBoxFuture<'a, Result<Rc<dyn Consumer>>> {
        let list = Rc::new(List::default());
        self.consumers.borrow_mut().push(list.clone());
        let handle: Rc<dyn Consumer> = Rc::new(Handle(list));
        async { Ok(handle) }.boxed_local()
    }

    fn finish_consumers(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn publish(&self, batch: &mut Batch, subject: Rc<str>, payload: Vec<u8>) {
        assert!(subject.starts_with("room.event."));
        let consumers = self.consumers.clone();
        batch.on_durable(move || {
            for list in &*consumers.borrow() {
                let sequence = list.last.get() + 1;
                list.last.set(sequence);
                let payload = payload.clone().into();
                list.waiting.borrow_mut().push(Message { sequence, num_delivered: 1, payload });
                list.come.notify();
            }
        });
    }

    fn status(&self) -> LocalBoxFuture<'_, Result<Status>> {
        async { Ok(Status { streams: Vec::new(), offline: Vec::new() }) }.boxed_local()
    }
}

struct Handle(Rc<List>);

impl Consumer for Handle {
    fn work(&self, owner: Rc<dyn Any>, most: usize, work: Work) {
        let (list, owner) = (self.0.clone(), Rc::downgrade(&owner));
        platform::spawn(async move {
            while owner.upgrade().is_some() {
                let come = list.come.listen();
                let mut messages = list.waiting.take();
                let rest = messages.split_off(most.min(messages.len()));
                list.waiting.borrow_mut().extend(rest);
                match messages.is_empty() {
                    true => drop(come.await),
                    false => work(messages).await.unwrap(),
                }
            }
        });
    }

    fn acknowledge(&self, batch: &mut Batch, messages: &[Message]) {
        let (acknowledged, count) = (self.0.acknowledged.clone(), messages.len() as u64);
        batch.on_durable(move || acknowledged.set(acknowledged.get() + count));
    }

    fn put_off(&self, message: &Message) {
        self.0.waiting.borrow_mut().push(message.clone());
    }

    fn catch_up(&self, patience: Duration) -> LocalBoxFuture<'_, bool> {
        async move {
            let reached = async {
                while self.0.acknowledged.get() < self.0.last.get() {
                    platform::next_turn().await;
                }
            };
            platform::timeout(patience, reached).await.is_some()
        }
        .boxed_local()
    }
}

fn user(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:neurite.test")).unwrap()
}

tests! {
    async fn rooms_push_and_search_work_over_another_bus() {
        let store: Store = support::store().await;
        let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
        let name = server_name!("neurite.test").to_owned();
        let lists = Rc::new(Lists::default());
        let rooms = Rooms::open(store.clone(), feed.clone(), lists.clone(), name.clone(), RoomVersionId::V12);
        let rooms = rooms.await.unwrap();
        let users = Users::new(store.clone(), feed.clone(), name, neurite::services::TABLES);
        let push = Push::open(store.clone(), feed, &*lists, rooms.clone(), users).await.unwrap();
        let search = Search::open(store, &*lists, rooms.clone()).await.unwrap();
        assert_eq!(*lists.subjects.borrow(), ["room.event.*"]);

        let request = CreateRoom { preset: Some(RoomPreset::PublicChat), ..CreateRoom::default() };
        let room_id = rooms.create(&user("alice"), request).await.unwrap();
        rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
        let content = to_raw_value(&json!({ "msgtype": "m.text", "body": "over lists" })).unwrap();
        let event = NewEvent::message(TimelineEventType::RoomMessage, content);
        rooms.append(&room_id, &user("alice"), event).await.unwrap();
        push.catch_up().await;
        search.catch_up().await;
        let counts = push.unread_counts(&user("bob"), &room_id).await.unwrap().total();
        assert_eq!(counts.notification_count, 1);
        for list in &*lists.consumers.borrow() {
            assert!(list.last.get() > 2 && list.acknowledged.get() == list.last.get());
        }
    }
}
