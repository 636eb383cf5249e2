//! Redactions: the stored event is stripped when the redaction comes, and what it said is gone.
//! spec: client-server §Redactions

use std::rc::Rc;

use ruma::{
    EventId, OwnedEventId, canonical_json::redact_in_place, room_version_rules::RoomVersionRules,
    state_res::events::RoomPowerLevelsIntField,
};

use crate::{
    Error, Result,
    rooms::{Event, NewEvent, Pdu, PowerLevels, Rooms, Txn, graph::LiveRoom, thread_root},
};

impl Event {
    /// The same event, stripped. The first redaction counts.
    pub(in crate::rooms) fn redacted(
        &self,
        because: &Rc<Pdu>,
        rules: &RoomVersionRules,
    ) -> Result<Self> {
        if self.redacted_because.is_some() {
            return Ok(self.clone());
        }
        let mut object = self.pdu.object().map_err(Error::internal)?;
        redact_in_place(&mut object, &rules.redaction, None).map_err(Error::internal)?;
        let json = serde_json::value::to_raw_value(&object).map_err(Error::internal)?;
        let pdu = Pdu::parse(self.pdu.event_id.clone(), json, rules, self.pdu.rejected)
            .map_err(Error::internal)?;
        Ok(Self { pdu: Rc::new(pdu), redacted_because: Some(because.clone()), ..self.clone() })
    }
}

/// What a redaction will do, read beforehand.
pub(in crate::rooms) struct Redaction {
    pub(in crate::rooms) target: Event,
    /// If the target is in a thread, the newest event without it.
    pub(in crate::rooms) newest_in_thread: Option<Event>,
}

impl Rooms {
    /// Redacts an event.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when the room has no such event, 403 `M_FORBIDDEN` when the sender may
    /// not redact it; as [`Rooms::append`].
    pub async fn redact(
        &self,
        room_id: &ruma::RoomId,
        sender: &ruma::UserId,
        event_id: OwnedEventId,
        reason: Option<&str>,
        txn: Option<Txn>,
    ) -> Result<OwnedEventId> {
        self.append(room_id, sender, NewEvent::redaction(event_id, reason)?.with_txn(txn)).await
    }

    /// Reads what a redaction of `target` needs.
    pub(in crate::rooms) async fn redaction_of(
        &self,
        live: &Rc<LiveRoom>,
        target: &EventId,
    ) -> Result<Option<Redaction>> {
        let Some(target) = self.find_event(live, target).await? else { return Ok(None) };
        let newest_in_thread = match thread_root(&target.pdu) {
            Some(root) => {
                self.load_thread(live, &root).await?;
                self.room_of(live).newest_in_thread(&root, &target.pdu.event_id).await?
            }
            None => None,
        };
        Ok(Some(Redaction { target, newest_in_thread }))
    }
}

/// Whether a local user may redact an event: their own, or with the power to redact others'.
/// spec: client-server §PUT redact; room version 3 §Handling redactions
pub(in crate::rooms) fn check_right(
    sender: &ruma::UserId,
    target: &Event,
    levels: &PowerLevels,
) -> Result<()> {
    if target.pdu.sender == sender || levels.allow(sender, RoomPowerLevelsIntField::Redact) {
        Ok(())
    } else {
        Err(Error::forbidden("You may not redact events of others in this room"))
    }
}
