//! Events of any content: none is answered with an error of the server, and what was taken can be
//! read by sync, push, search, /messages and the rest, be redacted, and left behind by an upgrade.
//!
//! Each line of the input is an event: a byte for its type, one for whether it is a state event and
//! how long its state key is, the state key, and the content.

#![no_main]

#[path = "../../tests/support/any_content.rs"]
mod any_content;
#[path = "../../tests/support/client.rs"]
mod client;

use any_content::{Sent, TYPES};
use libfuzzer_sys::fuzz_target;
use neurite::{
    platform,
    store::{Options, Store, memory::Disk},
};

/// How many events one input sends.
const MOST: usize = 16;

/// An empty store, for the client.
async fn store() -> Store {
    Store::open_memory(&Disk::new(), Options::default()).await.expect("it is new")
}

fn read(line: &[u8]) -> Option<Sent> {
    let [kind, key, rest @ ..] = line else { return None };
    let length = usize::from(key >> 1).min(rest.len());
    let (state_key, content) = rest.split_at(if key & 1 == 1 { length } else { 0 });
    Some(Sent {
        kind: usize::from(*kind) % TYPES.len(),
        state_key: (key & 1 == 1).then(|| String::from_utf8_lossy(state_key).into_owned()),
        content: String::from_utf8_lossy(content).into_owned(),
    })
}

fuzz_target!(|bytes: &[u8]| {
    let events = bytes.split(|byte| *byte == b'\n').filter_map(read).take(MOST).collect();
    platform::run(any_content::run(events));
});
