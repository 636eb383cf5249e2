//! Names of rooms. spec: client-server §Room aliases

use http::StatusCode;
use ruma::{
    OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId,
    api::error::ErrorKind,
    events::{StateEventType, TimelineEventType},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    follow_ups::{FollowUp, Recorded},
    platform::KeyedGuard,
    rooms::{NewEvent, Rooms},
    store::{Batch, Erasure, Json, Rows, Table, Text},
};

/// Alias → room.
pub(in crate::rooms) const ALIASES: Rows<(OwnedRoomAliasId,), Json<Alias>> =
    Rows::new(Table::Aliases, Erasure::Kept);
/// Room, alias → who made it.
pub(in crate::rooms) const ROOM_ALIASES: Rows<(OwnedRoomId, OwnedRoomAliasId), Text<OwnedUserId>> =
    Rows::new(Table::RoomAliases, Erasure::Kept);

#[derive(Serialize, Deserialize)]
pub(in crate::rooms) struct Alias {
    room_id: OwnedRoomId,
    creator: OwnedUserId,
}

/// An alias that nobody else can take while this is held.
pub(in crate::rooms) struct ReservedAlias {
    alias: OwnedRoomAliasId,
    _guard: KeyedGuard<OwnedRoomAliasId>,
}

impl ReservedAlias {
    pub(in crate::rooms) fn alias(&self) -> &RoomAliasId {
        &self.alias
    }

    /// Lets it name a room.
    pub(in crate::rooms) fn name(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        creator: &UserId,
    ) -> Result<()> {
        write(batch, &self.alias, room_id, creator)
    }
}

fn write(batch: &mut Batch, alias: &RoomAliasId, room_id: &RoomId, creator: &UserId) -> Result<()> {
    let row = Alias { room_id: room_id.to_owned(), creator: creator.to_owned() };
    ALIASES.put(batch, (alias,), &row)?;
    ROOM_ALIASES.put(batch, (room_id, alias), creator);
    Ok(())
}

/// An alias that names a room, which nobody else can change while this is held.
pub(in crate::rooms) struct HeldAlias {
    alias: OwnedRoomAliasId,
    row: Alias,
    _guard: KeyedGuard<OwnedRoomAliasId>,
}

impl HeldAlias {
    /// Lets it name another room. It stays its creator's.
    pub(in crate::rooms) fn rename(&self, batch: &mut Batch, room_id: &RoomId) -> Result<()> {
        ROOM_ALIASES.delete(batch, (&*self.row.room_id, &*self.alias));
        write(batch, &self.alias, room_id, &self.row.creator)
    }
}

#[derive(Deserialize)]
struct CanonicalAlias {
    alias: Option<String>,
    alt_aliases: Option<Vec<String>>,
}

impl CanonicalAlias {
    /// All aliases in it. An empty one is none. spec: client-server §m.room.canonical_alias
    fn names(self) -> impl Iterator<Item = String> {
        let alias = self.alias.filter(|alias| !alias.is_empty());
        alias.into_iter().chain(self.alt_aliases.into_iter().flatten())
    }
}

impl Rooms {
    /// The room that an alias of this server names.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<Option<OwnedRoomId>> {
        let row = ALIASES.get(&self.inner.store, (alias,)).await?;
        Ok(row.map(|alias| alias.room_id))
    }

    /// The aliases of this server that name a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn aliases(&self, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>> {
        let aliases = ROOM_ALIASES.scan((room_id,)).keys(&self.inner.store).await?;
        Ok(aliases.into_iter().map(|(alias,)| alias).collect())
    }

    /// Holds all aliases of a room, so that nobody changes them meanwhile.
    pub(in crate::rooms) async fn hold_aliases(&self, room_id: &RoomId) -> Result<Vec<HeldAlias>> {
        let mut held = Vec::new();
        // In the order of the table, whoever holds some: nobody waits for each other.
        for alias in self.aliases(room_id).await? {
            let guard = self.inner.aliases.lock(alias.clone()).await;
            let row = ALIASES.get(&self.inner.store, (&*alias,)).await?;
            if let Some(row) = row.filter(|row| row.room_id == room_id) {
                held.push(HeldAlias { alias, row, _guard: guard });
            }
        }
        Ok(held)
    }

    /// Names a room.
    ///
    /// # Errors
    /// 409 `M_UNKNOWN` when the alias is taken, 400 `M_INVALID_PARAM` when it is another server's,
    /// 404 `M_NOT_FOUND` when there is no such room.
    pub async fn set_alias(
        &self,
        user_id: &UserId,
        alias: &RoomAliasId,
        room_id: &RoomId,
    ) -> Result<()> {
        if alias.server_name() != self.inner.key.server_name() {
            return Err(Error::invalid_param("The alias belongs to another server"));
        }
        let _guard = self.inner.aliases.lock(alias.to_owned()).await;
        if self.resolve_alias(alias).await?.is_some() {
            return Err(Error::new(
                StatusCode::CONFLICT,
                ErrorKind::Unknown,
                format!("The alias {alias} is taken"),
            ));
        }
        self.room(room_id).await?;
        let mut batch = Batch::new();
        write(&mut batch, alias, room_id, user_id)?;
        Ok(self.inner.store.commit(batch).await?)
    }

    /// Removes a name of a room: by whoever gave it, or with the power to change the canonical
    /// alias. To take it out of the room's state is left to do.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such alias, 403 `M_FORBIDDEN`.
    pub async fn delete_alias(&self, user_id: &UserId, alias: &RoomAliasId) -> Result<Recorded> {
        let _guard = self.inner.aliases.lock(alias.to_owned()).await;
        let row = ALIASES
            .get(&self.inner.store, (alias,))
            .await?
            .ok_or_else(|| Error::not_found(format!("There is no alias {alias}")))?;
        let room = self.room(&row.room_id).await?;
        if row.creator != user_id {
            let levels = room.power_levels().await?;
            let may = levels.allow_send(user_id, &TimelineEventType::RoomCanonicalAlias, Some(""));
            if !may || !room.is_joined(user_id).await? {
                return Err(Error::forbidden("You may not remove this alias"));
            }
        }
        let mut batch = Batch::new();
        ALIASES.delete(&mut batch, (alias,));
        ROOM_ALIASES.delete(&mut batch, (&row.room_id, alias));
        let rest = FollowUp::DropAlias {
            user_id: user_id.to_owned(),
            room_id: row.room_id,
            alias: alias.to_owned(),
        };
        let rest = rest.to_record();
        rest.write(&mut batch)?;
        self.inner.store.commit(batch).await?;
        Ok(rest)
    }

    /// Takes an alias that is gone out of the room's state, as far as the user may.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drop_alias(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        alias: &RoomAliasId,
    ) -> Result<()> {
        // It may have been given again meanwhile.
        if self.resolve_alias(alias).await?.is_some_and(|named| named == room_id) {
            return Ok(());
        }
        let room = self.room(room_id).await?;
        let kind = StateEventType::RoomCanonicalAlias;
        let Some(mut content) = room.state_content::<ruma::serde::JsonObject>(&kind, "").await?
        else {
            return Ok(());
        };
        let before = content.clone();
        if content.get("alias").and_then(|value| value.as_str()) == Some(alias.as_str()) {
            content.remove("alias");
        }
        if let Some(others) = content.get_mut("alt_aliases").and_then(|value| value.as_array_mut())
        {
            others.retain(|other| other.as_str() != Some(alias.as_str()));
        }
        if content == before {
            return Ok(());
        }
        match self.append(room_id, user_id, NewEvent::state_of(kind, "", &content)?).await {
            Err(Error::Matrix(error)) if error.status_code == StatusCode::FORBIDDEN => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// The alias of this server with a local part.
    pub(in crate::rooms) fn local_alias(&self, name: &str) -> Result<OwnedRoomAliasId> {
        let valid = !name.is_empty() && !name.contains([':', '\0']);
        let alias = format!("#{name}:{}", self.inner.key.server_name());
        RoomAliasId::parse(alias)
            .ok()
            .filter(|_| valid)
            .ok_or_else(|| Error::invalid_param("The name can't be part of an alias"))
    }

    /// Holds an alias for a room that is about to be made.
    pub(in crate::rooms) async fn reserve_alias(
        &self,
        alias: &RoomAliasId,
    ) -> Result<ReservedAlias> {
        let guard = self.inner.aliases.lock(alias.to_owned()).await;
        if self.resolve_alias(alias).await?.is_some() {
            return Err(Error::new(
                StatusCode::BAD_REQUEST,
                ErrorKind::RoomInUse,
                format!("The alias {alias} is taken"),
            ));
        }
        Ok(ReservedAlias { alias: alias.to_owned(), _guard: guard })
    }

    /// Refuses what the specification has the server check in the content of an event.
    /// spec: client-server §PUT state (M_BAD_ALIAS, M_INVALID_PARAM)
    pub(in crate::rooms) async fn check_content(
        &self,
        room_id: &RoomId,
        new: &NewEvent,
    ) -> Result<()> {
        match (&new.kind, new.state_key.as_deref()) {
            (TimelineEventType::RoomCanonicalAlias, Some("")) => {
                self.check_aliases(room_id, new).await
            }
            (TimelineEventType::RoomTombstone, Some("")) => check_tombstone(room_id, new),
            _ => Ok(()),
        }
    }

    async fn check_aliases(&self, room_id: &RoomId, new: &NewEvent) -> Result<()> {
        let content: CanonicalAlias = serde_json::from_str(new.content.get())
            .map_err(|cause| Error::invalid_param(format!("Not a list of aliases: {cause}")))?;
        let room = self.room(room_id).await?;
        let before: Option<CanonicalAlias> =
            room.state_content(&StateEventType::RoomCanonicalAlias, "").await?;
        let known: Vec<_> = before.into_iter().flat_map(CanonicalAlias::names).collect();
        // What was there before may stay, even if it no longer names the room.
        for alias in content.names().filter(|alias| !known.contains(alias)) {
            let parsed = RoomAliasId::parse(&alias)
                .map_err(|_| Error::invalid_param(format!("{alias} is not an alias")))?;
            if self.resolve_alias(&parsed).await?.as_deref() != Some(room_id) {
                return Err(Error::new(
                    StatusCode::BAD_REQUEST,
                    ErrorKind::BadAlias,
                    format!("{alias} does not name this room"),
                ));
            }
        }
        Ok(())
    }
}

/// A room can't be replaced by itself: clients that follow would never arrive.
fn check_tombstone(room_id: &RoomId, new: &NewEvent) -> Result<()> {
    #[derive(Deserialize)]
    struct Tombstone {
        replacement_room: String,
    }
    match serde_json::from_str::<Tombstone>(new.content.get()) {
        Ok(tombstone) if tombstone.replacement_room == *room_id => {
            Err(Error::invalid_param("A room can't be replaced by itself"))
        }
        _ => Ok(()),
    }
}
