//! Audit events: each request to the API with its answer, for those who listen.

use serde::Serialize;

use super::request::Request;
use crate::queue::{advisory, facade::Queue, server::NAME};

const SUBJECT: &str = "$JS.EVENT.ADVISORY.API";

#[derive(Serialize)]
struct Audit<'a> {
    server: &'a str,
    client: Client<'a>,
    subject: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request: &'a str,
    response: &'a str,
}

/// Everybody is in the one account.
#[derive(Serialize)]
struct Client<'a> {
    acc: &'a str,
    server: &'a str,
}

/// Publishes the answer that a request got.
pub(super) fn publish(queue: &Queue, request: &Request, response: &str) {
    let about = Audit {
        server: NAME,
        client: Client { acc: "$G", server: NAME },
        subject: &request.message.subject,
        request: &String::from_utf8_lossy(&request.message.payload),
        response,
    };
    advisory::publish(queue.broker(), queue.now(), SUBJECT, "advisory.v1.api_audit", about);
}
