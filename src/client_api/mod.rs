//! HTTP as the specification has it: one file for each module of the Client-Server API.

mod account;
mod body;
mod incoming;
mod media;
mod registration;
mod router;
mod session;
mod uia;
mod versions;

pub use self::{
    body::Body,
    incoming::{Authenticate, Incoming},
    router::Router,
};

/// The router with every endpoint.
pub(crate) fn router() -> Router {
    let mut router = Router::new();
    account::routes(&mut router);
    media::routes(&mut router);
    registration::routes(&mut router);
    session::routes(&mut router);
    versions::routes(&mut router);
    router.finish()
}
