//! Pausing consumers, putting them back, and having groups serve somebody else.

use serde::Serialize;

use super::{Consumer, Inner, advisory};
use crate::{
    queue::{
        config::{ConsumerConfig, DeliverPolicy, LAST_SEQUENCE},
        error::{Error, Result},
        time::{Timestamp, or_zero},
    },
    store::Batch,
};

/// Whether a consumer is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Whether it is.
    pub paused: bool,
    /// Until when.
    #[serde(serialize_with = "or_zero")]
    pub pause_until: Option<Timestamp>,
    /// For how long from now on, in nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub pause_remaining: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Consumer {
    /// Delivers nothing until then; an instant that has passed lets it go on.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn pause(&self, until: Timestamp) -> Result<Pause> {
        let Self { stream, inner } = self;
        let _admin = stream.admin.lock().await;
        let now = stream.clock.now();
        let mut config = (*inner.config()).clone();
        config.pause_until = (until.nanos() > 0).then_some(until);
        stream.reconfigure(inner, config).await?;
        self.pump_if_needed();
        Ok(inner.pause(now))
    }

    /// Whether it can have this configuration, which was checked, and is where it can get any
    /// further.
    pub(in crate::queue) fn can_go_on(&self, config: &ConsumerConfig) -> bool {
        let next = self.stream.counts.borrow().last.saturating_add(1);
        let is_beyond = self.inner.deliveries.borrow().cursor > next;
        !is_beyond && config.check_update(&self.inner.config()).is_ok()
    }

    /// Refuses to be changed by clients, when the program's own.
    pub(in crate::queue) fn check_free(&self) -> Result<()> {
        match self.stream.is_reserved() && !self.stream.is_onlooker(&self.inner) {
            true => Err(Error::RESERVED),
            false => Ok(()),
        }
    }

    /// Makes it the program's own.
    pub(in crate::queue) fn reserve(&self) {
        self.inner.reserved.set(true);
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
        let Self { stream, inner } = self;
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
            (to, DeliverPolicy::ByStartTime) if to >= stream.start_of(&config).await?.0 => to,
            (_, DeliverPolicy::ByStartTime) => {
                return Err(Error::invalid_reset("below start time"));
            }
            _ => return Err(Error::invalid_reset("not allowed")),
        };
        let _turn = inner.turn.lock().await;
        inner.deliveries.borrow_mut().reset(to);
        stream.count_for(inner).await?;
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

impl Inner {
    pub(super) fn pause(&self, now: u64) -> Pause {
        let pause_until = self.config.borrow().pause_until;
        let left =
            |until: Timestamp| until.nanos().saturating_sub(Timestamp::from_millis(now).nanos());
        let pause_remaining = pause_until.map_or(0, left);
        Pause { paused: pause_remaining > 0, pause_until, pause_remaining }
    }
}
