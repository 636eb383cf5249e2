//! Counting messages that can't be read as lost.

use std::rc::Rc;

use super::{base::Stream, row};
use crate::{
    queue::error::Result,
    store::{Batch, Direction, KeyRange, KeyReader, Submission, Table},
};

/// How many rows are read at once.
const CHUNK: usize = 1024;

impl Stream {
    /// Counts damaged messages as lost: the index has their subjects and sizes.
    pub(super) async fn count_lost(self: &Rc<Self>) -> Result<()> {
        let found = std::mem::take(&mut self.damage.borrow_mut().found);
        if found.is_empty() {
            return Ok(());
        }
        let mut lost = Vec::new();
        let KeyRange { mut start, end } = KeyRange::prefix(row::stream_key(self.id));
        loop {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            // Without the index these are not known.
            let rows = self.index_rows(range, Direction::Forward, CHUNK).await?;
            let rows = rows.unwrap_or_default();
            let Some((last, _)) = rows.last() else { break };
            start = Some([&last[..], &[0]].concat());
            for (key, size) in &rows {
                let sequence = row::sequence(key);
                let mut parts = KeyReader::new(key);
                let subject = parts.u64().and_then(|_| parts.str()).unwrap_or_default();
                if found.contains(&sequence) {
                    lost.push((sequence, subject, row::decode_size(size)));
                }
            }
        }
        let lose = |batch: &mut Submission| {
            for (sequence, subject, size) in lost {
                self.lose(batch, sequence, &subject, size);
            }
            self.write_counts(batch);
            Ok(())
        };
        self.store.commit_with(Batch::new(), lose).await
    }

    fn lose(self: &Rc<Self>, batch: &mut Submission, sequence: u64, subject: &str, size: u64) {
        tracing::error!("message {sequence} of stream {} is lost", self.name);
        {
            let mut counts = self.counts.borrow_mut();
            if counts.removing.contains(&sequence) || !counts.lost.insert(sequence) {
                return;
            }
            counts.subtract(sequence, size);
        }
        batch.delete(Table::QueueSubjects, row::index_key(self.id, subject, sequence));
        self.subjects.borrow_mut().remove(subject, sequence);
        self.interest.lose(self, batch, sequence, subject);
    }
}
