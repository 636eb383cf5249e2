//! Subject transforms: subjects made from the tokens of others. ADR-30

use rand::RngExt;

use super::subject;

/// How subjects that match one filter become others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transform {
    source: String,
    /// How many tokens the source has.
    tokens: usize,
    /// The tokens of the destination; empty when subjects are not changed.
    parts: Vec<Part>,
}

/// How a token of the destination is made. Places count the tokens of the subject from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The tokens that `>` matched.
    Rest,
    Wildcard(usize),
    /// The bucket that a hash of these tokens falls into; of all of the subject when there are none.
    Partition(u32, Vec<usize>),
    Random(u32),
    Split(usize, String),
    Cut(Cut, usize, usize),
}

/// How a token is cut at a number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    SplitFromLeft,
    SplitFromRight,
    SliceFromLeft,
    SliceFromRight,
    Left,
    Right,
}

/// Why a transform can't be made, in nats-server's words.
const BAD_SUBJECT: &str = "invalid subject";

impl Transform {
    /// A transform of subjects that match `source` (all when empty); an empty `destination` leaves
    /// them as they are.
    ///
    /// # Errors
    /// Why it is not valid.
    pub(super) fn new(source: &str, destination: &str) -> Result<Self, String> {
        let source = if source.is_empty() { ">" } else { source };
        if !subject::is_valid(source) {
            return Err(BAD_SUBJECT.to_owned());
        }
        let tokens: Vec<_> = source.split('.').collect();
        let mut made = Self { source: source.to_owned(), tokens: tokens.len(), parts: Vec::new() };
        if destination.is_empty() {
            return Ok(made);
        }
        // Arguments of functions may have blanks.
        let parts: Vec<_> = destination.split('.').collect();
        let all_in = |place: usize| parts[place] == ">" && place + 1 < parts.len();
        let ends_open = |parts: &[&str]| parts.last() == Some(&">");
        if parts.iter().any(|part| part.is_empty() || *part == "*")
            || (0..parts.len()).any(all_in)
            || ends_open(&tokens) != ends_open(&parts)
        {
            return Err(BAD_SUBJECT.to_owned());
        }
        let wildcards: Vec<_> = (0..tokens.len()).filter(|place| tokens[*place] == "*").collect();
        for part in parts {
            made.parts.push(
                Part::read(part, &wildcards)
                    .map_err(|cause| format!("invalid mapping destination: {cause} in {part}"))?,
            );
        }
        if made.source == ">" && made.parts == [Part::Rest] {
            made.parts.clear();
        }
        Ok(made)
    }

    /// What a literal subject becomes; `None` when the transform is not for it.
    pub(super) fn apply(&self, literal: &str) -> Option<String> {
        if !subject::matches(&self.source, literal) {
            return None;
        }
        if self.parts.is_empty() {
            return Some(literal.to_owned());
        }
        let tokens: Vec<_> = literal.split('.').collect();
        let made: Vec<_> =
            self.parts.iter().map(|part| part.make(literal, &tokens, self.tokens)).collect();
        Some(made.join("."))
    }

    /// The filter of the subjects that it is for.
    pub(super) fn source(&self) -> &str {
        &self.source
    }
}

impl Part {
    fn read(token: &str, wildcards: &[usize]) -> Result<Self, &'static str> {
        if token == ">" {
            return Ok(Self::Rest);
        }
        if let Some(number) = token.strip_prefix('$') {
            // Tokens that begin with `$` have other uses too.
            return match number.parse::<usize>() {
                Ok(number) => Ok(Self::Wildcard(place(number, wildcards)?)),
                Err(_) => Ok(Self::Literal(token.to_owned())),
            };
        }
        let Some(call) = token.strip_prefix("{{").and_then(|token| token.strip_suffix("}}")) else {
            return Ok(Self::Literal(token.to_owned()));
        };
        let (name, arguments) = call
            .trim()
            .strip_suffix(')')
            .and_then(|call| call.split_once('('))
            .ok_or("unknown function")?;
        let arguments: Vec<_> = match arguments.trim() {
            "" => Vec::new(),
            some => some.split(',').map(str::trim).collect(),
        };
        Self::call(&name.trim().to_lowercase(), &arguments, wildcards)
    }

    fn call(name: &str, arguments: &[&str], wildcards: &[usize]) -> Result<Self, &'static str> {
        let bounded = |least: usize, most: usize| match arguments.len() {
            count if count < least => Err("not enough arguments passed to the function"),
            count if count > most => Err("too many arguments passed to the function"),
            _ => Ok(()),
        };
        let number = |at: usize| {
            let wrong = "function argument is invalid or in the wrong format";
            arguments[at].parse::<u32>().ok().filter(|n| *n <= i32::MAX as u32).ok_or(wrong)
        };
        let token = |at: usize| place(number(at)? as usize, wildcards);
        let cut = |cut| {
            bounded(2, 2)?;
            Ok(Self::Cut(cut, token(0)?, number(1)? as usize))
        };
        match name {
            "wildcard" => {
                bounded(1, 1)?;
                Ok(Self::Wildcard(token(0)?))
            }
            "partition" => {
                bounded(1, usize::MAX)?;
                let places = (1..arguments.len()).map(token).collect::<Result<_, _>>()?;
                Ok(Self::Partition(number(0)?, places))
            }
            "random" => {
                bounded(1, 1)?;
                Ok(Self::Random(number(0)?))
            }
            "split" => {
                bounded(2, 2)?;
                if arguments[1].is_empty() || arguments[1].contains([' ', '.']) {
                    return Err("function argument is invalid or in the wrong format");
                }
                Ok(Self::Split(token(0)?, arguments[1].to_owned()))
            }
            "splitfromleft" => cut(Cut::SplitFromLeft),
            "splitfromright" => cut(Cut::SplitFromRight),
            "slicefromleft" => cut(Cut::SliceFromLeft),
            "slicefromright" => cut(Cut::SliceFromRight),
            "left" => cut(Cut::Left),
            "right" => cut(Cut::Right),
            _ => Err("unknown function"),
        }
    }

    fn make(&self, literal: &str, tokens: &[&str], source_tokens: usize) -> String {
        match self {
            Self::Literal(token) => token.clone(),
            Self::Rest => tokens[source_tokens - 1..].join("."),
            Self::Wildcard(place) => tokens[*place].to_owned(),
            Self::Partition(buckets, places) => {
                let key = match places.is_empty() {
                    true => literal.to_owned(),
                    false => places.iter().map(|place| tokens[*place]).collect(),
                };
                hash(key.as_bytes()).checked_rem(*buckets).unwrap_or(0).to_string()
            }
            Self::Random(0) => "0".to_owned(),
            Self::Random(most) => rand::rng().random_range(0..*most).to_string(),
            Self::Split(place, delimiter) => {
                let parts = tokens[*place].split(delimiter.as_str());
                let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
                parts.join(".")
            }
            Self::Cut(cut, place, size) => cut.make(tokens[*place], *size),
        }
    }
}

impl Cut {
    /// A token that is too short, or would be cut within a character, stays as it is.
    fn make(self, token: &str, size: usize) -> String {
        let whole = || token.to_owned();
        if size == 0 || size >= token.len() {
            return whole();
        }
        let rest = token.len() - size;
        let halves = |at: usize| token.split_at_checked(at);
        match self {
            Self::Left => halves(size).map_or_else(whole, |(left, _)| left.to_owned()),
            Self::Right => halves(rest).map_or_else(whole, |(_, right)| right.to_owned()),
            Self::SplitFromLeft => halves(size).map_or_else(whole, |(l, r)| format!("{l}.{r}")),
            Self::SplitFromRight => halves(rest).map_or_else(whole, |(l, r)| format!("{l}.{r}")),
            Self::SliceFromLeft => slices(token, size, size).unwrap_or_else(whole),
            Self::SliceFromRight => {
                let first = match token.len() % size {
                    0 => size,
                    some => some,
                };
                slices(token, first, size).unwrap_or_else(whole)
            }
        }
    }
}

/// A piece of `first` bytes and then pieces of `size` bytes.
fn slices(token: &str, first: usize, size: usize) -> Option<String> {
    let mut pieces = Vec::new();
    let (mut from, mut to) = (0, first);
    while from < token.len() {
        pieces.push(token.get(from..to.min(token.len()))?);
        (from, to) = (to, to + size);
    }
    Some(pieces.join("."))
}

/// Where the wildcard of that number, counted from 1, is among the tokens.
fn place(number: usize, wildcards: &[usize]) -> Result<usize, &'static str> {
    let found = number.checked_sub(1).and_then(|number| wildcards.get(number));
    found.copied().ok_or("wildcard index out of range")
}

/// FNV-1a, which ADR-30's partitions are found with.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(source: &str, destination: &str, literal: &str) -> Option<String> {
        Transform::new(source, destination).unwrap().apply(literal)
    }

    #[test]
    fn subjects_become_others() {
        for (source, destination, literal, expected) in [
            ("foo.*.*", "bar.{{wildcard(2)}}.$1", "foo.a.b", "bar.b.a"),
            ("foo.>", "x.>", "foo.a.b", "x.a.b"),
            ("", "pre.>", "a.b", "pre.a.b"),
            ("*", "{{splitfromleft(1,3)}}", "12345", "123.45"),
            ("*", "{{SplitFromRight(1, 3)}}", "12345", "12.345"),
            ("*", "{{SliceFromLeft(1,3)}}", "1234567890", "123.456.789.0"),
            ("*", "{{SliceFromRight(1,3)}}", "1234567890", "1.234.567.890"),
            ("*", "{{split(1,-)}}", "-abc-def--ghi-", "abc.def.ghi"),
            ("*", "{{left(1,2)}}-", "abc", "{{left(1,2)}}-"),
            ("*", "{{left(1,2)}}.{{right(1,1)}}", "abc", "ab.c"),
            ("*", "p.{{partition(10,1)}}", "foo", "p.3"),
        ] {
            assert_eq!(
                apply(source, destination, literal).as_deref(),
                Some(expected),
                "{source} {destination}"
            );
        }
        assert_eq!(apply("foo.*", "bar.$1", "baz.a"), None);
        assert_eq!(apply("", ">", "a.b").as_deref(), Some("a.b"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (source, destination) in [
            ("foo.*", "bar.{{wildcard(2)}}"),
            ("foo.*", "bar.>"),
            ("foo.*", "bar.*"),
            ("foo", "{{nothing(1)}}"),
            ("*", "{{left(1)}}"),
            ("*", "{{wildcard(1,2)}}"),
            ("foo..a", "b"),
        ] {
            assert!(Transform::new(source, destination).is_err(), "{source} {destination}");
        }
    }
}
