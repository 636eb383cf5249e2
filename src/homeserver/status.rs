//! A look into the homeserver.

use serde::Serialize;

use super::Homeserver;
use crate::{
    Result,
    bus::{self, OfflineStatus, StreamStatus},
};

/// The state of the homeserver's parts, as `Status` of `worker/shared/status.ts` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The streams of the queue.
    pub streams: Vec<StreamStatus>,
    /// Streams whose configuration can't be read.
    pub offline: Vec<OfflineStatus>,
    /// How many rooms there are.
    pub rooms: usize,
    /// How many accounts there are.
    pub users: usize,
}

impl Homeserver {
    /// How the homeserver's parts are.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn status(&self) -> Result<Status> {
        let bus::Status { streams, offline } = self.bus.status().await?;
        Ok(Status {
            streams,
            offline,
            rooms: self.rooms.count().await?,
            users: self.users.count().await?,
        })
    }
}
