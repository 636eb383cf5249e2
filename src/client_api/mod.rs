//! HTTP as the specification has it: one file for each module of the Client-Server API.

mod body;
mod incoming;
mod media;
mod router;
mod versions;

pub use self::{
    body::Body,
    incoming::{Authenticate, Incoming},
    router::Router,
};

/// The router with every endpoint.
pub(crate) fn router() -> Router {
    let mut router = Router::new();
    media::routes(&mut router);
    versions::routes(&mut router);
    router.finish()
}
