//! The queue as the program and the API use it: streams and consumers by their names.

mod consumers;
mod info;
mod listening;
mod messages;
mod publish;
mod queue;
mod reserved;
mod snapshot;
mod status;
mod streams;

pub(super) use self::snapshot::{Restore, Snapshot};
pub use self::{
    info::StreamInfo,
    publish::Publish,
    queue::Queue,
    status::{ConsumerStatus, OfflineStatus, StreamStatus},
};
