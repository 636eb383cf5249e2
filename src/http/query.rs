//! Queries and forms, of requests that ruma has no type for.

/// The first value of a parameter.
pub(crate) fn parameter(pairs: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(pairs).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
