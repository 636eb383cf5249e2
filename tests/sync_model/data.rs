//! What clients get beside the state and the timelines of rooms: account data, receipts, messages to
//! their devices, and whose devices have changed.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{RoomId, events::receipt::ReceiptType};
use serde_json::{Value, json};

use crate::{
    World,
    model::operations::{ACCOUNT_DATA, Operation, USERS, user_id},
    picture::events,
    support::client::Answer,
};

/// What a device has of it.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// By room, or none, and type.
    account_data: BTreeMap<(Option<String>, String), Value>,
    /// The event read, by room and user.
    receipts: BTreeMap<(String, String), String>,
    /// The numbers of the messages to it.
    messages: BTreeSet<usize>,
    /// The users whose devices it follows: how often these had changed when it looked at them.
    devices: BTreeMap<String, usize>,
}

/// What the server was told.
#[derive(Default)]
pub struct Sent {
    /// Messages to each of the devices.
    messages: BTreeMap<usize, BTreeSet<usize>>,
    /// Those that the device has acknowledged by its token.
    acknowledged: BTreeMap<usize, BTreeSet<usize>>,
    /// How often the devices of each user have changed.
    devices: BTreeMap<String, usize>,
}

impl Data {
    fn take(&mut self, answer: &Value) {
        self.add_account_data(None, answer);
        for section in ["join", "leave"] {
            for (room, part) in answer["rooms"][section].as_object().into_iter().flatten() {
                self.add_account_data(Some(room), part);
                let receipts = events(&part["ephemeral"]);
                for event in receipts.iter().filter(|event| event["type"] == "m.receipt") {
                    self.add_receipts(room, &event["content"]);
                }
            }
        }
        for event in events(&answer["to_device"]) {
            self.messages.insert(event["content"]["number"].as_u64().unwrap() as usize);
        }
    }

    fn add_account_data(&mut self, room: Option<&String>, part: &Value) {
        for event in events(&part["account_data"]) {
            let kind = event["type"].as_str().unwrap().to_owned();
            self.account_data.insert((room.cloned(), kind), event["content"].clone());
        }
    }

    fn add_receipts(&mut self, room: &str, content: &Value) {
        for (event_id, types) in content.as_object().unwrap() {
            for user_id in types["m.read"].as_object().into_iter().flatten().map(|(id, _)| id) {
                self.receipts.insert((room.to_owned(), user_id.clone()), event_id.clone());
            }
        }
    }
}

fn users(list: &Value) -> impl Iterator<Item = String> {
    let users = list.as_array().into_iter().flatten();
    users.map(|user_id| user_id.as_str().unwrap().to_owned())
}

impl World {
    /// Does what changes data; `None` for other operations.
    pub async fn change_data(&mut self, operation: &Operation) -> Option<Answer> {
        let count = self.count;
        match operation {
            Operation::AccountData(user, room, kind) => {
                let user = &self.users[*user];
                let room =
                    room.map_or(String::new(), |room| format!("/rooms/{}", self.rooms[room].id));
                let kind = ACCOUNT_DATA[*kind];
                let path = format!("/v3/user/{}{room}/account_data/{kind}", user.user_id);
                Some(user.put(&path, json!({ "number": count })).await)
            }
            Operation::Read(user, room, event) => {
                let room = &self.rooms[*room];
                let create = &room.state[&("m.room.create".to_owned(), String::new())];
                let create = create["event_id"].as_str().unwrap();
                let all: Vec<_> = room.sent.iter().map(String::as_str).chain([create]).collect();
                let event = all[event % all.len()];
                let path = format!("/v3/rooms/{}/receipt/m.read/{event}", room.id);
                Some(self.users[*user].post(&path, json!({})).await)
            }
            Operation::Message(device) => {
                let to = &self.devices[*device].client;
                let content = json!({ to.device_id.clone(): { "number": count } });
                let body = json!({ "messages": { to.user_id.clone(): content } });
                let path = format!("/v3/sendToDevice/x.y/{count}");
                self.sent.messages.entry(*device).or_default().insert(count);
                Some(self.users[0].put(&path, body).await)
            }
            Operation::Device(user) => {
                let user = &self.users[*user];
                let keys = json!({
                    "user_id": user.user_id,
                    "device_id": user.device_id,
                    "algorithms": [],
                    "keys": { (format!("ed25519:{}", user.device_id)): count.to_string() },
                    "signatures": { (user.user_id.clone()): { "ed25519:own": "signature" } },
                });
                let answer = user.post("/v3/keys/upload", json!({ "device_keys": keys })).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                *self.sent.devices.entry(user.user_id.clone()).or_default() += 1;
                Some(answer)
            }
            _ => None,
        }
    }

    /// A device asks with its token: it has what was in the answers before.
    pub fn acknowledge(&mut self, device: usize) {
        let held = &self.devices[device].held;
        if held.token.is_some() {
            let messages = held.data.messages.iter().copied();
            self.sent.acknowledged.entry(device).or_default().extend(messages);
        }
    }

    /// Takes in what an answer has of it; before the token.
    pub fn take_data(&mut self, device: usize, answer: &Value) {
        let followed = self.followed(device);
        let held = &mut self.devices[device].held;
        held.data.take(answer);
        let looked = |user_id: &String| self.sent.devices.get(user_id).copied().unwrap_or_default();
        if held.token.is_none() {
            held.data.devices =
                followed.iter().map(|user_id| (user_id.clone(), looked(user_id))).collect();
        }
        for user_id in users(&answer["device_lists"]["changed"]) {
            let version = looked(&user_id);
            held.data.devices.insert(user_id, version);
        }
        for user_id in users(&answer["device_lists"]["left"]) {
            held.data.devices.remove(&user_id);
        }
    }

    /// The users whose devices a device has to know: its own, and those who share a room.
    fn followed(&self, device: usize) -> BTreeSet<String> {
        let own = &self.devices[device].client.user_id;
        let shares = |other: &String| {
            let both = |room: &&crate::Room| {
                room.membership(own) == "join" && room.membership(other) == "join"
            };
            other == own || self.rooms.iter().find(both).is_some()
        };
        (0..USERS.len()).map(user_id).filter(shares).collect()
    }

    pub async fn check_data(&self, device: usize) {
        let crate::Device { habits, client, held, .. } = &self.devices[device];
        let data = &held.data;
        let user_id = &client.user_id;
        let mut rooms = vec![None];
        for (index, room) in self.rooms.iter().enumerate() {
            if habits.only.is_none_or(|only| only == index) && room.membership(user_id) == "join" {
                rooms.push(Some(room.id.clone()));
            }
        }
        for room in rooms {
            let of = room.as_ref().map_or(String::new(), |room| format!("/rooms/{room}"));
            for kind in ACCOUNT_DATA {
                let path = format!("/v3/user/{user_id}{of}/account_data/{kind}");
                let stored = client.get(&path).await;
                let stored = (stored.status == 200).then_some(&stored.body);
                let known = data.account_data.get(&(room.clone(), kind.to_owned()));
                assert_eq!(known, stored, "{kind} of {room:?}");
            }
            let Some(room) = room else { continue };
            let id = RoomId::parse(&room).unwrap();
            for receipt in client.server.sync.receipts().all(&id).await.unwrap() {
                if receipt.receipt_type == ReceiptType::Read {
                    let known = data.receipts.get(&(room.clone(), receipt.user_id.to_string()));
                    assert_eq!(
                        known.map(String::as_str),
                        Some(receipt.event_id.as_str()),
                        "{room}"
                    );
                }
            }
        }
        let mut missing = self.sent.messages.get(&device).cloned().unwrap_or_default();
        let acknowledged = self.sent.acknowledged.get(&device).into_iter().flatten();
        for number in acknowledged.chain(&data.messages) {
            missing.remove(number);
        }
        assert_eq!(missing, BTreeSet::new(), "messages to the device");
        let devices = self.followed(device).into_iter().map(|user_id| {
            let version = self.sent.devices.get(&user_id).copied().unwrap_or_default();
            (user_id, version)
        });
        assert_eq!(data.devices, devices.collect(), "devices that {user_id} follows");
    }
}
