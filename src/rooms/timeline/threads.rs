//! Threads: what their roots are told of them. spec: client-server §Threading

use std::collections::BTreeSet;

use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};

use super::{Relation, RelationFilter, THREAD_ORDER, THREADS, Thread, thread_root};
use crate::{
    Result,
    feed::Position,
    rooms::{Event, Pdu, Room, Rooms, graph::LiveRoom},
    store::Direction,
};

/// How far an event's relations are followed to find its thread.
/// spec: client-server §Threaded read receipts; "a maximum of 3 hops is recommended"
const HOPS: usize = 3;

impl Rooms {
    /// Reads what a change of a thread is built on.
    pub(in crate::rooms) async fn load_thread(
        &self,
        live: &LiveRoom,
        root: &EventId,
    ) -> Result<()> {
        if live.threads.borrow_mut().get(root).is_some() {
            return Ok(());
        }
        let thread = THREADS.get(&self.inner.store, (&live.room_id, root)).await?;
        // A change that was submitted meanwhile knows more than the store.
        if live.threads.borrow_mut().get(root).is_none() {
            live.keep_thread(root.to_owned(), thread.unwrap_or_default());
        }
        Ok(())
    }
}

impl Room {
    /// The root of the thread that an event is in: its own, or that of what it relates to.
    /// spec: client-server §Threaded read receipts
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn thread_of(&self, pdu: &Pdu) -> Result<Option<OwnedEventId>> {
        if let Some(root) = thread_root(pdu) {
            return Ok(Some(root));
        }
        let mut parent = Relation::of(pdu).map(|relation| relation.parent);
        for _ in 0..HOPS {
            let Some(event_id) = parent else { break };
            let Some(event) = self.event(&event_id).await? else { break };
            if let Some(root) = thread_root(&event.pdu) {
                return Ok(Some(root));
            }
            parent = Relation::of(&event.pdu).map(|relation| relation.parent);
        }
        Ok(None)
    }

    /// What is known of the thread below `root`; `None` when there is none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn thread(&self, root: &EventId) -> Result<Option<Thread>> {
        if !self.view().head.relations {
            return Ok(None);
        }
        Ok(THREADS.get(self.store(), (self.id(), root)).await?)
    }

    /// What is known of the thread below `root` but for the events of some users; `None` when
    /// there are no others. Reads the whole thread.
    pub(in crate::rooms) async fn thread_without(
        &self,
        root: &EventId,
        without: &BTreeSet<OwnedUserId>,
    ) -> Result<Option<Thread>> {
        let filter =
            RelationFilter { rel_type: Some("m.thread".to_owned()), ..RelationFilter::default() };
        let all =
            self.related(root, &filter, 0, Position::MAX, Direction::Forward, usize::MAX).await?;
        let mut thread = Thread::default();
        for related in all.into_iter().filter(|related| !without.contains(&related.sender)) {
            thread.count += 1;
            thread.latest = Some(related.event_id);
            thread.latest_position = related.position;
            thread.participants.insert(related.sender);
        }
        Ok(thread.latest.is_some().then_some(thread))
    }

    /// The roots of the threads whose newest event lies before `before`, newest first, with the
    /// position of the newest event.
    ///
    /// With `participant` only threads that this user took part in: wrote an event, or the root.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn threads(
        &self,
        before: Position,
        participant: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<(Event, Position)>> {
        let mut end = before;
        let mut found = Vec::new();
        while found.len() < limit {
            let rows = THREAD_ORDER.scan((self.id(),)).until((end,)).backward().limit(limit);
            let rows = rows.rows(self.store()).await?;
            let all = rows.len() < limit;
            for ((position,), root) in rows {
                end = position;
                let Some(event) = self.event(&root).await? else { continue };
                let takes_part = match participant {
                    Some(user_id) => {
                        event.pdu.sender == user_id
                            || self
                                .thread(&root)
                                .await?
                                .is_some_and(|thread| thread.participants.contains(user_id))
                    }
                    None => true,
                };
                if takes_part {
                    found.push((event, end));
                }
            }
            if all {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The newest event of the thread below `root` that is not `without`.
    pub(in crate::rooms) async fn newest_in_thread(
        &self,
        root: &EventId,
        without: &EventId,
    ) -> Result<Option<Event>> {
        let filter =
            RelationFilter { rel_type: Some("m.thread".to_owned()), ..RelationFilter::default() };
        let newest = self.related(root, &filter, 0, Position::MAX, Direction::Backward, 2).await?;
        match newest.iter().find(|related| related.event_id != without) {
            Some(related) => self.event(&related.event_id).await,
            None => Ok(None),
        }
    }
}
