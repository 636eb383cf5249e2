//! Rooms on a disk that fails or ends: what was answered is there, what is there is whole.

#[path = "support/rooms.rs"]
mod helpers;
#[macro_use]
mod support;

use std::collections::BTreeSet;

use futures::future::join_all;
use helpers::*;
use neurite::{
    feed::Position,
    rooms::{Profile, Rooms},
    store::{
        Direction, Error, Options, Store,
        memory::{Disk, Fault},
    },
};
use ruma::{
    OwnedEventId, OwnedRoomId, RoomVersionId, api::client::room::create_room::v3::RoomPreset,
    events::StateEventType,
};
use serde_json::json;

async fn on(disk: &Disk) -> Rooms {
    open(&Store::open_memory(disk, Options::default()).await.unwrap()).await
}

/// Many events at once, some of them state; gives the ids of those that were answered.
async fn send_many(rooms: &Rooms, room_id: &OwnedRoomId, round: usize) -> Vec<OwnedEventId> {
    let (alice, bob) = (user("alice"), user("bob"));
    let sends = (0..12).map(|n| {
        let (alice, bob) = (&alice, &bob);
        async move {
            match n % 4 {
                0 => {
                    let event = state("x.y".into(), "", json!({ "round": round, "n": n }));
                    rooms.append(room_id, alice, event).await
                }
                1 => rooms.append(room_id, bob, text(&n.to_string())).await,
                _ => rooms.append(room_id, alice, text(&n.to_string())).await,
            }
        }
    });
    join_all(sends).await.into_iter().filter_map(Result::ok).collect()
}

/// That the room is whole: every event follows events of the timeline, only the last has none
/// after it, and its state is the current one. Gives the ids of all.
async fn whole(rooms: &Rooms, room_id: &OwnedRoomId) -> BTreeSet<OwnedEventId> {
    let room = rooms.room(room_id).await.unwrap();
    let events = room.timeline(0, Position::MAX, Direction::Forward, 10_000).await.unwrap();
    for pair in events.windows(2) {
        assert_eq!(pair[1].pdu.prev_events, [pair[0].pdu.event_id.clone()]);
        assert_eq!(pair[1].state_before, pair[0].state_after);
    }
    let last = events.last().unwrap();
    assert_eq!(room.head(), last.position);
    assert_eq!(room.state_at(last.state_after).await.unwrap(), room.current_state());
    let members = room.members().await.unwrap();
    let current = room.current_state();
    for (key, event_id) in current.of_type(&StateEventType::RoomMember) {
        assert_eq!(members[&*ruma::UserId::parse(key).unwrap()].event_id, *event_id);
    }
    events.into_iter().map(|event| event.pdu.event_id.clone()).collect()
}

tests! {
    async fn a_room_goes_on_after_writes_that_failed() {
        for after in 0..8 {
            let disk = Disk::new();
            let rooms = on(&disk).await;
            let public = preset(RoomPreset::PublicChat, RoomVersionId::V12);
            let room_id = rooms.create(&user("alice"), public).await.unwrap();
            rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
            disk.fault_after(after, Fault::Fail(Error::QuotaExceeded));
            let mut answered = BTreeSet::new();
            for round in 0..3 {
                answered.extend(send_many(&rooms, &room_id, round).await);
            }
            disk.fault_after(u64::MAX / 2, Fault::None);
            let last = rooms.append(&room_id, &user("bob"), text("on")).await.unwrap();
            answered.insert(last);
            let there = whole(&rooms, &room_id).await;
            assert!(answered.is_subset(&there), "{after}");
            // What was refused is not there either, but for the events of the creation.
            assert_eq!(there.len(), answered.len() + 7, "{after}");
            assert_eq!(whole(&on(&disk).await, &room_id).await, there);
        }
    }

    async fn nothing_that_was_answered_is_lost_when_everything_ends() {
        for after in 0..12 {
            for fault in [Fault::KillBefore, Fault::KillAfter] {
                let disk = Disk::new();
                let rooms = on(&disk).await;
                let public = preset(RoomPreset::PublicChat, RoomVersionId::V11);
                let room_id = rooms.create(&user("alice"), public).await.unwrap();
                rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
                disk.fault_after(after, fault);
                let mut answered = BTreeSet::new();
                for round in 0..3 {
                    answered.extend(send_many(&rooms, &room_id, round).await);
                }
                disk.kill();
                let rooms = on(&disk).await;
                assert!(answered.is_subset(&whole(&rooms, &room_id).await), "{after}");
                send_many(&rooms, &room_id, 4).await;
                whole(&rooms, &room_id).await;
            }
        }
    }
}
