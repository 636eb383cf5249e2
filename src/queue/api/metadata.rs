//! What the server adds to the metadata of streams and consumers that it describes. ADR-44

use std::collections::BTreeMap;

use crate::queue::{
    facade::StreamInfo,
    server::{API_LEVEL, VERSION},
};

pub(super) fn described(mut info: StreamInfo) -> StreamInfo {
    add_server(&mut info.config.metadata);
    info
}

/// Adds the version and the API level of the server.
pub(super) fn add_server(metadata: &mut BTreeMap<String, String>) {
    metadata.insert("_nats.ver".to_owned(), VERSION.to_owned());
    metadata.insert("_nats.level".to_owned(), API_LEVEL.to_string());
}
