//! A page that logs in. spec: client-server §Login Fallback

use futures::FutureExt;
use http::Method;

use super::{super::Router, page};

pub(super) fn routes(router: &mut Router) {
    router.add_raw(Method::GET, "/_matrix/static/client/login", |_, _, _| {
        async { page("Sign in", include_str!("login.html"), include_str!("login.js")) }
            .boxed_local()
    });
}
