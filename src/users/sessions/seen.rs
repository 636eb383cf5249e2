//! When a device was seen last.

use super::{SEEN_EVERY, Session, Users};
use crate::{Result, store::Batch};

impl Users {
    /// Notes when a session's device was seen, if that was not noted lately.
    pub(super) async fn note_seen(&self, session: Session, now: u64) {
        // Nobody waits for it, and the next request tries again.
        if let Err(error) = self.write_seen(&session, now).await {
            tracing::warn!("the time at which a device was seen is not noted: {error}");
        }
    }

    async fn write_seen(&self, session: &Session, now: u64) -> Result<()> {
        let Session { user_id, device_id, .. } = session;
        let _guard = self.inner.locks.lock(user_id.clone()).await;
        let Some(mut record) = self.device_record(user_id, device_id).await? else {
            return Ok(());
        };
        if record.last_seen.is_some_and(|seen| now.saturating_sub(seen) < SEEN_EVERY) {
            return Ok(());
        }
        record.last_seen = Some(now);
        let mut batch = Batch::new();
        self.put_device(&mut batch, user_id, device_id, &record)?;
        Ok(self.inner.store.commit(batch).await?)
    }
}
