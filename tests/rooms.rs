//! Rooms by their rules: creation, sending, membership, aliases, the directory, upgrades.

#[path = "support/rooms.rs"]
mod helpers;
#[macro_use]
mod support;

use helpers::*;
use neurite::{
    feed::Position,
    rooms::{CreateRoom, DirectoryFilter, NewEvent, Profile, Txn},
    store::{Batch, Direction, Key, Store, Table},
};
use ruma::{
    RoomVersionId,
    api::client::room::{Visibility, create_room::v3::RoomPreset},
    directory::RoomTypeFilter,
    events::{StateEventType, TimelineEventType, room::member::MembershipState},
};
use serde_json::{Value, json, value::to_raw_value};
use support::place::Place;

tests! {
    async fn a_room_is_made_in_the_order_of_the_specification() {
        let store = support::store().await;
        let rooms = open(&store).await;
        let request = CreateRoom {
            name: Some("The room".to_owned()),
            topic: Some("All".to_owned()),
            room_alias_name: Some("room".to_owned()),
            invite: vec![user("bob")],
            initial_state: vec![state(
                "m.room.encryption".into(), "", json!({ "algorithm": "m.megolm.v1.aes-sha2" }),
            )],
            ..preset(RoomPreset::PrivateChat, RoomVersionId::V12)
        };
        let room_id = rooms.create(&user("alice"), request.clone()).await.unwrap();
        assert_eq!(types(&rooms, &room_id).await, [
            "m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias",
            "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
            "m.room.encryption", "m.room.name", "m.room.topic", "m.room.member",
        ]);
        let taken = rooms.create(&user("alice"), request).await.unwrap_err();
        assert_eq!(status(&taken), (400, "M_ROOM_IN_USE".to_owned()));

        let room = rooms.room(&room_id).await.unwrap();
        assert_eq!(room.version(), &RoomVersionId::V12);
        // Since version 12 the room's id is the create event's.
        let create = room.state_event(&StateEventType::RoomCreate, "").await.unwrap().unwrap();
        assert_eq!(room_id.as_str()[1..], create.event_id.as_str()[1..]);
        let levels = room.state_event(&StateEventType::RoomPowerLevels, "").await.unwrap().unwrap();
        assert_eq!(content(&levels.content)["users"], json!({}));
        assert!(!levels.auth_events.contains(&create.event_id));
        let bob = room.membership_of(&user("bob")).await.unwrap().unwrap();
        assert_eq!(bob.membership, MembershipState::Invite);
        assert_eq!(rooms.memberships(&user("bob")).await.unwrap().len(), 1);
    }

    async fn what_is_sent_stays_and_repeated_transactions_make_one_event() {
        let alice = user("alice");
        for version in [RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12] {
            let store = support::store().await;
            let rooms = open(&store).await;
            let room_id = rooms.create(&alice, preset(RoomPreset::PublicChat, version.clone())).await.unwrap();
            let txn = Txn {
                user_id: alice.clone(), device_id: "D".into(), txn_id: "1".into(),
            };
            let event = text("hello").with_txn(Some(txn));
            let first = rooms.append(&room_id, &alice, event.clone()).await.unwrap();
            assert_eq!(rooms.append(&room_id, &alice, event).await.unwrap(), first);
            rooms.join(&user("bob"), &room_id, Profile::default(), None).await.unwrap();
            // Ten at a time: none waits for the other to be durable.
            let sends = (0..10).map(|n| rooms.append(&room_id, &alice, text(&n.to_string())));
            let ids = futures::future::join_all(sends).await;

            let again = open(&store).await;
            let room = again.room(&room_id).await.unwrap();
            let events = room.timeline(0, Position::MAX, Direction::Backward, 10).await.unwrap();
            for (event, id) in events.iter().rev().zip(&ids) {
                assert_eq!(&event.pdu.event_id, id.as_ref().unwrap());
            }
            for pair in events.windows(2) {
                assert_eq!(pair[0].pdu.prev_events, [pair[1].pdu.event_id.clone()]);
            }
            assert_eq!(room.joined_members().await.unwrap().len(), 2);
            assert_eq!(
                room.current_state(),
                rooms.room(&room_id).await.unwrap().current_state(),
            );
            again.append(&room_id, &alice, text("after a restart")).await.unwrap();

            // A redaction sent as any event has its target where the version wants it.
            let content = json!({ "redacts": first, "reason": "oops" });
            let content = to_raw_value(&content).unwrap();
            let redaction = NewEvent::message(TimelineEventType::RoomRedaction, content);
            let id = again.append(&room_id, &alice, redaction).await.unwrap();
            let room = again.room(&room_id).await.unwrap();
            let event = room.event(&id).await.unwrap().unwrap();
            let event: Value = serde_json::from_str(event.pdu.json.get()).unwrap();
            let in_content = event["content"].get("redacts").is_some();
            assert_eq!(event["redacts"] == json!(first), version == RoomVersionId::V10);
            assert_eq!(in_content, version != RoomVersionId::V10);
        }
    }

    async fn rooms_refuse_what_their_rules_do_not_allow() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let room_id =
            rooms.create(&alice, preset(RoomPreset::PrivateChat, RoomVersionId::V11)).await.unwrap();
        let refused = rooms.append(&room_id, &bob, text("hi")).await.unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        let refused = rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        rooms.invite(&alice, &room_id, &bob, Profile::default(), None).await.unwrap();
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        let refused = rooms
            .append(&room_id, &bob, state(StateEventType::RoomName, "", json!({ "name": "x" })))
            .await
            .unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        let large = rooms.append(&room_id, &bob, text(&"x".repeat(66_000))).await.unwrap_err();
        assert_eq!(status(&large), (413, "M_TOO_LARGE".to_owned()));
        let float = NewEvent::message(
            TimelineEventType::RoomMessage, to_raw_value(&json!({ "n": 1.5 })).unwrap(),
        );
        let float = rooms.append(&room_id, &bob, float).await.unwrap_err();
        assert_eq!(status(&float), (400, "M_BAD_JSON".to_owned()));
        let unsupported = preset(RoomPreset::PublicChat, RoomVersionId::V5);
        let unsupported = rooms.create(&alice, unsupported).await.unwrap_err();
        assert_eq!(status(&unsupported), (400, "M_UNSUPPORTED_ROOM_VERSION".to_owned()));
    }

    async fn rooms_that_are_made_alike_at_once_are_different_rooms() {
        for version in [RoomVersionId::V11, RoomVersionId::V12] {
            let rooms = open(&support::store().await).await;
            let alice = user("alice");
            let request = || preset(RoomPreset::PublicChat, version.clone());
            let made = (0..20).map(|_| rooms.create(&alice, request()));
            let made = futures::future::join_all(made).await.into_iter().map(Result::unwrap);
            assert_eq!(made.collect::<std::collections::BTreeSet<_>>().len(), 20);
            assert_eq!(rooms.joined_rooms(&alice).await.unwrap().len(), 20);
        }
    }

    async fn creators_rule_rooms_of_version_12() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let request = CreateRoom {
            invite: vec![bob.clone()],
            ..preset(RoomPreset::TrustedPrivateChat, RoomVersionId::V12)
        };
        let room_id = rooms.create(&alice, request).await.unwrap();
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        let room = rooms.room(&room_id).await.unwrap();
        let create = room.state_event(&StateEventType::RoomCreate, "").await.unwrap().unwrap();
        assert_eq!(content(&create.content)["additional_creators"], json!([bob]));
        // A creator's power has no end, so neither can lock the other out.
        let levels = json!({ "users": { "@carol:neurite.test": 100 }, "state_default": 100 });
        let event = state(StateEventType::RoomPowerLevels, "", levels);
        rooms.append(&room_id, &bob, event).await.unwrap();
        let named = state(
            StateEventType::RoomPowerLevels, "", json!({ "users": { "@alice:neurite.test": 0 } }),
        );
        let refused = rooms.append(&room_id, &bob, named).await.unwrap_err();
        assert_eq!(status(&refused), (403, "M_FORBIDDEN".to_owned()));
        let kicked = rooms.kick(&bob, &room_id, &alice, None).await.unwrap_err();
        assert_eq!(status(&kicked), (403, "M_FORBIDDEN".to_owned()));
        // Naming a creator when the room is made is wrong too.
        let mut request = preset(RoomPreset::PrivateChat, RoomVersionId::V12);
        let users = json!({ "@alice:neurite.test": 100 });
        request.power_level_content_override.insert("users".to_owned(), users);
        let refused = rooms.create(&alice, request).await.unwrap_err();
        assert_eq!(status(&refused), (400, "M_INVALID_ROOM_STATE".to_owned()));
    }

    async fn membership_goes_by_the_rules() {
        let rooms = open(&support::store().await).await;
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        for version in [RoomVersionId::V10, RoomVersionId::V12] {
            let room_id = rooms.create(&alice, preset(RoomPreset::PrivateChat, version)).await.unwrap();
            let of = async |user: &ruma::UserId| {
                check_joined(&rooms, &room_id).await;
                let member = rooms.membership(user, &room_id).await.unwrap();
                member.map(|member| member.membership)
            };
            rooms.invite(&alice, &room_id, &bob, Profile::default(), None).await.unwrap();
            assert_eq!(of(&bob).await, Some(MembershipState::Invite));
            rooms.leave(&bob, &room_id, None).await.unwrap();
            assert_eq!(of(&bob).await, Some(MembershipState::Leave));
            assert!(rooms.join(&bob, &room_id, Profile::default(), None).await.is_err());
            rooms.invite(&alice, &room_id, &bob, Profile::default(), None).await.unwrap();
            let profile = Profile { displayname: Some("Bob".to_owned()), avatar_url: None };
            rooms.join(&bob, &room_id, profile.clone(), None).await.unwrap();
            let joined = rooms.room(&room_id).await.unwrap().head();
            // Joining again changes nothing.
            rooms.join(&bob, &room_id, profile, None).await.unwrap();
            assert_eq!(rooms.room(&room_id).await.unwrap().head(), joined);
            assert!(rooms.shares_room(&alice, &bob).await.unwrap());
            assert!(rooms.kick(&bob, &room_id, &alice, None).await.is_err());
            assert!(rooms.forget(&bob, &room_id).await.is_err());
            rooms.ban(&alice, &room_id, &bob, Some("spam".to_owned())).await.unwrap();
            assert_eq!(of(&bob).await, Some(MembershipState::Ban));
            assert!(rooms.kick(&alice, &room_id, &bob, None).await.is_err());
            assert!(rooms.join(&bob, &room_id, Profile::default(), None).await.is_err());
            rooms.forget(&bob, &room_id).await.unwrap();
            assert!(rooms.membership(&bob, &room_id).await.unwrap().unwrap().forgotten);
            rooms.unban(&alice, &room_id, &bob, None).await.unwrap();
            assert!(rooms.unban(&alice, &room_id, &bob, None).await.is_err());
            assert!(rooms.kick(&alice, &room_id, &carol, None).await.is_err());

            let knock = state(StateEventType::RoomJoinRules, "", json!({ "join_rule": "knock" }));
            rooms.append(&room_id, &alice, knock).await.unwrap();
            rooms.knock(&carol, &room_id, Profile::default(), None).await.unwrap();
            assert_eq!(of(&carol).await, Some(MembershipState::Knock));
            rooms.invite(&alice, &room_id, &carol, Profile::default(), None).await.unwrap();
            rooms.join(&carol, &room_id, Profile::default(), None).await.unwrap();
            let new = Profile { displayname: Some("C".to_owned()), avatar_url: None };
            rooms.update_profile(&carol, &new).await.unwrap();
            let member = rooms.room(&room_id).await.unwrap().membership_of(&carol).await.unwrap();
            assert_eq!(member.unwrap().displayname.as_deref(), Some("C"));
        }
    }

    async fn who_is_joined_is_counted_with_the_room_also_in_one_of_before() {
        let place = Place::new();
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let store = place.open().await;
        let rooms = open(&store).await;
        let request = preset(RoomPreset::PublicChat, RoomVersionId::V12);
        let room_id = rooms.create(&alice, request).await.unwrap();
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        let row = async |store: &Store| -> Value {
            store.get_json(Table::Rooms, Key::new().str(&room_id)).await.unwrap().unwrap()
        };
        assert_eq!(row(&store).await["joined"], 2);
        // Nobody has read the members since a start.
        let store = place.open().await;
        let rooms = open(&store).await;
        rooms.join(&carol, &room_id, Profile::default(), None).await.unwrap();
        rooms.kick(&alice, &room_id, &bob, None).await.unwrap();
        let renamed = Profile { displayname: Some("Carol".to_owned()), avatar_url: None };
        rooms.join(&carol, &room_id, renamed, None).await.unwrap();
        assert_eq!(row(&store).await["joined"], 2);
        check_joined(&rooms, &room_id).await;

        // Versions of before did not count.
        let mut before = row(&store).await;
        before.as_object_mut().unwrap().remove("joined");
        let mut batch = Batch::new();
        batch.put_json(Table::Rooms, Key::new().str(&room_id), &before).unwrap();
        store.commit(batch).await.unwrap();
        let store = place.open().await;
        let rooms = open(&store).await;
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        assert_eq!(row(&store).await.get("joined"), None);
        check_joined(&rooms, &room_id).await;
        assert_eq!(rooms.room(&room_id).await.unwrap().joined_count().await.unwrap(), 3);
        // Once the members were read, it is known from the next event on.
        rooms.append(&room_id, &alice, text("hello")).await.unwrap();
        assert_eq!(row(&store).await["joined"], 3);
        rooms.leave(&bob, &room_id, None).await.unwrap();
        assert_eq!(row(&store).await["joined"], 2);
        check_joined(&rooms, &room_id).await;
    }

    async fn members_of_one_room_may_join_a_restricted_one() {
        let rooms = open(&support::store().await).await;
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let public = || preset(RoomPreset::PublicChat, RoomVersionId::V12);
        let space = rooms.create(&alice, public()).await.unwrap();
        let rule = json!({
            "join_rule": "restricted",
            "allow": [{ "type": "m.room_membership", "room_id": space }],
        });
        let request = CreateRoom {
            initial_state: vec![state(StateEventType::RoomJoinRules, "", rule)],
            ..public()
        };
        let room_id = rooms.create(&alice, request).await.unwrap();
        rooms.join(&bob, &space, Profile::default(), None).await.unwrap();
        rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
        let refused = rooms.join(&carol, &room_id, Profile::default(), None).await.unwrap_err();
        assert_eq!(status(&refused).0, 403);
        let room = rooms.room(&room_id).await.unwrap();
        let member = room.state_event(&StateEventType::RoomMember, bob.as_str()).await.unwrap();
        let content = content(&member.unwrap().content);
        assert_eq!(content["join_authorised_via_users_server"], json!(alice));
    }

    async fn state_that_changes_nothing_makes_no_event() {
        let rooms = open(&support::store().await).await;
        let alice = user("alice");
        let room_id =
            rooms.create(&alice, preset(RoomPreset::PrivateChat, RoomVersionId::V12)).await.unwrap();
        let name = || state(StateEventType::RoomName, "", json!({ "name": "x" }));
        let first = rooms.append(&room_id, &alice, name()).await.unwrap();
        assert_eq!(rooms.append(&room_id, &alice, name()).await.unwrap(), first);
        let other = state(StateEventType::RoomName, "", json!({ "name": "y" }));
        assert_ne!(rooms.append(&room_id, &alice, other).await.unwrap(), first);
    }

    async fn aliases_and_the_directory_lead_to_rooms() {
        let store = support::store().await;
        let rooms = open(&store).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let request = CreateRoom {
            name: Some("Gardening".to_owned()),
            visibility: Visibility::Public,
            ..preset(RoomPreset::PublicChat, RoomVersionId::V12)
        };
        let garden = rooms.create(&alice, request).await.unwrap();
        let mut request = CreateRoom {
            name: Some("Things".to_owned()),
            visibility: Visibility::Public,
            ..preset(RoomPreset::PublicChat, RoomVersionId::V11)
        };
        request.creation_content.insert("type".to_owned(), json!("m.space"));
        let space = rooms.create(&alice, request).await.unwrap();
        rooms.join(&bob, &space, Profile::default(), None).await.unwrap();

        let page = rooms.public_rooms(&DirectoryFilter::default(), 1, None).await.unwrap();
        assert_eq!(page.chunk[0].room_id, space);
        assert_eq!(u64::from(page.total), 2);
        let next = page.next_batch.unwrap();
        let page = rooms.public_rooms(&DirectoryFilter::default(), 1, Some(&next)).await.unwrap();
        assert_eq!(page.chunk[0].room_id, garden);
        assert_eq!((page.next_batch, page.prev_batch.is_some()), (None, true));
        let filter = DirectoryFilter { term: Some("GARDEN".to_owned()), room_types: vec![] };
        let page = rooms.public_rooms(&filter, 10, None).await.unwrap();
        assert_eq!(page.chunk.len(), 1);
        let filter = DirectoryFilter { term: None, room_types: vec![RoomTypeFilter::Space] };
        let page = rooms.public_rooms(&filter, 10, None).await.unwrap();
        assert_eq!((page.chunk.len(), &page.chunk[0].room_id), (1, &space));

        let alias = ruma::room_alias_id!("#garden:neurite.test");
        rooms.set_alias(&alice, alias, &garden).await.unwrap();
        let taken = rooms.set_alias(&bob, alias, &space).await.unwrap_err();
        assert_eq!(status(&taken).0, 409);
        let canonical = |alias: &str| {
            state(StateEventType::RoomCanonicalAlias, "", json!({ "alias": alias }))
        };
        let bad = rooms.append(&garden, &alice, canonical("#no:neurite.test")).await.unwrap_err();
        assert_eq!(status(&bad), (400, "M_BAD_ALIAS".to_owned()));
        rooms.append(&garden, &alice, canonical(alias.as_str())).await.unwrap();
        assert_eq!(status(&rooms.delete_alias(&bob, alias).await.unwrap_err()).0, 403);
        let again = open(&store).await;
        assert_eq!(again.resolve_alias(alias).await.unwrap(), Some(garden.clone()));
        assert_eq!(again.aliases(&garden).await.unwrap(), [alias]);
        again.delete_alias(&alice, alias).await.unwrap();
        again.drop_alias(&alice, &garden, alias).await.unwrap();
        assert_eq!(again.resolve_alias(alias).await.unwrap(), None);
        let room = again.room(&garden).await.unwrap();
        let left = room.state_event(&StateEventType::RoomCanonicalAlias, "").await.unwrap();
        assert_eq!(content(&left.unwrap().content), json!({}));
    }

    async fn the_directory_follows_what_changes_in_its_rooms() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        let mut made = Vec::new();
        for name in ["one", "two", "three"] {
            let request = CreateRoom {
                name: Some(name.to_owned()),
                visibility: Visibility::Public,
                ..preset(RoomPreset::PublicChat, RoomVersionId::V12)
            };
            made.push(rooms.create(&alice, request).await.unwrap());
        }
        let listed = async || {
            let page = rooms.public_rooms(&DirectoryFilter::default(), 10, None).await.unwrap();
            let told = page.chunk.iter().map(|room| {
                format!("{} {}", room.name.as_deref().unwrap_or("?"), room.num_joined_members)
            });
            let mut told: Vec<_> = told.collect();
            // Those with the same number of members are in the order of their ids.
            let members = |room: &str| room.split(' ').next_back().map(str::to_owned);
            told.sort_by(|a, b| members(b).cmp(&members(a)).then_with(|| a.cmp(b)));
            told
        };
        assert_eq!(listed().await, ["one 1", "three 1", "two 1"]);
        rooms.join(&bob, &made[1], Profile::default(), None).await.unwrap();
        let name = state(StateEventType::RoomName, "", json!({ "name": "first" }));
        let named = rooms.append(&made[0], &alice, name).await.unwrap();
        assert_eq!(listed().await, ["two 2", "first 1", "three 1"]);
        rooms.set_published(&made[2], false).await.unwrap();
        rooms.redact(&made[0], &alice, named, None, None).await.unwrap();
        assert_eq!(listed().await, ["two 2", "? 1"]);
        rooms.set_published(&made[2], true).await.unwrap();
        rooms.leave(&bob, &made[1], None).await.unwrap();
        assert_eq!(listed().await, ["? 1", "three 1", "two 1"]);
        let page = rooms.public_rooms(&DirectoryFilter::default(), 1, None).await.unwrap();
        assert_eq!((page.chunk.len(), u64::from(page.total)), (1, 3));
    }

    async fn an_upgraded_room_goes_on_in_its_replacement() {
        let rooms = open(&support::store().await).await;
        let (alice, bob) = (user("alice"), user("bob"));
        for (from, to) in [
            (RoomVersionId::V10, RoomVersionId::V12),
            (RoomVersionId::V12, RoomVersionId::V11),
        ] {
            let name = format!("up{from}");
            let request = CreateRoom {
                name: Some("Old".to_owned()),
                room_alias_name: Some(name.clone()),
                ..preset(RoomPreset::PublicChat, from)
            };
            let old = rooms.create(&alice, request).await.unwrap();
            rooms.join(&bob, &old, Profile::default(), None).await.unwrap();
            let refused =
                rooms.upgrade(&bob, &old, to.clone(), &[], Profile::default()).await.unwrap_err();
            assert_eq!(status(&refused).0, 403);
            let new =
                rooms.upgrade(&alice, &old, to.clone(), &[], Profile::default()).await.unwrap();
            let room = rooms.room(&new).await.unwrap();
            assert_eq!(*room.version(), to);
            let create = room.state_event(&StateEventType::RoomCreate, "").await.unwrap().unwrap();
            assert_eq!(content(&create.content)["predecessor"]["room_id"], json!(old));
            let named = room.state_event(&StateEventType::RoomName, "").await.unwrap().unwrap();
            assert_eq!(content(&named.content), json!({ "name": "Old" }));
            let alias = ruma::RoomAliasId::parse(format!("#{name}:neurite.test")).unwrap();
            assert_eq!(rooms.resolve_alias(&alias).await.unwrap(), Some(new.clone()));
            let before = rooms.room(&old).await.unwrap();
            let tombstone =
                before.state_event(&StateEventType::RoomTombstone, "").await.unwrap().unwrap();
            assert_eq!(content(&tombstone.content)["replacement_room"], json!(new));
            assert_eq!(status(&rooms.append(&old, &bob, text("?")).await.unwrap_err()).0, 403);
            rooms.append(&new, &alice, state(StateEventType::RoomTopic, "", json!({ "topic": "t" })))
                .await
                .unwrap();
        }
    }
}
