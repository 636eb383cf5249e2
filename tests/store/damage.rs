//! Records that are damaged or gone: an error that says so, or nothing lost. Never fewer rows.

use std::time::Duration;

use bytes::Bytes;
use neurite::store::{Batch, Direction, Error, KeyRange, Options, Store, Table, memory::Disk};

use super::place::{OTHER, TABLE, checkpointed, key, put, small};

/// A database of before: two tables, the second without a leaf at its beginning, and a journal.
const FIRST_FORMAT: &str = include_str!("first_format.txt");

type Rows = Vec<(Table, String, String)>;

/// A disk with leaves of two tables and with rows in both journals, and what is on it.
async fn filled() -> (Disk, Rows) {
    let disk = Disk::new();
    let store = Store::open_memory(&disk, small()).await.unwrap();
    for n in 0..40 {
        store.commit(put(TABLE, key(n), format!("value {n}"))).await.unwrap();
        store.commit(put(OTHER, key(n), format!("value {n}"))).await.unwrap();
    }
    store.close().await;
    let store = Store::open_memory(&disk, small()).await.unwrap();
    disk.refuse_leaves(Some(Error::QuotaExceeded));
    for n in 0..small().journal_records + 3 {
        store.commit(put(TABLE, key(2 * n), format!("newer {n}"))).await.unwrap();
    }
    let rows = read(&store).await.unwrap();
    disk.kill();
    disk.refuse_leaves(None);
    let with_records = |name: &str| disk.dump().iter().filter(|(of, ..)| *of == name).count() > 2;
    assert!(["journal_a", "journal_b", "leaves"].into_iter().all(with_records));
    (disk, rows)
}

/// A disk as it was written by the first version.
fn first_format() -> (Disk, Rows) {
    let disk = Disk::new();
    for line in FIRST_FORMAT.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        disk.set(fields[0], unhex(fields[1]), Some(unhex(fields[2])));
    }
    let value = |n| if n == 3 { "again".to_owned() } else { format!("value {n}") };
    let mut rows: Rows = (0..40).map(|n| (TABLE, key(n), value(n))).collect();
    rows.push((TABLE, "last".to_owned(), "1".to_owned()));
    rows.extend((6..40).map(|n| (OTHER, key(n), format!("{n:030}"))));
    (disk, rows)
}

fn unhex(text: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Another disk with the same on it.
fn copy(disk: &Disk) -> Disk {
    let copy = Disk::new();
    for (space, key, bytes) in disk.dump() {
        copy.set(space, key, Some(bytes));
    }
    copy
}

async fn open(disk: &Disk) -> Result<Store, Error> {
    Store::open_memory(disk, Options { idle_after: Duration::ZERO, ..small() }).await
}

async fn read(store: &Store) -> Result<Rows, Error> {
    let mut rows = Rows::new();
    for table in [TABLE, OTHER] {
        for (key, value) in
            store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX).await?
        {
            let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            rows.push((table, text(key), text(value)));
        }
    }
    Ok(rows)
}

/// What has become of a record.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    RefusedAtOpening,
    RefusedAtReading,
    NothingLost,
}

/// Opens and reads a disk of which a record was changed.
async fn outcome(disk: &Disk, rows: &Rows, context: &str) -> Outcome {
    let before = disk.dump();
    let store = match open(disk).await {
        Ok(store) => store,
        Err(cause) => {
            assert!(matches!(cause, Error::Corrupt(_)), "{context}: {cause}");
            assert_eq!(disk.dump(), before, "{context}: nothing is changed");
            return Outcome::RefusedAtOpening;
        }
    };
    let found = read(&store).await;
    store.close().await;
    match found {
        Ok(found) => {
            assert_eq!(found, *rows, "{context}");
            Outcome::NothingLost
        }
        Err(cause) => {
            assert!(matches!(cause, Error::Corrupt(_)), "{context}: {cause}");
            Outcome::RefusedAtReading
        }
    }
}

/// What comes of flipping a bit of each byte of each record in these spaces, one at a time.
async fn flip_each_byte(
    disk: &Disk,
    rows: &Rows,
    spaces: &[&str],
) -> Vec<(String, Bytes, Outcome)> {
    let mut outcomes = Vec::new();
    for (space, key, bytes) in disk.dump() {
        if !spaces.contains(&space) {
            continue;
        }
        for at in 0..bytes.len() {
            let context = format!("{space} {key:?}, byte {at}");
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << (at % 8);
            let disk = copy(disk);
            disk.set(space, key.clone(), Some(flipped.into()));
            let outcome = outcome(&disk, rows, &context).await;
            outcomes.push((context, key.clone(), outcome));
        }
    }
    outcomes
}

/// What comes of removing each record of these spaces, one at a time.
async fn remove_each(disk: &Disk, rows: &Rows, spaces: &[&str]) -> Vec<(String, Bytes, Outcome)> {
    let mut outcomes = Vec::new();
    for (space, key, _) in disk.dump() {
        if spaces.contains(&space) {
            let context = format!("{space} {key:?}");
            let disk = copy(disk);
            disk.set(space, key.clone(), None);
            let outcome = outcome(&disk, rows, &context).await;
            outcomes.push((context, key, outcome));
        }
    }
    outcomes
}

/// Expects that reading tells of every leaf. The number of the owner among them is written anew.
fn expect_told(outcomes: Vec<(String, Bytes, Outcome)>) {
    for (context, key, outcome) in outcomes {
        let expected =
            if key[..] == [0] { Outcome::NothingLost } else { Outcome::RefusedAtReading };
        assert_eq!(outcome, expected, "{context}");
    }
}

/// Whether the store does not open without the newest record of its journal.
async fn misses_the_newest_record(disk: &Disk) -> bool {
    let disk = copy(disk);
    let is_record = |(space, key, _): &(&str, Bytes, Bytes)| {
        space.starts_with("journal") && key.len() > 1 && !is_head(key)
    };
    let (space, key, _) = disk.dump().into_iter().rfind(is_record).unwrap();
    disk.set(space, key, None);
    open(&disk).await.is_err()
}

/// Whether it is the key of a journal's head: an owner's, above those of its records.
fn is_head(key: &[u8]) -> bool {
    key.ends_with(&[0xff; 8])
}

tests! {
    async fn every_flipped_byte_of_a_fact_or_a_journal_keeps_the_store_from_opening() {
        let (disk, rows) = filled().await;
        assert_eq!(outcome(&copy(&disk), &rows, "undamaged").await, Outcome::NothingLost);
        for (context, _, outcome) in
            flip_each_byte(&disk, &rows, &["meta", "journal_a", "journal_b"]).await
        {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }

    async fn a_flipped_byte_of_a_leaf_is_told() {
        let (disk, rows) = filled().await;
        expect_told(flip_each_byte(&disk, &rows, &["leaves"]).await);
    }

    async fn a_leaf_that_is_gone_is_told() {
        let (disk, rows) = filled().await;
        expect_told(remove_each(&disk, &rows, &["leaves"]).await);
    }

    async fn a_table_that_is_gone_is_told() {
        let (disk, rows) = filled().await;
        for table in [TABLE, OTHER] {
            let disk = copy(&disk);
            for key in disk.leaf_keys().into_iter().filter(|key| key[0] == table as u8) {
                disk.set("leaves", key, None);
            }
            assert_eq!(outcome(&disk, &rows, "a table").await, Outcome::RefusedAtReading);
        }
    }

    async fn what_is_beside_a_missing_leaf_is_read_and_what_is_written_to_it_is_kept() {
        let (disk, rows) = filled().await;
        let rows: Vec<_> = rows.into_iter().filter(|(table, ..)| *table == TABLE).collect();
        let leaves = disk.leaf_keys();
        let at = leaves.iter().position(|leaf| leaf[0] == TABLE as u8).unwrap() + 1;
        disk.set("leaves", leaves[at].clone(), None);
        let stretch = &leaves[at][1..]..&leaves[at + 1][1..];
        // Without a cache, which gives leaves one by one.
        let options = Options { cache_bytes: 0, ..small() };
        let store = Store::open_memory(&disk, options).await.unwrap();
        for (_, key, value) in &rows {
            match store.get(TABLE, key).await {
                Ok(found) => assert_eq!(found.unwrap(), value.as_bytes()),
                Err(cause) => assert!(stretch.contains(&key.as_bytes()), "{key}: {cause}"),
            }
        }
        for (from, to) in (0..rows.len()).flat_map(|from| (from..rows.len()).map(move |to| (from, to)))
        {
            let both = [Direction::Forward, Direction::Backward];
            for (direction, limit) in both.into_iter().flat_map(|way| [(way, 7), (way, 1000)]) {
                let range = KeyRange::between(rows[from].1.clone(), rows[to].1.clone());
                let found = store.scan(TABLE, range, direction, limit).await;
                let mut expected: Vec<_> = rows[from..to].iter().map(|row| row.1.clone()).collect();
                if direction == Direction::Backward {
                    expected.reverse();
                }
                expected.truncate(limit);
                match found {
                    Ok(found) => {
                        assert!(found.iter().map(|(key, _)| key).eq(&expected), "{expected:?}");
                    }
                    Err(cause) => {
                        let touches = |keys: &[String]| {
                            let (first, last) = (keys.iter().min(), keys.iter().max());
                            first.is_some_and(|first| first.as_bytes() < stretch.end)
                                && last.is_some_and(|last| last.as_bytes() >= stretch.start)
                        };
                        assert!(touches(&expected), "{expected:?}: {cause}");
                    }
                }
            }
        }
        let written = [stretch.start, b"x"].concat();
        store.commit(put(TABLE, written.clone(), "kept")).await.unwrap();
        for n in 100..160 {
            store.commit(put(TABLE, key(n), "v")).await.unwrap();
        }
        store.close().await;
        let store = open(&disk).await.unwrap();
        assert_eq!(store.get(TABLE, written).await.unwrap().unwrap(), "kept");
        assert!(read(&store).await.is_err());
    }

    async fn emptied_leaves_do_not_stay_behind() {
        let disk = Disk::new();
        let options = Options { journal_records: 4, journal_bytes: 1 << 20, ..small() };
        let store = Store::open_memory(&disk, options.clone()).await.unwrap();
        let leaves = || disk.leaf_keys().len();
        // A work queue: rows come at its end and go at its beginning.
        for n in 0..400 {
            let mut batch = put(TABLE, key(n), "some value");
            if let Some(gone) = n.checked_sub(50) {
                batch.delete(TABLE, key(gone));
            }
            store.commit(batch).await.unwrap();
            checkpointed(&store, &options).await;
            assert!(leaves() < 12, "{}", leaves());
        }
        // All at once, in more leaves than are written together.
        let pack = async |batch| {
            store.commit(batch).await.unwrap();
            for _ in 0..8 {
                store.commit(put(TABLE, "filler", "")).await.unwrap();
                checkpointed(&store, &options).await;
            }
        };
        let mut batch = put(OTHER, key(1000), "stays");
        (0..1000).for_each(|n| batch.put(OTHER, key(n), "some value"));
        pack(batch).await;
        assert!(leaves() > 80, "{}", leaves());
        let mut batch = Batch::new();
        (0..1000).for_each(|n| batch.delete(OTHER, key(n)));
        pack(batch).await;
        assert!(leaves() < 12, "{}", leaves());
        assert_eq!(store.get(OTHER, key(1000)).await.unwrap().unwrap(), "stays");
    }

    async fn a_journal_record_that_is_gone_keeps_the_store_from_opening() {
        let (disk, rows) = filled().await;
        for (context, key, outcome) in remove_each(&disk, &rows, &["journal_a", "journal_b"]).await {
            // A head tells nothing but that a record is there.
            let expected = match is_head(&key) {
                true => Outcome::NothingLost,
                false => Outcome::RefusedAtOpening,
            };
            assert_eq!(outcome, expected, "{context}");
        }
    }

    async fn the_newest_record_is_missed_after_closing_and_once_the_store_is_idle() {
        for closes in [true, false] {
            let disk = Disk::new();
            let idle_after = if closes { Duration::from_secs(3600) } else { Duration::ZERO };
            let lease = Duration::from_secs(3600);
            let options = Options { idle_after, lease, ..Options::default() };
            let store = Store::open_memory(&disk, options).await.unwrap();
            for n in 0..5 {
                store.commit(put(TABLE, key(n), "v")).await.unwrap();
            }
            if closes {
                store.close().await;
            }
            while !misses_the_newest_record(&disk).await {
                assert!(!closes);
                neurite::platform::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    async fn a_fact_that_is_gone_keeps_the_store_from_opening() {
        let (disk, rows) = filled().await;
        for (context, _, outcome) in remove_each(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }

    async fn a_database_of_the_first_version_is_read_and_made_anew_as_it_is_written() {
        let (disk, rows) = first_format();
        assert_eq!(outcome(&disk, &rows, "as it was").await, Outcome::NothingLost);
        assert_eq!(outcome(&disk, &rows, "opened again").await, Outcome::NothingLost);
        let (disk, _) = first_format();
        let store = open(&disk).await.unwrap();
        let mut rows = vec![(TABLE, "last".to_owned(), "1".to_owned())];
        for (table, n) in (0..50).flat_map(|n| [(TABLE, n), (OTHER, n)]) {
            store.commit(put(table, key(n), "new")).await.unwrap();
            rows.push((table, key(n), "new".to_owned()));
        }
        rows.sort();
        store.close().await;
        assert_eq!(outcome(&disk, &rows, "written to").await, Outcome::NothingLost);
        expect_told(remove_each(&disk, &rows, &["leaves"]).await);
        for (context, _, outcome) in remove_each(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
        for (context, _, outcome) in flip_each_byte(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }

    async fn a_flipped_byte_in_the_first_version_s_facts_loses_nothing_in_silence() {
        let (disk, rows) = first_format();
        for (context, _, outcome) in flip_each_byte(&disk, &rows, &["meta", "journal_a"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }
}
