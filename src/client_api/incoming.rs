//! A request as a handler gets it: parsed and authenticated.

use ruma::api::auth_scheme::{
    AccessToken, AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken,
    NoAuthentication,
};

use super::moderation;
use crate::{Error, Homeserver, Result, platform::Caller, users::Session};

/// A parsed request with who sent it. Derefs to the request.
pub struct Incoming<R: ruma::api::Metadata>
where
    R::Authentication: Authenticate,
{
    /// The request.
    pub request: R,
    /// Who sent it, as far as the endpoint asks.
    pub auth: <R::Authentication as Authenticate>::Sender,
    /// Who waits for the answer.
    pub caller: Caller,
}

/// Who waits for the answer to a request.
pub(super) fn caller<T>(request: &http::Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_default()
}

impl<R: ruma::api::Metadata> std::ops::Deref for Incoming<R>
where
    R::Authentication: Authenticate,
{
    type Target = R;

    fn deref(&self) -> &R {
        &self.request
    }
}

/// An authentication scheme that this homeserver can check.
pub trait Authenticate: AuthScheme {
    /// What is known of the sender then.
    type Sender;

    /// Finds out who sent a request.
    #[allow(async_fn_in_trait, reason = "everything here runs on one thread")]
    async fn authenticate(server: &Homeserver, request: &http::Request<()>)
    -> Result<Self::Sender>;

    /// The session of the sender, if there is one.
    fn session(_: &Self::Sender) -> Option<&Session> {
        None
    }
}

impl Authenticate for NoAuthentication {
    type Sender = ();

    async fn authenticate(_: &Homeserver, _: &http::Request<()>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for NoAccessToken {
    type Sender = ();

    async fn authenticate(_: &Homeserver, _: &http::Request<()>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for AccessToken {
    type Sender = Session;

    async fn authenticate(server: &Homeserver, request: &http::Request<()>) -> Result<Session> {
        let token = Self::extract_authentication(request).map_err(|_| Error::missing_token())?;
        let session = server.users.session(&token).await?;
        moderation::check_lock(&session, request)?;
        Ok(session)
    }

    fn session(sender: &Session) -> Option<&Session> {
        Some(sender)
    }
}

/// There are no application services here, so a token says nothing to these endpoints.
impl Authenticate for AppserviceTokenOptional {
    type Sender = ();

    async fn authenticate(_: &Homeserver, _: &http::Request<()>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for AccessTokenOptional {
    type Sender = Option<Session>;

    async fn authenticate(
        server: &Homeserver,
        request: &http::Request<()>,
    ) -> Result<Option<Session>> {
        match Self::extract_authentication(request) {
            Ok(Some(token)) => {
                let session = server.users.session(&token).await?;
                moderation::check_lock(&session, request)?;
                Ok(Some(session))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(Error::missing_token()),
        }
    }

    fn session(sender: &Option<Session>) -> Option<&Session> {
        sender.as_ref()
    }
}
