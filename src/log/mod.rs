//! The log: who hears what of the messages and spans that the crate gives to [`tracing`].
//!
//! A *part* is the first module below the crate, and has a level of its own. What is off costs one
//! comparison: each place in the code remembers whether anybody wants it, and asks again only when
//! the [`Wanted`] changes.
//!
//! No message holds a token, a password or a key, at any level; what a parser says of a value that
//! it did not expect is cut by [`without_values`].

mod levels;
mod subscriber;

use std::borrow::Cow;

pub use self::{
    levels::{Levels, Wanted},
    subscriber::{Fields, Sink, Subscriber, Value},
};

/// The parts that log; `ruma` are the crates of that name. `worker/shared/log.ts` has the same list.
#[cfg(feature = "homeserver")]
pub const PARTS: [&str; 12] = [
    "client_api",
    "homeserver",
    "http",
    "media",
    "push",
    "queue",
    "rooms",
    "ruma",
    "search",
    "store",
    "sync",
    "users",
];
/// The parts that log.
#[cfg(not(feature = "homeserver"))]
pub const PARTS: [&str; 2] = ["queue", "store"];

/// The place in [`PARTS`] of what has this target; `None` for what is never logged.
fn part_of(target: &str) -> Option<usize> {
    let name = match target.split_once("::") {
        Some((env!("CARGO_CRATE_NAME"), module)) => module.split("::").next()?,
        _ if is_ruma(target) => "ruma",
        _ => return None,
    };
    PARTS.iter().position(|part| *part == name)
}

fn is_ruma(target: &str) -> bool {
    target.starts_with("ruma")
}

/// What a parser says, without the strings it quotes: it may have met a secret where it expected
/// something else.
pub(crate) fn without_values(text: &str) -> Cow<'_, str> {
    match text.split_once('"').map(|(before, rest)| (before, rest.rsplit_once('"'))) {
        Some((before, Some((_, after)))) => format!("{before}\"…\"{after}").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_parts() {
        let name = |target| part_of(target).map(|part| PARTS[part]);
        assert_eq!(name("neurite::store::engine::commit"), Some("store"));
        assert_eq!(name("neurite::queue"), Some("queue"));
        assert_eq!(name("neurite::json"), None);
        assert_eq!(name("neurite"), None);
        assert_eq!(name("hyper::client"), None);
        #[cfg(feature = "homeserver")]
        assert_eq!(name("ruma_state_res::event_auth"), Some("ruma"));
    }

    #[test]
    fn quoted_values_are_cut() {
        let said = r#"invalid type: string "a \"secret\"", expected a map at line 1 column 9"#;
        let cut = r#"invalid type: string "…", expected a map at line 1 column 9"#;
        assert_eq!(without_values(said), cut);
        assert_eq!(without_values("missing field `name`"), "missing field `name`");
        assert_eq!(without_values("an odd \""), "an odd \"");
    }
}
