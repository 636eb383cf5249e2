//! Advisories and metrics about consumers. `$JS.EVENT.>`

use serde::Serialize;

use super::{inner::Inner, pause::Pause};
use crate::queue::{
    advisory::{self, publish},
    stream::Stream,
    time::{Timestamp, or_zero},
};

/// A message of a consumer.
#[derive(Serialize)]
struct Delivery<'a> {
    stream: &'a str,
    consumer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer_seq: Option<u64>,
    stream_seq: u64,
    deliveries: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    /// In nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_time: Option<u64>,
}

#[derive(Serialize)]
struct Paused<'a> {
    stream: &'a str,
    consumer: &'a str,
    paused: bool,
    #[serde(serialize_with = "or_zero")]
    pause_until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Pinned<'a> {
    account: &'a str,
    stream: &'a str,
    consumer: &'a str,
    group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pinned_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
}

fn publish_for(stream: &Stream, consumer: &Inner, what: &str, kind: &str, about: impl Serialize) {
    let subject = format!("$JS.EVENT.{what}.{}.{}", stream.name, consumer.name);
    publish(&stream.broker, stream.clock.now(), &subject, kind, about);
}

fn delivery<'a>(
    stream: &'a Stream,
    consumer: &'a Inner,
    stream_seq: u64,
    deliveries: u64,
) -> Delivery<'a> {
    Delivery {
        stream: &stream.name,
        consumer: &consumer.name,
        consumer_seq: None,
        stream_seq,
        deliveries,
        reason: "",
        ack_time: None,
    }
}

/// A message was delivered `max_deliver` times.
pub(super) fn max_deliveries(stream: &Stream, consumer: &Inner, sequence: u64, deliveries: u64) {
    let about = delivery(stream, consumer, sequence, deliveries);
    publish_for(
        stream,
        consumer,
        "ADVISORY.CONSUMER.MAX_DELIVERIES",
        "advisory.v1.max_deliver",
        about,
    );
}

/// A message is to be redelivered.
pub(super) fn naked(stream: &Stream, consumer: &Inner, sequence: u64, (of, times): (u64, u64)) {
    let about = Delivery { consumer_seq: Some(of), ..delivery(stream, consumer, sequence, times) };
    publish_for(stream, consumer, "ADVISORY.CONSUMER.MSG_NAKED", "advisory.v1.nak", about);
}

/// A message was terminated.
pub(super) fn terminated(
    stream: &Stream,
    consumer: &Inner,
    sequence: u64,
    (of, times): (u64, u64),
    reason: &str,
) {
    let about =
        Delivery { consumer_seq: Some(of), reason, ..delivery(stream, consumer, sequence, times) };
    publish_for(
        stream,
        consumer,
        "ADVISORY.CONSUMER.MSG_TERMINATED",
        "advisory.v1.terminated",
        about,
    );
}

/// A message was acknowledged, so many milliseconds after it was delivered.
pub(super) fn acknowledged(
    stream: &Stream,
    consumer: &Inner,
    sequence: u64,
    (of, times): (u64, u64),
    milliseconds: u64,
) {
    let about = Delivery {
        consumer_seq: Some(of),
        ack_time: Some(milliseconds * 1_000_000),
        ..delivery(stream, consumer, sequence, times)
    };
    publish_for(stream, consumer, "METRIC.CONSUMER.ACK", "metric.v1.consumer_ack", about);
}

/// A consumer is paused or resumed.
pub(super) fn pause(stream: &Stream, consumer: &Inner, pause: Pause) {
    let about = Paused {
        stream: &stream.name,
        consumer: &consumer.name,
        paused: pause.paused,
        pause_until: pause.pause_until,
    };
    publish_for(stream, consumer, "ADVISORY.CONSUMER.PAUSE", "advisory.v1.consumer_pause", about);
}

/// A client is pinned.
pub(super) fn pinned(stream: &Stream, consumer: &Inner, group: &str, pinned_id: &str) {
    let about = Pinned {
        account: "$G",
        stream: &stream.name,
        consumer: &consumer.name,
        group,
        pinned_id,
        reason: "",
    };
    publish_for(
        stream,
        consumer,
        "ADVISORY.CONSUMER.PINNED",
        "advisory.v1.consumer_group_pinned",
        about,
    );
}

/// A client is unpinned.
pub(super) fn unpinned(stream: &Stream, consumer: &Inner, group: &str, reason: &str) {
    let about = Pinned {
        account: "$G",
        stream: &stream.name,
        consumer: &consumer.name,
        group,
        pinned_id: "",
        reason,
    };
    let kind = "advisory.v1.consumer_group_unpinned";
    publish_for(stream, consumer, "ADVISORY.CONSUMER.UNPINNED", kind, about);
}

/// An unused consumer was deleted.
pub(super) fn deleted(stream: &Stream, consumer: &Inner) {
    let (now, place) = (stream.clock.now(), (&*stream.name, &*consumer.name));
    advisory::consumer(&stream.broker, now, place, advisory::Action::Delete);
}
