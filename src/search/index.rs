//! The index: for each room and word, where it is.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{RoomId, events::TimelineEventType, serde::JsonObject};
use serde_json::Value;

use super::{Search, words::words};
use crate::{
    Result,
    feed::Position,
    rooms::Pdu,
    store::{Batch, Direction, Key, KeyRange, KeyReader, Table},
};

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

fn word_key(room_id: &RoomId, word: &str) -> Key {
    Key::new().str(room_id).str(word)
}

fn event_key(room_id: &RoomId, position: Position) -> Key {
    Key::new().str(room_id).u64(position)
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
    batch.put(Table::SearchEvents, event_key(&pdu.room_id, position), all);
    for (word, count) in counts {
        let value = [key as u8, count];
        batch.put(Table::SearchWords, word_key(&pdu.room_id, &word).u64(position), value);
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
        let event = event_key(room_id, position);
        let row = self.inner.store.get(Table::SearchEvents, &event).await?;
        let all = row.as_deref().and_then(|row| std::str::from_utf8(row).ok()).unwrap_or_default();
        for word in all.split(' ').filter(|word| !word.is_empty()) {
            batch.delete(Table::SearchWords, word_key(room_id, word).u64(position));
        }
        batch.delete(Table::SearchEvents, event);
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
            let range = KeyRange::between(
                word_key(room_id, &word),
                word_key(room_id, &word).u64(last.saturating_add(1)),
            );
            let rows = self
                .inner
                .store
                .scan(Table::SearchWords, range, Direction::Backward, POSTINGS)
                .await?;
            // A word says the more the fewer events have it.
            let weight = 1.0 / (1.0 + rows.len() as f64).ln();
            let mut with_word = BTreeMap::new();
            for (key, value) in rows {
                let mut key = KeyReader::new(&key);
                let position = key.str().and(key.str()).and(key.u64());
                let (Some(position), [at, count]) = (position, &*value) else { continue };
                if !SearchKey::from_byte(*at).is_some_and(|at| keys.contains(&at)) {
                    continue;
                }
                let rank = weight * (1.0 + f64::from(*count).ln());
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
