//! What is known of a thread. spec: client-server §Threading

use std::{collections::BTreeSet, rc::Rc};

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};

use super::Relation;
use crate::{
    feed::Position,
    rooms::{Event, Pdu},
    store::{self, Batch, Erasure, Json, Rows, Table, Text},
};

/// Room, root → thread.
pub(in crate::rooms) const THREADS: Rows<(OwnedRoomId, OwnedEventId), Json<Thread>> =
    Rows::new(Table::Threads, Erasure::Kept);
/// Room, position of the newest event of a thread → its root.
pub(in crate::rooms) const THREAD_ORDER: Rows<(OwnedRoomId, Position), Text<OwnedEventId>> =
    Rows::new(Table::ThreadOrder, Erasure::Kept);

/// What is known of a thread, apart from its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// How many events it has, without the root.
    pub count: u64,
    /// The newest of them.
    pub latest: Option<OwnedEventId>,
    /// Its position.
    pub latest_position: Position,
    /// Who sent any of them.
    pub participants: BTreeSet<OwnedUserId>,
}

/// What happens to a thread.
pub(in crate::rooms) enum ThreadChange<'a> {
    /// This event is new in it.
    Add(&'a Rc<Pdu>),
    /// This event is redacted; if it was the newest, the other is now.
    Remove(&'a EventId, Option<&'a Event>),
}

impl Thread {
    pub(in crate::rooms) fn apply(&mut self, change: ThreadChange<'_>) {
        match change {
            ThreadChange::Add(pdu) => {
                self.count += 1;
                self.latest = Some(pdu.event_id.clone());
                self.latest_position = 0;
                self.participants.insert(pdu.sender.clone());
            }
            ThreadChange::Remove(event_id, newest) => {
                self.count = self.count.saturating_sub(1);
                if self.latest.as_deref() == Some(event_id) {
                    self.latest = newest.map(|event| event.pdu.event_id.clone());
                    self.latest_position = newest.map_or(0, |event| event.position);
                }
            }
        }
    }

    /// How much memory it takes, about, in bytes.
    pub(in crate::rooms) fn weight(&self) -> usize {
        size_of::<Self>() + 64 * (1 + self.participants.len())
    }

    /// Learns the position that the newest event was given.
    pub(in crate::rooms) fn settle(&mut self, events: &[Event]) {
        let newest = events.iter().find(|event| Some(&event.pdu.event_id) == self.latest.as_ref());
        if let Some(newest) = newest {
            self.latest_position = newest.position;
        }
    }

    pub(in crate::rooms) fn write(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        root: &EventId,
        before: Option<&Thread>,
    ) -> store::Result<()> {
        if let Some(before) = before.filter(|before| before.latest_position != 0) {
            THREAD_ORDER.delete(batch, (room_id, before.latest_position));
        }
        if self.latest.is_none() {
            THREADS.delete(batch, (room_id, root));
            return Ok(());
        }
        THREAD_ORDER.put(batch, (room_id, self.latest_position), root);
        THREADS.put(batch, (room_id, root), self)
    }
}

/// The root of the thread that an event is in.
pub fn thread_root(pdu: &Pdu) -> Option<OwnedEventId> {
    Relation::of(pdu).filter(Relation::is_thread).map(|relation| relation.parent)
}
