//! Another store: what stands behind `Store` may be anything that keeps the promises of `Driver`,
//! here a map in memory, and homeserver and queue work over it.

#[macro_use]
mod support;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use neurite::{
    platform::{self, Blob},
    store::{
        Batch, Commit, CompleteBatch, Direction, Driver, Error, KeyRange, Outcome, Result, Row,
        Store, Table, Usage,
    },
};
use serde_json::json;
use support::client::{Client, server_over};

/// A map that batches come into in turns of the event loop.
#[derive(Default)]
struct Map {
    rows: RefCell<BTreeMap<(u8, Vec<u8>), Bytes>>,
    blobs: RefCell<BTreeMap<String, Blob>>,
    waiting: RefCell<VecDeque<(CompleteBatch, Outcome)>>,
    /// The next batch that writes to this table fails, with what has been submitted by then.
    fails: Cell<Option<Table>>,
    epoch: Cell<u64>,
    closed: RefCell<Option<Error>>,
}

impl Map {
    fn check(&self) -> Result<()> {
        self.closed.borrow().clone().map_or(Ok(()), Err)
    }

    fn work_off(&self) {
        let waiting = self.waiting.take();
        let mut writes = waiting.iter().flat_map(|(batch, _)| batch.writes());
        if writes.any(|write| self.fails.get().is_some_and(|table| table as u8 == write.table())) {
            self.fails.take();
            self.epoch.set(self.epoch.get() + 1);
            waiting.into_iter().for_each(|(_, outcome)| outcome.is(Err(Error::QuotaExceeded)));
            return;
        }
        for (batch, outcome) in waiting {
            for write in batch.writes() {
                let key = (write.table(), write.key().to_vec());
                match write.value() {
                    Some(value) => _ = self.rows.borrow_mut().insert(key, value.to_vec().into()),
                    None => _ = self.rows.borrow_mut().remove(&key),
                }
            }
            batch.settle();
            outcome.is(Ok(()));
        }
    }
}

impl Driver for Map {
    fn get(&self, table: Table, key: &[u8]) -> LocalBoxFuture<'_, Result<Option<Bytes>>> {
        let row = self.rows.borrow().get(&(table as u8, key.to_vec())).cloned();
        async move { self.check().map(|()| row) }.boxed_local()
    }

    fn scan(
        &self,
        table: Table,
        range: KeyRange,
        direction: Direction,
        limit: usize,
    ) -> LocalBoxFuture<'_, Result<Vec<Row>>> {
        let rows = self.rows.borrow();
        let of_table = rows.range((table as u8, Vec::new())..(table as u8 + 1, Vec::new()));
        let mut found: Vec<_> = of_table
            .filter(|((_, key), _)| range.contains(key))
            .map(|((_, key), value)| (Bytes::from(key.clone()), value.clone()))
            .collect();
        if direction == Direction::Backward {
            found.reverse();
        }
        found.truncate(limit);
        async move { self.check().map(|()| found) }.boxed_local()
    }

    fn check_accepting(&self) -> Result<()> {
        self.check()
    }

    fn submit(self: Rc<Self>, batch: CompleteBatch) -> Commit {
        let (outcome, commit) = Commit::pending();
        self.waiting.borrow_mut().push_back((batch, outcome));
        platform::spawn(async move { self.work_off() });
        commit
    }

    fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    fn put_blob<'a>(&'a self, id: &'a str, blob: Blob) -> LocalBoxFuture<'a, Result<()>> {
        self.blobs.borrow_mut().insert(id.to_owned(), blob);
        async { Ok(()) }.boxed_local()
    }

    fn blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<Option<Blob>>> {
        async move { Ok(self.blobs.borrow().get(id).cloned()) }.boxed_local()
    }

    fn delete_blob<'a>(&'a self, id: &'a str) -> LocalBoxFuture<'a, Result<()>> {
        self.blobs.borrow_mut().remove(id);
        async { Ok(()) }.boxed_local()
    }

    fn usage(&self) -> LocalBoxFuture<'_, Result<Usage>> {
        async { Ok(Usage::default()) }.boxed_local()
    }

    fn is_full(&self) -> bool {
        false
    }

    fn watch_full(&self, _: Rc<dyn Fn(bool)>) {}

    fn closed(&self) -> Option<Error> {
        self.closed.borrow().clone()
    }

    fn ended(&self) -> LocalBoxFuture<'_, Error> {
        async {
            loop {
                if let Some(cause) = self.closed() {
                    return cause;
                }
                platform::next_turn().await;
            }
        }
        .boxed_local()
    }

    fn close(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        async move {
            self.work_off();
            *self.closed.borrow_mut() = Some(Error::Closed("it was stopped".to_owned()));
        }
        .boxed_local()
    }
}

tests! {
    async fn a_homeserver_works_over_another_store() {
        let map = Rc::new(Map::default());
        let store = Store::over(map.clone());
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let created = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
        let room = created["room_id"].as_str().unwrap();
        bob.post(&format!("/v3/rooms/{room}/join"), json!({})).await.ok();
        let send = async |id: &str| {
            let path = format!("/v3/rooms/{room}/send/m.room.message/{id}");
            alice.put(&path, json!({ "msgtype": "m.text", "body": "over a map" })).await
        };
        let event = send("1").await.ok();
        map.fails.set(Some(Table::Transactions));
        assert_ne!(send("2").await.status, 200);
        send("2").await.ok();
        let search = json!({ "search_categories": { "room_events": { "search_term": "map" } } });
        let found = bob.post("/v3/search", search).await.ok();
        assert_eq!(found["search_categories"]["room_events"]["count"], 2);
        // Everything is there for the next one.
        drop(server);
        let server = server_over(Store::over(map.clone()), |_| {}).await;
        let bob = Client { server, ..bob };
        let path = format!("/v3/rooms/{room}/event/{}", event["event_id"].as_str().unwrap());
        assert_eq!(bob.get(&path).await.ok()["content"]["body"], "over a map");
        let sync = bob.get("/v3/sync").await.ok();
        assert_eq!(sync["rooms"]["join"][room]["unread_notifications"]["notification_count"], 2);
        store.close().await;
        assert!(store.commit(Batch::new()).await.is_err());
    }
}
