//! The bodies of requests that are read into memory.

use bytes::Bytes;
use http::Method;
use ruma::serde::JsonObject;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Body;
use crate::{Error, Result, json};

/// The most bytes of a body, where an API says nothing else.
pub const MAX_BODY: u64 = 1 << 20;

/// Refuses a body of more bytes than this.
///
/// # Errors
/// 413 `M_TOO_LARGE`
pub(super) fn check_size(body: &Body, most: u64) -> Result<()> {
    match body.len() > most {
        true => Err(Error::too_large(format!("The body has more than {most} bytes"))),
        false => Ok(()),
    }
}

/// All of a body in memory; it may be no JSON.
///
/// # Errors
/// 400 `M_BAD_JSON` or `M_NOT_JSON` for JSON that not every reader could parse, whatever it says.
pub async fn read(body: &Body) -> Result<Bytes> {
    let body = body.bytes().await?;
    json::check(&body, json::MAX_DEPTH)?;
    Ok(body)
}

/// The body of a request, which is a JSON object; where it is left out, it is an empty one.
///
/// # Errors
/// As [`read`], and 400 `M_BAD_JSON` or `M_NOT_JSON` for anything else.
pub async fn object(request: &http::Request<Body>) -> Result<JsonObject> {
    let body = read(request.body()).await?;
    check_form(request.method(), &body)?;
    parse(&body)
}

/// The object that was read as a body, or an empty one where it was left out.
///
/// # Errors
/// 400 `M_BAD_JSON` or `M_NOT_JSON`
pub fn parse(body: &[u8]) -> Result<JsonObject> {
    if body.is_empty() {
        return Ok(JsonObject::new());
    }
    check_object(body)?;
    serde_json::from_slice(body).map_err(|cause| Error::not_json(cause.to_string()))
}

/// Refuses what can't be the body of a request of a method.
///
/// # Errors
/// 400 `M_BAD_JSON` or `M_NOT_JSON`
pub(super) fn check_form(method: &Method, body: &[u8]) -> Result<()> {
    match *method {
        Method::GET => Ok(()),
        // What is put somewhere is never nothing: the specification requires the body of each PUT,
        // where many a POST can do without.
        Method::PUT if body.is_empty() => Err(Error::not_json("The request has no body")),
        _ if body.is_empty() => Ok(()),
        _ => check_object(body),
    }
}

/// Refuses an object in which a member that is to be a text is something else; one that is null is
/// as good as left out.
///
/// # Errors
/// 400 `M_BAD_JSON`
pub fn check_texts(object: &JsonObject, members: &[&str]) -> Result<()> {
    let is_text = |value: &Value| value.is_string() || value.is_null();
    match members.iter().find(|name| !object.get(**name).is_none_or(is_text)) {
        Some(name) => Err(Error::bad_json(format!("{name} is not a string"))),
        None => Ok(()),
    }
}

/// Refuses what is no object, which every JSON body of Matrix is: types of requests that need no
/// member take a list for one.
///
/// # Errors
/// 400 `M_BAD_JSON` for other JSON, 400 `M_NOT_JSON` for what is none.
fn check_object(body: &[u8]) -> Result<()> {
    if body.trim_ascii_start().starts_with(b"{") {
        return Ok(());
    }
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Err(Error::bad_json("The body is not an object")),
        Err(cause) => Err(Error::not_json(cause.to_string())),
    }
}
