//! End-to-end encryption: device keys, one-time keys, cross-signing, to-device messages.

#[macro_use]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use neurite::{
    Homeserver,
    feed::{Change, Position},
    services::TABLES,
    store::{Batch, Direction, Erasure, Key, KeyRange, Table},
};
use ruma::{
    device_id,
    serde::{Base64, base64::Standard},
    signatures::{Ed25519KeyPair, sign_json},
    user_id,
};
use serde_json::{Value, json};
use support::client::{Client, password_login, server, server_over};

/// A signing key whose signatures are called by `name`, or by the public key.
struct SigningKey {
    pair: Ed25519KeyPair,
    public: String,
}

impl SigningKey {
    fn new(name: Option<&str>) -> Self {
        let document = Ed25519KeyPair::generate();
        let pair = Ed25519KeyPair::from_der(&document, "unnamed".to_owned()).unwrap();
        let public = Base64::<Standard, _>::new(pair.public_key().to_vec()).encode();
        let name = name.unwrap_or(&public).to_owned();
        Self { pair: Ed25519KeyPair::from_der(&document, name).unwrap(), public }
    }

    /// `object` with the signature of `user_id` added.
    fn sign(&self, user_id: &str, object: Value) -> Value {
        let mut object = serde_json::from_value(object).unwrap();
        sign_json(user_id, &self.pair, &mut object).unwrap();
        serde_json::to_value(object).unwrap()
    }

    fn cross_signing(&self, user_id: &str, usage: &str) -> Value {
        json!({
            "user_id": user_id,
            "usage": [usage],
            "keys": { (format!("ed25519:{}", self.public)): self.public },
        })
    }
}

fn device_keys(client: &Client, key: &SigningKey) -> Value {
    json!({
        "user_id": client.user_id,
        "device_id": client.device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2"],
        "keys": { (format!("ed25519:{}", client.device_id)): key.public },
        "signatures": { (client.user_id.clone()): { "ed25519:own": "signature" } },
    })
}

fn one_time_keys(ids: std::ops::Range<usize>) -> Value {
    let keys = ids.map(|id| {
        (format!("signed_curve25519:{id:06}"), json!({ "key": format!("k{id}"), "signatures": {} }))
    });
    Value::Object(keys.collect())
}

async fn query(client: &Client, of: &str) -> Value {
    client.post("/v3/keys/query", json!({ "device_keys": { of: [] } })).await.ok()
}

/// What the feed tells of devices and their keys since a position.
async fn told(server: &Homeserver, since: Position) -> Vec<Change> {
    let changes = server.feed.since(since, server.feed.current()).await.unwrap();
    let mut changes: Vec<_> = changes.unwrap().into_iter().map(|(_, change)| change).collect();
    changes.retain(|change| {
        matches!(change, Change::DeviceList { .. } | Change::UserSignature { .. })
    });
    changes
}

/// That the devices of a user changed.
fn own_devices(client: &Client) -> Change {
    Change::DeviceList { user_id: client.user_id.as_str().try_into().unwrap() }
}

tests! {
    async fn device_keys_are_published_with_the_name_of_the_device() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let (alice, bob) = (Client::register(&server, "alice").await, Client::register(&server, "bob").await);
        let key = SigningKey::new(None);
        let keys = device_keys(&alice, &key);
        let before = server.feed.current();
        let answer = alice.post("/v3/keys/upload", json!({ "device_keys": keys })).await.ok();
        assert_eq!(answer, json!({ "one_time_key_counts": { "signed_curve25519": 0 } }));
        let changed = server.feed.current();
        assert_eq!(told(&server, before).await, [own_devices(&alice)]);
        // The same keys again change nothing.
        alice.post("/v3/keys/upload", json!({ "device_keys": keys })).await.ok();
        assert_eq!(server.feed.current(), changed);
        let path = format!("/v3/devices/{}", alice.device_id);
        alice.put(&path, json!({ "display_name": "Phone" })).await.ok();
        let mut expected = keys.clone();
        expected["unsigned"] = json!({ "device_display_name": "Phone" });
        assert_eq!(query(&bob, &alice.user_id).await["device_keys"][&alice.user_id][&alice.device_id], expected);
        assert_eq!(query(&bob, "@nobody:neurite.test").await["device_keys"]["@nobody:neurite.test"], json!({}));
        assert_eq!(query(&bob, "@a:elsewhere.test").await["failures"], json!({ "elsewhere.test": {} }));
        for (field, value) in [("user_id", "@bob:neurite.test"), ("device_id", "OTHER")] {
            let mut others = keys.clone();
            others[field] = json!(value);
            alice.post("/v3/keys/upload", json!({ "device_keys": others })).await.fails(400, "M_INVALID_PARAM");
        }
        // They go with the device, and that is told.
        let before = server.feed.current();
        alice.post("/v3/logout", json!({})).await.ok();
        assert_eq!(query(&bob, &alice.user_id).await["device_keys"][&alice.user_id], json!({}));
        assert_eq!(told(&server, before).await, [own_devices(&alice)]);
    }

    async fn a_one_time_key_that_was_claimed_is_never_given_out_again() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let fallback = |of: &str| {
            json!({ "signed_curve25519:f": { "key": of, "fallback": true, "signatures": {} } })
        };
        let keys = json!({
            "signed_curve25519:AAAA": { "key": "a", "signatures": {} }, "curve25519:BBBB": "b",
        });
        let body = json!({ "one_time_keys": keys, "fallback_keys": fallback("f") });
        let claim = async |client: &Client, algorithm: &str| {
            let wanted = json!({ (alice.user_id.clone()): { (alice.device_id.clone()): algorithm } });
            let answer = client.post("/v3/keys/claim", json!({ "one_time_keys": wanted })).await.ok();
            answer["one_time_keys"][&alice.user_id][&alice.device_id].clone()
        };
        let unused = async |client: &Client| {
            let answer = client.get("/v3/sync").await.ok();
            answer["device_unused_fallback_key_types"].clone()
        };
        alice.post("/v3/keys/upload", body.clone()).await.ok();
        assert_eq!(claim(&alice, "curve25519").await, json!({ "curve25519:BBBB": "b" }));
        let first = claim(&alice, "signed_curve25519").await;
        assert_eq!(first["signed_curve25519:AAAA"]["key"], "a");
        assert_eq!(claim(&alice, "signed_curve25519").await, fallback("f"));
        // The answer to the upload was lost, so it is sent again; the server may have restarted.
        for _ in 0..2 {
            let server = server_over(store.clone(), |_| {}).await;
            let alice = Client { server: server.clone(), ..alice.clone() };
            let counts = alice.post("/v3/keys/upload", body.clone()).await.ok();
            assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 0);
            assert_eq!(claim(&alice, "curve25519").await, Value::Null);
            assert_eq!(unused(&alice).await, json!([]));
            assert_eq!(claim(&alice, "signed_curve25519").await, fallback("f"));
        }
        // A device that lost its keys begins with the same ids.
        let server = server_over(store.clone(), |_| {}).await;
        let again = Client { server: server.clone(), ..alice.clone() };
        let new = json!({ "signed_curve25519:AAAA": { "key": "new", "signatures": {} } });
        let body = json!({ "one_time_keys": new, "fallback_keys": fallback("new") });
        again.post("/v3/keys/upload", body).await.ok();
        assert_eq!(unused(&again).await, json!(["signed_curve25519"]));
        assert_eq!(claim(&again, "signed_curve25519").await, new);
        // What is remembered goes with the device.
        again.post("/v3/logout", json!({})).await.ok();
        let rows = store.scan(Table::ClaimedKeys, KeyRange::all(), Direction::Forward, usize::MAX);
        assert!(rows.await.unwrap().is_empty());
    }

    async fn claimed_keys_are_remembered_within_bounds() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let users = &server.users;
        let (user, device) = (user_id!("@alice:neurite.test"), alice.device_id.as_str());
        let session = users.session(alice.access_token.as_deref().unwrap()).await.unwrap();
        let wanted = [(
            user.to_owned(),
            [(device.into(), "signed_curve25519".into())].into(),
        )].into();
        let upload = async |ids: std::ops::Range<usize>| {
            let keys = serde_json::from_value(one_time_keys(ids)).unwrap();
            users.upload_keys(&session, None, keys, BTreeMap::new()).await.unwrap();
        };
        for first in (0..4200).step_by(100) {
            upload(first..first + 100).await;
            for _ in 0..100 {
                assert_eq!(users.claim_keys(&wanted).await.unwrap().len(), 1);
            }
        }
        let rows = store.scan(Table::ClaimedKeys, KeyRange::all(), Direction::Forward, usize::MAX);
        assert_eq!(rows.await.unwrap().len(), 2 * 4096);
        upload(4100..4200).await;
        assert!(users.claim_keys(&wanted).await.unwrap().is_empty());
    }

    async fn one_time_keys_are_claimed_once_oldest_first_then_the_fallback_key() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let fallback = json!({ "signed_curve25519:fallback": { "key": "f", "fallback": true, "signatures": {} } });
        let body = json!({ "one_time_keys": one_time_keys(10..20), "fallback_keys": fallback });
        let counts = alice.post("/v3/keys/upload", body).await.ok();
        assert_eq!(counts["one_time_key_counts"], json!({ "signed_curve25519": 10 }));
        // Uploaded later, so claimed later, whatever they are called; the same key again is fine.
        alice.post("/v3/keys/upload", json!({ "one_time_keys": one_time_keys(0..11) })).await.ok();
        let mut other = one_time_keys(10..11);
        other["signed_curve25519:000010"]["key"] = json!("another");
        alice.post("/v3/keys/upload", json!({ "one_time_keys": other })).await.fails(400, "M_INVALID_PARAM");
        alice.post("/v3/keys/upload", json!({ "one_time_keys": { "nonsense": "k" } })).await.fails(400, "M_BAD_JSON");

        let server = server_over(store, |_| {}).await;
        let bob = Client { server: server.clone(), ..bob };
        let wanted = json!({ "one_time_keys": {
            (alice.user_id.clone()): { (alice.device_id.clone()): "signed_curve25519", "NOTHING": "signed_curve25519" },
            "@nobody:neurite.test": { "X": "signed_curve25519" },
        } });
        let claim = || async {
            let answer = bob.post("/v3/keys/claim", wanted.clone()).await.ok();
            let keys = answer["one_time_keys"][&alice.user_id][&alice.device_id].clone();
            assert_eq!(answer["one_time_keys"].as_object().unwrap().len(), 1);
            keys.as_object().unwrap().keys().next().unwrap().clone()
        };
        assert_eq!(claim().await, "signed_curve25519:000010");
        let claimed = join_all((0..19).map(|_| claim())).await;
        let distinct: BTreeSet<_> = claimed.iter().cloned().collect();
        assert_eq!(distinct.len(), 19);
        assert!(!distinct.contains("signed_curve25519:fallback"));
        let (user, device) = (user_id!("@alice:neurite.test"), alice.device_id.as_str().into());
        let counts = server.users.key_counts(user, device).await.unwrap();
        assert_eq!(counts.one_time_keys.values().copied().collect::<Vec<_>>(), [0]);
        assert_eq!(counts.unused_fallback_keys.len(), 1);
        for _ in 0..2 {
            assert_eq!(claim().await, "signed_curve25519:fallback");
        }
        let counts = server.users.key_counts(user, device).await.unwrap();
        assert!(counts.unused_fallback_keys.is_empty());
        // A new one is unused.
        let alice = Client { server: server.clone(), ..alice.clone() };
        let fallback = json!({ "signed_curve25519:second": { "key": "g", "fallback": true, "signatures": {} } });
        alice.post("/v3/keys/upload", json!({ "fallback_keys": fallback })).await.ok();
        let counts = server.users.key_counts(user, device).await.unwrap();
        assert_eq!(counts.unused_fallback_keys.len(), 1);
    }

    async fn cross_signing_keys_are_signed_by_the_master_and_replaced_only_with_the_password() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let user = alice.user_id.as_str();
        let upload = "/v3/keys/device_signing/upload";
        let (master, own, others) = (SigningKey::new(None), SigningKey::new(None), SigningKey::new(None));
        let self_signing = own.cross_signing(user, "self_signing");
        alice.post(upload, json!({ "self_signing_key": self_signing })).await.fails(400, "M_MISSING_PARAM");
        let unsigned = json!({ "master_key": master.cross_signing(user, "master"), "self_signing_key": self_signing });
        alice.post(upload, unsigned).await.fails(400, "M_INVALID_SIGNATURE");
        let wrong_usage = json!({ "master_key": master.cross_signing(user, "self_signing") });
        alice.post(upload, wrong_usage).await.fails(400, "M_INVALID_PARAM");
        let keys = json!({
            "master_key": master.cross_signing(user, "master"),
            "self_signing_key": master.sign(user, self_signing),
            "user_signing_key": master.sign(user, others.cross_signing(user, "user_signing")),
        });
        alice.post(upload, keys.clone()).await.ok();
        alice.post(upload, keys.clone()).await.ok();
        let seen = query(&bob, user).await;
        assert_eq!(seen["master_keys"][user], keys["master_key"]);
        assert_eq!(seen["self_signing_keys"][user], keys["self_signing_key"]);
        assert_eq!(seen["user_signing_keys"], Value::Null);
        assert_eq!(query(&alice, user).await["user_signing_keys"][user], keys["user_signing_key"]);
        // No device is called as a key is; those of others do not matter.
        let anonymous = Client::anonymous(&server);
        for key in [&master, &own, &others] {
            let mut login = password_login("alice");
            login["device_id"] = key.public.as_str().into();
            anonymous.post("/v3/login", login.clone()).await.fails(403, "M_FORBIDDEN");
            login["identifier"]["user"] = "bob".into();
            anonymous.post("/v3/login", login).await.ok();
        }

        let new = json!({ "master_key": SigningKey::new(None).cross_signing(user, "master") });
        let challenge = alice.post(upload, new.clone()).await;
        assert_eq!(challenge.status, 401);
        let mut auth = password_login("alice");
        auth["session"] = challenge.body["session"].clone();
        // What is to be published was said before.
        alice.post(upload, json!({ "auth": auth })).await.ok();
        let seen = query(&alice, user).await;
        assert_eq!(seen["master_keys"][user], new["master_key"]);
        assert_eq!(seen["self_signing_keys"], Value::Null);
    }

    async fn others_are_told_of_the_keys_that_they_see() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let user = alice.user_id.as_str();
        let upload = async |keys: &Value| {
            let since = server.feed.current();
            let mut body = keys.clone();
            body["auth"] = password_login("alice");
            alice.post("/v3/keys/device_signing/upload", body).await.ok();
            told(&server, since).await
        };
        let id: ruma::OwnedUserId = user.try_into().unwrap();
        let own = Change::UserSignature { user_id: id.clone(), of: id };
        let (master, others) = (SigningKey::new(None), SigningKey::new(None));
        let keys = json!({ "master_key": master.cross_signing(user, "master") });
        assert_eq!(upload(&keys).await, [own_devices(&alice)]);
        let user_signing = master.sign(user, others.cross_signing(user, "user_signing"));
        let keys = json!({ "user_signing_key": user_signing });
        assert_eq!(upload(&keys).await, [own]);
        // The same again changes nothing.
        assert_eq!(upload(&keys).await, []);
        let own_key = SigningKey::new(None).cross_signing(user, "self_signing");
        let keys = json!({ "self_signing_key": master.sign(user, own_key) });
        assert_eq!(upload(&keys).await, [own_devices(&alice)]);
    }

    async fn signatures_are_added_and_seen_by_whom_they_concern() {
        let server = server().await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let carol = Client::register(&server, "carol").await;
        let device = SigningKey::new(Some(&alice.device_id));
        let keys = device_keys(&alice, &device);
        alice.post("/v3/keys/upload", json!({ "device_keys": keys })).await.ok();
        let upload = "/v3/keys/device_signing/upload";
        let mut masters = Vec::new();
        let mut signers = Vec::new();
        for client in [&alice, &bob] {
            let user = client.user_id.as_str();
            let (master, own, others) = (SigningKey::new(None), SigningKey::new(None), SigningKey::new(None));
            let keys = json!({
                "master_key": master.cross_signing(user, "master"),
                "self_signing_key": master.sign(user, own.cross_signing(user, "self_signing")),
                "user_signing_key": master.sign(user, others.cross_signing(user, "user_signing")),
            });
            client.post(upload, keys.clone()).await.ok();
            masters.push(keys["master_key"].clone());
            signers.push((master, own, others));
        }
        let (alice_id, bob_id) = (alice.user_id.as_str(), bob.user_id.as_str());
        let (master, own, others) = &signers[0];
        let signed_device = own.sign(alice_id, keys.clone());
        let before = server.feed.current();
        let body = json!({
            alice_id: {
                (alice.device_id.clone()): signed_device,
                (master.public.clone()): device.sign(alice_id, masters[0].clone()),
            },
            bob_id: { (signers[1].0.public.clone()): others.sign(alice_id, masters[1].clone()) },
        });
        let answer = alice.post("/v3/keys/signatures/upload", body).await.ok();
        assert_eq!(answer, json!({}));
        let signed = Change::UserSignature {
            user_id: user_id!("@alice:neurite.test").to_owned(),
            of: user_id!("@bob:neurite.test").to_owned(),
        };
        assert_eq!(told(&server, before).await, [own_devices(&alice), signed]);

        let by = |key: &SigningKey| format!("ed25519:{}", key.public);
        let seen = query(&bob, alice_id).await;
        let signatures = &seen["device_keys"][alice_id][&alice.device_id]["signatures"][alice_id];
        assert!(signatures[by(own)].is_string() && signatures["ed25519:own"].is_string());
        assert!(seen["master_keys"][alice_id]["signatures"][alice_id][format!("ed25519:{}", alice.device_id)].is_string());
        // Whom Alice has verified is seen by Alice alone.
        let of_bob = |seen: &Value| seen["master_keys"][bob_id]["signatures"][alice_id][by(others)].is_string();
        assert!(of_bob(&query(&alice, bob_id).await));
        assert!(!of_bob(&query(&bob, bob_id).await) && !of_bob(&query(&carol, bob_id).await));

        // What is wrong is told one by one.
        let mut changed = own.sign(alice_id, keys.clone());
        changed["algorithms"] = json!([]);
        let body = json!({
            alice_id: {
                (alice.device_id.clone()): changed,
                "NOTHING": own.sign(alice_id, keys.clone()),
                (master.public.clone()): others.sign(alice_id, masters[0].clone()),
            },
        });
        let failures = alice.post("/v3/keys/signatures/upload", body).await.ok();
        let failures = &failures["failures"][alice_id];
        assert_eq!(failures[&alice.device_id]["errcode"], "M_INVALID_SIGNATURE");
        assert_eq!(failures["NOTHING"]["errcode"], "M_NOT_FOUND");
        assert_eq!(failures[&master.public]["errcode"], "M_INVALID_SIGNATURE");
    }

    async fn to_device_messages_wait_for_each_device_once() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let mut login = password_login("alice");
        login["device_id"] = json!("SECOND");
        alice.post("/v3/login", login).await.ok();
        let bob = Client::register(&server, "bob").await;
        let send = |txn: &str, messages: Value| {
            let (bob, path) = (bob.clone(), format!("/v3/sendToDevice/m.test/{txn}"));
            async move { bob.put(&path, json!({ "messages": messages })).await.ok() }
        };
        let all = json!({ (alice.user_id.clone()): { "*": { "n": 1 } } });
        let (one, again) = futures::join!(send("t1", all.clone()), send("t1", all.clone()));
        assert_eq!((one, again), (json!({}), json!({})));
        send("t2", json!({ (alice.user_id.clone()): { "SECOND": { "n": 2 }, "NOTHING": {} } })).await;

        let server = server_over(store, |_| {}).await;
        let again = Client { server: server.clone(), ..bob.clone() };
        again.put("/v3/sendToDevice/m.test/t2", json!({ "messages": all })).await.ok();
        let (user, second) = (user_id!("@alice:neurite.test"), device_id!("SECOND"));
        let upto = server.feed.current();
        let messages = server.users.to_device(user, second, 0, upto, 100).await.unwrap();
        let contents: Vec<Value> =
            messages.iter().map(|(_, event)| serde_json::from_str(event.get()).unwrap()).collect();
        assert_eq!(contents, [
            json!({ "type": "m.test", "sender": bob.user_id, "content": { "n": 1 } }),
            json!({ "type": "m.test", "sender": bob.user_id, "content": { "n": 2 } }),
        ]);
        let first = server.users.to_device(user, alice.device_id.as_str().into(), 0, upto, 100).await;
        assert_eq!(first.unwrap().len(), 1);
        // The same id says something else for another type of message, and for another device.
        let other = "/v3/sendToDevice/m.other/t1";
        let bob_again = Client::login(&server, "bob").await;
        for (client, expected) in [(&again, 2), (&again, 2), (&bob_again, 3), (&bob_again, 3)] {
            client.put(other, json!({ "messages": all })).await.ok();
            let upto = server.feed.current();
            let first = server.users.to_device(user, alice.device_id.as_str().into(), 0, upto, 100).await;
            assert_eq!(first.unwrap().len(), expected);
        }
        let (position, _) = messages[0];
        assert_eq!(server.users.to_device(user, second, 0, upto, 1).await.unwrap().len(), 1);
        assert_eq!(server.users.to_device(user, second, position, upto, 9).await.unwrap().len(), 1);
        server.users.acknowledge_to_device(user, second, position).await.unwrap();
        assert_eq!(server.users.to_device(user, second, 0, upto, 9).await.unwrap().len(), 1);
    }

    async fn who_is_erased_leaves_no_keys_and_no_data() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let mut refreshing = password_login("alice");
        refreshing["refresh_token"] = json!(true);
        Client::anonymous(&server).post("/v3/login", refreshing).await.ok();
        let (user, upload) = (alice.user_id.as_str(), "/v3/keys/device_signing/upload");
        let (master, others) = (SigningKey::new(None), SigningKey::new(None));
        let keys = json!({
            "master_key": master.cross_signing(user, "master"),
            "user_signing_key": master.sign(user, others.cross_signing(user, "user_signing")),
        });
        alice.post(upload, keys).await.ok();
        let of_bob = SigningKey::new(None);
        let key = of_bob.cross_signing(&bob.user_id, "master");
        bob.post(upload, json!({ "master_key": key })).await.ok();
        let signed = json!({ (bob.user_id.clone()): { (of_bob.public.clone()): others.sign(user, key) } });
        assert_eq!(alice.post("/v3/keys/signatures/upload", signed).await.ok(), json!({}));
        let device = SigningKey::new(Some(&alice.device_id));
        let keys = json!({
            "device_keys": device_keys(&alice, &device), "one_time_keys": one_time_keys(0..2),
            "fallback_keys": { "signed_curve25519:f": { "key": "f", "fallback": true, "signatures": {} } },
        });
        alice.post("/v3/keys/upload", keys).await.ok();
        let claim = json!({ (user): { (alice.device_id.clone()): "signed_curve25519" } });
        bob.post("/v3/keys/claim", json!({ "one_time_keys": claim })).await.ok();
        let pusher = json!({
            "kind": "http", "app_id": "app", "pushkey": "key", "app_display_name": "App", "lang": "en",
            "device_display_name": "Phone", "data": { "url": "https://push.invalid/_matrix/push/v1/notify" },
        });
        alice.post("/v3/pushers/set", pusher).await.ok();
        // Push rules of their own, so that they have notifications of their own.
        let rule = json!({ "pattern": "hello", "actions": ["notify"] });
        alice.put("/v3/pushrules/global/content/hello", rule).await.ok();
        for (path, body) in [
            ("/v3/room_keys/version", json!({ "algorithm": "a", "auth_data": {} })),
            (&format!("/v3/user/{user}/filter"), json!({ "room": {} })),
        ] {
            alice.post(path, body).await.ok();
        }
        let backed_up = json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": true, "session_data": {} });
        let message = json!({ "messages": { user: { "*": {} } } });
        // Receipts in a room where the user is, and in one that they have left and forgotten.
        let mut room = None;
        for leaves in [true, false] {
            let made = bob.post("/v3/createRoom", json!({ "preset": "public_chat" })).await.ok();
            let room = room.insert(made["room_id"].as_str().unwrap().to_owned());
            let say = json!({ "msgtype": "m.text", "body": "Hello" });
            alice.post(&format!("/v3/join/{room}"), json!({})).await.ok();
            let said = bob.put(&format!("/v3/rooms/{room}/send/m.room.message/1"), say).await.ok();
            let said = said["event_id"].as_str().unwrap();
            for (client, kind) in [(&alice, "m.read"), (&alice, "m.read.private"), (&bob, "m.read")] {
                let path = format!("/v3/rooms/{room}/receipt/{kind}/{said}");
                client.post(&path, json!({})).await.ok();
            }
            for action in ["leave", "forget"].into_iter().filter(|_| leaves) {
                alice.post(&format!("/v3/rooms/{room}/{action}"), json!({})).await.ok();
            }
        }
        for (path, body) in [
            ("/v3/room_keys/keys/!room:neurite.test/session?version=1", backed_up),
            (&format!("/v3/user/{user}/account_data/org.example"), json!({})),
            (&format!("/v3/profile/{user}/displayname"), json!({ "displayname": "Alice" })),
            ("/v3/sendToDevice/org.example/1", message),
        ] {
            alice.put(path, body).await.ok();
        }
        // Messages that she has not read.
        let room = room.unwrap();
        let hello = json!({ "msgtype": "m.text", "body": "hello" });
        bob.put(&format!("/v3/rooms/{room}/send/m.room.message/2"), hello).await.ok();
        server.push.catch_up().await;
        // In which tables rows name her, by key or value.
        let named = async || {
            let mut named = BTreeSet::new();
            for table in Table::ALL {
                let rows = store.scan(*table, KeyRange::all(), Direction::Forward, usize::MAX).await;
                let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(user);
                if rows.unwrap().iter().any(|(key, value)| names(key) || names(value)) {
                    named.insert(*table);
                }
            }
            named
        };
        let declared = |erasure: &[Erasure]| {
            let tables = TABLES.iter().copied().flatten();
            let declared = tables.filter(|table| erasure.contains(&table.erasure));
            declared.map(|table| table.table).collect::<BTreeSet<_>>()
        };
        let goes = declared(&[Erasure::Removed, Erasure::WithDevice]);
        let stays = declared(&[Erasure::Kept, Erasure::Expires]);
        let before = named().await;
        let missing: Vec<_> = goes.difference(&before).collect();
        assert!(missing.is_empty(), "of {missing:?} there is nothing to erase");
        let undeclared: Vec<_> = before.difference(&goes).filter(|of| !stays.contains(of)).collect();
        assert!(undeclared.is_empty(), "{undeclared:?} have rows about users");
        let before = server.feed.current();
        let auth = json!({ "auth": password_login("alice"), "erase": true });
        alice.post("/v3/account/deactivate", auth).await.ok();
        // They have left the rooms, which others are told.
        server.push.catch_up().await;
        let left: Vec<_> = named().await.intersection(&goes).copied().collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(told(&server, before).await.contains(&own_devices(&alice)));
        let seen = query(&bob, user).await;
        assert_eq!((&seen["master_keys"], &seen["device_keys"][user]), (&Value::Null, &json!({})));
        assert!(query(&bob, &bob.user_id).await["master_keys"][&bob.user_id].is_object());
        let receipts = store.scan(Table::Receipts, KeyRange::all(), Direction::Forward, 100).await;
        assert_eq!(receipts.unwrap().len(), 2, "bob's");
    }

    async fn a_device_has_so_many_one_time_keys_and_none_is_huge() {
        let server = server().await;
        let alice = Client::fast(&server, "alice").await;
        let upload = async |keys: Value| {
            alice.post("/v3/keys/upload", json!({ "one_time_keys": keys })).await
        };
        upload(one_time_keys(0..4000)).await.ok();
        upload(one_time_keys(4000..4100)).await.fails(413, "M_TOO_LARGE");
        let counts = upload(one_time_keys(4000..4096)).await.ok();
        assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 4096);
        upload(one_time_keys(0..1)).await.ok();
        upload(one_time_keys(4096..4097)).await.fails(413, "M_TOO_LARGE");
        // A device of an older version may have more, and goes on with those.
        let mut batch = Batch::new();
        let device = Key::new().str(&alice.user_id).str(&alice.device_id).str("signed_curve25519");
        let mut row = json!({ "id": "signed_curve25519:more", "key": "more", "used": false });
        batch.put_json(Table::OneTimeKeys, device.u64(1 << 40).u64(0), &row).unwrap();
        server.store.commit(batch).await.unwrap();
        let (id, key) = (row["id"].as_str().unwrap().to_owned(), row["key"].take());
        let again = json!({ id: key });
        upload(again).await.ok();
        upload(one_time_keys(4096..4097)).await.fails(413, "M_TOO_LARGE");
        let huge = json!({ "signed_curve25519:huge": { "key": "k".repeat(5000) } });
        upload(huge).await.fails(413, "M_TOO_LARGE");
    }
}
