//! What happens in the model: operations, filters and habits of devices, all of them random.

use neurite::config::KeptChanges;
use proptest::prelude::*;
use serde_json::{Value, json};

pub const ROOMS: usize = 2;
/// The first made the rooms, sees everything and never leaves; the others come and go.
pub const USERS: [&str; 4] = ["root", "alice", "bob", "carol"];
pub const DEVICES: usize = 4;
pub const KEYS: [(&str, &str); 5] =
    [("m.room.topic", ""), ("m.room.name", ""), ("m.room.avatar", ""), ("x.y", "a"), ("x.y", "b")];
pub const ACCOUNT_DATA: [&str; 2] = ["x.a", "x.b"];
pub const VISIBILITIES: [&str; 4] = ["joined", "invited", "shared", "world_readable"];
pub const FORMS: [&str; 3] =
    ["", "&use_state_after=true", "&org.matrix.msc4222.use_state_after=true"];

#[derive(Clone, Debug)]
pub enum Operation {
    /// A user does something with their own membership.
    Own(usize, usize, &'static str),
    /// A user does something with another's membership.
    Other(usize, usize, usize, &'static str),
    /// A user sets one of [`KEYS`] to nothing or something.
    State(usize, usize, usize, u8),
    Say(usize, usize),
    /// The first user redacts a state event or a message.
    Redact(usize, usize),
    Visibility(usize, usize),
    JoinRule(usize, &'static str),
    Rename(usize, u8),
    /// A user sets one of [`ACCOUNT_DATA`], of a room or globally.
    AccountData(usize, Option<usize>, usize),
    /// A user reads one of the messages of a room, or its first event.
    Read(usize, usize, usize),
    /// The first user sends a message to a device.
    Message(usize),
    /// A device of a user gets other keys.
    Device(usize),
    /// A device asks for what is new, and gets the answer or does not.
    Sync(usize, Asked, bool),
    /// A device writes down what it has.
    Save(usize),
    /// A device goes back to what it has written down.
    Restore(usize),
    /// A device forgets everything.
    Forget(usize),
    Restart,
}

#[derive(Clone, Debug)]
pub enum Filter {
    All,
    Types(&'static [&'static str]),
    NotTypes(&'static [&'static str]),
    Senders(usize),
    NotSenders(usize),
    Url(bool),
    Room(usize),
    NotRoom(usize),
}

/// What may be different from one sync of a device to the next.
#[derive(Clone, Debug)]
pub struct Asked {
    pub timeline: Filter,
    pub limit: Option<usize>,
    pub form: usize,
    pub full_state: bool,
}

/// What stays the same for a device.
#[derive(Clone, Debug)]
pub struct Habits {
    pub user: usize,
    pub state: Filter,
    /// Whether members are loaded lazily, and then whether redundant ones too.
    pub lazy: Option<bool>,
    /// Asks only for one room.
    pub only: Option<usize>,
    pub include_leave: bool,
    /// Drops what it knows of a room when its user has left.
    pub drops: bool,
}

fn filter() -> impl Strategy<Value = Filter> {
    prop_oneof![
        12 => Just(Filter::All),
        1 => Just(Filter::Types(&["m.room.message"])),
        1 => Just(Filter::Types(&["m.room.member", "x.*"])),
        1 => Just(Filter::Types(&[])),
        1 => Just(Filter::NotTypes(&["m.room.topic", "m.room.history_visibility"])),
        1 => Just(Filter::NotTypes(&["m.room.member"])),
        2 => (0..USERS.len()).prop_map(Filter::Senders),
        2 => (0..USERS.len()).prop_map(Filter::NotSenders),
        1 => any::<bool>().prop_map(Filter::Url),
        1 => (0..ROOMS).prop_map(Filter::Room),
        1 => (0..ROOMS).prop_map(Filter::NotRoom),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let limit = prop::option::of(1..4usize);
    let form = prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(2)];
    let full_state = prop::bool::weighted(0.1);
    (filter(), limit, form, full_state).prop_map(|(timeline, limit, form, full_state)| Asked {
        timeline,
        limit,
        form,
        full_state,
    })
}

pub fn habits(user: usize) -> impl Strategy<Value = Habits> {
    let lazy = prop::option::of(prop::bool::weighted(0.2));
    let only = prop::option::weighted(0.1, 0..ROOMS);
    (filter(), lazy, only, any::<bool>(), any::<bool>()).prop_map(
        move |(state, lazy, only, include_leave, drops)| Habits {
            user,
            state,
            lazy,
            only,
            include_leave,
            drops,
        },
    )
}

/// How much of the feed is kept: all of a run, a little, or nothing.
pub fn kept() -> impl Strategy<Value = KeptChanges> {
    let (stored, in_memory) = (prop_oneof![Just(0), 1..20usize], prop_oneof![Just(0), 1..20usize]);
    prop_oneof![
        1 => Just(KeptChanges::default()),
        2 => (stored, in_memory).prop_map(|(stored, in_memory)| KeptChanges { stored, in_memory }),
    ]
}

pub fn operation() -> impl Strategy<Value = Operation> {
    let (user, room, device) = (|| 1..USERS.len(), || 0..ROOMS, || 0..DEVICES);
    let own = prop_oneof![
        6 => Just("join"), 4 => Just("leave"), 1 => Just("forget"), 1 => Just("knock"),
    ];
    let other = prop_oneof![
        3 => Just("invite"), 2 => Just("kick"), 1 => Just("ban"), 2 => Just("unban"),
    ];
    let rule = prop_oneof![2 => Just("public"), 1 => Just("invite"), 1 => Just("knock")];
    prop_oneof![
        10 => (user(), room(), own).prop_map(|(u, r, a)| Operation::Own(u, r, a)),
        6 => (0..USERS.len(), room(), user(), other)
            .prop_map(|(u, r, o, a)| Operation::Other(u, r, o, a)),
        8 => (0..USERS.len(), room(), 0..KEYS.len(), 0..3u8)
            .prop_map(|(u, r, k, v)| Operation::State(u, r, k, v)),
        10 => (0..USERS.len(), room()).prop_map(|(u, r)| Operation::Say(u, r)),
        1 => (room(), 0..10usize).prop_map(|(r, n)| Operation::Redact(r, n)),
        2 => (room(), 0..VISIBILITIES.len()).prop_map(|(r, v)| Operation::Visibility(r, v)),
        1 => (room(), rule).prop_map(|(r, v)| Operation::JoinRule(r, v)),
        2 => (user(), any::<u8>()).prop_map(|(u, n)| Operation::Rename(u, n)),
        3 => (user(), prop::option::of(room()), 0..ACCOUNT_DATA.len())
            .prop_map(|(u, r, k)| Operation::AccountData(u, r, k)),
        3 => (0..USERS.len(), room(), any::<usize>())
            .prop_map(|(u, r, e)| Operation::Read(u, r, e)),
        2 => device().prop_map(Operation::Message),
        2 => (0..USERS.len()).prop_map(Operation::Device),
        16 => (device(), asked(), prop::bool::weighted(0.7))
            .prop_map(|(d, a, arrives)| Operation::Sync(d, a, arrives)),
        1 => device().prop_map(Operation::Save),
        1 => device().prop_map(Operation::Restore),
        1 => device().prop_map(Operation::Forget),
        1 => Just(Operation::Restart),
    ]
}

impl Filter {
    /// Its form in a request.
    pub fn json(&self, rooms: &[String]) -> Value {
        match self {
            Self::All => json!({}),
            Self::Types(types) => json!({ "types": types }),
            Self::NotTypes(types) => json!({ "not_types": types }),
            Self::Senders(user) => json!({ "senders": [user_id(*user)] }),
            Self::NotSenders(user) => json!({ "not_senders": [user_id(*user)] }),
            Self::Url(with) => json!({ "contains_url": with }),
            Self::Room(room) => json!({ "rooms": [rooms[*room]] }),
            Self::NotRoom(room) => json!({ "not_rooms": [rooms[*room]] }),
        }
    }

    /// Whether it lets an event of a room through.
    pub fn passes(&self, room: usize, event: &Value) -> bool {
        let is_of = |types: &[&str]| {
            let kind = event["type"].as_str().unwrap();
            types.iter().any(|of| match of.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => kind == *of,
            })
        };
        let sent_by = |user: usize| event["sender"] == user_id(user);
        match self {
            Self::All => true,
            Self::Types(types) => is_of(types),
            Self::NotTypes(types) => !is_of(types),
            Self::Senders(user) => sent_by(*user),
            Self::NotSenders(user) => !sent_by(*user),
            // A redaction takes the URL away and changes no entry of the state: nothing is certain.
            Self::Url(_) if event["redacted"] == true => false,
            Self::Url(with) => event["content"]["url"].is_null() != *with,
            Self::Room(of) => room == *of,
            Self::NotRoom(of) => room != *of,
        }
    }
}

/// The id of one of the users.
pub fn user_id(user: usize) -> String {
    format!("@{}:neurite.test", USERS[user])
}
