//! Direct gets: the answer is the message itself. ADR-31

use super::request::Request;
use crate::{
    platform,
    queue::{
        broker::{CoreMessage, Subscription},
        error::Status,
        facade::Queue,
        stream::{DirectReply, DirectRequest},
    },
};

const PREFIX: &str = "$JS.API.DIRECT.GET.";

/// Answers direct gets from streams that allow them.
pub(super) fn serve(queue: &Queue) -> [Subscription; 2] {
    ["$JS.API.DIRECT.GET.*", "$JS.API.DIRECT.GET.*.>"].map(|filter| {
        let weak = queue.downgrade();
        queue.broker().subscribe_choosing(filter, None, move |message| {
            weak.upgrade().is_some_and(|queue| receive(&queue, message))
        })
    })
}

/// Returns false unless a stream answers the request.
fn receive(queue: &Queue, message: &CoreMessage) -> bool {
    let Some(rest) = message.subject.strip_prefix(PREFIX) else { return false };
    let (name, subject) = match rest.split_once('.') {
        Some((name, subject)) => (name.to_owned(), Some(subject.to_owned())),
        None => (rest.to_owned(), None),
    };
    let Some(name) = who_answers(queue, &name) else { return false };
    if let Some(reply) = message.reply.clone() {
        let (queue, request) = (queue.clone(), Request::new(message));
        platform::spawn(async move {
            for answer in answers(&queue, &name, subject.as_deref(), &request).await {
                let DirectReply { headers, payload } = answer;
                queue.broker().publish(&CoreMessage {
                    subject: reply.clone(),
                    reply: None,
                    headers,
                    payload,
                });
            }
        });
    }
    true
}

/// The stream that answers for the one of this name: itself, or else a mirror of it.
fn who_answers(queue: &Queue, name: &str) -> Option<String> {
    if queue.stream(name).is_ok_and(|stream| stream.config().allow_direct) {
        return Some(name.to_owned());
    }
    let streams = queue.inner.streams.configs();
    let mirror = streams.into_iter().find(|config| {
        config.mirror_direct && config.mirror.as_ref().is_some_and(|of| of.name == name)
    });
    mirror.map(|mirror| mirror.name.clone())
}

async fn answers(
    queue: &Queue,
    stream: &str,
    subject: Option<&str>,
    request: &Request,
) -> Vec<DirectReply> {
    if request.check_level().is_err() {
        return vec![DirectReply::status(&Status::REQUIRED_API_LEVEL)];
    }
    let Ok(wanted) = request.parse_leniently::<DirectRequest>() else {
        return vec![DirectReply::status(&Status::MALFORMED_REQUEST)];
    };
    let wanted = match subject {
        None => wanted,
        // With a subject there is nothing more to ask for.
        Some(_) if !is_plain(&wanted) => return vec![DirectReply::status(&Status::BAD_REQUEST)],
        Some(subject) => DirectRequest { no_hdr: wanted.no_hdr, ..DirectRequest::last_of(subject) },
    };
    match queue.direct_get(stream, &wanted).await {
        Ok(answers) => answers,
        Err(cause) => vec![DirectReply::status(&Status::from(&cause))],
    }
}

/// Whether the payload asks for no message.
fn is_plain(wanted: &DirectRequest) -> bool {
    let DirectRequest { max_bytes, no_hdr, .. } = *wanted;
    *wanted == DirectRequest { max_bytes, no_hdr, ..DirectRequest::default() }
}
