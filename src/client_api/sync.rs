//! spec: client-server §Syncing

use ruma::api::client::{
    filter::FilterDefinition,
    sync::sync_events::v3::{self, Filter},
};

use super::{Incoming, Routes, pagination::Token};
use crate::{
    Error, Result, Services, enumerations,
    http::{Body, Sent, json_response, parameter},
    sync::{StateForm, SyncRequest},
    users::Session,
};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_with_sent(get_sync);
}

/// `GET /_matrix/client/v3/sync`
async fn get_sync(
    services: &Services,
    request: Incoming<v3::Request>,
    sent: Sent,
) -> Result<http::Response<Body>> {
    let Incoming { request: asked, auth: session, caller } = request;
    enumerations::check("set_presence", [&asked.set_presence])?;
    let state_form = match () {
        // matrix-js-sdk asks by the name of MSC4222 alone.
        () if has_flag(&sent.head, "org.matrix.msc4222.use_state_after") => {
            StateForm::UnstableAfter
        }
        () if asked.use_state_after => StateForm::After,
        () => StateForm::Before,
    };
    let request = SyncRequest {
        since: asked.since.as_deref().map(Token::parse).transpose()?.map(|token| token.0),
        full_state: asked.full_state,
        filter: filter(services, &session, asked.filter).await?,
        timeout: asked.timeout.unwrap_or_default(),
        state_form,
        set_presence: asked.set_presence,
        caller,
    };
    let response = services.sync.sync(&session, &request).await?;
    json_response(&response)
}

/// The filter that a request names or holds.
async fn filter(
    services: &Services,
    session: &Session,
    asked: Option<Filter>,
) -> Result<FilterDefinition> {
    match asked {
        None => Ok(FilterDefinition::default()),
        Some(Filter::FilterDefinition(filter)) => {
            enumerations::check("event_format", [&filter.event_format])?;
            Ok(filter)
        }
        // What ruma can't read as a definition, it takes for an id.
        Some(Filter::FilterId(id)) if id.starts_with('{') => {
            let cause = serde_json::from_str::<FilterDefinition>(&id).err();
            let cause = cause.map(|cause| cause.to_string()).unwrap_or_default();
            Err(Error::invalid_param(format!("The filter can't be read: {cause}")))
        }
        Some(Filter::FilterId(id)) => services.users.filter(&session.user_id, &id).await,
        Some(_) => Err(Error::invalid_param("The filter is neither an id nor a definition")),
    }
}

/// Whether a query parameter that ruma does not know is `true`.
fn has_flag(head: &http::Request<()>, name: &str) -> bool {
    let query = head.uri().query().unwrap_or_default();
    parameter(query.as_bytes(), name).is_some_and(|value| value == "true")
}
