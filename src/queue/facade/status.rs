//! Summaries of streams and consumers, for people to read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{info::StreamInfo, queue::Queue};

/// The summary of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// How many messages it holds.
    pub messages: u64,
    /// How many bytes these take.
    pub bytes: u64,
    /// The sequence number of the first.
    pub first_seq: u64,
    /// The sequence number that was given out last.
    pub last_seq: u64,
    /// Its consumers.
    pub consumers: Vec<ConsumerStatus>,
    /// Those whose configuration can't be read.
    pub offline_consumers: Vec<OfflineStatus>,
}

/// A stream or consumer whose configuration can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfflineStatus {
    /// Its name, or else `stream <id>` or `consumer <id>`, which no name can be.
    pub name: String,
    /// Why it can't be read.
    pub cause: String,
}

impl OfflineStatus {
    fn all(offline: BTreeMap<String, String>) -> Vec<Self> {
        offline.into_iter().map(|(name, cause)| Self { name, cause }).collect()
    }
}

impl Queue {
    /// The streams whose configuration can't be read.
    pub fn offline_status(&self) -> Vec<OfflineStatus> {
        OfflineStatus::all(self.offline_streams())
    }
}

/// The summary of a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// How many messages are still to be delivered.
    pub pending: u64,
    /// How many are delivered and not acknowledged.
    pub ack_pending: usize,
    /// How many reached `max_deliver` since the queue was opened.
    pub set_aside: u64,
    /// The stream's sequence number of the last delivery.
    pub delivered: u64,
    /// The stream's sequence number up to which all is acknowledged.
    pub ack_floor: u64,
}

impl From<StreamInfo> for StreamStatus {
    fn from(info: StreamInfo) -> Self {
        let StreamInfo { config, state, consumers, offline_consumers, .. } = info;
        let consumers = consumers.into_iter().map(|consumer| ConsumerStatus {
            name: consumer.name,
            pending: consumer.num_pending,
            ack_pending: consumer.num_ack_pending,
            set_aside: consumer.set_aside,
            delivered: consumer.delivered.stream_seq,
            ack_floor: consumer.ack_floor.stream_seq,
        });
        Self {
            name: config.name,
            messages: state.messages,
            bytes: state.bytes,
            first_seq: state.first_seq,
            last_seq: state.last_seq,
            consumers: consumers.collect(),
            offline_consumers: OfflineStatus::all(offline_consumers),
        }
    }
}
