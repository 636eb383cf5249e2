//! What only a database in a browser can do to the store.

use std::time::Duration;

use indexed_db_futures::{database::Database, prelude::*, transaction::TransactionMode};
use js_sys::Uint8Array;
use neurite::{
    platform::{self, random_string},
    store::{Batch, Direction, Error, KeyRange, Options, Store},
};
use wasm_bindgen::prelude::*;

use super::place::{Place, TABLE, key, put, read, scan, small};

fn name() -> String {
    format!("test-{}", random_string(16))
}

async fn open(name: &str) -> Result<Store, Error> {
    Store::open_indexeddb(name, Options::default()).await
}

/// A database as somebody else makes it.
async fn foreign(name: &str, version: u32) -> Database {
    Database::open(name)
        .with_version(version)
        .with_on_upgrade_needed(|_, database| {
            let notes = database.create_object_store("notes").build()?;
            notes.put("mine").with_key("note").primitive()?;
            Ok(())
        })
        .await
        .unwrap()
}

async fn note(database: &Database) -> Option<String> {
    let transaction = database.transaction("notes").build().unwrap();
    let notes = transaction.object_store("notes").unwrap();
    notes.get("note").primitive().unwrap().await.unwrap()
}

tests! {
    async fn a_newer_schema_is_told_and_left_alone() {
        let name = name();
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        store.close().await;
        let newer = Database::open(&name).with_version(7u32).await.unwrap();
        newer.close();
        let outcome = open(&name).await.err();
        assert!(
            matches!(outcome, Some(Error::SchemaTooNew { found: 7, known: 1 })),
            "{outcome:?}"
        );
        let again = Database::open(&name).await.unwrap();
        assert_eq!(again.version(), 7.0);
        assert_eq!(again.object_store_names().count(), 5);
        again.close();
    }

    async fn a_foreign_database_is_told_and_left_alone() {
        for version in [1, 3] {
            let name = name();
            foreign(&name, version).await.close();
            let outcome = open(&name).await.err();
            assert!(matches!(outcome, Some(Error::Foreign(_))), "{outcome:?}");
            let database = Database::open(&name).await.unwrap();
            assert_eq!(note(&database).await.as_deref(), Some("mine"));
            assert_eq!(database.version(), f64::from(version));
            database.close();
        }
    }

    async fn a_database_that_nobody_lets_go_of_is_blocked() {
        let name = name();
        let holder = foreign(&name, 1).await;
        assert!(matches!(Store::delete(&name).await, Err(Error::Blocked)));
        // The deletion is still to come, and what is opened waits behind it.
        let options = Options { patience: Duration::from_millis(100), ..Options::default() };
        let outcome = Store::open_indexeddb(&name, options).await;
        assert!(matches!(outcome.err(), Some(Error::Blocked)));
        holder.close();
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        assert_eq!(read(&store, "a").await.as_deref(), Some("1"));
    }

    async fn a_store_whose_database_is_deleted_says_so() {
        let name = name();
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        // Nothing is asked of the store meanwhile.
        let (deleted, ended) = futures::join!(Store::delete(&name), store.ended());
        deleted.unwrap();
        assert!(matches!(ended, Error::Closed(_)));
        let outcome = store.commit(put(TABLE, "b", "1")).await;
        assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
        assert!(matches!(store.get(TABLE, "a").await, Err(Error::Closed(_))));
        assert!(matches!(store.blob("a").await, Err(Error::Closed(_))));
        assert!(store.epoch() <= 1);
        let store = open(&name).await.unwrap();
        assert_eq!(read(&store, "a").await, None);
    }

    async fn an_upgrade_by_another_page_is_not_held_up() {
        let name = name();
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        // As a page with a newer version of Neurite does.
        let newer = Database::open(&name).with_version(2u32).await.unwrap();
        assert!(matches!(store.commit(put(TABLE, "b", "1")).await, Err(Error::Closed(_))));
        newer.close();
    }

    async fn damaged_records_are_told_and_the_rest_stays_readable() {
        let name = name();
        let place = Place::IndexedDb(name.clone());
        let store = place.open_small().await;
        for n in 0..200 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        store.close().await;
        damage(&name, "leaves", 3).await;
        let store = place.open_small().await;
        let all = store.scan(TABLE, KeyRange::all(), Direction::Forward, 1000).await;
        assert!(matches!(all, Err(Error::Corrupt(_))), "{all:?}");
        assert_eq!(read(&store, key(0)).await.as_deref(), Some("v"));
        assert_eq!(scan(&store, KeyRange::all(), Direction::Backward, 20).await.len(), 20);
        store.close().await;
        // Closing leaves a little in the journal.
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        store.close().await;
        // The floor, after the owner's number.
        damage(&name, "meta", 1).await;
        let outcome = Store::open_indexeddb(&name, small()).await.err();
        assert!(matches!(outcome, Some(Error::Corrupt(_))), "{outcome:?}");
        damage(&name, "meta", 1).await;
        open(&name).await.unwrap().close().await;
        for journal in ["journal_a", "journal_b"] {
            damage(&name, journal, 1).await;
        }
        let outcome = Store::open_indexeddb(&name, small()).await.err();
        assert!(matches!(outcome, Some(Error::Corrupt(_))), "{outcome:?}");
    }

    async fn a_used_up_quota_fails_the_commit_and_nothing_else() {
        let name = name();
        let store = open(&name).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        for (method, cause) in [
            // The two ways in which browsers tell it: at the request, and at the end.
            ("IDBObjectStore.prototype.put", "throw new DOMException('', 'QuotaExceededError')"),
            ("IDBTransaction.prototype.commit", "return this.abort()"),
        ] {
            let restore = replace(method, cause);
            let epoch = store.epoch();
            let outcome = store.commit(put(TABLE, "b", "1")).await;
            restore.call0(&JsValue::UNDEFINED).unwrap();
            match method {
                "IDBObjectStore.prototype.put" => {
                    assert!(matches!(outcome, Err(Error::QuotaExceeded)), "{outcome:?}");
                }
                _ => assert!(matches!(outcome, Err(Error::Backend(_))), "{outcome:?}"),
            }
            assert_eq!(store.epoch(), epoch + 1);
            assert_eq!(read(&store, "b").await, None);
        }
        store.commit(put(TABLE, "c", "1")).await.unwrap();
        store.close().await;
        let store = open(&name).await.unwrap();
        let keys: Vec<_> = scan(&store, KeyRange::all(), Direction::Forward, 9).await;
        assert_eq!(keys, [("a".into(), "1".into()), ("c".into(), "1".into())]);
    }

    async fn it_is_opened_without_room_and_gives_its_reserve_up_for_what_makes_room() {
        let name = name();
        let options = || Options { reserve_bytes: 100_000, ..Options::default() };
        let store = Store::open_indexeddb(&name, options()).await.unwrap();
        for row in ["a", "b"] {
            store.commit(put(TABLE, row, "1")).await.unwrap();
        }
        store.close().await;
        // There is room once the reserve was given up, and no sooner.
        let restore = replace(
            "IDBObjectStore.prototype.put",
            "if (this.name !== 'blobs' && globalThis.released) return original.apply(this, arguments);
             throw new DOMException('', 'QuotaExceededError')",
        );
        let watch = replace(
            "IDBObjectStore.prototype.delete",
            "if (this.name === 'blobs') globalThis.released = true;
             return original.apply(this, arguments)",
        );
        let store = Store::open_indexeddb(&name, options()).await.unwrap();
        assert!(store.is_full());
        assert_eq!(read(&store, "a").await.as_deref(), Some("1"));
        assert!(matches!(store.commit(put(TABLE, "c", "1")).await, Err(Error::QuotaExceeded)));
        let mut batch = Batch::new();
        batch.delete(TABLE, "a");
        store.commit(batch).await.unwrap();
        assert!(matches!(store.commit(put(TABLE, "c", "1")).await, Err(Error::QuotaExceeded)));
        for original in [restore, watch] {
            original.call0(&JsValue::UNDEFINED).unwrap();
        }
        while store.commit(put(TABLE, "c", "1")).await.is_err() {
            platform::sleep(Duration::from_millis(10)).await;
        }
        store.close().await;
        let store = open(&name).await.unwrap();
        let keys = scan(&store, KeyRange::all(), Direction::Forward, 9).await;
        assert_eq!(keys, [("b".into(), "1".into()), ("c".into(), "1".into())]);
    }

    async fn usage_tells_the_room_that_is_left() {
        let store = open(&name()).await.unwrap();
        let usage = store.usage().await.unwrap();
        assert!(usage.quota.unwrap() > usage.usage.unwrap());
    }
}

/// Flips a bit in the last byte of the record of that number, the owner's being 0.
async fn damage(name: &str, store: &str, number: usize) {
    let database = Database::open(name).await.unwrap();
    let transaction =
        database.transaction(store).with_mode(TransactionMode::Readwrite).build().unwrap();
    {
        let store = transaction.object_store(store).unwrap();
        let keys = store.get_all_keys::<JsValue>().primitive().unwrap().await.unwrap();
        if let Some(key) = keys.map(Result::unwrap).nth(number) {
            let value = store.get::<JsValue, JsValue, _>(key.clone()).primitive();
            let value: JsValue = value.unwrap().await.unwrap().unwrap();
            let bytes: Uint8Array = value.dyn_into().unwrap();
            let last = bytes.length() - 1;
            bytes.set_index(last, bytes.get_index(last) ^ 1);
            store.put(JsValue::from(bytes)).with_key(key).without_key_type().primitive().unwrap();
        }
    }
    transaction.commit().await.unwrap();
    database.close();
}

/// Replaces a method of the browser; the function returned puts it back.
fn replace(method: &str, body: &str) -> js_sys::Function {
    let script = format!(
        "const original = {method};
         {method} = function () {{ {body} }};
         return () => {{ {method} = original; }};"
    );
    js_sys::Function::new_no_args(&script).call0(&JsValue::UNDEFINED).unwrap().dyn_into().unwrap()
}
