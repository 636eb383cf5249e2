//! Getting single messages.

use std::rc::Rc;

use bytes::Bytes;
use serde::Deserialize;

use super::{base::Stream, stored::Stored};
use crate::queue::{
    error::{Error, Result},
    headers::Headers,
    subject,
    time::Timestamp,
};

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its sequence number.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// The whole header block; empty when there are no headers.
    pub header_block: Bytes,
    /// The payload.
    pub payload: Bytes,
    /// When it was stored, in milliseconds since the Unix epoch.
    pub time: u64,
}

/// A request for a message: by sequence number, the last of a subject, or the next of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MessageRequest {
    /// The sequence number; with `next_by_subj` the one to begin at.
    pub seq: u64,
    /// The subject whose last message is wanted.
    pub last_by_subj: Option<String>,
    /// The subject whose next message is wanted.
    pub next_by_subj: Option<String>,
    /// The time to begin at.
    pub start_time: Option<Timestamp>,
    /// Whether headers are left out.
    pub no_hdr: bool,
}

impl From<Stored> for StoredMessage {
    fn from(message: Stored) -> Self {
        Self {
            sequence: message.sequence,
            subject: message.subject().to_owned(),
            headers: Headers::decode(&message.headers),
            header_block: message.headers,
            payload: message.payload,
            time: message.time,
        }
    }
}

impl Stream {
    /// The message that a request asks for.
    pub(in crate::queue) async fn get_requested(
        self: &Rc<Self>,
        request: &MessageRequest,
    ) -> Result<StoredMessage> {
        let MessageRequest { seq, last_by_subj, next_by_subj, start_time, .. } = request;
        let nothing =
            *seq == 0 && start_time.is_none() && last_by_subj.is_none() && next_by_subj.is_none();
        let too_much = last_by_subj.is_some()
            && (*seq > 0 || start_time.is_some() || next_by_subj.is_some())
            || *seq > 0 && start_time.is_some();
        if nothing || too_much {
            return Err(Error::BAD_REQUEST);
        }
        self.within_limits().await?;
        let from = match start_time {
            Some(time) => self.first_at(time.millis_up()).await?,
            None => *seq,
        };
        let message = if let Some(filter) = last_by_subj {
            self.get_last(filter).await?
        } else if let Some(filter) = next_by_subj {
            self.get_next(filter, from).await?
        } else if start_time.is_some() {
            self.get_next(">", from).await?
        } else {
            self.get(from).await?
        };
        let mut message = message.ok_or(Error::NO_MESSAGE_FOUND)?;
        if request.no_hdr {
            message.headers = Headers::new();
            message.header_block = Bytes::new();
        }
        Ok(message)
    }

    pub(super) async fn get(&self, sequence: u64) -> Result<Option<StoredMessage>> {
        Ok(self.load(sequence).await?.map(StoredMessage::from))
    }

    pub(super) async fn get_last(&self, filter: &str) -> Result<Option<StoredMessage>> {
        if !subject::is_valid(filter) {
            return Ok(None);
        }
        loop {
            let visible = self.counts.borrow().visible();
            let last = self.last_of(filter, visible).await?;
            if last == 0 {
                return Ok(None);
            }
            // That it can't be read may have been noticed only now.
            if let Some(message) = self.get(last).await? {
                return Ok(Some(message));
            }
            let counts = self.counts.borrow();
            if !counts.removing.contains(&last) && !counts.lost.contains(&last) {
                return Ok(None);
            }
        }
    }

    pub(super) async fn get_next(&self, filter: &str, from: u64) -> Result<Option<StoredMessage>> {
        if !subject::is_valid(filter) {
            return Ok(None);
        }
        let (first, visible) = {
            let counts = self.counts.borrow();
            (counts.first, counts.visible())
        };
        let found = self.next_of(filter, from.max(first), visible).await?;
        Ok(found.map(StoredMessage::from))
    }

    /// The first sequence number whose message was stored at `time` or later.
    pub(in crate::queue) async fn first_at(self: &Rc<Self>, time: u64) -> Result<u64> {
        let (mut low, mut high) = {
            let counts = self.counts.borrow();
            (counts.first, counts.visible() + 1)
        };
        while low < high {
            let middle = low + (high - low) / 2;
            match self.next_of(">", middle, high - 1).await? {
                Some(message) if message.time < time => low = message.sequence + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }
}
