//! What is measured, and how.

use std::{cell::Cell, time::Duration};

use futures::future::try_join_all;
use neurite::{
    queue::{ConsumerConfig, Headers, Message, Queue, StreamConfig},
    store::{Batch, Options, Store, Submission, Table},
};
use wasm_bindgen::prelude::*;
use web_time::Instant;

type Result<T = ()> = std::result::Result<T, JsError>;

const STREAM: &str = "bench";
const SUBJECT: &str = "bench.message";
/// How many publishes are in flight, and how many messages are fetched.
const MANY: usize = 256;
/// Nothing takes so long that goes well.
const WAIT: Duration = Duration::from_secs(30);

/// A queue over a database that nobody else has.
#[wasm_bindgen]
pub struct Bench {
    store: Store,
    queue: Queue,
    payload: Vec<u8>,
    /// How many rows of state were written.
    rows: Cell<u64>,
}

#[wasm_bindgen]
impl Bench {
    /// Opens the database of that name; `payload` is what every message says.
    pub async fn open(storage: String, payload: Vec<u8>) -> Result<Bench> {
        console_error_panic_hook::set_once();
        // As the product's workers have it, which are alone with their database too.
        let lease = Duration::from_millis(100);
        let store =
            Store::open_indexeddb(&storage, Options { lease, ..Options::default() }).await?;
        let queue = Queue::open(store.clone()).await?;
        Ok(Self { store, queue, payload, rows: Cell::new(0) })
    }

    /// Takes a measure over `count` messages: how many a second, or the median in milliseconds.
    pub async fn measure(&self, name: String, count: u32) -> Result<f64> {
        match name.as_str() {
            "publish p50" => self.one_by_one(count, async || self.publish().await).await,
            "publish rate" => self.in_flight(count, async || self.publish().await).await,
            "publish with state p50" => {
                self.one_by_one(count, async || self.publish_with_state().await).await
            }
            "publish with state rate" => {
                self.in_flight(count, async || self.publish_with_state().await).await
            }
            "fetch and ack" => self.consume(count, async |all| self.ack(all)).await,
            "fetch and ackAck" => self.consume(count, async |all| self.ack_now(all).await).await,
            "fetch and ack with state" => {
                self.consume(count, async |all| self.ack_with_state(all).await).await
            }
            "fetch and ack all with state" => {
                self.consume(count, async |all| self.ack_all_with_state(all).await).await
            }
            _ => Err(JsError::new(&format!("There is no measure of the name {name}."))),
        }
    }

    /// Closes and deletes the database of that name.
    pub async fn finish(self, storage: String) -> Result {
        self.store.close().await;
        Ok(Store::delete(&storage).await?)
    }
}

// How messages are published and acknowledged.
impl Bench {
    async fn publish(&self) -> Result {
        self.queue.publish_now(SUBJECT, &Headers::new(), &self.payload).await?;
        Ok(())
    }

    /// A message and a row of state in one commit.
    async fn publish_with_state(&self) -> Result {
        let mut batch = Batch::new();
        self.put_row(&mut batch);
        let publish = |batch: &mut Submission| {
            self.queue.publish(batch, SUBJECT, &Headers::new(), &self.payload)
        };
        self.store.commit_with(batch, publish).await?;
        Ok(())
    }

    /// Acknowledges each and doesn't wait, as a client that says `ack` to each.
    fn ack(&self, messages: &[Message]) -> Result {
        let mut batch = Batch::new();
        for message in messages {
            message.ack(&mut batch);
        }
        drop(self.store.submit(batch));
        Ok(())
    }

    async fn ack_now(&self, messages: &[Message]) -> Result {
        try_join_all(messages.iter().map(Message::ack_now)).await?;
        Ok(())
    }

    /// Each in one commit with a row of state that was derived from it.
    async fn ack_with_state(&self, messages: &[Message]) -> Result {
        let commits = messages.iter().map(|message| {
            let mut batch = Batch::new();
            self.put_row(&mut batch);
            message.ack(&mut batch);
            self.store.submit(batch)
        });
        try_join_all(commits).await?;
        Ok(())
    }

    /// All of them in one commit with all that was derived.
    async fn ack_all_with_state(&self, messages: &[Message]) -> Result {
        let mut batch = Batch::new();
        for _ in messages {
            self.put_row(&mut batch);
        }
        Message::ack_all(messages, &mut batch);
        Ok(self.store.submit(batch).await?)
    }

    /// A row as one of the program's parts would write it, as large as a message.
    fn put_row(&self, batch: &mut Batch) {
        let row = self.rows.replace(self.rows.get() + 1);
        // Without a homeserver the table has no other rows.
        batch.put(Table::AccountData, row.to_be_bytes(), self.payload.clone());
    }
}

// How often, and of what the time is taken.
impl Bench {
    /// An empty stream, since what was stored before is not what is measured.
    async fn fresh(&self) -> Result {
        // At first there is none.
        let _ = self.queue.delete_stream(STREAM).await;
        let (name, subjects) = (STREAM.to_owned(), vec!["bench.>".to_owned()]);
        let config = StreamConfig { name, subjects, ..StreamConfig::default() };
        self.queue.create_stream(config).await?;
        Ok(())
    }

    async fn one_by_one(&self, count: u32, publish: impl AsyncFn() -> Result) -> Result<f64> {
        self.fresh().await?;
        let mut times = Vec::new();
        for _ in 0..count {
            let begin = Instant::now();
            publish().await?;
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        Ok(middle.as_secs_f64() * 1000.0)
    }

    async fn in_flight(&self, count: u32, publish: impl AsyncFn() -> Result) -> Result<f64> {
        self.fresh().await?;
        let left = Cell::new(count);
        let lane = async || {
            while let Some(fewer) = left.get().checked_sub(1) {
                left.set(fewer);
                publish().await?;
            }
            Ok::<_, JsError>(())
        };
        let begin = Instant::now();
        try_join_all((0..MANY).map(|_| lane())).await?;
        Ok(a_second(count, begin))
    }

    /// Fetches and acknowledges; done when all acknowledgements are durable.
    async fn consume(
        &self,
        count: u32,
        acknowledge: impl AsyncFn(&[Message]) -> Result,
    ) -> Result<f64> {
        self.in_flight(count, async || self.publish().await).await?;
        let config =
            ConsumerConfig { durable_name: "worker".to_owned(), ..ConsumerConfig::default() };
        let consumer = self.queue.create_consumer(STREAM, config).await?;
        let begin = Instant::now();
        let mut left = count as usize;
        while left > 0 {
            let messages = consumer.fetch(left.min(MANY), WAIT).await?;
            if messages.is_empty() {
                return Err(JsError::new(&format!("{left} messages were not delivered.")));
            }
            acknowledge(&messages).await?;
            left -= messages.len();
        }
        // Commits become durable in the order in which they were submitted.
        self.store.commit(Batch::new()).await?;
        let rate = a_second(count, begin);
        match consumer.info().num_ack_pending {
            0 => Ok(rate),
            lost => Err(JsError::new(&format!("{lost} acknowledgements are missing."))),
        }
    }
}

fn a_second(count: u32, begin: Instant) -> f64 {
    f64::from(count) / begin.elapsed().as_secs_f64()
}
