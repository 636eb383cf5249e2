//! A queue with a clock that stands.

use std::{cell::RefCell, rc::Rc, time::Duration};

use neurite::{
    platform,
    queue::{
        Consumer, ConsumerConfig, ConsumerInfo, CoreMessage, Error, Headers, ManualClock, Message,
        PubAck, Queue, StoredMessage, StreamConfig, StreamInfo, Subscription,
    },
    store::{Batch, Options, Store, Submission, memory::Disk},
};

use super::place::Place;

pub const SECOND: Duration = Duration::from_secs(1);
/// How long anything that is to come may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct World {
    place: Place,
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
        Self::at(Place::new(), ManualClock::new(1_000_000_000_000), Options::default()).await
    }

    /// On a disk that fails when it is told to.
    pub async fn on_disk() -> Self {
        let clock = ManualClock::new(1_000_000_000_000);
        Self::on(Disk::new(), clock, Options::default()).await
    }

    /// The disk that it is on.
    pub fn disk(&self) -> &Disk {
        match &self.place {
            Place::Memory(disk) => disk,
            #[cfg(target_arch = "wasm32")]
            Place::Database(_) => panic!("it is not on a disk"),
        }
    }

    /// On what is on a disk.
    pub async fn on(disk: Disk, clock: ManualClock, options: Options) -> Self {
        Self::at(Place::Memory(disk), clock, options).await
    }

    async fn at(place: Place, clock: ManualClock, options: Options) -> Self {
        let store = place.open_with(options).await;
        let queue = Queue::open_with(store.clone(), Rc::new(clock.clone())).await.unwrap();
        Self { place, clock, store, queue }
    }

    /// Ends everything at once and opens what was kept.
    pub async fn killed(self) -> Self {
        Self::at(self.place, self.clock, Options::default()).await
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

    /// Commits a batch that `fill` fills at its submission.
    pub async fn commit(
        &self,
        batch: Batch,
        fill: impl FnOnce(&mut Submission),
    ) -> neurite::store::Result<()> {
        let fill = |batch: &mut Submission| {
            fill(batch);
            Ok(())
        };
        self.store.commit_with(batch, fill).await
    }

    /// Lets `fill` fill a batch that is not submitted after all.
    pub fn drop_batch(&self, fill: impl FnOnce(&mut Submission)) {
        let refuse = |batch: &mut Submission| {
            fill(batch);
            Err::<(), _>(Error::BAD_REQUEST)
        };
        assert_eq!(self.store.submit_with(Batch::new(), refuse).err(), Some(Error::BAD_REQUEST));
    }

    /// The code of the error that a publish is refused with.
    pub async fn refused(&self, subject: &str, headers: Headers) -> u32 {
        self.publish_with(subject, headers, "").await.unwrap_err().err_code
    }

    /// How a stream is; who asks again and again lets the rest go on.
    pub async fn info(&self, stream: &str) -> StreamInfo {
        platform::next_turn().await;
        self.queue.stream_info(stream).await.unwrap()
    }

    pub async fn consumer(&self, stream: &str, config: ConsumerConfig) -> Consumer {
        self.queue.create_consumer(stream, config).await.unwrap()
    }

    pub fn consumer_info(&self, stream: &str, consumer: &str) -> ConsumerInfo {
        self.queue.consumer(stream, consumer).unwrap().info()
    }

    /// What a consumer has to deliver now, so many at most.
    pub async fn fetch(&self, stream: &str, consumer: &str, max: usize) -> Vec<Message> {
        let consumer = self.queue.consumer(stream, consumer).unwrap();
        consumer.fetch(max, Duration::ZERO).await.unwrap()
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

/// How many cases a model is tried with: `PROPTEST_CASES`, or else so many.
#[cfg(not(target_arch = "wasm32"))]
pub fn cases(usually: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(usually)
}
