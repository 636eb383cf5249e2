//! What streams and consumers are told to be.

mod check;
mod check_copies;
mod consumer;
mod consumer_check;
mod consumer_update;
mod stream;
mod update;

pub use self::{
    consumer::{AckPolicy, ConsumerConfig, DeliverPolicy, PriorityPolicy, ReplayPolicy},
    stream::{
        Compression, ConsumerLimits, Discard, ExternalStream, PersistMode, Placement, Republish,
        Retention, SourceConsumer, Storage, StreamConfig, StreamSource, SubjectTransform,
    },
};

use self::stream::{is_false, is_zero};
pub(super) use self::{check::Checker, consumer_check::is_group_name};

/// The highest sequence number, so far from what can be counted that nothing overflows that adds to
/// it.
pub(super) const LAST_SEQUENCE: u64 = i64::MAX as u64;
/// The longest name of a stream or consumer.
const MAX_NAME_LENGTH: usize = 255;

/// A limit as programs read it.
pub(super) fn limit(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Whether a stream or consumer may have this name, but for its length.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| " \t\r\n\x0c.*>/\\".contains(c))
}

/// Durations as JetStream's JSON has them.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_nanos().min(i64::MAX as u128) as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        // Less than nothing is nothing, but where that is refused.
        i64::deserialize(from).map(|nanos| Duration::from_nanos(nanos.try_into().unwrap_or(0)))
    }

    pub(super) mod list {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(in crate::queue) fn serialize<S: Serializer>(
            value: &[Duration],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(value.iter().map(|wait| wait.as_nanos().min(i64::MAX as u128) as u64))
        }

        pub(in crate::queue) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Duration>, D::Error> {
            let waits = Vec::<i64>::deserialize(from)?.into_iter();
            Ok(waits.map(|wait| Duration::from_nanos(wait.try_into().unwrap_or(0))).collect())
        }
    }
}
