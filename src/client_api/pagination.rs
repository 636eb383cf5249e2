//! Tokens that name a place between two events.

use crate::{Error, Result, feed::Position};

/// A place in a timeline: after the event of this position and before the next. Sync's tokens
/// are of the same form, so that `prev_batch` and `next_batch` can be given to `/messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) Position);

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for what is no token of this server.
    pub(crate) fn parse(token: &str) -> Result<Self> {
        token
            .strip_prefix('s')
            .and_then(|position| position.parse().ok())
            // One more is counted in places; a position never gets there.
            .filter(|position| *position < Position::MAX)
            .map(Self)
            .ok_or_else(|| Error::invalid_param(format!("{token:?} is not a token of this server")))
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s{}", self.0)
    }
}
