//! A room as the model knows it: its state, and what of it users who have left it are told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::operations::{USERS, user_id};

/// The state of a room: the events by type and state key.
pub type Events = BTreeMap<(String, String), Value>;

/// The key of a user's membership.
pub fn member_key(user_id: &str) -> (String, String) {
    ("m.room.member".to_owned(), user_id.to_owned())
}

#[derive(Default)]
pub struct Room {
    pub id: String,
    /// Its state now.
    pub state: Events,
    /// Its state when users last left it.
    pub left: BTreeMap<String, Events>,
    /// Its state when users last left it, or their membership last changed while everybody could
    /// read it.
    pub seen: BTreeMap<String, Events>,
    /// The events that were sent to it.
    pub sent: Vec<String>,
}

impl Room {
    /// A user's membership, or `none`.
    pub fn membership(&self, user_id: &str) -> &str {
        let member = self.state.get(&member_key(user_id));
        member.map_or("none", |member| member["content"]["membership"].as_str().unwrap())
    }

    fn content(&self, kind: &str, field: &str) -> &str {
        let event = self.state.get(&(kind.to_owned(), String::new()));
        event.and_then(|event| event["content"][field].as_str()).unwrap_or_default()
    }

    /// Whether everybody may read it.
    pub fn is_open(&self) -> bool {
        self.content("m.room.history_visibility", "history_visibility") == "world_readable"
    }

    /// The state that a user who is or was in the room is told.
    pub fn told_to(&self, user_id: &str) -> Option<Events> {
        let own = member_key(user_id);
        match self.membership(user_id) {
            "join" => Some(self.state.clone()),
            "leave" | "ban" => {
                let mut seen = self.seen.get(user_id).cloned().unwrap_or_default();
                seen.insert(own.clone(), self.state[&own].clone());
                Some(seen)
            }
            _ => None,
        }
    }

    /// Takes in its new state, after at most one event.
    pub fn becomes(&mut self, state: Events) {
        let before = std::mem::replace(&mut self.state, state);
        // Redactions reach the events of older states too.
        for (key, event) in self.left.values_mut().chain(self.seen.values_mut()).flatten() {
            match self.state.get(key) {
                Some(now) if now["event_id"] == event["event_id"] => *event = now.clone(),
                _ => {}
            }
        }
        for user_id in (1..USERS.len()).map(user_id) {
            let own = member_key(&user_id);
            let id = |state: &Events| state.get(&own).map(|event| event["event_id"].clone());
            if id(&before) == id(&self.state) {
                continue;
            }
            let was_joined =
                before.get(&own).is_some_and(|event| event["content"]["membership"] == "join");
            if was_joined {
                self.left.insert(user_id.clone(), self.state.clone());
            }
            if was_joined || self.is_open() {
                self.seen.insert(user_id, self.state.clone());
            }
        }
    }

    /// Whom the room is called by, where it has no name.
    pub fn heroes(&self, but: &str) -> Option<BTreeSet<String>> {
        if !self.content("m.room.name", "name").is_empty() {
            return None;
        }
        let those = |memberships: [&str; 2]| -> BTreeSet<String> {
            let members = self.state.keys().filter(|(kind, _)| kind == "m.room.member");
            members
                .map(|(_, user_id)| user_id.clone())
                .filter(|user_id| user_id != but && memberships.contains(&self.membership(user_id)))
                .collect()
        };
        let here = those(["join", "invite"]);
        Some(if here.is_empty() { those(["leave", "ban"]) } else { here })
    }

    /// How many users have a membership.
    pub fn count(&self, membership: &str) -> usize {
        let members = self.state.keys().filter(|(kind, _)| kind == "m.room.member");
        members.filter(|(_, user_id)| self.membership(user_id) == membership).count()
    }
}
