//! Start: what the journals hold, and taking the database over.
//!
//! Each opening of the database is an owner with a higher number. It writes its number beside the
//! records, and every later transaction checks that it is still there: whoever was the owner
//! before (a tab that was frozen while another one took over) notices at its next commit, and
//! tells nobody that this commit is durable. A record that it may have added is ignored, because
//! the new owner's first record takes the same place in the sequence.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    backend::{Change, Check, OWNER_KEY, Records, Space, Transaction},
    facts::{Floor, Owner},
    journal::{self, Head, Record, RecordId},
    overlay::{Overlay, Overlays},
};
use crate::store::{Durability, Error, Result};

/// Where an opening stands, given what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its number.
    pub owner: u32,
    /// The sequence number up to which the leaves hold everything.
    pub floor: u64,
    /// The sequence number of its next record.
    pub sequence: u64,
    /// The journal that commits go on with.
    pub journal: Space,
}

/// What an opening finds.
pub(super) struct Recovered {
    /// Where it stands.
    pub found: Found,
    /// The tables that have a leaf at their very beginning.
    pub tables: BTreeSet<u8>,
    /// What is in the journals.
    pub overlays: Overlays,
}

/// Reads the journals; tells what is there, and what the new owner writes.
///
/// # Errors
/// When a record is damaged or missing.
pub(super) fn recover(records: &Records) -> Result<(Recovered, Vec<Change>)> {
    let newest = Owner::find(records)?;
    let owner = Owner::next(newest.as_ref())?;
    let floor = Floor::find(records, newest.as_ref())?;
    let found = legitimate(records, newest.as_ref(), floor.sequence)?;
    let mut sequence = floor.sequence;
    let mut parts: Vec<(Space, Overlay)> = Vec::new();
    for (id, space, bytes) in found.records {
        sequence += 1;
        if id.sequence != sequence {
            return Err(Error::Corrupt(format!("journal record {sequence} is missing")));
        }
        let record = Record::read(id, &bytes)
            .map_err(|cause| Error::Corrupt(format!("journal record {sequence}: {cause}")))?;
        match parts.last_mut() {
            Some((last, overlay)) if *last == space => overlay.apply(sequence, &record),
            _ => {
                let mut overlay = Overlay::default();
                overlay.apply(sequence, &record);
                parts.push((space, overlay));
            }
        }
    }
    if sequence < found.head {
        return Err(Error::Corrupt(format!("journal record {} is missing", sequence + 1)));
    }
    if parts.len() > 2 {
        return Err(Error::Corrupt("the journals are interleaved".to_owned()));
    }
    let (journal, mut active) = parts.pop().unwrap_or((Space::JournalA, Overlay::default()));
    let frozen = parts.pop().map(|(_, overlay)| std::rc::Rc::new(overlay));
    let opening = RecordId { owner, sequence: sequence + 1 };
    let record = Record::pack(opening, std::iter::empty());
    active.apply(opening.sequence, &record);
    let mut changes: Vec<_> = Space::ALL.iter().map(|space| owner_record(*space, owner)).collect();
    changes.push(floor_record(&floor));
    changes.push(Change::Put(journal, opening.key(), record.sealed()));
    changes.push(head(journal, opening));
    let overlays = Overlays { active, frozen };
    let found = Found { owner, floor: floor.sequence, sequence: opening.sequence + 1, journal };
    Ok((Recovered { found, tables: floor.tables, overlays }, changes))
}

/// The transaction that ends a checkpoint.
pub(super) fn clear(journal: Space, floor: &Floor, owner: u32) -> Transaction {
    let last = RecordId { owner: u32::MAX, sequence: u64::MAX };
    Transaction {
        changes: vec![Change::DeleteThrough(journal, last.key()), floor_record(floor)],
        durability: Durability::Strict,
        owner,
        check: Check::Before,
    }
}

/// The change that notes the newest record of a journal.
pub(super) fn head(journal: Space, newest: RecordId) -> Change {
    let head = Head(newest);
    Change::Put(journal, head.key(), head.sealed())
}

fn owner_record(space: Space, owner: u32) -> Change {
    Change::Put(space, Bytes::from_static(OWNER_KEY), Owner::record(owner))
}

fn floor_record(floor: &Floor) -> Change {
    let (key, record) = floor.record();
    Change::Put(Space::Meta, key, record)
}

/// What is in the journals.
struct Journals {
    /// The records after the floor, in sequence.
    records: Vec<(RecordId, Space, Bytes)>,
    /// The sequence number up to which the newest owner is known to have written some.
    head: u64,
}

/// What is after `floor`, without the records that an earlier owner added after it was taken over
/// from.
///
/// # Errors
/// When a record is not one of a journal, or should have been cleared away, or a head is damaged.
fn legitimate(records: &Records, newest: Option<&Owner>, floor: u64) -> Result<Journals> {
    let is_newest = |owner| newest.is_some_and(|newest| newest.is(owner));
    let (mut found, mut head) = (Vec::new(), 0);
    for space in [Space::JournalA, journal::other(Space::JournalA)] {
        for (key, bytes) in records.of(space) {
            let id = RecordId::read(key)
                .ok_or_else(|| Error::Corrupt("a journal has a foreign key".to_owned()))?;
            if Head::has_key(id) {
                let of_owner = Head::read(id.owner, bytes)
                    .map_err(|cause| Error::Corrupt(format!("a journal's head: {cause}")))?;
                if is_newest(id.owner) {
                    head = head.max(of_owner.0.sequence);
                }
                continue;
            }
            // Only those who have lost the database add records below the floor.
            if id.sequence <= floor && is_newest(id.owner) {
                return Err(Error::Corrupt("a journal begins before its floor".to_owned()));
            }
            found.push((id, space, bytes.clone()));
        }
    }
    // The newest owner first: where it begins, those before it have ended.
    found.sort_by_key(|(id, ..)| std::cmp::Reverse(*id));
    let (mut owner, mut end, mut first_of_owner) = (u32::MAX, u64::MAX, u64::MAX);
    found.retain(|(id, ..)| {
        if id.owner != owner {
            end = end.min(first_of_owner);
            owner = id.owner;
        }
        first_of_owner = id.sequence;
        id.sequence > floor && id.sequence < end
    });
    found.reverse();
    Ok(Journals { records: found, head })
}
