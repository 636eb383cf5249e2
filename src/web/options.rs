//! The options of `start()`, which JavaScript has checked and completed.

use ruma::{OwnedServerName, RoomVersionId, UserId};
use serde::Deserialize;
use wasm_bindgen::JsValue;

use super::{errors::named, storage::Storage};
use crate::{
    Config,
    homeserver::{Registration, Support},
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
    admins: Vec<String>,
    rate_limits: Switch,
    support: Option<Support>,
    #[serde(flatten)]
    storage: Storage,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Who {
    Open,
    Token,
    Closed,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
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
        let admins = self.admins.into_iter().map(|name| {
            UserId::parse_with_server_name(name.as_str(), &server_name)
                .map_err(|cause| config_error(&format!("admins: {name}: {cause}")))
        });
        let admins = admins.collect::<Result<_, _>>()?;
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
            admins,
            rate_limits: self.rate_limits == Switch::On,
            support: self.support,
            ..Config::new(server_name)
        };
        Ok((config, self.storage))
    }
}

fn config_error(message: &str) -> JsValue {
    named("ConfigError", message)
}
