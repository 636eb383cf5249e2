//! Which changes of a consumer's configuration are allowed.

use super::consumer::ConsumerConfig;
use crate::queue::error::{Error, Result};

impl ConsumerConfig {
    /// Whether this configuration may take the place of `before`.
    pub(in crate::queue) fn check_update(&self, before: &Self) -> Result<()> {
        for (wrong, description) in [
            (self.deliver_policy != before.deliver_policy, "deliver policy can not be updated"),
            (self.opt_start_seq != before.opt_start_seq, "start sequence can not be updated"),
            (self.opt_start_time != before.opt_start_time, "start time can not be updated"),
            (self.ack_policy != before.ack_policy, "ack policy can not be updated"),
            (self.replay_policy != before.replay_policy, "replay policy can not be updated"),
            (self.idle_heartbeat != before.idle_heartbeat, "heart beats can not be updated"),
            (self.flow_control != before.flow_control, "flow control can not be updated"),
            (before.is_push() && !self.is_push(), "can not update push consumer to pull based"),
            (!before.is_push() && self.is_push(), "can not update pull consumer to push based"),
            (self.max_waiting != before.max_waiting, "max waiting can not be updated"),
            (self.mem_storage != before.mem_storage, "storage can not be updated"),
        ] {
            if wrong {
                return Err(Error::consumer_create(description));
            }
        }
        Ok(())
    }
}
