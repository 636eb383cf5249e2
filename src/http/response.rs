//! The responses to requests.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use ruma::api::{
    OutgoingBody, OutgoingResponse, OutgoingResponseExt, client::uiaa::UiaaInfo,
    error::IntoHttpError,
};
use serde::Serialize;

use super::{Body, headers};
use crate::{Error, Result};

/// Writes a response.
///
/// # Errors
/// When it has what can't be in a response.
pub fn respond<T: OutgoingResponse>(response: T) -> Result<http::Response<Body>> {
    let (parts, body) = response.try_into_http_response_inner().map_err(unwritable)?.into_parts();
    let content_type = body.content_type();
    let body: Vec<u8> = body.try_into_buf().map_err(|cause| unwritable(cause.into()))?;
    Ok(written(parts, content_type, body))
}

fn written(
    parts: http::response::Parts,
    content_type: Option<HeaderValue>,
    body: Vec<u8>,
) -> http::Response<Body> {
    let mut response = http::Response::from_parts(parts, Body::from(body));
    if let Some(content_type) = content_type {
        response.headers_mut().entry(header::CONTENT_TYPE).or_insert(content_type);
    }
    response
}

fn unwritable(cause: IntoHttpError) -> Error {
    Error::internal(cause)
}

/// A success with a body of JSON, for what ruma has no type for.
///
/// # Errors
/// When the body has no JSON form.
pub fn json_response(body: &impl Serialize) -> Result<http::Response<Body>> {
    let body = serde_json::to_vec(body).map_err(Error::internal)?;
    let mut response = http::Response::new(Body::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// What is missing of User-Interactive Authentication. Which stages are completed is told also where
/// it is none: ruma leaves an empty list out.
fn unauthenticated(info: &UiaaInfo) -> Result<http::Response<Bytes>> {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        info: &'a UiaaInfo,
        #[serde(skip_serializing_if = "Option::is_none")]
        completed: Option<[(); 0]>,
    }
    let completed = info.completed.is_empty().then_some([]);
    let body = serde_json::to_vec(&Told { info, completed }).map_err(Error::internal)?;
    let mut response = http::Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// The response to a request that came to nothing.
pub fn refusal(error: Error) -> http::Response<Body> {
    headers::complete(error.into_response().map(Body::from))
}

impl Error {
    /// The response that says this.
    pub fn into_response(self) -> http::Response<Bytes> {
        let response = match self {
            Self::Damaged(cause) => return Self::internal(cause).into_response(),
            Self::Matrix(error) => error.try_into_http_response::<Vec<u8>>(),
            Self::Uiaa(info) => return unauthenticated(&info).unwrap_or_else(Self::into_response),
        };
        match response {
            Ok(response) => response.map(Bytes::from),
            Err(cause) => {
                tracing::error!(
                    target: "neurite::homeserver",
                    "an error response can't be written: {cause}"
                );
                let mut response = http::Response::new(Bytes::from_static(
                    br#"{"errcode":"M_UNKNOWN","error":"the error can't be written"}"#,
                ));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
