//! Serving pull requests: each message goes to the next request that waits, as in nats-server.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    delivery::Delivery,
    handle::Consumer,
    next::{Deliveries, Wanted},
    waiting::Request,
};
use crate::queue::{
    config::PriorityPolicy,
    error::{Result, Status},
};

/// At most how many messages are delivered at once.
const CHUNK: usize = 256;

impl Consumer {
    /// Serves the requests that wait, as far as there are messages; returns when to look again.
    pub(super) async fn serve_requests(&self) -> Result<u64> {
        let mut again = u64::MAX;
        loop {
            self.expire();
            self.forget_gone();
            self.end_unpinned();
            let Some((number, wanted)) = self.wanted() else {
                self.end_no_wait();
                break;
            };
            let replay_at = self.replay_at().await?;
            if replay_at > self.stream.clock.now() {
                again = replay_at;
                break;
            }
            let deliveries = self.next_messages(wanted).await?;
            if deliveries.messages.is_empty() && !deliveries.exceeds_bytes {
                self.end_no_wait();
                break;
            }
            self.note_replayed(&deliveries.messages);
            for reply in self.deliver_all(deliveries, number) {
                self.stream.broker.keep_pace(&reply).await;
            }
        }
        let waiting = self.inner.waiting.borrow();
        let times =
            waiting.requests.iter().map(|request| request.expires_at.min(request.heartbeat_at));
        Ok(times.min().unwrap_or(u64::MAX).min(again))
    }

    /// The number of the next request, and how much can be delivered to it and those after it at
    /// once.
    fn wanted(&self) -> Option<(u64, Wanted)> {
        if !self.inner.choose_next(&self.stream) {
            return None;
        }
        let waiting = self.inner.waiting.borrow();
        let next = waiting.requests.front()?;
        let all = || waiting.requests.iter();
        // Whether it is known which request gets the message after the next one.
        let is_settled = match self.inner.config.borrow().priority_policy {
            // That depends on how many messages are left by then.
            PriorityPolicy::Overflow => all().all(|request| !request.asked.overflows()),
            // That depends on which client is pinned by then.
            PriorityPolicy::PinnedClient => waiting.requests.len() == 1,
            PriorityPolicy::None | PriorityPolicy::Prioritized => true,
        };
        // That depends on how large it is.
        let is_settled = is_settled
            && (waiting.requests.len() == 1 || all().all(|request| request.bytes.is_none()));
        let most = match is_settled && !self.delivers_one_by_one() {
            true => self.at_once(CHUNK),
            false => 1,
        };
        let messages = all().map(|request| usize::try_from(request.left).unwrap_or(0).max(1));
        let messages = messages.fold(0, usize::saturating_add).min(most);
        Some((next.number, Wanted { messages, bytes: next.bytes.unwrap_or(u64::MAX) }))
    }

    /// Delivers each message to the next request; returns the subjects that they went to. `number`
    /// is the request whose limit of bytes was applied.
    fn deliver_all(&self, deliveries: Deliveries, number: u64) -> BTreeSet<Rc<str>> {
        let Deliveries { messages, exceeds_bytes, .. } = deliveries;
        let mut served = BTreeSet::new();
        for delivery in &messages {
            match self.next_request(number) {
                Some(request) => _ = served.insert(self.deliver_to(request, delivery)),
                // The clients that waited have left: it is redelivered to others.
                None => _ = self.nak(delivery.stream_sequence, None),
            }
        }
        let found = {
            let requests = &mut self.inner.waiting.borrow_mut().requests;
            let place = requests.iter().position(|request| request.number == number);
            place.filter(|_| exceeds_bytes).and_then(|place| requests.remove(place))
        };
        if let Some(request) = found {
            self.end(&request, &Status::MESSAGE_SIZE_EXCEEDS_MAX_BYTES);
        }
        served
    }

    /// The next request: `number`, which was chosen, as long as it is there.
    fn next_request(&self, number: u64) -> Option<Request> {
        let front = self.inner.waiting.borrow().requests.front().map(|request| request.number);
        let is_one = front == Some(number) || self.inner.choose_next(&self.stream);
        is_one.then(|| self.inner.waiting.borrow_mut().requests.pop_front()).flatten()
    }

    /// Delivers a message to a request, which goes on waiting if it wants more; returns the subject
    /// that it went to.
    fn deliver_to(&self, mut request: Request, delivery: &Delivery) -> Rc<str> {
        let stream = &self.stream;
        let pin = self.inner.pin_to(stream, &mut request.asked);
        let message = self.message(delivery, pin.as_deref());
        let size = delivery.size + message.reply.as_ref().map_or(0, |reply| reply.len() as u64);
        let reply = request.reply.clone();
        if stream.broker.publish_to(&reply, &message) == 0 {
            // The client has left.
            self.nak(delivery.stream_sequence, None);
            return reply;
        }
        self.inner.active_at.set(stream.clock.now());
        request.left = request.left.saturating_sub(1);
        request.got += 1;
        request.bytes = request.bytes.map(|bytes| bytes.saturating_sub(size));
        match request.bytes {
            Some(0) => {}
            Some(_) if request.left <= 0 => self.end(&request, &Status::BATCH_COMPLETED),
            None if request.left <= 0 => {}
            _ => {
                if request.heartbeat > 0 {
                    request.heartbeat_at = stream.clock.now() + request.heartbeat;
                }
                self.inner.waiting.borrow_mut().requests.push_back(request);
            }
        }
        reply
    }
}
