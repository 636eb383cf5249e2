//! Pull requests of clients: which are accepted, and how they end. ADR-13

use std::{collections::VecDeque, fmt::Display, rc::Rc};

use bytes::Bytes;

use super::{
    ack_subject::ack_subject, delivery::Delivery, handle::Consumer, request::PullRequest,
    waiting::Request,
};
use crate::queue::{
    broker::CoreMessage, config::PriorityPolicy, error::Status, headers::Block, time::go_duration,
};

impl Consumer {
    /// Sends a status to a reply subject.
    pub(in crate::queue) fn send_status(&self, to: &str, status: &Status) {
        self.send_headers(to, status.block());
    }

    fn send_headers(&self, to: &str, headers: Bytes) {
        self.stream.broker.publish(&CoreMessage { headers, ..CoreMessage::new(to, "") });
    }

    /// The message that a client gets.
    pub(super) fn message(&self, delivery: &Delivery, pin: Option<&str>) -> CoreMessage {
        let mut headers = delivery.headers.clone();
        if let Some(pin) = pin {
            headers = Block(&headers).with("Nats-Pin-Id", pin).into();
        }
        CoreMessage {
            subject: delivery.subject.clone(),
            reply: Some(ack_subject(&self.stream, &self.inner, delivery)),
            headers,
            payload: delivery.payload.clone(),
        }
    }

    /// Refuses a pull request that can't be read.
    pub(in crate::queue) fn refuse_request(&self, cause: &str, reply: &str) {
        self.send_status(reply, &Status::bad_pull_request(cause));
    }

    /// Accepts a pull request, or refuses it.
    pub(in crate::queue) fn request(&self, asked: PullRequest, reply: Rc<str>) {
        let Self { stream, inner, .. } = self;
        let now = stream.clock.now();
        inner.active_at.set(now);
        if let Err(status) = self.admit(&asked, now) {
            // A client that misses heartbeats asks again later; refused, it would ask again at
            // once.
            if status != Status::EXCEEDED_MAX_WAITING || asked.idle_heartbeat().is_zero() {
                self.send_status(&reply, &status);
            }
            return;
        }
        let heartbeat = asked.idle_heartbeat().as_millis() as u64;
        let mut waiting = inner.waiting.borrow_mut();
        waiting.last_number += 1;
        let request = Request {
            number: waiting.last_number,
            reply,
            left: asked.batch,
            got: 0,
            bytes: u64::try_from(asked.max_bytes).ok().filter(|bytes| *bytes > 0),
            expires_at: asked.expires_at(now),
            heartbeat,
            heartbeat_at: if heartbeat == 0 { u64::MAX } else { now + heartbeat },
            asked,
        };
        waiting.requests.push_back(request);
        drop(waiting);
        inner.wake.notify();
        self.start_delivery();
    }

    /// Checks a request.
    fn admit(&self, asked: &PullRequest, now: u64) -> Result<(), Status> {
        let config = self.inner.config();
        if config.is_push() {
            return Err(Status::CONSUMER_IS_PUSH_BASED);
        }
        let heartbeat = asked.idle_heartbeat();
        if !heartbeat.is_zero() && heartbeat * 2 > asked.expires() {
            return Err(Status::bad_pull_request("heartbeat value too large"));
        }
        if config.max_request_batch > 0 && asked.batch > config.max_request_batch {
            return Err(Status::exceeded_max_request_batch(config.max_request_batch));
        }
        let longest = config.max_request_expires;
        if !longest.is_zero() && asked.expires() > longest {
            return Err(Status::exceeded_max_request_expires(go_duration(longest)));
        }
        if config.max_request_max_bytes > 0 && asked.max_bytes > config.max_request_max_bytes {
            return Err(Status::exceeded_max_request_max_bytes(config.max_request_max_bytes));
        }
        self.inner.admit_to_group(asked, now)?;
        self.forget_gone();
        if asked.no_wait {
            self.admit_no_wait(asked, now)?;
        }
        if self.inner.waiting.borrow().requests.len() as i64 >= config.max_waiting {
            return Err(Status::EXCEEDED_MAX_WAITING);
        }
        Ok(())
    }

    /// Refuses a request without wait when there is nothing, or only what others wait for already.
    fn admit_no_wait(&self, asked: &PullRequest, now: u64) -> Result<(), Status> {
        let waiting = self.inner.waiting.borrow();
        let wanted = waiting.requests.iter().map(|request| request.left);
        let wanted = u64::try_from(wanted.fold(0, i64::saturating_add)).unwrap_or(0);
        let there = {
            let state = self.inner.state.borrow();
            let new = state.num_pending();
            // It does not matter by how many these exceed what the others want.
            let most = usize::try_from(wanted.saturating_sub(new)).unwrap_or(usize::MAX).max(1);
            new + state.redelivery().due(now).take(most).count() as u64
        };
        if there == 0 && asked.expires_at(now) == u64::MAX {
            return Err(Status::NO_MESSAGES);
        }
        match there > 0 && there < wanted {
            true => Err(Status::REQUESTS_PENDING),
            false => Ok(()),
        }
    }

    /// Forgets the requests whose clients have left.
    pub(super) fn forget_gone(&self) {
        let broker = &self.stream.broker;
        let mut waiting = self.inner.waiting.borrow_mut();
        waiting.requests.retain(|request| broker.has_interest(&request.reply));
    }

    /// Ends a request with a status, and with how much it did not get.
    pub(super) fn end(&self, request: &Request, status: &Status) {
        let (left, bytes) = (request.left, request.bytes.unwrap_or(0));
        let left: [(&str, &dyn Display); 2] =
            [("Nats-Pending-Messages", &left), ("Nats-Pending-Bytes", &bytes)];
        self.send_headers(&request.reply, status.block_with(&left));
    }

    /// Ends requests that have expired, and sends the heartbeats that are due.
    pub(super) fn expire(&self) {
        let now = self.stream.clock.now();
        let (expired, beating) = {
            let mut waiting = self.inner.waiting.borrow_mut();
            let all = std::mem::take(&mut waiting.requests);
            let (expired, left): (VecDeque<_>, VecDeque<_>) =
                all.into_iter().partition(|request| request.expires_at <= now);
            waiting.requests = left;
            let mut beating = Vec::new();
            for request in &mut waiting.requests {
                if request.heartbeat_at <= now {
                    request.heartbeat_at = now + request.heartbeat;
                    beating.push(request.reply.clone());
                }
            }
            (expired, beating)
        };
        for request in expired {
            self.end(&request, &Status::REQUEST_TIMEOUT);
        }
        for reply in beating {
            self.send_heartbeat(&reply, None);
        }
    }

    /// Sends a heartbeat: the consumer sequence of the last delivery, and up to where the stream
    /// was looked at. `stalled` is the flow control request that is not answered.
    pub(super) fn send_heartbeat(&self, to: &str, stalled: Option<&str>) {
        let (consumer_sequence, stream_sequence) = {
            let state = self.inner.state.borrow();
            (state.consumer_sequence, state.cursor.saturating_sub(1))
        };
        let mut headers: Vec<(&str, &dyn Display)> = vec![
            ("Nats-Last-Consumer", &consumer_sequence),
            ("Nats-Last-Stream", &stream_sequence),
        ];
        if let Some(stalled) = &stalled {
            headers.push(("Nats-Consumer-Stalled", stalled));
        }
        self.send_headers(to, Status::IDLE_HEARTBEAT.block_with(&headers));
    }

    /// Ends requests without wait when there are no messages.
    pub(super) fn end_no_wait(&self) {
        // There are messages, for when others have been acknowledged.
        if self.inner.capacity() == 0 && self.inner.state.borrow().num_pending() > 0 {
            return;
        }
        let (ended, left): (VecDeque<_>, VecDeque<_>) = {
            let all = std::mem::take(&mut self.inner.waiting.borrow_mut().requests);
            all.into_iter().partition(Request::is_content)
        };
        self.inner.waiting.borrow_mut().requests = left;
        for request in ended {
            self.send_status(&request.reply, &Status::NO_MESSAGES);
        }
    }

    /// Ends the requests of clients that are not pinned any longer. ADR-42
    pub(super) fn end_unpinned(&self) {
        if self.inner.config.borrow().priority_policy != PriorityPolicy::PinnedClient {
            return;
        }
        let pin = self.inner.pin();
        let (ended, left): (VecDeque<_>, VecDeque<_>) = {
            let all = std::mem::take(&mut self.inner.waiting.borrow_mut().requests);
            let is_other = |id: &str| !id.is_empty() && pin.as_deref() != Some(id);
            all.into_iter().partition(|request| is_other(&request.asked.id))
        };
        self.inner.waiting.borrow_mut().requests = left;
        for request in ended {
            self.end(&request, &Status::WRONG_PIN_ID);
        }
    }

    /// Ends all requests.
    pub(super) fn end_requests(&self, status: &Status) {
        let all = std::mem::take(&mut self.inner.waiting.borrow_mut().requests);
        for request in all {
            self.send_status(&request.reply, status);
        }
    }
}
