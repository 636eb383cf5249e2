//! JetStream for clients: what is requested on `$JS.API.>` is parsed, done by streams and consumers,
//! and answered. Nothing here decides anything that these do not.

mod account;
mod ack;
mod answer;
mod audit;
mod consumer;
mod direct;
mod ingest;
mod message;
mod pull;
mod request;
mod snapshot;
mod stream;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use self::{
    answer::{Answer, Kind},
    ingest::Ingest,
    request::Request,
};
use super::{CoreMessage, Queue, Subscription, stream::Stream};
use crate::platform;

/// What requests about the account, streams and consumers are published to. Pulls and direct gets
/// are not among them: where these find nothing, nobody responds.
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

/// The API of one queue.
#[derive(Default)]
pub(super) struct Api {
    /// How many requests were answered, how many of them with an error, and how many are not yet.
    total: Cell<u64>,
    errors: Cell<u64>,
    under_way: Cell<u64>,
    pub(super) ingest: Ingest,
    subscriptions: RefCell<Vec<Subscription>>,
}

/// Answers requests to `queue` for as long as there is one.
pub(super) fn serve(queue: &Queue) {
    let mut subscriptions = Vec::new();
    for filter in REQUESTS {
        let inner = Rc::downgrade(&queue.inner);
        subscriptions.push(queue.broker().subscribe(filter, None, move |message| {
            if let Some(inner) = inner.upgrade() {
                receive(Queue { inner }, message);
            }
        }));
    }
    subscriptions.extend(direct::serve(queue));
    subscriptions.extend([pull::serve(queue), ack::serve(queue)]);
    *queue.inner.api.subscriptions.borrow_mut() = subscriptions;
}

fn receive(queue: Queue, message: &CoreMessage) {
    let request = Request::new(message);
    let api = &queue.inner.api;
    api.under_way.set(api.under_way.get() + 1);
    platform::spawn(async move {
        let answer = perform(&queue, &request).await;
        let api = &queue.inner.api;
        api.under_way.set(api.under_way.get() - 1);
        if let Some(answer) = answer {
            send(&queue, &request, &answer);
        }
    });
}

/// Does what is requested. What nats-server does not know is not answered, as there.
async fn perform(queue: &Queue, request: &Request) -> Option<Answer> {
    let tokens = request.tokens();
    Some(match *tokens.as_slice() {
        ["INFO"] => Kind::ACCOUNT_INFO.answer(account::info(queue, request).await),
        ["STREAM", ref rest @ ..] => stream::perform(queue, request, rest).await?,
        ["CONSUMER", ref rest @ ..] => consumer::perform(queue, request, rest).await?,
        _ => return None,
    })
}

fn send(queue: &Queue, request: &Request, answer: &Answer) {
    let json = answer.json();
    if answer.counts() {
        let api = &queue.inner.api;
        api.total.set(api.total.get() + 1);
        if answer.is_error() {
            api.errors.set(api.errors.get() + 1);
        }
    }
    if let Some(reply) = &request.message.reply {
        queue.broker().publish(&CoreMessage::new(reply, json.clone()));
    }
    if answer.counts() {
        audit::publish(queue, request, &json);
    }
}

impl Queue {
    /// Takes in what is published to the subjects that a stream has now, unless it is the program's
    /// own.
    pub(super) fn listen(&self, stream: &Rc<Stream>) {
        match stream.is_reserved() {
            true => self.inner.api.ingest.leave(stream.name()),
            false => self.inner.api.ingest.listen(self, stream),
        }
    }

    /// What time it is.
    fn now(&self) -> u64 {
        self.inner.clock.now()
    }
}
