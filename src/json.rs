//! How JSON may look that is kept. Contents are often stored and handed out as they came; whoever
//! parses them later, inside of something else, must be able to.

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
    /// Not every reader could parse it.
    #[error("The JSON is nested too deeply")]
    TooDeep,
    /// Not every reader would see what it says.
    #[error("A member has a name that JSON parsers keep for themselves")]
    ReservedName,
}

/// Whether readers can parse this, wherever it is put: one pass over its bytes, which says nothing
/// about whether it is JSON at all.
///
/// # Errors
/// When they can't.
pub fn check(json: &[u8], max_depth: usize) -> Result<(), Unreadable> {
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
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let length = string_length(&json[at..]);
                let (string, rest) = json[at..].split_at(length);
                if is_reserved(string) && is_name(rest) {
                    return Err(Unreadable::ReservedName);
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
        for json in ["\"", "\"\\", "[\"a", "]]]", "", "\"\\\"", "{\"$"] {
            assert_eq!(check(json.as_bytes(), 3), Ok(()), "{json}");
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
