//! Matrix's identifiers as parts of keys.

use ruma::{
    DeviceId, EventId, OwnedDeviceId, OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedUserId,
    RoomAliasId, RoomId, UserId,
};

use super::{AsPart, Key, KeyReader, Kind, Part};

macro_rules! id_part {
    ($owned:ty, $borrowed:ty, $kind:expr) => {
        impl Part for $owned {
            const KIND: Kind = $kind;

            fn read(key: &mut KeyReader<'_>) -> Option<Self> {
                key.str()?.try_into().ok()
            }
        }

        impl AsPart<$owned> for $borrowed {
            fn append(&self, key: Key) -> Key {
                key.str(self)
            }
        }

        impl AsPart<$owned> for $owned {
            fn append(&self, key: Key) -> Key {
                key.str(self)
            }
        }
    };
}

id_part!(OwnedUserId, UserId, Kind::User);
id_part!(OwnedDeviceId, DeviceId, Kind::Device);
id_part!(OwnedRoomId, RoomId, Kind::Room);
id_part!(OwnedEventId, EventId, Kind::Text);
id_part!(OwnedRoomAliasId, RoomAliasId, Kind::Text);

/// A room, or none: the empty text.
impl Part for Option<OwnedRoomId> {
    const KIND: Kind = Kind::Room;

    fn read(key: &mut KeyReader<'_>) -> Option<Self> {
        match key.str()? {
            none if none.is_empty() => Some(None),
            room_id => room_id.try_into().ok().map(Some),
        }
    }
}

impl AsPart<Option<OwnedRoomId>> for Option<&RoomId> {
    fn append(&self, key: Key) -> Key {
        key.str(self.map_or("", RoomId::as_str))
    }
}
