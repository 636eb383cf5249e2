//! Events of any content: each is taken or refused, and what was taken can be read wherever it is
//! told, and whatever is done with it. The fuzz target `events` does the same.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use neurite::platform;
use proptest::prelude::*;
use serde_json::json;
use support::any_content::{Sent, TYPES, run};

/// Members that something here or in a client looks at.
const MEMBERS: [&str; 26] = [
    "body",
    "formatted_body",
    "msgtype",
    "m.mentions",
    "user_ids",
    "room",
    "m.relates_to",
    "rel_type",
    "event_id",
    "key",
    "m.in_reply_to",
    "is_falling_back",
    "m.new_content",
    "m.topic",
    "m.text",
    "name",
    "topic",
    "redacts",
    "url",
    "alias",
    "allow",
    "join_rule",
    "via",
    "a.b\\",
    "$serde_json::private::RawValue",
    "",
];

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"$root\"".to_owned()),
        Just("\"m.thread\"".to_owned()),
        Just("\"m.replace\"".to_owned()),
        Just("\"m.annotation\"".to_owned()),
        Just("\"@alice:neurite.test\"".to_owned()),
        Just("9007199254740991".to_owned()),
        Just("9007199254740992".to_owned()),
        Just("-9007199254740992".to_owned()),
        Just("1e999".to_owned()),
        Just("0.5".to_owned()),
        Just("-0".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        ("[a-z ?*]{1,3}", 1usize..30_000)
            .prop_map(|(text, times)| json!(text.repeat(times)).to_string()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            2 => proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            4 => object(inner.clone()),
            1 => (inner, 60usize..130, any::<bool>()).prop_map(|(inner, depth, is_object)| {
                let (open, close) = if is_object { ("{\"a\":", "}") } else { ("[", "]") };
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            }),
        ]
    })
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![
        8 => proptest::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec((name, inner), 0..5).prop_map(|members| {
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let key = prop_oneof![
        Just(String::new()),
        Just("@alice:neurite.test".to_owned()),
        "[a-z!:.]{1,300}",
        any::<String>(),
    ];
    (0..TYPES.len(), proptest::option::of(key), object(value()))
        .prop_map(|(kind, state_key, content)| Sent { kind, state_key, content })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_can_be_read(events in proptest::collection::vec(sent(), 1..16)) {
        platform::run(run(events));
    }
}
