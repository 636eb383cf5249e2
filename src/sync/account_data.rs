//! The account data of a user, global and for a room, for a sync. spec: client-server §Client Config

use serde_json::value::to_raw_value;

use super::{
    Sync, SyncRequest,
    changes::{Changes, RoomChanges},
    filter,
    response::{Json, Response},
    span::Span,
};
use crate::{
    Error, Result,
    push::PUSH_RULES,
    rooms::Room,
    users::{AccountData, Session},
};

impl Sync {
    pub(super) async fn add_account_data(
        &self,
        response: &mut Response,
        session: &Session,
        request: &SyncRequest,
        changes: &Changes,
    ) -> Result<()> {
        let whole = request.since.is_none() || changes.pruned;
        if !whole && changes.account_data.is_empty() {
            return Ok(());
        }
        let passes = |kind: &str| filter::passes(&request.filter.account_data, kind, None);
        if (whole || changes.account_data.contains(PUSH_RULES)) && passes(PUSH_RULES) {
            let content = self.inner.push.rules_content(&session.user_id).await?;
            let rules = AccountData { event_type: PUSH_RULES.to_owned(), content };
            response.account_data.events.push(json(&rules)?);
        }
        for data in self.inner.users.all_account_data(&session.user_id, None).await? {
            if (whole || changes.account_data.contains(&data.event_type))
                && data.event_type != PUSH_RULES
                && passes(&data.event_type)
            {
                response.account_data.events.push(json(&data)?);
            }
        }
        Ok(())
    }

    pub(super) async fn room_account_data(
        &self,
        room: &Room,
        span: &Span<'_>,
        changed: &RoomChanges,
        whole: bool,
    ) -> Result<Vec<Json>> {
        let filter = &span.filter.account_data;
        let whole = whole || changed.pruned;
        let mut events = Vec::new();
        if (!whole && changed.account_data.is_empty()) || !filter::room_passes(filter, room.id()) {
            return Ok(events);
        }
        let user_id = &span.session.user_id;
        for data in self.inner.users.all_account_data(user_id, Some(room.id())).await? {
            if (whole || changed.account_data.contains(&data.event_type))
                && filter::kind_passes(filter, &data.event_type)
            {
                events.push(json(&data)?);
            }
        }
        Ok(events)
    }
}

fn json(data: &AccountData) -> Result<Json> {
    to_raw_value(data).map_err(Error::internal)
}
