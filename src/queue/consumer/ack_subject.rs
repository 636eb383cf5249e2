//! The subject that a delivery is acknowledged to.

use std::rc::Rc;

use super::{delivery::Delivery, inner::Inner};
use crate::queue::stream::Stream;

/// The subject.
pub(super) fn ack_subject(stream: &Stream, consumer: &Inner, delivery: &Delivery) -> Rc<str> {
    let Delivery { num_delivered, stream_sequence, consumer_sequence, num_pending, time, .. } =
        delivery;
    let nanos = time * 1_000_000;
    format!(
        "$JS.ACK.{}.{}.{num_delivered}.{stream_sequence}.{consumer_sequence}.{nanos}.{num_pending}",
        stream.name, consumer.name
    )
    .into()
}

/// How many bytes the subject of the next delivery has.
pub(super) fn ack_subject_size(
    stream: &Stream,
    consumer: &Inner,
    sequence: u64,
    times: u64,
) -> u64 {
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or(0) + 1);
    let state = consumer.state.borrow();
    let left = state.num_pending().saturating_sub(u64::from(times == 1));
    let numbers = digits(times) + digits(sequence) + digits(state.consumer_sequence + 1);
    let names = (stream.name.len() + consumer.name.len()) as u64;
    // The time has 19 digits until 2286.
    "$JS.ACK.......".len() as u64 + names + numbers + 19 + digits(left)
}
