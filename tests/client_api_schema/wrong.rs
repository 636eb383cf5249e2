//! Requests that are wrong in one place.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    operations::{Grammar, Kind, Member, Name, Operation},
    world::Request,
};

/// A request that is wrong in one place.
pub struct Wrong {
    /// Where, as `body.invite[0]` or `query.limit`.
    pub place: String,
    /// What is there: JSON in a body, or as it is in the target; nothing, where what is required is
    /// left out.
    pub value: Vec<u8>,
    pub request: Request,
}

/// JSON of all types, of which each kind takes only some.
const VALUES: [&str; 9] = ["7", "1.5", "-1", "true", "null", "\"\"", "\"x\"", "[]", "{}"];

/// All that is wrong with a request of `operation` once one thing is changed in `example`.
pub fn wrong(operation: &Operation, example: &Request) -> Vec<Wrong> {
    let mut all = Vec::new();
    for (at, variable) in operation.variables.iter().enumerate() {
        for text in texts(&variable.kind) {
            // Nothing at the end of a path is another path.
            if text.is_empty() && at + 1 == operation.variables.len() {
                continue;
            }
            let mut request = example.clone();
            request.variables[at] = text.clone();
            all.push(Wrong {
                place: format!("path.{}", variable.name()),
                value: text.into(),
                request,
            });
        }
    }
    for parameter in &operation.query {
        let name = parameter.name();
        let left_out = parameter.required.then_some(None);
        for text in texts(&parameter.kind).into_iter().map(Some).chain(left_out) {
            let mut request = example.clone();
            request.query.retain(|(of, _)| of != name);
            request.query.extend(text.clone().map(|text| (name.to_owned(), text)));
            let value = text.unwrap_or_default().into();
            all.push(Wrong { place: format!("query.{name}"), value, request });
        }
    }
    if let Some(kind) = operation.body.as_ref().filter(|kind| !matches!(kind, Kind::Bytes)) {
        let body: Value = serde_json::from_slice(example.body.as_ref().unwrap()).unwrap();
        let mut places = Places::default();
        places.visit(&body, kind, &[], true);
        places.ignored(&body);
        all.extend(places.found.into_iter().map(|(place, value, body)| Wrong {
            place: format!("body{place}"),
            value,
            request: Request { body: Some(body), ..example.clone() },
        }));
        // Many a POST needs none.
        let none = (operation.method == "PUT").then_some(&b""[..]);
        for body in
            [&b"{"[..], b"[1,", b"\xff", b"{}{}", b"{\"a\":\x01}", b"{a:1}"].into_iter().chain(none)
        {
            let request = Request { body: Some(body.to_vec()), ..example.clone() };
            all.push(Wrong { place: "body".to_owned(), value: body.to_vec(), request });
        }
    }
    all
}

/// Texts in a path or a query that are not of a kind, percent-encoded.
fn texts(kind: &Kind) -> Vec<String> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut texts = vec!["%ff".to_owned(), "a%c3%28".to_owned()];
    match kind {
        Kind::Text => {}
        Kind::Integer => texts.extend(
            ["", "x", "-1", "1.5", "1e3", "9007199254740992", "99999999999999999999"]
                .map(str::to_owned),
        ),
        Kind::Boolean => texts.extend(["", "maybe", "2", "True"].map(str::to_owned)),
        Kind::OneOf(values) => {
            texts.extend([String::new(), "nosuch".to_owned(), values[0].to_uppercase()]);
        }
        Kind::Grammar(grammar) => {
            texts.extend(outside(*grammar).iter().map(|text| encoded(text)));
        }
        // Wrong are those that are wrong for each of them.
        Kind::Either(_) => texts.extend(["", "x", "%3Aa", "%40a%3Ab"].map(str::to_owned)),
        Kind::List(kind) => return self::texts(kind),
        Kind::Json(kind) => {
            let mut places = Places::default();
            places.visit(&sample(kind), kind, &[], false);
            let found = places.found.iter();
            texts.extend(found.map(|(_, _, body)| {
                percent_encoding::percent_encode(body, NON_ALPHANUMERIC).to_string()
            }));
            texts.extend(["%7B".to_owned(), "%7B%22a%22:%22%ff%22%7D".to_owned()]);
        }
        // Free names of parameters.
        Kind::Members(_) => texts.clear(),
        kind => panic!("a parameter that is {kind:?}"),
    }
    texts
}

/// What is too long for an id.
fn long() -> String {
    "a".repeat(300)
}

/// Texts that a grammar does not have.
fn outside(grammar: Grammar) -> Vec<String> {
    let texts = match grammar {
        Grammar::UserId => vec!["", "x", "@", "@bob", "!a:b", "@bob:", "@bob:a b"],
        Grammar::RoomId => vec!["", "x", "#a:b", "!a\0:b"],
        Grammar::RoomAlias => vec!["", "x", "#", "#a", "!a:b", "#a:", "#a:b c"],
        Grammar::EventId => vec!["", "x", "!a:b"],
        Grammar::ServerName => vec!["", "a b", "a:b", "[1"],
        Grammar::ProfileKey => vec!["Name", "a b", "é"],
        Grammar::Uri => vec!["", "x", "://"],
        Grammar::Email => vec!["", "x"],
        Grammar::Token => vec!["x", "-1", "s1x", "99999999999999999999999"],
    };
    let long = grammar.sigil().map(|sigil| format!("{sigil}{}:b", long()));
    texts.into_iter().map(str::to_owned).chain(long).collect()
}

/// The smallest value of a kind.
fn sample(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!("x"),
        Kind::Integer => json!(1),
        Kind::Number => json!(0.5),
        Kind::Boolean => json!(true),
        Kind::Null => json!(null),
        Kind::Object => json!({}),
        Kind::OneOf(values) => json!(values[0]),
        Kind::List(kind) => json!([sample(kind)]),
        Kind::Either(kinds) => sample(&kinds[0]),
        Kind::Members(members) => {
            let required = members.iter().filter(|member| member.required);
            let named = required.map(|member| (member.name().to_owned(), sample(&member.kind)));
            Value::Object(named.collect())
        }
        Kind::Grammar(grammar) => json!(match grammar {
            Grammar::UserId => "@bob:neurite.test",
            Grammar::RoomId => "!room",
            Grammar::RoomAlias => "#alias:neurite.test",
            Grammar::EventId => "$event",
            Grammar::ServerName => "neurite.test",
            Grammar::ProfileKey => "displayname",
            Grammar::Uri => "https://example.org/",
            Grammar::Email => "a@example.org",
            Grammar::Token => "s1",
        }),
        Kind::Bytes | Kind::Json(_) => panic!("{kind:?} is nowhere in JSON"),
    }
}

/// A step from a value to one in it.
#[derive(Clone)]
enum Step {
    /// To the member of that name.
    Member(String),
    /// To the first item.
    Item,
}

/// A wrong value in a body: where it is, what it is, and the body.
type Found = (String, Vec<u8>, Vec<u8>);

/// Bodies that are wrong in one place each.
#[derive(Default)]
struct Places {
    found: Vec<Found>,
}

impl Places {
    /// All that is wrong at a place of that kind and below it.
    fn visit(&mut self, root: &Value, kind: &Kind, at: &[Step], required: bool) {
        let mut filled = root.clone();
        let place = entry(&mut filled, at);
        if !kind.accepts(place) {
            *place = sample(kind);
        }
        let (root, present) = (&filled, entry(&mut filled.clone(), at).clone());
        for text in VALUES {
            // What is null is left out, as most clients and servers have it.
            let value: Value = serde_json::from_str(text).unwrap();
            if !kind.accepts(&value) && (required || !value.is_null()) {
                self.put(root, at, text.as_bytes());
            }
        }
        for text in not_values(kind) {
            self.put(root, at, &text);
        }
        match kind {
            Kind::Members(members) => self.visit_members(root, members, &present, at),
            Kind::List(kind) => self.visit(root, kind, &[at, &[Step::Item]].concat(), true),
            Kind::Either(kinds) => {
                for kind in kinds {
                    if let Kind::Members(members) = kind {
                        let mut filled = root.clone();
                        *entry(&mut filled, at) = sample(kind);
                        self.visit_members(&filled, members, &sample(kind), at);
                    }
                }
            }
            _ => {}
        }
    }

    fn visit_members(&mut self, root: &Value, members: &[Member], present: &Value, at: &[Step]) {
        let to = |name: &str| [at, &[Step::Member(name.to_owned())]].concat();
        for member in members {
            match &member.name {
                Name::Only(name) => {
                    self.visit(root, &member.kind, &to(name), member.required);
                    if member.required {
                        self.leave_out(root, &to(name));
                    }
                }
                Name::Any(kind) => {
                    if let Kind::Grammar(grammar) = kind {
                        for name in outside(*grammar) {
                            let value = sample(&member.kind).to_string();
                            self.put(root, &to(&name), value.as_bytes());
                        }
                    }
                    let names = present.as_object().into_iter().flat_map(Map::keys).cloned();
                    let mut names: Vec<_> = names.collect();
                    if names.is_empty() {
                        names.push(sample(kind).as_str().unwrap().to_owned());
                    }
                    for name in names {
                        self.visit(root, &member.kind, &to(&name), true);
                    }
                }
            }
        }
    }

    /// What nobody reads is JSON too, and no deeper than other JSON.
    fn ignored(&mut self, root: &Value) {
        let at = [Step::Member("org.example.ignored".to_owned())];
        for value in [
            &b"\"a\xff\""[..],
            b"\"\xc3\x28\"",
            b"\"\\ud800\"",
            b"{\"a\xff\":1}",
            b"[\"\xed\xa0\x80\"]",
            b"\"\x01\"",
            b"01",
            b"nul",
            deep().as_bytes(),
        ] {
            self.put(root, &at, value);
        }
    }

    fn put(&mut self, root: &Value, at: &[Step], value: &[u8]) {
        const MARK: &str = "<here>";
        let mut body = root.clone();
        *entry(&mut body, at) = json!(MARK);
        let (mut body, mark) = (body.to_string().into_bytes(), json!(MARK).to_string());
        let found = body.windows(mark.len()).position(|bytes| bytes == mark.as_bytes()).unwrap();
        body.splice(found..found + mark.len(), value.iter().copied());
        self.found.push((described(at), value.to_vec(), body));
    }

    fn leave_out(&mut self, root: &Value, at: &[Step]) {
        let Some((Step::Member(name), parent)) = at.split_last() else { return };
        let mut body = root.clone();
        entry(&mut body, parent).as_object_mut().unwrap().remove(name);
        self.found.push((described(at), Vec::new(), body.to_string().into_bytes()));
    }
}

/// The place that steps lead to; what is missing on the way is made.
fn entry<'a>(value: &'a mut Value, at: &[Step]) -> &'a mut Value {
    at.iter().fold(value, |value, step| match step {
        Step::Member(name) => {
            if !value.is_object() {
                *value = json!({});
            }
            value.as_object_mut().unwrap().entry(name).or_insert(Value::Null)
        }
        Step::Item => {
            if value.get(0).is_none() {
                *value = json!([null]);
            }
            &mut value[0]
        }
    })
}

fn described(at: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Member(name) if name.len() < 60 => format!(".{name}"),
        Step::Member(_) => ".(long)".to_owned(),
        Step::Item => "[0]".to_owned(),
    };
    at.iter().map(step).collect()
}

/// What no value of any kind is, or none of this one.
fn not_values(kind: &Kind) -> Vec<Vec<u8>> {
    let quoted = |text: &str| json!(text).to_string().into_bytes();
    match kind {
        Kind::Text => [&b"\"a\xff\""[..], b"\"\\ud800\""].map(<[u8]>::to_vec).into(),
        Kind::Integer => {
            let numbers =
                ["1e400", "9007199254740992", "-9007199254740992", "99999999999999999999"];
            numbers.map(|number| number.as_bytes().to_vec()).into()
        }
        Kind::Number => vec![b"1e400".to_vec()],
        Kind::OneOf(values) => vec![quoted("nosuch"), quoted(&values[0].to_uppercase())],
        Kind::Grammar(grammar) => outside(*grammar).iter().map(|text| quoted(text)).collect(),
        Kind::Object => vec![
            deep().into_bytes(),
            b"{\"a\":\"\xff\"}".to_vec(),
            b"{\"a\":1e400}".to_vec(),
            b"{\"a\":\"\\udc00\"}".to_vec(),
            b"{\"$serde_json::private::RawValue\":\"1\"}".to_vec(),
        ],
        _ => Vec::new(),
    }
}

/// An object that is deeper than any reader takes.
fn deep() -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200))
}
