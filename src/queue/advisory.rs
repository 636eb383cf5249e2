//! Advisories: what happens to streams and consumers, published on `$JS.EVENT.>`.

use serde::Serialize;

use super::{
    broker::{Broker, CoreMessage},
    time::Timestamp,
};
use crate::platform;

/// What was done to a stream or consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Create,
    Modify,
    Delete,
}

/// The fields that all advisories begin with.
#[derive(Serialize)]
struct Event<T> {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    timestamp: Timestamp,
    #[serde(flatten)]
    about: T,
}

#[derive(Serialize)]
struct StreamAction<'a> {
    stream: &'a str,
    action: Action,
}

#[derive(Serialize)]
struct ConsumerAction<'a> {
    stream: &'a str,
    consumer: &'a str,
    action: Action,
}

/// Publishes an advisory on `subject` if somebody listens there. `kind` is its type, without the
/// prefix that all types have.
pub(super) fn publish(broker: &Broker, now: u64, subject: &str, kind: &str, about: impl Serialize) {
    if !broker.has_interest(subject) {
        return;
    }
    let event = Event {
        kind: format!("io.nats.jetstream.{kind}"),
        id: platform::random_string(22),
        timestamp: Timestamp::from_millis(now),
        about,
    };
    match serde_json::to_vec(&event) {
        Ok(json) => {
            broker.publish(&CoreMessage::new(subject, json));
        }
        Err(cause) => tracing::error!("an advisory can't be written: {cause}"),
    }
}

/// A stream was created, changed or deleted.
pub(super) fn stream(broker: &Broker, now: u64, stream: &str, action: Action) {
    tracing::debug!(?action, "stream {stream}");
    let verb = match action {
        Action::Create => "CREATED",
        Action::Modify => "UPDATED",
        Action::Delete => "DELETED",
    };
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.{verb}.{stream}");
    let about = StreamAction { stream, action };
    publish(broker, now, &subject, "advisory.v1.stream_action", about);
}

/// A consumer was created or deleted.
pub(super) fn consumer(
    broker: &Broker,
    now: u64,
    (stream, consumer): (&str, &str),
    action: Action,
) {
    tracing::debug!(?action, "consumer {consumer} of stream {stream}");
    let verb = if action == Action::Delete { "DELETED" } else { "CREATED" };
    let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.{verb}.{stream}.{consumer}");
    let about = ConsumerAction { stream, consumer, action };
    publish(broker, now, &subject, "advisory.v1.consumer_action", about);
}
