//! The answer to a publish.

use std::rc::Rc;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// The answer to a publish, true once its batch is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PubAck {
    /// The stream.
    pub stream: Rc<str>,
    /// The sequence number of the message.
    pub sequence: u64,
    /// Whether a message of that id was stored before; `sequence` is its number then.
    pub duplicate: bool,
    /// The total of the counter. ADR-49
    pub value: Option<String>,
    /// The atomic or fast batch that ends with the message, and how many messages that has. ADR-50
    pub batch: Option<(Rc<str>, u64)>,
}

impl Serialize for PubAck {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("stream", &self.stream)?;
        map.serialize_entry("seq", &self.sequence)?;
        if self.duplicate {
            map.serialize_entry("duplicate", &true)?;
        }
        if let Some(value) = &self.value {
            map.serialize_entry("val", value)?;
        }
        if let Some((batch, count)) = &self.batch {
            map.serialize_entry("batch", batch)?;
            map.serialize_entry("count", count)?;
        }
        map.end()
    }
}
