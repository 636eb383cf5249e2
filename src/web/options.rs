//! The options of `start()`, which JavaScript has checked and completed.

use std::time::Duration;

use ruma::{OwnedServerName, RoomVersionId};
use serde::Deserialize;
use wasm_bindgen::JsValue;

use super::errors::named;
use crate::{
    Config,
    homeserver::Registration,
    store::{self, Store},
};

/// `Config` of `worker/messages.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    server_name: String,
    base_url: String,
    registration: Who,
    registration_token: Option<String>,
    default_room_version: String,
    durability: Durability,
    rate_limits: Switch,
    storage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Who {
    Open,
    Token,
    Closed,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Durability {
    Strict,
    Relaxed,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
}

/// The worker holds the lock of its database, which no other takes from it. What a worker that was
/// frozen does when it wakes up is long after its last check.
const LEASE: Duration = Duration::from_millis(100);

/// Where and how to store.
pub(super) struct Storage {
    name: String,
    durability: Durability,
}

impl Storage {
    pub(super) async fn open(self) -> store::Result<Store> {
        let durability = match self.durability {
            Durability::Strict => store::Durability::Strict,
            Durability::Relaxed => store::Durability::Relaxed,
        };
        let options = store::Options { durability, lease: LEASE, ..store::Options::default() };
        Store::open_indexeddb(&self.name, options).await
    }

    pub(super) async fn delete(name: &str) -> store::Result<()> {
        Store::delete(name).await
    }
}

impl Options {
    pub(super) fn read(options: JsValue) -> Result<Self, JsValue> {
        serde_wasm_bindgen::from_value(options).map_err(|cause| config_error(&cause.to_string()))
    }

    pub(super) fn settle(self) -> Result<(Config, Storage), JsValue> {
        let server_name = OwnedServerName::try_from(self.server_name)
            .map_err(|cause| config_error(&format!("serverName: {cause}")))?;
        let default_room_version = RoomVersionId::try_from(self.default_room_version)
            .ok()
            .filter(|version| version.rules().is_some())
            .ok_or_else(|| config_error("defaultRoomVersion: no known room version"))?;
        let registration = match (self.registration, self.registration_token) {
            (Who::Open, _) => Registration::Open,
            (Who::Token, Some(token)) => Registration::Token(token),
            (Who::Token, None) => return Err(config_error("registrationToken is missing")),
            (Who::Closed, _) => Registration::Closed,
        };
        let config = Config {
            base_url: self.base_url,
            registration,
            default_room_version,
            rate_limits: self.rate_limits == Switch::On,
            ..Config::new(server_name)
        };
        Ok((config, Storage { name: self.storage, durability: self.durability }))
    }
}

fn config_error(message: &str) -> JsValue {
    named("ConfigError", message)
}
