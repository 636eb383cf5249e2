//! The published rooms of this server. spec: client-server §Published room directory

use ruma::{
    OwnedRoomId, RoomId, UInt,
    directory::{PublicRoomsChunk, RoomTypeFilter},
    room::RoomSummary,
};

use crate::{
    Error, Result,
    rooms::{Rooms, unless_damaged},
    store::{Batch, Erasure, Plain, Rows, Table},
};

/// Published room → an empty object.
pub(in crate::rooms) const PUBLISHED_ROOMS: Rows<(OwnedRoomId,), Plain> =
    Rows::new(Table::PublishedRooms, Erasure::Nobodys);

/// Which published rooms are asked for.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFilter {
    /// A text to find in name, topic, alias or id.
    pub term: Option<String>,
    /// Only rooms of these types; empty is all.
    pub room_types: Vec<RoomTypeFilter>,
}

/// A page of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryPage {
    /// The rooms, those with most members first.
    pub chunk: Vec<PublicRoomsChunk>,
    /// The token of the page before.
    pub prev_batch: Option<String>,
    /// The token of the next page.
    pub next_batch: Option<String>,
    /// How many rooms the filter has let through.
    pub total: UInt,
}

impl Rooms {
    /// Whether the directory lists a room.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn is_published(&self, room_id: &RoomId) -> Result<bool> {
        Ok(PUBLISHED_ROOMS.has(&self.inner.store, (room_id,)).await?)
    }

    /// Lists a room in the directory, or no longer. Whether the user may is the caller's to ask.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is no such room.
    pub async fn set_published(&self, room_id: &RoomId, published: bool) -> Result<()> {
        self.room(room_id).await?;
        let mut batch = Batch::new();
        self.write_published(&mut batch, room_id, published);
        Ok(self.inner.store.commit(batch).await?)
    }

    pub(in crate::rooms) fn write_published(
        &self,
        batch: &mut Batch,
        room_id: &RoomId,
        published: bool,
    ) {
        let (rooms, id) = (self.clone(), room_id.to_owned());
        batch.on_durable(move || rooms.inner.listing.borrow_mut().set(&id, published));
        match published {
            true => PUBLISHED_ROOMS.put(batch, (room_id,), *b"{}"),
            false => PUBLISHED_ROOMS.delete(batch, (room_id,)),
        }
    }

    /// A page of the directory of at most `limit` rooms.
    ///
    /// # Errors
    /// 400 `M_INVALID_PARAM` for a token that is not one of this directory's.
    pub async fn public_rooms(
        &self,
        filter: &DirectoryFilter,
        limit: usize,
        since: Option<&str>,
    ) -> Result<DirectoryPage> {
        let start = match since {
            Some(token) => token
                .parse::<usize>()
                .map_err(|_| Error::invalid_param("The token is not one of this directory"))?,
            None => 0,
        };
        self.refresh_listing().await?;
        let listing = self.inner.listing.borrow();
        let rooms: Vec<_> = listing.iter().filter(|room| filter.matches(room)).collect();
        let total = rooms.len();
        let end = start.saturating_add(limit.max(1)).min(total);
        let page = rooms.into_iter().take(end).skip(start);
        Ok(DirectoryPage {
            chunk: page.map(|room| RoomSummary::clone(room).into()).collect(),
            prev_batch: (start > 0).then(|| start.saturating_sub(limit).to_string()),
            next_batch: (end < total).then(|| end.to_string()),
            total: UInt::try_from(total).unwrap_or(UInt::MAX),
        })
    }

    /// Makes the summaries of what is new in the directory.
    async fn refresh_listing(&self) -> Result<()> {
        let listing = &self.inner.listing;
        while !listing.borrow().is_read() {
            let changes = listing.borrow().changes();
            let rooms = self.published().await?;
            let mut listing = listing.borrow_mut();
            // Overtaken by a change: what was read may lack it.
            if changes == listing.changes() {
                listing.read(rooms);
            }
        }
        let mut damaged = Vec::new();
        loop {
            let stale = listing.borrow().stale();
            let Some((room_id, change)) = stale else { break };
            let summary = async { self.room(&room_id).await?.summary().await }.await;
            let summary = unless_damaged(&room_id, summary)?;
            if summary.is_none() {
                damaged.push(room_id.clone());
            }
            listing.borrow_mut().put(&room_id, change, summary);
        }
        // Whoever asks next looks at these again.
        damaged.iter().for_each(|room_id| listing.borrow_mut().note_change(room_id));
        Ok(())
    }

    async fn published(&self) -> Result<Vec<OwnedRoomId>> {
        let rooms = PUBLISHED_ROOMS.scan(()).keys(&self.inner.store).await?;
        Ok(rooms.into_iter().map(|(room_id,)| room_id).collect())
    }
}

impl DirectoryFilter {
    fn matches(&self, room: &RoomSummary) -> bool {
        let of_type = self.room_types.is_empty()
            || self.room_types.contains(&RoomTypeFilter::from(room.room_type.clone()));
        let term = self.term.as_ref().map(|term| term.trim().to_lowercase());
        let found = |term: &String| {
            [
                room.name.as_deref(),
                room.topic.as_deref(),
                room.canonical_alias.as_ref().map(|alias| alias.as_str()),
                Some(room.room_id.as_str()),
            ]
            .into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(term))
        };
        of_type && term.as_ref().is_none_or(found)
    }
}
