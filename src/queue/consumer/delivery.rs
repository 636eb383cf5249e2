//! A message as it is delivered.

use std::rc::Rc;

use bytes::Bytes;

use crate::queue::{
    headers::{Block, names},
    stream::Stored,
};

/// A message with the numbers of its delivery.
pub(super) struct Delivery {
    pub(super) subject: Rc<str>,
    pub(super) headers: Bytes,
    pub(super) payload: Bytes,
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) num_delivered: u64,
    pub(super) num_pending: u64,
    pub(super) time: u64,
    /// The bytes of subject, headers and payload.
    pub(super) size: u64,
}

/// The content of a message, before it has the numbers of a delivery.
pub(super) struct Content {
    pub(super) subject: Rc<str>,
    headers: Bytes,
    payload: Bytes,
    time: u64,
    /// The bytes that it counts for in the stream.
    pub(super) stored_size: u64,
}

impl Content {
    pub(super) fn of(message: Stored, headers_only: bool) -> Self {
        let (subject, stored_size) = (message.subject().into(), message.size());
        let Stored { headers, payload, time, .. } = message;
        let (headers, payload) = match headers_only {
            true => {
                let size = payload.len().to_string();
                (Block(&headers).with(names::MESSAGE_SIZE, &size).into(), Bytes::new())
            }
            false => (headers, payload),
        };
        Self { subject, headers, payload, time, stored_size }
    }

    /// The bytes that are delivered, without the reply subject.
    pub(super) fn size(&self) -> u64 {
        (self.subject.len() + self.headers.len() + self.payload.len()) as u64
    }

    pub(super) fn delivery(
        self,
        stream_sequence: u64,
        consumer_sequence: u64,
        num_delivered: u64,
        num_pending: u64,
    ) -> Delivery {
        Delivery {
            size: self.size(),
            subject: self.subject,
            headers: self.headers,
            payload: self.payload,
            stream_sequence,
            consumer_sequence,
            num_delivered,
            num_pending,
            time: self.time,
        }
    }
}
