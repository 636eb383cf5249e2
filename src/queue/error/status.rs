//! Statuses: what clients get on a reply subject where there is no message for it.

use std::{
    borrow::Cow,
    fmt::{Display, Formatter, Result},
};

use bytes::Bytes;

use super::refusal::Error;

/// A status, as nats-server words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::queue) struct Status {
    pub(super) code: u16,
    pub(super) description: Cow<'static, str>,
}

impl Status {
    /// The header block that is this status.
    pub(in crate::queue) fn block(&self) -> Bytes {
        self.block_with(&[])
    }

    /// The same with more headers.
    pub(in crate::queue) fn block_with(&self, headers: &[(&str, &dyn Display)]) -> Bytes {
        let mut block = format!("NATS/1.0 {self}\r\n");
        for (name, value) in headers {
            block.push_str(&format!("{name}: {value}\r\n"));
        }
        block.push_str("\r\n");
        block.into()
    }
}

impl Display for Status {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        match &*self.description {
            "" => write!(to, "{}", self.code),
            description => write!(to, "{} {description}", self.code),
        }
    }
}

impl From<&Error> for Status {
    fn from(cause: &Error) -> Self {
        Self { code: cause.code, description: cause.description.clone() }
    }
}
