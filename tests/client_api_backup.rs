//! Server-side key backups.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::client::{Client, server_over};

const VERSION: &str = "/v3/room_keys/version";

fn algorithm() -> Value {
    json!({
        "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2",
        "auth_data": { "public_key": "abcdefg", "signatures": {} },
    })
}

fn key(first_message_index: u64, forwarded_count: u64, is_verified: bool) -> Value {
    json!({
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "is_verified": is_verified,
        "session_data": { "ephemeral": "a", "ciphertext": "b", "mac": "c" },
    })
}

tests! {
    async fn versions_of_a_backup_follow_each_other() {
        let server = server_over(support::store().await, |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        alice.get(VERSION).await.fails(404, "M_NOT_FOUND");
        alice.post(VERSION, json!({ "algorithm": "x" })).await.fails(400, "M_BAD_JSON");
        assert_eq!(alice.post(VERSION, algorithm()).await.ok(), json!({ "version": "1" }));
        assert_eq!(alice.post(VERSION, algorithm()).await.ok(), json!({ "version": "2" }));
        let current = alice.get(VERSION).await.ok();
        assert_eq!((&current["version"], &current["count"], &current["etag"]), (&json!("2"), &json!(0), &json!("0")));
        assert_eq!(current["auth_data"], algorithm()["auth_data"]);
        assert_eq!(alice.get(&format!("{VERSION}/1")).await.ok()["version"], "1");
        alice.get(&format!("{VERSION}/3")).await.fails(404, "M_NOT_FOUND");
        alice.get(&format!("{VERSION}/0")).await.fails(404, "M_NOT_FOUND");

        let mut other = algorithm();
        other["algorithm"] = json!("org.other");
        alice.put(&format!("{VERSION}/2"), other).await.fails(400, "M_INVALID_PARAM");
        let mut update = algorithm();
        update["auth_data"]["public_key"] = json!("new");
        update["version"] = json!("1");
        alice.put(&format!("{VERSION}/2"), update.clone()).await.fails(400, "M_INVALID_PARAM");
        update["version"] = json!("2");
        alice.put(&format!("{VERSION}/2"), update).await.ok();
        assert_eq!(alice.get(VERSION).await.ok()["auth_data"]["public_key"], "new");
        alice.put(&format!("{VERSION}/9"), algorithm()).await.fails(404, "M_NOT_FOUND");

        alice.delete(&format!("{VERSION}/2"), None).await.ok();
        // Again is no error; what never was is not found.
        alice.delete(&format!("{VERSION}/2"), None).await.ok();
        alice.delete(&format!("{VERSION}/9"), None).await.fails(404, "M_NOT_FOUND");
        assert_eq!(alice.get(VERSION).await.ok()["version"], "1");
        assert_eq!(alice.post(VERSION, algorithm()).await.ok(), json!({ "version": "3" }));
    }

    async fn the_better_of_two_keys_is_kept_and_the_etag_tells_of_changes() {
        let store = support::store().await;
        let server = server_over(store.clone(), |_| {}).await;
        let alice = Client::register(&server, "alice").await;
        let bob = Client::register(&server, "bob").await;
        let keys = |rest: &str, version: u64| format!("/v3/room_keys/keys{rest}?version={version}");
        let all = json!({ "rooms": {
            "!a:neurite.test": { "sessions": { "one": key(5, 0, false), "two": key(0, 0, false) } },
            "!b:neurite.test": { "sessions": { "three": key(0, 0, true) } },
        } });
        alice.put(&keys("", 1), all.clone()).await.fails(404, "M_NOT_FOUND");
        for _ in 0..2 {
            alice.post(VERSION, algorithm()).await.ok();
        }
        let refused = alice.put(&keys("", 1), all.clone()).await;
        refused.fails(403, "M_WRONG_ROOM_KEYS_VERSION");
        assert_eq!(refused.body["current_version"], "2");
        assert_eq!(alice.put(&keys("", 2), all.clone()).await.ok(), json!({ "etag": "1", "count": 3 }));
        assert_eq!(alice.put(&keys("", 2), all.clone()).await.ok(), json!({ "etag": "1", "count": 3 }));
        let one = "/!a:neurite.test/one";
        for (new, kept) in [
            (key(6, 0, false), key(5, 0, false)),
            (key(4, 9, false), key(4, 9, false)),
            (key(4, 8, false), key(4, 8, false)),
            (key(9, 9, true), key(9, 9, true)),
            (key(0, 0, false), key(9, 9, true)),
        ] {
            alice.put(&keys(one, 2), new).await.ok();
            assert_eq!(alice.get(&keys(one, 2)).await.ok(), kept);
        }
        alice.put(&keys(one, 2), json!({ "is_verified": true })).await.fails(400, "M_BAD_JSON");
        let room = json!({ "sessions": { "four": key(0, 0, false) } });
        assert_eq!(alice.put(&keys("/!b:neurite.test", 2), room).await.ok()["count"], 4);

        let server = server_over(store, |_| {}).await;
        let alice = Client { server: server.clone(), ..alice };
        let got = alice.get(&keys("", 2)).await.ok();
        assert_eq!(got["rooms"]["!b:neurite.test"]["sessions"].as_object().unwrap().len(), 2);
        assert_eq!(alice.get(&keys("", 1)).await.ok(), json!({ "rooms": {} }));
        alice.get(&keys("", 7)).await.fails(404, "M_NOT_FOUND");
        alice.get(&keys("/!a:neurite.test/none", 2)).await.fails(404, "M_NOT_FOUND");
        assert_eq!(alice.get(&keys("/!c:neurite.test", 2)).await.ok(), json!({ "sessions": {} }));
        Client { server: server.clone(), ..bob }.get(&keys("", 2)).await.fails(404, "M_NOT_FOUND");
        let before = alice.get(VERSION).await.ok()["etag"].clone();
        let after = alice.delete(&keys(one, 2), None).await.ok();
        assert_eq!(after["count"], 3);
        assert_ne!(after["etag"], before);
        assert_eq!(alice.delete(&keys("/!b:neurite.test", 2), None).await.ok()["count"], 1);
        assert_eq!(alice.delete(&keys("", 2), None).await.ok()["count"], 0);
    }
}
