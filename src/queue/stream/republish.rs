//! Republishing stored messages.

use bytes::Bytes;

use super::{base::Stream, in_flight::Publish};
use crate::queue::{
    broker::CoreMessage,
    headers::{Block, names},
    subject,
    time::Timestamp,
};

impl Stream {
    /// The message to republish once it is durable.
    pub(super) fn republication(
        &self,
        publish: &Publish,
        headers: &[u8],
        payload: &[u8],
    ) -> Option<Box<CoreMessage>> {
        let republish = self.republish.borrow();
        let target = republish.as_ref()?.apply(&publish.subject)?;
        if !subject::is_literal(&target) {
            return None;
        }
        let config = self.config();
        let headers_only =
            config.republish.as_ref().is_some_and(|republish| republish.headers_only);
        let last = self.subjects.borrow().get(&publish.subject).map_or(0, |known| known.last());
        let mut block = Block(headers).with(names::STREAM, &config.name);
        for (name, value) in [
            (names::SUBJECT, publish.subject.to_string()),
            (names::SEQUENCE, publish.sequence.to_string()),
            (names::TIME_STAMP, Timestamp::from_millis(publish.time).to_string()),
            (names::LAST_SEQUENCE, last.to_string()),
        ] {
            block = Block(&block).with(name, &value);
        }
        if headers_only {
            block = Block(&block).with(names::MESSAGE_SIZE, &payload.len().to_string());
        }
        Some(Box::new(CoreMessage {
            subject: target.into(),
            reply: None,
            headers: block.into(),
            payload: if headers_only { Bytes::new() } else { Bytes::copy_from_slice(payload) },
        }))
    }
}
