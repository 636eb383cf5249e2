//! How JSON may look that is kept. Contents are often stored and handed out as they came; whoever
//! parses them later, inside of something else, must be able to.

use serde_json::value::RawValue;

/// How deep a request's JSON may be nested: parsers commonly take 127 levels, and an answer wraps
/// what it tells in up to 17 more.
pub const MAX_DEPTH: usize = 110;

/// How deep a content may be nested. The event around it is one level, and events are wrapped
/// deeper than anything else: in one that they are bundled with, in the context of what was found.
pub const MAX_CONTENT_DEPTH: usize = 100;

/// What serde_json calls the members by which it hands values to itself: it takes an object for
/// something else if the first member has such a name.
const RESERVED: &str = "$serde_json::private::";

/// Why JSON is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON then, wherever in it that is.
    #[error("The JSON is not UTF-8")]
    NotUtf8,
    /// It is more than one value.
    #[error("There is something after the JSON")]
    More,
    /// As a number of a program it would be infinite.
    #[error("A number is too large")]
    TooLarge,
    /// A string has half of a character. RFC 8259 §8.2: readers differ in what they make of it.
    #[error("A string has a surrogate without the other")]
    LoneSurrogate,
    /// Something else than a content, a key or whatever is to have members.
    #[error("An object is needed here")]
    NoObject,
    /// Not every reader could parse it.
    #[error("The JSON is nested too deeply")]
    TooDeep,
    /// Not every reader would see what it says.
    #[error("A member has a name that JSON parsers keep for themselves")]
    ReservedName,
}

/// Whether JSON that is valid is an object.
///
/// # Errors
/// When it is something else.
pub fn check_object(json: &RawValue) -> Result<(), Unreadable> {
    if json.get().starts_with('{') { Ok(()) } else { Err(Unreadable::NoObject) }
}

/// Whether readers can parse this, wherever it is put: a pass over its bytes, which says nothing
/// about whether it is JSON otherwise.
///
/// # Errors
/// When they can't.
pub fn check(json: &[u8], max_depth: usize) -> Result<(), Unreadable> {
    // Parsers skip what they have no use for, and don't look at what strings there are made of.
    str::from_utf8(json).map_err(|_| Unreadable::NotUtf8)?;
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Err(Unreadable::TooDeep);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !json[at + 1..].trim_ascii_start().is_empty() {
                    return Err(Unreadable::More);
                }
            }
            b'"' => {
                let length = string_length(&json[at..]);
                let (string, rest) = json[at..].split_at(length);
                if has_lone_surrogate(string) {
                    return Err(Unreadable::LoneSurrogate);
                }
                if is_reserved(string) && is_name(rest) {
                    return Err(Unreadable::ReservedName);
                }
                at += length;
                continue;
            }
            b'-' | b'0'..=b'9' => {
                let length = number_length(&json[at..]);
                if is_infinite(&json[at..at + length]) {
                    return Err(Unreadable::TooLarge);
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// How long the number is that `json` begins with.
fn number_length(json: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    json.iter().position(|byte| !is_part(byte)).unwrap_or(json.len())
}

/// Whether a number is larger than what parsers have for numbers.
fn is_infinite(number: &[u8]) -> bool {
    const SURELY_NOT: usize = 308;
    let is_short = number.len() <= SURELY_NOT && !number.iter().any(|byte| b"eE".contains(byte));
    let value = || str::from_utf8(number).ok()?.parse::<f64>().ok();
    !is_short && value().is_some_and(f64::is_infinite)
}

/// How long the string is that `json` begins with, with its quotes.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Whether a string has an escape that is half of a character, as UTF-16 writes those beyond the
/// first 65,536.
fn has_lone_surrogate(string: &[u8]) -> bool {
    let mut rest = string;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        rest = &rest[at..];
        let length = match (escaped_unit(rest), rest.get(6..).and_then(escaped_unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => return true,
            _ => 2,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// The number in the `\u` escape that `json` begins with.
fn escaped_unit(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

fn is_reserved(string: &[u8]) -> bool {
    // Any of its characters may be written as an escape.
    matches!(string.get(1), Some(b'$' | b'\\'))
        && serde_json::from_slice::<String>(string).is_ok_and(|name| name.starts_with(RESERVED))
}

/// Whether the string before `rest` is a member's name.
fn is_name(rest: &[u8]) -> bool {
    rest.trim_ascii_start().first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_outside_of_strings_only() {
        for json in ["[[[]]]", r#"{"a":{"[[[[":[1]}}"#, r#"[[],[[]],"\"[[[[","\\"]"#] {
            assert_eq!(check(json.as_bytes(), 3), Ok(()), "{json}");
            assert_eq!(check(json.as_bytes(), 2), Err(Unreadable::TooDeep), "{json}");
        }
        assert_eq!(check(&b"[".repeat(100_000), MAX_DEPTH), Err(Unreadable::TooDeep));
        for json in ["\"", "\"\\", "[\"a", "]", "", "\"\\\"", "{\"$", "\"\\u"] {
            assert_eq!(check(json.as_bytes(), 3), Ok(()), "{json}");
        }
    }

    #[test]
    fn what_readers_differ_about_is_found_wherever_it_is() {
        for (json, cause) in [
            (&b"{\"a\":\"\xff\"}"[..], Unreadable::NotUtf8),
            (b"{\"\xed\xa0\x80\":1}", Unreadable::NotUtf8),
            (b"{}{}", Unreadable::More),
            (b"[[1],2] ,", Unreadable::More),
            (br#"{"a":"\ud800"}"#, Unreadable::LoneSurrogate),
            (br#"["\udc00\ud800"]"#, Unreadable::LoneSurrogate),
            (br#"{"\ud83d\u0041":1}"#, Unreadable::LoneSurrogate),
            (br#"["\\\uDFFF"]"#, Unreadable::LoneSurrogate),
            (br#"{"a":1e400}"#, Unreadable::TooLarge),
            (br#"[1,-1.5E+999]"#, Unreadable::TooLarge),
        ] {
            assert_eq!(check(json, 9), Err(cause), "{}", json.escape_ascii());
        }
        for json in [
            r#"["\ud83d\ude00","\uD83D\uDE00","\\ud800","\u00e9"]"#,
            "{\"é\":1} \n",
            "[1e308,1e-999,-0.5,\"1e400\"]",
        ] {
            assert_eq!(check(json.as_bytes(), 9), Ok(()), "{json}");
        }
    }

    #[test]
    fn names_that_parsers_keep_for_themselves_are_found() {
        for json in [
            r#"{"$serde_json::private::RawValue":"1"}"#,
            r#"{"a":[{"b":1,"\u0024serde\u005fjson::private::RawValue" : 1}]}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
        ] {
            assert_eq!(check(json.as_bytes(), 9), Err(Unreadable::ReservedName), "{json}");
        }
        for json in [r#"["$serde_json::private::RawValue"]"#, r#"{"$":"\u0024"}"#] {
            assert_eq!(check(json.as_bytes(), 9), Ok(()), "{json}");
        }
    }
}
