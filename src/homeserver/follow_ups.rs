//! Does what was left to do where a request was ended before its follow-ups.

use super::Homeserver;
use crate::{Result, follow_ups};

impl Homeserver {
    /// Does everything that was left to do.
    ///
    /// # Errors
    /// When the store fails; what can be done is done all the same.
    pub async fn finish_follow_ups(&self) -> Result<()> {
        let mut finished = Ok(());
        for recorded in follow_ups::left(&self.store).await? {
            finished = finished.and(self.follow_up(recorded).await);
        }
        finished
    }

    /// The same; what fails is tried again later.
    pub(super) async fn finish_follow_ups_or_warn(&self) {
        if let Err(cause) = self.finish_follow_ups().await {
            tracing::warn!("what was left to do can't be done: {cause}");
        }
    }
}
