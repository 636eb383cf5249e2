//! Direct gets: messages as answers, one or many. ADR-31

use std::{fmt::Display, rc::Rc};

use bytes::Bytes;
use serde::Deserialize;

use super::{base::Stream, get::StoredMessage};
use crate::queue::{
    error::{Result, Status},
    headers::{Block, names},
    subject,
    time::Timestamp,
};

/// How many subjects a request for last messages may match.
const MOST_SUBJECTS: usize = 1024;
/// How many bytes are sent when the request does not say: what a server keeps for a slow client.
const MOST_BYTES: usize = 64 << 20;

/// What a direct get asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DirectRequest {
    /// The sequence number, or the one to begin at.
    pub seq: u64,
    /// The subject whose last message is wanted.
    pub last_by_subj: String,
    /// The subject whose next messages are wanted.
    pub next_by_subj: String,
    /// How many messages are wanted; 0 is one, without a status at the end.
    pub batch: usize,
    /// How many bytes are sent.
    pub max_bytes: usize,
    /// The time to begin at.
    pub start_time: Option<Timestamp>,
    /// The subjects whose last messages are wanted.
    pub multi_last: Vec<String>,
    /// The sequence number to end at.
    pub up_to_seq: u64,
    /// The time to end before.
    pub up_to_time: Option<Timestamp>,
    /// Whether headers are left out.
    pub no_hdr: bool,
}

/// One of the messages that answer a direct get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectReply {
    /// The whole header block.
    pub headers: Bytes,
    /// The payload.
    pub payload: Bytes,
}

impl DirectReply {
    /// An answer without a message.
    pub(in crate::queue) fn status(status: &Status) -> Self {
        Self { headers: status.block(), payload: Bytes::new() }
    }

    /// The status at the end of a batch.
    fn end(pending: u64, last: u64, up_to: Option<u64>) -> Self {
        let mut headers: Vec<(&str, &dyn Display)> =
            vec![("Nats-Num-Pending", &pending), (names::LAST_SEQUENCE, &last)];
        if let Some(up_to) = &up_to {
            headers.push(("Nats-UpTo-Sequence", up_to));
        }
        Self { headers: Status::END_OF_BATCH.block_with(&headers), payload: Bytes::new() }
    }

    /// A message; `place` is how many come after it, and the sequence number of the one before it.
    fn message(stream: &Stream, message: &StoredMessage, place: Option<(u64, u64)>) -> Self {
        let mut headers = message.header_block.to_vec();
        let mut add = |name, value: &str| headers = Block(&headers).with(name, value);
        add(names::STREAM, &stream.name);
        add(names::SUBJECT, &message.subject);
        add(names::SEQUENCE, &message.sequence.to_string());
        add(names::TIME_STAMP, &Timestamp::from_millis(message.time).to_string());
        if let Some((pending, last)) = place {
            add("Nats-Num-Pending", &pending.to_string());
            add(names::LAST_SEQUENCE, &last.to_string());
        }
        Self { headers: headers.into(), payload: message.payload.clone() }
    }
}

impl DirectRequest {
    /// The request for the last message of a subject.
    pub fn last_of(subject: &str) -> Self {
        Self { last_by_subj: subject.to_owned(), ..Self::default() }
    }

    /// Whether it asks for nothing.
    fn is_empty(&self) -> bool {
        self.seq == 0
            && self.last_by_subj.is_empty()
            && self.next_by_subj.is_empty()
            && self.multi_last.is_empty()
            && self.start_time.is_none()
    }

    /// Whether it asks for things that do not go together.
    fn is_contradictory(&self) -> bool {
        let (last, next) = (!self.last_by_subj.is_empty(), !self.next_by_subj.is_empty());
        let multi = !self.multi_last.is_empty();
        self.seq > 0 && (last || self.start_time.is_some())
            || last && (self.start_time.is_some() || next || self.batch > 0 || multi)
            || next && multi
            || self.up_to_seq > 0 && self.up_to_time.is_some()
    }
}

impl Stream {
    /// The messages that answer a direct get, in the order in which they are sent.
    pub(in crate::queue) async fn direct(
        self: &Rc<Self>,
        request: &DirectRequest,
    ) -> Result<Vec<DirectReply>> {
        if request.is_empty() {
            return Ok(vec![DirectReply::status(&Status::EMPTY_REQUEST)]);
        }
        if request.is_contradictory() {
            return Ok(vec![DirectReply::status(&Status::BAD_REQUEST)]);
        }
        self.within_limits().await?;
        match request.multi_last.is_empty() {
            true => self.direct_messages(request).await,
            false => self.direct_last(request).await,
        }
    }

    async fn direct_messages(self: &Rc<Self>, request: &DirectRequest) -> Result<Vec<DirectReply>> {
        let not_found = || vec![DirectReply::status(&Status::MESSAGE_NOT_FOUND)];
        let is_batch = request.batch > 0;
        let mut from = match request.start_time {
            Some(time) => self.first_at(time.millis_up()).await?,
            None => request.seq,
        };
        let filter = match request.next_by_subj.as_str() {
            "" => ">",
            some => some,
        };
        let mut pending =
            if is_batch { self.count_between(filter, from, u64::MAX - 1).await? } else { 0 };
        let most = if request.max_bytes == 0 { MOST_BYTES } else { request.max_bytes };
        let (mut replies, mut bytes, mut last) = (Vec::new(), 0, 0);
        while replies.len() < request.batch.max(1) && bytes < most {
            let found = if !request.last_by_subj.is_empty() {
                self.get_last(&request.last_by_subj).await?
            } else if request.next_by_subj.is_empty() && !is_batch && request.start_time.is_none() {
                self.get(from).await?
            } else {
                self.get_next(filter, from).await?
            };
            let Some(message) = found else { break };
            from = message.sequence + 1;
            pending = pending.saturating_sub(1);
            bytes += message.subject.len() + message.header_block.len() + message.payload.len();
            replies.push(match request.no_hdr {
                true => DirectReply { headers: Bytes::new(), payload: message.payload },
                false => DirectReply::message(self, &message, is_batch.then_some((pending, last))),
            });
            last = message.sequence;
        }
        if replies.is_empty() {
            return Ok(not_found());
        }
        if is_batch {
            replies.push(DirectReply::end(pending, last, None));
        }
        Ok(replies)
    }

    /// The last messages of several subjects, as they were at one moment.
    async fn direct_last(self: &Rc<Self>, request: &DirectRequest) -> Result<Vec<DirectReply>> {
        let visible = self.counts.borrow().visible();
        let no_results = || vec![DirectReply::status(&Status::NO_RESULTS)];
        let mut up_to = request.up_to_seq;
        if let Some(time) = request.up_to_time {
            up_to = self.first_at(time.millis_up()).await?.saturating_sub(1);
            if up_to < self.counts.borrow().first {
                return Ok(no_results());
            }
        }
        let up_to = if up_to == 0 { visible } else { up_to.min(visible) };
        let mut found = std::collections::BTreeSet::new();
        for filter in request.multi_last.iter().filter(|filter| subject::is_valid(filter)) {
            let each = self.last_of_each(filter, 0, up_to, MOST_SUBJECTS).await?;
            match each {
                Some(each) => found.extend(each.iter().map(|entry| entry.sequence)),
                None => return Ok(vec![DirectReply::status(&Status::TOO_MANY_RESULTS)]),
            }
        }
        if found.len() > MOST_SUBJECTS {
            return Ok(vec![DirectReply::status(&Status::TOO_MANY_RESULTS)]);
        }
        if found.is_empty() {
            return Ok(no_results());
        }
        found.retain(|sequence| *sequence >= request.seq);
        let most = if request.max_bytes == 0 { MOST_BYTES } else { request.max_bytes };
        let batch = if request.batch == 0 { usize::MAX } else { request.batch };
        let (mut replies, mut bytes, mut last) = (Vec::new(), 0, 0);
        let mut pending = found.len() as u64;
        for sequence in found {
            if bytes >= most || replies.len() >= batch {
                break;
            }
            pending -= 1;
            let Some(message) = self.get(sequence).await? else { continue };
            bytes += message.subject.len() + message.header_block.len() + message.payload.len();
            replies.push(DirectReply::message(self, &message, Some((pending, last))));
            last = sequence;
        }
        replies.push(DirectReply::end(pending, last, Some(up_to)));
        Ok(replies)
    }
}
