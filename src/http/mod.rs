//! HTTP: requests, bodies, authentication, headers, limits and the router.

pub(crate) mod bodies;
mod body;
pub(crate) mod endpoint;
pub(crate) mod headers;
pub(crate) mod incoming;
pub(crate) mod limits;
pub(crate) mod query;
mod router;

pub(crate) use self::body::json_response;
pub use self::{
    body::Body,
    incoming::{Authenticate, Incoming},
    router::Router,
};
