//! That somebody's devices or keys changed. spec: client-server §Tracking the device list for a user

use ruma::UserId;

use super::Users;
use crate::{feed::Change, store::Batch};

impl Users {
    /// Records that a user's devices or their keys change with `batch`.
    pub(super) fn record_device_list(&self, batch: &mut Batch, user_id: &UserId) {
        let change = Change::DeviceList { user_id: user_id.to_owned() };
        self.inner.feed.record(batch, change);
    }

    /// Records that `user_id` signs a key of `of` with `batch`.
    pub(super) fn record_signature(&self, batch: &mut Batch, user_id: &UserId, of: &UserId) {
        let change = Change::UserSignature { user_id: user_id.to_owned(), of: of.to_owned() };
        self.inner.feed.record(batch, change);
    }
}
