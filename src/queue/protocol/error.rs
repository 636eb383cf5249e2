//! What a client is told in `-ERR`, worded as nats-server does.

use std::rc::Rc;

/// Why a client is refused something. All but the first four end its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A subscription's subject is malformed.
    #[error("Invalid Subject")]
    InvalidSubject,
    /// The subject of a message is malformed.
    #[error("Invalid Publish Subject")]
    InvalidPublishSubject,
    /// A queue group's name can't be read.
    #[error("Invalid Queue Name")]
    InvalidQueueName,
    /// A subject that clients may not publish to.
    #[error("Permissions Violation for Publish to {0:?}")]
    PublishForbidden(Rc<str>),
    /// No such command, or a message that does not end where it says.
    #[error("Unknown Protocol Operation")]
    UnknownOperation,
    /// A command without what it needs.
    #[error("Parser Error")]
    Parser,
    /// A line that is too long.
    #[error("maximum control line exceeded")]
    MaxControlLine,
    /// A message that is too large.
    #[error("Maximum Payload Violation")]
    MaxPayload,
    /// Headers from a client that has not said that it knows them.
    #[error("message headers not supported")]
    HeadersNotSupported,
    /// A client that wants to be told with headers, which it does not know.
    #[error("no responders requires headers support")]
    NoRespondersRequiresHeaders,
    /// It takes what it is sent too slowly.
    #[error("Slow Consumer")]
    SlowConsumer,
    /// It does not answer.
    #[error("Stale Connection")]
    Stale,
}

impl Error {
    /// Whether the connection goes on.
    pub fn is_harmless(&self) -> bool {
        matches!(
            self,
            Self::InvalidSubject
                | Self::InvalidPublishSubject
                | Self::InvalidQueueName
                | Self::PublishForbidden(_)
        )
    }
}
