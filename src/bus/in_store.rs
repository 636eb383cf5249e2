//! The queue as the bus: publishes and acknowledgements are rows of the batch that they come with.

use std::{any::Any, rc::Rc, time::Duration};

use futures::{FutureExt, future::LocalBoxFuture};

use super::{Bus, Consumer, Message, Status, Stream, Work};
use crate::{
    Result,
    queue::{self, ConsumerConfig, Headers, Queue, Retention, StreamConfig},
    store::Batch,
};

impl Bus for Queue {
    fn ensure_stream<'a>(&'a self, stream: &'a Stream) -> LocalBoxFuture<'a, Result<()>> {
        let config = StreamConfig {
            name: stream.name.to_owned(),
            subjects: stream.subjects.iter().copied().map(str::to_owned).collect(),
            retention: Retention::Interest,
            ..StreamConfig::default()
        };
        async move { Ok(self.reserve_stream(config).await?) }.boxed_local()
    }

    fn ensure_consumer<'a>(
        &'a self,
        stream: &'a str,
        name: &'a str,
        max_deliver: u32,
    ) -> LocalBoxFuture<'a, Result<Rc<dyn Consumer>>> {
        let config = ConsumerConfig {
            durable_name: name.to_owned(),
            max_deliver: max_deliver.into(),
            ..ConsumerConfig::default()
        };
        async move {
            let consumer: Rc<dyn Consumer> = Rc::new(self.reserve_consumer(stream, config).await?);
            Ok(consumer)
        }
        .boxed_local()
    }

    fn finish_consumers(&self, stream: &str) -> Result<()> {
        Ok(self.finish_reserving(stream)?)
    }

    fn publish(&self, batch: &mut Batch, subject: Rc<str>, payload: Vec<u8>) {
        self.publish_with(batch, subject, Headers::new(), payload);
    }

    fn status(&self) -> LocalBoxFuture<'_, Result<Status>> {
        async {
            let streams = self.status().await?;
            let streams = streams.into_iter().map(Into::into).collect();
            Ok(Status { streams, offline: self.offline_status() })
        }
        .boxed_local()
    }
}

impl Consumer for queue::Consumer {
    fn work(&self, owner: Rc<dyn Any>, most: usize, work: Work) {
        queue::work(&owner, self.clone(), most, async move |_, messages| {
            work(messages.into_iter().map(Message::from).collect()).await
        });
    }

    fn acknowledge(&self, batch: &mut Batch, messages: &[Message]) {
        self.ack_all(batch, messages.iter().map(|message| message.sequence));
    }

    fn put_off(&self, message: &Message) {
        self.put_off(message.sequence, message.num_delivered);
    }

    fn catch_up(&self, patience: Duration) -> LocalBoxFuture<'_, bool> {
        self.catch_up(patience).boxed_local()
    }
}

impl From<queue::Message> for Message {
    fn from(message: queue::Message) -> Self {
        let queue::Message { stream_sequence, num_delivered, payload, .. } = message;
        Self { sequence: stream_sequence, num_delivered, payload }
    }
}
