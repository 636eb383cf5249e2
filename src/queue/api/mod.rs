//! JetStream's API: requests on `$JS.API.>` are parsed, carried out by the queue, and answered.

mod account;
mod ack;
mod answer;
mod audit;
mod consumer;
mod direct;
mod message;
mod metadata;
mod page;
mod pull;
mod request;
mod snapshot;
mod stats;
mod stream;

use std::rc::Rc;

use self::{
    answer::{Answer, Kind},
    request::Request,
    stats::Stats,
};
use super::{
    broker::{CoreMessage, Subscription},
    facade::Queue,
};
use crate::platform;

/// The subjects of requests about the account, streams and consumers. Pull requests and direct gets
/// are apart: they have no responders where there is no such stream or consumer.
const REQUESTS: [&str; 12] = [
    "$JS.API.INFO",
    "$JS.API.STREAM.>",
    "$JS.API.CONSUMER.CREATE.>",
    "$JS.API.CONSUMER.DURABLE.CREATE.>",
    "$JS.API.CONSUMER.NAMES.*",
    "$JS.API.CONSUMER.LIST.*",
    "$JS.API.CONSUMER.INFO.*.*",
    "$JS.API.CONSUMER.DELETE.*.*",
    "$JS.API.CONSUMER.PAUSE.*.*",
    "$JS.API.CONSUMER.UNPIN.*.*",
    "$JS.API.CONSUMER.RESET.*.*",
    "$JS.API.CONSUMER.LEADER.STEPDOWN.*.*",
];

/// Answers requests to `queue` for as long as the subscriptions are kept.
pub(super) fn serve(queue: &Queue) -> Vec<Subscription> {
    let stats = Rc::<Stats>::default();
    let mut subscriptions = Vec::new();
    for filter in REQUESTS {
        let (weak, stats) = (queue.downgrade(), stats.clone());
        subscriptions.push(queue.broker().subscribe(filter, None, move |message| {
            if let Some(queue) = weak.upgrade() {
                receive(queue, stats.clone(), message);
            }
        }));
    }
    subscriptions.extend(direct::serve(queue));
    subscriptions.extend([pull::serve(queue), ack::serve(queue)]);
    subscriptions
}

fn receive(queue: Queue, stats: Rc<Stats>, message: &CoreMessage) {
    let request = Request::new(message);
    stats.in_flight.set(stats.in_flight.get() + 1);
    platform::spawn(async move {
        let answer = perform(&queue, &stats, &request).await;
        stats.in_flight.set(stats.in_flight.get() - 1);
        if let Some(answer) = answer {
            send(&queue, &stats, &request, &answer);
        }
    });
}

/// Carries out a request. As in nats-server, an unknown one is not answered.
async fn perform(queue: &Queue, stats: &Stats, request: &Request) -> Option<Answer> {
    let tokens = request.tokens();
    Some(match *tokens.as_slice() {
        ["INFO"] => Kind::ACCOUNT_INFO.answer(account::info(queue, stats, request).await),
        ["STREAM", ref rest @ ..] => stream::perform(queue, request, rest).await?,
        ["CONSUMER", ref rest @ ..] => consumer::perform(queue, request, rest).await?,
        _ => return None,
    })
}

fn send(queue: &Queue, stats: &Stats, request: &Request, answer: &Answer) {
    let json = answer.json();
    if answer.counts() {
        stats.total.set(stats.total.get() + 1);
        if answer.is_error() {
            stats.errors.set(stats.errors.get() + 1);
        }
    }
    if let Some(reply) = &request.message.reply {
        queue.broker().publish(&CoreMessage::new(reply, json.clone()));
    }
    if answer.counts() {
        audit::publish(queue, request, &json);
    }
}
