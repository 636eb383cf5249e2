//! HTTP, for all APIs of the homeserver alike: requests, bodies, how requests are authenticated and
//! errors told, headers, limits, and the router.

mod api;
pub mod bodies;
mod body;
mod endpoint;
mod handler;
pub mod headers;
mod limits;
mod request;
mod response;
mod router;
mod routes;

pub use self::{
    api::{Api, Authenticate},
    body::Body,
    endpoint::{Endpoint, Scheme},
    handler::{admit, endpoint},
    limits::{Limit, RateLimits},
    request::{Incoming, Sent, caller, parameter, parse},
    response::{json_response, refusal, respond},
    router::{Builder, Router},
    routes::Routes,
};
