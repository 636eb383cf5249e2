//! Pages for what a client can't do itself. spec: client-server §Login Fallback, §Fallback
//!
//! They bring all that they need: no page loads anything.

mod login;
mod stages;

use http::{HeaderMap, HeaderValue, Response, header};

use super::{Body, Router};
use crate::{Error, Result, platform};

pub(super) fn routes(router: &mut Router) {
    login::routes(router);
    stages::routes(router);
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
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(html.into_bytes()));
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = HeaderValue::try_from(policy).map_err(Error::internal)?;
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
