//! Answers to what clients publish.

use std::rc::Rc;

use serde::Serialize;

use super::{base::Stream, pub_ack::PubAck};
use crate::queue::{broker::CoreMessage, error::Error};

/// A refusal as clients get it.
#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a Error,
    stream: &'a str,
    seq: u64,
}

impl Stream {
    pub(super) fn reply_of(&self, message: &CoreMessage) -> Option<Rc<str>> {
        message.reply.clone().filter(|_| !self.config.borrow().no_ack)
    }

    pub(super) fn answer(&self, reply: &str, ack: &PubAck) {
        // Strings and numbers have a JSON form.
        let ack = serde_json::to_vec(ack).unwrap_or_default();
        self.broker.publish(&CoreMessage::new(reply, ack));
    }

    pub(super) fn refuse(&self, message: &CoreMessage, cause: &Error) {
        if let Some(reply) = self.reply_of(message) {
            self.send_refusal(&reply, cause);
        }
    }

    pub(super) fn send_refusal(&self, reply: &str, cause: &Error) {
        let refusal = Refusal { error: cause, stream: &self.name, seq: 0 };
        // Strings and numbers have a JSON form.
        let refusal = serde_json::to_vec(&refusal).unwrap_or_default();
        self.broker.publish(&CoreMessage::new(reply, refusal));
    }
}
