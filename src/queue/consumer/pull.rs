//! Pull requests of clients: which wait, and how each is answered. ADR-13

use std::{collections::VecDeque, rc::Rc};

use bytes::Bytes;

use super::{
    ack_subject::ack_subject, delivery::Taken, handle::Consumer, request::PullRequest,
    waiting::Request,
};
use crate::queue::{
    broker::CoreMessage, config::PriorityPolicy, headers::Block, time::go_duration,
};

const TOO_MANY: &str = "409 Exceeded MaxWaiting";

impl Consumer {
    /// Sends a status to who asked.
    pub(in crate::queue) fn tell(&self, to: &str, status: &str) -> usize {
        let headers = Bytes::from(format!("NATS/1.0 {status}\r\n\r\n"));
        let message = CoreMessage { headers, ..CoreMessage::new(to, "") };
        self.stream.broker.publish(&message)
    }

    /// The message for a client.
    pub(super) fn message(&self, taken: &Taken, pin: Option<&str>) -> CoreMessage {
        let mut headers = taken.headers.clone();
        if let Some(pin) = pin {
            headers = Block(&headers).with("Nats-Pin-Id", pin).into();
        }
        CoreMessage {
            subject: taken.subject.clone(),
            reply: Some(ack_subject(&self.stream, &self.inner, taken)),
            headers,
            payload: taken.payload.clone(),
        }
    }

    /// Refuses what is no pull request.
    pub(in crate::queue) fn refuse_request(&self, cause: &str, reply: &str) {
        self.tell(reply, &format!("400 Bad Request - {cause}"));
    }

    /// Takes on a pull request, or refuses it.
    pub(in crate::queue) fn request(&self, asked: PullRequest, reply: Rc<str>) {
        let Self { stream, inner, .. } = self;
        let now = stream.clock.now();
        inner.active_at.set(now);
        if let Err(status) = self.admit(&asked, now) {
            // Who misses heartbeats asks again in its own time, and not at once.
            if status != TOO_MANY || asked.idle_heartbeat().is_zero() {
                self.tell(&reply, &status);
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
            beat_at: if heartbeat == 0 { u64::MAX } else { now + heartbeat },
            asked,
        };
        waiting.requests.push_back(request);
        drop(waiting);
        inner.wake.wake();
        self.pump_if_needed();
    }

    /// Why a request is refused, if it is.
    fn admit(&self, asked: &PullRequest, now: u64) -> Result<(), String> {
        let config = self.inner.config();
        if config.is_push() {
            return Err("409 Consumer is push based".to_owned());
        }
        let heartbeat = asked.idle_heartbeat();
        if !heartbeat.is_zero() && heartbeat * 2 > asked.expires() {
            return Err("400 Bad Request - heartbeat value too large".to_owned());
        }
        if config.max_request_batch > 0 && asked.batch > config.max_request_batch {
            return Err(format!("409 Exceeded MaxRequestBatch of {}", config.max_request_batch));
        }
        let longest = config.max_request_expires;
        if !longest.is_zero() && asked.expires() > longest {
            let longest = go_duration(longest);
            return Err(format!("409 Exceeded MaxRequestExpires of {longest}"));
        }
        if config.max_request_max_bytes > 0 && asked.max_bytes > config.max_request_max_bytes {
            let most = config.max_request_max_bytes;
            return Err(format!("409 Exceeded MaxRequestMaxBytes of {most}"));
        }
        self.inner.admit_to_group(asked, now)?;
        self.forget_gone();
        if asked.no_wait {
            self.admit_no_wait(asked, now)?;
        }
        if self.inner.waiting.borrow().requests.len() as i64 >= config.max_waiting {
            return Err(TOO_MANY.to_owned());
        }
        Ok(())
    }

    /// Who does not wait is refused when nothing is there, or only what others wait for already.
    fn admit_no_wait(&self, asked: &PullRequest, now: u64) -> Result<(), String> {
        let waiting = self.inner.waiting.borrow();
        let wanted = waiting.requests.iter().map(|request| request.left);
        let wanted = u64::try_from(wanted.fold(0, i64::saturating_add)).unwrap_or(0);
        let there = {
            let deliveries = self.inner.deliveries.borrow();
            let new = deliveries.num_pending();
            // It does not matter by how many these exceed what the others want.
            let most = usize::try_from(wanted.saturating_sub(new)).unwrap_or(usize::MAX).max(1);
            new + deliveries.redelivery().due(now).take(most).count() as u64
        };
        if there == 0 && asked.expires_at(now) == u64::MAX {
            return Err("404 No Messages".to_owned());
        }
        match there > 0 && there < wanted {
            true => Err("408 Requests Pending".to_owned()),
            false => Ok(()),
        }
    }

    /// Forgets the requests whose clients have left.
    pub(super) fn forget_gone(&self) {
        let broker = &self.stream.broker;
        let mut waiting = self.inner.waiting.borrow_mut();
        waiting.requests.retain(|request| broker.has_interest(&request.reply));
    }

    /// Tells a request that it ends, with what it did not get.
    pub(super) fn end(&self, request: &Request, status: &str) {
        let (left, bytes) = (request.left, request.bytes.unwrap_or(0));
        let status =
            format!("{status}\r\nNats-Pending-Messages: {left}\r\nNats-Pending-Bytes: {bytes}");
        self.tell(&request.reply, &status);
    }

    /// Ends what has waited too long, and lets the others know that they are not forgotten.
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
                if request.beat_at <= now {
                    request.beat_at = now + request.heartbeat;
                    beating.push(request.reply.clone());
                }
            }
            (expired, beating)
        };
        for request in expired {
            self.end(&request, "408 Request Timeout");
        }
        for reply in beating {
            self.tell(&reply, &self.heartbeat());
        }
    }

    /// The status that tells where the consumer is: what it delivered last, and where it looked last.
    pub(super) fn heartbeat(&self) -> String {
        let deliveries = self.inner.deliveries.borrow();
        format!(
            "100 Idle Heartbeat\r\nNats-Last-Consumer: {}\r\nNats-Last-Stream: {}",
            deliveries.consumer_sequence,
            deliveries.cursor.saturating_sub(1)
        )
    }

    /// Ends those who don't wait for what is not there. What may not be delivered is there.
    pub(super) fn end_no_wait(&self) {
        // There is something, for when others have been acknowledged.
        if self.inner.capacity() == 0 && self.inner.deliveries.borrow().num_pending() > 0 {
            return;
        }
        let (ended, left): (VecDeque<_>, VecDeque<_>) = {
            let all = std::mem::take(&mut self.inner.waiting.borrow_mut().requests);
            all.into_iter().partition(Request::is_content)
        };
        self.inner.waiting.borrow_mut().requests = left;
        for request in ended {
            self.tell(&request.reply, "404 No Messages");
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
            self.end(&request, "423 Nats-Wrong-Pin-Id");
        }
    }

    /// Ends all requests.
    pub(super) fn end_requests(&self, status: &str) {
        let all = std::mem::take(&mut self.inner.waiting.borrow_mut().requests);
        for request in all {
            self.tell(&request.reply, status);
        }
    }
}
