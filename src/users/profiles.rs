//! Profiles. spec: client-server §Profiles

use std::collections::BTreeMap;

use http::StatusCode;
use ruma::{OwnedMxcUri, OwnedUserId, UserId, api::error::ErrorKind};
use serde_json::Value;

use super::Users;
use crate::{
    Error, Result,
    follow_ups::{FollowUp, Recorded},
    store::{Batch, Erasure, Json, Rows, Table},
};

/// User → profile.
pub(super) const PROFILES: Rows<(OwnedUserId,), Json<BTreeMap<String, Value>>> =
    Rows::new(Table::Profiles, Erasure::Removed);

/// The most bytes that a profile has as JSON.
const MAX_PROFILE_SIZE: usize = 64 * 1024;
/// The most bytes that the name of a field has.
const MAX_KEY_SIZE: usize = 255;
/// The most characters that a display name has here.
const MAX_DISPLAY_NAME: usize = 256;

/// The fields of a profile by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile(BTreeMap<String, Value>);

impl Profile {
    /// A field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The display name.
    pub fn display_name(&self) -> Option<&str> {
        self.get("displayname")?.as_str()
    }

    /// The avatar.
    pub fn avatar_url(&self) -> Option<OwnedMxcUri> {
        Some(self.get("avatar_url")?.as_str()?.into())
    }

    /// Every field with its name.
    pub fn into_fields(self) -> impl Iterator<Item = (String, Value)> {
        self.0.into_iter()
    }
}

fn bad_value(message: &str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidParam, message)
}

impl Users {
    /// The profile of a user, who may not have an account.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn profile(&self, user_id: &UserId) -> Result<Profile> {
        let fields = PROFILES.get(&self.inner.store, (user_id,)).await?;
        Ok(Profile(fields.unwrap_or_default()))
    }

    /// Sets a field of a profile, or removes it; what is left to do then, if rooms show the field.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM`, 400 `M_KEY_TOO_LARGE`, 400 `M_PROFILE_TOO_LARGE`
    pub async fn set_profile_field(
        &self,
        user_id: &UserId,
        field: &str,
        value: Option<Value>,
    ) -> Result<Option<Recorded>> {
        check_name(field)?;
        let value = match value {
            Some(value) => checked(field, value)?,
            None => None,
        };
        let _guard = self.inner.locks.lock(user_id.to_owned()).await;
        let mut profile = self.profile(user_id).await?;
        let before = match &value {
            Some(value) => profile.0.insert(field.to_owned(), value.clone()),
            None => profile.0.remove(field),
        };
        if before == value {
            return Ok(None);
        }
        let size = serde_json::to_vec(&profile.0).map_err(Error::internal)?.len();
        if size >= MAX_PROFILE_SIZE {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::ProfileTooLarge,
                "The profile would have 64 KiB or more",
            ));
        }
        let mut batch = Batch::new();
        PROFILES.put(&mut batch, (user_id,), &profile.0)?;
        let shown = ["displayname", "avatar_url"].contains(&field);
        let rest = shown.then(|| FollowUp::ShowProfile { user_id: user_id.to_owned() }.to_record());
        if let Some(rest) = &rest {
            rest.write(&mut batch)?;
        }
        self.inner.store.commit(batch).await?;
        Ok(rest)
    }
}

/// spec: client-server §PUT /profile/{userId}/{keyName}, appendices §Common Namespaced Identifier
/// Grammar
fn check_name(field: &str) -> Result<()> {
    if field.len() > MAX_KEY_SIZE {
        return Err(Error::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::KeyTooLarge,
            "The name of the field has more than 255 bytes",
        ));
    }
    let grammatical = field.starts_with(|first: char| first.is_ascii_lowercase())
        && field.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte)
        });
    if grammatical {
        Ok(())
    } else {
        Err(bad_value("The name of the field is not a namespaced identifier"))
    }
}

/// The value of a field as it is kept; `None` removes it, as an empty name or avatar does.
fn checked(field: &str, value: Value) -> Result<Option<Value>> {
    match (field, &value) {
        ("displayname" | "avatar_url", Value::Null) => Ok(None),
        ("displayname" | "avatar_url", Value::String(text)) if text.is_empty() => Ok(None),
        ("displayname", Value::String(name)) if name.chars().count() <= MAX_DISPLAY_NAME => {
            Ok(Some(value))
        }
        ("displayname", _) => Err(bad_value("A display name has at most 256 characters")),
        ("avatar_url", Value::String(uri)) if OwnedMxcUri::from(uri.as_str()).is_valid() => {
            Ok(Some(value))
        }
        ("avatar_url", _) => Err(bad_value("An avatar is an mxc: URI")),
        ("m.tz", value) if !value.is_string() => Err(bad_value("A time zone is a string")),
        _ => Ok(Some(value)),
    }
}
