//! What happens to messages at a time of their own: they expire, or are schedules that are due.
//! ADR-43, ADR-51

use std::rc::Rc;

use bytes::Bytes;

use super::{
    base::Stream,
    directives::{Directives, Ttl},
    incoming::{Incoming, Origin},
    lookup::Admin,
    row::{self, MessageRow},
};
use crate::{
    queue::{
        error::Result,
        headers::{Block, Headers, names},
        time::go_duration,
    },
    store::{Batch, Direction, KeyRange, KeyReader, Table},
};

/// How many timers are looked at at once.
const CHUNK: usize = 256;

impl Stream {
    /// Does what is due; returns when there is more of that.
    pub(super) async fn run_timers(self: &Rc<Self>) -> Result<u64> {
        let prefix = KeyRange::prefix(row::stream_key(self.id));
        loop {
            let now = self.clock.now();
            let rows =
                self.store.scan(Table::QueueTimers, prefix.clone(), Direction::Forward, CHUNK);
            // What was due when it can't be read stays; everything else goes on.
            let rows = self.unless_damaged(rows.await)?;
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
                if let Some(row) = self.readable(sequence).await? {
                    if expires_at(&row).is_some_and(|expires| expires <= now) {
                        expired.push((sequence, row));
                    } else {
                        let mut timer = Batch::new();
                        timer.delete(Table::QueueTimers, &**key);
                        self.fire(timer, (sequence, at), &row).await?;
                        continue;
                    }
                }
                fired.delete(Table::QueueTimers, &**key);
            }
            expired.sort_unstable_by_key(|(sequence, _)| *sequence);
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

    /// Removes messages whose time is over, and marks the subjects that end with them.
    pub(super) async fn remove_expired(self: &Rc<Self>, mut rows: Vec<(u64, Bytes)>) -> Result<()> {
        let config = self.config();
        if config.subject_delete_marker_ttl.is_zero() || config.sealed {
            self.remove(rows, Batch::new()).await?;
            return Ok(());
        }
        let mut marked = Vec::new();
        for (sequence, row) in &rows {
            let Some(message) = MessageRow::decode(row) else { continue };
            let is_marker = Block(message.headers).get(names::MARKER_REASON).is_some();
            if !is_marker && self.last_of(message.subject, u64::MAX - 1).await? == *sequence {
                marked.push((*sequence, message.subject.to_owned()));
            }
        }
        rows.retain(|(sequence, _)| !marked.iter().any(|(of, _)| of == sequence));
        self.remove(rows, Batch::new()).await?;
        let headers = Headers::new()
            .with(names::MARKER_REASON, "MaxAge")
            .with(names::TTL, go_duration(config.subject_delete_marker_ttl))
            .with(names::ROLLUP, "sub")
            .encode();
        for (_, subject) in marked {
            // The mark takes the place of the message.
            self.subjects.borrow_mut().make_room();
            self.look_up(&subject, Admin::Held).await?;
            let mut batch = Batch::new();
            let mark = Incoming::new(&subject, &headers, b"").from(Origin::Stream);
            self.publish(&mut batch, mark)?;
            self.store.commit(batch).await?;
            self.finish_purges().await?;
        }
        Ok(())
    }
}

/// When a message expires by its own time.
fn expires_at(row: &[u8]) -> Option<u64> {
    let message = MessageRow::decode(row)?;
    match Directives::read(message.headers).ttl {
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
