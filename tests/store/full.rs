//! A disk without room: what is stored can be read and removed, and there is room again later.

use std::{cell::RefCell, rc::Rc, time::Duration};

use neurite::{
    platform::{self, Blob},
    store::{Batch, Direction, Error, KeyRange, Options, Store, Table, memory::Disk},
};

use super::place::{TABLE, checkpointed, key, put, read, small};

const RESERVE: usize = 6000;

fn reserving() -> Options {
    Options { reserve_bytes: RESERVE, ..small() }
}

async fn open(disk: &Disk, options: Options) -> Store {
    Store::open_memory(disk, options).await.unwrap()
}

/// A disk with so many rows, some of them in leaves, from which everybody has gone.
async fn with_rows(options: &Options, rows: usize) -> Disk {
    let disk = Disk::new();
    let store = open(&disk, options.clone()).await;
    for n in 0..rows {
        store.commit(put(TABLE, key(n), format!("{n}"))).await.unwrap();
    }
    disk.kill();
    disk
}

fn delete(keys: impl IntoIterator<Item = usize>) -> Batch {
    let mut batch = Batch::new();
    keys.into_iter().for_each(|n| batch.delete(TABLE, key(n)));
    batch
}

async fn assert_rows(store: &Store, rows: impl IntoIterator<Item = usize>) {
    let expected: Vec<_> = rows.into_iter().map(|n| (key(n), format!("{n}"))).collect();
    let found = super::place::scan(store, KeyRange::all(), Direction::Forward, usize::MAX).await;
    assert_eq!(found, expected);
}

fn is_full<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::QuotaExceeded))
}

/// Commits what is to be kept until there is room for it.
async fn until_kept(store: &Store, n: usize) {
    while let Err(cause) = store.commit(put(TABLE, key(n), format!("{n}"))).await {
        assert!(matches!(cause, Error::QuotaExceeded), "{cause}");
        platform::sleep(Duration::from_millis(5)).await;
    }
}

tests! {
    async fn a_full_disk_is_opened_and_written_to_once_there_is_room() {
        // With records in one journal, in two (a checkpoint was cut off), and in leaves.
        for (rows, refuse) in [(5, false), (30, true), (70, false)] {
            let disk = Disk::new();
            let store = open(&disk, small()).await;
            disk.refuse_leaves(refuse.then_some(Error::QuotaExceeded));
            for n in 0..rows {
                store.commit(put(TABLE, key(n), format!("{n}"))).await.unwrap();
            }
            disk.kill();
            disk.refuse_leaves(None);
            disk.fill_up();
            // It may be opened in vain again and again.
            open(&disk, small()).await.close().await;
            let store = open(&disk, small()).await;
            let told = Rc::new(RefCell::new(Vec::new()));
            let watcher = told.clone();
            store.watch_full(move |full| watcher.borrow_mut().push(full));
            assert!(store.is_full());
            assert_rows(&store, 0..rows).await;
            assert!(is_full(store.commit(put(TABLE, "more", "1")).await));
            assert!(is_full(store.put_blob("blob", Blob::new(vec![1; 100].into())).await));
            assert_rows(&store, 0..rows).await;
            disk.set_quota(None);
            until_kept(&store, rows).await;
            assert!(!store.is_full());
            assert_eq!(*told.borrow(), [false]);
            for n in rows + 1..rows + 60 {
                store.commit(put(TABLE, key(n), format!("{n}"))).await.unwrap();
            }
            assert_rows(&store, 0..rows + 60).await;
            disk.kill();
            assert_rows(&open(&disk, small()).await, 0..rows + 60).await;
        }
    }

    async fn a_new_disk_without_room_can_be_opened_and_not_written_to() {
        let disk = Disk::new();
        disk.fill_up();
        let store = open(&disk, reserving()).await;
        assert_rows(&store, []).await;
        assert!(is_full(store.commit(put(TABLE, key(0), "0")).await));
        disk.set_quota(None);
        until_kept(&store, 0).await;
        disk.kill();
        assert_rows(&open(&disk, reserving()).await, [0]).await;
    }

    async fn what_was_written_meanwhile_is_not_written_over() {
        let disk = Disk::new();
        let before = open(&disk, small()).await;
        before.commit(put(TABLE, key(0), "0")).await.unwrap();
        disk.fill_up();
        let store = open(&disk, small()).await;
        assert!(store.is_full());
        disk.set_quota(None);
        // Such as by a tab that was frozen and woke up.
        before.commit(put(TABLE, key(1), "1")).await.unwrap();
        let outcome = store.commit(put(TABLE, key(2), "2")).await;
        assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
        assert!(store.closed().is_some());
        before.commit(put(TABLE, key(2), "2")).await.unwrap();
        assert_rows(&open(&disk, small()).await, 0..3).await;
    }

    async fn whoever_was_there_before_is_shut_out_as_soon_as_there_is_room() {
        let disk = Disk::new();
        let before = open(&disk, small()).await;
        for n in 0..30 {
            before.commit(put(TABLE, key(n), format!("{n}"))).await.unwrap();
        }
        disk.fill_up();
        let store = open(&disk, small()).await;
        assert_rows(&store, 0..30).await;
        disk.set_quota(None);
        until_kept(&store, 30).await;
        assert!(matches!(before.commit(put(TABLE, "x", "x")).await, Err(Error::Closed(_))));
        assert_rows(&store, 0..31).await;
    }

    async fn what_makes_room_uses_the_reserve_and_nothing_else_does() {
        let disk = with_rows(&reserving(), 100).await;
        disk.fill_up();
        let store = open(&disk, reserving()).await;
        for n in 0..3 {
            assert!(is_full(store.commit(put(TABLE, key(n), "other")).await));
        }
        assert_rows(&store, 0..100).await;
        store.commit(delete(0..20)).await.unwrap();
        let mut batch = delete(20..40);
        batch.put(Table::QueuePurges, "one", "1");
        batch.makes_room();
        let (epoch, kept) = (store.epoch(), store.submit(put(TABLE, "more", "1")));
        let removed = store.submit(batch);
        // What fails for lack of room does so at once, so that nothing is submitted behind it.
        assert_eq!(store.epoch(), epoch + 1);
        assert!(is_full(kept.await));
        removed.await.unwrap();
        assert_rows(&store, 40..100).await;
        disk.kill();
        disk.fill_up();
        let store = open(&disk, reserving()).await;
        assert_rows(&store, 40..100).await;
        assert!(is_full(store.commit(put(TABLE, "more", "1")).await));
        disk.set_quota(None);
        until_kept(&store, 100).await;
        // There is a reserve again.
        disk.fill_up();
        let filled = disk.bytes();
        store.commit(delete([100])).await.unwrap();
        assert!(disk.bytes() < filled);
    }

    async fn what_was_removed_gives_room_for_other_things() {
        let options = Options { idle_after: Duration::from_millis(2), ..reserving() };
        let disk = Disk::new();
        let store = open(&disk, options.clone()).await;
        for n in 0..100 {
            store.commit(put(TABLE, key(n), platform::random_string(300))).await.unwrap();
        }
        checkpointed(&store, &options).await;
        store.close().await;
        disk.fill_up();
        let store = open(&disk, options).await;
        assert!(is_full(store.commit(put(TABLE, "more", "1")).await));
        store.commit(delete(0..90)).await.unwrap();
        until_kept(&store, 1000).await;
        assert!(!store.is_full());
        assert_eq!(read(&store, key(1000)).await.as_deref(), Some("1000"));
        assert_eq!(read(&store, key(0)).await, None);
    }

    async fn blobs_are_read_and_removed_without_room() {
        let options = reserving();
        let disk = Disk::new();
        let store = open(&disk, options.clone()).await;
        let blob = || Blob::new(vec![1; 10_000].into());
        store.put_blob("a", blob()).await.unwrap();
        store.commit(put(TABLE, key(0), "0")).await.unwrap();
        disk.kill();
        disk.fill_up();
        let store = open(&disk, options).await;
        assert_eq!(store.blob("a").await.unwrap().unwrap().len(), 10_000);
        assert!(is_full(store.put_blob("b", blob()).await));
        store.delete_blob("a").await.unwrap();
        until_kept(&store, 1).await;
        assert_rows(&store, 0..2).await;
    }

    async fn refusals_cost_nothing() {
        let disk = with_rows(&reserving(), 100).await;
        disk.fill_up();
        let store = open(&disk, reserving()).await;
        let before = disk.operations();
        for _ in 0..20 {
            assert!(is_full(store.commit(put(TABLE, "more", "1")).await));
        }
        assert_eq!(disk.operations(), before);
    }
}
