//! `$JS.API.>`: requests about the account, streams and their messages.

#[macro_use]
mod support;

use serde_json::{Value, json};
use support::nats::{Client, header, status};

/// A client of a queue with the stream S, which takes `s.>`.
async fn with_stream(more: Value) -> Client {
    let client = Client::open().await;
    let mut config = json!({ "name": "S", "subjects": ["s.>"] });
    config.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let made = client.request("STREAM.CREATE.S", config).await;
    assert!(made["error"].is_null(), "{made}");
    client
}

tests! {
    async fn a_mirror_answers_for_its_origin() {
        let client = with_stream(json!({ "allow_direct": true })).await;
        let mirror = json!({ "name": "M", "mirror": { "name": "S" }, "mirror_direct": true });
        client.request("STREAM.CREATE.M", mirror).await;
        client.store("s.a", &[], "hello").await;
        while client.request("STREAM.INFO.M", Value::Null).await["state"]["messages"] != 1 {
            neurite::platform::next_turn().await;
        }
        let get = async || client.ask("$JS.API.DIRECT.GET.S.s.a", &[], "").await;
        assert_eq!(header(&get().await, "Nats-Stream"), Some("S"));
        assert_eq!(client.publish("$JS.API.DIRECT.GET.M.s.a", Some("answer"), &[], ""), 0);
        client.request("STREAM.DELETE.S", Value::Null).await;
        assert_eq!(header(&get().await, "Nats-Stream"), Some("M"));
    }

    async fn what_can_be_no_copy_is_refused() {
        let client = with_stream(json!({})).await;
        for config in [
            json!({ "mirror": { "name": "S", "filter_subject": "s..a" } }),
            json!({ "sources": [{ "name": "S", "filter_subject": "s.>.a" }] }),
        ] {
            let mut config = config;
            config["name"] = json!("C");
            assert_eq!(client.refusal("STREAM.CREATE.C", config).await, 10049);
        }
        for config in [json!({ "max_age": -1 }), json!({ "duplicate_window": -1 })] {
            let mut config = config;
            config["name"] = json!("C");
            assert_eq!(client.refusal("STREAM.CREATE.C", config).await, 10052);
        }
    }

    async fn streams_are_made_changed_told_and_deleted() {
        let client = Client::open().await;
        let config = json!({
            "name": "S", "subjects": ["s.>"], "max_msgs": 5, "description": null,
            "metadata": { "a": "b" },
        });
        let made = client.request("STREAM.CREATE.S", config.clone()).await;
        assert_eq!(made["type"], "io.nats.jetstream.api.v1.stream_create_response");
        assert_eq!(made["did_create"], true);
        let told = &made["config"];
        assert_eq!(told["max_msgs"], 5);
        assert_eq!(told["max_bytes"], -1);
        assert_eq!(told["duplicate_window"], 120_000_000_000u64);
        assert_eq!(told["metadata"], json!({
            "a": "b", "_nats.ver": "2.14.0", "_nats.level": "4", "_nats.req.level": "0",
        }));
        assert_eq!(made["state"]["first_ts"], "0001-01-01T00:00:00Z");
        // The same once more, and as it was told, changes nothing.
        for again in [config.clone(), told.clone()] {
            assert_eq!(client.request("STREAM.CREATE.S", again).await["config"], *told);
        }
        let mut other = config.clone();
        other["max_msgs"] = json!(6);
        assert_eq!(client.refusal("STREAM.CREATE.S", other.clone()).await, 10058);
        let changed = client.request("STREAM.UPDATE.S", other).await;
        assert_eq!(changed["type"], "io.nats.jetstream.api.v1.stream_update_response");
        assert_eq!(changed["config"]["max_msgs"], 6);
        let info = client.request("STREAM.INFO.S", Value::Null).await;
        assert_eq!(info["type"], "io.nats.jetstream.api.v1.stream_info_response");
        assert_eq!(info["config"], changed["config"]);
        assert_eq!(info["created"], made["created"]);
        assert_eq!(client.refusal("STREAM.DELETE.S", json!({ "a": 1 })).await, 10038);
        let deleted = client.request("STREAM.DELETE.S", json!({})).await;
        assert_eq!(deleted["success"], true);
        for subject in ["STREAM.INFO.S", "STREAM.DELETE.S", "STREAM.PURGE.S"] {
            assert_eq!(client.refusal(subject, Value::Null).await, 10059, "{subject}");
        }
        assert_eq!(client.refusal("STREAM.UPDATE.S", config).await, 10059);
    }

    async fn what_is_no_request_is_refused() {
        let client = with_stream(Value::Null).await;
        let refusal = client.ask("$JS.API.STREAM.CREATE.X", &[], "{\"name\"").await;
        let refusal: Value = serde_json::from_slice(&refusal.payload).unwrap();
        assert_eq!(refusal["error"]["err_code"], 10025);
        let unknown = json!({ "name": "X", "mirror": { "name": "S", "nme": 1 } });
        let refusal = client.request("STREAM.CREATE.X", unknown).await;
        assert_eq!(refusal["error"], json!({
            "code": 400, "err_code": 10025,
            "description": "invalid JSON: json: unknown field \"nme\"",
        }));
        assert_eq!(client.refusal("STREAM.CREATE.X", json!({ "name": "Y" })).await, 10056);
        assert_eq!(client.refusal("STREAM.CREATE.X", Value::Null).await, 10056);
        assert_eq!(client.refusal("STREAM.UPDATE.S", json!({ "name": "X" })).await, 10056);
        assert_eq!(client.refusal("STREAM.CREATE.a/b", json!({ "name": "a/b" })).await, 10128);
        let sealed = json!({ "name": "X", "sealed": true });
        assert_eq!(client.refusal("STREAM.CREATE.X", sealed).await, 10052);
        let overlapping = json!({ "name": "X", "subjects": ["s.a"] });
        assert_eq!(client.refusal("STREAM.CREATE.X", overlapping).await, 10065);
        let pedantic = json!({ "name": "X", "max_msgs": -7, "pedantic": true });
        assert_eq!(client.refusal("STREAM.CREATE.X", pedantic).await, 10157);
        assert_eq!(client.refusal("STREAM.LEADER.STEPDOWN.S", Value::Null).await, 10010);
        assert_eq!(client.refusal("STREAM.PEER.REMOVE.S", Value::Null).await, 10010);
    }

    async fn a_client_that_needs_more_is_told() {
        let client = with_stream(json!({ "allow_direct": true })).await;
        for (level, refused) in [("4", false), ("5", true), ("x", true)] {
            let headers = [("Nats-Required-Api-Level", level)];
            let answer = client.ask("$JS.API.INFO", &headers, "").await;
            let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
            assert_eq!(answer["error"]["err_code"] == 10185, refused, "{level}");
            let direct = client.ask("$JS.API.DIRECT.GET.S.s.a", &headers, "").await;
            let expected = if refused { "412 Required Api Level" } else { "404 Message Not Found" };
            assert_eq!(status(&direct), expected);
        }
    }

    async fn lists_come_in_pages() {
        let client = Client::open().await;
        let empty = client.request("STREAM.NAMES", Value::Null).await;
        assert_eq!(empty, json!({
            "type": "io.nats.jetstream.api.v1.stream_names_response",
            "total": 0, "offset": 0, "limit": 1024, "streams": null,
        }));
        for n in 0..260 {
            let config = json!({ "name": format!("S{n:03}"), "storage": "memory" });
            client.request(&format!("STREAM.CREATE.S{n:03}"), config).await;
        }
        let names = client.request("STREAM.NAMES", json!({ "offset": 258 })).await;
        assert_eq!(names["streams"], json!(["S258", "S259"]));
        assert_eq!((&names["total"], &names["offset"]), (&json!(260), &json!(258)));
        let list = client.request("STREAM.LIST", Value::Null).await;
        assert_eq!(list["streams"].as_array().unwrap().len(), 256);
        assert_eq!((&list["total"], &list["limit"]), (&json!(260), &json!(256)));
        assert_eq!(list["streams"][0]["config"]["name"], "S000");
        let rest = client.request("STREAM.LIST", json!({ "offset": 256 })).await;
        assert_eq!(rest["streams"].as_array().unwrap().len(), 4);
        let one = client.request("STREAM.NAMES", json!({ "subject": "S007" })).await;
        assert_eq!((&one["streams"], &one["total"]), (&json!(["S007"]), &json!(1)));
    }

    async fn publishes_are_stored_and_answered() {
        let client = with_stream(Value::Null).await;
        assert_eq!(client.store("s.a", &[], "1").await, json!({ "stream": "S", "seq": 1 }));
        let id = [("Nats-Msg-Id", "x")];
        assert_eq!(client.store("s.a", &id, "2").await, json!({ "stream": "S", "seq": 2 }));
        let again = client.store("s.a", &id, "2").await;
        assert_eq!(again, json!({ "stream": "S", "seq": 2, "duplicate": true }));
        for (name, value, code) in [
            ("Nats-Expected-Stream", "T", 10060),
            ("Nats-Expected-Last-Sequence", "7", 10071),
            ("Nats-Expected-Last-Msg-Id", "y", 10070),
        ] {
            let refusal = client.store("s.a", &[(name, value)], "").await;
            assert_eq!(refusal["error"]["err_code"], code, "{name}");
            assert_eq!((&refusal["stream"], &refusal["seq"]), (&json!("S"), &json!(0)));
        }
        // Without a place for the answer there is none.
        assert_eq!(client.publish("s.b", None, &[], "3"), 1);
        assert_eq!(client.store("s.b", &[], "4").await["seq"], 4);
        assert_eq!(client.publish("t", None, &[], ""), 0);
    }

    async fn a_stream_listens_to_the_subjects_that_it_has() {
        let client = with_stream(Value::Null).await;
        let changed = json!({ "name": "S", "subjects": ["t"] });
        client.request("STREAM.UPDATE.S", changed).await;
        assert_eq!(client.publish("s.a", None, &[], ""), 0);
        assert_eq!(client.store("t", &[], "").await["seq"], 1);
        client.request("STREAM.DELETE.S", Value::Null).await;
        assert_eq!(client.publish("t", None, &[], ""), 0);
    }

    async fn messages_are_got_and_deleted() {
        let client = with_stream(Value::Null).await;
        client.store("s.a", &[("X", "y")], "one").await;
        client.store("s.b", &[], "two").await;
        client.store("s.a", &[], "three").await;
        let got = client.request("STREAM.MSG.GET.S", json!({ "seq": 1 })).await;
        assert_eq!(got["type"], "io.nats.jetstream.api.v1.stream_msg_get_response");
        let message = &got["message"];
        assert_eq!((&message["subject"], &message["seq"]), (&json!("s.a"), &json!(1)));
        assert_eq!(message["data"], "b25l");
        assert_eq!(message["hdrs"], "TkFUUy8xLjANClg6IHkNCg0K");
        let sequence = async |request| {
            client.request("STREAM.MSG.GET.S", request).await["message"]["seq"].clone()
        };
        assert_eq!(sequence(json!({ "last_by_subj": "s.a" })).await, 3);
        assert_eq!(sequence(json!({ "next_by_subj": "s.*", "seq": 2 })).await, 2);
        for (request, code) in [
            (json!({ "seq": 9 }), 10037),
            (json!({ "last_by_subj": "s.z" }), 10037),
            (json!({}), 10003),
            (json!({ "seq": 1, "last_by_subj": "s.a" }), 10003),
            (json!({ "seq": 1, "batch": 2 }), 10003),
        ] {
            assert_eq!(client.refusal("STREAM.MSG.GET.S", request.clone()).await, code, "{request}");
        }
        assert_eq!(client.refusal("STREAM.MSG.GET.T", json!({ "seq": 1 })).await, 10059);
        let deleted = client.request("STREAM.MSG.DELETE.S", json!({ "seq": 2 })).await;
        assert_eq!(deleted["success"], true);
        assert!(client.request("STREAM.MSG.DELETE.S", json!({ "seq": 2 })).await["error"].is_object());
        assert_eq!(client.refusal("STREAM.MSG.DELETE.S", json!({})).await, 10003);
        let info = client.request("STREAM.INFO.S", json!({
            "deleted_details": true, "subjects_filter": ">",
        })).await;
        assert_eq!(info["state"]["deleted"], json!([2]));
        assert_eq!(info["state"]["num_deleted"], 1);
        assert_eq!(info["state"]["subjects"], json!({ "s.a": 2 }));
        assert_eq!((&info["total"], &info["limit"]), (&json!(1), &json!(100_000)));
    }

    async fn streams_are_purged() {
        let client = with_stream(Value::Null).await;
        for n in 0..10 {
            client.store(&format!("s.{}", n % 2), &[], "").await;
        }
        let purged = async |request| client.request("STREAM.PURGE.S", request).await["purged"].clone();
        assert_eq!(client.refusal("STREAM.PURGE.S", json!({ "seq": 1, "keep": 1 })).await, 10003);
        assert_eq!(purged(json!({ "filter": "s.0", "keep": 3 })).await, 2);
        assert_eq!(purged(json!({ "seq": 5 })).await, 2);
        assert_eq!(purged(Value::Null).await, 6);
        assert_eq!(purged(Value::Null).await, 0);
        let denied = json!({ "name": "D", "deny_purge": true, "deny_delete": true });
        client.request("STREAM.CREATE.D", denied).await;
        client.store("D", &[], "").await;
        assert_eq!(client.refusal("STREAM.PURGE.D", Value::Null).await, 10110);
        assert_eq!(client.refusal("STREAM.MSG.DELETE.D", json!({ "seq": 1 })).await, 10057);
    }

    async fn messages_are_got_directly() {
        let client = with_stream(json!({ "allow_direct": true })).await;
        client.store("s.a", &[("X", "y")], "one").await;
        client.store("s.b", &[], "two").await;
        let get = async |subject: &str, request: &str| {
            client.ask(&format!("$JS.API.DIRECT.GET.{subject}"), &[], request.to_owned()).await
        };
        let message = get("S", r#"{"seq":1}"#).await;
        assert_eq!(&*message.payload, b"one");
        for (name, value) in
            [("X", "y"), ("Nats-Stream", "S"), ("Nats-Subject", "s.a"), ("Nats-Sequence", "1")]
        {
            assert_eq!(header(&message, name), Some(value));
        }
        assert!(header(&message, "Nats-Time-Stamp").is_some());
        assert_eq!(&*get("S.s.b", "").await.payload, b"two");
        for (subject, request, expected) in [
            ("S", "", "408 Empty Request"),
            ("S", "{", "408 Malformed Request"),
            ("S", r#"{"seq":1,"last_by_subj":"s.a"}"#, "408 Bad Request"),
            ("S.s.a", r#"{"seq":1}"#, "408 Bad Request"),
            ("S", r#"{"seq":7}"#, "404 Message Not Found"),
            ("S.s.c", "", "404 Message Not Found"),
        ] {
            assert_eq!(status(&get(subject, request).await), expected, "{subject} {request}");
        }
        let inbox = client.inbox();
        let request = r#"{"batch":5,"seq":1}"#;
        client.publish("$JS.API.DIRECT.GET.S", Some(&inbox.subject), &[], request);
        assert_eq!(header(&inbox.next().await, "Nats-Num-Pending"), Some("1"));
        assert_eq!(header(&inbox.next().await, "Nats-Last-Sequence"), Some("1"));
        let end = inbox.next().await;
        assert_eq!((status(&end), header(&end, "Nats-Last-Sequence")), ("204 EOB", Some("2")));
        // Nobody answers for a stream that does not allow it.
        client.request("STREAM.CREATE.T", json!({ "name": "T" })).await;
        for stream in ["T", "U"] {
            let subject = format!("$JS.API.DIRECT.GET.{stream}");
            assert_eq!(client.publish(&subject, Some("r"), &[], ""), 0);
        }
    }

    async fn the_account_tells_what_is_used() {
        let client = with_stream(json!({ "max_bytes": 1000 })).await;
        client.store("s.a", &[], "1").await;
        client.request("STREAM.INFO.X", Value::Null).await;
        let info = client.request("INFO", Value::Null).await;
        assert_eq!(info["type"], "io.nats.jetstream.api.v1.account_info_response");
        assert_eq!((&info["streams"], &info["consumers"]), (&json!(1), &json!(0)));
        assert!(info["storage"].as_u64().unwrap() > 0);
        assert_eq!((&info["memory"], &info["reserved_storage"]), (&json!(0), &json!(1000)));
        assert_eq!(info["limits"]["max_streams"], -1);
        assert_eq!(info["api"], json!({ "level": 4, "total": 2, "errors": 1 }));
    }

    async fn whoever_wants_to_hears_what_is_done() {
        let client = Client::open().await;
        let advisories = client.subscribe("$JS.EVENT.ADVISORY.STREAM.>");
        let audit = client.subscribe("$JS.EVENT.ADVISORY.API");
        let config = json!({ "name": "S" });
        client.request("STREAM.CREATE.S", config.clone()).await;
        client.request("STREAM.UPDATE.S", config).await;
        client.request("STREAM.DELETE.S", Value::Null).await;
        for (verb, action) in [("CREATED", "create"), ("UPDATED", "modify"), ("DELETED", "delete")] {
            let heard = advisories.next().await;
            assert_eq!(&*heard.subject, format!("$JS.EVENT.ADVISORY.STREAM.{verb}.S"));
            let event: Value = serde_json::from_slice(&heard.payload).unwrap();
            assert_eq!(event["type"], "io.nats.jetstream.advisory.v1.stream_action");
            assert_eq!((&event["stream"], &event["action"]), (&json!("S"), &json!(action)));
        }
        let event: Value = serde_json::from_slice(&audit.next().await.payload).unwrap();
        assert_eq!(event["type"], "io.nats.jetstream.advisory.v1.api_audit");
        assert_eq!(event["subject"], "$JS.API.STREAM.CREATE.S");
        assert_eq!(event["request"], r#"{"name":"S"}"#);
        let response: Value = serde_json::from_str(event["response"].as_str().unwrap()).unwrap();
        assert_eq!(response["did_create"], true);
    }

    async fn there_are_no_domains() {
        let client = Client::open().await;
        for subject in ["$JS.other.API.INFO", "$JS.other.API.STREAM.NAMES", "$JS..API.INFO"] {
            assert_eq!(client.publish(subject, Some("inbox"), &[], ""), 0);
        }
        assert_eq!(client.request("INFO", Value::Null).await["domain"], Value::Null);
    }
}
