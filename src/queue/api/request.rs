//! A request to the API, read as strictly as nats-server with `strict` reads it.

use serde::de::DeserializeOwned;

use crate::queue::{
    broker::CoreMessage,
    error::{Error, Result},
    headers::Headers,
    json::Json,
    server::API_LEVEL,
};

/// The level of the API that the client needs. ADR-44
const REQUIRED_API_LEVEL: &str = "Nats-Required-Api-Level";

/// Whether the API level that the headers of a request ask for is there.
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

    /// The tokens of the subject after `$JS.API`.
    pub(super) fn tokens(&self) -> Vec<&str> {
        self.message.subject.split('.').skip(2).collect()
    }

    /// Refuses a request for an API level that is not there.
    pub(super) fn check_level(&self) -> Result<()> {
        match is_known_level(&self.message.headers) {
            true => Ok(()),
            false => Err(Error::REQUIRED_API_LEVEL),
        }
    }

    /// Refuses a payload that is not empty.
    pub(super) fn check_empty(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::NOT_EMPTY_REQUEST) }
    }

    /// Whether there is no payload, or an object without fields.
    pub(super) fn is_empty(&self) -> bool {
        let payload = &*self.message.payload;
        payload.is_empty() || Json::read(payload).is_ok_and(|json| json.is_empty_object())
    }

    /// The payload; the default when there is none.
    pub(super) fn parse<T: DeserializeOwned + Default>(&self) -> Result<T> {
        Ok(self.read()?.map(Json::parse_strictly).transpose()?.unwrap_or_default())
    }

    /// The same, with unknown fields ignored.
    pub(super) fn parse_leniently<T: DeserializeOwned + Default>(&self) -> Result<T> {
        Ok(self.read()?.map(Json::parse).transpose()?.unwrap_or_default())
    }

    /// The payload if it is an object, else the default.
    pub(super) fn parse_options<T: DeserializeOwned + Default>(&self) -> Result<T> {
        match self.message.payload.trim_ascii_start().first() {
            Some(b'{' | b'[') => self.parse(),
            _ => Ok(T::default()),
        }
    }

    /// The payload, and its field `pedantic`, which is not part of the configuration.
    pub(super) fn parse_pedantic<T: DeserializeOwned + Default>(&self) -> Result<(T, bool)> {
        let Some(mut json) = self.read()? else { return Ok((T::default(), false)) };
        let flag = json.take("pedantic");
        let parsed = json.parse_strictly()?;
        Ok((parsed, flag.map(Json::parse).transpose()?.unwrap_or_default()))
    }

    fn read(&self) -> Result<Option<Json>> {
        match &*self.message.payload {
            b"" => Ok(None),
            payload => Ok(Some(Json::read(payload)?)),
        }
    }
}
