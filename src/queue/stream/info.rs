//! The state of a stream, with JetStream's names.

use std::{collections::BTreeMap, rc::Rc};

use serde::Serialize;

use super::base::Stream;
use crate::{
    queue::{
        error::Result,
        time::{Timestamp, or_zero},
    },
    store::Direction,
};

/// How many messages are read at once.
const CHUNK: usize = 1024;
/// How many sequence numbers of deleted messages are returned.
const MOST_DELETED: usize = 1 << 20;

/// What a stream holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StreamState {
    /// How many messages.
    pub messages: u64,
    /// How many bytes these count for.
    pub bytes: u64,
    /// The sequence number of the first. In an empty stream it is that of the next one, or 0 when
    /// there never was a message.
    pub first_seq: u64,
    /// When the first was stored.
    #[serde(serialize_with = "or_zero")]
    pub first_ts: Option<Timestamp>,
    /// The sequence number that was given out last.
    pub last_seq: u64,
    /// When the last was stored.
    #[serde(serialize_with = "or_zero")]
    pub last_ts: Option<Timestamp>,
    /// How many messages were deleted between the first and the last.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_deleted: u64,
    /// Which these are, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<u64>,
    /// How many subjects its messages have.
    #[serde(skip_serializing_if = "is_zero")]
    pub num_subjects: u64,
    /// How many messages there are of each subject, where that was asked for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subjects: BTreeMap<String, u64>,
    /// What can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostState>,
    /// How many consumers it has.
    pub consumer_count: usize,
}

/// Messages that can't be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LostState {
    /// Their sequence numbers.
    pub msgs: Vec<u64>,
    /// How many bytes they had, as far as that is known.
    pub bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Stream {
    /// What the stream holds, once it is within its limits.
    pub(in crate::queue) async fn state(self: &Rc<Self>) -> Result<StreamState> {
        self.within_limits().await?;
        self.find_first().await?;
        // Messages that were just found to be lost do not count.
        self.within_limits().await?;
        let num_subjects = self.count_subjects().await?;
        let counts = self.counts.borrow();
        let empty = counts.messages == 0;
        let first_seq = match counts.last {
            // Nothing was ever in it.
            0 => 0,
            last if empty => last + 1,
            _ => counts.first,
        };
        let time = |millis: u64| (millis > 0).then(|| Timestamp::from_millis(millis));
        let lost = || LostState { msgs: counts.lost.iter().copied().collect(), bytes: 0 };
        Ok(StreamState {
            messages: counts.messages,
            bytes: counts.bytes,
            first_seq,
            first_ts: time(counts.first_time).filter(|_| !empty),
            last_seq: counts.last,
            last_ts: time(counts.last_time),
            num_deleted: if empty {
                0
            } else {
                (counts.last + 1 - first_seq).saturating_sub(counts.messages)
            },
            lost: (!counts.lost.is_empty()).then(lost),
            num_subjects,
            ..StreamState::default()
        })
    }

    /// Moves `first` on to the first message that there is.
    pub(super) async fn find_first(&self) -> Result<()> {
        let (from, visible, removals) = {
            let counts = self.counts.borrow();
            (counts.first, counts.visible(), counts.removals)
        };
        let rows = self.rows(from, visible, Direction::Forward, 1).await?;
        let mut counts = self.counts.borrow_mut();
        if let Some(first) = rows.first()
            && counts.removals == removals
            && counts.removing.is_empty()
            && counts.first == from
        {
            counts.first = first.sequence;
            counts.first_time = first.message.as_ref().map_or(0, |message| message.time);
        }
        Ok(())
    }

    pub(in crate::queue) async fn deleted_sequences(&self) -> Result<Vec<u64>> {
        self.find_first().await?;
        let (mut next, visible, empty) = {
            let counts = self.counts.borrow();
            (counts.first, counts.visible(), counts.messages == 0)
        };
        let mut deleted = Vec::new();
        if empty {
            return Ok(deleted);
        }
        loop {
            let rows = self.rows(next, visible, Direction::Forward, CHUNK).await?;
            let complete = rows.len() < CHUNK;
            let there = rows.iter().map(|row| row.sequence);
            for sequence in there.chain(complete.then_some(visible + 1)) {
                deleted.extend((next..sequence).take(MOST_DELETED - deleted.len()));
                next = sequence + 1;
            }
            if complete || deleted.len() == MOST_DELETED {
                return Ok(deleted);
            }
        }
    }
}
