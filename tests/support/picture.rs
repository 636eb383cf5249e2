//! The state of rooms as a client puts it together from what syncs tell it.

#![allow(dead_code, reason = "each suite uses a part")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::client::Client;

/// Type and state key to event id.
pub type State = BTreeMap<(String, String), String>;

/// What a client knows of its rooms.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    pub rooms: BTreeMap<String, State>,
}

/// The events of a list, of which there may be none.
pub fn events(list: &Value) -> &[Value] {
    list["events"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The form of the filter that goes into a query.
pub fn query(filter: &Value) -> String {
    let bytes = filter.to_string().into_bytes();
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Lets state events set their entries; others set none.
pub fn set(state: &mut State, events: &[Value]) {
    for event in events.iter().filter(|event| event["state_key"].is_string()) {
        let key = (text(&event["type"]), text(&event["state_key"]));
        state.insert(key, text(&event["event_id"]));
    }
}

impl Picture {
    /// Takes in an answer to a sync. spec: client-server §GET /_matrix/client/v3/sync
    pub fn apply(&mut self, answer: &Value) {
        for section in ["join", "leave"] {
            let rooms = answer["rooms"][section].as_object().into_iter().flatten();
            for (room, part) in rooms {
                let state = self.rooms.entry(room.clone()).or_default();
                let after = ["state_after", "org.matrix.msc4222.state_after"];
                match after.iter().find(|name| !part[**name].is_null()) {
                    Some(name) => set(state, events(&part[*name])),
                    None => {
                        set(state, events(&part["state"]));
                        set(state, events(&part["timeline"]));
                    }
                }
            }
        }
    }
}

/// What the server has for the state of a room, as `client` may see it.
pub async fn state_of(client: &Client, room: &str) -> State {
    let events = client.get(&format!("/v3/rooms/{room}/state")).await.ok();
    let mut state = State::new();
    set(&mut state, events.as_array().unwrap());
    state
}

/// A client that syncs and keeps what it is told.
pub struct Follower<'a> {
    pub client: &'a Client,
    pub picture: Picture,
    pub token: Option<String>,
}

impl<'a> Follower<'a> {
    pub fn new(client: &'a Client) -> Self {
        Self { client, picture: Picture::default(), token: None }
    }

    /// What a sync from where it stands answers, which does not arrive.
    pub async fn ask(&self, filter: &Value, more: &str) -> Value {
        let since = self.token.as_ref().map_or(String::new(), |token| format!("&since={token}"));
        let path = format!("/v3/sync?filter={}{since}{more}", query(filter));
        self.client.get(&path).await.ok()
    }

    /// Syncs with a filter and more in the query; gives the answer.
    pub async fn sync_with(&mut self, filter: Value, more: &str) -> Value {
        let answer = self.ask(&filter, more).await;
        self.token = Some(text(&answer["next_batch"]));
        self.picture.apply(&answer);
        answer
    }

    pub async fn sync(&mut self) -> Value {
        self.sync_with(json!({}), "").await
    }

    /// Asserts that it knows a room's state as the server has it.
    #[track_caller]
    pub fn knows(&self, room: &str, state: &State) {
        assert_eq!(self.picture.rooms.get(room), Some(state));
    }
}
