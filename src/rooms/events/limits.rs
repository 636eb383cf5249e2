//! What an event may be at most, whoever made it: what is kept, every reader can read, wherever it
//! is put. spec: client-server §Size limits

use ruma::{CanonicalJsonObject, CanonicalJsonValue};
use serde_json::value::RawValue;

use crate::{Error, Result, json};

/// How many bytes an event has, with hashes and signatures.
const MAX_SIZE: usize = 65_535;
/// How many bytes its sender, room, type and state key have each.
const MAX_MEMBER_SIZE: usize = 255;
/// The event around its content is one level more.
const MAX_DEPTH: usize = json::MAX_CONTENT_DEPTH + 1;

/// The JSON of an event that keeps to the limits.
///
/// # Errors
/// 413 `M_TOO_LARGE` for one that is too large, 400 `M_BAD_JSON` for one that not every reader could
/// read.
pub(in crate::rooms) fn written(event: &CanonicalJsonObject) -> Result<Box<RawValue>> {
    let json = serde_json::value::to_raw_value(event).map_err(Error::internal)?;
    if json.get().len() > MAX_SIZE {
        return Err(too_large());
    }
    for member in ["sender", "room_id", "type", "state_key"] {
        if let Some(CanonicalJsonValue::String(value)) = event.get(member)
            && value.len() > MAX_MEMBER_SIZE
        {
            return Err(Error::too_large(format!("{member} is larger than 255 bytes")));
        }
    }
    json::check(json.get().as_bytes(), MAX_DEPTH)?;
    Ok(json)
}

/// 413 `M_TOO_LARGE`
pub(in crate::rooms) fn too_large() -> Error {
    Error::too_large("The event is larger than 65535 bytes")
}
