//! What an event means for a whole room: one row for all whom it means the same.

#[macro_use]
mod support;

use std::rc::Rc;

use neurite::{
    Homeserver, platform,
    rooms::Profile,
    store::{Batch, Direction, Key, KeyRange, Store, Table},
};
use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};
use support::{
    client::{Client, server, server_over},
    place::Place,
};

/// The same person after a restart.
fn again(client: &Client, server: &Rc<Homeserver>) -> Client {
    Client { server: server.clone(), ..client.clone() }
}

fn id(client: &Client) -> OwnedUserId {
    UserId::parse(client.user_id.as_str()).unwrap()
}

async fn room(alice: &Client, with: &[&Client]) -> OwnedRoomId {
    let made = alice.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
    let room = RoomId::parse(made["room_id"].as_str().unwrap()).unwrap();
    for other in with {
        join(other, &room).await;
    }
    room
}

async fn join(client: &Client, room: &RoomId) {
    client.server.rooms.join(&id(client), room, Profile::default(), None).await.unwrap();
}

async fn say(client: &Client, room: &RoomId, body: &str) -> String {
    let txn = platform::random_string(8);
    let path = format!("/v3/rooms/{room}/send/m.room.message/{txn}");
    let content = json!({ "msgtype": "m.text", "body": body, "m.mentions": {} });
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}

async fn read(client: &Client, room: &RoomId, event: &str) {
    client.post(&format!("/v3/rooms/{room}/receipt/m.read/{event}"), json!({})).await.ok();
}

/// How many notifications a user has not read, and how many are highlighted.
async fn unread(client: &Client, room: &RoomId) -> (u64, u64) {
    client.server.push.catch_up().await;
    let counts = client.server.push.unread_counts(&id(client), room).await.unwrap().total();
    (counts.notification_count, counts.highlight_count)
}

async fn rows(store: &Store, table: Table) -> usize {
    store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX).await.unwrap().len()
}

/// The bodies of a user's notifications, newest first, and whether they are read.
async fn listed(client: &Client) -> Vec<(String, bool)> {
    let list = client.get("/v3/notifications").await.ok();
    let list = list["notifications"].as_array().unwrap().iter();
    let body = |one: &Value| one["event"]["content"]["body"].as_str().unwrap_or("").to_owned();
    list.map(|one| (body(one), one["read"].as_bool().unwrap())).collect()
}

tests! {
    async fn a_message_writes_one_row_for_all_its_readers() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let mut members = Vec::new();
        for number in 0..30 {
            members.push(Client::fast(&server, &format!("member{number}")).await);
        }
        let room = room(&alice, &members.iter().collect::<Vec<_>>()).await;
        for number in 0..20 {
            say(&alice, &room, &number.to_string()).await;
        }
        let newest = say(&alice, &room, "newest").await;
        assert_eq!(unread(&members[0], &room).await, (21, 0));
        for table in [Table::Unread, Table::Notifications] {
            assert_eq!(rows(&server.store, table).await, 0, "{table:?}");
        }
        // Only where somebody asks or reads there is more.
        let counts = rows(&server.store, Table::UnreadCounts).await;
        assert!(counts <= 2, "{counts}");
        assert_eq!(rows(&server.store, Table::RoomNotifications).await, 21);
        read(&members[1], &room, &newest).await;
        for (number, member) in members.iter().enumerate() {
            assert_eq!(unread(member, &room).await, (if number == 1 { 0 } else { 21 }, 0));
        }
        assert_eq!(unread(&alice, &room).await, (0, 0));
    }

    async fn whom_an_event_means_something_else_has_rows_of_their_own() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let mut others = Vec::new();
        for name in ["bob", "carol", "dave", "erin"] {
            others.push(Client::fast(&server, name).await);
        }
        let [bob, carol, dave, erin] = &others[..] else { panic!() };
        let room = room(&alice, &[bob, carol, dave, erin]).await;
        let keyword = json!({ "pattern": "cake", "actions": ["notify", { "set_tweak": "highlight" }] });
        bob.put("/v3/pushrules/global/content/cake", keyword).await.ok();
        let ignored = json!({ "ignored_users": { &alice.user_id: {} } });
        let path = format!("/v3/user/{}/account_data/m.ignored_user_list", carol.user_id);
        carol.put(&path, ignored).await.ok();
        dave.put(&format!("/v3/pushrules/global/room/{room}"), json!({ "actions": [] })).await.ok();
        let all = async || {
            let mut all = Vec::new();
            for client in [bob, carol, dave, erin] {
                all.push(unread(client, &room).await);
            }
            all
        };
        say(&alice, &room, "bread").await;
        assert_eq!(all().await, [(1, 0), (0, 0), (0, 0), (1, 0)]);
        say(&alice, &room, "cake").await;
        assert_eq!(all().await, [(2, 1), (0, 0), (0, 0), (2, 0)]);
        let path = format!("/v3/rooms/{room}/send/m.room.message/mention");
        let mention = json!({ "msgtype": "m.text", "body": "you", "m.mentions": { "user_ids": [dave.user_id, 1] } });
        let mention = alice.put(&path, mention).await.ok();
        assert_eq!(all().await, [(3, 1), (0, 0), (1, 1), (3, 0)]);
        assert_eq!(listed(dave).await, [("you".to_owned(), false)]);
        let path = format!("/v3/rooms/{room}/redact/{}/1", mention["event_id"].as_str().unwrap());
        alice.put(&path, json!({})).await.ok();
        assert_eq!(all().await, [(2, 1), (0, 0), (0, 0), (2, 0)]);
        say(erin, &room, "of course").await;
        assert_eq!(all().await, [(3, 1), (1, 0), (0, 0), (0, 0)]);
        assert_eq!(rows(&server.store, Table::Unread).await, 1);
    }

    async fn what_was_before_somebody_came_is_not_theirs_to_read() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let room = room(&alice, &[]).await;
        say(&alice, &room, "before").await;
        // At once, before it is worked on.
        join(&bob, &room).await;
        let counts = server.push.unread_counts(&id(&bob), &room).await.unwrap();
        assert_eq!(counts.total().notification_count, 0);
        assert_eq!(unread(&bob, &room).await, (0, 0));
        say(&alice, &room, "here").await;
        // A new name does not make what is unread older.
        bob.put(&format!("/v3/profile/{}/displayname", bob.user_id), json!({ "displayname": "Bob" })).await.ok();
        say(&alice, &room, "there").await;
        assert_eq!(unread(&bob, &room).await, (1, 0), "who writes has read what was there");
        bob.post(&format!("/v3/rooms/{room}/leave"), json!({})).await.ok();
        say(&alice, &room, "away").await;
        assert_eq!(unread(&bob, &room).await, (0, 0));
        join(&bob, &room).await;
        say(&alice, &room, "again").await;
        assert_eq!(unread(&bob, &room).await, (1, 0));
        let expected = [("again", false), ("there", true), ("here", true)];
        assert_eq!(listed(&bob).await, expected.map(|(body, read)| (body.to_owned(), read)));
    }

    async fn a_database_of_before_goes_on_as_it_was() {
        let place = Place::new();
        let on = async || server_over(place.open().await, |_| {}).await;
        let server = on().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        let carol = Client::fast(&server, "carol").await;
        let room = room(&alice, &[&bob, &carol]).await;
        let keyword = json!({ "pattern": "cake", "actions": ["notify", { "set_tweak": "highlight" }] });
        carol.put("/v3/pushrules/global/content/cake", keyword).await.ok();
        let mut events = Vec::new();
        for body in ["one", "two", "three"] {
            events.push(say(&alice, &room, body).await);
        }
        server.push.catch_up().await;

        // As versions had it that wrote rows for each member.
        let mut batch = Batch::new();
        for table in [Table::RoomNotifications, Table::UnreadCounts, Table::Individuals] {
            let all = server.store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX);
            all.await.unwrap().into_iter().for_each(|(key, _)| batch.delete(table, key));
        }
        batch.delete(Table::Server, Key::new().str("room_notifications"));
        let in_room = || Key::new().str(id(&bob)).str(&room);
        for event in &events {
            let event_id = EventId::parse(event.as_str()).unwrap();
            let event = server.rooms.room(&room).await.unwrap().event(&event_id).await.unwrap().unwrap();
            let unread = json!({ "part": "main", "highlight": false });
            batch.put_json(Table::Unread, in_room().u64(event.position), &unread).unwrap();
            let row = json!({
                "room_id": room, "event_id": event_id, "actions": ["notify"],
                "ts": event.pdu.origin_server_ts,
            });
            batch.put_json(Table::Notifications, Key::new().str(id(&bob)).u64(event.position), &row).unwrap();
        }
        let counts = json!({
            "read": 0,
            "parts": { "main": { "notification_count": 3, "highlight_count": 0, "read": 0 } },
        });
        batch.put_json(Table::UnreadCounts, in_room(), &counts).unwrap();
        server.store.commit(batch).await.unwrap();
        server.store.close().await;

        let server = on().await;
        let (alice, bob, carol) = (again(&alice, &server), again(&bob, &server), again(&carol, &server));
        assert_eq!(unread(&bob, &room).await, (3, 0));
        say(&alice, &room, "cake").await;
        assert_eq!((unread(&bob, &room).await, unread(&carol, &room).await), ((4, 0), (1, 1)));
        let bodies = async || listed(&bob).await.into_iter().map(|(body, _)| body).collect::<Vec<_>>();
        assert_eq!(bodies().await, ["cake", "three", "two", "one"]);
        alice.put(&format!("/v3/rooms/{room}/redact/{}/1", events[1]), json!({})).await.ok();
        assert_eq!(unread(&bob, &room).await, (3, 0));
        read(&bob, &room, &events[0]).await;
        assert_eq!(unread(&bob, &room).await, (2, 0));
        say(&bob, &room, "I have read it all").await;
        assert_eq!(unread(&bob, &room).await, (0, 0));
        assert_eq!(rows(&server.store, Table::Unread).await, 1, "carol's, of the cake");
    }
}
