//! What the specification says of each request, without its prose: `operations.json`.
//!
//! A kind of value is written there as its name (`"string"`, `"user_id"`), as the list of an
//! enumeration's values, as `{"[]": kind}` for a list, as `{"|": [kinds]}` for one of some, as
//! `{"json": kind}` for a text that is JSON, or as the members of an object: with `!` at the end of
//! those that are required, and with the kind of the name in braces where any name will do. `#name`
//! stands for what `definitions` has.

use serde_json::{Map, Value};

const OPERATIONS: &str = include_str!("operations.json");

/// One operation of the specification.
pub struct Operation {
    pub id: String,
    pub method: String,
    /// With its variables in braces.
    pub path: String,
    /// `none`, `optional`, `required` or `appservice`.
    pub auth: String,
    /// Those in the path, in its order.
    pub variables: Vec<Member>,
    pub query: Vec<Member>,
    pub body: Option<Kind>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// What is uploaded: no JSON.
    Bytes,
    Text,
    Integer,
    Number,
    Boolean,
    Null,
    /// Of any content.
    Object,
    /// An id, a name or a URI, of a grammar.
    Grammar(Grammar),
    OneOf(Vec<String>),
    List(Box<Kind>),
    Members(Vec<Member>),
    Either(Vec<Kind>),
    Json(Box<Kind>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    UserId,
    RoomId,
    RoomAlias,
    EventId,
    ServerName,
    ProfileKey,
    Uri,
    Email,
    /// Where to go on, as an answer told.
    Token,
}

/// A member of an object, or a parameter.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: Name,
    pub required: bool,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Name {
    Only(String),
    /// Any of this kind.
    Any(Kind),
}

/// All operations.
pub fn operations() -> Vec<Operation> {
    let table: Value = serde_json::from_str(OPERATIONS).unwrap();
    let reader = Reader { definitions: table["definitions"].as_object().unwrap() };
    table["operations"].as_array().unwrap().iter().map(|of| reader.operation(of)).collect()
}

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn operation(&self, of: &Value) -> Operation {
        let text = |name: &str| of[name].as_str().unwrap().to_owned();
        let members =
            |name: &str| of[name].as_object().map_or_else(Vec::new, |of| self.members(of));
        Operation {
            id: text("id"),
            method: text("method"),
            path: text("path"),
            auth: text("auth"),
            variables: in_order(&text("path"), members("variables")),
            query: members("query"),
            body: of.get("body").map(|body| self.kind(body)),
        }
    }

    fn members(&self, of: &Map<String, Value>) -> Vec<Member> {
        let member = |(name, kind): (&String, &Value)| {
            let required = name.ends_with('!');
            let name = name.trim_end_matches('!');
            let name = match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(kind) => Name::Any(self.named(kind)),
                None => Name::Only(name.to_owned()),
            };
            Member { name, required, kind: self.kind(kind) }
        };
        of.iter().map(member).collect()
    }

    fn kind(&self, of: &Value) -> Kind {
        match of {
            Value::String(name) => self.named(name),
            Value::Array(values) => {
                Kind::OneOf(values.iter().map(|value| value.as_str().unwrap().to_owned()).collect())
            }
            Value::Object(of) => match of.iter().next() {
                Some((name, items)) if name == "[]" => Kind::List(Box::new(self.kind(items))),
                Some((name, kind)) if name == "json" => Kind::Json(Box::new(self.kind(kind))),
                Some((name, kinds)) if name == "|" => {
                    let kinds = kinds.as_array().unwrap().iter();
                    Kind::Either(kinds.map(|kind| self.kind(kind)).collect())
                }
                _ => Kind::Members(self.members(of)),
            },
            other => panic!("{other} is no kind"),
        }
    }

    fn named(&self, name: &str) -> Kind {
        match name {
            "bytes" => Kind::Bytes,
            "string" => Kind::Text,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            "null" => Kind::Null,
            "object" => Kind::Object,
            "user_id" => Kind::Grammar(Grammar::UserId),
            "room_id" => Kind::Grammar(Grammar::RoomId),
            "room_alias" => Kind::Grammar(Grammar::RoomAlias),
            "event_id" => Kind::Grammar(Grammar::EventId),
            "server_name" => Kind::Grammar(Grammar::ServerName),
            "profile_key" => Kind::Grammar(Grammar::ProfileKey),
            "uri" => Kind::Grammar(Grammar::Uri),
            "token" => Kind::Grammar(Grammar::Token),
            "email" => Kind::Grammar(Grammar::Email),
            name => self.kind(&self.definitions[name.strip_prefix('#').unwrap()]),
        }
    }
}

/// The variables of a path in the order that they have there.
fn in_order(path: &str, mut variables: Vec<Member>) -> Vec<Member> {
    variables.sort_by_key(|variable| path.find(&format!("{{{}}}", variable.name())));
    variables
}

impl Member {
    /// Its name, where there is only one.
    pub fn name(&self) -> &str {
        match &self.name {
            Name::Only(name) => name,
            Name::Any(kind) => panic!("a parameter may be called {kind:?}"),
        }
    }
}

impl Grammar {
    /// What begins an id of this kind.
    pub fn sigil(self) -> Option<char> {
        match self {
            Self::UserId => Some('@'),
            Self::RoomId => Some('!'),
            Self::RoomAlias => Some('#'),
            Self::EventId => Some('$'),
            Self::ServerName | Self::ProfileKey | Self::Uri | Self::Email | Self::Token => None,
        }
    }
}

impl Kind {
    /// Whether a value is of this kind, as far as only its form tells.
    pub fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Bytes | Self::Json(_) => false,
            Self::Text => value.is_string(),
            Self::Integer => value.as_u64().is_some_and(|value| value < 1 << 53),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Null => value.is_null(),
            Self::Object => value.is_object(),
            Self::Grammar(grammar) => value.as_str().is_some_and(|value| match grammar.sigil() {
                Some(sigil) => value.starts_with(sigil),
                None => !value.is_empty(),
            }),
            Self::OneOf(values) => values.iter().any(|of| value == of),
            Self::List(kind) => {
                value.as_array().is_some_and(|items| items.iter().all(|item| kind.accepts(item)))
            }
            Self::Members(members) => value.as_object().is_some_and(|object| {
                members.iter().all(|member| match &member.name {
                    Name::Only(name) => match object.get(name) {
                        Some(value) => member.kind.accepts(value),
                        None => !member.required,
                    },
                    Name::Any(_) => true,
                })
            }),
            Self::Either(kinds) => kinds.iter().any(|kind| kind.accepts(value)),
        }
    }
}
