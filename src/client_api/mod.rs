//! HTTP as the specification has it: one file for each module of the Client-Server API.

mod account;
mod account_data;
mod body;
mod capabilities;
mod devices;
mod events;
mod filter;
mod incoming;
mod keys;
mod media;
mod membership;
mod pagination;
mod presence;
mod profile;
mod readable;
mod receipts;
mod registration;
mod relations;
mod reporting;
mod room;
mod router;
mod session;
mod spaces;
mod state;
mod sync;
mod timeline;
mod to_device;
mod typing;
mod uia;
mod versions;
mod well_known;

pub use self::{
    body::Body,
    incoming::{Authenticate, Incoming},
    router::Router,
};

/// The router with every endpoint.
pub(crate) fn router() -> Router {
    let mut router = Router::new();
    account::routes(&mut router);
    account_data::routes(&mut router);
    capabilities::routes(&mut router);
    devices::routes(&mut router);
    events::routes(&mut router);
    filter::routes(&mut router);
    keys::routes(&mut router);
    media::routes(&mut router);
    membership::routes(&mut router);
    presence::routes(&mut router);
    profile::routes(&mut router);
    receipts::routes(&mut router);
    registration::routes(&mut router);
    relations::routes(&mut router);
    reporting::routes(&mut router);
    room::routes(&mut router);
    session::routes(&mut router);
    spaces::routes(&mut router);
    state::routes(&mut router);
    sync::routes(&mut router);
    timeline::routes(&mut router);
    to_device::routes(&mut router);
    typing::routes(&mut router);
    versions::routes(&mut router);
    well_known::routes(&mut router);
    router.finish()
}
