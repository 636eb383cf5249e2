//! How much of what clients send is kept for users: there is a limit to everything, since all of it
//! is read and told again.

use serde_json::value::RawValue;

use crate::{Error, Result};

/// The bytes of an id, as the specification has it for most of them.
const ID: usize = 255;
/// The bytes of what people are told: a device's name, a status.
const TEXT: usize = 1024;
/// The bytes of what is told to others at once: a message to a device, a device's keys, a filter.
/// Events have no more either.
const PART: usize = 65_536;
/// The bytes of one of many keys, with its signatures.
const KEY: usize = 4096;
/// The bytes of one type of account data, however often it was added to.
const ACCOUNT_DATA: usize = 1 << 20;

/// An id that a client chose.
///
/// # Errors
/// 400 `M_INVALID_PARAM`
pub(crate) fn id(what: &str, id: &str) -> Result<()> {
    match id.len() > ID {
        true => Err(Error::invalid_param(format!("{what} has more than {ID} bytes"))),
        false => Ok(()),
    }
}

/// A text for people to read.
///
/// # Errors
/// 400 `M_INVALID_PARAM`
pub(crate) fn text(what: &str, text: Option<&str>) -> Result<()> {
    match text.is_some_and(|text| text.len() > TEXT) {
        true => Err(Error::invalid_param(format!("{what} has more than {TEXT} bytes"))),
        false => Ok(()),
    }
}

/// What is told to others.
///
/// # Errors
/// 413 `M_TOO_LARGE`
pub(crate) fn part(what: &str, json: &RawValue) -> Result<()> {
    size(what, json, PART)
}

/// One of many keys.
///
/// # Errors
/// 413 `M_TOO_LARGE`
pub(crate) fn key(what: &str, json: &RawValue) -> Result<()> {
    size(what, json, KEY)
}

/// What a client keeps here for itself.
///
/// # Errors
/// 413 `M_TOO_LARGE`
pub(crate) fn account_data(json: &RawValue) -> Result<()> {
    size("Account data", json, ACCOUNT_DATA)
}

fn size(what: &str, json: &RawValue, most: usize) -> Result<()> {
    match json.get().len() > most {
        true => Err(Error::too_large(format!("{what} has more than {most} bytes"))),
        false => Ok(()),
    }
}
