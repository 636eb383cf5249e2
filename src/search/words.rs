//! The words of a text, so folded that what people take for the same word is the same.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The longest word, in characters; what goes on is cut off.
const LONGEST: usize = 40;

/// The words of `text` in their order: in small letters, without accents. In scripts without
/// spaces each character is a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    let normalizer = DecomposingNormalizerBorrowed::new_nfkd();
    // Small letters before, since some have forms that only decompose then; and after, since
    // compatibility forms turn into capitals.
    let decomposed = normalizer.normalize(text).to_lowercase();
    let decomposed = normalizer.normalize(&decomposed);
    for c in decomposed.chars() {
        if is_accent(c) {
            continue;
        }
        if !c.is_alphanumeric() {
            end(&mut word);
        } else if is_word(c) {
            end(&mut word);
            word.push(c);
            end(&mut word);
        } else if word.chars().count() < LONGEST {
            word.push(c);
        }
    }
    end(&mut word);
    words
}

/// Combining marks that tell apart what is searched for as one.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Characters of scripts that put no spaces between words.
fn is_word(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_folded() {
        assert_eq!(words("Crème brûlée, ÉTÉ!"), ["creme", "brulee", "ete"]);
        assert_eq!(words("ﬁne Ｆull-width x²"), ["fine", "full", "width", "x2"]);
        assert_eq!(words("日本 go"), ["日", "本", "go"]);
        assert_eq!(words("Привет, ΣΊΣΥΦΟΣ"), ["привет", "σισυφος"]);
        assert!(words(" …!").is_empty());
        assert_eq!(words(&"a".repeat(99))[0].len(), super::LONGEST);
    }
}
