//! Acknowledgements of clients: messages to the reply subject of a delivery.

use std::{cell::RefCell, rc::Rc};

use super::{
    ack::Outcome,
    advisory,
    handle::Consumer,
    request::{Ack, AckSubject},
};
use crate::{
    platform,
    queue::{
        broker::CoreMessage,
        config::{AckPolicy, Retention},
        error::Result,
    },
};

impl Consumer {
    /// Takes an acknowledgement; returns false when the consumer takes none.
    pub(in crate::queue) fn receive_ack(
        &self,
        place: &AckSubject<'_>,
        message: &CoreMessage,
    ) -> bool {
        let Self { stream, inner, .. } = self;
        let policy = inner.config.borrow().ack_policy;
        if matches!(policy, AckPolicy::None | AckPolicy::FlowControl) {
            return false;
        }
        inner.active_at.set(stream.clock.now());
        // A delivery that was forgotten in a kill can't be acknowledged: the message is
        // redelivered.
        let is_known = place.stream_sequence < inner.state.borrow().cursor;
        let (sequence, reply) = (place.stream_sequence, message.reply.clone());
        let delivery = (place.consumer_sequence, place.deliveries);
        match Ack::read(&message.payload) {
            Some(Ack::Processed | Ack::Term(_)) if !is_known => {}
            Some(Ack::Processed) => {
                self.sample(sequence, delivery);
                self.add_ack(sequence, reply);
            }
            Some(Ack::Nak(delay)) => {
                if let Some(delivery) = self.nak(sequence, delay) {
                    advisory::naked(stream, inner, sequence, delivery);
                }
                self.confirm(reply);
            }
            Some(Ack::Progress) => {
                self.in_progress(sequence);
                self.confirm(reply);
            }
            Some(Ack::Next(request)) => {
                self.sample(sequence, delivery);
                self.add_ack(sequence, None);
                match (request, reply) {
                    (Ok(request), Some(reply)) => self.request(request, reply),
                    (Err(cause), Some(reply)) => self.refuse_request(&cause, &reply),
                    (_, None) => {}
                }
            }
            Some(Ack::Term(reason)) => {
                if inner.state.borrow().pending.contains_key(&sequence) {
                    advisory::terminated(stream, inner, sequence, delivery, &reason);
                }
                self.add_ack(sequence, reply);
            }
            None => {
                tracing::debug!("an acknowledgement can't be understood");
                self.confirm(reply);
            }
        }
        true
    }

    /// Publishes how long an acknowledgement took, for the share of them that `sample_freq` asks
    /// for.
    fn sample(&self, sequence: u64, delivery: (u64, u64)) {
        let share = self.inner.config.borrow().sampled().unwrap_or(0);
        if share == 0 || rand::random_range(0..100) >= share {
            return;
        }
        let at =
            self.inner.state.borrow().pending.get(&sequence).map(|pending| pending.delivered_at);
        if let Some(at) = at.filter(|at| *at > 0) {
            let took = self.stream.clock.now().saturating_sub(at);
            advisory::acknowledged(&self.stream, &self.inner, sequence, delivery, took);
        }
    }

    /// Reads subject and size of messages that were delivered before the queue was opened, where
    /// they may be removed with their acknowledgement.
    async fn load_messages(&self, sequences: &[u64]) -> Result<()> {
        if self.stream.config().retention == Retention::Limits {
            return Ok(());
        }
        let unknown: Vec<u64> = {
            let state = self.inner.state.borrow();
            let is_unknown = |sequence: &&u64| {
                state.pending.get(sequence).is_some_and(|pending| pending.message.is_none())
            };
            sequences.iter().filter(is_unknown).copied().collect()
        };
        for sequence in unknown {
            if let Some(message) = self.stream.read(sequence).await? {
                let about = (Rc::<str>::from(message.subject()), message.size());
                self.inner.state.borrow_mut().change(sequence, |pending| {
                    pending.message = Some(about);
                });
            }
        }
        Ok(())
    }

    fn confirm(&self, reply: Option<Rc<str>>) {
        if let Some(reply) = reply {
            self.stream.broker.publish(&CoreMessage::new(&reply, ""));
        }
    }

    pub(super) fn add_ack(&self, sequence: u64, reply: Option<Rc<str>>) {
        let mut inbox = self.inner.acks.borrow_mut();
        inbox.sequences.push(sequence);
        inbox.replies.extend(reply);
        if !std::mem::replace(&mut inbox.working, true) {
            let consumer = self.clone();
            platform::spawn(async move { consumer.commit_acks().await });
        }
    }

    async fn commit_acks(&self) {
        loop {
            let (sequences, replies) = {
                let mut inbox = self.inner.acks.borrow_mut();
                if inbox.sequences.is_empty() {
                    inbox.working = false;
                    return;
                }
                (std::mem::take(&mut inbox.sequences), std::mem::take(&mut inbox.replies))
            };
            if let Err(cause) = self.load_messages(&sequences).await {
                tracing::error!("acknowledged messages can't be read: {cause}");
            }
            let mut batch = self.batch_of_acks();
            self.acknowledge(&mut batch, sequences, Outcome::Processed);
            let (broker, replies) = (self.stream.broker.clone(), RefCell::new(replies));
            batch.on_durable(move || {
                for reply in replies.take() {
                    broker.publish(&CoreMessage::new(&reply, ""));
                }
            });
            if let Err(cause) = self.stream.store.commit(batch).await {
                // The messages are redelivered, and acknowledged again.
                tracing::error!("acknowledgements can't be stored: {cause}");
            }
        }
    }
}
