//! Pausing consumers, putting them back, and having groups serve somebody else.

use super::{advisory, handle::Consumer, pause::Pause, start::start_of};
use crate::{
    queue::{
        config::{DeliverPolicy, LAST_SEQUENCE},
        error::{Error, Result},
        time::Timestamp,
    },
    store::Batch,
};

impl Consumer {
    /// Delivers nothing until then; an instant that has passed lets it go on.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn pause(&self, until: Timestamp) -> Result<Pause> {
        let Self { stream, inner, .. } = self;
        let _admin = stream.admin.lock().await;
        let now = stream.clock.now();
        let mut config = (*inner.config()).clone();
        config.pause_until = (until.nanos() > 0).then_some(until);
        self.reconfigure(config).await?;
        self.pump_if_needed();
        Ok(inner.pause(now))
    }

    /// Tells that it is paused, if it is.
    pub(in crate::queue) fn advise_pause(&self) {
        let pause = self.inner.pause(self.stream.clock.now());
        if pause.paused {
            advisory::pause(&self.stream, &self.inner, pause);
        }
    }

    /// Begins anew at `sequence`, or at what is not acknowledged when there is none; returns where
    /// that is.
    ///
    /// # Errors
    /// 10204 for a place that the consumer's deliver policy rules out.
    pub async fn reset(&self, sequence: u64) -> Result<u64> {
        let Self { stream, inner, .. } = self;
        let _admin = stream.admin.lock().await;
        let config = inner.config();
        let floor = inner.deliveries.borrow().ack_floor().1;
        let to = match (sequence, config.deliver_policy) {
            (0, _) => floor + 1,
            (LAST_SEQUENCE.., _) => return Err(Error::invalid_reset("beyond the last sequence")),
            (to, DeliverPolicy::All) => to,
            (to, DeliverPolicy::ByStartSequence) if Some(to) >= config.opt_start_seq => to,
            (_, DeliverPolicy::ByStartSequence) => {
                return Err(Error::invalid_reset("below start seq"));
            }
            (to, DeliverPolicy::ByStartTime) if to >= start_of(stream, &config).await?.0 => to,
            (_, DeliverPolicy::ByStartTime) => {
                return Err(Error::invalid_reset("below start time"));
            }
            _ => return Err(Error::invalid_reset("not allowed")),
        };
        let _turn = inner.turn.lock().await;
        inner.deliveries.borrow_mut().reset(to);
        self.recount().await?;
        let mut batch = Batch::new();
        inner.write(stream, &mut batch);
        // What it passes over may be needed by nobody else.
        stream.ask_sweep();
        stream.write_counts(&mut batch);
        stream.store.commit(batch).await?;
        inner.wake.wake();
        Ok(to)
    }

    /// Lets another client of a group be served.
    ///
    /// # Errors
    /// 10160 when the consumer has no such group.
    pub fn unpin(&self, group: &str) -> Result<()> {
        if !self.inner.config.borrow().priority_groups.iter().any(|own| own == group) {
            return Err(Error::NO_SUCH_GROUP);
        }
        self.inner.unpin(&self.stream, "admin");
        self.inner.wake.wake();
        Ok(())
    }
}
