//! Counters: subjects whose messages each add a number of any size. ADR-49

use std::{collections::BTreeMap, rc::Rc};

use serde::{Deserialize, Serialize};

use crate::queue::{
    error::{Error, Result},
    headers::{Block, names},
};

/// What a counter got from other streams: stream → subject → number.
type Sources = BTreeMap<String, BTreeMap<String, String>>;

/// The total of a counter.
#[derive(Debug, Default)]
pub(super) struct Total {
    value: Number,
    sources: Sources,
    /// Whether the last message of the subject is no counter.
    broken: bool,
}

/// The payload of a counter.
#[derive(Serialize, Deserialize)]
struct Value<'a> {
    #[serde(borrow)]
    val: std::borrow::Cow<'a, str>,
}

/// A message that adds to a counter, as it is stored.
pub(super) struct Added {
    pub(super) total: Rc<Total>,
    pub(super) headers: Option<Vec<u8>>,
    pub(super) payload: Vec<u8>,
    pub(super) value: String,
}

impl Total {
    /// The total in a message.
    pub(super) fn of(headers: &[u8], payload: &[u8]) -> Self {
        let read = || {
            let value = Number::parse(&serde_json::from_slice::<Value<'_>>(payload).ok()?.val)?;
            let sources = match Block(headers).get(names::COUNTER_SOURCES) {
                Some(sources) => serde_json::from_str(sources).ok()?,
                None => Sources::new(),
            };
            Some(Self { value, sources, broken: false })
        };
        read().unwrap_or(Self { broken: true, ..Self::default() })
    }

    /// The total after a message, and the message as it is stored.
    pub(super) fn add(
        &self,
        increment: &str,
        headers: &[u8],
        payload: &[u8],
        subject: &str,
    ) -> Result<Added> {
        if self.broken {
            return Err(Error::COUNTER_BROKEN);
        }
        let mut increment = Number::parse(increment).ok_or(Error::COUNTER_INCREMENT_INVALID)?;
        let mut sources = self.sources.clone();
        let mut changed = None;
        if let Some(source) = Block(headers).get(names::STREAM_SOURCE) {
            // The origin has its whole total in the message: the difference to what is known of it
            // is added.
            let mut fields = source.split(' ');
            let stream = fields.next().unwrap_or_default().to_owned();
            let origin = fields.nth(3).unwrap_or(subject).to_owned();
            let theirs = Self::of(&[], payload);
            if theirs.broken {
                return Err(Error::COUNTER_BROKEN);
            }
            let known = sources.entry(stream).or_default().entry(origin).or_default();
            let before = Number::parse(known).unwrap_or_default();
            *known = theirs.value.to_string();
            increment = theirs.value.plus(&before.negated());
            let plain = Block(headers)
                .without(|name| [names::INCREMENT, names::COUNTER_SOURCES].contains(&name));
            changed = Some(Block(&plain).with(names::INCREMENT, &increment.to_string()));
        }
        if !sources.is_empty() {
            let sources = serde_json::to_string(&sources).map_err(|_| Error::COUNTER_BROKEN)?;
            let plain = Block(changed.as_deref().unwrap_or(headers))
                .without(|name| name == names::COUNTER_SOURCES);
            changed = Some(Block(&plain).with(names::COUNTER_SOURCES, &sources));
        }
        let total = Self { value: self.value.plus(&increment), sources, broken: false };
        let value = total.value.to_string();
        let payload = format!("{{\"val\":\"{value}\"}}").into_bytes();
        Ok(Added { total: Rc::new(total), headers: changed, payload, value })
    }
}

/// A whole number of any size: decimal digits, the lowest first, without leading zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    digits: Vec<u8>,
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Self::new(negative, digits.iter().rev().map(|digit| digit - b'0').collect()))
    }

    fn new(negative: bool, mut digits: Vec<u8>) -> Self {
        while digits.pop_if(|digit| *digit == 0).is_some() {}
        Self { negative: negative && !digits.is_empty(), digits }
    }

    fn negated(&self) -> Self {
        Self::new(!self.negative, self.digits.clone())
    }

    fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            return Self::new(self.negative, sum(&self.digits, &other.digits));
        }
        let larger = |one: &Self, two: &Self| {
            let length = one.digits.len().cmp(&two.digits.len());
            length.then_with(|| one.digits.iter().rev().cmp(two.digits.iter().rev())).is_ge()
        };
        let (more, less) = if larger(self, other) { (self, other) } else { (other, self) };
        Self::new(more.negative, difference(&more.digits, &less.digits))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.digits.is_empty() {
            return to.write_str("0");
        }
        let digits = self.digits.iter().rev().map(|digit| char::from(b'0' + digit));
        write!(to, "{}{}", if self.negative { "-" } else { "" }, digits.collect::<String>())
    }
}

fn sum(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let digit = |digits: &[u8], place| digits.get(place).copied().unwrap_or(0);
    let add = |place| {
        let sum = digit(one, place) + digit(other, place) + carry;
        carry = sum / 10;
        sum % 10
    };
    (0..=one.len().max(other.len())).map(add).collect()
}

/// The difference of a larger and a smaller number.
fn difference(larger: &[u8], smaller: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let subtract = |(place, digit): (usize, &u8)| {
        let less = smaller.get(place).copied().unwrap_or(0) + borrowed;
        borrowed = u8::from(less > *digit);
        digit + 10 * borrowed - less
    };
    larger.iter().enumerate().map(subtract).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_add_up() {
        let plus = |one, other| {
            let parse = |text| Number::parse(text).unwrap();
            parse(one).plus(&parse(other)).to_string()
        };
        let long = "99999999999999999999999999999999999999";
        assert_eq!(plus(long, "+1"), "100000000000000000000000000000000000000");
        assert_eq!(plus("100000000000000000000", "-1"), "99999999999999999999");
        assert_eq!(
            (plus("5", "-7"), plus("-5", "7"), plus("-5", "5")),
            ("-2".into(), "2".into(), "0".into())
        );
        assert_eq!(
            (plus("-5", "-7"), plus("0", "-0"), plus("-12", "7")),
            ("-12".into(), "0".into(), "-5".into())
        );
        assert!(
            Number::parse("").is_none()
                && Number::parse("1.5").is_none()
                && Number::parse("+").is_none()
        );
    }
}
