//! Reading what a page says of itself: OpenGraph (<https://ogp.me>), or else its title and
//! description.
//!
//! Only tags are looked at, never a tree of them: a page can't make it deep.

use std::cell::{Cell, RefCell};

use html5ever::{
    Attribute,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::{Rawtext, Rcdata, ScriptData},
    },
};
use serde_json::{Map, Value};

use crate::platform;

/// How long a text is told at most, in characters.
const LONGEST: usize = 1000;
/// How many properties are told at most.
const PROPERTIES: usize = 64;
/// Where a page may declare its encoding, in bytes. HTML §Determining the character encoding
const DECLARATIONS: usize = 1024;
/// How much of a page is read before others have their turn, in bytes.
const PIECE: usize = 64 * 1024;
/// What OpenGraph calls the address of a picture, the best first.
const PICTURES: [&str; 3] = ["og:image:secure_url", "og:image:url", "og:image"];

/// What the tags told so far.
#[derive(Default)]
struct Reader {
    open_graph: RefCell<Map<String, Value>>,
    description: RefCell<Option<String>>,
    title: RefCell<Option<String>>,
    in_title: Cell<bool>,
    encoding: RefCell<Option<String>>,
}

/// The properties of a page, by the names of OpenGraph.
pub(super) async fn read(mut html: &str) -> Map<String, Value> {
    let tokenizer = tokenizer();
    while !html.is_empty() {
        let (piece, rest) = html.split_at(html.floor_char_boundary(PIECE));
        feed(&tokenizer, piece);
        html = rest;
        platform::next_turn().await;
    }
    tokenizer.end();
    let reader = tokenizer.sink;
    let mut properties = reader.open_graph.take();
    for (name, fallback) in
        [("og:title", reader.title.take()), ("og:description", reader.description.take())]
    {
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
    let start = &page[..page.len().min(DECLARATIONS)];
    let tokenizer = tokenizer();
    feed(&tokenizer, &String::from_utf8_lossy(start));
    tokenizer.end();
    tokenizer.sink.encoding.take()
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

fn tokenizer() -> Tokenizer<Reader> {
    Tokenizer::new(Reader::default(), TokenizerOpts::default())
}

fn feed(tokenizer: &Tokenizer<Reader>, html: &str) {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    // It stops for scripts alone, and the reader runs none.
    let _ = tokenizer.feed(&input);
}

/// A text on one line, not too long.
fn tidy(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

impl Reader {
    fn meta(&self, attrs: &[Attribute]) {
        let attr = |name: &str| {
            attrs.iter().find(|attr| &*attr.name.local == name).map(|attr| attr.value.trim())
        };
        if let Some(encoding) = attr("charset") {
            self.encoding.borrow_mut().get_or_insert(encoding.to_owned());
        }
        let Some(content) = attr("content") else { return };
        if attr("http-equiv").is_some_and(|of| of.eq_ignore_ascii_case("content-type"))
            && let (_, Some(encoding)) = content_type(content)
        {
            self.encoding.borrow_mut().get_or_insert(encoding);
        }
        let Some(name) = attr("property").or_else(|| attr("name")) else { return };
        let name = name.to_ascii_lowercase();
        if name == "description" {
            self.description.borrow_mut().get_or_insert(content.to_owned());
        }
        let mut open_graph = self.open_graph.borrow_mut();
        let content = tidy(content);
        if name.starts_with("og:")
            && name.len() <= LONGEST
            && !content.is_empty()
            && open_graph.len() < PROPERTIES
        {
            // The first of several is the one that counts most.
            open_graph.entry(name).or_insert_with(|| content.into());
        }
    }

    /// What the tokenizer has to know after a tag, as a browser's parser tells it.
    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let starts = tag.kind == TagKind::StartTag;
        match (&*tag.name, starts) {
            ("meta", true) => self.meta(&tag.attrs),
            ("title", true) => {
                // Pictures in a page have titles too, later.
                self.in_title.set(self.title.borrow().is_none());
                return TokenSinkResult::RawData(Rcdata);
            }
            ("title", false) => self.in_title.set(false),
            ("textarea", true) => return TokenSinkResult::RawData(Rcdata),
            ("script", true) => return TokenSinkResult::RawData(ScriptData),
            ("style" | "xmp" | "iframe" | "noembed" | "noframes", true) => {
                return TokenSinkResult::RawData(Rawtext);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => return self.tag(&tag),
            Token::CharacterTokens(text) if self.in_title.get() => {
                self.title.borrow_mut().get_or_insert_default().push_str(&text);
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}
