//! Deleting the rows of a deleted stream.

use super::{base::Stream, row};
use crate::{
    queue::{configurations, error::Result, reader},
    store::{Batch, Direction, KeyRange, Table},
};

/// How many rows are deleted at once.
const CHUNK: usize = 1024;

impl Stream {
    /// Removes every row of a deleted stream that can be read, its own last.
    pub(in crate::queue) async fn wipe(&self) -> Result<()> {
        for table in [
            Table::QueueMessages,
            Table::QueueConsumers,
            Table::QueueConsumerStates,
            Table::QueueMessageIds,
            Table::QueueSubjects,
            Table::QueueTimers,
            Table::QueuePurges,
            Table::QueueSources,
            Table::QueueStates,
            Table::QueueStreams,
        ] {
            loop {
                let mut range = KeyRange::prefix(row::stream_key(self.id));
                if table == Table::QueueStreams {
                    // Its own row goes last.
                    range.start = Some(row::message_key(self.id, 0).into());
                }
                let rows =
                    reader::scan(&self.store, table, range, Direction::Forward, CHUNK).await?;
                let rows = self.unless_damaged(rows);
                if rows.is_empty() {
                    break;
                }
                let mut batch = Batch::new();
                for (key, _) in rows {
                    batch.delete(table, &*key);
                }
                self.store.commit(batch).await?;
            }
        }
        let mut batch = Batch::new();
        configurations::delete_stream(&mut batch, self.id);
        Ok(self.store.commit(batch).await?)
    }
}
