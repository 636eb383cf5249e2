//! How much a user has not read. spec: client-server §Receiving notifications
//!
//! What an event means for most members of its room has one row of the room
//! ([`super::room_notifications`]); a user's row says up to which of these they are counted, and
//! takes in those that have come since when somebody asks. Who is notified otherwise than most has
//! rows of their own.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::room_notifications::RoomNotification;
use crate::{
    feed::Position,
    store::{Erasure, Json, Rows, Table},
};

/// User, room → unread counts, and how far the user has read.
pub(super) const UNREAD_COUNTS: Rows<Place, Json<CountsRow>> =
    Rows::new(Table::UnreadCounts, Erasure::Removed);
/// User, room, position → unread notification that is the user's own.
pub(super) const UNREAD: Rows<(OwnedUserId, OwnedRoomId, Position), Json<UnreadRow>> =
    Rows::new(Table::Unread, Erasure::Removed);

/// How the main timeline is named among threads.
pub(super) const MAIN: &str = "main";

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

    fn add(&mut self, highlight: bool) {
        *self += Self { notification_count: 1, highlight_count: highlight.into() };
    }

    fn subtract(&mut self, highlight: bool) {
        self.notification_count = self.notification_count.saturating_sub(1);
        self.highlight_count = self.highlight_count.saturating_sub(highlight.into());
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.notification_count += other.notification_count;
        self.highlight_count += other.highlight_count;
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
        self.threads.values().for_each(|thread| total += *thread);
        total
    }
}

/// One part of a room, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// Of the notifications that have rows of the user's own.
    #[serde(flatten)]
    own: Counts,
    /// Of those that the room has for everybody.
    #[serde(default, skip_serializing_if = "Counts::is_zero")]
    common: Counts,
    /// Read up to here.
    read: Position,
}

impl Part {
    fn unread(&self) -> Counts {
        let mut unread = self.own;
        unread += self.common;
        unread
    }
}

/// A user's counts in a room, as they are stored.
///
/// Of a part that is not there, everything up to `counted` is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CountsRow {
    /// Every part read up to here.
    read: Position,
    /// The room's notifications are counted up to here.
    #[serde(default, skip_serializing_if = "is_start")]
    counted: Position,
    parts: BTreeMap<String, Part>,
}

fn is_start(position: &Position) -> bool {
    *position == 0
}

/// An unread notification that is a user's own, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UnreadRow {
    pub(super) part: String,
    pub(super) highlight: bool,
}

/// A user in a room.
pub(super) type Place = (OwnedUserId, OwnedRoomId);

/// How the part of a room is named that the events of a thread are in.
pub(super) fn part(thread: Option<&OwnedEventId>) -> &str {
    thread.map_or(MAIN, |root| root.as_str())
}

impl CountsRow {
    /// Whether there is nothing unread.
    pub(super) fn is_zero(&self) -> bool {
        self.parts.values().all(|part| part.unread().is_zero())
    }

    pub(super) fn unread(&self) -> UnreadCounts {
        let mut unread = UnreadCounts::default();
        for (name, part) in &self.parts {
            let counts = part.unread();
            if name == MAIN {
                unread.main = counts;
            } else if !counts.is_zero()
                && let Ok(root) = OwnedEventId::try_from(name.as_str())
            {
                unread.threads.insert(root, counts);
            }
        }
        unread
    }

    /// Up to where the room's notifications are counted.
    pub(super) fn counted(&self) -> Position {
        self.counted
    }

    /// Whether a notification of the room is read.
    pub(super) fn has_read(&self, part: &str, position: Position) -> bool {
        let read = self.parts.get(part).map_or(self.counted, |part| part.read);
        position <= read.max(self.read)
    }

    /// Counts the notifications of the room that have come since; `rows` are all of these.
    pub(super) fn count(&mut self, user_id: &UserId, rows: &[(Position, RoomNotification)]) {
        let before = self.counted;
        for (at, row) in rows {
            if let Some(gone) = &row.withdraws
                && gone.position <= before
                && !gone.is_except(user_id)
                && !self.has_read(&gone.part, gone.position)
                && let Some(part) = self.parts.get_mut(&gone.part)
            {
                part.common.subtract(gone.highlight);
            }
            self.add(user_id, *at, row, before);
        }
        self.forget_marks();
    }

    /// Counts the room's notifications anew where some are unread, as there is a mark among them;
    /// `rows` are all from [`CountsRow::recount_from`] on.
    pub(super) fn recount(&mut self, user_id: &UserId, rows: &[(Position, RoomNotification)]) {
        let before = self.counted;
        let mut unread: BTreeMap<String, Position> = BTreeMap::new();
        for (name, part) in &mut self.parts {
            if !part.common.is_zero() {
                part.common = Counts::default();
                unread.insert(name.clone(), part.read.max(self.read));
            }
        }
        for (at, row) in rows {
            if *at > before {
                self.add(user_id, *at, row, before);
            } else if unread.get(&row.part).is_some_and(|read| at > read)
                && row.notifies(user_id)
                && let Some(part) = self.parts.get_mut(&row.part)
            {
                part.common.add(row.is_highlight());
            }
        }
        self.forget_marks();
    }

    /// After which position [`CountsRow::recount`] has to look.
    pub(super) fn recount_from(&self) -> Position {
        let unread = self.parts.values().filter(|part| !part.common.is_zero());
        let marks = unread.map(|part| part.read.max(self.read));
        marks.chain([self.counted]).min().unwrap_or_default()
    }

    /// `before` is up to where the notifications were counted that are not among the new ones: what
    /// comes late may lie between them.
    fn add(&mut self, user_id: &UserId, at: Position, row: &RoomNotification, before: Position) {
        if row.notifies(user_id) && !self.has_read(&row.part, at) {
            let part = self.parts.entry(row.part.clone());
            let part = part.or_insert_with(|| Part { read: before, ..Part::default() });
            part.common.add(row.is_highlight());
        }
        self.counted = self.counted.max(at);
    }

    /// Everything up to `position` is read or was before the user came.
    pub(super) fn begin_after(&mut self, position: Position) {
        self.read = self.read.max(position);
        self.counted = self.counted.max(position);
        for part in self.parts.values_mut().filter(|part| part.read < position) {
            part.common = Counts::default();
        }
        self.forget_marks();
    }

    /// Sets how far a part is read, or all of the room; whether that is farther than before.
    pub(super) fn mark(&mut self, part: Option<&str>, position: Position) -> bool {
        match part {
            Some(part) if self.has_read(part, position) => return false,
            Some(part) => self.parts.entry(part.to_owned()).or_default().read = position,
            None if position <= self.read => return false,
            None => self.read = position,
        }
        true
    }

    /// Nothing of the room's notifications in a part is unread, or nothing in all of it.
    pub(super) fn clear_common(&mut self, part: Option<&str>) {
        let is_read = |name: &str| part.is_none_or(|part| part == name);
        for (_, part) in self.parts.iter_mut().filter(|(name, _)| is_read(name)) {
            part.common = Counts::default();
        }
        self.forget_marks();
    }

    /// Counts a notification of the user's own; `false` when its event was read before it came here.
    pub(super) fn add_own(&mut self, position: Position, unread: &UnreadRow) -> bool {
        let read = self.parts.get(&unread.part).map_or(0, |part| part.read).max(self.read);
        if position <= read {
            return false;
        }
        let new = || Part { read: position - 1, ..Part::default() };
        self.parts.entry(unread.part.clone()).or_insert_with(new).own.add(unread.highlight);
        true
    }

    /// Takes a notification of the user's own out of the counts.
    pub(super) fn remove_own(&mut self, unread: &UnreadRow) {
        if let Some(part) = self.parts.get_mut(&unread.part) {
            part.own.subtract(unread.highlight);
        }
        self.forget_marks();
    }

    /// Of a part without anything unread only a mark is kept that what is still to come lies before.
    fn forget_marks(&mut self) {
        let beyond = self.read.max(self.counted);
        self.parts.retain(|_, part| !part.unread().is_zero() || part.read > beyond);
    }
}
