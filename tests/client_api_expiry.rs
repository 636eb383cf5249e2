//! What is kept for a while only: for how long, and that it goes.

#[macro_use]
mod support;

use std::{rc::Rc, time::Duration};

use neurite::{
    Homeserver, platform,
    store::{Direction, KeyRange, Store, Table},
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
        let mut batch = neurite::store::Batch::new();
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
}
