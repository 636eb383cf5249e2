//! Pull requests of clients. They have no answer of their own: the consumer delivers to their reply
//! subject, or sends a status there.

use super::request::is_known_level;
use crate::queue::{
    broker::{CoreMessage, Subscription},
    consumer::PullRequest,
    error::Status,
    facade::Queue,
};

/// Takes pull requests for as long as there is a queue.
pub(super) fn serve(queue: &Queue) -> Subscription {
    let weak = queue.downgrade();
    queue.broker().subscribe_choosing("$JS.API.CONSUMER.MSG.NEXT.*.*", None, move |message| {
        weak.upgrade().is_some_and(|queue| receive(&queue, message))
    })
}

/// Whether it is a request to a consumer that there is.
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
