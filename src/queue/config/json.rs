//! How configurations are written as JSON.

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_false(value: &bool) -> bool {
    !value
}

pub(super) fn is_zero<N: Default + PartialEq>(value: &N) -> bool {
    *value == N::default()
}

/// Durations as JetStream's JSON has them.
pub(super) mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::queue::config) fn serialize<S: Serializer>(
        value: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_nanos().min(i64::MAX as u128) as u64)
    }

    pub(in crate::queue::config) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        // A negative duration is zero, except where it is refused.
        i64::deserialize(from).map(|nanos| Duration::from_nanos(nanos.try_into().unwrap_or(0)))
    }

    pub(in crate::queue::config) mod list {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        pub(in crate::queue::config) fn serialize<S: Serializer>(
            value: &[Duration],
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.collect_seq(value.iter().map(|wait| wait.as_nanos().min(i64::MAX as u128) as u64))
        }

        pub(in crate::queue::config) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Vec<Duration>, D::Error> {
            let waits = Vec::<i64>::deserialize(from)?.into_iter();
            Ok(waits.map(|wait| Duration::from_nanos(wait.try_into().unwrap_or(0))).collect())
        }
    }
}
