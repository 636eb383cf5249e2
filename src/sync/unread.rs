//! What a user has not read of a room, for a sync. spec: client-server §Receiving notifications

use ruma::RoomId;

use super::{
    Sync,
    response::{JoinedRoom, Unread},
    span::Span,
};
use crate::{Result, push::Counts};

impl Sync {
    /// Tells the counts of a room; those of threads apart when the client asks for that.
    pub(super) async fn add_unread(
        &self,
        joined: &mut JoinedRoom,
        room_id: &RoomId,
        span: &Span<'_>,
    ) -> Result<()> {
        let counts = self.inner.push.unread_counts(&span.session.user_id, room_id).await?;
        if span.filter.timeline.unread_thread_notifications {
            joined.unread_notifications = Some(unread(counts.main));
            let threads = counts.threads.into_iter();
            joined.unread_thread_notifications =
                threads.map(|(root, counts)| (root, unread(counts))).collect();
        } else {
            joined.unread_notifications = Some(unread(counts.total()));
        }
        Ok(())
    }
}

fn unread(counts: Counts) -> Unread {
    Unread {
        notification_count: counts.notification_count,
        highlight_count: counts.highlight_count,
    }
}
