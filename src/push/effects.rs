//! What follows from an event for counts and lists of notifications.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, UserId, events::room::member::MembershipState,
    push::Action,
};

use super::{
    Push,
    counting::Counting,
    counts::{Place, UNREAD, UnreadRow, part},
    evaluate::Meaning,
    notifications::NotificationRow,
    room_notifications::{RoomNotification, RoomNotifications, Withdrawal},
};
use crate::{
    Result,
    feed::{Change, Position},
    platform,
    rooms::{Event, Pdu, Room, RoomEvent},
    store::Batch,
};

/// All that follows from an event.
pub(super) struct Effects {
    meaning: Meaning,
    /// For a redaction, where the redacted event is, and who has not read a notification of it that
    /// is their own.
    withdrawn: Option<(Position, Vec<OwnedUserId>)>,
    /// Who has come into the room, or gone from it, and so has nothing to read there.
    moved: Option<Moved>,
    /// For a redaction that comes late, whose counts have gone on beyond it.
    beyond: Vec<OwnedUserId>,
}

enum Moved {
    Here(OwnedUserId),
    Away(OwnedUserId),
}

impl Moved {
    fn user(&self) -> &OwnedUserId {
        match self {
            Self::Here(user_id) | Self::Away(user_id) => user_id,
        }
    }
}

impl Effects {
    pub(super) fn position(&self) -> Position {
        self.meaning.event.position
    }

    /// The users whose own counts may change.
    fn users(&self) -> impl Iterator<Item = &OwnedUserId> {
        let notified = self.meaning.notified.iter().map(|(user_id, _)| user_id);
        let moved = self.moved.iter().map(Moved::user);
        let withdrawn = self.withdrawn.iter().flat_map(|(_, users)| users);
        let sender = [&self.meaning.event.pdu.sender];
        notified.chain(sender).chain(withdrawn).chain(moved).chain(&self.beyond)
    }
}

/// Counts on their way into a batch.
struct Work<'a> {
    batch: &'a mut Batch,
    rooms: RoomNotifications,
    counting: BTreeMap<Place, Counting>,
}

impl Push {
    /// What follows from an event; `None` when it is gone.
    pub(super) async fn effects(
        &self,
        room: &Room,
        told: &RoomEvent<OwnedRoomId, OwnedEventId>,
        again: bool,
    ) -> Result<Option<Effects>> {
        // Counts have gone on beyond what comes late: it counts for each by itself.
        let rooms = RoomNotifications::default();
        let late = again && rooms.any_after(&self.inner.store, room.id(), told.position).await?;
        let Some(meaning) = self.evaluate(room, &told.event_id, late).await? else {
            return Ok(None);
        };
        let withdrawn = self.withdrawn(room, &meaning.event.pdu).await?;
        let moved = self.moved(room, &meaning.event).await?;
        let beyond = match late && withdrawn.is_some() {
            true => room.joined_members().await?.into_iter().collect(),
            false => Vec::new(),
        };
        Ok(Some(Effects { meaning, withdrawn, moved, beyond }))
    }

    /// Writes what follows from events into a batch. Until it is durable or dropped, nothing else
    /// changes these counts.
    pub(super) async fn apply(&self, batch: &mut Batch, all: Vec<Effects>) -> Result<()> {
        let places: BTreeSet<_> = all
            .iter()
            .flat_map(|effects| {
                let room_id = &effects.meaning.event.pdu.room_id;
                effects.users().map(|user_id| (user_id.clone(), room_id.clone()))
            })
            .filter(|(user_id, _)| self.inner.rooms.is_local(user_id))
            .collect();
        let (rooms, counting) = (RoomNotifications::default(), BTreeMap::new());
        let mut work = Work { batch, rooms, counting };
        for place in places {
            work.batch.hold(self.inner.counting.lock(place.clone()).await);
            work.counting.insert(place.clone(), self.counting(place).await?);
        }
        for effects in all {
            self.apply_one(&mut work, effects).await?;
        }
        for (_, counting) in work.counting {
            self.finish(work.batch, counting)?;
        }
        work.rooms.write(work.batch)
    }

    async fn apply_one(&self, work: &mut Work<'_>, effects: Effects) -> Result<()> {
        let Effects { meaning, withdrawn, moved, beyond } = effects;
        let Meaning { event, thread, common, except, notified } = meaning;
        let room_id = &event.pdu.room_id;
        let place = |user_id: &UserId| (user_id.to_owned(), room_id.clone());
        match &moved {
            Some(Moved::Away(user_id)) => {
                if let Some(counting) = work.counting.get_mut(&place(user_id)) {
                    self.read(work.batch, counting, None, event.position, &work.rooms).await?;
                }
            }
            Some(Moved::Here(user_id)) => {
                // In a new room nothing was there before.
                let was_used = work.rooms.any_after(&self.inner.store, room_id, 0).await?;
                if let Some(counting) = work.counting.get_mut(&place(user_id))
                    && was_used
                {
                    counting.come(event.position);
                }
            }
            None => {}
        }
        let withdraws = match withdrawn {
            Some((position, users)) => {
                for user_id in users {
                    if let Some(counting) = work.counting.get_mut(&place(&user_id)) {
                        self.withdraw(work.batch, counting, position).await?;
                    }
                }
                self.withdraw_common(work, &event, position).await?
            }
            None => None,
        };
        for user_id in &beyond {
            if let Some(counting) = work.counting.get_mut(&place(user_id)) {
                self.count_again(counting, &work.rooms).await?;
            }
        }
        let (part, ts) = (part(thread.as_ref()), platform::now());
        // Before anybody's counts take in what there is: what is withdrawn is so for all or none.
        let row = RoomNotification {
            event_id: event.pdu.event_id.clone(),
            part: part.to_owned(),
            ts,
            actions: common,
            except: except.into_iter().collect(),
            own: notified.iter().map(|(user_id, _)| user_id.clone()).collect(),
            withdrawn: false,
            withdraws,
        };
        if let Some(withdraws) = &row.withdraws {
            self.record_common(work.batch, room_id, &withdraws.except);
        }
        if row.actions.is_some() {
            self.record_common(work.batch, room_id, &row.except);
        }
        if row.actions.is_some() || row.withdraws.is_some() || !row.own.is_empty() {
            work.rooms.put(room_id, event.position, row);
        }
        // Who writes has read what was there before.
        if let Some(counting) = work.counting.get_mut(&place(&event.pdu.sender)) {
            self.catch_up_with(counting, &work.rooms).await?;
            if !counting.is_zero() {
                let position = event.position;
                self.read(work.batch, counting, Some(part), position, &work.rooms).await?;
            }
        }
        for (user_id, actions) in &notified {
            let Some(counting) = work.counting.get_mut(&place(user_id)) else { continue };
            self.catch_up_with(counting, &work.rooms).await?;
            let highlight = actions.iter().any(Action::is_highlight);
            let unread = UnreadRow { part: part.to_owned(), highlight };
            counting.notify(work.batch, event.position, unread)?;
            let row = NotificationRow {
                room_id: room_id.clone(),
                event_id: event.pdu.event_id.clone(),
                actions: actions.clone(),
                ts,
            };
            self.keep_notification(work.batch, user_id, event.position, &row).await?;
        }
        Ok(())
    }

    /// Takes what a redacted event means for everybody back; gives what the redaction has to tell.
    async fn withdraw_common(
        &self,
        work: &mut Work<'_>,
        redaction: &Event,
        position: Position,
    ) -> Result<Option<Withdrawal>> {
        let room_id = &redaction.pdu.room_id;
        let row = work.rooms.get(&self.inner.store, room_id, position).await?;
        let Some(mut row) = row.filter(|row| row.actions.is_some() && !row.withdrawn) else {
            return Ok(None);
        };
        let (part, highlight, except) = (row.part.clone(), row.is_highlight(), row.except.clone());
        row.withdrawn = true;
        work.rooms.put(room_id, position, row);
        Ok(Some(Withdrawal { position, part, highlight, except }))
    }

    /// Records with the batch that the counts of everybody in a room changed.
    fn record_common(&self, batch: &mut Batch, room_id: &OwnedRoomId, except: &[OwnedUserId]) {
        let (room_id, except) = (room_id.clone(), except.to_vec());
        self.inner.feed.record(batch, Change::RoomUnreadCounts { room_id, except });
    }

    /// Where the event is that a redaction withdraws, and who has not read a notification of their
    /// own of it.
    async fn withdrawn(
        &self,
        room: &Room,
        pdu: &Pdu,
    ) -> Result<Option<(Position, Vec<OwnedUserId>)>> {
        let Some(redacts) = &pdu.redacts else { return Ok(None) };
        let target = room.event(redacts).await?.filter(|target| target.redacted_because.is_some());
        let Some(target) = target else { return Ok(None) };
        let store = &self.inner.store;
        let row = RoomNotifications::default().get(store, room.id(), target.position).await?;
        let asked = match row {
            Some(row) => row.own,
            // An older version told nobody who they are.
            None if target.position <= self.inner.begins.get().unwrap_or_default() => {
                room.members().await?.keys().cloned().collect()
            }
            None => Vec::new(),
        };
        let mut users = Vec::new();
        for user_id in asked {
            if UNREAD.has(store, (&user_id, room.id(), target.position)).await? {
                users.push(user_id);
            }
        }
        Ok(Some((target.position, users)))
    }

    /// Whom a membership event takes into the room or out of it.
    async fn moved(&self, room: &Room, event: &Event) -> Result<Option<Moved>> {
        let Some(membership) = event.pdu.membership() else { return Ok(None) };
        let user_id = event.pdu.state_key.as_deref().map(OwnedUserId::try_from);
        let Some(Ok(user_id)) = user_id else { return Ok(None) };
        match membership {
            MembershipState::Leave | MembershipState::Ban => Ok(Some(Moved::Away(user_id))),
            MembershipState::Join => {
                let before = match &event.replaces_state {
                    Some(before) => room.event(before).await?,
                    None => None,
                };
                let before = before.and_then(|before| before.pdu.membership());
                let was_here = before == Some(MembershipState::Join);
                Ok((!was_here).then_some(Moved::Here(user_id)))
            }
            _ => Ok(None),
        }
    }
}
