//! Records that are damaged or gone: an error that says so, or nothing lost. Never fewer rows.

use std::time::Duration;

use bytes::Bytes;
use neurite::store::{Direction, Error, KeyRange, Options, Store, Table, memory::Disk};

use crate::{
    store::place::{OTHER, TABLE, key, put, small},
    tests,
};

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
async fn flip_each_byte(disk: &Disk, rows: &Rows, spaces: &[&str]) -> Vec<(String, Outcome)> {
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
            outcomes.push((context, outcome));
        }
    }
    outcomes
}

/// What comes of removing each record of these spaces, one at a time.
async fn remove_each(disk: &Disk, rows: &Rows, spaces: &[&str]) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    for (space, key, _) in disk.dump() {
        if spaces.contains(&space) {
            let context = format!("{space} {key:?}");
            let disk = copy(disk);
            disk.set(space, key, None);
            let outcome = outcome(&disk, rows, &context).await;
            outcomes.push((context, outcome));
        }
    }
    outcomes
}

tests! {
    async fn every_flipped_byte_of_a_fact_or_a_journal_keeps_the_store_from_opening() {
        let (disk, rows) = filled().await;
        assert_eq!(outcome(&copy(&disk), &rows, "undamaged").await, Outcome::NothingLost);
        for (context, outcome) in
            flip_each_byte(&disk, &rows, &["meta", "journal_a", "journal_b"]).await
        {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }

    async fn a_flipped_byte_of_a_leaf_is_told() {
        let (disk, rows) = filled().await;
        for (context, outcome) in flip_each_byte(&disk, &rows, &["leaves"]).await {
            let is_owner = context.starts_with("leaves b\"\\0\"");
            let expected = if is_owner { Outcome::NothingLost } else { Outcome::RefusedAtReading };
            assert_eq!(outcome, expected, "{context}");
        }
    }

    async fn a_fact_that_is_gone_keeps_the_store_from_opening() {
        let (disk, rows) = filled().await;
        for (context, outcome) in remove_each(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
        for journal in ["journal_a", "journal_b"] {
            let disk = copy(&disk);
            disk.set(journal, Bytes::from_static(&[0]), None);
            assert_eq!(outcome(&disk, &rows, journal).await, Outcome::RefusedAtOpening);
        }
    }

    async fn a_database_of_the_first_version_is_read_and_made_anew_as_it_is_written() {
        let (disk, rows) = first_format();
        assert_eq!(outcome(&disk, &rows, "as it was").await, Outcome::NothingLost);
        assert_eq!(outcome(&disk, &rows, "opened again").await, Outcome::NothingLost);
        for (context, outcome) in remove_each(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
        for (context, outcome) in flip_each_byte(&disk, &rows, &["meta"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }

    async fn a_flipped_byte_in_the_first_version_s_facts_loses_nothing_in_silence() {
        let (disk, rows) = first_format();
        for (context, outcome) in flip_each_byte(&disk, &rows, &["meta", "journal_a"]).await {
            assert_eq!(outcome, Outcome::RefusedAtOpening, "{context}");
        }
    }
}
