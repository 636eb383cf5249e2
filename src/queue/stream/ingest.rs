//! What clients publish to a stream's subjects, and the answers that they get.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use serde::Serialize;

use super::{PubAck, Stream, publish::Incoming};
use crate::{
    platform,
    queue::{
        Queue,
        broker::CoreMessage,
        config::PersistMode,
        error::{Error, Result},
    },
    store::Batch,
};

/// A batch takes no further messages beyond so many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// What was published to a stream and is not in a batch yet.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: VecDeque<CoreMessage>,
    /// Whether somebody takes it out.
    working: bool,
}

/// The answers to the messages of a batch.
type Answers = Rc<RefCell<Vec<(Rc<str>, PubAck)>>>;

/// A refusal as clients get it.
#[derive(Serialize)]
struct Refusal<'a> {
    error: ErrorBody<'a>,
    stream: &'a str,
    seq: u64,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    err_code: u32,
    description: &'a str,
}

impl Queue {
    /// Stores what was published to a subject of a stream, in the order in which this is called,
    /// and answers to its reply subject once it is durable.
    ///
    /// # Errors
    /// 10059 when there is no stream of that name.
    pub fn receive(&self, stream: &str, message: &CoreMessage) -> Result<()> {
        self.stream(stream)?.receive(message);
        Ok(())
    }
}

impl Stream {
    pub(in crate::queue) fn receive(self: &Rc<Self>, message: &CoreMessage) {
        let mut inbox = self.inbox.borrow_mut();
        inbox.waiting.push_back(message.clone());
        if !std::mem::replace(&mut inbox.working, true) {
            let stream = self.clone();
            platform::spawn(async move { stream.ingest().await });
        }
    }

    async fn ingest(self: &Rc<Self>) {
        loop {
            let (mut batch, answers, mut bytes) = (Batch::new(), Answers::default(), 0);
            while bytes < BATCH_BYTES {
                let Some(message) = self.inbox.borrow_mut().waiting.pop_front() else { break };
                if self.is_cold(&message.subject, &message.headers) {
                    // What was published before must not wait for this to be looked up.
                    self.send_batch(std::mem::take(&mut batch), answers.take());
                    if let Err(cause) = self.prepare(&message.subject, &message.headers).await {
                        self.refuse(&message, &cause);
                        continue;
                    }
                }
                bytes += message.headers.len() + message.payload.len();
                self.take_in(&mut batch, &answers, &message);
            }
            self.send_batch(batch, answers.take());
            let mut inbox = self.inbox.borrow_mut();
            if inbox.waiting.is_empty() {
                inbox.working = false;
                return;
            }
        }
    }

    fn take_in(self: &Rc<Self>, batch: &mut Batch, answers: &Answers, message: &CoreMessage) {
        let incoming = Incoming::new(&message.subject, &message.headers, &message.payload);
        match self.publish(batch, incoming) {
            Ok(ack) => {
                if let Some(reply) = self.reply_of(message) {
                    answers.borrow_mut().push((reply, ack));
                }
            }
            Err(cause) => self.refuse(message, &cause),
        }
    }

    fn reply_of(&self, message: &CoreMessage) -> Option<Rc<str>> {
        message.reply.clone().filter(|_| !self.config.borrow().no_ack)
    }

    /// Submits a batch; its answers are given when it is durable, or before where that was asked
    /// for.
    fn send_batch(self: &Rc<Self>, mut batch: Batch, answers: Vec<(Rc<str>, PubAck)>) {
        if batch.is_empty() && answers.is_empty() {
            return;
        }
        // What is a duplicate may be one of a message that is not durable yet, which a batch
        // without writes waits for.
        if self.config.borrow().persist_mode == PersistMode::Async {
            batch.wait_for_others();
            drop(self.store.submit(batch));
            return self.answer(&answers);
        }
        let answers = Rc::new(RefCell::new(answers));
        let (stream, waiting) = (self.clone(), answers.clone());
        batch.on_durable(move || stream.answer(&waiting.take()));
        let (stream, commit) = (self.clone(), self.store.submit(batch));
        platform::spawn(async move {
            if let Err(cause) = commit.await {
                let cause = Error::from(cause);
                for (reply, _) in answers.take() {
                    stream.tell_refusal(&reply, &cause);
                }
            }
        });
    }

    fn answer(&self, answers: &[(Rc<str>, PubAck)]) {
        for (reply, ack) in answers {
            let ack = serde_json::to_vec(ack).unwrap_or_default();
            self.broker.publish(&CoreMessage::new(reply, ack));
        }
    }

    fn refuse(&self, message: &CoreMessage, cause: &Error) {
        if let Some(reply) = self.reply_of(message) {
            self.tell_refusal(&reply, cause);
        }
    }

    fn tell_refusal(&self, reply: &str, cause: &Error) {
        let Error { code, err_code, description } = cause;
        let error = ErrorBody { code: *code, err_code: *err_code, description };
        let refusal = Refusal { error, stream: &self.name, seq: 0 };
        // Strings and numbers have a JSON form.
        let refusal = serde_json::to_vec(&refusal).unwrap_or_default();
        self.broker.publish(&CoreMessage::new(reply, refusal));
    }
}
