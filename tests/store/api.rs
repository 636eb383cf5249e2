//! What callers of the store rely on.

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    rc::Rc,
    time::Duration,
};

use futures::future::join_all;
use neurite::{
    platform::{Blob, sleep},
    store::{Batch, Direction, Error, KeyRange, Operation, Options, Result, Submission},
};

use super::place::{OTHER, TABLE, checkpointed, key, put, read, scan, small};

#[derive(Debug)]
struct Count {
    of: &'static str,
    fails: bool,
}

impl Operation for Count {
    fn submit(self: Box<Self>, batch: &mut Submission) -> Result<()> {
        if self.fails {
            return Err(Error::Refused(self.of.to_owned()));
        }
        batch.put(TABLE, self.of, format!("1 of {}", self.of));
        Ok(())
    }
}

on_every_backend! {
    async fn what_was_committed_is_read_and_survives_opening_again(place) {
        let store = place.open().await;
        assert_eq!(read(&store, "a").await, None);
        store.commit(put(TABLE, "a", "1")).await.unwrap();
        store.commit(put(TABLE, "b", "2")).await.unwrap();
        let mut batch = Batch::new();
        batch.delete(TABLE, "a");
        batch.put(TABLE, "c", "3");
        batch.put(TABLE, "c", "4");
        store.commit(batch).await.unwrap();
        for store in [store.clone(), { store.close().await; place.open().await }] {
            if store.get(TABLE, "a").await.is_err() {
                continue;
            }
            assert_eq!(read(&store, "a").await, None);
            assert_eq!(read(&store, "b").await.as_deref(), Some("2"));
            assert_eq!(read(&store, "c").await.as_deref(), Some("4"), "the last write counts");
        }
    }

    async fn tables_are_apart(place) {
        let store = place.open().await;
        store.commit(put(TABLE, "k", "1")).await.unwrap();
        store.commit(put(OTHER, "k", "2")).await.unwrap();
        let all = |table| store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX);
        assert_eq!(all(TABLE).await.unwrap(), [("k".into(), "1".into())]);
        assert_eq!(all(OTHER).await.unwrap(), [("k".into(), "2".into())]);
    }

    async fn nothing_is_visible_before_it_is_durable(place) {
        let store = place.open().await;
        let commit = store.submit(put(TABLE, "a", "1"));
        assert_eq!(read(&store, "nothing").await, None);
        commit.await.unwrap();
        assert_eq!(read(&store, "a").await.as_deref(), Some("1"));
    }

    async fn hooks_run_in_order_when_the_batch_can_be_read(place) {
        let store = place.open().await;
        let seen = Rc::new(RefCell::new(Vec::new()));
        let commits: Vec<_> = (0..20)
            .map(|n| {
                // Every third one has nothing to write, and keeps its place.
                let mut batch = if n % 3 == 0 { Batch::new() } else { put(TABLE, key(n), "v") };
                let seen = seen.clone();
                batch.on_durable(move || seen.borrow_mut().push(n));
                store.submit(batch)
            })
            .collect();
        assert!(seen.borrow().is_empty(), "never inside of submit");
        for (n, commit) in commits.into_iter().enumerate() {
            commit.await.unwrap();
            assert!(seen.borrow().contains(&n));
        }
        assert!(seen.borrow().is_sorted() && seen.borrow().len() == 20);
    }

    async fn a_batch_is_completed_at_its_submission(place) {
        let store = place.open().await;
        let numbers = Rc::new(Cell::new(0));
        let next = move || numbers.replace(numbers.get() + 1);
        let seen = Rc::new(RefCell::new(Vec::new()));
        // What is begun first and submitted last is numbered last.
        let batches: Vec<_> = (0..4).map(|n| put(TABLE, key(n), "v")).collect();
        let submit = |batch| {
            let complete = |submission: &mut Submission| {
                let (number, seen) = (next(), seen.clone());
                submission.put(TABLE, "last", number.to_string());
                submission.on_durable(move || seen.borrow_mut().push(number));
                Ok::<_, Error>(number)
            };
            store.submit_with(batch, complete).unwrap()
        };
        let commits: Vec<_> = batches.into_iter().rev().map(submit).collect();
        for (expected, (number, commit)) in commits.into_iter().enumerate() {
            assert_eq!(number, expected);
            commit.await.unwrap();
        }
        assert_eq!(*seen.borrow(), [0, 1, 2, 3]);
        assert_eq!(read(&store, "last").await.as_deref(), Some("3"));
    }

    async fn a_batch_that_is_not_completed_is_not_handed_in(place) {
        let store = place.open().await;
        let ran = Rc::new(Cell::new(false));
        let mut batch = put(TABLE, "a", "1");
        batch.on_durable({
            let ran = ran.clone();
            move || ran.set(true)
        });
        let refuse = |_: &mut Submission| Err::<(), _>(Error::Foreign(String::new()));
        let outcome = store.commit_with(batch, refuse).await;
        assert!(matches!(outcome, Err(Error::Foreign(_))));
        store.commit(Batch::new()).await.unwrap();
        assert!(!ran.get() && read(&store, "a").await.is_none());
    }

    async fn operations_can_be_looked_at_and_are_done_at_the_submission(place) {
        let store = place.open().await;
        let mut batch = put(TABLE, "a", "secret");
        batch.add(Count { of: "b", fails: false });
        let held = Rc::new(());
        batch.hold(held.clone());
        assert_eq!(batch.operations::<Count>().map(|count| count.of).collect::<Vec<_>>(), ["b"]);
        let shown = format!("{batch:?}");
        assert!(shown.contains("Count { of: \"b\"") && !shown.contains("secret"), "{shown}");
        let commit = store.submit(batch);
        assert_eq!(Rc::strong_count(&held), 2);
        commit.await.unwrap();
        assert_eq!(Rc::strong_count(&held), 1);
        assert_eq!(read(&store, "b").await.as_deref(), Some("1 of b"));
        // One that can't be done takes everything with it.
        let mut batch = put(TABLE, "c", "1");
        batch.add(Count { of: "d", fails: false });
        batch.add(Count { of: "e", fails: true });
        batch.hold(held.clone());
        assert!(matches!(store.commit(batch).await, Err(Error::Refused(_))));
        assert_eq!(Rc::strong_count(&held), 1);
        let rows = scan(&store, KeyRange::all(), Direction::Forward, 9).await;
        assert_eq!(rows.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["a", "b"]);
    }

    async fn nothing_is_submitted_in_the_midst_of_a_submission(place) {
        let store = place.open().await;
        let nested = |submission: &mut Submission| {
            submission.put(TABLE, "a", "1");
            Ok::<_, Error>(store.submit(put(TABLE, "b", "1")))
        };
        let nested = store.commit_with(Batch::new(), nested).await.unwrap().await;
        assert!(matches!(nested, Err(Error::Nested)));
        store.commit(put(TABLE, "c", "1")).await.unwrap();
        let rows = scan(&store, KeyRange::all(), Direction::Forward, 9).await;
        assert_eq!(rows, [("a".into(), "1".into()), ("c".into(), "1".into())]);
    }

    async fn batches_submitted_together_share_records(place) {
        let store = place.open().await;
        let before = store.usage().await.unwrap().journal_records;
        let commits = (0..100).map(|n| store.submit(put(TABLE, key(n), "v")));
        for outcome in join_all(commits.collect::<Vec<_>>()).await {
            outcome.unwrap();
        }
        let records = store.usage().await.unwrap().journal_records - before;
        assert!(records <= 2, "{records} records for 100 batches");
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 1000).await.len(), 100);
    }

    async fn patient_batches_become_durable_with_others_or_by_themselves(place) {
        let store = place.open().await;
        let before = store.usage().await.unwrap().journal_records;
        let patient = |n| {
            let mut batch = put(TABLE, key(n), "v");
            batch.wait_for_others();
            store.submit(batch)
        };
        let (first, second) = (patient(1), patient(2));
        store.commit(put(TABLE, key(3), "v")).await.unwrap();
        assert_eq!(store.usage().await.unwrap().journal_records, before + 1);
        first.await.unwrap();
        second.await.unwrap();
        patient(4).await.unwrap();
        let last = patient(5);
        store.close().await;
        last.await.unwrap();
        let store = place.open().await;
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 9).await.len(), 5);
    }

    async fn scans_go_both_ways_within_range_and_limit(place) {
        let store = place.open().await;
        for n in 0..10 {
            store.commit(put(TABLE, key(n), n.to_string())).await.unwrap();
        }
        let keys = |rows: Vec<(String, String)>| {
            rows.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join("")
        };
        let range = || KeyRange::between(key(2), key(7));
        for (range, direction, limit, expected) in [
            (KeyRange::all(), Direction::Forward, usize::MAX, "0123456789"),
            (KeyRange::all(), Direction::Backward, 3, "987"),
            (range(), Direction::Forward, usize::MAX, "23456"),
            (range(), Direction::Backward, usize::MAX, "65432"),
            (range(), Direction::Forward, 2, "23"),
            (range(), Direction::Forward, 0, ""),
            (KeyRange::prefix("key/00000"), Direction::Backward, 1, "9"),
            (KeyRange::prefix("none"), Direction::Forward, 1, ""),
            (KeyRange::between(key(7), key(2)), Direction::Forward, 9, ""),
        ] {
            assert_eq!(keys(scan(&store, range, direction, limit).await), expected);
        }
    }

    async fn scans_merge_what_is_packed_with_what_is_not(place) {
        let store = place.open_small().await;
        for n in (0..300).step_by(2) {
            store.commit(put(TABLE, key(n), "old")).await.unwrap();
        }
        checkpointed(&store, &small()).await;
        // Over the packed rows: new ones between them, changed ones, and deleted ones.
        let mut batch = Batch::new();
        batch.put(TABLE, key(101), "new");
        batch.put(TABLE, key(102), "changed");
        batch.delete(TABLE, key(104));
        batch.put(TABLE, key(107), "new");
        store.commit(batch).await.unwrap();
        let expected = [(100, "old"), (101, "new"), (102, "changed"), (106, "old"), (107, "new")]
            .map(|(n, value)| (key(n), value.to_owned()));
        let range = || KeyRange::between(key(100), key(108));
        let forward = scan(&store, range(), Direction::Forward, 100).await;
        assert_eq!(forward, expected);
        let mut backward = scan(&store, range(), Direction::Backward, 100).await;
        backward.reverse();
        assert_eq!(backward, expected);
        assert_eq!(scan(&store, range(), Direction::Forward, 3).await, expected[..3]);
        let newest = scan(&store, range(), Direction::Backward, 2).await;
        assert_eq!(newest, [expected[4].clone(), expected[3].clone()]);
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 1000).await.len(), 151);
    }

    async fn large_values_are_kept(place) {
        let store = place.open_small().await;
        let sizes = [0, 1, 299, 300, 5_000, 70_000, 1_500_000];
        for (n, size) in sizes.into_iter().enumerate() {
            store.commit(put(TABLE, key(n), vec![n as u8; size])).await.unwrap();
        }
        for n in 100..150 {
            store.commit(put(TABLE, key(n), "small")).await.unwrap();
        }
        checkpointed(&store, &small()).await;
        store.close().await;
        let store = place.open_small().await;
        for (n, size) in sizes.into_iter().enumerate() {
            let value = store.get(TABLE, key(n)).await.unwrap().unwrap();
            assert!(value.len() == size && value.iter().all(|byte| *byte == n as u8));
        }
        let rows = store.scan(TABLE, KeyRange::all(), Direction::Backward, 1000).await.unwrap();
        assert_eq!(rows.len(), sizes.len() + 50);
    }

    async fn rows_are_read_right_while_they_are_packed(place) {
        let store = place.open_small().await;
        let writer = async {
            for round in 0..5 {
                for n in 0..60 {
                    let value = format!("{round} {}", "x".repeat(n));
                    store.commit(put(TABLE, key(n), value)).await.unwrap();
                }
            }
        };
        let reader = async {
            for _ in 0..200 {
                let rows = scan(&store, KeyRange::all(), Direction::Forward, 1000).await;
                // Rows are written in the order of their keys, round after round: a scan that
                // sees one moment finds no row of a later round behind one of an earlier.
                let rounds: Vec<_> = rows.iter().map(|(_, value)| &value[..1]).collect();
                assert!(rounds.is_sorted_by(|a, b| a >= b), "{rounds:?}");
                let backward = scan(&store, KeyRange::all(), Direction::Backward, 7).await;
                assert!(backward.is_sorted_by(|a, b| a.0 > b.0));
            }
        };
        futures::join!(writer, reader);
        checkpointed(&store, &small()).await;
        for n in 0..60 {
            assert_eq!(read(&store, key(n)).await, Some(format!("4 {}", "x".repeat(n))));
        }
    }

    async fn a_scan_sees_nothing_that_was_packed_after_it_began(place) {
        let store = place.open_small().await;
        for n in 0..400 {
            store.commit(put(TABLE, key(n), "old")).await.unwrap();
        }
        checkpointed(&store, &small()).await;
        let mut slow = pin!(scan(&store, KeyRange::all(), Direction::Forward, 1000));
        assert!(futures::poll!(&mut slow).is_pending());
        // The last of what it reads is changed, often enough for a checkpoint.
        for n in 370..400 {
            store.commit(put(TABLE, key(n), "new")).await.unwrap();
        }
        for n in 0..100 {
            assert!(read(&store, key(n)).await.is_some());
        }
        let rows = slow.await;
        assert!(rows.len() == 400 && rows.iter().all(|(_, value)| value == "old"));
        checkpointed(&store, &small()).await;
        assert_eq!(read(&store, key(399)).await.as_deref(), Some("new"));
    }

    async fn rows_that_were_deleted_leave_nothing(place) {
        let store = place.open_small().await;
        for n in 0..200 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        for n in 0..200 {
            let mut batch = Batch::new();
            batch.delete(TABLE, key(n));
            store.commit(batch).await.unwrap();
        }
        for n in 1000..1030 {
            store.commit(put(OTHER, key(n), "v")).await.unwrap();
        }
        checkpointed(&store, &small()).await;
        assert!(scan(&store, KeyRange::all(), Direction::Forward, 10).await.is_empty());
        store.close().await;
        let store = place.open_small().await;
        assert!(scan(&store, KeyRange::all(), Direction::Backward, 10).await.is_empty());
    }

    async fn blobs_are_kept_apart(place) {
        let store = place.open().await;
        assert!(store.blob("id").await.unwrap().is_none());
        store.put_blob("id", Blob::new(vec![7; 100_000].into())).await.unwrap();
        store.close().await;
        let store = place.open().await;
        let blob = store.blob("id").await.unwrap().unwrap();
        assert_eq!(blob.len(), 100_000);
        assert_eq!(blob.bytes().await.unwrap(), vec![7; 100_000]);
        store.delete_blob("id").await.unwrap();
        assert!(store.blob("id").await.unwrap().is_none());
        store.delete_blob("id").await.unwrap();
    }

    async fn closing_waits_for_what_was_submitted_and_refuses_the_rest(place) {
        let store = place.open_small().await;
        let commits: Vec<_> = (0..50).map(|n| store.submit(put(TABLE, key(n), "v"))).collect();
        let late = {
            let store = store.clone();
            async move { store.commit(put(TABLE, "late", "v")).await }
        };
        let (_, late, ended) = futures::join!(store.close(), late, store.ended());
        assert!(matches!(ended, Error::Closed(_)));
        assert!(matches!(late, Err(Error::Closed(_))));
        for outcome in join_all(commits).await {
            outcome.unwrap();
        }
        assert!(matches!(store.get(TABLE, key(1)).await, Err(Error::Closed(_))));
        assert!(matches!(store.blob("id").await, Err(Error::Closed(_))));
        let store = place.open_small().await;
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 100).await.len(), 50);
    }

    async fn a_store_that_was_taken_over_from_acknowledges_nothing(place) {
        let old = place.open().await;
        old.commit(put(TABLE, "a", "old")).await.unwrap();
        let new = place.open().await;
        let outcome = old.commit(put(TABLE, "a", "too late")).await;
        assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
        assert!(matches!(old.commit(put(TABLE, "b", "")).await, Err(Error::Closed(_))));
        assert!(matches!(old.get(TABLE, "a").await, Err(Error::Closed(_))));
        assert!(matches!(old.ended().await, Error::Closed(_)));
        assert_eq!(read(&new, "a").await.as_deref(), Some("old"));
        new.commit(put(TABLE, "c", "new")).await.unwrap();
        new.close().await;
        let again = place.open().await;
        assert_eq!(read(&again, "a").await.as_deref(), Some("old"));
        assert_eq!(read(&again, "b").await, None);
        assert_eq!(read(&again, "c").await.as_deref(), Some("new"));
    }

    async fn an_idle_store_shortens_its_journal(place) {
        let options = Options { idle_after: Duration::from_millis(10), ..small() };
        let store = place.open_with(options).await;
        for n in 0..10 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        while store.usage().await.unwrap().journal_records > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 100).await.len(), 10);
    }

    async fn a_finished_checkpoint_leaves_a_short_journal(place) {
        let store = place.open_small().await;
        for n in 0..500 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        checkpointed(&store, &small()).await;
        let usage = store.usage().await.unwrap();
        assert!(usage.journal_records < 20 && usage.journal_bytes < 2000, "{usage:?}");
        assert!(usage.cached_bytes <= 4000, "{usage:?}");
        assert_eq!(scan(&store, KeyRange::all(), Direction::Forward, 1000).await.len(), 500);
    }
}
