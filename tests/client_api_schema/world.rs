//! A homeserver in which the example of each operation can be sent: `examples.json`.
//!
//! `$name` stands there for what a [`World`] has under that name. Examples are sent by alice unless
//! `as` says otherwise. They are answered with 200, unless there is a status and a code: as `refusal`
//! of an operation that has no other answer, as `answer` where another needs more than a world has.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use neurite::{
    Homeserver,
    feed::Position,
    platform,
    store::{Options, Store},
    users::NewDevice,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ruma::UserId;
use serde_json::{Value, json};

use super::{
    operations::{Kind, Operation},
    support::{
        client::{Answer, Client, server_over},
        place::Place,
    },
};

const EXAMPLES: &str = include_str!("examples.json");

/// How long the consumers may take for what was sent.
const PATIENCE: Duration = Duration::from_secs(20);

/// The examples of all operations.
pub struct Examples {
    all: Value,
}

/// A request before it is sent: its variables and parameters percent-encoded.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub variables: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

/// What an example is to be answered with: the status, and the code of an error.
pub type Expected = (u16, Option<String>);

impl Examples {
    pub fn new() -> Self {
        Self { all: serde_json::from_str(EXAMPLES).unwrap() }
    }

    fn of(&self, operation: &Operation) -> &Value {
        self.all["examples"].get(&operation.id).unwrap()
    }

    /// The operations that there are examples of.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.all["examples"].as_object().unwrap().keys()
    }

    /// Whether alice needs a password, which takes time to hash.
    fn needs_password(&self, operation: &Operation) -> bool {
        self.of(operation).to_string().contains("password\"")
    }

    pub fn expected(&self, operation: &Operation) -> Expected {
        let example = self.of(operation);
        match example["refusal"].as_str().or(example["answer"].as_str()) {
            None => (200, None),
            Some(error) => {
                let (status, errcode) = error.split_once(' ').unwrap();
                (status.parse().unwrap(), Some(errcode.to_owned()))
            }
        }
    }

    pub fn request(&self, operation: &Operation, world: &World) -> Request {
        let example = self.of(operation);
        let encoded =
            |text: &str| utf8_percent_encode(&world.filled(text), NON_ALPHANUMERIC).to_string();
        let variable = |name: &str| {
            let own = example["variables"][name].as_str();
            own.or(self.all["variables"][name].as_str()).unwrap()
        };
        let variables = operation.variables.iter();
        let query = example["query"].as_object().into_iter().flatten();
        let body = example.get("body").map(|body| match operation.body {
            Some(Kind::Bytes) => body.as_str().unwrap().as_bytes().to_vec(),
            _ => world.filled(&body.to_string()).into_bytes(),
        });
        Request {
            method: operation.method.clone(),
            path: operation.path.clone(),
            variables: variables.map(|of| encoded(variable(of.name()))).collect(),
            query: query
                .map(|(name, value)| (name.clone(), encoded(value.as_str().unwrap())))
                .collect(),
            body,
        }
    }

    /// Who sends it.
    pub fn sender<'a>(&self, operation: &Operation, world: &'a World) -> &'a Client {
        match self.of(operation)["as"].as_str() {
            None => &world.alice,
            Some("admin") => &world.admin,
            Some("anonymous") => &world.anonymous,
            Some(other) => panic!("nobody is {other}"),
        }
    }
}

impl Request {
    pub fn target(&self) -> String {
        let mut variables = self.variables.iter();
        let segments = self.path.split('/').map(|segment| match segment.starts_with('{') {
            true => variables.next().unwrap(),
            false => segment,
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let query: Vec<_> =
            self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        match query.is_empty() {
            true => path,
            false => format!("{path}?{}", query.join("&")),
        }
    }

    pub async fn send(&self, client: &Client) -> Answer {
        client.send(&self.method, &self.target(), self.body.clone()).await
    }
}

/// Some users with a history.
pub struct World {
    pub server: Rc<Homeserver>,
    store: Store,
    pub alice: Client,
    pub bob: Client,
    pub admin: Client,
    pub anonymous: Client,
    pub names: BTreeMap<&'static str, String>,
}

impl World {
    /// A world for the example of that operation.
    pub async fn of(operation: &Operation, examples: &Examples) -> Self {
        Self::new(examples.needs_password(operation)).await
    }

    /// A world in which alice has the password `password`, or none.
    pub async fn new(password: bool) -> Self {
        // Whatever is written stays in the journal, where it is counted.
        let options = Options {
            journal_bytes: usize::MAX / 8,
            journal_records: usize::MAX / 8,
            idle_after: Duration::from_secs(3600),
            ..Options::default()
        };
        let store = Place::new().open_with(options).await;
        let server = server_over(store.clone(), |config| {
            config.admins = vec!["@admin:neurite.test".try_into().unwrap()];
            config.support =
                serde_json::from_value(json!({ "support_page": "https://example.org/" })).unwrap();
        })
        .await;
        let alice = match password {
            true => Client::register(&server, "alice").await,
            false => Client::fast(&server, "alice").await,
        };
        let admin = Client::fast(&server, "admin").await;
        let bob = Client::fast(&server, "bob").await;
        let anonymous = Client::anonymous(&server);
        let names = BTreeMap::new();
        let mut world = Self { server, store, alice, bob, admin, anonymous, names };
        world.fill().await;
        world.settle().await;
        world
    }

    async fn fill(&mut self) {
        let (server, alice, bob) = (self.server.clone(), self.alice.clone(), self.bob.clone());
        let room = create(&alice, "public_chat", "club").await;
        let open = create(&bob, "public_chat", "open").await;
        let left = create(&bob, "public_chat", "left").await;
        let closed = create(&bob, "private_chat", "closed").await;
        let knocking = format!("/v3/rooms/{closed}/state/m.room.join_rules");
        bob.put(&knocking, json!({ "join_rule": "knock" })).await.ok();
        bob.post(&format!("/v3/join/{room}"), json!({})).await.ok();
        alice.post(&format!("/v3/join/{left}"), json!({})).await.ok();
        alice.post(&format!("/v3/rooms/{left}/leave"), json!({})).await.ok();
        let banned = "@banned:neurite.test";
        alice.post(&format!("/v3/rooms/{room}/ban"), json!({ "user_id": banned })).await.ok();

        let text = json!({ "msgtype": "m.text", "body": "a word" });
        let event = send(&bob, &room, "m.room.message", "1", text.clone()).await;
        let mut reply = text;
        reply["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": event });
        send(&alice, &room, "m.room.message", "2", reply).await;

        let user = format!("/v3/user/{}", alice.user_id);
        for of in ["", &format!("/rooms/{room}")] {
            let path = format!("{user}{of}/account_data/org.example.kept");
            alice.put(&path, json!({ "a": 0 })).await.ok();
        }
        let tag = format!("{user}/rooms/{room}/tags/m.favourite");
        alice.put(&tag, json!({ "order": 0.1 })).await.ok();
        let filter = alice.post(&format!("{user}/filter"), json!({})).await.ok();
        let backup =
            json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {} });
        let backup = alice.post("/v3/room_keys/version", backup).await.ok();
        let backup = backup["version"].as_str().unwrap().to_owned();
        let key = json!({
            "first_message_index": 1, "forwarded_count": 0, "is_verified": true, "session_data": {},
        });
        let path = format!("/v3/room_keys/keys/{room}/session?version={backup}");
        alice.put(&path, key).await.ok();
        let rules = "/v3/pushrules/global";
        let word = json!({ "pattern": "word", "actions": ["notify"] });
        alice.put(&format!("{rules}/content/word"), word).await.ok();
        let own = json!({ "conditions": [], "actions": [] });
        alice.put(&format!("{rules}/override/own"), own).await.ok();
        let profile = format!("/v3/profile/{}/displayname", alice.user_id);
        alice.put(&profile, json!({ "displayname": "A" })).await.ok();
        alice
            .put(&format!("/v3/presence/{}/status", alice.user_id), json!({ "presence": "online" }))
            .await
            .ok();

        let png = include_bytes!("../system/picture.png").to_vec();
        let media = alice.send("POST", "/_matrix/media/v3/upload", Some(png)).await.ok();
        let reserved = alice.send("POST", "/_matrix/media/v1/create", None).await.ok();
        let media_id = |answer: &Value| {
            answer["content_uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        };
        let alice_id = <&UserId>::try_from(alice.user_id.as_str()).unwrap();
        let device = NewDevice { refreshes: true, ..NewDevice::default() };
        let other = server.users.login(alice_id, device).await.unwrap();
        let token = alice.get("/v3/sync").await.ok();
        let password = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": "alice" },
            "password": "password",
        });
        self.names = BTreeMap::from([
            ("$alice", alice.user_id.clone()),
            ("$device", alice.device_id.clone()),
            ("$bob", bob.user_id.clone()),
            ("$carol", "@carol:neurite.test".to_owned()),
            ("$banned", banned.to_owned()),
            ("$room", room),
            ("$open", open),
            ("$left", left),
            ("$closed", closed),
            ("$alias", "#club:neurite.test".to_owned()),
            ("$event", event),
            ("$filter", filter["filter_id"].as_str().unwrap().to_owned()),
            ("$backup", backup),
            ("$media", media_id(&media)),
            ("$reserved", media_id(&reserved)),
            ("$other_device", other.device_id.to_string()),
            ("$refresh", other.refresh_token.unwrap()),
            ("$token", token["next_batch"].as_str().unwrap().to_owned()),
            ("\"$password\"", password.to_string()),
        ]);
    }

    /// Waits until nothing more comes of what was done.
    pub async fn settle(&self) {
        let quiet = async {
            for name in ["push", "search"] {
                let consumer = self.server.queue.consumer("ROOM_EVENTS", name).unwrap();
                while (consumer.info().num_pending, consumer.info().num_ack_pending) != (0, 0) {
                    platform::sleep(Duration::from_millis(1)).await;
                }
            }
            // Acknowledgements and what was seen of devices are written after the answers.
            let mut before = None;
            let mut same = 0;
            while same < 5 {
                platform::sleep(Duration::from_millis(1)).await;
                let now = Some(self.changes().await);
                same = if now == before { same + 1 } else { 0 };
                before = now;
            }
        };
        platform::timeout(PATIENCE, quiet).await.expect("it never is quiet");
    }

    /// Another after each change: rows written, and what clients are told.
    pub async fn changes(&self) -> (usize, Position) {
        (self.store.usage().await.unwrap().journal_rows, self.server.feed.current())
    }

    /// A text with the names in it replaced by what they stand for; the longest name of two counts.
    fn filled(&self, text: &str) -> String {
        self.names.iter().rev().fold(text.to_owned(), |text, (name, of)| text.replace(name, of))
    }
}

async fn create(client: &Client, preset: &str, alias: &str) -> String {
    let options = json!({ "preset": preset, "room_alias_name": alias, "name": alias });
    let answer = client.post("/v3/createRoom", options).await.ok();
    answer["room_id"].as_str().unwrap().to_owned()
}

async fn send(client: &Client, room: &str, kind: &str, txn: &str, content: Value) -> String {
    let path = format!("/v3/rooms/{room}/send/{kind}/{txn}");
    client.put(&path, content).await.ok()["event_id"].as_str().unwrap().to_owned()
}
