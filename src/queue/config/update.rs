//! Which changes of a stream's configuration are allowed.

use std::time::Duration;

use super::stream::{Discard, Retention, StreamConfig};
use crate::queue::error::{Error, Result};

impl StreamConfig {
    /// This configuration, which was checked, as one that takes the place of `before`.
    pub(in crate::queue) fn updating(mut self, before: &Self) -> Result<Self> {
        let retention_changes = self.retention != before.retention;
        let work_queue = [self.retention, before.retention].contains(&Retention::WorkQueue);
        for (wrong, description) in [
            (
                self.storage != before.storage,
                "stream configuration update can not change storage type",
            ),
            (
                retention_changes && work_queue,
                "stream configuration update can not change retention policy to/from workqueue",
            ),
            (
                before.sealed && !self.sealed,
                "stream configuration update can not unseal a sealed stream",
            ),
            (
                before.deny_delete && !self.deny_delete,
                "stream configuration update can not cancel deny message deletes",
            ),
            (
                before.deny_purge && !self.deny_purge,
                "stream configuration update can not cancel deny purge",
            ),
            (before.allow_msg_ttl && !self.allow_msg_ttl, "message TTL status can not be disabled"),
            (
                before.allow_msg_counter != self.allow_msg_counter,
                "stream configuration update can not change message counter setting",
            ),
            (
                before.allow_msg_schedules && !self.allow_msg_schedules,
                "message schedules can not be disabled",
            ),
            (
                before.persist_mode != self.persist_mode,
                "stream configuration update can not change persist mode",
            ),
        ] {
            if wrong {
                return Err(Error::stream_config(description));
            }
        }
        // All that a mirror may become is an ordinary stream.
        if self.mirror.is_some() && self.mirror != before.mirror {
            return Err(Error::MIRROR_NOT_UPDATABLE);
        }
        if self.sealed {
            self.max_age = Duration::ZERO;
            self.discard = Discard::New;
            self.deny_delete = true;
            self.deny_purge = true;
            self.allow_rollup_hdrs = false;
        }
        Ok(self)
    }
}
