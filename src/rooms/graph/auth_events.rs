//! The state events that the authorization of others looks at.

use std::rc::Rc;

use ruma::{EventId, events::StateEventType};

use super::{LiveRoom, View};
use crate::{
    Error, Result,
    rooms::{Pdu, PowerLevels, Rooms},
};

impl Rooms {
    /// The power levels that a view has.
    pub(in crate::rooms) async fn power_levels(
        &self,
        live: &LiveRoom,
        view: &View,
    ) -> Result<PowerLevels> {
        let create = self.auth_event(live, &view.head.create).await?;
        let levels = match view.state(&StateEventType::RoomPowerLevels, "") {
            Some(event_id) => Some(self.auth_event(live, event_id).await?),
            None => None,
        };
        Ok(PowerLevels::new(&live.rules.authorization, &create, levels.as_deref()))
    }

    /// A state event of the room, read from the store if need be and kept in memory then.
    pub(in crate::rooms) async fn auth_event(
        &self,
        live: &LiveRoom,
        event_id: &EventId,
    ) -> Result<Rc<Pdu>> {
        if let Some(pdu) = live.auth_event(event_id) {
            return Ok(pdu);
        }
        let event = self.find_event(live, event_id).await?.ok_or_else(|| {
            Error::internal(format!("{}: the state names {event_id}, which is gone", live.room_id))
        })?;
        live.keep_auth_event(event.pdu.clone());
        Ok(event.pdu)
    }
}
