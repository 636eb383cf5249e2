//! Pausing and resetting consumers, and unpinning clients.

use super::{advisory, handle::Consumer, pause::Pause, start::start_of};
use crate::{
    queue::{
        config::{DeliverPolicy, LAST_SEQUENCE},
        error::{Error, Result},
        time::Timestamp,
    },
    store::{Batch, Submission},
};

impl Consumer {
    /// Pauses it until then; a time in the past resumes it.
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
        self.start_delivery();
        Ok(inner.pause(now))
    }

    /// Publishes an advisory when it is paused.
    pub(in crate::queue) fn advise_pause(&self) {
        let pause = self.inner.pause(self.stream.clock.now());
        if pause.paused {
            advisory::pause(&self.stream, &self.inner, pause);
        }
    }

    /// Resets it to `sequence`, or with 0 to the first message that is not acknowledged; returns
    /// where that is.
    ///
    /// # Errors
    /// 10204 for a sequence number that the consumer's deliver policy rules out.
    pub async fn reset(&self, sequence: u64) -> Result<u64> {
        let Self { stream, inner, .. } = self;
        let _admin = stream.admin.lock().await;
        let config = inner.config();
        let floor = inner.state.borrow().ack_floor().1;
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
        inner.state.borrow_mut().reset(to);
        self.recount().await?;
        // Nobody else may need what it skips.
        stream.request_interest_check();
        let write = |batch: &mut Submission| {
            inner.write(stream, batch);
            stream.write_counts(batch);
            Ok::<_, Error>(())
        };
        stream.store.commit_with(Batch::new(), write).await?;
        inner.wake.notify();
        Ok(to)
    }

    /// Unpins the client of a group, so that another one is served.
    ///
    /// # Errors
    /// 10160 when the consumer has no such group.
    pub fn unpin(&self, group: &str) -> Result<()> {
        if !self.inner.config.borrow().priority_groups.iter().any(|own| own == group) {
            return Err(Error::NO_SUCH_GROUP);
        }
        self.inner.unpin(&self.stream, "admin");
        self.inner.wake.notify();
        Ok(())
    }
}
