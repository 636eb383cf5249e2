//! What is logged, by whom it is wanted, and what never is.

#[macro_use]
mod support;

use neurite::{
    Homeserver,
    config::Registration,
    log::{Levels, Wanted},
    store::{Batch, Key, Table},
};
use serde_json::{Value, json};
use support::{
    client::{Client, server, server_over},
    log::lines,
};
use tracing::level_filters::LevelFilter;

fn everything() -> Wanted {
    Wanted { levels: Levels::all(LevelFilter::TRACE), spans: true }
}

fn with(level: &str, part: &str) -> Wanted {
    let off = neurite::log::PARTS.map(|part| (part.to_owned(), "off".to_owned()));
    let mut levels = std::collections::BTreeMap::from(off);
    levels.insert(part.to_owned(), level.to_owned());
    Wanted { levels: Levels::read(&levels).unwrap(), spans: false }
}

const SECRET: &str = "a secret that nobody may read";

/// Everything that has a token, password or key in it, done right and wrong; returns the secrets.
async fn handle_secrets(server: &std::rc::Rc<Homeserver>) -> Vec<String> {
    let mut secrets = vec![SECRET.to_owned()];
    let mut keep = |answer: Value, names: &[&str]| {
        for name in names {
            secrets.push(answer[name].as_str().expect(name).to_owned());
        }
        answer
    };
    let nobody = Client::anonymous(server);
    let password = |word: &str| format!("password: {word}: {SECRET}");
    let register = |token: &str, word: Value| {
        let auth = json!({ "type": "m.login.registration_token", "token": token });
        json!({ "username": "alice", "password": word, "auth": auth, "refresh_token": true })
    };
    let login = |word: Value| {
        let user = json!({ "type": "m.id.user", "user": "alice" });
        json!({ "type": "m.login.password", "identifier": user, "password": word })
    };
    let session = nobody
        .post("/v3/register", json!({ "username": "alice", "password": password("x") }))
        .await;
    let with_session = |mut body: Value| {
        body["auth"]["session"] = session.body["session"].clone();
        body
    };
    for body in
        [register(&format!("wrong {SECRET}"), json!("word")), register(SECRET, json!([SECRET]))]
    {
        let answer = nobody.post("/v3/register", with_session(body)).await;
        assert!([400, 401].contains(&answer.status), "{answer:?}");
    }
    let validity = format!(
        "/v1/register/m.login.registration_token/validity?token={}",
        SECRET.replace(' ', "%20")
    );
    nobody.get(&validity).await.ok();
    let body = with_session(register(SECRET, json!(password("first"))));
    let registered =
        keep(nobody.post("/v3/register", body).await.ok(), &["access_token", "refresh_token"]);
    for word in [json!(password("wrong")), json!({ "no string": SECRET })] {
        let answer = nobody.post("/v3/login", login(word)).await;
        assert!([400, 403].contains(&answer.status), "{answer:?}");
    }
    keep(nobody.post("/v3/login", login(json!(password("first")))).await.ok(), &["access_token"]);
    let token = &registered["refresh_token"];
    nobody
        .post("/v3/refresh", json!({ "refresh_token": SECRET }))
        .await
        .fails(401, "M_UNKNOWN_TOKEN");
    nobody.post("/v3/refresh", json!({ "refresh_token": [SECRET] })).await.fails(400, "M_BAD_JSON");
    keep(
        nobody.post("/v3/refresh", json!({ "refresh_token": token })).await.ok(),
        &["access_token", "refresh_token"],
    );

    let alice = nobody.logged_in(&keep(
        nobody.post("/v3/login", login(json!(password("first")))).await.ok(),
        &["access_token"],
    ));
    let token = alice.access_token.clone().unwrap();
    nobody.get(&format!("/v3/account/whoami?access_token={token}")).await.ok();
    nobody
        .get(&format!("/v3/there/is/nothing?access_token={token}"))
        .await
        .fails(404, "M_UNRECOGNIZED");
    keep(
        alice
            .post(&format!("/v3/user/{}/openid/request_token", alice.user_id), json!({}))
            .await
            .ok(),
        &["access_token"],
    );
    let auth = json!({ "type": "m.login.password", "password": password("first"), "identifier": { "type": "m.id.user", "user": "alice" } });
    let change =
        json!({ "new_password": password("second"), "auth": auth, "logout_devices": false });
    alice.post("/v3/account/password", change).await.ok();

    let one_time = json!({ "signed_curve25519:AAAA": { "key": SECRET, "signatures": {} }, "curve25519:BBBB": SECRET });
    alice
        .post("/v3/keys/upload", json!({ "one_time_keys": one_time, "device_keys": SECRET }))
        .await
        .fails(400, "M_BAD_JSON");
    alice.post("/v3/keys/upload", json!({ "one_time_keys": one_time })).await.ok();
    alice
        .post("/v3/keys/upload", json!({ "one_time_keys": [SECRET] }))
        .await
        .fails(400, "M_BAD_JSON");
    let claim =
        json!({ "one_time_keys": { (&alice.user_id): { (&alice.device_id): "curve25519" } } });
    alice.post("/v3/keys/claim", claim).await.ok();
    let backup = json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": { "public_key": SECRET, "signatures": {} } });
    let version = alice.post("/v3/room_keys/version", backup).await.ok()["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": false, "session_data": { "ciphertext": SECRET } });
    let path = format!("/v3/room_keys/keys/!room:neurite.test/session?version={version}");
    alice.put(&path, key.clone()).await.ok();
    alice.put(&path, json!({ "session_data": SECRET })).await.fails(400, "M_BAD_JSON");
    let pusher = json!({
        "kind": "http", "app_id": "app", "pushkey": SECRET, "app_display_name": "App", "device_display_name": "Phone",
        "lang": "en", "data": { "url": "https://push.invalid/_matrix/push/v1/notify" },
    });
    alice.post("/v3/pushers/set", pusher).await.ok();
    let secret = format!("/v3/user/{}/account_data/m.cross_signing.master", alice.user_id);
    alice.put(&secret, json!({ "encrypted": { "key": { "ciphertext": SECRET } } })).await.ok();
    let room =
        alice.post("/v3/createRoom", json!({})).await.ok()["room_id"].as_str().unwrap().to_owned();
    let encrypted = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": SECRET, "session_id": SECRET, "sender_key": SECRET, "device_id": "D" });
    alice.put(&format!("/v3/rooms/{room}/send/m.room.encrypted/1"), encrypted).await.ok();
    let to_device = json!({ "messages": { (&alice.user_id): { "*": { "secret": SECRET, "request_id": "1" } } } });
    alice.put("/v3/sendToDevice/m.secret.send/1", to_device).await.ok();
    alice.get("/v3/sync").await.ok();

    // A row that is not as this version writes it.
    let mut batch = Batch::new();
    batch.put_json(Table::Accounts, Key::new().str(&alice.user_id), &SECRET).unwrap();
    server.store.commit(batch).await.unwrap();
    let answer = nobody.post("/v3/login", login(json!(password("second")))).await;
    answer.fails(500, "M_UNKNOWN");
    assert!(!answer.body.to_string().contains(SECRET), "{answer:?}");
    secrets
}

tests! {
    async fn no_secret_is_logged() {
        let (lines, _log, _guard) = lines(everything());
        let token = Registration::Token(SECRET.to_owned());
        let server = server_over(support::store().await, |config| config.registration = token).await;
        let secrets = handle_secrets(&server).await;
        let lines = lines.take();
        assert!(lines.iter().any(|line| line.starts_with("ERROR homeserver: internal error:")));
        for line in lines {
            for secret in &secrets {
                let escaped = secret.replace(' ', "%20");
                assert!(!line.contains(secret) && !line.contains(&escaped), "{line}");
            }
        }
    }

    async fn each_part_has_a_level() {
        let (lines, log, _guard) = lines(with("debug", "http"));
        let server = server().await;
        let nobody = Client::anonymous(&server);
        nobody.get("/versions").await.ok();
        assert_eq!(lines.take(), [r#"DEBUG http: GET /_matrix/client/versions [("status", Number(200.0))]"#]);
        log.want(with("info", "http"));
        nobody.get("/versions").await.ok();
        assert_eq!(lines.take(), [""; 0]);
        log.want(with("warn", "homeserver"));
        Client::fast(&server, "alice").await;
        nobody.get("/versions").await.ok();
        assert_eq!(lines.take(), [""; 0]);
    }

    async fn spans_are_measured_when_they_are_wanted() {
        let (lines, log, _guard) = lines(Wanted { spans: true, ..Wanted::nothing() });
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let room = alice.post("/v3/createRoom", json!({})).await.ok();
        alice.get("/v3/sync?access_token=hidden").await.ok();
        server.search.catch_up().await;
        alice.get(&format!("/v3/rooms/{}/state", room["room_id"].as_str().unwrap())).await.ok();
        let measured = lines.take();
        let path = |path: &str| format!(r#"span http: request [("method", Text("GET")), ("path", Text("{path}"))]"#);
        assert!(measured.contains(&path("/_matrix/client/v3/rooms/{room_id}/state")), "{measured:#?}");
        assert!(measured.contains(&path("/_matrix/client/v3/sync")), "{measured:#?}");
        for begin in ["span store: commit [(\"batches\"", "span sync: sync", "span queue: work [(\"consumer\", Text(\"search\"))"] {
            assert!(measured.iter().any(|line| line.starts_with(begin)), "{begin}: {measured:#?}");
        }
        log.want(Wanted::nothing());
        alice.get("/v3/sync").await.ok();
        assert_eq!(lines.take(), [""; 0]);
    }
}

/// A module whose messages no option could name would be off for ever.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_module_that_logs_is_a_part() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in source.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "log" && logs(&path) && !neurite::log::PARTS.contains(&&*name) {
            panic!("{} logs and is no part", path.display());
        }
    }
}

/// Whether a message of a file, or of a folder's files, has its module as its target.
#[cfg(not(target_arch = "wasm32"))]
fn logs(path: &std::path::Path) -> bool {
    if path.is_dir() {
        return path.read_dir().unwrap().any(|entry| logs(&entry.unwrap().path()));
    }
    let text = std::fs::read_to_string(path).unwrap();
    let text: String = text.split_whitespace().collect();
    ["error", "warn", "info", "debug", "trace", "info_span"].iter().any(|name| {
        let call = format!("tracing::{name}!(");
        text.match_indices(&call).any(|(at, _)| !text[at + call.len()..].starts_with("target:"))
    })
}
