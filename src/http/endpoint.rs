//! What is known of an endpoint without the types of its requests and responses.

use std::any::TypeId;

use http::Method;

/// Who has to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Nobody.
    Anyone,
    /// Those who want to.
    Optional,
    /// Everybody.
    Required,
}

/// What is known of an endpoint.
pub struct Endpoint {
    /// The type of its requests.
    pub request: TypeId,
    /// Their method.
    pub method: Method,
    /// Who has to authenticate.
    pub scheme: Scheme,
}
