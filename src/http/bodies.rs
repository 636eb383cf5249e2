//! The bodies of requests that are read into memory.

use bytes::Bytes;

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
/// 400 `M_BAD_JSON` for JSON that is too deep, whatever it says.
pub async fn read(body: &Body) -> Result<Bytes> {
    let body = body.bytes().await?;
    json::check(&body, json::MAX_DEPTH).map_err(Error::bad_json)?;
    Ok(body)
}
