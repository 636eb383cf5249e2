//! A real server, the queue, and one side's view of either.

mod compare;
pub mod scenarios;
mod server;

use std::{cell::RefCell, rc::Rc, time::Duration};

use neurite::{platform, queue::CoreMessage};
use serde_json::{Value, json};

use self::server::{Server, Tcp};
use crate::support::nats::{Client, Inbox};

/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(400);

/// The real server.
pub struct Both {
    server: Server,
    /// Whether it is older than what the queue is like.
    is_older: bool,
}

/// One of the two, and what it answered so far.
pub struct Side {
    inner: Inner,
    log: RefCell<Vec<(String, Value)>>,
    /// What is different each time, with what stands for it.
    masks: RefCell<Vec<(String, String)>>,
}

enum Inner {
    Real(Rc<Tcp>),
    Ours(Client),
}

/// Where messages come.
pub enum Listening {
    Real(Rc<Tcp>, u64),
    Ours(Inbox),
}

impl Both {
    /// Starts the real server, if there is one here that is new enough.
    pub fn start(since: &str) -> Option<Self> {
        let Some(version) = server::version() else {
            println!("skipped: there is no nats-server on the PATH");
            return None;
        };
        let numbers = |version: &str| {
            version.split('.').map_while(|part| part.parse().ok()).collect::<Vec<u32>>()
        };
        if numbers(&version) < numbers(since) {
            println!("skipped: nats-server is {version}, which is before {since}");
            return None;
        }
        let is_older = numbers(&version) < numbers("2.14");
        Some(Self { server: Server::start(), is_older })
    }

    /// Plays `scenario` to both and compares what they said.
    pub async fn compare(self, scenario: impl AsyncFn(&Side)) {
        let real = Side::new(Inner::Real(self.server.connect()));
        scenario(&real).await;
        let ours = Side::new(Inner::Ours(Client::open().await));
        scenario(&ours).await;
        let differences = compare::differences(&real.log.take(), &ours.log.take(), self.is_older);
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
    }
}

impl Side {
    fn new(inner: Inner) -> Self {
        Self { inner, log: RefCell::default(), masks: RefCell::default() }
    }

    /// Remembers something to be compared.
    pub fn note(&self, label: impl Into<String>, value: Value) {
        let mut text = value.to_string();
        for (from, to) in &*self.masks.borrow() {
            text = text.replace(from, to);
        }
        let value = serde_json::from_str(&text).unwrap();
        self.log.borrow_mut().push((label.into(), value));
    }

    /// From now on `text` is shown as `name`.
    pub fn mask(&self, text: &str, name: &str) {
        self.masks.borrow_mut().push((text.to_owned(), name.to_owned()));
    }

    pub fn listen(&self, filter: &str) -> Listening {
        match &self.inner {
            Inner::Real(tcp) => Listening::Real(tcp.clone(), tcp.subscribe(filter)),
            Inner::Ours(client) => Listening::Ours(client.subscribe(filter)),
        }
    }

    pub fn publish(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &[(&str, &str)],
        payload: &str,
    ) {
        match &self.inner {
            Inner::Real(tcp) => tcp.publish(subject, reply, headers, payload.as_bytes()),
            Inner::Ours(client) => {
                let heard = client.publish(subject, reply, headers, payload.to_owned());
                // What a connection tells its client.
                if let (0, Some(reply)) = (heard, reply) {
                    client.answer(reply, "NATS/1.0 503\r\n\r\n");
                }
            }
        }
    }

    /// The first answer to a request.
    pub async fn ask(
        &self,
        subject: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> Option<CoreMessage> {
        let reply = format!("_R.{}", platform::random_string(10));
        self.mask(&reply, "<reply>");
        let inbox = self.listen(&reply);
        self.publish(subject, Some(&reply), headers, payload);
        inbox.next(Duration::from_secs(5)).await
    }

    /// A request to the API, its answer noted.
    pub async fn api(&self, subject: &str, request: Value) -> Value {
        let payload = match &request {
            Value::Null => String::new(),
            // Text is sent as it is.
            Value::String(text) => text.clone(),
            request => request.to_string(),
        };
        let answer = self.ask(&format!("$JS.API.{subject}"), &[], &payload).await;
        let answer = answer.map_or(Value::Null, |answer| {
            serde_json::from_slice(&answer.payload)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(&answer.payload)))
        });
        self.note(format!("{subject} {payload}"), answer.clone());
        answer
    }

    /// A request to the API whose answer does not matter.
    pub async fn quietly(&self, subject: &str) {
        self.ask(&format!("$JS.API.{subject}"), &[], "").await;
    }

    /// A publish to a stream, its answer noted.
    pub async fn store(&self, subject: &str, headers: &[(&str, &str)], payload: &str) -> Value {
        let answer = self.ask(subject, headers, payload).await;
        let answer = answer.map_or(Value::Null, |answer| {
            serde_json::from_slice(&answer.payload).unwrap_or_else(|_| shown(&answer))
        });
        let shown: String = payload.chars().take(20).collect();
        self.note(format!("PUB {subject} {headers:?} {shown}"), answer.clone());
        answer
    }

    /// Notes what comes until there is silence, or so many messages came.
    pub async fn hear(&self, label: &str, listening: &Listening, most: usize) -> Vec<CoreMessage> {
        let mut heard = Vec::new();
        while heard.len() < most {
            let patience = if heard.len() + 1 == most { Duration::from_secs(2) } else { SILENCE };
            let Some(message) = listening.next(patience).await else { break };
            heard.push(message);
        }
        self.note(label, heard.iter().map(shown).collect());
        heard
    }

    /// A pull, its messages and statuses noted.
    pub async fn pull(&self, consumer: &str, request: Value, most: usize) -> Vec<CoreMessage> {
        let reply = format!("_R.{}", platform::random_string(10));
        self.mask(&reply, "<reply>");
        let inbox = self.listen(&reply);
        let payload = if request.is_null() { String::new() } else { request.to_string() };
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{consumer}");
        self.publish(&subject, Some(&reply), &[], &payload);
        self.hear(&format!("NEXT {consumer} {payload}"), &inbox, most).await
    }

    /// Answers a message that a consumer delivered, and waits until that is noticed.
    pub async fn acknowledge(&self, heard: &[CoreMessage], nth: usize, payload: &str) {
        let answer = self.ask(reply_of(heard, nth), &[], payload).await;
        self.note(format!("ACK {payload}"), answer.as_ref().map_or(Value::Null, shown));
    }

    /// Has the clock go on.
    pub async fn wait(&self, millis: u64) {
        platform::sleep(Duration::from_millis(millis)).await;
    }
}

impl Listening {
    pub async fn next(&self, patience: Duration) -> Option<CoreMessage> {
        match self {
            Self::Real(tcp, sid) => tcp.next(*sid, patience),
            Self::Ours(inbox) => platform::timeout(patience, inbox.next()).await,
        }
    }
}

/// Where one of the messages is to be acknowledged.
pub fn reply_of(heard: &[CoreMessage], nth: usize) -> &str {
    heard.get(nth).and_then(|message| message.reply.as_deref()).unwrap_or("nowhere")
}

/// A message as it is compared.
pub fn shown(message: &CoreMessage) -> Value {
    let headers = String::from_utf8_lossy(&message.headers);
    let mut lines: Vec<_> = headers.trim_end().lines().map(str::to_owned).collect();
    // Which subject nobody listens to is told since 2.11.
    if headers.starts_with("NATS/1.0 503") {
        lines.truncate(1);
    }
    if lines.len() > 1 {
        lines[1..].sort();
    }
    json!({
        "subject": &*message.subject,
        "reply": message.reply.as_deref(),
        "headers": lines,
        "payload": serde_json::from_slice::<Value>(&message.payload)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&message.payload))),
    })
}
