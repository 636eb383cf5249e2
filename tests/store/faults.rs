//! What happens when the disk fails: errors that say so, and nothing half written.

use std::{cell::Cell, rc::Rc};

use neurite::store::{
    Batch, Direction, Error, KeyRange, Options, Store,
    memory::{Disk, Fault},
};

use super::place::{OTHER, TABLE, key, put, read, scan, small};

async fn open(disk: &Disk) -> Store {
    Store::open_memory(disk, small()).await.unwrap()
}

tests! {
    async fn a_failed_commit_fails_all_that_was_submitted_after_it_and_no_more() {
        let disk = Disk::new();
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        disk.fault_after(0, Fault::Fail(Error::QuotaExceeded));
        let ran = Rc::new(Cell::new(false));
        let mut batch = put(TABLE, "b", "1");
        batch.put(OTHER, "b", "1");
        batch.on_durable({
            let ran = ran.clone();
            move || ran.set(true)
        });
        let epoch = store.epoch();
        let first = store.submit(batch);
        let second = store.submit(put(TABLE, "c", "1"));
        let empty = store.submit(Batch::new());
        for commit in [first, second, empty] {
            assert!(matches!(commit.await, Err(Error::QuotaExceeded)));
        }
        assert!(!ran.get() && store.epoch() == epoch + 1);
        store.commit(put(TABLE, "d", "1")).await.unwrap();
        for store in [store, Store::open_memory(&disk, Options::default()).await.unwrap()] {
            if store.get(TABLE, "a").await.is_err() {
                continue;
            }
            let rows = scan(&store, KeyRange::all(), Direction::Forward, 9).await;
            assert_eq!(rows, [("a".into(), "1".into()), ("d".into(), "1".into())]);
            assert_eq!(store.get(OTHER, "b").await.unwrap(), None);
        }
    }

    async fn what_waits_behind_a_failing_group_fails_with_it() {
        let disk = Disk::new();
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        let large = |n: usize| put(TABLE, key(n), vec![0; 900 << 10]);
        disk.fault_after(0, Fault::Fail(Error::QuotaExceeded));
        // Too large to share a transaction.
        let commits: Vec<_> = (0..3).map(|n| store.submit(large(n))).collect();
        for commit in commits {
            assert!(matches!(commit.await, Err(Error::QuotaExceeded)));
        }
        assert!(store.scan(TABLE, KeyRange::all(), Direction::Forward, 9).await.unwrap().is_empty());
    }

    async fn a_checkpoint_that_fails_anywhere_is_tried_again() {
        // The number of operations that fit in one round of commits and a checkpoint.
        for at in 0..120 {
            let disk = Disk::new();
            let store = open(&disk).await;
            disk.fault_after(at, Fault::Fail(Error::QuotaExceeded));
            let mut acknowledged = Vec::new();
            for n in 0..60 {
                let outcome = store.commit(put(TABLE, key(n * 7 % 60), format!("{n}"))).await;
                if outcome.is_ok() {
                    acknowledged.push((key(n * 7 % 60), format!("{n}")));
                }
            }
            assert!(acknowledged.len() >= 59, "one operation failed");
            for (key, value) in &acknowledged {
                // The read itself may be what fails.
                if let Ok(found) = store.get(TABLE, key).await {
                    assert_eq!(found.unwrap(), value.as_bytes());
                }
            }
            disk.kill();
            let store = open(&disk).await;
            for (key, value) in &acknowledged {
                assert_eq!(read(&store, key).await.as_ref(), Some(value), "at {at}");
            }
        }
    }

    async fn commits_are_refused_rather_than_kept_in_memory_without_bound() {
        let disk = Disk::new();
        let store = open(&disk).await;
        store.commit(put(TABLE, "first", "v")).await.unwrap();
        // Everything that a checkpoint writes fails from now on; journal records do not.
        disk.refuse_leaves(Some(Error::QuotaExceeded));
        let mut refused = None;
        for n in 0..200 {
            if let Err(cause) = store.commit(put(TABLE, key(n), vec![0; 200])).await {
                refused = Some((n, cause));
                break;
            }
        }
        let (n, cause) = refused.expect("a limit");
        assert!(matches!(cause, Error::QuotaExceeded));
        assert!(n * 200 <= 7 * small().journal_bytes);
        disk.refuse_leaves(None);
        while store.commit(put(TABLE, "more", "v")).await.is_err() {
            neurite::platform::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(scan_count(&store).await, n + 2);
    }

    async fn a_damaged_leaf_is_told_and_the_rest_stays_readable() {
        let disk = Disk::new();
        let store = open(&disk).await;
        for n in 0..200 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        store.close().await;
        let leaves = disk.leaf_keys();
        assert!(leaves.len() > 5);
        let damaged = &leaves[leaves.len() / 2];
        assert_eq!(disk.damage_leaves(damaged), 1);
        let store = open(&disk).await;
        let damaged_key = String::from_utf8(damaged[1..].to_vec()).unwrap();
        let inside = format!("{damaged_key}0");
        assert!(matches!(store.get(TABLE, &inside).await, Err(Error::Corrupt(_))));
        let all = store.scan(TABLE, KeyRange::all(), Direction::Forward, 1000).await;
        assert!(matches!(all, Err(Error::Corrupt(_))));
        let before = KeyRange { start: None, end: Some(damaged_key.clone().into_bytes()) };
        let before = scan(&store, before, Direction::Backward, 1000).await;
        assert!(!before.is_empty());
        assert_eq!(read(&store, key(0)).await.as_deref(), Some("v"));
        // Writes to it are kept, however often the journal is worked off.
        store.commit(put(TABLE, inside.clone(), "kept")).await.unwrap();
        for n in 1000..1200 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        for store in [store.clone(), { store.close().await; open(&disk).await }] {
            if store.get(TABLE, key(0)).await.is_ok() {
                assert_eq!(read(&store, &inside).await.as_deref(), Some("kept"));
                assert_eq!(read(&store, key(1199)).await.as_deref(), Some("v"));
            }
        }
        assert!(disk.leaf_keys().contains(damaged), "it is never removed");
    }

    async fn a_damaged_journal_is_told_and_left_alone() {
        let disk = Disk::new();
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        store.close().await;
        let records = disk.journal_records();
        assert!(disk.damage_journal() > 0);
        let outcome = Store::open_memory(&disk, Options::default()).await;
        assert!(matches!(outcome.err(), Some(Error::Corrupt(_))));
        assert_eq!(disk.journal_records(), records);
        disk.damage_journal();
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        assert_eq!(read(&store, "a").await.as_deref(), Some("1"), "undamaged again");
    }
}

async fn scan_count(store: &Store) -> usize {
    store.scan(TABLE, KeyRange::all(), Direction::Forward, usize::MAX).await.unwrap().len()
}
