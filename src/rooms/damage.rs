//! Rooms whose stored records are damaged.

use ruma::RoomId;

use crate::{Error, Result};

/// What was made of a room; nothing where its records are damaged, so that an answer about many
/// rooms tells the others.
///
/// # Errors
/// Whatever else went wrong.
pub(crate) fn unless_damaged<T>(room_id: &RoomId, made: Result<T>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(Error::Damaged(cause)) => {
            tracing::warn!("{room_id} is left out: {cause}");
            Ok(None)
        }
        Err(cause) => Err(cause),
    }
}
