//! The subject that a delivery is acknowledged to.

use std::rc::Rc;

use super::{delivery::Taken, inner::Inner};
use crate::queue::stream::Stream;

/// A subject that a message can be acknowledged to.
pub(super) fn ack_subject(stream: &Stream, consumer: &Inner, taken: &Taken) -> Rc<str> {
    let Taken { num_delivered, stream_sequence, consumer_sequence, num_pending, time, .. } = taken;
    let nanos = time * 1_000_000;
    format!(
        "$JS.ACK.{}.{}.{num_delivered}.{stream_sequence}.{consumer_sequence}.{nanos}.{num_pending}",
        stream.name, consumer.name
    )
    .into()
}

/// How many bytes such a subject has, of a message that is the next to be delivered.
pub(super) fn ack_subject_size(
    stream: &Stream,
    consumer: &Inner,
    sequence: u64,
    times: u64,
) -> u64 {
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or(0) + 1);
    let deliveries = consumer.deliveries.borrow();
    let left = deliveries.num_pending().saturating_sub(u64::from(times == 1));
    let numbers = digits(times) + digits(sequence) + digits(deliveries.consumer_sequence + 1);
    let names = (stream.name.len() + consumer.name.len()) as u64;
    // The time has 19 digits until 2286.
    "$JS.ACK.......".len() as u64 + names + numbers + 19 + digits(left)
}
