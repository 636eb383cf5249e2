//! A client of the queue's broker: requests and answers as NATS clients send and get them.

#![allow(dead_code, reason = "not every suite needs all of it")]

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use bytes::Bytes;
use futures::channel::oneshot;
use neurite::{
    platform,
    queue::{Broker, CoreMessage, Queue, Subscription},
};
use serde_json::Value;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Client {
    pub queue: Queue,
    broker: Broker,
}

/// What comes to a subject.
pub struct Inbox {
    pub subject: String,
    heard: Rc<RefCell<Heard>>,
    _subscription: Subscription,
}

#[derive(Default)]
struct Heard {
    messages: VecDeque<CoreMessage>,
    waiting: Option<oneshot::Sender<()>>,
}

impl Client {
    pub fn new(queue: Queue) -> Self {
        Self { broker: queue.broker().clone(), queue }
    }

    /// A client of a new and empty queue.
    pub async fn open() -> Self {
        Self::new(Queue::open(super::store().await).await.unwrap())
    }

    pub fn subscribe(&self, filter: &str) -> Inbox {
        self.subscribe_as(filter, None)
    }

    /// The same as a member of a queue group.
    pub fn subscribe_in(&self, filter: &str, group: &str) -> Inbox {
        self.subscribe_as(filter, Some(group))
    }

    fn subscribe_as(&self, filter: &str, group: Option<&str>) -> Inbox {
        let heard = Rc::new(RefCell::new(Heard::default()));
        let to = heard.clone();
        let subscription = self.broker.subscribe(filter, group, move |message| {
            let mut heard = to.borrow_mut();
            heard.messages.push_back(message.clone());
            if let Some(waiting) = heard.waiting.take() {
                // Whoever waited may have given up.
                let _ = waiting.send(());
            }
        });
        Inbox { subject: filter.to_owned(), heard, _subscription: subscription }
    }

    pub fn inbox(&self) -> Inbox {
        self.subscribe(&self.broker.inbox())
    }

    /// Publishes; how many got it.
    pub fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &[(&str, &str)],
        payload: impl Into<Bytes>,
    ) -> usize {
        self.broker.publish(&CoreMessage {
            subject: subject.into(),
            reply: reply.map(Into::into),
            headers: block(headers),
            payload: payload.into(),
        })
    }

    /// Answers with no more than a header block.
    pub fn answer(&self, reply: &str, headers: &'static str) {
        self.broker.publish(&CoreMessage {
            subject: reply.into(),
            reply: None,
            headers: Bytes::from_static(headers.as_bytes()),
            payload: Bytes::new(),
        });
    }

    /// The answer to a request, with its headers.
    pub async fn ask(
        &self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: impl Into<Bytes>,
    ) -> CoreMessage {
        let inbox = self.inbox();
        let responders = self.publish(subject, Some(&inbox.subject), headers, payload);
        assert!(responders > 0, "nobody responds on {subject}");
        let answer = inbox.next().await;
        // As for a client behind a port: who asks again and again lets the rest go on.
        platform::next_turn().await;
        answer
    }

    /// The answer of the API to a request.
    pub async fn request(&self, subject: &str, request: Value) -> Value {
        let payload = if request.is_null() { String::new() } else { request.to_string() };
        let answer = self.ask(&format!("$JS.API.{subject}"), &[], payload).await;
        serde_json::from_slice(&answer.payload).unwrap()
    }

    /// The code of the error that the API answers with.
    pub async fn refusal(&self, subject: &str, request: Value) -> u64 {
        let answer = self.request(subject, request).await;
        answer["error"]["err_code"].as_u64().unwrap_or_else(|| panic!("no error: {answer}"))
    }

    /// The answer to a publish to a stream.
    pub async fn store(&self, subject: &str, headers: &[(&str, &str)], payload: &str) -> Value {
        let answer = self.ask(subject, headers, payload.to_owned()).await;
        serde_json::from_slice(&answer.payload).unwrap()
    }
}

impl Inbox {
    /// The next message.
    pub async fn next(&self) -> CoreMessage {
        let next = async {
            loop {
                let waiting = {
                    let mut heard = self.heard.borrow_mut();
                    if let Some(message) = heard.messages.pop_front() {
                        return message;
                    }
                    let (sender, receiver) = oneshot::channel();
                    heard.waiting = Some(sender);
                    receiver
                };
                waiting.await.unwrap();
            }
        };
        let next = platform::timeout(PATIENCE, next).await;
        next.unwrap_or_else(|| panic!("nothing came to {}", self.subject))
    }

    /// What has come and was not taken.
    pub fn rest(&self) -> Vec<CoreMessage> {
        self.heard.borrow_mut().messages.drain(..).collect()
    }
}

/// The first value of a header.
pub fn header<'a>(message: &'a CoreMessage, name: &str) -> Option<&'a str> {
    let block = std::str::from_utf8(&message.headers).unwrap();
    let mut lines = block.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.find(|(of, _)| *of == name).map(|(_, value)| value)
}

/// The status line of a header block.
pub fn status(message: &CoreMessage) -> &str {
    let block = std::str::from_utf8(&message.headers).unwrap();
    block.lines().next().unwrap_or_default().trim_start_matches("NATS/1.0").trim()
}

fn block(headers: &[(&str, &str)]) -> Bytes {
    if headers.is_empty() {
        return Bytes::new();
    }
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("NATS/1.0\r\n{lines}\r\n").into()
}
