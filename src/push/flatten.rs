//! Events and rules in a form that can be matched, whatever is in them. What matches them panics on
//! what it can't parse and on patterns that are too large for a regular expression, and calls itself
//! for every word of a body.

use ruma::{
    push::{AnyPushRuleRef, FlattenedJson, PushCondition},
    serde::Raw,
};
use serde_json::{Value, value::RawValue};

use super::Push;
use crate::{
    Error, Result, json,
    rooms::{Format, Pdu},
};

/// How many bytes a pattern has at most, a name that is looked for too.
const MAX_PATTERN: usize = 1024;
/// How many bytes of a body are matched at once. What is longer is matched in parts, each of which
/// begins with the last bytes of the one before, so that nothing is missed between them.
const PART: usize = 2048;
const OVERLAP: usize = 512;

/// Whether this can be looked for.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= MAX_PATTERN
}

/// Whether all that a rule looks for can be looked for.
pub(super) fn has_patterns_only(rule: AnyPushRuleRef<'_>) -> bool {
    let conditions = match rule {
        AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => &rule.conditions,
        AnyPushRuleRef::Content(rule) => return is_pattern(&rule.pattern),
        _ => return true,
    };
    conditions.iter().all(|condition| match condition {
        PushCondition::EventMatch(data) => is_pattern(&data.pattern),
        _ => true,
    })
}

/// The event as conditions look at it, in parts if its body is long. `None` for one that can't be
/// parsed, as older versions took: it notifies nobody.
pub(super) fn flattened(pdu: &Pdu) -> Result<Option<Vec<FlattenedJson>>> {
    let json = pdu.client_json(Format::Timeline)?;
    if let Err(cause) = json::check(json.get().as_bytes(), json::MAX_DEPTH) {
        tracing::warn!("{} notifies nobody: {cause}", pdu.event_id);
        return Ok(None);
    }
    if json.get().len() <= PART {
        return Ok(Some(vec![flatten(json)]));
    }
    let mut event: Value = serde_json::from_str(json.get()).map_err(Error::internal)?;
    let body = event.get_mut("content").and_then(|content| content.get_mut("body"));
    let Some(Value::String(body)) = body else { return Ok(Some(vec![flatten(json)])) };
    let body = std::mem::take(body);
    let mut flattened = Vec::new();
    for part in parts(&body) {
        event["content"]["body"] = part.into();
        flattened.push(flatten(serde_json::value::to_raw_value(&event).map_err(Error::internal)?));
    }
    Ok(Some(flattened))
}

fn flatten(json: Box<RawValue>) -> FlattenedJson {
    FlattenedJson::from_raw(&Raw::<Value>::from_json(json))
}

fn parts(body: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let body = rest?;
        if body.len() <= PART {
            return rest.take();
        }
        let end = between_words(body, PART);
        rest = Some(&body[between_words(body, end - OVERLAP)..]);
        Some(&body[..end])
    })
}

/// A place between two words shortly before `near`, or there if it is within a long one.
fn between_words(text: &str, near: usize) -> usize {
    let (near, from) = (text.floor_char_boundary(near), text.floor_char_boundary(near - OVERLAP));
    let is_between = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text[from..near].rfind(is_between).map_or(near, |at| from + at)
}

impl Push {
    /// 400 `M_INVALID_PARAM` for a rule that looks for what can't be looked for.
    ///
    /// # Errors
    /// When it does.
    pub fn check_rule(rule: AnyPushRuleRef<'_>) -> Result<()> {
        match has_patterns_only(rule) {
            true => Ok(()),
            false => Err(Error::invalid_param("A pattern has more than 1024 bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_body_overlap() {
        assert_eq!(parts("").collect::<Vec<_>>(), [""]);
        let body: String = (0..2000).map(|number| format!("é{number} ")).collect();
        let parts: Vec<_> = parts(&body).collect();
        assert!(parts.iter().all(|part| part.len() <= PART));
        for number in 0..2000 {
            let word = format!("é{number} ");
            assert!(parts.iter().any(|part| part.contains(&word)), "{word}");
        }
        for part in &parts {
            assert!(part.starts_with('é') || part.starts_with(' '), "{part}");
        }
    }
}
