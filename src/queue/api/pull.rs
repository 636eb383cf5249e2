//! Pull requests of clients. The consumer delivers messages to their reply subject, or sends a
//! status there.

use super::request::is_known_level;
use crate::queue::{
    broker::{CoreMessage, Subscription},
    consumer::PullRequest,
    error::Status,
    facade::Queue,
};

/// Receives pull requests while the queue is there.
pub(super) fn serve(queue: &Queue) -> Subscription {
    let weak = queue.downgrade();
    queue.broker().subscribe_choosing("$JS.API.CONSUMER.MSG.NEXT.*.*", None, move |message| {
        weak.upgrade().is_some_and(|queue| receive(&queue, message))
    })
}

/// Returns false when there is no such consumer.
fn receive(queue: &Queue, message: &CoreMessage) -> bool {
    let mut names = message.subject.rsplit('.');
    let (Some(name), Some(stream)) = (names.next(), names.next()) else { return false };
    let Ok(consumer) = queue.free_consumer(stream, name) else { return false };
    let Some(reply) = message.reply.clone() else { return true };
    if !is_known_level(&message.headers) {
        consumer.send_status(&reply, &Status::REQUIRED_API_LEVEL);
        return true;
    }
    match PullRequest::read(&message.payload) {
        Ok(request) => consumer.request(request, reply),
        Err(cause) => consumer.refuse_request(&cause, &reply),
    }
    true
}
