//! A request as a handler gets it: parsed and authenticated.

use ruma::api::auth_scheme::{
    AccessToken, AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken,
    NoAuthentication,
};

use crate::{Error, Homeserver, Result, client_api::moderation, platform::Caller, users::Session};

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
pub(crate) fn caller<T>(request: &http::Request<T>) -> Caller {
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

/// Who is asked for an access token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Nobody. There are no application services here, so that a token of one says nothing.
    Anyone,
    /// Those who send one.
    Optional,
    /// Everybody.
    Required,
}

/// An authentication scheme that this homeserver can check.
pub trait Authenticate: AuthScheme {
    /// What is known of the sender then.
    type Sender;

    /// The scheme as a value.
    const SCHEME: Scheme;

    /// The sender by their session.
    ///
    /// # Errors
    /// 401 `M_MISSING_TOKEN` when the scheme requires a session and there is none.
    fn sender(session: Option<Session>) -> Result<Self::Sender>;

    /// Finds out who sent a request.
    #[allow(async_fn_in_trait, reason = "everything here runs on one thread")]
    async fn authenticate(
        server: &Homeserver,
        request: &http::Request<()>,
    ) -> Result<Self::Sender> {
        Self::sender(session(server, request, Self::SCHEME).await?)
    }
}

impl Authenticate for NoAuthentication {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for NoAccessToken {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for AppserviceTokenOptional {
    type Sender = ();
    const SCHEME: Scheme = Scheme::Anyone;

    fn sender(_: Option<Session>) -> Result<()> {
        Ok(())
    }
}

impl Authenticate for AccessToken {
    type Sender = Session;
    const SCHEME: Scheme = Scheme::Required;

    fn sender(session: Option<Session>) -> Result<Session> {
        session.ok_or_else(Error::missing_token)
    }
}

impl Authenticate for AccessTokenOptional {
    type Sender = Option<Session>;
    const SCHEME: Scheme = Scheme::Optional;

    fn sender(session: Option<Session>) -> Result<Option<Session>> {
        Ok(session)
    }
}

/// The session by whose access token a request was sent.
pub(crate) async fn session(
    server: &Homeserver,
    request: &http::Request<()>,
    scheme: Scheme,
) -> Result<Option<Session>> {
    if scheme == Scheme::Anyone {
        return Ok(None);
    }
    let token = AccessTokenOptional::extract_authentication(request);
    let Some(token) = token.map_err(|_| Error::missing_token())? else {
        return match scheme {
            Scheme::Required => Err(Error::missing_token()),
            _ => Ok(None),
        };
    };
    let session = server.users.session(&token).await?;
    moderation::check_lock(&session, request)?;
    Ok(Some(session))
}
