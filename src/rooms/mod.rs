//! Rooms: events, their hashes, signatures and authorization; the event graph; state and its
//! resolution; timelines, membership, visibility, relations, aliases and the directory.

mod append;
mod cache;
mod damage;
mod directory;
mod events;
mod graph;
mod lifecycle;
mod membership;
mod output;
mod room;
mod tables;
mod timeline;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use ruma::{
    OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomId,
    RoomVersionId, UserId,
};

pub use self::{
    append::Accepted,
    directory::{DirectoryFilter, DirectoryPage},
    events::{Event, NewEvent, Pdu, PowerLevels, ServerKey, Status, Txn},
    graph::{StateEntry, StateId, StateMap},
    lifecycle::{CreateRoom, ROOM_VERSIONS, room_version},
    membership::{Member, Members, Profile, UserRoom, UserRooms},
    output::{ROOM_EVENTS, RoomEvent, consumer_of_room_events},
    room::Room,
    timeline::{Format, Related, Relation, RelationFilter, Thread, Viewer, stripped, thread_root},
};
use self::{cache::Cache, directory::Listing, graph::LiveRoom};
pub(crate) use self::{damage::unless_damaged, membership::USER_ROOMS, tables::TABLES};
use crate::{
    Result,
    bus::Bus,
    feed::Feed,
    platform::KeyedMutex,
    store::{RowCount, Store, Table},
};

/// How much memory rooms may take while nobody uses them, in bytes.
const LIVE_ROOMS: usize = 64 << 20;
/// How much memory events may take while nobody uses them, in bytes.
const EVENTS: usize = 16 << 20;
/// How much memory lists of users' rooms may take, in rooms.
const USER_ROOMS_IN_MEMORY: usize = 50_000;

/// A handle to the rooms of this homeserver; clones share it.
#[derive(Clone)]
pub struct Rooms {
    inner: Rc<Inner>,
}

struct Inner {
    store: Store,
    feed: Feed,
    bus: Rc<dyn Bus>,
    key: ServerKey,
    default_version: RoomVersionId,
    live: RefCell<Cache<OwnedRoomId, Rc<LiveRoom>>>,
    loading: KeyedMutex<OwnedRoomId>,
    accepting: KeyedMutex<OwnedRoomId>,
    /// Transactions under way, by the key of their row.
    repeating: KeyedMutex<Vec<u8>>,
    aliases: KeyedMutex<OwnedRoomAliasId>,
    /// The time in the newest create event that was made here.
    last_creation: Cell<u64>,
    /// Durable events.
    events: RefCell<Cache<OwnedEventId, Event>>,
    user_rooms: RefCell<Cache<OwnedUserId, Rc<UserRooms>>>,
    user_rooms_changes: Cell<u64>,
    listing: RefCell<Listing>,
    count: RowCount,
}

impl Rooms {
    /// Opens the rooms that `store` holds; makes the server's signing key and the stream of the
    /// rooms' events when they are not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        store: Store,
        feed: Feed,
        bus: Rc<dyn Bus>,
        server_name: OwnedServerName,
        default_version: RoomVersionId,
    ) -> Result<Self> {
        let key = ServerKey::open(&store, server_name).await?;
        bus.ensure_stream(&output::STREAM).await?;
        Ok(Self {
            inner: Rc::new(Inner {
                store,
                feed,
                bus,
                key,
                default_version,
                live: RefCell::new(Cache::new(LIVE_ROOMS)),
                loading: KeyedMutex::default(),
                accepting: KeyedMutex::default(),
                repeating: KeyedMutex::default(),
                aliases: KeyedMutex::default(),
                last_creation: Cell::new(0),
                events: RefCell::new(Cache::new(EVENTS)),
                user_rooms: RefCell::new(Cache::new(USER_ROOMS_IN_MEMORY)),
                user_rooms_changes: Cell::new(0),
                listing: RefCell::default(),
                count: RowCount::new(Table::Rooms),
            }),
        })
    }

    /// The server's signing key.
    pub fn server_key(&self) -> &ServerKey {
        &self.inner.key
    }

    /// How many rooms this server knows.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn count(&self) -> Result<usize> {
        Ok(self.inner.count.get(&self.inner.store).await?)
    }

    /// A room that this server knows.
    ///
    /// # Errors
    /// 404 `M_NOT_FOUND` when there is none.
    pub async fn room(&self, room_id: &RoomId) -> Result<Room> {
        Ok(self.room_of(&self.live(room_id).await?))
    }

    /// Whether a user has an account on this server.
    pub(crate) fn is_local(&self, user_id: &UserId) -> bool {
        user_id.server_name() == self.inner.key.server_name()
    }

    fn room_of(&self, live: &Rc<LiveRoom>) -> Room {
        Room::new(self.clone(), live.clone())
    }
}
