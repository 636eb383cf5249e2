//! What JetStream refuses, and why.

use std::borrow::Cow;

use crate::store;

/// A refusal, as JetStream words it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{description} ({err_code})")]
pub struct Error {
    /// The class of the error, as in HTTP.
    pub code: u16,
    /// Which error it is; programs look at this.
    #[serde(skip_serializing_if = "is_zero")]
    pub err_code: u32,
    /// The error in words.
    pub description: Cow<'static, str>,
}

/// A result of the queue.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(code: &u32) -> bool {
    *code == 0
}

impl Error {
    /// Whether both are the same error, whatever their descriptions say.
    pub(in crate::queue) fn is(&self, other: &Self) -> bool {
        self.err_code == other.err_code
    }
}

impl From<serde_json::Error> for Error {
    fn from(cause: serde_json::Error) -> Self {
        Self::invalid_json(cause)
    }
}

impl From<store::Error> for Error {
    fn from(cause: store::Error) -> Self {
        match cause {
            store::Error::QuotaExceeded => Self::INSUFFICIENT_STORAGE,
            store::Error::Corrupt(cause) => Self::stream_offline(cause),
            cause => Self::store_failed(cause),
        }
    }
}

#[cfg(feature = "homeserver")]
impl From<Error> for crate::Error {
    fn from(cause: Error) -> Self {
        match cause {
            cause if cause == Error::INSUFFICIENT_STORAGE => store::Error::QuotaExceeded.into(),
            cause => Self::internal(cause),
        }
    }
}
