//! The patterns of push rules. spec: client-server §Push Rules, conditions

/// What is looked for, whatever its case.
pub(super) struct Glob(Vec<Part>);

enum Part {
    This(char),
    /// `?`: any one character.
    One,
    /// `*`: any number of any characters.
    Any,
}

/// A text that is looked into, in lower case.
pub(super) struct Text(Vec<char>);

impl Text {
    pub(super) fn new(text: &str) -> Self {
        Self(lower_case(text).collect())
    }

    /// Whether no word goes on from before this place to after it.
    fn is_between_words(&self, place: usize) -> bool {
        let is_of_word = |at: usize| self.0.get(at).is_some_and(|c| is_of_word(*c));
        !(place > 0 && is_of_word(place - 1) && is_of_word(place))
    }
}

fn lower_case(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Glob {
    /// A pattern with `?` and `*` in it.
    pub(super) fn new(pattern: &str) -> Self {
        let part = |c| match c {
            '?' => Part::One,
            '*' => Part::Any,
            c => Part::This(c),
        };
        Self(lower_case(pattern).map(part).collect())
    }

    /// A pattern in which every character means itself.
    pub(super) fn literal(pattern: &str) -> Self {
        Self(lower_case(pattern).map(Part::This).collect())
    }

    /// Whether it is the whole text.
    pub(super) fn matches(&self, text: &Text) -> bool {
        self.is_within(text, |place| place == 0, |place| place == text.0.len())
    }

    /// Whether it is in the text as words of it are.
    pub(super) fn matches_words(&self, text: &Text) -> bool {
        if self.0.is_empty() {
            return text.0.is_empty();
        }
        let is_between = |place| text.is_between_words(place);
        self.is_within(text, is_between, is_between)
    }

    /// Whether it is somewhere in the text, in time of the product of their lengths at most.
    fn is_within(
        &self,
        Text(text): &Text,
        may_begin: impl Fn(usize) -> bool,
        may_end: impl Fn(usize) -> bool,
    ) -> bool {
        for begin in (0..=text.len()).filter(|place| may_begin(*place)) {
            let (mut part, mut place) = (0, begin);
            // After the last `*`, and the first place where the rest has not been tried.
            let mut again = None;
            loop {
                match (self.0.get(part), text.get(place)) {
                    (None, _) if may_end(place) => return true,
                    (Some(Part::Any), _) => {
                        part += 1;
                        again = Some((part, place + 1));
                        continue;
                    }
                    (Some(Part::One), Some(_)) => {
                        (part, place) = (part + 1, place + 1);
                        continue;
                    }
                    (Some(Part::This(wanted)), Some(c)) if wanted == c => {
                        (part, place) = (part + 1, place + 1);
                        continue;
                    }
                    _ => {}
                }
                match again {
                    // It may begin further on.
                    None => break,
                    // What could not be found after a `*` can't be found after a later one either.
                    Some((_, next)) if next > text.len() => return false,
                    Some((rest, next)) => {
                        (part, place) = (rest, next);
                        again = Some((rest, next + 1));
                    }
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches(&Text::new(text))
    }

    fn matches_words(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).matches_words(&Text::new(text))
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "a\nb"),
            ("lunc?*", "Lunch plans"),
            ("lunc?*", "LUNCH"),
            ("M.Room.*", "m.room.message"),
            ("?", "é"),
            ("**a**", "bab"),
            ("a*b*c", "abbcbc"),
            ("*aab", "aaab"),
            ("É", "é"),
            (r"\w[a-z].", r"\W[A-Z]."),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("?", ""),
            ("lunc?*", " lunch"),
            ("lunc?*", "lunc"),
            ("a*b*c", "abbcb"),
            ("a", "ab"),
            ("b", "ab"),
            (".", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_match_words() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("cake", "Cake!"),
            ("cake", "cakes and a cake"),
            ("a cake", "eat a cake now"),
            ("ex*ple", "An example event."),
            ("ex*ple", "exple"),
            ("ex*ple", "An exciting triple-whammy"),
            ("c?ke", "no cakes, no cokes, a coke"),
            ("a*", "b\na"),
            ("⚡", "cake⚡"),
            ("cake", "⚡cake"),
            ("cake", "cakeé"),
            ("é", "aéa"),
            ("foo ", "foo bar"),
            ("!", "a!b"),
        ] {
            assert!(matches_words(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("cake", ""),
            ("cake", "cakes"),
            ("cake", "pan_cake"),
            ("cake", "cake2"),
            ("a cake", "a  cake"),
            ("ex*ple", "complex triples"),
            ("c?ke", "cke"),
            ("?", "ab"),
            ("*a", "ab"),
        ] {
            assert!(!matches_words(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn literals_have_no_wildcards() {
        let text = Text::new("What *is* this?");
        assert!(Glob::literal("*IS*").matches_words(&text));
        assert!(Glob::literal("this?").matches_words(&text));
        assert!(!Glob::literal("*").matches_words(&Text::new("this")));
        assert!(!Glob::literal("th*s").matches_words(&text));
    }

    #[test]
    fn hard_patterns_take_no_longer_than_their_size() {
        let text = Text::new(&"a".repeat(60_000));
        assert!(!matches_of(&"*a".repeat(500), &text, "b"));
        assert!(!matches_of(&"a".repeat(1000), &text, "b"));
        assert!(!matches_of(&"?*".repeat(500), &text, "b"));
    }

    fn matches_of(pattern: &str, text: &Text, end: &str) -> bool {
        Glob::new(&format!("{pattern}{end}")).matches_words(text)
    }
}
