//! Reading what a page says of itself: OpenGraph (<https://ogp.me>), or else its title and
//! description.
//!
//! Only tags are looked at, never a tree of them: a page can't make it deep.

use html5gum::{StartTag, State, StringReader, Token, Tokenizer};
use serde_json::{Map, Value};

use crate::platform;

/// How long a text is told at most, in characters.
const LONGEST: usize = 1000;
/// How many properties are told at most.
const PROPERTIES: usize = 64;
/// Where a page may declare its encoding, in bytes. HTML §Determining the character encoding
const DECLARATIONS: usize = 1024;
/// How many tags and texts of a page are read before others have their turn.
const PIECE: usize = 500;
/// What OpenGraph calls the address of a picture, the best first.
const PICTURES: [&str; 3] = ["og:image:secure_url", "og:image:url", "og:image"];

/// What the tags told so far.
#[derive(Default)]
struct Reader {
    open_graph: Map<String, Value>,
    description: Option<String>,
    title: Option<String>,
    in_title: bool,
    encoding: Option<String>,
}

/// The properties of a page, by the names of OpenGraph.
pub(super) async fn read(html: &str) -> Map<String, Value> {
    let (mut tokenizer, mut reader) = (Tokenizer::new(html), Reader::default());
    let mut read = 0;
    while reader.reads_from(&mut tokenizer) {
        read += 1;
        if read % PIECE == 0 {
            platform::next_turn().await;
        }
    }
    let mut properties = reader.open_graph;
    for (name, fallback) in [("og:title", reader.title), ("og:description", reader.description)] {
        if let Some(text) = fallback.map(|text| tidy(&text)).filter(|text| !text.is_empty()) {
            properties.entry(name).or_insert_with(|| text.into());
        }
    }
    for name in ["og:image:width", "og:image:height"] {
        let number = properties.get(name).and_then(Value::as_str).map(str::parse::<u32>);
        match number {
            Some(Ok(number)) => properties.insert(name.to_owned(), number.into()),
            _ => properties.remove(name),
        };
    }
    properties
}

/// The encoding that the beginning of a page declares.
pub(super) fn declared_encoding(page: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&page[..page.len().min(DECLARATIONS)]);
    let (mut tokenizer, mut reader) = (Tokenizer::new(&*start), Reader::default());
    while reader.reads_from(&mut tokenizer) {}
    reader.encoding
}

/// The type that a `Content-Type` names, and the encoding.
pub(super) fn content_type(header: &str) -> (String, Option<String>) {
    let mut parts = header.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let encoding = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    });
    (essence, encoding)
}

/// Takes out where the picture of a page is.
pub(super) fn take_picture(properties: &mut Map<String, Value>) -> Option<String> {
    let found = PICTURES.map(|name| properties.remove(name));
    let mut found = found.into_iter().flatten();
    found.find_map(|link| link.as_str().map(ToOwned::to_owned))
}

/// Takes out all that is about a picture that is not there.
pub(super) fn drop_picture(properties: &mut Map<String, Value>) {
    properties.retain(|name, _| name != "og:image" && !name.starts_with("og:image:"));
}

/// A text on one line, not too long.
fn tidy(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

impl Reader {
    /// Reads the next token, if there is one.
    fn reads_from(&mut self, tokenizer: &mut Tokenizer<StringReader<'_>>) -> bool {
        let Some(Ok(token)) = tokenizer.next() else { return false };
        if let Some(state) = self.take(token) {
            tokenizer.set_state(state);
        }
        true
    }

    /// Takes what a token tells; gives the state that the tokenizer goes on in, when it is another, as a
    /// browser's parser tells its own. HTML §Parsing HTML documents
    fn take(&mut self, token: Token) -> Option<State> {
        match token {
            Token::StartTag(tag) => match &**tag.name {
                b"meta" => self.meta(&tag),
                b"title" => {
                    // Pictures in a page have titles too, later.
                    self.in_title = self.title.is_none();
                    return Some(State::RcData);
                }
                b"textarea" => return Some(State::RcData),
                b"script" => return Some(State::ScriptData),
                b"style" | b"xmp" | b"iframe" | b"noembed" | b"noframes" => {
                    return Some(State::RawText);
                }
                _ => {}
            },
            Token::EndTag(tag) if &**tag.name == b"title" => self.in_title = false,
            Token::String(text) if self.in_title => {
                self.title.get_or_insert_default().push_str(&String::from_utf8_lossy(&text));
            }
            _ => {}
        }
        None
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let attr = |name: &str| {
            let value = tag.attributes.get(name.as_bytes())?;
            Some(String::from_utf8_lossy(value).trim().to_owned())
        };
        if let Some(encoding) = attr("charset") {
            self.encoding.get_or_insert(encoding);
        }
        let Some(content) = attr("content") else { return };
        if attr("http-equiv").is_some_and(|of| of.eq_ignore_ascii_case("content-type"))
            && let (_, Some(encoding)) = content_type(&content)
        {
            self.encoding.get_or_insert(encoding);
        }
        let Some(name) = attr("property").or_else(|| attr("name")) else { return };
        let name = name.to_ascii_lowercase();
        let told = tidy(&content);
        if name == "description" {
            self.description.get_or_insert(content);
        }
        if name.starts_with("og:")
            && name.len() <= LONGEST
            && !told.is_empty()
            && self.open_graph.len() < PROPERTIES
        {
            // The first of several is the one that counts most.
            self.open_graph.entry(name).or_insert_with(|| told.into());
        }
    }
}
