//! Reading many rows of a table, or removing them.

use std::marker::PhantomData;

use bytes::Bytes;

use super::{
    Batch, Direction, Error, Key, KeyRange, KeyReader, Parts, Prefix, Result, Store, Table, Value,
};

/// How many rows are read and removed at once.
const PAGE: usize = 1024;

/// Rows to read whose keys begin with the same prefix. What is read of a key are the parts after
/// that, `R`.
#[must_use]
pub struct Scan<R, V> {
    table: Table,
    prefix: Key,
    start: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    direction: Direction,
    limit: usize,
    of: PhantomData<fn() -> (R, V)>,
}

impl<R: Parts, V: Value> Scan<R, V> {
    pub(super) fn new(table: Table, prefix: Key) -> Self {
        Self {
            table,
            prefix,
            start: None,
            end: None,
            direction: Direction::Forward,
            limit: usize::MAX,
            of: PhantomData,
        }
    }

    /// Those from `first` on, which is among them.
    pub fn starting_at(mut self, first: impl Prefix<R>) -> Self {
        self.start = Some(first.append(self.prefix.clone()).into());
        self
    }

    /// Those that begin with `part`.
    pub fn of(mut self, part: impl Prefix<R>) -> Self {
        let range = KeyRange::prefix(part.append(self.prefix.clone()));
        (self.start, self.end) = (range.start, range.end);
        self
    }

    /// Those after the ones that begin with `last`.
    pub fn after(mut self, last: impl Prefix<R>) -> Self {
        match KeyRange::prefix(last.append(self.prefix.clone())).end {
            Some(next) => self.start = Some(next),
            // No key comes after it.
            None => self.end = Some(Vec::new()),
        }
        self
    }

    /// Those before `end`, which is not among them.
    pub fn until(mut self, end: impl Prefix<R>) -> Self {
        self.end = Some(end.append(self.prefix.clone()).into());
        self
    }

    /// In this order.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// The last first.
    pub fn backward(self) -> Self {
        self.direction(Direction::Backward)
    }

    /// So many at most.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The rows.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub async fn rows(self, store: &Store) -> Result<Vec<(R, V::Read)>> {
        self.stored(store, self.limit).await?.into_iter().map(|row| self.row(row)).collect()
    }

    /// What their keys have after the prefix.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub async fn keys(self, store: &Store) -> Result<Vec<R>> {
        self.stored(store, self.limit).await?.iter().map(|(key, _)| self.rest(key)).collect()
    }

    /// Their values.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub async fn values(self, store: &Store) -> Result<Vec<V::Read>> {
        let rows = self.stored(store, self.limit).await?;
        rows.into_iter().map(|(key, value)| self.value(&key, value)).collect()
    }

    /// The first row.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn first(self, store: &Store) -> Result<Option<(R, V::Read)>> {
        Ok(self.limit(1).rows(store).await?.pop())
    }

    /// What the first row's key has after the prefix.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn first_key(self, store: &Store) -> Result<Option<R>> {
        Ok(self.limit(1).keys(store).await?.pop())
    }

    /// What the next row's key has after the prefix, of those that can be read; the others are logged.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_key(&mut self, store: &Store) -> Result<Option<R>> {
        loop {
            let Some((key, _)) = self.next_stored(store, 1).await?.pop() else { return Ok(None) };
            if let Some(rest) = unless_unreadable(self.rest(&key)) {
                return Ok(Some(rest));
            }
        }
    }

    /// Those of the next `count` rows that can be read, the others are logged; `None` when there are
    /// no more.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn next_page(
        &mut self,
        store: &Store,
        count: usize,
    ) -> Result<Option<Vec<(R, V::Read)>>> {
        let rows = self.next_stored(store, count).await?;
        let is_end = rows.is_empty();
        let read = rows.into_iter().filter_map(|row| unless_unreadable(self.row(row)));
        Ok(Some(read.collect()).filter(|_| !is_end))
    }

    /// Whether there are none.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn is_empty(self, store: &Store) -> Result<bool> {
        Ok(self.stored(store, 1).await?.is_empty())
    }

    /// Those of the rows that can be read, for what each row is by itself. The others are logged.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn readable(self, store: &Store) -> Result<Vec<(R, V::Read)>> {
        let rows = self.stored(store, self.limit).await?;
        Ok(rows.into_iter().filter_map(|row| unless_unreadable(self.row(row))).collect())
    }

    /// The same for what their keys have after the prefix.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn readable_keys(self, store: &Store) -> Result<Vec<R>> {
        let rows = self.stored(store, self.limit).await?;
        Ok(rows.iter().filter_map(|(key, _)| unless_unreadable(self.rest(key))).collect())
    }

    /// Writes into `batch` that the rows go; how many they are.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn delete(self, store: &Store, batch: &mut Batch) -> Result<usize> {
        let rows = self.stored(store, self.limit).await?;
        for (key, _) in &rows {
            batch.delete(self.table, &**key);
        }
        Ok(rows.len())
    }

    /// Removes all rows but the last `keep`, in as many commits as it takes; rows may be added and
    /// removed meanwhile. `also` gets each batch before it is submitted, with the last key that it
    /// removes.
    ///
    /// # Errors
    /// When the store can't be read or written; what was removed until then stays removed.
    pub async fn trim(
        mut self,
        store: &Store,
        keep: usize,
        also: impl Fn(&mut Batch, R),
    ) -> Result<()> {
        let mut left = keep;
        self = self.backward();
        while left > 0 {
            let page = left.min(PAGE);
            let rows = self.stored(store, page).await?;
            let Some((first, _)) = rows.last().filter(|_| rows.len() == page) else {
                return Ok(());
            };
            self.end = Some(first.to_vec());
            left -= page;
        }
        self = self.direction(Direction::Forward);
        loop {
            let rows = self.stored(store, PAGE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.makes_room();
            for (key, _) in &rows {
                batch.delete(self.table, &**key);
            }
            let mut keys = rows.iter().rev().map(|(key, _)| self.rest(key));
            if let Some(last) = keys.find_map(unless_unreadable) {
                also(&mut batch, last);
            }
            store.commit(batch).await?;
        }
    }

    /// The next rows of a scan, which goes on after them.
    async fn next_stored(&mut self, store: &Store, count: usize) -> Result<Vec<(Bytes, Bytes)>> {
        let rows = self.stored(store, count).await?;
        if let Some((last, _)) = rows.last() {
            match self.direction {
                // No key comes between.
                Direction::Forward => self.start = Some([last, &[0][..]].concat()),
                Direction::Backward => self.end = Some(last.to_vec()),
            }
        }
        Ok(rows)
    }

    async fn stored(&self, store: &Store, limit: usize) -> Result<Vec<(Bytes, Bytes)>> {
        let range = KeyRange {
            start: Some(self.start.clone().unwrap_or_else(|| self.prefix.to_vec())),
            end: self.end.clone().or_else(|| KeyRange::prefix(&self.prefix).end),
        };
        store.scan(self.table, range, self.direction, limit).await
    }

    fn row(&self, (key, value): (Bytes, Bytes)) -> Result<(R, V::Read)> {
        Ok((self.rest(&key)?, self.value(&key, value)?))
    }

    fn rest(&self, key: &[u8]) -> Result<R> {
        let rest = key.strip_prefix(&*self.prefix).and_then(|rest| R::read(KeyReader::new(rest)));
        rest.ok_or_else(|| Error::unreadable(self.table, key, &"the key is of another form"))
    }

    fn value(&self, key: &[u8], value: Bytes) -> Result<V::Read> {
        V::read(value).map_err(|cause| Error::unreadable(self.table, key, &cause))
    }
}

/// What was read of a row; nothing where it can't be read, which is logged.
fn unless_unreadable<T>(read: Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(cause) => {
            tracing::warn!("a row is left out: {cause}");
            None
        }
    }
}
