//! What names and numbers in configurations may be.

/// The highest sequence number. Adding counts to it does not overflow.
pub(in crate::queue) const LAST_SEQUENCE: u64 = i64::MAX as u64;
/// The longest name of a stream or consumer.
pub(super) const MAX_NAME_LENGTH: usize = 255;

/// A limit; negative ones are none.
pub(in crate::queue) fn limit(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Whether a stream or consumer may have this name, apart from its length.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| " \t\r\n\x0c.*>/\\".contains(c))
}
