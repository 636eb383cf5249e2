//! Changing how much users have not read, and asking for it.

use std::collections::BTreeMap;

use ruma::{RoomId, UserId, events::receipt::ReceiptThread};

use super::{
    Push,
    counts::{CountsRow, Place, UNREAD, UNREAD_COUNTS, UnreadCounts, UnreadRow},
    room_notifications::RoomNotifications,
};
use crate::{
    Result,
    feed::{Change, Position},
    platform,
    store::Batch,
};

/// How many of a room's notifications a stored row may be behind: whoever asks counts them again
/// each time.
const BEHIND: usize = 16;

/// Changes of a user's counts in one room, on their way into a batch.
pub(super) struct Counting {
    place: Place,
    row: CountsRow,
    /// Notifications of the user's own that are not stored yet.
    fresh: BTreeMap<Position, UnreadRow>,
    /// How many of the room's notifications it took in that the stored row has not.
    behind: usize,
    changed: bool,
}

impl Counting {
    /// Whether there is nothing unread.
    pub(super) fn is_zero(&self) -> bool {
        self.row.is_zero()
    }

    /// Whether a notification that the room has for everybody is read.
    pub(super) fn has_read(&self, part: &str, position: Position) -> bool {
        self.row.has_read(part, position)
    }

    /// The user has come to the room at `position`: what was there before is not theirs to read.
    pub(super) fn come(&mut self, position: Position) {
        self.row.begin_after(position);
        self.behind = BEHIND;
    }

    /// Counts a notification of the user's own, unless its event was read before it came here. What
    /// the room has for everybody is counted before it.
    pub(super) fn notify(
        &mut self,
        batch: &mut Batch,
        position: Position,
        unread: UnreadRow,
    ) -> Result<()> {
        if self.row.add_own(position, &unread) {
            let (user_id, room_id) = &self.place;
            UNREAD.put(batch, (user_id, room_id, position), &unread)?;
            self.fresh.insert(position, unread);
            self.changed = true;
        }
        Ok(())
    }

    fn write(&self, batch: &mut Batch) -> Result<()> {
        let (user_id, room_id) = &self.place;
        Ok(UNREAD_COUNTS.put(batch, (user_id, room_id), &self.row)?)
    }
}

impl Push {
    /// A user's unread notifications in a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn unread_counts(&self, user_id: &UserId, room_id: &RoomId) -> Result<UnreadCounts> {
        let place = (user_id.to_owned(), room_id.to_owned());
        let mut counting = self.counting(place).await?;
        self.catch_up_with(&mut counting, &RoomNotifications::default()).await?;
        let unread = counting.row.unread();
        if counting.behind >= BEHIND {
            let push = self.clone();
            platform::spawn(async move {
                if let Err(cause) = push.keep_up(counting.place).await {
                    // Whoever asks next does it again.
                    tracing::warn!("counts are not stored: {cause}");
                }
            });
        }
        Ok(unread)
    }

    /// Stores counts that are behind.
    async fn keep_up(&self, place: Place) -> Result<()> {
        let _guard = self.inner.counting.lock(place.clone()).await;
        let mut counting = self.counting(place).await?;
        self.catch_up_with(&mut counting, &RoomNotifications::default()).await?;
        if counting.behind < BEHIND {
            return Ok(());
        }
        let mut batch = Batch::new();
        counting.write(&mut batch)?;
        batch.wait_for_others();
        Ok(self.inner.store.commit(batch).await?)
    }

    /// With the batch, a user has read a part of a room up to and with `position`. Until the batch is
    /// durable or dropped, nothing else changes these counts.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn read_up_to(
        &self,
        batch: &mut Batch,
        user_id: &UserId,
        room_id: &RoomId,
        thread: &ReceiptThread,
        position: Position,
    ) -> Result<()> {
        let place = (user_id.to_owned(), room_id.to_owned());
        let guard = self.inner.counting.lock(place.clone()).await;
        let mut counting = self.counting(place).await?;
        let rooms = RoomNotifications::default();
        self.read(batch, &mut counting, thread.as_str(), position, &rooms).await?;
        counting.write(batch)?;
        if counting.changed {
            self.record(batch, counting.place);
        }
        batch.hold(guard);
        Ok(())
    }

    /// Records with the batch that counts changed.
    fn record(&self, batch: &mut Batch, (user_id, room_id): Place) {
        self.inner.feed.record(batch, Change::UnreadCounts { user_id, room_id });
    }

    /// The counts of a place whose lock is held.
    pub(super) async fn counting(&self, place: Place) -> Result<Counting> {
        let (user_id, room_id) = &place;
        let row = UNREAD_COUNTS.get(&self.inner.store, (user_id, room_id)).await?;
        let row = row.unwrap_or_default();
        Ok(Counting { place, row, fresh: BTreeMap::new(), behind: 0, changed: false })
    }

    /// Takes in what the room has for everybody; whether the user is joined to it. Nobody else
    /// has any of it.
    pub(super) async fn catch_up_with(
        &self,
        counting: &mut Counting,
        rooms: &RoomNotifications,
    ) -> Result<bool> {
        let (user_id, room_id) = &counting.place;
        let Some(since) = self.joined_since(user_id, room_id).await? else {
            counting.row.clear_common(None);
            return Ok(false);
        };
        counting.row.begin_after(since);
        let rows = rooms.after(&self.inner.store, room_id, counting.row.counted()).await?;
        counting.row.count(user_id, &rows);
        counting.behind += rows.len();
        Ok(true)
    }

    /// Takes what the room has for everybody out of the counts that was withdrawn without a word
    /// to those who had counted it.
    pub(super) async fn count_again(
        &self,
        counting: &mut Counting,
        rooms: &RoomNotifications,
    ) -> Result<()> {
        if self.catch_up_with(counting, rooms).await? {
            let (user_id, room_id) = &counting.place;
            let before = counting.row.unread();
            let from = counting.row.recount_from();
            let rows = rooms.after(&self.inner.store, room_id, from).await?;
            counting.row.recount(user_id, &rows);
            counting.changed |= counting.row.unread() != before;
        }
        Ok(())
    }

    /// Takes what lies up to `position` out of the counts: in the part of that name, or in all.
    pub(super) async fn read(
        &self,
        batch: &mut Batch,
        counting: &mut Counting,
        part: Option<&str>,
        position: Position,
        rooms: &RoomNotifications,
    ) -> Result<()> {
        let store = &self.inner.store;
        let (user_id, room_id) = counting.place.clone();
        let counted = counting.row.counted();
        let before;
        if part.is_none() && position >= counted {
            if !counting.row.mark(None, position) {
                return Ok(());
            }
            // Whatever has come since then is read, too: there is no need to count it.
            counting.changed |= rooms.any_after(store, &room_id, counted).await?;
            before = counting.row.unread();
            counting.row.begin_after(position);
        } else {
            let is_joined = self.catch_up_with(counting, rooms).await?;
            if !counting.row.mark(part, position) {
                return Ok(());
            }
            before = counting.row.unread();
            if is_joined && position < counting.row.counted() {
                let rows = rooms.after(store, &room_id, counting.row.recount_from()).await?;
                counting.row.recount(&user_id, &rows);
            } else {
                counting.row.clear_common(part);
            }
        }
        self.read_own(batch, counting, part, position).await?;
        counting.changed |= counting.row.unread() != before;
        Ok(())
    }

    async fn read_own(
        &self,
        batch: &mut Batch,
        counting: &mut Counting,
        part: Option<&str>,
        position: Position,
    ) -> Result<()> {
        let (user_id, room_id) = &counting.place;
        let stored = UNREAD.scan((user_id, room_id)).until((position.saturating_add(1),));
        // One that can't be read stays unread, which keeps nobody from reading the others.
        let stored = stored.readable(&self.inner.store).await?.into_iter();
        let mut unread: BTreeMap<_, _> = stored.map(|((at,), row)| (at, row)).collect();
        unread.extend(counting.fresh.range(..=position).map(|(at, row)| (*at, row.clone())));
        for (at, row) in unread {
            if part.is_none_or(|part| part == row.part) {
                UNREAD.delete(batch, (user_id, room_id, at));
                counting.fresh.remove(&at);
                counting.row.remove_own(&row);
            }
        }
        Ok(())
    }

    /// Takes a notification of the user's own out of the counts, whose event was redacted before it
    /// was read.
    pub(super) async fn withdraw(
        &self,
        batch: &mut Batch,
        counting: &mut Counting,
        position: Position,
    ) -> Result<()> {
        let (user_id, room_id) = &counting.place;
        let key = (user_id, room_id, position);
        let unread = match counting.fresh.remove(&position) {
            Some(fresh) => Some(fresh),
            None => UNREAD.get(&self.inner.store, key).await?,
        };
        if let Some(unread) = unread {
            UNREAD.delete(batch, key);
            counting.row.remove_own(&unread);
            counting.changed = true;
        }
        Ok(())
    }

    /// Writes what changed.
    pub(super) fn finish(&self, batch: &mut Batch, counting: Counting) -> Result<()> {
        if counting.changed || counting.behind >= BEHIND {
            counting.write(batch)?;
        }
        if counting.changed {
            self.record(batch, counting.place);
        }
        Ok(())
    }
}
