//! How the Client-Server API finds out who sends a request, and whom it lets in.

use std::any::TypeId;

use http::Method;
use ruma::api::auth_scheme::{
    AccessToken, AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken,
    NoAuthentication,
};

use super::{bodies, guests, moderation};
use crate::{
    Error, Result, Services,
    http::{Api, Authenticate, Body, Endpoint, Limit, Scheme},
    users::Session,
};

/// The Client-Server API.
pub struct ClientApi;

/// A request of one of its endpoints, as the handler gets it.
pub(super) type Incoming<R> = crate::http::Incoming<ClientApi, R>;
/// Its endpoints.
pub(super) type Routes = crate::http::Routes<ClientApi>;

impl Api for ClientApi {
    type Services = Services;
    type Sender = Option<Session>;

    fn max_body(request: Option<TypeId>) -> u64 {
        bodies::max(request)
    }

    async fn admit(
        services: &Services,
        endpoint: &Endpoint,
        request: &http::Request<Body>,
    ) -> Result<Option<Session>> {
        let sender = match endpoint.scheme {
            Scheme::Anyone => None,
            Scheme::Optional => session(services, request).await?,
            Scheme::Required => Some(sender(services, request).await?),
        };
        if sender.as_ref().is_some_and(|sender| sender.guest) && !guests::may_use(endpoint.request)
        {
            return Err(guests::forbidden());
        }
        if sender.as_ref().is_some_and(|sender| sender.standing.suspended)
            && !moderation::suspended_may_use(endpoint.request)
        {
            return Err(moderation::suspended());
        }
        match &sender {
            // What only reads is bounded by how fast the client reads.
            _ if endpoint.method == Method::GET => {}
            Some(sender) => {
                services.limits.take(Limit::Changes, Some(sender.user_id.as_str()))?;
            }
            None => services.limits.take(Limit::Anonymous, None)?,
        }
        Ok(sender)
    }
}

/// The session by whose access token a request was sent.
///
/// # Errors
/// 401 `M_MISSING_TOKEN` without a token, 401 `M_UNKNOWN_TOKEN` for one that is not valid.
pub(super) async fn sender<T>(services: &Services, request: &http::Request<T>) -> Result<Session> {
    session(services, request).await?.ok_or_else(Error::missing_token)
}

/// The same of a request that may have no token.
async fn session<T>(services: &Services, request: &http::Request<T>) -> Result<Option<Session>> {
    let token = AccessTokenOptional::extract_authentication(request);
    let Some(token) = token.map_err(|_| Error::missing_token())? else { return Ok(None) };
    let session = services.users.session(&token).await?;
    moderation::check_lock(&session, request.uri().path())?;
    Ok(Some(session))
}

impl Authenticate<ClientApi> for NoAuthentication {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate<ClientApi> for NoAccessToken {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

/// There are no application services here, so that a token of one says nothing.
impl Authenticate<ClientApi> for AppserviceTokenOptional {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate<ClientApi> for AccessToken {
    type Sender = Session;
    const SCHEME: Scheme = Scheme::Required;

    fn sender(session: Option<Session>) -> Result<Session> {
        session.ok_or_else(Error::missing_token)
    }
}

impl Authenticate<ClientApi> for AccessTokenOptional {
    type Sender = Option<Session>;
    const SCHEME: Scheme = Scheme::Optional;

    fn sender(session: Option<Session>) -> Result<Option<Session>> {
        Ok(session)
    }
}
