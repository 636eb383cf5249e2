//! The event graph: forks, state resolution, soft failure, late redactions, states as deltas.

#[path = "support/rooms.rs"]
mod helpers;
#[macro_use]
mod support;

use std::collections::BTreeMap;

use helpers::*;
use neurite::rooms::{Accepted, Profile, Rooms, Status};
use ruma::{
    CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, UserId,
    api::client::room::create_room::v3::RoomPreset,
    events::{StateEventType, room::member::MembershipState},
    serde::Base64,
    signatures::{Ed25519KeyPair, PublicKeyMap, hash_and_sign_event, reference_hash},
};
use serde_json::{Value, json};

/// Another server, whose users take part.
struct Other {
    pair: Ed25519KeyPair,
    version: RoomVersionId,
    room_id: OwnedRoomId,
    clock: u64,
}

impl Other {
    fn new(version: RoomVersionId, room_id: OwnedRoomId) -> Self {
        let pair = Ed25519KeyPair::from_der(&Ed25519KeyPair::generate(), "1".to_owned()).unwrap();
        // Later than anything that the tests send in real time.
        Self { pair, version, room_id, clock: 4_000_000_000_000 }
    }

    fn keys(&self) -> PublicKeyMap {
        let key = Base64::new(self.pair.public_key().to_vec());
        let set = BTreeMap::from([("ed25519:1".to_owned(), key)]);
        BTreeMap::from([("other.test".to_owned(), set)])
    }

    /// An event after `prev`, authorized by what the state after them has.
    async fn event(
        &mut self,
        rooms: &Rooms,
        prev: &[OwnedEventId],
        sender: &UserId,
        event: Value,
    ) -> CanonicalJsonObject {
        let room = rooms.room(&self.room_id).await.unwrap();
        let last = room.event(&prev[0]).await.unwrap().unwrap();
        let map = room.state_at(last.state_after).await.unwrap();
        let kind = event["type"].as_str().unwrap();
        let mut keys = vec![
            (StateEventType::RoomPowerLevels, ""),
            (StateEventType::RoomMember, sender.as_str()),
        ];
        if self.version != RoomVersionId::V12 {
            keys.push((StateEventType::RoomCreate, ""));
        }
        if kind == "m.room.member" {
            let target = event["state_key"].as_str().unwrap();
            if target != sender {
                keys.push((StateEventType::RoomMember, target));
            }
            if event["content"]["membership"] == "join" {
                keys.push((StateEventType::RoomJoinRules, ""));
            }
        }
        let auth: Vec<_> = keys.iter().filter_map(|(kind, key)| map.get(kind, key)).collect();
        self.clock += 1;
        let mut object: CanonicalJsonObject = serde_json::from_value(event).unwrap();
        let rest = json!({
            "room_id": self.room_id, "sender": sender, "origin_server_ts": self.clock,
            "depth": last.pdu.depth + 1, "prev_events": prev, "auth_events": auth,
        });
        object.extend(serde_json::from_value::<CanonicalJsonObject>(rest).unwrap());
        let rules = self.version.rules().unwrap();
        hash_and_sign_event("other.test", &self.pair, &mut object, &rules.redaction).unwrap();
        object
    }

    fn id(&self, object: &CanonicalJsonObject) -> OwnedEventId {
        let hash = reference_hash(object, &self.version.rules().unwrap()).unwrap();
        OwnedEventId::try_from(format!("${hash}")).unwrap()
    }

    async fn accept(&self, rooms: &Rooms, object: CanonicalJsonObject) -> Accepted {
        rooms.accept(&self.room_id, object, &self.keys()).await.unwrap()
    }

    /// Makes an event and offers it.
    async fn send(
        &mut self,
        rooms: &Rooms,
        prev: &[OwnedEventId],
        sender: &UserId,
        event: Value,
    ) -> (OwnedEventId, Status) {
        let object = self.event(rooms, prev, sender, event).await;
        match self.accept(rooms, object).await {
            Accepted::Kept(event_id, status) => (event_id, status),
            Accepted::Missing(missing) => panic!("{missing:?} are missing"),
        }
    }
}

fn other(name: &str) -> OwnedUserId {
    UserId::parse(format!("@{name}:other.test")).unwrap()
}

fn message(body: &str) -> Value {
    json!({ "type": "m.room.message", "content": { "msgtype": "m.text", "body": body } })
}

fn member(user: &UserId, membership: &str) -> Value {
    json!({ "type": "m.room.member", "state_key": user, "content": { "membership": membership } })
}

fn topic(topic: &str) -> Value {
    json!({ "type": "m.room.topic", "state_key": "", "content": { "topic": topic } })
}

async fn topic_of(rooms: &Rooms, room_id: &ruma::RoomId) -> String {
    let room = rooms.room(room_id).await.unwrap();
    let event = room.state_event(&StateEventType::RoomTopic, "").await.unwrap().unwrap();
    content(&event.content)["topic"].as_str().unwrap().to_owned()
}

/// A public room of alice's, in which bob is, and admin (100) and mod (50) of the other server.
async fn room(rooms: &Rooms, version: RoomVersionId) -> (Other, OwnedEventId) {
    let (alice, bob) = (user("alice"), user("bob"));
    let room_id =
        rooms.create(&alice, preset(RoomPreset::PublicChat, version.clone())).await.unwrap();
    rooms.join(&bob, &room_id, Profile::default(), None).await.unwrap();
    let mut server = Other::new(version.clone(), room_id.clone());
    for name in ["admin", "mod"] {
        let last = newest(rooms, &room_id, 1).await[0].pdu.event_id.clone();
        let (_, status) =
            server.send(rooms, &[last], &other(name), member(&other(name), "join")).await;
        assert_eq!(status, Status::Accepted);
    }
    let mut users = json!({ "@admin:other.test": 100, "@mod:other.test": 50 });
    if version != RoomVersionId::V12 {
        users["@alice:neurite.test"] = json!(100);
    }
    let levels = state(StateEventType::RoomPowerLevels, "", json!({ "users": users }));
    let base = rooms.append(&room_id, &alice, levels).await.unwrap();
    (server, base)
}

const VERSIONS: [RoomVersionId; 3] = [RoomVersionId::V10, RoomVersionId::V11, RoomVersionId::V12];

tests! {
    async fn branches_meet_in_the_next_event() {
        for version in VERSIONS {
            let store = support::store().await;
            let rooms = open(&store).await;
            let (mut server, base) = room(&rooms, version).await;
            let room_id = server.room_id.clone();
            let ours = rooms.append(&room_id, &user("alice"), text("ours")).await.unwrap();
            let (theirs, status) =
                server.send(&rooms, &[base], &other("mod"), message("theirs")).await;
            assert_eq!(status, Status::Accepted);
            rooms.append(&room_id, &user("bob"), text("both")).await.unwrap();
            let events = newest(&rooms, &room_id, 3).await;
            assert_eq!(events.iter().map(body).collect::<Vec<_>>(), ["ours", "theirs", "both"]);
            assert_eq!(events[2].pdu.prev_events, [ours, theirs]);
            // Known already: nothing happens.
            let again = newest(&rooms, &room_id, 2).await[0].clone();
            let object = serde_json::from_str(again.pdu.json.get()).unwrap();
            let answer = server.accept(&rooms, object).await;
            assert_eq!(answer, Accepted::Kept(again.pdu.event_id.clone(), Status::Accepted));
            let rooms = open(&store).await;
            rooms.append(&room_id, &user("bob"), text("after a restart")).await.unwrap();
            assert_eq!(newest(&rooms, &room_id, 1).await[0].pdu.prev_events.len(), 1);
        }
    }

    async fn conflicting_state_is_resolved_the_same_whatever_came_first() {
        for version in VERSIONS {
            let mut topics = Vec::new();
            for later_first in [false, true] {
                let store = support::store().await;
                let rooms = open(&store).await;
                let (mut server, base) = room(&rooms, version.clone()).await;
                let room_id = server.room_id.clone();
                let prev = [base];
                let earlier = server.event(&rooms, &prev, &other("mod"), topic("earlier")).await;
                let later = server.event(&rooms, &prev, &other("admin"), topic("later")).await;
                let order = if later_first { [later, earlier] } else { [earlier, later] };
                for object in order {
                    let id = server.id(&object);
                    let answer = server.accept(&rooms, object).await;
                    assert_eq!(answer, Accepted::Kept(id, Status::Accepted));
                }
                topics.push(topic_of(&rooms, &room_id).await);
                let current = rooms.room(&room_id).await.unwrap().current_state();
                let again = open(&store).await;
                assert_eq!(again.room(&room_id).await.unwrap().current_state(), current);
                rooms.append(&room_id, &user("alice"), text("on")).await.unwrap();
                let last = newest(&rooms, &room_id, 1).await.remove(0);
                let room = rooms.room(&room_id).await.unwrap();
                assert_eq!(*room.state_at(last.state_before).await.unwrap(), *current);
            }
            // Equal mainline positions: the later one counts, as it is applied last.
            assert_eq!(topics, ["later", "later"]);
        }
    }

    async fn a_fork_that_lasts_is_resolved_once() {
        for version in VERSIONS {
            let rooms = open(&support::store().await).await;
            let (mut server, base) = room(&rooms, version).await;
            let room_id = server.room_id.clone();
            let prev = [base];
            let (mut one, _) = server.send(&rooms, &prev, &other("mod"), topic("one")).await;
            let (mut two, _) = server.send(&rooms, &prev, &other("admin"), topic("two")).await;
            let state = rooms.room(&room_id).await.unwrap().current_state_id();
            for n in 0..3 {
                let body = n.to_string();
                (one, _) = server.send(&rooms, &[one], &other("mod"), message(&body)).await;
                (two, _) = server.send(&rooms, &[two], &other("admin"), message(&body)).await;
                assert_eq!(rooms.room(&room_id).await.unwrap().current_state_id(), state, "{n}");
            }
            // One that follows both meets the same, and so ends the fork with no new state.
            server.send(&rooms, &[one, two], &other("admin"), message("both")).await;
            assert_eq!(rooms.room(&room_id).await.unwrap().current_state_id(), state);
            assert_eq!(topic_of(&rooms, &room_id).await, "two");
        }
    }

    async fn power_decides_between_branches_and_members_follow() {
        for version in VERSIONS {
            let store = support::store().await;
            let rooms = open(&store).await;
            let (mut server, base) = room(&rooms, version).await;
            let room_id = server.room_id.clone();
            let (admin, moderator, bob) = (other("admin"), other("mod"), user("bob"));
            let membership = async |rooms: &Rooms| {
                let member = rooms.room(&room_id).await.unwrap().membership_of(&bob).await.unwrap();
                let own = rooms.membership(&bob, &room_id).await.unwrap().unwrap().membership;
                let member = member.unwrap().membership;
                assert_eq!(member, own);
                check_joined(rooms, &room_id).await;
                member
            };
            // In one branch the moderator bans bob, in the other the admin bans the moderator.
            let prev = [base];
            let (_, status) =
                server.send(&rooms, &prev, &moderator, member(&bob, "ban")).await;
            assert_eq!((status, membership(&rooms).await), (Status::Accepted, MembershipState::Ban));
            let (_, status) =
                server.send(&rooms, &prev, &admin, member(&moderator, "ban")).await;
            assert_eq!(status, Status::Accepted);
            // The admin's word comes first, so the moderator's was never theirs to say.
            assert_eq!(membership(&rooms).await, MembershipState::Join);
            rooms.append(&room_id, &bob, text("here again")).await.unwrap();
            let rooms = open(&store).await;
            assert_eq!(membership(&rooms).await, MembershipState::Join);
            // What the moderator sends from before the ban is not shown.
            let before = newest(&rooms, &room_id, 1).await.len();
            let (hidden, status) =
                server.send(&rooms, &prev, &moderator, message("too late")).await;
            assert_eq!((status, before), (Status::SoftFailed, 1));
            let room = rooms.room(&room_id).await.unwrap();
            assert!(room.event(&hidden).await.unwrap().is_none());
            assert_eq!(body(&newest(&rooms, &room_id, 1).await[0]), "here again");
            rooms.append(&room_id, &bob, text("on")).await.unwrap();
            let last = newest(&rooms, &room_id, 1).await.remove(0);
            assert!(!last.pdu.prev_events.contains(&hidden));
        }
    }

    async fn what_is_not_allowed_or_not_signed_does_not_get_in() {
        for version in VERSIONS {
            let rooms = open(&support::store().await).await;
            let (mut server, base) = room(&rooms, version).await;
            let room_id = server.room_id.clone();
            let prev = [base];
            let levels = json!({
                "type": "m.room.power_levels", "state_key": "",
                "content": { "users": { "@mod:other.test": 100 } },
            });
            let (id, status) = server.send(&rooms, &prev, &other("mod"), levels).await;
            assert_eq!(status, Status::Rejected);
            // A message on top of a rejected event is as good as one on what is before that.
            let room = rooms.room(&room_id).await.unwrap();
            let before = room.current_state();
            let mut object = server.event(&rooms, &prev, &other("mod"), message("x")).await;
            object.insert("prev_events".to_owned(), vec![id.as_str().into()].into());
            object.remove("signatures");
            let rules = server.version.rules().unwrap();
            hash_and_sign_event("other.test", &server.pair, &mut object, &rules.redaction).unwrap();
            let answer = server.accept(&rooms, object.clone()).await;
            assert_eq!(answer, Accepted::Kept(server.id(&object), Status::Accepted));
            assert_eq!(room.current_state(), before);

            let unknown = OwnedEventId::try_from("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            let unknown = unknown.unwrap();
            let mut object = server.event(&rooms, &prev, &other("mod"), message("y")).await;
            object.insert("prev_events".to_owned(), vec![unknown.as_str().into()].into());
            hash_and_sign_event("other.test", &server.pair, &mut object, &rules.redaction).unwrap();
            assert_eq!(server.accept(&rooms, object.clone()).await, Accepted::Missing(vec![unknown]));

            let mut forged = server.event(&rooms, &prev, &other("mod"), message("z")).await;
            forged.insert("depth".to_owned(), ruma::int!(3).into());
            let refused = rooms.accept(&room_id, forged, &server.keys()).await.unwrap_err();
            assert_eq!(status_of(&refused), 403);
            // Signed, but with another content than its hash says: taken without its content.
            let mut changed = server.event(&rooms, &prev, &other("mod"), message("w")).await;
            changed.insert("content".to_owned(), CanonicalJsonObject::new().into());
            let Accepted::Kept(id, Status::Accepted) = server.accept(&rooms, changed).await else {
                panic!("it was signed");
            };
            let event = rooms.room(&room_id).await.unwrap().event(&id).await.unwrap().unwrap();
            assert_eq!(event.pdu.content.get(), "{}");
        }
    }

    async fn events_of_other_servers_have_the_same_limits() {
        let rooms = open(&support::store().await).await;
        let (mut server, base) = room(&rooms, RoomVersionId::V12).await;
        let prev = [base];
        let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
        let event = |content: Value| json!({ "type": "m.room.message", "content": content });
        for (content, status) in [
            (nested(101), 400),
            (json!({ "body": "x".repeat(65_000) }), 413),
        ] {
            let object = server.event(&rooms, &prev, &other("mod"), event(content)).await;
            let refused = rooms.accept(&server.room_id, object, &server.keys()).await.unwrap_err();
            assert_eq!(status_of(&refused), status);
        }
        let (_, status) = server.send(&rooms, &prev, &other("mod"), event(nested(100))).await;
        assert_eq!(status, Status::Accepted);
    }

    async fn a_redaction_that_comes_first_still_strips() {
        for version in VERSIONS {
            let rooms = open(&support::store().await).await;
            let (mut server, base) = room(&rooms, version.clone()).await;
            let prev = [base];
            let secret = server.event(&rooms, &prev, &other("mod"), message("secret")).await;
            let id = server.id(&secret);
            let redaction = if version == RoomVersionId::V10 {
                json!({ "type": "m.room.redaction", "redacts": id, "content": {} })
            } else {
                json!({ "type": "m.room.redaction", "content": { "redacts": id } })
            };
            let (_, status) = server.send(&rooms, &prev, &other("mod"), redaction).await;
            assert_eq!(status, Status::Accepted);
            server.accept(&rooms, secret).await;
            let room = rooms.room(&server.room_id).await.unwrap();
            let event = room.event(&id).await.unwrap().unwrap();
            assert_eq!(event.pdu.content.get(), "{}");
            assert!(event.redacted_because.is_some());
        }
    }

    async fn every_state_can_be_read_again() {
        let store = support::store().await;
        let rooms = open(&store).await;
        let alice = user("alice");
        let room_id =
            rooms.create(&alice, preset(RoomPreset::PublicChat, RoomVersionId::V12)).await.unwrap();
        let mut wanted = Vec::new();
        for n in 0..70 {
            let event = state("x.y".into(), &(n % 13).to_string(), json!({ "n": n }));
            let id = rooms.append(&room_id, &alice, event).await.unwrap();
            let room = rooms.room(&room_id).await.unwrap();
            wanted.push((room.event(&id).await.unwrap().unwrap(), room.current_state()));
        }
        let rooms = open(&store).await;
        let room = rooms.room(&room_id).await.unwrap();
        for (event, state) in wanted.iter().rev() {
            assert_eq!(room.state_at(event.state_after).await.unwrap(), *state);
            let key = event.pdu.state_key.as_deref().unwrap();
            assert_eq!(state.get(&"x.y".into(), key), Some(&event.pdu.event_id));
        }
        // What lies between any two of them, forwards and backwards.
        for (from, old) in &wanted {
            for (to, new) in &wanted {
                let changes = room.state_changes(from.state_after, to.state_after).await.unwrap();
                let changes: Vec<_> =
                    changes.iter().map(|e| (e.kind(), e.key(), e.event_id())).collect();
                let mut keys: Vec<_> = old.iter().chain(new.iter()).map(|(k, key, _)| (k, key)).collect();
                keys.sort();
                keys.dedup();
                keys.retain(|(kind, key)| old.get(kind, key) != new.get(kind, key));
                let all: Vec<_> =
                    keys.into_iter().map(|(kind, key)| (kind, key, new.get(kind, key))).collect();
                assert_eq!(changes, all);
            }
        }
    }
}

fn status_of(error: &neurite::Error) -> u16 {
    status(error).0
}
