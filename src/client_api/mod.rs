//! HTTP as the specification has it: one file for each module of the Client-Server API.

mod account;
mod account_data;
mod admin;
mod backup;
mod bodies;
mod body;
mod capabilities;
mod devices;
mod endpoint;
mod events;
mod fallback;
mod filter;
mod guests;
mod headers;
mod incoming;
mod keys;
mod limits;
mod media;
mod membership;
mod moderation;
mod mutual_rooms;
mod old_sync;
mod openid;
mod pagination;
mod presence;
mod previews;
mod profile;
mod push;
mod push_rules;
mod query;
mod readable;
mod receipts;
mod registration;
mod relations;
mod reporting;
mod room;
mod router;
mod search;
mod session;
mod spaces;
mod state;
mod sync;
mod tags;
mod third_party_ids;
mod thirdparty;
mod timeline;
mod to_device;
mod typing;
mod uia;
mod user_directory;
mod versions;
mod voip;
mod well_known;

use self::body::json_response;
pub(crate) use self::headers::refusal;
pub(crate) use self::limits::RateLimits;
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
    admin::routes(&mut router);
    backup::routes(&mut router);
    capabilities::routes(&mut router);
    devices::routes(&mut router);
    events::routes(&mut router);
    fallback::routes(&mut router);
    filter::routes(&mut router);
    keys::routes(&mut router);
    media::routes(&mut router);
    membership::routes(&mut router);
    mutual_rooms::routes(&mut router);
    old_sync::routes(&mut router);
    openid::routes(&mut router);
    presence::routes(&mut router);
    previews::routes(&mut router);
    profile::routes(&mut router);
    push::routes(&mut router);
    push_rules::routes(&mut router);
    receipts::routes(&mut router);
    registration::routes(&mut router);
    relations::routes(&mut router);
    reporting::routes(&mut router);
    room::routes(&mut router);
    search::routes(&mut router);
    session::routes(&mut router);
    spaces::routes(&mut router);
    state::routes(&mut router);
    sync::routes(&mut router);
    tags::routes(&mut router);
    third_party_ids::routes(&mut router);
    thirdparty::routes(&mut router);
    timeline::routes(&mut router);
    to_device::routes(&mut router);
    typing::routes(&mut router);
    user_directory::routes(&mut router);
    versions::routes(&mut router);
    voip::routes(&mut router);
    well_known::routes(&mut router);
    router.finish()
}
