//! How an account stands with the administrators. spec: client-server §Account moderation

use http::StatusCode;
use ruma::api::error::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How an account stands with the administrators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Nothing but logging out is left to its user.
    pub locked: bool,
    /// Its user can read and leave, and say nothing.
    pub suspended: bool,
}

impl Standing {
    pub(super) fn is_good(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses one who is locked out.
    ///
    /// # Errors
    /// 401 `M_USER_LOCKED`, with `soft_logout`, since the tokens stay valid.
    pub fn check_lock(self) -> Result<()> {
        if self.locked {
            let message = "This account has been locked";
            return Err(Error::new(StatusCode::UNAUTHORIZED, ErrorKind::UserLocked, message));
        }
        Ok(())
    }
}
