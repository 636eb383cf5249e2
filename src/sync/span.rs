//! What one sync is to tell of one room.

use ruma::api::client::filter::RoomFilter;

use super::response::StateForm;
use crate::{feed::Position, users::Session};

/// What of a room to tell.
pub(super) struct Span<'a> {
    pub(super) session: &'a Session,
    pub(super) filter: &'a RoomFilter,
    pub(super) federation_format: bool,
    /// After which position; `None` tells everything.
    pub(super) since: Option<Position>,
    /// Up to and with which position.
    pub(super) to: Position,
    pub(super) state_form: StateForm,
    /// Tell the whole state, but only the timeline after `since`.
    pub(super) full_state: bool,
}
