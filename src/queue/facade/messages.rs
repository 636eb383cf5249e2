//! Publishing messages, getting and removing them.

use std::rc::Rc;

use super::queue::Queue;
use crate::{
    queue::{
        broker::CoreMessage,
        error::{Error, Result},
        headers::Headers,
        stream::{
            DirectReply, DirectRequest, Incoming, MessageRequest, PubAck, Purge, StoredMessage,
            Stream,
        },
        subject,
    },
    store::{Batch, Submission},
};

impl Queue {
    /// Stores a message with the batch, in the stream that takes its subject.
    ///
    /// # Errors
    /// When no stream takes the subject (code 503), and the codes of what the stream refuses; 10163
    /// when it needs what [`Queue::prepare`] looks up.
    pub fn publish(
        &self,
        batch: &mut Submission,
        subject: &str,
        headers: &Headers,
        payload: impl AsRef<[u8]>,
    ) -> Result<PubAck> {
        let stream = self.stream_of(subject)?;
        if !headers.is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        stream.publish(batch, Incoming::new(subject, &headers.encode(), payload.as_ref()))
    }

    /// Looks up what [`Queue::publish`] has to know when the stream limits or counts messages by
    /// subject, or the headers expect something of one. Publish at once afterwards.
    ///
    /// # Errors
    /// When no stream takes the subject (code 503), and when the store can't be read.
    pub async fn prepare(&self, subject: &str, headers: &Headers) -> Result<()> {
        self.stream_of(subject)?.prepare(subject, &headers.encode()).await
    }

    /// Stores a message by itself; durable when this returns.
    ///
    /// # Errors
    /// Those of [`Queue::publish`], and when the store can't be written.
    pub async fn publish_now(
        &self,
        subject: &str,
        headers: &Headers,
        payload: impl AsRef<[u8]>,
    ) -> Result<PubAck> {
        let stream = self.stream_of(subject)?;
        if !headers.is_valid() {
            return Err(Error::BAD_REQUEST);
        }
        let block = headers.encode();
        stream.prepare(subject, &block).await?;
        let incoming = Incoming::new(subject, &block, payload.as_ref());
        let publish = |batch: &mut Submission| stream.publish(batch, incoming);
        stream.store.commit_with(Batch::new(), publish).await
    }

    /// The stream that takes messages of this subject.
    fn stream_of(&self, subject: &str) -> Result<Rc<Stream>> {
        if !subject::is_literal(subject) {
            return Err(Error::BAD_REQUEST);
        }
        self.inner.streams.of_subject(subject).ok_or(Error::NO_RESPONDERS)
    }

    /// Stores what was published to a subject of a stream, in the order in which this is called,
    /// and answers to its reply subject once it is durable.
    ///
    /// # Errors
    /// 10059 when there is no stream of that name.
    pub fn receive(&self, stream: &str, message: &CoreMessage) -> Result<()> {
        self.stream(stream)?.receive(message);
        Ok(())
    }

    /// A message by its sequence number.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message.
    pub async fn message(&self, stream: &str, sequence: u64) -> Result<StoredMessage> {
        self.get_message(stream, &MessageRequest { seq: sequence, ..MessageRequest::default() })
            .await
    }

    /// The message that a request asks for.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message; 10003 when nothing or too much is
    /// asked for.
    pub async fn get_message(
        &self,
        stream: &str,
        request: &MessageRequest,
    ) -> Result<StoredMessage> {
        self.stream(stream)?.get_requested(request).await
    }

    /// The messages that answer a direct get, in the order in which they are sent. ADR-31
    ///
    /// # Errors
    /// 10059 when there is no such stream, and when the store can't be read.
    pub async fn direct_get(
        &self,
        stream: &str,
        request: &DirectRequest,
    ) -> Result<Vec<DirectReply>> {
        self.stream(stream)?.direct(request).await
    }

    /// Removes messages of a stream; returns how many.
    ///
    /// # Errors
    /// 10059 when there is none of that name, 10003, 10109 and 10110 for what can't be purged.
    pub async fn purge_stream(&self, name: &str, purge: &Purge) -> Result<u64> {
        self.stream(name)?.purge(purge).await
    }

    /// Removes a message by its sequence number.
    ///
    /// # Errors
    /// 10059 and 10037 when there is no such stream or message; 10109 and 10057 when it may not go.
    pub async fn delete_message(&self, stream: &str, sequence: u64) -> Result<()> {
        self.stream(stream)?.delete(sequence).await
    }
}
