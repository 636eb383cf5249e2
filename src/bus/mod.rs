//! What the homeserver asks of streams and consumers: all that its parts know of the queue, so that
//! another bus could stand there.

mod in_store;

use std::{any::Any, rc::Rc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};

pub use crate::queue::{OfflineStatus, StreamStatus};
use crate::{Result, store::Batch};

/// Streams and their consumers.
pub trait Bus {
    /// Makes a stream of the homeserver's, unless it is there as it is to be.
    fn ensure_stream<'a>(&'a self, stream: &'a Stream) -> LocalBoxFuture<'a, Result<()>>;

    /// Makes a consumer of all messages of such a stream, unless it is there as it is to be. What was
    /// delivered `max_deliver` times and not acknowledged is set aside.
    fn ensure_consumer<'a>(
        &'a self,
        stream: &'a str,
        name: &'a str,
        max_deliver: u32,
    ) -> LocalBoxFuture<'a, Result<Rc<dyn Consumer>>>;

    /// Says that all consumers of the homeserver's are there: what these have acknowledged goes.
    ///
    /// # Errors
    /// When there is no such stream.
    fn finish_consumers(&self, stream: &str) -> Result<()>;

    /// Publishes a message with the batch: it is delivered once that is durable. A batch with one that
    /// no stream takes is refused.
    fn publish(&self, batch: &mut Batch, subject: Rc<str>, payload: Vec<u8>);

    /// How all streams and consumers are.
    fn status(&self) -> LocalBoxFuture<'_, Result<Status>>;
}

/// A consumer of the homeserver's.
pub trait Consumer {
    /// Hands the messages to `work`, at most `most` at a time, as long as `owner` lives. Those that it
    /// fails on come again.
    fn work(&self, owner: Rc<dyn Any>, most: usize, work: Work);

    /// Acknowledges messages with the batch: together with what was derived from them, or not at all.
    fn acknowledge(&self, batch: &mut Batch, messages: &[Message]);

    /// Has a message redelivered later, with a longer delay each time: what is missing now may be
    /// there by then.
    fn put_off(&self, message: &Message);

    /// Waits until everything that is in the stream by now was worked on, for at most `patience`;
    /// whether it was.
    fn catch_up(&self, patience: Duration) -> LocalBoxFuture<'_, bool>;
}

/// What works on messages.
pub type Work = Box<dyn Fn(Vec<Message>) -> LocalBoxFuture<'static, Result<()>>>;

/// A stream of the homeserver's. It keeps a message until each of its consumers has acknowledged it.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Its name.
    pub name: &'static str,
    /// The subjects of its messages.
    pub subjects: &'static [&'static str],
}

/// A delivered message, to be acknowledged.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its sequence number in the stream.
    pub sequence: u64,
    /// How often it has been delivered, including this time.
    pub num_delivered: u64,
    /// Its payload.
    pub payload: Bytes,
}

/// How streams and consumers are.
pub struct Status {
    /// The streams.
    pub streams: Vec<StreamStatus>,
    /// Streams whose configuration can't be read.
    pub offline: Vec<OfflineStatus>,
}

/// Has `work` work on the messages of a consumer, at most `most` at a time, as long as `owner` lives.
pub fn work<T: 'static>(
    owner: &Rc<T>,
    consumer: &dyn Consumer,
    most: usize,
    work: impl AsyncFn(Rc<T>, Vec<Message>) -> Result<()> + 'static,
) {
    let (weak, work) = (Rc::downgrade(owner), Rc::new(work));
    let work: Work = Box::new(move |messages| {
        let (owner, work) = (weak.upgrade(), work.clone());
        async move {
            match owner {
                Some(owner) => work(owner, messages).await,
                None => Ok(()),
            }
        }
        .boxed_local()
    });
    consumer.work(owner.clone(), most, work);
}
