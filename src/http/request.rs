//! A request as a handler gets it: authenticated and parsed.

use bytes::Bytes;
use http::Method;
use ruma::api::{IncomingRequest, Metadata, error::DeserializationError};

use super::{Api, Authenticate};
use crate::{Error, Result, platform::Caller};

/// A parsed request with who sent it. Derefs to the request.
pub struct Incoming<A: Api, R: Metadata>
where
    R::Authentication: Authenticate<A>,
{
    /// The request.
    pub request: R,
    /// Who sent it, as far as the endpoint asks.
    pub auth: <R::Authentication as Authenticate<A>>::Sender,
    /// Who waits for the answer.
    pub caller: Caller,
}

impl<A: Api, R: Metadata> std::ops::Deref for Incoming<A, R>
where
    R::Authentication: Authenticate<A>,
{
    type Target = R;

    fn deref(&self) -> &R {
        &self.request
    }
}

/// A request as it was sent, for handlers that keep or heed what ruma does not know of it.
pub struct Sent {
    /// Its method, target and headers.
    pub head: http::Request<()>,
    /// Its body.
    pub body: Bytes,
}

/// Who waits for the answer to a request.
pub fn caller<T>(request: &http::Request<T>) -> Caller {
    request.extensions().get().cloned().unwrap_or_default()
}

/// Parses a request.
///
/// # Errors
/// 400 `M_NOT_JSON`, `M_BAD_JSON` or `M_INVALID_PARAM`.
pub fn parse<R: IncomingRequest>(
    head: &http::Request<()>,
    body: &[u8],
    args: &[String],
) -> Result<R> {
    let (request, args) = to_parse(&R::METHOD, head, body, args);
    R::try_from_http_request_inner(request, &args).map_err(unparsable)
}

/// A request in the form that ruma parses.
fn to_parse<'a>(
    method: &Method,
    head: &http::Request<()>,
    body: &'a [u8],
    args: &'a [String],
) -> (http::Request<&'a [u8]>, Vec<&'a str>) {
    // Clients leave out empty bodies, where the specification says an empty object.
    let body = if body.is_empty() && *method != Method::GET { b"{}" } else { body };
    let mut request = http::Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = head.uri().clone();
    *request.headers_mut() = head.headers().clone();
    (request, args.iter().map(String::as_str).collect())
}

fn unparsable(cause: DeserializationError) -> Error {
    match cause {
        DeserializationError::Json(cause) if cause.is_data() => Error::bad_json(cause),
        DeserializationError::Json(cause) => Error::not_json(cause.to_string()),
        cause => Error::invalid_param(cause.to_string()),
    }
}

/// The first value of a parameter of a query or a form.
pub fn parameter(pairs: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(pairs).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
