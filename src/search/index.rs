//! The index: for each room and word, where it is.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedRoomId, RoomId, events::TimelineEventType, serde::JsonObject};
use serde_json::Value;

use super::{Search, words::words};
use crate::{
    Result,
    feed::Position,
    rooms::Pdu,
    store::{Batch, Declaration, Erasure, Pack, Packed, Rows, Table, Text},
};

/// Room, word, position → where the event has the word, and how often.
const SEARCH_WORDS: Rows<(OwnedRoomId, String, Position), Packed<Posting>> =
    Rows::new(Table::SearchWords, Erasure::Kept);
/// Room, position → the words of the event that are in the index.
const SEARCH_EVENTS: Rows<(OwnedRoomId, Position), Text<String>> =
    Rows::new(Table::SearchEvents, Erasure::Kept);
/// All tables of this part.
pub(crate) const TABLES: &[Declaration] =
    &[SEARCH_WORDS.declaration(), SEARCH_EVENTS.declaration()];

/// How many events of a room with one word are looked at, newest first.
const POSTINGS: usize = 10_000;

/// What of an event is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SearchKey {
    /// `content.body` of a message.
    Body,
    /// `content.name` of a room's name.
    Name,
    /// `content.topic` of a room's topic, and the plain texts of its content block.
    Topic,
}

impl SearchKey {
    const ALL: [Self; 3] = [Self::Body, Self::Name, Self::Topic];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// A word in an event.
struct Posting {
    at: SearchKey,
    /// How often; 255 times at most.
    count: u8,
}

impl Pack for Posting {
    fn pack(&self) -> Vec<u8> {
        vec![self.at as u8, self.count]
    }

    fn unpack(row: &[u8]) -> Option<Self> {
        let [at, count] = *row else { return None };
        Some(Self { at: SearchKey::from_byte(at)?, count })
    }
}

/// An event that a search has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its position.
    pub position: Position,
    /// How well it matches.
    pub rank: f64,
}

/// The text of an event that is searched, and where it is. Whatever else a content has, and of
/// whatever form, does not matter.
fn text(pdu: &Pdu) -> Option<(SearchKey, String)> {
    let content: JsonObject = pdu.content_as()?;
    let string = |content: &JsonObject, field: &str| {
        content.get(field).and_then(Value::as_str).map(str::to_owned)
    };
    let is_state = pdu.state_key.is_some();
    match &pdu.kind {
        TimelineEventType::RoomMessage if !is_state => {
            let new = content.get("m.new_content").and_then(Value::as_object);
            let new = new.and_then(|new| string(new, "body"));
            Some((SearchKey::Body, new.or_else(|| string(&content, "body"))?))
        }
        TimelineEventType::RoomName if is_state => {
            Some((SearchKey::Name, string(&content, "name")?))
        }
        TimelineEventType::RoomTopic if is_state => {
            let mut topic: Vec<_> = string(&content, "topic").into_iter().collect();
            for text in plain_texts(&content) {
                // Commonly the same once more.
                if !topic.iter().any(|known| known == text) {
                    topic.push(text.to_owned());
                }
            }
            Some((SearchKey::Topic, topic.join("\n"))).filter(|(_, text)| !text.is_empty())
        }
        _ => None,
    }
}

/// The texts of the content block of a topic, without markup. spec: client-server §m.room.topic
fn plain_texts(content: &JsonObject) -> impl Iterator<Item = &str> {
    let block = content.get("m.topic").and_then(|block| block.get("m.text")?.as_array());
    block.into_iter().flatten().filter_map(|text| {
        let mimetype = text.get("mimetype").map_or(Some("text/plain"), Value::as_str)?;
        text.get("body")?.as_str().filter(|_| mimetype == "text/plain")
    })
}

/// Puts the words of an event into the index.
pub(super) fn add(batch: &mut Batch, pdu: &Pdu, position: Position) {
    let Some((key, text)) = text(pdu) else { return };
    let mut counts = BTreeMap::<String, u8>::new();
    for word in words(&text) {
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }
    if counts.is_empty() {
        return;
    }
    let all = counts.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
    SEARCH_EVENTS.put(batch, (&pdu.room_id, position), all);
    for (word, count) in counts {
        SEARCH_WORDS.put(batch, (&pdu.room_id, &word, position), &Posting { at: key, count });
    }
}

impl Search {
    /// Takes the words of an event out of the index.
    pub(super) async fn remove(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        position: Position,
    ) -> Result<()> {
        let words = SEARCH_EVENTS.scan((room_id,)).of((position,)).readable(&self.inner.store);
        let Some((_, all)) = words.await?.pop() else { return Ok(()) };
        for word in all.split(' ').filter(|word| !word.is_empty()) {
            SEARCH_WORDS.delete(batch, (room_id, word, position));
        }
        SEARCH_EVENTS.delete(batch, (room_id, position));
        Ok(())
    }

    /// The events of a room up to `last` that have every word of `term` at one of `keys`, in no
    /// order. Of frequent words only the newest events count.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn find(
        &self,
        room_id: &RoomId,
        term: &str,
        keys: &[SearchKey],
        last: Position,
    ) -> Result<Vec<Hit>> {
        let mut found: Option<BTreeMap<Position, f64>> = None;
        for word in words(term).into_iter().collect::<BTreeSet<_>>() {
            let rows =
                SEARCH_WORDS.scan((room_id, &word)).until((last.saturating_add(1),)).backward();
            let rows = rows.limit(POSTINGS).readable(&self.inner.store).await?;
            // A word says the more the fewer events have it.
            let weight = 1.0 / (1.0 + rows.len() as f64).ln();
            let mut with_word = BTreeMap::new();
            for ((position,), Posting { at, count }) in rows {
                if !keys.contains(&at) {
                    continue;
                }
                let rank = weight * (1.0 + f64::from(count).ln());
                match &found {
                    None => _ = with_word.insert(position, rank),
                    Some(before) => {
                        if let Some(before) = before.get(&position) {
                            with_word.insert(position, before + rank);
                        }
                    }
                }
            }
            if with_word.is_empty() {
                return Ok(Vec::new());
            }
            found = Some(with_word);
        }
        let found = found.unwrap_or_default().into_iter();
        Ok(found.map(|(position, rank)| Hit { position, rank }).collect())
    }
}
