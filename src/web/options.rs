//! The options of `start()`, which JavaScript has checked and completed.

use ruma::{OwnedServerName, RoomVersionId, UserId};
use serde::Deserialize;
use wasm_bindgen::JsValue;

use super::{errors::config_error, storage::Storage};
use crate::config::{Config, Registration, Support};

/// `Config` of `worker/shared/messages.ts`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    server_name: Option<String>,
    new_server_name: String,
    base_url: String,
    registration: Who,
    registration_token: Option<String>,
    default_room_version: String,
    admins: Vec<String>,
    rate_limits: Switch,
    support: Option<Support>,
    #[serde(flatten)]
    pub(super) storage: Storage,
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

    /// Of a database that holds no homeserver yet: what that is called.
    pub(super) fn name(&self) -> Result<OwnedServerName, JsValue> {
        let name = self.server_name.as_ref().unwrap_or(&self.new_server_name);
        OwnedServerName::try_from(name.as_str())
            .map_err(|cause| config_error(&format!("serverName: {cause}")))
    }

    /// The configuration of the homeserver of that name.
    pub(super) fn settle(&self, name: OwnedServerName) -> Result<Config, JsValue> {
        if self.server_name.as_ref().is_some_and(|given| *given != name) {
            let message = format!("serverName: the database is that of the homeserver {name}");
            return Err(config_error(&message));
        }
        let default_room_version = RoomVersionId::try_from(self.default_room_version.as_str())
            .ok()
            .filter(|version| version.rules().is_some())
            .ok_or_else(|| config_error("defaultRoomVersion: no known room version"))?;
        let admins = self.admins.iter().map(|admin| {
            UserId::parse_with_server_name(admin.as_str(), &name)
                .map_err(|cause| config_error(&format!("admins: {admin}: {cause}")))
        });
        let admins = admins.collect::<Result<_, _>>()?;
        let registration = match (&self.registration, &self.registration_token) {
            (Who::Open, _) => Registration::Open,
            (Who::Token, Some(token)) => Registration::Token(token.clone()),
            (Who::Token, None) => return Err(config_error("registrationToken is missing")),
            (Who::Closed, _) => Registration::Closed,
        };
        Ok(Config {
            base_url: self.base_url.clone(),
            registration,
            default_room_version,
            admins,
            rate_limits: self.rate_limits == Switch::On,
            support: self.support.clone(),
            ..Config::new(name)
        })
    }
}
