//! Message ids within the duplicate window.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};

/// The ids that were published within the window.
#[derive(Default)]
pub(super) struct MessageIds {
    by_id: HashMap<Rc<str>, (u64, u64)>,
    /// Time, sequence number, id: oldest first.
    order: VecDeque<(u64, u64, Rc<str>)>,
}

impl MessageIds {
    /// The sequence number that `id` was stored under at `oldest` or later.
    pub(super) fn find(&self, id: &str, oldest: u64) -> Option<u64> {
        self.by_id.get(id).filter(|(time, _)| *time > oldest).map(|(_, sequence)| *sequence)
    }

    /// The id of the message with this sequence number, if it is the last one with an id.
    pub(super) fn last(&self, sequence: u64) -> Option<Rc<str>> {
        let (_, of, id) = self.order.back()?;
        (*of == sequence).then(|| id.clone())
    }

    pub(super) fn insert(&mut self, id: Rc<str>, time: u64, sequence: u64) {
        self.by_id.insert(id.clone(), (time, sequence));
        self.order.push_back((time, sequence, id));
    }

    /// Forgets an id whose message was not stored after all.
    pub(super) fn forget(&mut self, id: &str, sequence: u64) {
        if self.by_id.get(id).is_some_and(|(_, of)| *of == sequence) {
            self.by_id.remove(id);
        }
        self.order.pop_back_if(|(_, of, _)| *of == sequence);
    }

    /// Forgets ids that are not younger than `oldest`; returns time and sequence number of each.
    pub(super) fn expire(&mut self, oldest: u64) -> Vec<(u64, u64)> {
        let mut expired = Vec::new();
        while let Some((time, sequence, id)) = self.order.pop_front_if(|(time, ..)| *time <= oldest)
        {
            if self.by_id.get(&id).is_some_and(|(_, of)| *of == sequence) {
                self.by_id.remove(&id);
            }
            expired.push((time, sequence));
        }
        expired
    }
}
