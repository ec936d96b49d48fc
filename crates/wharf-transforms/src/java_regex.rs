//! Java regular expressions, as `topics.regex`, topic creation rules, routers and predicates use them: the whole name
//! must match.
//!
//! The engine knows look-around, back references and possessive quantifiers; quoting (`\Q…\E`) and Java's names of
//! character classes are translated. What it does not know is refused when the configuration is checked.

use fancy_regex::Regex;
use wharf_api::{ConnectError, Result};

use crate::regex_replacement::Replacement;

/// A compiled pattern that must match a whole text.
#[derive(Debug, Clone)]
pub struct JavaRegex {
    pattern: String,
    /// Matches a part of a text, too.
    part: Regex,
    whole: Regex,
}

impl JavaRegex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, on one line.
    pub fn new(pattern: &str) -> Result<Self> {
        let translated = translate(pattern);
        // compiled alone first, so that `a)(b` is not made right by the group around it
        let compile = |text: &str| {
            Regex::new(text).map_err(|error| {
                ConnectError::config(error.to_string().lines().collect::<Vec<_>>().join(" "))
            })
        };
        Ok(Self {
            pattern: pattern.to_owned(),
            part: compile(&translated)?,
            whole: compile(&format!(r"\A(?:{translated})\z"))?,
        })
    }

    /// Whether the whole text matches. A match that needs more backtracking than the engine allows counts as none.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text).unwrap_or(false)
    }

    /// The text with the first match replaced, which need not be the whole text; the text itself when there is none.
    ///
    /// # Errors
    /// A mistake in the replacement text.
    pub fn replace_first(&self, text: &str, replacement: &Replacement) -> Result<String> {
        match self.part.captures(text) {
            Ok(Some(found)) => replacement.expand(text, &found),
            _ => Ok(text.to_owned()),
        }
    }

    /// How many groups there are, the whole match not counted.
    pub(crate) fn group_count(&self) -> usize {
        self.part.captures_len().saturating_sub(1)
    }

    /// The number of a named group.
    pub(crate) fn group_named(&self, name: &str) -> Option<usize> {
        self.part.capture_names().position(|known| known == Some(name))
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

impl PartialEq for JavaRegex {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

/// Java's POSIX class names; they stand for ASCII characters there.
const CLASSES: &[(&str, &str)] = &[
    ("Lower", "[a-z]"),
    ("Upper", "[A-Z]"),
    ("ASCII", r"[\x00-\x7F]"),
    ("Alpha", "[a-zA-Z]"),
    ("Digit", "[0-9]"),
    ("Alnum", "[a-zA-Z0-9]"),
    ("Punct", "[[:punct:]]"),
    ("Space", r"[ \t\n\x0B\f\r]"),
    ("XDigit", "[0-9a-fA-F]"),
];

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&fancy_regex::escape(literal));
            rest = after;
        } else if let Some((class, after)) = posix_class(rest) {
            out.push_str(class);
            rest = after;
        } else {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    out
}

fn posix_class(text: &str) -> Option<(&'static str, &str)> {
    let (name, after) = text.strip_prefix(r"\p{")?.split_once('}')?;
    CLASSES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, class)| (*class, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let cases = [
            ("a.*", "abc", true),
            ("a", "ab", false),
            ("b", "ab", false),
            ("a|b", "b", true),
            ("a|b", "bx", false),
            ("^(?!__).*", "__consumer_offsets", false),
            ("^(?!__).*", "orders", true),
            (r"\Qa.b\E.*", "a.bc", true),
            (r"\Qa.b\E.*", "axbc", false),
            (r"\p{Lower}+\d", "abc1", true),
            (r"[\p{Upper}_]+", "A_B", true),
            (r"(a)\1", "aa", true),
            (r"a++b", "aaab", true),
            (r"\\", r"\", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                JavaRegex::new(pattern).unwrap().matches(text),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn broken_patterns_are_refused_on_one_line() {
        for pattern in ["(", "[a", "a)(b", "*", "a{2"] {
            match JavaRegex::new(pattern) {
                Err(error) => assert!(!error.message().contains('\n'), "{error}"),
                Ok(_) => assert_eq!(pattern, "a{2"),
            }
        }
    }
}
