//! A page that logs in. spec: client-server §Login Fallback

use http::{Method, Request, Response};

use super::{super::Routes, page};
use crate::{Result, Services, http::Body};

pub(super) fn routes(routes: &mut Routes) {
    routes.add_raw(Method::GET, "/_matrix/static/client/login", get_page);
}

/// `GET /_matrix/static/client/login/`
async fn get_page(_: &Services, _: Request<Body>, _: Vec<String>) -> Result<Response<Body>> {
    page("Sign in", include_str!("login.html"), include_str!("login.js"))
}
