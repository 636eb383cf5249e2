//! Random work with random kills, beside a map that does the same.

use std::{collections::BTreeMap, time::Duration};

use neurite::store::{
    Batch, Direction, Error, KeyRange, Options, Store, Table,
    memory::{Disk, Fault},
};
use proptest::prelude::*;

use super::place::{OTHER, TABLE};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Batches are submitted together; those of no rows are there too.
    Commit(Vec<Vec<Row>>),
    Scan {
        other: bool,
        from: u8,
        to: u8,
        backward: bool,
        limit: usize,
    },
    Get {
        other: bool,
        key: u8,
    },
    /// The operation after so many ends everything.
    Kill {
        after: u64,
        done: bool,
        lose: usize,
    },
    /// The operation after so many fails.
    Fail {
        after: u64,
    },
    /// The store is closed and opened again.
    Reopen,
}

/// A write: whether to the other table, which key, how large a value if any.
type Row = (bool, u8, Option<u16>);

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0..40u16, 2 => 100..400u16, 1 => 2000..3000u16];
    let row = (any::<bool>(), any::<u8>(), proptest::option::weighted(0.8, size));
    let batch = proptest::collection::vec(row, 0..6);
    prop_oneof![
        10 => proptest::collection::vec(batch, 1..5).prop_map(Step::Commit),
        4 => (any::<bool>(), any::<u8>(), any::<u8>(), any::<bool>(), 0..60usize).prop_map(
            |(other, from, to, backward, limit)| Step::Scan { other, from, to, backward, limit },
        ),
        2 => (any::<bool>(), any::<u8>()).prop_map(|(other, key)| Step::Get { other, key }),
        1 => (0..30u64, any::<bool>(), 0..3usize)
            .prop_map(|(after, done, lose)| Step::Kill { after, done, lose }),
        1 => (0..20u64).prop_map(|after| Step::Fail { after }),
        1 => Just(Step::Reopen),
    ]
}

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A batch: values, and what is deleted.
type Writes = Vec<((Table, Vec<u8>), Option<Vec<u8>>)>;

fn table(other: bool) -> Table {
    if other { OTHER } else { TABLE }
}

fn key(key: u8) -> Vec<u8> {
    // Keys of several lengths, some of them prefixes of others.
    format!("{key:03}").as_bytes()[..1 + usize::from(key) % 3].to_vec()
}

fn value(size: u16, seed: usize) -> Vec<u8> {
    (0..size).map(|n| (usize::from(n) * 31 + seed * 7) as u8).collect()
}

struct World {
    disk: Disk,
    options: Options,
    store: Store,
    rows: Rows,
    /// What may or may not be there after a kill, in order; all of a batch or nothing, and no
    /// batch without those before it.
    unsure: Vec<Writes>,
    lose: usize,
    seed: usize,
}

impl World {
    async fn commit(&mut self, batches: Vec<Vec<Row>>) {
        let mut submitted = Vec::new();
        for rows in batches {
            let mut batch = Batch::new();
            let mut writes = Vec::new();
            for (other, of, size) in rows {
                self.seed += 1;
                let value = size.map(|size| value(size, self.seed));
                match &value {
                    Some(value) => batch.put(table(other), key(of), value.clone()),
                    None => batch.delete(table(other), key(of)),
                }
                writes.push(((table(other), key(of)), value));
            }
            submitted.push((writes, self.store.submit(batch)));
        }
        let mut failed = false;
        for (writes, commit) in submitted {
            match commit.await {
                Ok(()) => {
                    assert!(!failed, "nothing is acknowledged after a failure");
                    apply(&mut self.rows, writes);
                }
                Err(Error::Closed(_)) => {
                    failed = true;
                    self.unsure.push(writes);
                }
                Err(_) => failed = true,
            }
        }
    }

    /// Opens the disk as it is after a kill, and finds out what is there.
    async fn recover(&mut self) {
        self.disk.power_cut(self.lose);
        self.store = match Store::open_memory(&self.disk, self.options.clone()).await {
            Ok(store) => store,
            // A fault that was still to come.
            Err(_) => Store::open_memory(&self.disk, self.options.clone()).await.unwrap(),
        };
        let found = loop {
            match self.all().await {
                Ok(found) => break found,
                Err(_) => {
                    self.disk.kill();
                    self.store =
                        Store::open_memory(&self.disk, self.options.clone()).await.unwrap();
                }
            }
        };
        let mut unsure = std::mem::take(&mut self.unsure).into_iter();
        while found != self.rows {
            let Some(writes) = unsure.next() else {
                panic!("what is there is not what was acknowledged, with batches after it");
            };
            apply(&mut self.rows, writes);
        }
    }

    async fn all(&self) -> Result<Rows, Error> {
        let mut rows = Rows::new();
        for table in [TABLE, OTHER] {
            let range = KeyRange::all();
            for (key, value) in
                self.store.scan(table, range, Direction::Forward, usize::MAX).await?
            {
                rows.insert((table, key.to_vec()), value.to_vec());
            }
        }
        Ok(rows)
    }

    async fn scan(&mut self, of: Table, range: KeyRange, backward: bool, limit: usize) {
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let Ok(found) = self.store.scan(of, range.clone(), direction, limit).await else {
            return self.recover_if_killed().await;
        };
        let mut expected: Vec<_> = self
            .rows
            .iter()
            .filter(|((table, key), _)| *table == of && range.contains(key))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        if backward {
            expected.reverse();
        }
        expected.truncate(limit);
        let found: Vec<_> = found.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        assert_eq!(found, expected);
    }

    async fn get(&mut self, of: Table, key: Vec<u8>) {
        match self.store.get(of, &key).await {
            Ok(found) => {
                let expected = self.rows.get(&(of, key)).map(Vec::as_slice);
                assert_eq!(found.as_deref(), expected);
            }
            Err(_) => self.recover_if_killed().await,
        }
    }

    async fn recover_if_killed(&mut self) {
        if matches!(self.store.usage().await, Err(Error::Closed(_))) {
            self.recover().await;
        }
    }
}

fn apply(rows: &mut Rows, writes: Writes) {
    for (place, value) in writes {
        match value {
            Some(value) => rows.insert(place, value),
            None => rows.remove(&place),
        };
    }
}

async fn run(steps: Vec<Step>) {
    let disk = Disk::new();
    let options = Options {
        journal_bytes: 3000,
        journal_records: 6,
        leaf_bytes: 400,
        cache_bytes: 2000,
        idle_after: Duration::ZERO,
        ..Options::default()
    };
    let store = Store::open_memory(&disk, options.clone()).await.unwrap();
    let mut world =
        World { disk, options, store, rows: Rows::new(), unsure: Vec::new(), lose: 0, seed: 0 };
    for step in steps {
        match step {
            Step::Commit(batches) => {
                world.commit(batches).await;
                world.recover_if_killed().await;
            }
            Step::Scan { other, from, to, backward, limit } => {
                let range = KeyRange::between(key(from), key(to));
                world.scan(table(other), range, backward, limit).await;
            }
            Step::Get { other, key: of } => world.get(table(other), key(of)).await,
            Step::Kill { after, done, lose } => {
                world.lose = lose;
                let fault = if done { Fault::KillAfter } else { Fault::KillBefore };
                world.disk.fault_after(after, fault);
            }
            Step::Fail { after } => {
                world.disk.fault_after(after, Fault::Fail(Error::QuotaExceeded));
            }
            Step::Reopen => {
                world.store.close().await;
                world.recover().await;
            }
        }
    }
    world.recover().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_a_map_does(steps in proptest::collection::vec(step(), 1..120)) {
        neurite::platform::run(run(steps));
    }
}
