//! Pages for what a client can't do itself. spec: client-server §Login Fallback, §Fallback
//!
//! They bring all that they need: no page loads anything.

mod login;
mod stages;

use http::Response;

use super::Routes;
use crate::{
    Result,
    http::{Body, headers},
    platform,
};

pub(super) fn routes(routes: &mut Routes) {
    login::routes(routes);
    stages::routes(routes);
}

/// A page with a heading, some HTML, and a script that runs when all is there.
fn page(title: &str, body: &str, script: &str) -> Result<Response<Body>> {
    let nonce = platform::random_string(24);
    // In this order: what comes in last is not looked through for names.
    let html = include_str!("page.html")
        .replace("{nonce}", &nonce)
        .replace("{title}", title)
        .replacen("{script}", script, 1)
        .replacen("{body}", body, 1);
    let mut response = Response::new(Body::from(html.into_bytes()));
    *response.headers_mut() = headers::of_page(&nonce)?;
    Ok(response)
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
