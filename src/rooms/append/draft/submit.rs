//! Writes a draft: everything that follows from its events, in one batch.

use std::rc::Rc;

use ruma::{
    OwnedRoomId, OwnedUserId,
    events::{StateEventType, TimelineEventType},
};

use super::Draft;
use crate::{
    Result,
    feed::Change,
    rooms::{
        Member, Relation, Rooms, Status, UserRoom,
        graph::{LiveRoom, ROOM_STATES, ROOMS},
        membership::{MemberChanges, ROOM_MEMBERS, USER_ROOMS},
    },
    store::{Batch, Commit, Submission},
};

impl Draft {
    /// Gives the events their positions and hands everything in. What is built next is built on
    /// it; readers see it when the commit resolves. `None` when something else has become part of
    /// the room since the draft was begun: then it has to be made again.
    ///
    /// # Errors
    /// When a value has no stored form; nothing is handed in then.
    pub(in crate::rooms) fn submit(mut self) -> Result<Option<Submitted>> {
        let rooms = self.rooms.clone();
        let batch = std::mem::take(&mut self.batch);
        submit(&rooms, batch, [self])
    }

    /// Whether the room is no longer what the draft was built on.
    fn is_overtaken(&self) -> bool {
        self.live.broken() || !Rc::ptr_eq(&self.base, &self.live.tip())
    }

    /// The part of [`Draft::submit`] before the store.
    ///
    /// # Errors
    /// When a value has no stored form.
    fn stage(mut self, batch: &mut Submission) -> Result<()> {
        if self.live.tip().group.is_none() {
            self.rooms.inner.count.add(batch);
        }
        self.take_positions(batch)?;
        self.write_events(batch)?;
        self.write_threads(batch)?;
        let members = self.members();
        let user_rooms = self.write_members(batch, &members)?;
        let room_id = &self.live.room_id;
        for group in &self.groups {
            ROOM_STATES.put(batch, (room_id, group.id.0), group.to_row());
            self.live.keep_group(group.clone());
        }
        ROOMS.put(batch, (room_id,), &self.view.head)?;

        let Self { rooms, live, view, events, rewritten, groups, annotated, resolved, .. } = self;
        let view = Rc::new(view);
        *live.tip.borrow_mut() = view.clone();
        for event in &events {
            live.pending.borrow_mut().insert(event.pdu.event_id.clone(), event.clone());
            if event.pdu.state_key.is_some() {
                live.keep_auth_event(event.pdu.clone());
            }
        }
        let may_look_different = !groups.is_empty() || !rewritten.is_empty();
        rewritten.iter().for_each(|event| live.replace_auth_event(&event.pdu));
        resolved.into_iter().for_each(|(states, state)| live.keep_resolved(states, state));
        batch.on_durable(move || {
            *live.durable.borrow_mut() = view;
            for event in events {
                live.pending.borrow_mut().remove(&event.pdu.event_id);
                rooms.keep_event(event);
            }
            for event in rewritten {
                // Again: the old form may have been read from the store since.
                live.replace_auth_event(&event.pdu);
                rooms.keep_event(event);
            }
            live.annotations.update(annotated);
            live.update_members(members);
            rooms.update_user_rooms(user_rooms);
            if may_look_different {
                rooms.inner.listing.borrow_mut().note_change(&live.room_id);
            }
            // Until here the states could not be read from the store.
            drop(groups);
        });
        Ok(())
    }

    /// Gives the new events their places in the feed, and tells the queue of them.
    fn take_positions(&mut self, batch: &mut Submission) -> Result<()> {
        let room_id = &self.live.room_id;
        for event in self.events.iter_mut().filter(|event| event.status == Status::Accepted) {
            let pdu = &event.pdu;
            let member = match (&pdu.kind, &pdu.state_key) {
                (TimelineEventType::RoomMember, Some(key)) => OwnedUserId::try_from(&**key).ok(),
                _ => None,
            };
            let change =
                Change::Event { room_id: room_id.clone(), event_id: pdu.event_id.clone(), member };
            event.position = self.rooms.inner.feed.record_now(batch, change);
            self.view.head.position = event.position;
            let subject = self.live.subject.clone();
            self.rooms.publish(batch, subject, room_id, &event.pdu.event_id, event.position)?;
        }
        Ok(())
    }

    fn write_events(&self, batch: &mut Batch) -> Result<()> {
        for event in &self.rewritten {
            event.write(batch)?;
        }
        for event in &self.events {
            event.write(batch)?;
            event.write_index(batch);
            if event.status == Status::Accepted
                && let Some(relation) = Relation::of(&event.pdu)
            {
                relation.write(batch, event)?;
            }
        }
        Ok(())
    }

    fn write_threads(&mut self, batch: &mut Batch) -> Result<()> {
        for (root, (before, thread)) in &mut self.threads {
            thread.settle(&self.events);
            thread.write(batch, &self.live.room_id, root, before.as_ref())?;
            let thread = thread.clone();
            self.live.keep_thread(root.clone(), thread);
        }
        Ok(())
    }

    /// Writes the rows of members; gives what changes in the lists of users' rooms.
    fn write_members(
        &self,
        batch: &mut Batch,
        members: &MemberChanges,
    ) -> Result<Vec<(OwnedUserId, OwnedRoomId, Option<UserRoom>)>> {
        let room_id = &self.live.room_id;
        let mut user_rooms = Vec::new();
        for (user_id, member) in members {
            match member {
                Some((member, _)) => ROOM_MEMBERS.put(batch, (room_id, user_id), member)?,
                None => ROOM_MEMBERS.delete(batch, (room_id, user_id)),
            }
            if !self.rooms.is_local(user_id) {
                continue;
            }
            let room = member.as_ref().map(|(member, previous)| UserRoom {
                room_id: room_id.clone(),
                membership: member.membership.clone(),
                previous: previous.clone(),
                event_id: member.event_id.clone(),
                position: member.position,
                sender: member.sender.clone(),
                forgotten: false,
            });
            match &room {
                Some(room) => USER_ROOMS.put(batch, (user_id, room_id), room)?,
                None => USER_ROOMS.delete(batch, (user_id, room_id)),
            }
            user_rooms.push((user_id.clone(), room_id.clone(), room));
        }
        Ok(user_rooms)
    }

    /// What changes in the rows of members, by comparing the new current state with the rows'.
    fn members(&self) -> MemberChanges {
        let mut changes = MemberChanges::new();
        for (user_id, event) in &self.settled {
            let member = event.as_ref().and_then(|event| Member::of(&event.pdu, event.position));
            changes.insert(user_id.clone(), member.map(|member| (member, None)));
        }
        for event in self.events.iter().chain(&self.rewritten) {
            let (TimelineEventType::RoomMember, Some(key)) =
                (&event.pdu.kind, event.pdu.state_key.as_deref())
            else {
                continue;
            };
            let Ok(user_id) = OwnedUserId::try_from(key) else { continue };
            // Whatever a fork brought: only what the current state names counts.
            if self.view.state(&StateEventType::RoomMember, key) != Some(&event.pdu.event_id) {
                continue;
            }
            let Some(member) = Member::of(&event.pdu, event.position) else { continue };
            let previous = event.replaces_state.as_ref().and_then(|id| {
                let pdu = self.loaded.get(id).cloned().or_else(|| self.live.auth_event(id))?;
                Some(Member::of(&pdu, 0)?.membership)
            });
            changes.insert(user_id, Some((member, previous)));
        }
        changes
    }
}

/// Submits drafts as [`Draft::submit`] does, together and with what `batch` has.
///
/// # Errors
/// When a value has no stored form; nothing is handed in then.
pub(in crate::rooms) fn submit<const N: usize>(
    rooms: &Rooms,
    batch: Batch,
    drafts: [Draft; N],
) -> Result<Option<Submitted<N>>> {
    if drafts.iter().any(Draft::is_overtaken) {
        return Ok(None);
    }
    let live = drafts.each_ref().map(|draft| draft.live.clone());
    let stage =
        |batch: &mut Submission| drafts.into_iter().try_for_each(|draft| draft.stage(batch));
    let submitted = rooms.inner.store.submit_with(batch, stage);
    if submitted.is_err() {
        // What was built may be in memory already.
        live.iter().for_each(|live| rooms.forget_live(live));
    }
    let ((), commit) = submitted?;
    Ok(Some(Submitted { rooms: rooms.clone(), live, commit }))
}

/// Drafts on their way to the store.
pub(in crate::rooms) struct Submitted<const N: usize = 1> {
    rooms: Rooms,
    live: [Rc<LiveRoom>; N],
    commit: Commit,
}

impl<const N: usize> Submitted<N> {
    /// Waits until they are durable.
    ///
    /// # Errors
    /// When the store fails: then nothing of them was written.
    pub(in crate::rooms) async fn durable(self) -> Result<()> {
        let outcome = self.commit.await;
        if outcome.is_err() {
            self.live.iter().for_each(|live| self.rooms.forget_live(live));
        }
        Ok(outcome?)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use ruma::{RoomVersionId, UserId, events::TimelineEventType, server_name};
    use serde_json::json;

    use super::*;
    use crate::{
        config::KeptChanges,
        feed::Feed,
        platform,
        queue::Queue,
        rooms::{CreateRoom, NewEvent},
        store::{Options, Store, memory::Disk},
    };

    #[test]
    fn what_is_built_on_a_room_that_went_on_is_not_submitted() {
        platform::run(async {
            let store = Store::open_memory(&Disk::new(), Options::default()).await.unwrap();
            let feed = Feed::open(store.clone(), KeptChanges::default()).await.unwrap();
            let queue = Queue::open(store.clone()).await.unwrap();
            let name = server_name!("neurite.test").to_owned();
            let rooms =
                Rooms::open(store, feed, Rc::new(queue), name, RoomVersionId::V12).await.unwrap();
            let alice = UserId::parse("@alice:neurite.test").unwrap();
            let room_id = rooms.create(&alice, CreateRoom::default()).await.unwrap();
            let live = rooms.live(&room_id).await.unwrap();
            let draft = || {
                let mut draft = Draft::new(&rooms, &live);
                let content = serde_json::value::to_raw_value(&json!({ "body": "x" })).unwrap();
                let new = NewEvent::message(TimelineEventType::RoomMessage, content);
                draft.push(&alice, &new).unwrap();
                draft
            };
            let (first, second) = (draft(), draft());
            let submitted = first.submit().unwrap().unwrap();
            assert!(second.submit().unwrap().is_none());
            submitted.durable().await.unwrap();
            let after = draft();
            rooms.forget_live(&live);
            assert!(after.submit().unwrap().is_none());
        });
    }
}
