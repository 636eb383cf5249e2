//! What is told to whoever wants to know what happens to streams and consumers.

use serde::Serialize;

use super::Request;
use crate::{
    platform,
    queue::{Broker, CoreMessage, Queue, protocol::NAME, time::Timestamp},
};

const AUDIT: &str = "$JS.EVENT.ADVISORY.API";

/// What was done to a stream or consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::queue) enum Action {
    Create,
    Modify,
    Delete,
}

/// What all of them begin with.
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
struct Audit<'a> {
    server: &'a str,
    client: Client<'a>,
    subject: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request: &'a str,
    response: &'a str,
}

/// Everybody is in the one account.
#[derive(Serialize)]
struct Client<'a> {
    acc: &'a str,
    server: &'a str,
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

/// Tells of `about` on `subject`, if somebody listens. `kind` is its type, without what all types
/// have in common.
pub(in crate::queue) fn publish(
    broker: &Broker,
    now: u64,
    subject: &str,
    kind: &str,
    about: impl Serialize,
) {
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
        Err(cause) => tracing::error!("an advisory can't be told: {cause}"),
    }
}

/// Tells what was answered to a request.
pub(super) fn audit(queue: &Queue, request: &Request, response: &str) {
    let about = Audit {
        server: NAME,
        client: Client { acc: "$G", server: NAME },
        subject: &request.message.subject,
        request: &String::from_utf8_lossy(&request.message.payload),
        response,
    };
    publish(queue.broker(), queue.now(), AUDIT, "advisory.v1.api_audit", about);
}

/// Tells what was done to a stream.
pub(in crate::queue) fn stream(queue: &Queue, stream: &str, action: Action) {
    tracing::debug!(?action, "stream {stream}");
    let verb = match action {
        Action::Create => "CREATED",
        Action::Modify => "UPDATED",
        Action::Delete => "DELETED",
    };
    let subject = format!("$JS.EVENT.ADVISORY.STREAM.{verb}.{stream}");
    let about = StreamAction { stream, action };
    publish(queue.broker(), queue.now(), &subject, "advisory.v1.stream_action", about);
}

/// Tells that a consumer was made or deleted.
pub(in crate::queue) fn consumer(
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
