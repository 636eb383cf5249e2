//! Timers of messages: they expire, or are schedules that are due. ADR-43, ADR-51

use std::rc::Rc;

use super::{
    base::Stream,
    directives::{Directives, Ttl},
    incoming::{Incoming, Origin},
    lookup::Admin,
    row,
    stored::{Stored, StoredRow},
};
use crate::{
    queue::{
        error::Result,
        headers::{Block, Headers, names},
        reader,
        time::go_duration,
    },
    store::{Batch, Direction, KeyRange, KeyReader, Submission, Table},
};

/// How many timers are read at once.
const CHUNK: usize = 256;

impl Stream {
    /// Runs the timers that are due; returns when the next one is.
    pub(super) async fn run_timers(self: &Rc<Self>) -> Result<u64> {
        let prefix = KeyRange::prefix(row::stream_key(self.id));
        loop {
            let now = self.clock.now();
            let (table, range) = (Table::QueueTimers, prefix.clone());
            let rows = reader::scan(&self.store, table, range, Direction::Forward, CHUNK).await?;
            // Timers that can't be read stay; everything else goes on.
            let rows = self.unless_damaged(rows);
            let mut expired = Vec::new();
            let mut fired = Batch::new();
            let mut next = None;
            for (key, _) in &rows {
                let (at, sequence) = read_timer(key);
                if at > now {
                    next = Some(at);
                    break;
                }
                self.until_visible(sequence).await;
                if let Some(message) = self.load(sequence).await? {
                    if expires_at(&message).is_some_and(|expires| expires <= now) {
                        expired.push(StoredRow { sequence, message: Some(message) });
                    } else {
                        let mut timer = Batch::new();
                        timer.delete(Table::QueueTimers, &**key);
                        self.fire(timer, at, &message).await?;
                        continue;
                    }
                }
                fired.delete(Table::QueueTimers, &**key);
            }
            expired.sort_unstable_by_key(|row| row.sequence);
            self.remove_expired(expired).await?;
            if !fired.is_empty() {
                self.store.commit(fired).await?;
            }
            match next {
                Some(next) => return Ok(next),
                None if rows.len() < CHUNK => return Ok(u64::MAX),
                None => {}
            }
        }
    }

    /// Removes expired messages, and leaves delete markers where they were the last of their
    /// subjects.
    pub(super) async fn remove_expired(self: &Rc<Self>, mut rows: Vec<StoredRow>) -> Result<()> {
        let config = self.config();
        if config.subject_delete_marker_ttl.is_zero() || config.sealed {
            self.remove(&rows).await?;
            return Ok(());
        }
        let mut marked = Vec::new();
        for message in rows.iter().filter_map(|row| row.message.as_ref()) {
            let is_marker = Block(&message.headers).get(names::MARKER_REASON).is_some();
            let last = self.last_of(message.subject(), u64::MAX - 1).await?;
            if !is_marker && last == message.sequence {
                marked.push((message.sequence, message.subject().to_owned()));
            }
        }
        rows.retain(|row| !marked.iter().any(|(of, _)| *of == row.sequence));
        self.remove(&rows).await?;
        let headers = Headers::new()
            .with(names::MARKER_REASON, "MaxAge")
            .with(names::TTL, go_duration(config.subject_delete_marker_ttl))
            .with(names::ROLLUP, "sub")
            .encode();
        for (_, subject) in marked {
            // The marker takes the place of the message.
            self.subjects.borrow_mut().make_room();
            self.look_up(&subject, Admin::Held).await?;
            let mark = Incoming::new(&subject, &headers, b"").from(Origin::Stream);
            let publish = |batch: &mut Submission| self.publish(batch, mark);
            self.store.commit_with(Batch::new(), publish).await?;
            self.finish_purges().await?;
        }
        Ok(())
    }
}

/// When a message expires by its own time to live.
fn expires_at(message: &Stored) -> Option<u64> {
    match Directives::read(&message.headers).ttl {
        Some(Ttl::Seconds(seconds)) => {
            Some(message.time.saturating_add(seconds.saturating_mul(1000)))
        }
        _ => None,
    }
}

fn read_timer(key: &[u8]) -> (u64, u64) {
    let mut key = KeyReader::new(key);
    key.u64();
    (key.u64().unwrap_or(0), key.u64().unwrap_or(0))
}
