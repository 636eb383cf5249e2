//! The errors of the homeserver: what a client is told.

use std::time::Duration;

use http::StatusCode;
use ruma::api::{
    client::uiaa::UiaaInfo,
    error::{ErrorBody, ErrorKind, LimitExceededErrorData, RetryAfter, StandardErrorBody},
};

use crate::{json::Unreadable, platform::UnreadableBlob, store};

/// An answer other than success, in the form that the specification gives it.
#[derive(Clone, Debug)]
pub enum Error {
    /// A standard error response. spec: client-server §Standard error response
    Matrix(Box<ruma::api::error::Error>),
    /// More authentication is needed. spec: client-server §User-Interactive Authentication API
    Uiaa(Box<UiaaInfo>),
    /// Stored records that are damaged: a client is told 500 `M_UNKNOWN`.
    Damaged(store::Error),
}

/// A result of the homeserver.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of any kind.
    pub fn new(status: StatusCode, kind: ErrorKind, message: impl Into<String>) -> Self {
        let body = ErrorBody::Standard(StandardErrorBody::new(kind, message.into()));
        Self::Matrix(Box::new(ruma::api::error::Error::new(status, body)))
    }

    /// 403 `M_FORBIDDEN`
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, message)
    }

    /// 404 `M_NOT_FOUND`
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, message)
    }

    /// 400 `M_INVALID_PARAM`
    pub fn invalid_param(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidParam, message)
    }

    /// 400 `M_MISSING_PARAM`
    pub fn missing_param(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::MissingParam, message)
    }

    /// 400 `M_BAD_JSON`
    pub fn bad_json(message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::BadJson, message.to_string())
    }

    /// 400 `M_NOT_JSON`
    pub fn not_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorKind::NotJson, message)
    }

    /// 400 `M_INVALID_SIGNATURE`
    pub fn invalid_signature(message: impl Into<String>) -> Self {
        let body = serde_json::json!({ "errcode": "M_INVALID_SIGNATURE", "error": message.into() });
        let body = ErrorBody::Json(body);
        Self::Matrix(Box::new(ruma::api::error::Error::new(StatusCode::BAD_REQUEST, body)))
    }

    /// 413 `M_TOO_LARGE`
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::TooLarge, message)
    }

    /// 429 `M_LIMIT_EXCEEDED`, with the time after which it is worth trying again.
    pub fn limit_exceeded(retry_after: Duration) -> Self {
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(retry_after));
        let kind = ErrorKind::LimitExceeded(data);
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, "Too many requests")
    }

    /// 401 `M_MISSING_TOKEN`
    pub fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorKind::MissingToken, "No access token was given")
    }

    /// 500 `M_UNKNOWN`: a defect of the homeserver, or storage that fails.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(target: "neurite::homeserver", "internal error: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unknown, cause.to_string())
    }

    /// What is told in place of this to those who may not know so much; that the homeserver fails is
    /// told to everybody.
    pub fn hidden_by(self, told: Self) -> Self {
        match self.is_server_error() {
            true => self,
            false => told,
        }
    }

    /// The status of the response that says this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Matrix(error) => error.status_code,
            Self::Uiaa(_) => StatusCode::UNAUTHORIZED,
            Self::Damaged(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether it is the homeserver that fails, and not what it was asked.
    pub fn is_server_error(&self) -> bool {
        self.status().is_server_error()
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Matrix(error) => error.fmt(f),
            Self::Uiaa(_) => f.write_str("user-interactive authentication is required"),
            Self::Damaged(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(cause: store::Error) -> Self {
        match cause {
            // spec: client-server §Common error codes; the server has reached a resource limit.
            store::Error::QuotaExceeded => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                ErrorKind::Unknown,
                "The browser gives this homeserver no more storage",
            ),
            store::Error::Corrupt(_) | store::Error::Encoding(_) => Self::Damaged(cause),
            cause => Self::internal(cause),
        }
    }
}

impl From<Unreadable> for Error {
    fn from(cause: Unreadable) -> Self {
        match cause {
            Unreadable::NotUtf8 | Unreadable::More => Self::not_json(cause.to_string()),
            cause => Self::bad_json(cause),
        }
    }
}

impl From<UnreadableBlob> for Error {
    fn from(cause: UnreadableBlob) -> Self {
        Self::internal(cause)
    }
}
