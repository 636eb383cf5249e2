//! What a filter lets through. spec: client-server §Filtering

use ruma::{
    RoomId, UserId,
    api::client::filter::{Filter, RoomEventFilter, UrlFilter},
};
use serde::Deserialize;

use crate::rooms::Pdu;

/// Whether a type matches one of a filter's, in which `*` stands for any sequence of characters.
fn type_matches(pattern: &str, kind: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| kind.strip_prefix(start)) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

fn types_pass(types: Option<&[String]>, not_types: &[String], kind: &str) -> bool {
    let matches = |patterns: &[String]| patterns.iter().any(|pattern| type_matches(pattern, kind));
    types.is_none_or(matches) && !matches(not_types)
}

/// Whether a filter of account data or presence lets an event through.
pub(crate) fn passes(filter: &Filter, kind: &str, sender: Option<&UserId>) -> bool {
    types_pass(filter.types.as_deref(), &filter.not_types, kind)
        && sender.is_none_or(|sender| {
            filter.senders.as_ref().is_none_or(|only| only.iter().any(|of| of == sender))
                && !filter.not_senders.iter().any(|of| of == sender)
        })
}

/// Whether a filter of a room's events lets any event of a room through.
pub(crate) fn room_passes(filter: &RoomEventFilter, room_id: &RoomId) -> bool {
    filter.rooms.as_ref().is_none_or(|only| only.iter().any(|of| of == room_id))
        && !filter.not_rooms.iter().any(|of| of == room_id)
}

/// Whether a filter of a room's events lets through what has only a type.
pub(crate) fn kind_passes(filter: &RoomEventFilter, kind: &str) -> bool {
    types_pass(filter.types.as_deref(), &filter.not_types, kind)
}

/// Whether a filter of a room's events lets an event through.
pub(crate) fn event_passes(filter: &RoomEventFilter, pdu: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content {
        url: Option<serde::de::IgnoredAny>,
    }
    let sender = &pdu.sender;
    room_passes(filter, &pdu.room_id)
        && kind_passes(filter, &pdu.kind.to_string())
        && filter.senders.as_ref().is_none_or(|only| only.contains(sender))
        && !filter.not_senders.contains(sender)
        && filter.url_filter.is_none_or(|wanted| {
            let has_url = pdu.content_as::<Content>().is_some_and(|content| content.url.is_some());
            has_url == (wanted == UrlFilter::EventsWithUrl)
        })
}

#[cfg(test)]
mod tests {
    use super::type_matches;

    #[test]
    fn a_star_stands_for_any_sequence() {
        for (pattern, kind, matches) in [
            ("m.room.message", "m.room.message", true),
            ("m.room.message", "m.room.messages", false),
            ("m.room.*", "m.room.topic", true),
            ("*", "anything", true),
            ("m.*.message", "m.room.message", true),
            ("m.*.message", "m.room.message.x", false),
            ("*.message*", "m.message.more", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(type_matches(pattern, kind), matches, "{pattern} {kind}");
        }
    }
}
