//! Getting and deleting messages of a stream.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{answer::Body, request::Request};
use crate::queue::{
    error::{Error, Result},
    facade::Queue,
    stream::{MessageRequest, StoredMessage},
    time::Timestamp,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct GetRequest {
    seq: u64,
    last_by_subj: Option<String>,
    next_by_subj: Option<String>,
    start_time: Option<Timestamp>,
    no_hdr: bool,
    // These are for direct gets.
    batch: i64,
    max_bytes: i64,
    #[serde(rename = "multi_last")]
    _multi_last: Vec<String>,
    #[serde(rename = "up_to_seq")]
    _up_to_seq: u64,
    #[serde(rename = "up_to_time")]
    _up_to_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeleteRequest {
    seq: u64,
    /// Whether the bytes need not be overwritten. They never are.
    #[serde(rename = "no_erase")]
    _no_erase: bool,
}

#[derive(Serialize)]
struct Got {
    message: Stored,
}

#[derive(Serialize)]
struct Stored {
    subject: String,
    seq: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    hdrs: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    time: Timestamp,
}

impl From<StoredMessage> for Stored {
    fn from(message: StoredMessage) -> Self {
        Self {
            hdrs: STANDARD.encode(&message.header_block),
            data: STANDARD.encode(&message.payload),
            subject: message.subject,
            seq: message.sequence,
            time: Timestamp::from_millis(message.time),
        }
    }
}

pub(super) async fn get(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    if request.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    let wanted = request.parse::<GetRequest>()?;
    if wanted.batch > 0 || wanted.max_bytes > 0 {
        return Err(Error::BAD_REQUEST);
    }
    let some = |subject: Option<String>| subject.filter(|subject| !subject.is_empty());
    let wanted = MessageRequest {
        seq: wanted.seq,
        last_by_subj: some(wanted.last_by_subj),
        next_by_subj: some(wanted.next_by_subj),
        start_time: wanted.start_time,
        no_hdr: wanted.no_hdr,
    };
    let message = queue.get_message(stream, &wanted).await?.into();
    Ok(Body::of(&Got { message })?.uncounted())
}

pub(super) async fn delete(queue: &Queue, request: &Request, stream: &str) -> Result<Body> {
    request.check_level()?;
    if request.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    let DeleteRequest { seq, .. } = request.parse()?;
    match queue.delete_message(stream, seq).await {
        Err(cause) if cause == Error::NO_MESSAGE_FOUND => Err(missing(queue, stream, seq)),
        Err(cause) => Err(cause),
        Ok(()) => Body::success(),
    }
}

/// Why there is nothing to delete.
fn missing(queue: &Queue, stream: &str, seq: u64) -> Error {
    match queue.stream(stream) {
        Ok(_) if seq == 0 => Error::message_delete("no message found"),
        Ok(stream) if seq > stream.counts.borrow().last => {
            Error::message_delete("stream store EOF")
        }
        Ok(_) => Error::sequence_not_found(seq),
        Err(cause) => cause,
    }
}
