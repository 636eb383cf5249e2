//! Subjects: tokens joined by dots; in filters `*` stands for one token and a last `>` for one or
//! more. NATS' rules.

/// Whether messages can be published to it: tokens that are not empty and no wildcards.
pub fn is_literal(subject: &str) -> bool {
    is_valid(subject) && subject.split('.').all(|token| token != "*" && token != ">")
}

/// Whether it is well formed; wildcards are allowed.
pub fn is_valid(subject: &str) -> bool {
    let mut tokens = subject.split('.').peekable();
    while let Some(token) = tokens.next() {
        let misplaced = token == ">" && tokens.peek().is_some();
        if token.is_empty() || misplaced || token.contains(|c: char| c.is_ascii_whitespace()) {
            return false;
        }
    }
    true
}

/// Whether `filter` matches a literal `subject`.
pub fn matches(filter: &str, subject: &str) -> bool {
    is_subset(subject, filter)
}

/// Whether every subject that `inner` matches is matched by `outer` too.
pub fn is_subset(inner: &str, outer: &str) -> bool {
    let (mut inner, mut outer) = (inner.split('.'), outer.split('.'));
    loop {
        match (inner.next(), outer.next()) {
            (Some(_), Some(">")) | (None, None) => return true,
            (Some(token), Some("*")) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether there can be a subject that both match.
pub fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_tokens() {
        assert!(matches("a.*.c", "a.b.c") && matches("a.>", "a.b.c") && matches(">", "a"));
        assert!(!matches("a.*", "a.b.c") && !matches("a.>", "a") && !matches("a", "a.b"));
        assert!(is_subset("a.*", "a.>") && is_subset("a.>", ">") && !is_subset("a.>", "a.*"));
        assert!(overlap("a.*", "*.b") && overlap("a.>", "*.*.c") && !overlap("a.b", "a.*.c"));
        assert!(is_valid("a.>") && !is_valid("a.>.b") && !is_valid("a..b") && !is_valid("a b"));
        assert!(is_literal("a.b") && !is_literal("a.*") && !is_literal(""));
    }
}
