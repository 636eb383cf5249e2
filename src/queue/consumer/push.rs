//! Pushing: messages go to a subject as long as somebody listens there, no faster than they say.

use std::rc::Rc;

use super::{delivery::Taken, flow::Asked, handle::Consumer, take::Wanted};
use crate::{
    platform,
    queue::{
        broker::CoreMessage,
        config::{AckPolicy, ReplayPolicy},
        error::{Result, Status},
        headers::Block,
    },
};

/// How many messages are taken at once.
const CHUNK: usize = 64;
/// How many bytes are sent before an answer to flow control.
const WINDOW: u64 = 2 << 20;
/// The last message that was got.
const LAST_STREAM: &str = "Nats-Last-Stream";

impl Consumer {
    /// Whether each message waits for its own time.
    pub(super) fn delivers_one_by_one(&self) -> bool {
        let config = self.inner.config.borrow();
        config.rate_limit_bps > 0
            || (config.replay_policy == ReplayPolicy::Original
                && !self.inner.flow.borrow().caught_up)
    }

    /// Until when the next message waits so that it comes as long after the one before as it was
    /// stored.
    pub(super) async fn replay_at(&self) -> Result<u64> {
        if self.inner.config.borrow().replay_policy == ReplayPolicy::Instant {
            return Ok(0);
        }
        let Some((stored, delivered)) = self.inner.flow.borrow().replayed else { return Ok(0) };
        if self.inner.flow.borrow().caught_up {
            return Ok(0);
        }
        let cursor = self.inner.deliveries.borrow().cursor;
        let visible = self.stream.counts.borrow().visible();
        match self.next_message(cursor, visible).await? {
            Some((_, next)) => Ok(delivered + next.saturating_sub(stored)),
            None => {
                self.inner.flow.borrow_mut().caught_up = true;
                Ok(0)
            }
        }
    }

    pub(super) fn note_replayed(&self, messages: &[Taken]) {
        if let Some(last) = messages.last() {
            let now = self.stream.clock.now();
            self.inner.flow.borrow_mut().replayed = Some((last.time, now));
        }
    }

    /// Pushes what there is; when to look again.
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
            let takings = self.take(Wanted::messages(most)).await?;
            if takings.messages.is_empty() {
                break;
            }
            self.note_replayed(&takings.messages);
            let mut sent = 0;
            for taken in &takings.messages {
                let message = self.message(taken, None);
                sent +=
                    (message.payload.len() + message.headers.len() + taken.subject.len()) as u64;
                if self.stream.broker.publish_to(to, &message) == 0 {
                    self.nak(taken.stream_sequence, None);
                }
            }
            let now = clock.now();
            {
                let mut flow = self.inner.flow.borrow_mut();
                flow.beat_at = now + config.idle_heartbeat.as_millis() as u64;
                if let Some(wait) = (sent * 8 * 1_000_000).checked_div(config.rate_limit_bps) {
                    flow.ready_at = flow.ready_at.max(now * 1000) + wait;
                }
                flow.sent += sent;
            }
            self.ask_if_due(to);
            self.stream.broker.keep_pace(to).await;
        }
        // An answer may have been to less than what was sent since.
        self.ask_if_due(to);
        Ok(again.min(self.beat(to)))
    }

    fn ask_if_due(&self, to: &str) {
        let config = self.inner.config();
        let due = {
            let flow = self.inner.flow.borrow();
            // Where the answer acknowledges, it is asked for at once.
            let enough = flow.sent * 2 >= WINDOW
                || (config.ack_policy == AckPolicy::FlowControl && flow.sent > 0);
            config.flow_control && flow.asked.is_none() && enough
        };
        if due && self.inner.is_bound(&self.stream) {
            self.ask(to);
        }
    }

    /// Asks again where the answer acknowledges and the last one left something.
    fn ask_for_acks(&self, to: &str) {
        let inner = &self.inner;
        if inner.config.borrow().ack_policy == AckPolicy::FlowControl
            && inner.flow.borrow().asked.is_none()
            && !inner.deliveries.borrow().pending.is_empty()
        {
            self.ask(to);
        }
    }

    /// Asks how far they are.
    fn ask(&self, to: &str) {
        let Self { stream, inner, .. } = self;
        let question = platform::random_string(8);
        let reply: Rc<str> = format!("$JS.FC.{}.{}.{question}", stream.name, inner.name).into();
        let weak = self.downgrade();
        let answer = stream.broker.subscribe(&reply, None, move |answer| {
            let Some(consumer) = weak.upgrade() else { return };
            let told = Block(&answer.headers).get(LAST_STREAM).and_then(|told| told.parse().ok());
            consumer.answered(told);
        });
        {
            let mut flow = inner.flow.borrow_mut();
            let sent = flow.sent;
            flow.asked = Some(Asked { reply: reply.clone(), sent, _answer: answer });
        }
        let message = CoreMessage {
            reply: Some(reply),
            headers: Status::FLOW_CONTROL_REQUEST.block(),
            ..CoreMessage::new(to, "")
        };
        stream.broker.publish(&message);
    }

    /// They have got what was sent; everything up to `up_to` counts as acknowledged where that is
    /// how it is done. Without it nothing does: who only keeps the flow has perhaps not seen it all.
    /// ADR-60
    fn answered(&self, up_to: Option<u64>) {
        let asked = self.inner.flow.borrow_mut().asked.take();
        let Some(asked) = asked else { return };
        self.inner.flow.borrow_mut().sent -= asked.sent;
        let acknowledges = self.inner.config.borrow().ack_policy == AckPolicy::FlowControl;
        if let Some(up_to) = up_to.filter(|_| acknowledges) {
            let delivered = self.inner.deliveries.borrow().stream_sequence;
            self.gather(up_to.min(delivered), None);
        }
        self.inner.wake.wake();
    }

    /// Says that it is still there if it is time to; when to say so next.
    fn beat(&self, to: &str) -> u64 {
        let every = self.inner.config.borrow().idle_heartbeat.as_millis() as u64;
        if every == 0 || !self.inner.is_bound(&self.stream) {
            return u64::MAX;
        }
        let now = self.stream.clock.now();
        let mut flow = self.inner.flow.borrow_mut();
        if flow.beat_at == 0 {
            flow.beat_at = now + every;
        } else if flow.beat_at <= now {
            flow.beat_at = now + every;
            let stalled = flow.asked.as_ref().map(|asked| asked.reply.clone());
            drop(flow);
            self.send_heartbeat(to, stalled.as_deref());
            self.ask_for_acks(to);
            return now + every;
        }
        flow.beat_at
    }
}
