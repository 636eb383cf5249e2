//! The account: its usage and its limits.

use serde::Serialize;

use super::{answer::Body, request::Request, stats::Stats};
use crate::queue::{config::Storage, error::Result, facade::Queue, server::API_LEVEL};

#[derive(Serialize)]
struct AccountInfo {
    memory: u64,
    storage: u64,
    reserved_memory: u64,
    reserved_storage: u64,
    streams: usize,
    consumers: usize,
    limits: Limits,
    api: ApiStats,
}

/// There are no limits but those of the machine.
#[derive(Serialize)]
struct Limits {
    max_memory: i64,
    max_storage: i64,
    max_streams: i64,
    max_consumers: i64,
    max_ack_pending: i64,
    memory_max_stream_bytes: i64,
    storage_max_stream_bytes: i64,
    max_bytes_required: bool,
}

#[derive(Serialize)]
struct ApiStats {
    level: u32,
    total: u64,
    errors: u64,
    #[serde(skip_serializing_if = "is_zero")]
    inflight: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

const UNLIMITED: Limits = Limits {
    max_memory: -1,
    max_storage: -1,
    max_streams: -1,
    max_consumers: -1,
    max_ack_pending: -1,
    memory_max_stream_bytes: -1,
    storage_max_stream_bytes: -1,
    max_bytes_required: false,
};

pub(super) async fn info(queue: &Queue, stats: &Stats, request: &Request) -> Result<Body> {
    request.check_level()?;
    let mut info = AccountInfo {
        memory: 0,
        storage: 0,
        reserved_memory: 0,
        reserved_storage: 0,
        streams: 0,
        consumers: 0,
        limits: UNLIMITED,
        api: ApiStats {
            level: API_LEVEL,
            total: stats.total.get(),
            errors: stats.errors.get(),
            // This request itself does not count.
            inflight: stats.in_flight.get().saturating_sub(1),
        },
    };
    for stream in queue.status().await? {
        let reserved = u64::try_from(stream.config.max_bytes).unwrap_or(0);
        let (used, kept) = match stream.config.storage {
            Storage::File => (&mut info.storage, &mut info.reserved_storage),
            Storage::Memory => (&mut info.memory, &mut info.reserved_memory),
        };
        *used += stream.state.bytes;
        *kept = kept.saturating_add(reserved);
        info.streams += 1;
        info.consumers += stream.state.consumer_count;
    }
    Body::of(&info)
}
