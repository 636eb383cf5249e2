//! Kills and power cuts: what was acknowledged is there, and no batch is half there.

use std::time::Duration;

use neurite::store::{
    Batch, Direction, KeyRange, Options, Store,
    memory::{Disk, Fault},
};

use super::place::{OTHER, TABLE, key, put, small};

/// Enough for a few checkpoints.
const COMMITS: usize = 80;

/// Commits batches, each of two rows in two tables, until the disk is killed; tells how many were
/// acknowledged.
async fn commit_until_killed(store: &Store, most: usize) -> usize {
    for n in 0..most {
        let mut batch = put(TABLE, key(n * 13 % 97), n.to_string());
        batch.put(OTHER, key(n * 13 % 97), n.to_string());
        if store.commit(batch).await.is_err() {
            return n;
        }
    }
    most
}

/// Checks that exactly the first `count` batches are there, or one more.
async fn check(store: &Store, count: usize, context: &str) {
    let all = |table| store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX);
    let rows = all(TABLE).await.unwrap();
    assert_eq!(rows, all(OTHER).await.unwrap(), "no batch is half there: {context}");
    let expected = |count: usize| {
        let mut rows = std::collections::BTreeMap::new();
        for n in 0..count {
            rows.insert(key(n * 13 % 97).into(), n.to_string().into());
        }
        rows.into_iter().collect::<Vec<_>>()
    };
    assert!(rows == expected(count) || rows == expected(count + 1), "{context}");
}

async fn killed_at(options: &Options, at: u64, fault: Fault, lose: usize) -> bool {
    let context = format!("operation {at}, {fault:?}");
    let disk = Disk::new();
    let store = Store::open_memory(&disk, options.clone()).await.unwrap();
    disk.fault_after(at, fault);
    let count = commit_until_killed(&store, COMMITS).await;
    let killed = count < COMMITS;
    disk.power_cut(lose);
    // The next start is killed too, soon after it has taken up the work.
    disk.fault_after(3, Fault::KillBefore);
    if let Ok(store) = Store::open_memory(&disk, options.clone()).await {
        commit_nothing_until_killed(&store, &disk).await;
    }
    let store = Store::open_memory(&disk, options.clone()).await.unwrap();
    check(&store, count, &context).await;
    killed
}

async fn commit_nothing_until_killed(store: &Store, disk: &Disk) {
    for _ in 0..20 {
        // Lets the checkpoint that was taken up run, if there is one.
        if store.get(TABLE, "nothing").await.is_err() || store.commit(Batch::new()).await.is_err() {
            return;
        }
    }
    disk.kill();
}

tests! {
    async fn a_kill_at_any_operation_loses_nothing() {
        let mut at = 0;
        while killed_at(&small(), at, Fault::KillBefore, 0).await {
            assert!(killed_at(&small(), at, Fault::KillAfter, 0).await);
            at += 1;
        }
        assert!(at > COMMITS as u64 + 5, "the kills went through checkpoints: {at}");
    }

    async fn a_power_cut_at_any_operation_loses_nothing() {
        for at in (0..).step_by(3) {
            if !killed_at(&small(), at, Fault::KillAfter, usize::MAX).await {
                break;
            }
            killed_at(&small(), at, Fault::KillBefore, 1).await;
        }
    }

    async fn closing_leaves_the_next_start_little_to_read() {
        let disk = Disk::new();
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        for n in 0..200 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        store.close().await;
        assert!(disk.journal_records() <= 1, "{}", disk.journal_records());
        let store = Store::open_memory(&disk, Options::default()).await.unwrap();
        let rows = store.scan(TABLE, KeyRange::all(), Direction::Forward, usize::MAX).await.unwrap();
        assert_eq!(rows.len(), 200);
        store.close().await;
    }

    async fn start_reads_no_more_for_a_larger_database() {
        let mut operations = Vec::new();
        for rows in [100, 2000] {
            let disk = Disk::new();
            let store = Store::open_memory(&disk, small()).await.unwrap();
            for n in 0..rows {
                store.commit(put(TABLE, key(n), "v")).await.unwrap();
            }
            store.close().await;
            assert!(disk.journal_records() <= 2 * small().journal_records);
            let before = disk.operations();
            let store = Store::open_memory(&disk, Options::default()).await.unwrap();
            operations.push(disk.operations() - before);
            store.close().await;
        }
        assert_eq!(operations[0], operations[1]);
    }
}

tests! {
    /// A leaf that is emptied leaves its stretch to the one before, which may be in the cache.
    async fn what_is_left_of_an_emptied_leaf_is_there_once() {
        let options = Options {
            journal_records: 1,
            leaf_bytes: 400,
            idle_after: Duration::ZERO,
            ..Options::default()
        };
        let store = Store::open_memory(&Disk::new(), options).await.unwrap();
        let write = async |rows: &[(&str, Option<usize>)]| {
            let mut batch = Batch::new();
            for (key, size) in rows {
                match size {
                    Some(size) => batch.put(TABLE, *key, vec![0; *size]),
                    None => batch.delete(TABLE, *key),
                }
            }
            store.commit(batch).await.unwrap();
            while store.usage().await.unwrap().journal_rows > 0 {
                neurite::platform::sleep(Duration::ZERO).await;
            }
        };
        write(&[("a", Some(230)), ("b", Some(360))]).await;
        store.get(TABLE, "a").await.unwrap();
        write(&[("a1", Some(10)), ("b", None)]).await;
        write(&[("a", None)]).await;
        let rows = store.scan(TABLE, KeyRange::all(), Direction::Forward, 10).await.unwrap();
        let keys: Vec<_> = rows.iter().map(|(key, _)| &key[..]).collect();
        assert_eq!(keys, [b"a1"]);
    }
}
