//! Acknowledgements of clients: messages to the subject that came with each delivery.

use crate::queue::{
    broker::{CoreMessage, Subscription},
    consumer::AckSubject,
    facade::Queue,
};

/// Receives acknowledgements while the queue is there.
pub(super) fn serve(queue: &Queue) -> Subscription {
    let weak = queue.downgrade();
    queue.broker().subscribe_choosing("$JS.ACK.>", None, move |message| {
        weak.upgrade().is_some_and(|queue| receive(&queue, message))
    })
}

/// Returns false unless it is an acknowledgement to a consumer that takes them.
fn receive(queue: &Queue, message: &CoreMessage) -> bool {
    let Some(place) = AckSubject::read(&message.subject) else { return false };
    let Ok(consumer) = queue.free_consumer(place.stream, place.consumer) else { return false };
    consumer.receive_ack(&place, message)
}
