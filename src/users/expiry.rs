//! What a user was given for a while goes when that is over.
//!
//! Access tokens are not among it: one that has expired is still answered with a soft logout, and
//! a client that gets none forgets its keys. They go with what takes their place, or with their
//! device, so that a device never has more than two. spec: client-server §Soft logout

use super::Users;
use crate::Result;

impl Users {
    /// Removes what has expired at `now`, in milliseconds since the Unix epoch, and is no row that says
    /// so: sessions of User-Interactive Authentication, messages that no device will fetch.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn expire(&self, now: u64) -> Result<()> {
        self.inner.interactive.expire(now);
        self.expire_to_device(now).await
    }
}
