//! What the server says of itself.

use serde::Serialize;
use serde_json::json;

use crate::{
    platform,
    queue::{
        server::{API_LEVEL, NAME, VERSION},
        time::Timestamp,
    },
};

/// How large headers and payload of a message may be together: nats-server's default.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// The subject of requests for the own user.
pub(super) const USER_INFO: &str = "$SYS.REQ.USER.INFO";

#[derive(Serialize)]
struct Info<'a> {
    server_id: &'a str,
    server_name: &'a str,
    version: &'a str,
    proto: u32,
    host: &'a str,
    port: u16,
    headers: bool,
    max_payload: usize,
    jetstream: bool,
    api_lvl: u32,
    client_id: u64,
}

/// An id in the form of a server's public key.
pub(super) fn server_id() -> String {
    format!("N{}", platform::random_string(55).to_ascii_uppercase())
}

/// The JSON of INFO.
pub(super) fn info(server_id: &str, client_id: u64) -> Vec<u8> {
    let info = Info {
        server_id,
        server_name: NAME,
        version: VERSION,
        proto: 1,
        host: NAME,
        port: 0,
        headers: true,
        max_payload: MAX_PAYLOAD,
        jetstream: true,
        api_lvl: API_LEVEL,
        client_id,
    };
    // A struct of text and numbers is always JSON.
    serde_json::to_vec(&info).unwrap_or_default()
}

/// The answer to [`USER_INFO`]: everybody is in the one account.
pub(super) fn user_info(server_id: &str, now: u64) -> Vec<u8> {
    let answer = json!({
        "server": {
            "name": NAME,
            "host": NAME,
            "id": server_id,
            "ver": VERSION,
            "jetstream": true,
            "flags": 1,
            "seq": 0,
            "time": Timestamp::from_millis(now).to_string(),
        },
        "data": { "user": "", "account": "$G" },
    });
    answer.to_string().into_bytes()
}
