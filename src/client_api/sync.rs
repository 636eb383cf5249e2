//! spec: client-server §Syncing

use std::rc::Rc;

use futures::FutureExt;
use ruma::api::{
    auth_scheme::AccessToken,
    client::{
        filter::FilterDefinition,
        sync::sync_events::v3::{self, Filter},
    },
};

use super::{
    Authenticate, Body, Router, endpoint::parse, incoming, json_response, pagination::Token,
    presence, query::parameter,
};
use crate::{
    Error, Homeserver, Result,
    sync::{StateForm, SyncRequest},
    users::Session,
};

pub(super) fn routes(router: &mut Router) {
    router.add_raw_for::<v3::Request>(|server, request, _| get_sync(server, request).boxed_local());
}

/// `GET /_matrix/client/v3/sync`
async fn get_sync(
    server: &Rc<Homeserver>,
    request: http::Request<Body>,
) -> Result<http::Response<Body>> {
    let (parts, _) = request.into_parts();
    let head = http::Request::from_parts(parts, ());
    let session = AccessToken::authenticate(server, &head).await?;
    let asked = parse::<v3::Request>(&head, &[], &[])?;
    presence::check_state(&asked.set_presence)?;
    let state_form = match () {
        // matrix-js-sdk asks by the name of MSC4222 alone.
        () if has_flag(&head, "org.matrix.msc4222.use_state_after") => StateForm::UnstableAfter,
        () if asked.use_state_after => StateForm::After,
        () => StateForm::Before,
    };
    let request = SyncRequest {
        since: asked.since.as_deref().map(Token::parse).transpose()?.map(|token| token.0),
        full_state: asked.full_state,
        filter: filter(server, &session, asked.filter).await?,
        timeout: asked.timeout.unwrap_or_default(),
        state_form,
        set_presence: asked.set_presence,
        caller: incoming::caller(&head),
    };
    let response = server.sync.sync(&session, &request).await?;
    json_response(&response)
}

/// The filter that a request names or holds.
async fn filter(
    server: &Homeserver,
    session: &Session,
    asked: Option<Filter>,
) -> Result<FilterDefinition> {
    match asked {
        None => Ok(FilterDefinition::default()),
        Some(Filter::FilterDefinition(filter)) => Ok(filter),
        Some(Filter::FilterId(id)) => server.users.filter(&session.user_id, &id).await,
        Some(_) => Err(Error::invalid_param("The filter is neither an id nor a definition")),
    }
}

/// Whether a query parameter that ruma does not know is `true`.
fn has_flag(head: &http::Request<()>, name: &str) -> bool {
    let query = head.uri().query().unwrap_or_default();
    parameter(query.as_bytes(), name).is_some_and(|value| value == "true")
}
