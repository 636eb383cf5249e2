//! What is left to do after a commit that can't hold all of a request, such as to leave every room
//! after an account was given up. It is recorded in that commit and taken off once it is done, so
//! that the next start does what a kill or a failure left.

use serde::{Deserialize, Serialize};

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};

use crate::{
    platform,
    store::{Batch, Declaration, Erasure, Json, Result, Rows, Store, Table},
};

/// Id → what is left to do after a commit.
const FOLLOW_UPS: Rows<(String,), Json<FollowUp>> = Rows::new(Table::FollowUps, Erasure::Kept);
/// All tables of this part.
pub(crate) const TABLES: &[Declaration] = &[FOLLOW_UPS.declaration()];

/// Something to do after a commit. To do it again changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FollowUp {
    /// A user gave their account up: they leave all rooms.
    LeaveRooms {
        /// The user.
        user_id: OwnedUserId,
        /// Whether what came of them until then is erased.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        erase: bool,
    },
    /// A user has another name or avatar: their rooms show it.
    ShowProfile {
        /// The user.
        user_id: OwnedUserId,
    },
    /// A room may let guests in no longer: those in it leave.
    TurnGuestsOut {
        /// The room.
        room_id: OwnedRoomId,
    },
    /// An alias was removed: the room's state names it no longer.
    DropAlias {
        /// Who removed it.
        user_id: OwnedUserId,
        /// The room that it named.
        room_id: OwnedRoomId,
        /// The alias.
        alias: OwnedRoomAliasId,
    },
}

/// A follow-up with the place where it is recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    id: String,
    /// What there is to do.
    pub follow_up: FollowUp,
}

impl FollowUp {
    /// With a place of its own.
    pub fn to_record(self) -> Recorded {
        Recorded { id: platform::random_string(16), follow_up: self }
    }
}

impl Recorded {
    /// Records it with the commit that it follows.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub fn write(&self, batch: &mut Batch) -> Result<()> {
        FOLLOW_UPS.put(batch, (&self.id,), &self.follow_up)
    }

    /// Takes it off: it is done.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn done(self, store: &Store) -> Result<()> {
        let mut batch = Batch::new();
        FOLLOW_UPS.delete(&mut batch, (&self.id,));
        store.commit(batch).await
    }
}

/// Everything that is left to do.
///
/// # Errors
/// When the store can't be read.
pub async fn left(store: &Store) -> Result<Vec<Recorded>> {
    let rows = FOLLOW_UPS.scan(()).readable(store).await?;
    Ok(rows.into_iter().map(|((id,), follow_up)| Recorded { id, follow_up }).collect())
}
