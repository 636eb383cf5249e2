//! A queue on a disk in memory, with a clock that stands.

use std::{cell::RefCell, rc::Rc, time::Duration};

use neurite::{
    platform,
    queue::{
        CoreMessage, Headers, ManualClock, PubAck, Queue, StoredMessage, StreamConfig, StreamInfo,
        Subscription,
    },
    store::{Batch, Options, Store, memory::Disk},
};

pub const SECOND: Duration = Duration::from_secs(1);
/// How long anything that is to come may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct World {
    pub disk: Disk,
    pub clock: ManualClock,
    pub store: Store,
    pub queue: Queue,
}

/// What was delivered to a subject.
#[derive(Clone, Default)]
pub struct Heard(Rc<RefCell<Vec<CoreMessage>>>);

impl Heard {
    pub fn take(&self) -> Vec<CoreMessage> {
        self.0.take()
    }

    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |message: &CoreMessage| serde_json::from_slice(&message.payload);
        self.take().iter().map(|message| parse(message).unwrap_or_default()).collect()
    }

    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::on(Disk::new(), ManualClock::new(1_000_000_000_000)).await
    }

    pub async fn on(disk: Disk, clock: ManualClock) -> Self {
        Self::with(disk, clock, Options::default()).await
    }

    pub async fn with(disk: Disk, clock: ManualClock, options: Options) -> Self {
        let store = Store::open_memory(&disk, options).await.unwrap();
        let queue = Queue::open_with(store.clone(), Rc::new(clock.clone())).await.unwrap();
        Self { disk, clock, store, queue }
    }

    /// Ends everything at once and opens what the disk holds.
    pub async fn killed(self) -> Self {
        self.disk.kill();
        Self::on(self.disk, self.clock).await
    }

    /// Waits until everything submitted is durable.
    pub async fn settle(&self) {
        self.store.commit(Batch::new()).await.unwrap();
        platform::next_turn().await;
    }

    /// Waits until the condition holds.
    pub async fn until(&self, condition: impl Fn() -> bool) {
        let holds = async {
            while !condition() {
                // It may be a failure that is waited for.
                let _ = self.store.commit(Batch::new()).await;
                platform::next_turn().await;
            }
        };
        platform::timeout(PATIENCE, holds).await.expect("it never came");
    }

    pub async fn stream(&self, config: StreamConfig) -> StreamInfo {
        self.queue.create_stream(config).await.unwrap()
    }

    pub async fn publish(&self, subject: &str, payload: &str) -> u64 {
        self.publish_with(subject, Headers::new(), payload).await.unwrap().sequence
    }

    pub async fn publish_with(
        &self,
        subject: &str,
        headers: Headers,
        payload: &str,
    ) -> neurite::queue::Result<PubAck> {
        self.queue.publish_now(subject, &headers, payload).await
    }

    /// The code of the error that a publish is refused with.
    pub async fn refused(&self, subject: &str, headers: Headers) -> u32 {
        self.publish_with(subject, headers, "").await.unwrap_err().err_code
    }

    pub async fn info(&self, stream: &str) -> StreamInfo {
        self.queue.stream_info(stream).await.unwrap()
    }

    /// The messages of a stream.
    pub async fn messages(&self, stream: &str) -> Vec<StoredMessage> {
        let state = self.info(stream).await.state;
        let mut all = Vec::new();
        for sequence in state.first_seq..=state.last_seq {
            all.extend(self.queue.message(stream, sequence).await.ok());
        }
        all
    }

    /// The sequence numbers of a stream's messages.
    pub async fn sequences(&self, stream: &str) -> Vec<u64> {
        self.messages(stream).await.iter().map(|message| message.sequence).collect()
    }

    /// Listens to a subject.
    pub fn listen(&self, filter: &str) -> (Heard, Subscription) {
        let heard = Heard::default();
        let into = heard.clone();
        let subscription = self.queue.broker().subscribe(filter, None, move |message| {
            into.0.borrow_mut().push(message.clone());
        });
        (heard, subscription)
    }

    /// Publishes as a client does.
    pub fn send(&self, stream: &str, subject: &str, reply: &str, headers: &Headers, payload: &str) {
        let mut block = String::new();
        if !headers.is_empty() {
            block.push_str("NATS/1.0\r\n");
            for (name, value) in headers.iter() {
                block.extend([name, ": ", value, "\r\n"]);
            }
            block.push_str("\r\n");
        }
        let message = CoreMessage {
            subject: subject.into(),
            reply: (!reply.is_empty()).then(|| reply.into()),
            headers: block.into_bytes().into(),
            payload: payload.to_owned().into(),
        };
        self.queue.receive(stream, &message).unwrap();
    }
}

/// A stream of that name that takes everything below it.
pub fn stream(name: &str) -> StreamConfig {
    StreamConfig {
        name: name.to_uppercase(),
        subjects: vec![format!("{name}.>")],
        ..StreamConfig::default()
    }
}

pub fn header(name: &str, value: impl ToString) -> Headers {
    Headers::new().with(name, value.to_string())
}
