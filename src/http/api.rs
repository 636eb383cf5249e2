//! What an API has to say for itself, beside its handlers.

use std::{any::TypeId, future::Future};

use ruma::api::auth_scheme::AuthScheme;

use super::{Body, Endpoint, Scheme};
use crate::Result;

/// One of the APIs of the homeserver: how it finds out who sends a request, and whom it lets in.
pub trait Api: Sized + 'static {
    /// What its handlers work on.
    type Services: 'static;

    /// What it knows of the sender of a request that it has let in.
    type Sender: 'static;

    /// The most bytes in the body of a request of this type; of one that ruma has no type for, when
    /// there is none.
    fn max_body(request: Option<TypeId>) -> u64;

    /// Lets a request in, and says who sent it. It gets the request as it came, with the target
    /// byte for byte and the whole body, which signatures of other servers cover; the body is no
    /// larger than [`Api::max_body`], and was not read yet.
    ///
    /// # Errors
    /// When the sender may not do this, or has done it too often.
    fn admit(
        services: &Self::Services,
        endpoint: &Endpoint,
        request: &http::Request<Body>,
    ) -> impl Future<Output = Result<Self::Sender>>;
}

/// One of ruma's authentication schemes, as an API has it.
pub trait Authenticate<A: Api>: AuthScheme {
    /// What handlers learn about the sender.
    type Sender;

    /// Who has to authenticate.
    const SCHEME: Scheme;

    /// The sender, of those whom the API has let in.
    ///
    /// # Errors
    /// When the scheme requires a sender and there is none.
    fn sender(known: A::Sender) -> Result<Self::Sender>;
}
