//! The state and configuration of streams with their consumers, with JetStream's names.

use std::collections::BTreeMap;

use serde::Serialize;

use super::queue::Queue;
use crate::queue::{
    config::StreamConfig,
    consumer::{ConsumerInfo, Consumers},
    error::Result,
    sourcing::{SourcingInfo, StreamSourceInfo},
    stream::StreamState,
    time::Timestamp,
};

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamInfo {
    /// Its configuration.
    pub config: StreamConfig,
    /// When it was created.
    pub created: Timestamp,
    /// What it holds.
    pub state: StreamState,
    /// The stream that it is a mirror of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<StreamSourceInfo>,
    /// The streams that it sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<StreamSourceInfo>,
    /// When this was true.
    pub ts: Timestamp,
    /// Its consumers, by name.
    #[serde(skip)]
    pub consumers: Vec<ConsumerInfo>,
    /// Those whose configuration can't be read, and why.
    #[serde(skip)]
    pub offline_consumers: BTreeMap<String, String>,
}

impl Queue {
    /// The state and configuration of a stream.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn stream_info(&self, name: &str) -> Result<StreamInfo> {
        self.info_of(&self.consumers(name)?).await
    }

    /// How many messages a stream has of each subject that matches `filter`.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn stream_subjects(&self, name: &str, filter: &str) -> Result<BTreeMap<String, u64>> {
        let stream = self.stream(name)?;
        stream.within_limits().await?;
        stream.count_by_subject(filter).await
    }

    /// The sequence numbers of a stream's deleted messages between its first and its last.
    ///
    /// # Errors
    /// 10059 when there is none of that name.
    pub async fn stream_deleted(&self, name: &str) -> Result<Vec<u64>> {
        let stream = self.stream(name)?;
        stream.within_limits().await?;
        stream.deleted_sequences().await
    }

    /// The state and configuration of all streams and consumers, by name.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn status(&self) -> Result<Vec<StreamInfo>> {
        let streams = self.inner.streams.all();
        let mut all = Vec::with_capacity(streams.len());
        for stream in streams {
            all.push(self.info_of(&stream).await?);
        }
        Ok(all)
    }

    /// The state and configuration of a stream, once it is within its limits.
    pub(super) async fn info_of(&self, consumers: &Consumers) -> Result<StreamInfo> {
        let stream = &consumers.stream;
        let state = stream.state().await?;
        let consumer_infos: Vec<_> =
            consumers.all().iter().map(|consumer| consumer.info()).collect();
        let SourcingInfo { mirror, sources } = self.inner.sourcing.info(stream);
        Ok(StreamInfo {
            config: (*stream.config()).clone(),
            created: Timestamp::from_millis(stream.created),
            state: StreamState { consumer_count: consumer_infos.len(), ..state },
            mirror,
            sources,
            ts: Timestamp::from_millis(stream.clock.now()),
            consumers: consumer_infos,
            offline_consumers: consumers.offline(),
        })
    }
}
