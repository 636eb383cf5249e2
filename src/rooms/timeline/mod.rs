//! The events of a room as they are read: who sees them, in which form, and what relates to them.

mod annotations;
mod bundles;
mod client_event;
mod format;
mod relation;
mod relations;
mod stored;
mod thread;
mod threads;
mod visibility;

use self::bundles::Bundles;
pub(super) use self::{
    annotations::{AnnotationChange, Annotations},
    relation::RELATIONS,
    thread::{THREAD_ORDER, THREADS, ThreadChange},
};
pub use self::{
    client_event::stripped,
    format::Format,
    relation::Relation,
    relations::{Related, RelationFilter},
    thread::{Thread, thread_root},
    visibility::Viewer,
};
