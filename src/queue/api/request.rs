//! A request to the API, read as strictly as nats-server with `strict` reads it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::queue::{
    CoreMessage, Headers,
    error::{Error, Result},
    protocol::API_LEVEL,
};

/// The level of the API that the client needs. ADR-44
const REQUIRED_API_LEVEL: &str = "Nats-Required-Api-Level";

/// Whether the headers of a request ask for no more than there is.
pub(in crate::queue) fn is_known_level(headers: &[u8]) -> bool {
    if headers.is_empty() {
        return true;
    }
    let level = Headers::decode(headers).get(REQUIRED_API_LEVEL).map(str::parse::<u32>);
    level.is_none_or(|level| level.is_ok_and(|level| level <= API_LEVEL))
}

pub(super) struct Request {
    pub(super) message: CoreMessage,
}

impl Request {
    pub(super) fn new(message: &CoreMessage) -> Self {
        Self { message: message.clone() }
    }

    /// What comes after `$JS.API`.
    pub(super) fn tokens(&self) -> Vec<&str> {
        self.message.subject.split('.').skip(2).collect()
    }

    /// Refuses what asks for more than there is.
    pub(super) fn check_level(&self) -> Result<()> {
        match is_known_level(&self.message.headers) {
            true => Ok(()),
            false => Err(Error::REQUIRED_API_LEVEL),
        }
    }

    /// Refuses a payload that says something.
    pub(super) fn check_empty(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::NOT_EMPTY_REQUEST) }
    }

    /// Whether there is no payload, or an object without fields.
    pub(super) fn is_empty(&self) -> bool {
        let payload = &*self.message.payload;
        payload.is_empty()
            || serde_json::from_slice::<Value>(payload)
                .is_ok_and(|value| value.as_object().is_some_and(serde_json::Map::is_empty))
    }

    /// The payload; the default when there is none.
    pub(super) fn parse<T: DeserializeOwned + Default>(&self) -> Result<T> {
        parse(&self.message.payload)
    }

    /// The payload where it is an object; anything else is as good as none.
    pub(super) fn parse_options<T: DeserializeOwned + Default>(&self) -> Result<T> {
        match self.message.payload.trim_ascii_start().first() {
            Some(b'{' | b'[') => self.parse(),
            _ => Ok(T::default()),
        }
    }

    /// The payload, and the flag beside it that is part of the request only.
    pub(super) fn parse_pedantic<T: DeserializeOwned + Default>(&self) -> Result<(T, bool)> {
        if self.message.payload.is_empty() {
            return Ok((T::default(), false));
        }
        let mut value = read(&self.message.payload)?;
        let flag = value.as_object_mut().and_then(|fields| fields.remove("pedantic"));
        Ok((strictly(value)?, flag.map(strictly).transpose()?.unwrap_or_default()))
    }
}

/// JSON without unknown fields; the default when there is nothing.
pub(super) fn parse<T: DeserializeOwned + Default>(payload: &[u8]) -> Result<T> {
    if payload.is_empty() {
        return Ok(T::default());
    }
    strictly(read(payload)?)
}

/// JSON whose unknown fields are let be; the default when there is nothing.
pub(super) fn lenient<T: DeserializeOwned + Default>(payload: &[u8]) -> Result<T> {
    if payload.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_value(read(payload)?).map_err(Error::invalid_json)
}

fn read(payload: &[u8]) -> Result<Value> {
    let mut value = serde_json::from_slice(payload).map_err(Error::invalid_json)?;
    leave_out_nulls(&mut value);
    Ok(value)
}

fn strictly<T: DeserializeOwned>(value: Value) -> Result<T> {
    let mut unknown = None;
    let parsed = serde_ignored::deserialize(value, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    });
    match (unknown, parsed) {
        (Some(path), _) => {
            let field = path.rsplit('.').next().unwrap_or(&path);
            Err(Error::invalid_json(format!("json: unknown field {field:?}")))
        }
        (None, parsed) => parsed.map_err(Error::invalid_json),
    }
}

/// To a program in Go, `null` says the same as no field.
fn leave_out_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(leave_out_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(leave_out_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Outer {
        inner: Inner,
        number: u64,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Inner {
        name: String,
    }

    #[test]
    fn unknown_fields_are_refused_wherever_they_are() {
        let parsed = parse::<Outer>(br#"{"inner":{"name":null},"number":7}"#);
        assert_eq!(parsed, Ok(Outer { number: 7, ..Outer::default() }));
        assert_eq!(parse::<Outer>(b""), Ok(Outer::default()));
        let refused = parse::<Outer>(br#"{"inner":{"nam":1}}"#).unwrap_err();
        assert_eq!(refused.err_code, 10025);
        assert_eq!(refused.description, r#"invalid JSON: json: unknown field "nam""#);
        assert_eq!(parse::<Outer>(b"{").unwrap_err().err_code, 10025);
        assert_eq!(parse::<Outer>(br#"{"number":"a"}"#).unwrap_err().err_code, 10025);
    }
}
