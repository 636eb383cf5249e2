//! How much a user has not read. spec: client-server §Receiving notifications

use std::collections::BTreeMap;

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId, events::receipt::ReceiptThread,
};
use serde::{Deserialize, Serialize};

use super::Push;
use crate::{
    Result,
    feed::{Change, Position},
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

/// How the main timeline is named among threads.
const MAIN: &str = "main";

/// Unread notifications of one part of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many.
    pub notification_count: u64,
    /// How many of them are highlighted.
    pub highlight_count: u64,
}

impl Counts {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, highlight: bool) {
        self.notification_count += 1;
        self.highlight_count += u64::from(highlight);
    }

    fn subtract(&mut self, highlight: bool) {
        self.notification_count = self.notification_count.saturating_sub(1);
        self.highlight_count = self.highlight_count.saturating_sub(highlight.into());
    }
}

/// A user's unread notifications in a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadCounts {
    /// Those outside of threads.
    pub main: Counts,
    /// Those of each thread that has any.
    pub threads: BTreeMap<OwnedEventId, Counts>,
}

impl UnreadCounts {
    /// All together, for clients that do not tell threads apart.
    pub fn total(&self) -> Counts {
        let mut total = self.main;
        for thread in self.threads.values() {
            total.notification_count += thread.notification_count;
            total.highlight_count += thread.highlight_count;
        }
        total
    }
}

/// One part of a room, as it is stored.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Part {
    #[serde(flatten)]
    counts: Counts,
    /// Read up to here.
    read: Position,
}

/// A user's counts in a room, as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct CountsRow {
    /// Every part read up to here.
    read: Position,
    parts: BTreeMap<String, Part>,
}

/// An unread notification, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UnreadRow {
    part: String,
    highlight: bool,
}

pub(super) type Place = (OwnedUserId, OwnedRoomId);

fn place_key((user_id, room_id): &Place) -> Key {
    Key::new().str(user_id).str(room_id)
}

/// The row of an unread notification.
pub(super) fn unread_key(user_id: &UserId, room_id: &RoomId, position: Position) -> Key {
    Key::new().str(user_id).str(room_id).u64(position)
}

/// How the part of a room is named that the events of a thread are in.
fn part(thread: Option<&OwnedEventId>) -> &str {
    thread.map_or(MAIN, |root| root.as_str())
}

/// Changes of a user's counts in one room, on their way into a batch.
pub(super) struct Counting {
    place: Place,
    row: CountsRow,
    /// Notifications that are not stored yet.
    fresh: BTreeMap<Position, UnreadRow>,
    changed: bool,
}

impl Counting {
    /// Whether there is nothing unread.
    pub(super) fn is_zero(&self) -> bool {
        self.row.parts.values().all(|part| part.counts.is_zero())
    }

    /// Counts a notification, unless its event was read before it came here.
    pub(super) fn notify(
        &mut self,
        batch: &mut Batch,
        position: Position,
        thread: Option<&OwnedEventId>,
        highlight: bool,
    ) -> Result<()> {
        let part = part(thread);
        // Whatever comes from here on lies beyond these marks.
        self.row.parts.retain(|_, part| !part.counts.is_zero() || part.read >= position);
        let read = self.row.parts.get(part).map_or(0, |part| part.read).max(self.row.read);
        if position <= read {
            return Ok(());
        }
        self.row.parts.entry(part.to_owned()).or_default().counts.add(highlight);
        let unread = UnreadRow { part: part.to_owned(), highlight };
        batch.put_json(
            Table::Unread,
            unread_key(&self.place.0, &self.place.1, position),
            &unread,
        )?;
        self.fresh.insert(position, unread);
        self.changed = true;
        Ok(())
    }

    fn write(&self, batch: &mut Batch) -> Result<()> {
        Ok(batch.put_json(Table::UnreadCounts, place_key(&self.place), &self.row)?)
    }
}

impl Push {
    /// A user's unread notifications in a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn unread_counts(&self, user_id: &UserId, room_id: &RoomId) -> Result<UnreadCounts> {
        let place = (user_id.to_owned(), room_id.to_owned());
        let row: Option<CountsRow> =
            self.inner.store.get_json(Table::UnreadCounts, place_key(&place)).await?;
        let mut unread = UnreadCounts::default();
        for (part, Part { counts, .. }) in row.unwrap_or_default().parts {
            if part == MAIN {
                unread.main = counts;
            } else if !counts.is_zero()
                && let Ok(root) = OwnedEventId::try_from(part)
            {
                unread.threads.insert(root, counts);
            }
        }
        Ok(unread)
    }

    /// With the batch, a user has read a part of a room up to and with `position`. To be awaited
    /// before anything takes a position of the feed for the batch; until the batch is durable or
    /// dropped, nothing else changes these counts.
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
        self.read(batch, &mut counting, thread.as_str(), position).await?;
        counting.write(batch)?;
        if counting.changed {
            self.record(batch, counting.place);
        }
        batch.on_durable(move || drop(guard));
        Ok(())
    }

    /// Records with the batch that counts changed, when it is submitted.
    fn record(&self, batch: &mut Batch, (user_id, room_id): Place) {
        let feed = self.inner.feed.clone();
        batch.on_submit(move |batch| {
            feed.record(batch, Change::UnreadCounts { user_id, room_id });
        });
    }

    /// The counts of a place whose lock is held.
    pub(super) async fn counting(&self, place: Place) -> Result<Counting> {
        let row = self.inner.store.get_json(Table::UnreadCounts, place_key(&place)).await?;
        let row = row.unwrap_or_default();
        Ok(Counting { place, row, fresh: BTreeMap::new(), changed: false })
    }

    /// Takes what lies up to `position` out of the counts: in the part of that name, or in all.
    pub(super) async fn read(
        &self,
        batch: &mut Batch,
        counting: &mut Counting,
        part: Option<&str>,
        position: Position,
    ) -> Result<()> {
        let mark = match part {
            Some(part) => &mut counting.row.parts.entry(part.to_owned()).or_default().read,
            None => &mut counting.row.read,
        };
        if *mark >= position {
            return Ok(());
        }
        *mark = position;
        let (user_id, room_id) = &counting.place;
        let range = KeyRange::between(
            place_key(&counting.place),
            unread_key(user_id, room_id, position.saturating_add(1)),
        );
        let rows =
            self.inner.store.scan(Table::Unread, range, Direction::Forward, usize::MAX).await?;
        let stored = rows.into_iter().filter_map(|(key, row)| {
            let mut key = KeyReader::new(&key);
            let position = key.str().and(key.str()).and(key.u64())?;
            Some((position, serde_json::from_slice::<UnreadRow>(&row).ok()?))
        });
        let mut unread: BTreeMap<_, _> = stored.collect();
        unread.extend(counting.fresh.range(..=position).map(|(at, row)| (*at, row.clone())));
        for (at, row) in unread {
            if part.is_some_and(|part| part != row.part) {
                continue;
            }
            batch.delete(Table::Unread, unread_key(user_id, room_id, at));
            counting.fresh.remove(&at);
            if let Some(part) = counting.row.parts.get_mut(&row.part) {
                part.counts.subtract(row.highlight);
            }
            counting.changed = true;
        }
        let all = counting.row.read;
        counting.row.parts.retain(|_, part| !part.counts.is_zero() || part.read > all);
        Ok(())
    }

    /// Takes one event out of the counts, which was redacted before it was read.
    pub(super) async fn withdraw(
        &self,
        batch: &mut Batch,
        counting: &mut Counting,
        position: Position,
    ) -> Result<()> {
        let (user_id, room_id) = &counting.place;
        let key = unread_key(user_id, room_id, position);
        let fresh = counting.fresh.remove(&position);
        let unread: Option<UnreadRow> = match fresh {
            Some(fresh) => Some(fresh),
            None => self.inner.store.get_json(Table::Unread, &key).await?,
        };
        let Some(unread) = unread else { return Ok(()) };
        batch.delete(Table::Unread, key);
        if let Some(part) = counting.row.parts.get_mut(&unread.part) {
            part.counts.subtract(unread.highlight);
        }
        counting.changed = true;
        Ok(())
    }

    /// Writes what changed.
    pub(super) fn finish(&self, batch: &mut Batch, counting: Counting) -> Result<()> {
        if counting.changed {
            counting.write(batch)?;
            self.record(batch, counting.place);
        }
        Ok(())
    }
}
