//! What is kept for a while only: for how long, and that it goes.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::{
    Homeserver, platform,
    store::{Batch, Direction, Key, KeyRange, Store, Table},
};
use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

const MINUTE: u64 = 60 * 1000;
const DAY: u64 = 24 * 60 * MINUTE;

async fn rows(store: &Store, table: Table) -> usize {
    store.scan(table, KeyRange::all(), Direction::Forward, usize::MAX).await.unwrap().len()
}

/// Removes what will have expired in so many milliseconds.
async fn expire_in(server: &Rc<Homeserver>, after: u64) {
    server.expire(platform::unix_millis() + after).await.unwrap();
}

async fn login_token(client: &Client) -> String {
    let path = "/v1/login/get_token";
    let session = client.post(path, json!({})).await.body["session"].clone();
    let mut auth = password_login("alice");
    auth["session"] = session;
    let answer = client.post(path, json!({ "auth": auth })).await.ok();
    answer["login_token"].as_str().unwrap().to_owned()
}

async fn openid_token(client: &Client) -> String {
    let path = format!("/v3/user/{}/openid/request_token", client.user_id);
    let answer = client.post(&path, json!({})).await.ok();
    answer["access_token"].as_str().unwrap().to_owned()
}

tests! {
    async fn a_transaction_is_remembered_for_a_month() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let room = alice.post("/v3/createRoom", json!({})).await.ok();
        let room = room["room_id"].as_str().unwrap();
        let path = format!("/v3/rooms/{room}/send/m.room.message/again");
        let send = async || -> Value {
            let content = json!({ "msgtype": "m.text", "body": "Hello" });
            alice.put(&path, content).await.ok()["event_id"].clone()
        };
        let first = send().await;
        let redact = format!("/v3/rooms/{room}/redact/{}/again", first.as_str().unwrap());
        let redaction = alice.put(&redact, json!({})).await.ok();
        expire_in(&server, 29 * DAY).await;
        assert_eq!(send().await, first);
        assert_eq!(alice.put(&redact, json!({})).await.ok(), redaction);
        expire_in(&server, 31 * DAY).await;
        for table in [Table::Transactions, Table::TransactionTimes] {
            assert_eq!(rows(&server.store, table).await, 0);
        }
        assert_ne!(send().await, first);
    }

    async fn tokens_that_nobody_used_go() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let log_in = async |token: String| {
            let body = json!({ "type": "m.login.token", "token": token });
            Client::anonymous(&server).post("/v3/login", body).await
        };
        let who = async |token: &str| {
            let path = format!("/_matrix/federation/v1/openid/userinfo?access_token={token}");
            Client::anonymous(&server).send("GET", &path, None).await
        };
        let (used, left) = (login_token(&alice).await, login_token(&alice).await);
        let openid = openid_token(&alice).await;
        expire_in(&server, MINUTE).await;
        log_in(used).await.ok();
        assert_eq!(rows(&server.store, Table::LoginTokens).await, 1);
        expire_in(&server, 3 * MINUTE).await;
        assert_eq!(rows(&server.store, Table::LoginTokens).await, 0);
        log_in(left).await.fails(403, "M_FORBIDDEN");
        assert_eq!(who(&openid).await.ok()["sub"], json!(alice.user_id));
        expire_in(&server, 61 * MINUTE).await;
        assert_eq!(rows(&server.store, Table::OpenIdTokens).await, 0);
        who(&openid).await.fails(401, "M_UNKNOWN_TOKEN");
    }

    async fn sessions_of_authentication_end_and_those_of_devices_do_not() {
        let server = server().await;
        Client::register(&server, "alice").await;
        let mut login = password_login("alice");
        login["refresh_token"] = json!(true);
        let anonymous = Client::anonymous(&server);
        let login = anonymous.post("/v3/login", login).await.ok();
        let alice = anonymous.logged_in(&login);
        let path = "/v1/login/get_token";
        let first = alice.post(path, json!({})).await.body["session"].clone();
        let again = async || {
            alice.post(path, json!({ "auth": { "session": first } })).await.body["session"].clone()
        };
        expire_in(&server, 29 * MINUTE).await;
        assert_eq!(again().await, first);
        expire_in(&server, 31 * MINUTE).await;
        assert_ne!(again().await, first);
        // However long its device was away, a client finds its session and can refresh it.
        expire_in(&server, 10_000 * DAY).await;
        alice.get("/v3/account/whoami").await.ok();
        let refresh = json!({ "refresh_token": login["refresh_token"] });
        anonymous.post("/v3/refresh", refresh).await.ok();
    }

    async fn what_expired_while_nothing_ran_goes_at_the_start() {
        let place = support::place::Place::new();
        let server = server_over(place.open().await, |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        openid_token(&alice).await;
        let store = server.store.clone();
        let token = store.scan(Table::OpenIdTokens, KeyRange::all(), Direction::Forward, 1).await;
        let (key, row) = token.unwrap().pop().unwrap();
        let mut row: Value = serde_json::from_slice(&row).unwrap();
        row["expires"] = json!(platform::unix_millis() - DAY);
        let mut batch = Batch::new();
        batch.put_json(Table::OpenIdTokens, key, &row).unwrap();
        store.commit(batch).await.unwrap();
        let server = server_over(place.open().await, |_| {}).await;
        let gone = async {
            while rows(&server.store, Table::OpenIdTokens).await != 0 {
                platform::sleep(Duration::from_millis(1)).await;
            }
        };
        platform::timeout(Duration::from_secs(10), gone).await.expect("it goes");
    }

    async fn an_id_that_nobody_uploads_to_goes_after_a_day_and_nobody_has_many() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let reserve = async |client: &Client| {
            client.send("POST", "/_matrix/media/v1/create", Some(b"{}".to_vec())).await
        };
        let mut last = String::new();
        for _ in 0..64 {
            let made = reserve(&alice).await.ok();
            last = made["content_uri"].as_str().unwrap()["mxc://".len()..].to_owned();
        }
        reserve(&alice).await.fails(429, "M_LIMIT_EXCEEDED");
        reserve(&Client::fast(&server, "bob").await).await.ok();
        // One that has its upload counts no more, and stays.
        let path = format!("/_matrix/media/v3/upload/{last}");
        alice.send("PUT", &path, Some(b"content".to_vec())).await.ok();
        reserve(&alice).await.ok();
        reserve(&alice).await.fails(429, "M_LIMIT_EXCEEDED");
        expire_in(&server, DAY - MINUTE).await;
        reserve(&alice).await.fails(429, "M_LIMIT_EXCEEDED");
        expire_in(&server, DAY + MINUTE).await;
        assert_eq!(rows(&server.store, Table::MediaReserved).await, 0);
        assert_eq!(rows(&server.store, Table::Media).await, 1);
        let download = format!("/v1/media/download/{last}");
        assert_eq!(alice.get(&download).await.status, 200);
        reserve(&alice).await.ok();
    }

    async fn the_oldest_of_many_filters_go() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let path = format!("/v3/user/{}/filter", alice.user_id);
        let make = async |limit: usize| -> String {
            let filter = json!({ "room": { "timeline": { "limit": limit } } });
            let made = alice.post(&path, filter).await.ok();
            made["filter_id"].as_str().unwrap().to_owned()
        };
        let first = make(1).await;
        let second = make(2).await;
        assert_eq!(make(1).await, first);
        for limit in 3..1026 {
            make(limit).await;
        }
        alice.get(&format!("{path}/{first}")).await.fails(404, "M_NOT_FOUND");
        alice.get(&format!("{path}/{second}")).await.ok();
        assert_eq!(rows(&server.store, Table::Filters).await, 2 * 1024);
        // It can be made again.
        assert_eq!(make(1).await, first);
        alice.get(&format!("{path}/{first}")).await.ok();
        alice.get(&format!("{path}/{second}")).await.fails(404, "M_NOT_FOUND");
    }

    async fn filters_of_an_older_version_stay() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let path = format!("/v3/user/{}/filter", alice.user_id);
        let filter = json!({ "room": { "timeline": { "limit": 1 } } });
        let id = alice.post(&path, filter.clone()).await.ok()["filter_id"].clone();
        let id = id.as_str().unwrap();
        // It had no row for the order.
        let mut batch = Batch::new();
        batch.delete(Table::Filters, Key::new().str(&alice.user_id).str("").u64(1));
        server.store.commit(batch).await.unwrap();
        assert_eq!(rows(&server.store, Table::Filters).await, 1);
        assert_eq!(alice.post(&path, filter.clone()).await.ok()["filter_id"], id);
        for limit in 2..1030 {
            let filter = json!({ "room": { "timeline": { "limit": limit } } });
            alice.post(&path, filter).await.ok();
        }
        assert_eq!(alice.get(&format!("{path}/{id}")).await.ok(), filter);
        assert_eq!(rows(&server.store, Table::Filters).await, 1 + 2 * 1024);
    }

    async fn a_media_id_of_an_older_version_gets_its_upload() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let made = alice.send("POST", "/_matrix/media/v1/create", Some(b"{}".to_vec())).await.ok();
        let id = &made["content_uri"].as_str().unwrap()["mxc://".len()..];
        // It had no row for the ids without an upload.
        let media_id = id.split_once('/').unwrap().1;
        let mut batch = Batch::new();
        batch.delete(Table::MediaReserved, Key::new().str(&alice.user_id).str(media_id));
        server.store.commit(batch).await.unwrap();
        assert_eq!(rows(&server.store, Table::MediaReserved).await, 0);
        let path = format!("/_matrix/media/v3/upload/{id}");
        alice.send("PUT", &path, Some(b"content".to_vec())).await.ok();
        expire_in(&server, 2 * DAY).await;
        assert_eq!(alice.get(&format!("/v1/media/download/{id}")).await.status, 200);
    }

    async fn messages_that_no_device_fetches_go() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let bob = Client::fast(&server, "bob").await;
        // As they are left when a device goes in the moment in which they are sent.
        let put = async |user_id: &str, device_id: &str, count: u64| {
            let mut batch = Batch::new();
            for position in 0..count {
                let key = Key::new().str(user_id).str(device_id).u64(position);
                batch.put(Table::ToDevice, key, *b"{}");
            }
            server.store.commit(batch).await.unwrap();
        };
        put(&alice.user_id, "GONE", 3000).await;
        put(&alice.user_id, &alice.device_id, 100).await;
        put("@nobody:neurite.test", "GONE", 1).await;
        put(&bob.user_id, &bob.device_id, 10_001).await;
        expire_in(&server, 29 * DAY).await;
        assert_eq!(rows(&server.store, Table::ToDevice).await, 100 + 10_001);
        expire_in(&server, 31 * DAY).await;
        assert_eq!(rows(&server.store, Table::ToDevice).await, 100 + 10_000);
        // The newest are kept.
        let device = Key::new().str(&bob.user_id).str(&bob.device_id);
        let first = server.store.get(Table::ToDevice, device.clone().u64(0)).await.unwrap();
        let last = server.store.get(Table::ToDevice, device.u64(10_000)).await.unwrap();
        assert!(first.is_none() && last.is_some());
    }
}
