//! Pushing: messages go to a subject while there is a subscription to it, as fast as flow control,
//! rate limit and replay policy allow.

use std::rc::Rc;

use super::{delivery::Delivery, flow::FlowControlRequest, handle::Consumer, next::Wanted};
use crate::{
    platform,
    queue::{
        broker::CoreMessage,
        config::{AckPolicy, ReplayPolicy},
        error::{Result, Status},
        headers::Block,
    },
};

/// How many messages are delivered at once.
const CHUNK: usize = 64;
/// How many bytes are sent without an answer to flow control.
const WINDOW: u64 = 2 << 20;
/// The stream sequence of the last message that a client got.
const LAST_STREAM: &str = "Nats-Last-Stream";

impl Consumer {
    /// Whether messages are delivered one by one.
    pub(super) fn delivers_one_by_one(&self) -> bool {
        let config = self.inner.config.borrow();
        config.rate_limit_bps > 0
            || (config.replay_policy == ReplayPolicy::Original
                && !self.inner.flow.borrow().caught_up)
    }

    /// When to deliver the next message, so that it comes as long after the one before as it was
    /// stored after it.
    pub(super) async fn replay_at(&self) -> Result<u64> {
        if self.inner.config.borrow().replay_policy == ReplayPolicy::Instant {
            return Ok(0);
        }
        let Some((stored, delivered)) = self.inner.flow.borrow().replayed else { return Ok(0) };
        if self.inner.flow.borrow().caught_up {
            return Ok(0);
        }
        let cursor = self.inner.state.borrow().cursor;
        let visible = self.stream.counts.borrow().visible();
        match self.next_message(cursor, visible).await? {
            Some((_, next)) => Ok(delivered + next.saturating_sub(stored)),
            None => {
                self.inner.flow.borrow_mut().caught_up = true;
                Ok(0)
            }
        }
    }

    pub(super) fn note_replayed(&self, messages: &[Delivery]) {
        if let Some(last) = messages.last() {
            let now = self.stream.clock.now();
            self.inner.flow.borrow_mut().replayed = Some((last.time, now));
        }
    }

    /// Pushes what there is; returns when to look again.
    pub(super) async fn push(&self) -> Result<u64> {
        let config = self.inner.config();
        let (Some(to), clock) = (&config.deliver_subject, &self.stream.clock) else {
            return Ok(u64::MAX);
        };
        let mut again = u64::MAX;
        while self.inner.is_bound(&self.stream) {
            let now = clock.now();
            let ready_at =
                self.replay_at().await?.max(self.inner.flow.borrow().ready_at.div_ceil(1000));
            if ready_at > now {
                again = ready_at;
                break;
            }
            if config.flow_control && self.inner.flow.borrow().sent >= WINDOW {
                break;
            }
            let most = if self.delivers_one_by_one() { 1 } else { self.at_once(CHUNK) };
            let deliveries = self.next_messages(Wanted::messages(most)).await?;
            if deliveries.messages.is_empty() {
                break;
            }
            self.note_replayed(&deliveries.messages);
            let mut sent = 0;
            for delivery in &deliveries.messages {
                let message = self.message(delivery, None);
                sent +=
                    (message.payload.len() + message.headers.len() + delivery.subject.len()) as u64;
                if self.stream.broker.publish_to(to, &message) == 0 {
                    self.nak(delivery.stream_sequence, None);
                }
            }
            let now = clock.now();
            {
                let mut flow = self.inner.flow.borrow_mut();
                flow.heartbeat_at = now + config.idle_heartbeat.as_millis() as u64;
                if let Some(wait) = (sent * 8 * 1_000_000).checked_div(config.rate_limit_bps) {
                    flow.ready_at = flow.ready_at.max(now * 1000) + wait;
                }
                flow.sent += sent;
            }
            self.request_flow_control_if_due(to);
            self.stream.broker.keep_pace(to).await;
        }
        // More may have been sent since the request that was answered.
        self.request_flow_control_if_due(to);
        Ok(again.min(self.heartbeat_if_due(to)))
    }

    fn request_flow_control_if_due(&self, to: &str) {
        let config = self.inner.config();
        let due = {
            let flow = self.inner.flow.borrow();
            // Where the answer acknowledges, it is requested at once.
            let enough = flow.sent * 2 >= WINDOW
                || (config.ack_policy == AckPolicy::FlowControl && flow.sent > 0);
            config.flow_control && flow.asked.is_none() && enough
        };
        if due && self.inner.is_bound(&self.stream) {
            self.request_flow_control(to);
        }
    }

    /// Requests an answer again where it acknowledges, and the last one left something pending.
    fn request_acks(&self, to: &str) {
        let inner = &self.inner;
        if inner.config.borrow().ack_policy == AckPolicy::FlowControl
            && inner.flow.borrow().asked.is_none()
            && !inner.state.borrow().pending.is_empty()
        {
            self.request_flow_control(to);
        }
    }

    /// Sends a flow control request.
    fn request_flow_control(&self, to: &str) {
        let Self { stream, inner, .. } = self;
        let question = platform::random_string(8);
        let reply: Rc<str> = format!("$JS.FC.{}.{}.{question}", stream.name, inner.name).into();
        let weak = self.downgrade();
        let answer = stream.broker.subscribe(&reply, None, move |answer| {
            let Some(consumer) = weak.upgrade() else { return };
            let up_to = Block(&answer.headers).get(LAST_STREAM).and_then(|last| last.parse().ok());
            consumer.flow_control_answered(up_to);
        });
        {
            let mut flow = inner.flow.borrow_mut();
            let sent = flow.sent;
            flow.asked = Some(FlowControlRequest { reply: reply.clone(), sent, _answer: answer });
        }
        let message = CoreMessage {
            reply: Some(reply),
            headers: Status::FLOW_CONTROL_REQUEST.block(),
            ..CoreMessage::new(to, "")
        };
        stream.broker.publish(&message);
    }

    /// The client has got what was sent before the request. With the flow control ack policy
    /// everything up to `up_to` is acknowledged, and without it nothing is: such an answer is from
    /// a client that only keeps the flow. ADR-60
    fn flow_control_answered(&self, up_to: Option<u64>) {
        let asked = self.inner.flow.borrow_mut().asked.take();
        let Some(asked) = asked else { return };
        self.inner.flow.borrow_mut().sent -= asked.sent;
        let acknowledges = self.inner.config.borrow().ack_policy == AckPolicy::FlowControl;
        if let Some(up_to) = up_to.filter(|_| acknowledges) {
            let delivered = self.inner.state.borrow().stream_sequence;
            self.add_ack(up_to.min(delivered), None);
        }
        self.inner.wake.notify();
    }

    /// Sends a heartbeat if it is due; returns when the next one is.
    fn heartbeat_if_due(&self, to: &str) -> u64 {
        let every = self.inner.config.borrow().idle_heartbeat.as_millis() as u64;
        if every == 0 || !self.inner.is_bound(&self.stream) {
            return u64::MAX;
        }
        let now = self.stream.clock.now();
        let mut flow = self.inner.flow.borrow_mut();
        if flow.heartbeat_at == 0 {
            flow.heartbeat_at = now + every;
        } else if flow.heartbeat_at <= now {
            flow.heartbeat_at = now + every;
            let stalled = flow.asked.as_ref().map(|asked| asked.reply.clone());
            drop(flow);
            self.send_heartbeat(to, stalled.as_deref());
            self.request_acks(to);
            return now + every;
        }
        flow.heartbeat_at
    }
}
