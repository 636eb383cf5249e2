//! The headers that responses have beside what the endpoint says: in one place, so that none is
//! without those that keep browsers from taking it for something else.

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::Body;
use crate::{Error, Result};

type Table<const N: usize> = [(HeaderName, &'static str); N];

/// Every response has these, unless it says otherwise.
const EVERY: Table<7> = [
    // spec: client-server §Web Browser Clients
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"),
    // What somebody uploaded as text is no script of this origin.
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Tokens, keys and messages are nothing for a cache.
    (header::CACHE_CONTROL, "no-store"),
    // Opened as a page or in a frame, JSON shows and does nothing.
    (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'"),
];

/// What users have uploaded. spec: client-server §Content repository
const MEDIA: Table<3> = [
    // Media never changes, but who may see it can.
    (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
    (
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
         style-src 'unsafe-inline'; object-src 'self';",
    ),
    // Clients of other origins show it.
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
];

/// Gives a response the headers that every response has.
pub fn complete(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in EVERY {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The headers of a file.
pub fn of_media() -> HeaderMap {
    MEDIA.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect()
}

/// The headers of a page that runs the scripts and has the styles with this nonce, and no others.
///
/// # Errors
/// When the nonce can't be in a header.
pub fn of_page(nonce: &str) -> Result<HeaderMap> {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).map_err(Error::internal)?;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Ok(HeaderMap::from_iter([
        (header::CONTENT_TYPE, html),
        // The service worker knows the page's own form by its referrer.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CONTENT_SECURITY_POLICY, policy),
    ]))
}
