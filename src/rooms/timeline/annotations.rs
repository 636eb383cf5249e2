//! Who has annotated an event with what, in memory: it may be very many, and each new one is looked
//! for among them. spec: client-server §Avoiding duplicate annotations

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use ruma::{EventId, OwnedEventId, OwnedUserId, events::TimelineEventType};

use super::relation::Relation;
use crate::rooms::{
    Event, Status,
    cache::{Cache, Memory},
};

/// What an annotation takes in memory, and what all of an event do beside that, in bytes.
const ANNOTATION: usize = 256;

/// One thing that somebody has said of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::rooms) struct Annotation {
    pub(in crate::rooms) sender: OwnedUserId,
    pub(in crate::rooms) kind: TimelineEventType,
    pub(in crate::rooms) key: Option<String>,
}

/// An annotation that is new, or gone, with the event that it is of.
pub(in crate::rooms) struct AnnotationChange {
    parent: OwnedEventId,
    annotation: Annotation,
    is_new: bool,
}

impl AnnotationChange {
    /// The change that an event makes, or its redaction.
    pub(in crate::rooms) fn of(relation: &Relation, event: &Event, is_new: bool) -> Option<Self> {
        if !relation.is_annotation() || event.status != Status::Accepted {
            return None;
        }
        let annotation = Annotation {
            sender: event.pdu.sender.clone(),
            kind: event.pdu.kind.clone(),
            key: relation.key.clone(),
        };
        Some(Self { parent: relation.parent.clone(), annotation, is_new })
    }
}

/// How often each has been said: other servers may let it be said twice.
type Counts = HashMap<Annotation, usize>;

fn weight(counts: &Counts) -> usize {
    (counts.len() + 1) * ANNOTATION
}

/// The durable annotations of the events of a room that were annotated lately.
pub(in crate::rooms) struct Annotations {
    by_parent: RefCell<Cache<OwnedEventId, Rc<RefCell<Counts>>>>,
    changes: Cell<u64>,
}

impl Annotations {
    /// Those that take at most `limit` of this memory.
    pub(in crate::rooms) fn over(limit: usize, memory: Memory) -> Self {
        Self { by_parent: RefCell::new(Cache::over(limit, memory)), changes: Cell::new(0) }
    }

    /// Grows with every change, so that a read notices that it was overtaken.
    pub(super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Whether an event has an annotation; `None` when those of the event are not in memory.
    pub(super) fn has(&self, parent: &EventId, annotation: &Annotation) -> Option<bool> {
        let counts = self.by_parent.borrow_mut().get(parent)?;
        Some(counts.borrow().contains_key(annotation))
    }

    /// Keeps all annotations of an event, which were read when there had been so many changes.
    pub(super) fn keep(
        &self,
        parent: &EventId,
        all: impl Iterator<Item = Annotation>,
        changes: u64,
    ) {
        if changes != self.changes.get() {
            return;
        }
        let mut counts = Counts::new();
        for annotation in all {
            *counts.entry(annotation).or_default() += 1;
        }
        let (weight, counts) = (weight(&counts), Rc::new(RefCell::new(counts)));
        self.by_parent.borrow_mut().insert(parent.to_owned(), counts, weight, |_| false);
    }

    /// Follows what has become durable.
    pub(in crate::rooms) fn update(&self, changes: Vec<AnnotationChange>) {
        for AnnotationChange { parent, annotation, is_new } in changes {
            self.changes.set(self.changes.get() + 1);
            let mut by_parent = self.by_parent.borrow_mut();
            let Some(counts) = by_parent.peek(&parent) else { continue };
            let mut of = counts.borrow_mut();
            let count = of.entry(annotation.clone()).or_default();
            match is_new {
                true => *count += 1,
                false if *count > 1 => *count -= 1,
                false => _ = of.remove(&annotation),
            }
            let weight = weight(&of);
            drop(of);
            by_parent.insert(parent, counts, weight, |_| false);
        }
    }
}
