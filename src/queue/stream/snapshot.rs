//! Snapshots: a stream with its messages and consumers as bytes, and the restoring of such bytes.
//!
//! A snapshot has the rows of the stream as they are stored, each with a checksum: first the
//! counts, which have its last sequence number, and at the end a row of no table, without which it
//! is not complete. Messages that are removed while it is made are missing in it; the counts are
//! made anew when it is restored.

use std::{collections::VecDeque, rc::Rc};

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{
    base::Stream,
    configuration::StreamRow,
    row::{self, MessageRow, StateRow},
};
use crate::{
    platform,
    queue::{
        config::LAST_SEQUENCE,
        configurations,
        error::{Error, Result},
    },
    store::{Batch, Direction, KeyRange, Table},
};

/// What a snapshot begins with.
const MAGIC: &[u8; 8] = b"NEURITE1";
/// The table of a row, the lengths of its key and its value, and their checksum.
const HEAD: usize = 13;
/// The row at the end.
const END: u8 = 0;
/// How many rows are read at once, and how many bytes are written at once.
const CHUNK: usize = 256;
const BATCH_BYTES: usize = 1 << 20;
/// The longest row. Messages are shorter.
const MAX_ROW: usize = 1 << 27;

/// The tables in a snapshot, the counts first.
const TABLES: [Table; 8] = [
    Table::QueueStates,
    Table::QueueConsumers,
    Table::QueueConsumerStates,
    Table::QueueMessages,
    Table::QueueTimers,
    Table::QueuePurges,
    Table::QueueSources,
    Table::QueueMessageIds,
];

/// The row at the end.
#[derive(Default, Serialize, Deserialize)]
struct End {
    created: u64,
    next_consumer: u64,
}

/// A stream that a snapshot is made of.
pub(in crate::queue) struct Snapshot {
    stream: Rc<Stream>,
    last: u64,
    tables: VecDeque<Table>,
    from: Vec<u8>,
    buffer: BytesMut,
}

/// A stream that is being restored. What was written of it is deleted when this is dropped, unless
/// it was kept.
pub(in crate::queue) struct Restored {
    stream: Rc<Stream>,
    buffer: BytesMut,
    begun: bool,
    state: Option<StateRow<'static>>,
    end: Option<End>,
    kept: bool,
}

fn refused(cause: &str) -> Error {
    Error::restore(cause)
}

impl Snapshot {
    /// A snapshot of the messages up to `last`, with the stream's consumers or without.
    pub(in crate::queue) fn new(stream: Rc<Stream>, last: u64, consumers: bool) -> Self {
        let is_part = |table: &Table| {
            consumers || !matches!(table, Table::QueueConsumers | Table::QueueConsumerStates)
        };
        Self {
            last,
            tables: TABLES.into_iter().filter(is_part).collect(),
            from: row::stream_key(stream.id).into(),
            stream,
            buffer: BytesMut::from(&MAGIC[..]),
        }
    }

    /// At most so many bytes; fewer at the end, then none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(in crate::queue) async fn next(&mut self, size: usize) -> Result<Bytes> {
        while self.buffer.len() < size && self.read().await? {}
        let size = size.min(self.buffer.len());
        Ok(self.buffer.split_to(size).freeze())
    }

    /// Reads some more rows; false when there are none.
    async fn read(&mut self) -> Result<bool> {
        let Some(&table) = self.tables.front() else { return Ok(false) };
        let prefix: Vec<u8> = row::stream_key(self.stream.id).into();
        let end = match table {
            // Later messages are not part of it.
            Table::QueueMessages => row::message_key(self.stream.id, self.last + 1).into(),
            _ => KeyRange::prefix(&prefix).end.unwrap_or_default(),
        };
        let range = KeyRange::between(self.from.clone(), end);
        let rows = self.stream.store.scan(table, range, Direction::Forward, CHUNK).await?;
        for (key, value) in &rows {
            if table == Table::QueueConsumers && configurations::is_of_stream(key) {
                continue;
            }
            self.write_row(table as u8, &key[prefix.len()..], value);
        }
        if rows.len() == CHUNK
            && let Some((newest, _)) = rows.last()
        {
            self.from = [newest, &[0][..]].concat();
        } else {
            self.from = prefix;
            self.tables.pop_front();
            if self.tables.is_empty() {
                let created = self.stream.created;
                let end = End { created, next_consumer: self.stream.next_consumer.get() };
                // Numbers have a JSON form.
                self.write_row(END, b"", &serde_json::to_vec(&end).unwrap_or_default());
            }
        }
        Ok(true)
    }

    fn write_row(&mut self, table: u8, key: &[u8], value: &[u8]) {
        self.buffer.extend_from_slice(&[table]);
        for number in [key.len() as u32, value.len() as u32, checksum(key, value)] {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        self.buffer.extend_from_slice(key);
        self.buffer.extend_from_slice(value);
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

impl Restored {
    /// Begins to restore the stream: until it is complete it is stored like one that was deleted.
    pub(in crate::queue) async fn begin(stream: Rc<Stream>) -> Result<Self> {
        stream.deleted.set(true);
        let mut batch = Batch::new();
        stream.write_config(&mut batch)?;
        stream.store.commit(batch).await?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
            begun: false,
            state: None,
            end: None,
            kept: false,
        })
    }

    /// Takes the next bytes of the snapshot.
    ///
    /// # Errors
    /// 10062 when it is none; when the store can't be written.
    pub(in crate::queue) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if !self.begun {
            if self.buffer.len() < MAGIC.len() {
                return Ok(());
            }
            if self.buffer[..MAGIC.len()] != MAGIC[..] {
                return Err(refused("not a snapshot of this server"));
            }
            self.buffer.advance(MAGIC.len());
            self.begun = true;
        }
        let (mut batch, mut size) = (Batch::new(), 0);
        while let Some((table, key, value)) = self.take_row()? {
            size += key.len() + value.len();
            self.put(&mut batch, table, &key, value)?;
            if size > BATCH_BYTES {
                self.stream.store.commit(std::mem::take(&mut batch)).await?;
                size = 0;
            }
        }
        if size > 0 {
            self.stream.store.commit(batch).await?;
        }
        Ok(())
    }

    /// The next whole row.
    fn take_row(&mut self) -> Result<Option<(u8, Bytes, Bytes)>> {
        if self.buffer.len() < HEAD {
            return Ok(None);
        }
        let mut head = &self.buffer[..HEAD];
        let table = head.get_u8();
        let (key, value) = (head.get_u32() as usize, head.get_u32() as usize);
        let expected = head.get_u32();
        let length = HEAD.saturating_add(key).saturating_add(value);
        if length > MAX_ROW || self.end.is_some() {
            return Err(refused("corrupt snapshot"));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let mut row = self.buffer.split_to(length).freeze();
        row.advance(HEAD);
        let key = row.split_to(key);
        if checksum(&key, &row) != expected {
            return Err(refused("corrupt snapshot"));
        }
        Ok(Some((table, key, row)))
    }

    fn put(&mut self, batch: &mut Batch, table: u8, key: &[u8], value: Bytes) -> Result<()> {
        if table == END {
            let end = serde_json::from_slice(&value).map_err(|_| refused("corrupt snapshot"))?;
            self.end = Some(end);
            return Ok(());
        }
        let known = TABLES.into_iter().find(|known| *known as u8 == table);
        let Some(table) = known.filter(|table| self.fits(*table, key)) else {
            return Err(refused("corrupt snapshot"));
        };
        if table == Table::QueueStates {
            let state = StateRow::decode(&value).filter(|state| state.first <= state.last + 1);
            let state = state.ok_or_else(|| refused("corrupt snapshot"))?;
            // Messages are counted as they come.
            self.state = Some(StateRow { messages: 0, bytes: 0, check_interest: true, ..state });
            return Ok(());
        }
        if table == Table::QueueMessages
            && let (Some(message), Some(state)) = (MessageRow::decode(&value), &mut self.state)
        {
            state.messages += 1;
            state.bytes += message.size();
        }
        let full: Vec<u8> = row::stream_key(self.stream.id).into();
        let full = [&full, key].concat();
        if table == Table::QueueConsumers {
            configurations::put_consumer_row(batch, full, value);
        } else {
            batch.put(table, full, &*value);
        }
        Ok(())
    }

    /// Whether a row may have this key: the counts come first, and numbers are in their range.
    fn fits(&self, table: Table, key: &[u8]) -> bool {
        let is_numbered = (1..=LAST_SEQUENCE).contains(&row::sequence(key));
        match table {
            Table::QueueStates => self.state.is_none() && key.is_empty(),
            _ if self.state.is_none() => false,
            Table::QueueMessages | Table::QueueConsumers | Table::QueuePurges => {
                key.len() == 8 && is_numbered
            }
            Table::QueueTimers | Table::QueueMessageIds => key.len() == 16 && is_numbered,
            _ => true,
        }
    }

    /// The stream's row, and a batch that completes the stream, when the snapshot is complete.
    ///
    /// # Errors
    /// 10062 when something is missing.
    pub(in crate::queue) fn finish(&mut self) -> Result<(StreamRow, Batch)> {
        let (Some(end), Some(state)) = (self.end.take(), self.state.take()) else {
            return Err(refused("incomplete snapshot"));
        };
        let row = StreamRow {
            id: self.stream.id,
            created: end.created,
            next_consumer: end.next_consumer.clamp(1, LAST_SEQUENCE),
            deleted: false,
            // The index is made when the stream is opened.
            indexed: false,
            config: (*self.stream.config()).clone(),
        };
        let mut batch = Batch::new();
        batch.put(Table::QueueStates, row::stream_key(row.id), state.encode());
        configurations::put_stream(&mut batch, row.id, &row)?;
        Ok((row, batch))
    }

    /// Commits what [`Restored::finish`] returned; from then on the stream stays, whatever happens.
    pub(in crate::queue) async fn keep(&mut self, batch: Batch) -> Result<()> {
        self.stream.store.commit(batch).await?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if !self.kept {
            let stream = self.stream.clone();
            platform::spawn(async move {
                if let Err(cause) = stream.wipe().await {
                    tracing::error!("what was restored of a stream can't be removed: {cause}");
                }
            });
        }
    }
}
