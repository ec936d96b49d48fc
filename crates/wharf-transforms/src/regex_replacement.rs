//! Java's replacement texts: `$1`, `${name}`, and a backslash before any character that stands for itself.
//!
//! Upstream finds a mistake in such a text only when a topic matches, so a mistake is kept here until then.

use fancy_regex::Captures;
use wharf_api::{ConnectError, Result};

use crate::JavaRegex;

const ILLEGAL_ARGUMENT: &str = "java.lang.IllegalArgumentException";
const INDEX_OUT_OF_BOUNDS: &str = "java.lang.IndexOutOfBoundsException";

/// A replacement text for one regular expression.
#[derive(Debug)]
pub struct Replacement(Result<Vec<Part>>);

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement text; the expression says which groups there are.
    pub fn new(text: &str, regex: &JavaRegex) -> Self {
        Self(parse(text, regex))
    }

    /// The text with this match replaced.
    pub(crate) fn expand(&self, text: &str, found: &Captures<'_, str>) -> Result<String> {
        let parts = self.0.as_ref().map_err(Clone::clone)?;
        let Some(whole) = found.get(0) else {
            return Ok(text.to_owned());
        };
        let mut out = text[..whole.start()].to_owned();
        for part in parts {
            match part {
                Part::Text(literal) => out.push_str(literal),
                // a group that took no part in the match stands for nothing
                Part::Group(number) => out.push_str(found.get(*number).map_or("", |group| group.as_str())),
            }
        }
        out.push_str(&text[whole.end()..]);
        Ok(out)
    }
}

fn illegal(message: impl Into<String>) -> ConnectError {
    ConnectError::connect(message).with_class(ILLEGAL_ARGUMENT)
}

fn parse(text: &str, regex: &JavaRegex) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => literal.push(
                rest.next()
                    .ok_or_else(|| illegal("character to be escaped is missing"))?,
            ),
            '$' => {
                let (group, after) = reference(rest.as_str(), regex)?;
                rest = after.chars();
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Group(group));
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// The group that is meant by what follows a dollar sign, and what follows it.
fn reference<'t>(text: &'t str, regex: &JavaRegex) -> Result<(usize, &'t str)> {
    let groups = regex.group_count();
    let first = text
        .chars()
        .next()
        .ok_or_else(|| illegal("Illegal group reference: group index is missing"))?;
    if first == '{' {
        return named(&text[1..], regex);
    }
    let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    let mut bytes = text.bytes();
    let mut group = bytes
        .next()
        .and_then(digit)
        .ok_or_else(|| illegal("Illegal group reference"))?;
    if group > groups {
        return Err(ConnectError::connect(format!("No group {group}")).with_class(INDEX_OUT_OF_BOUNDS));
    }
    let mut length = 1;
    // as many digits as still name a group
    for next in bytes.map_while(digit) {
        let longer = group * 10 + next;
        if longer > groups {
            break;
        }
        group = longer;
        length += 1;
    }
    Ok((group, &text[length..]))
}

fn named<'t>(text: &'t str, regex: &JavaRegex) -> Result<(usize, &'t str)> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() {
        return Err(illegal("named capturing group has 0 length name"));
    }
    let after = after
        .strip_prefix('}')
        .ok_or_else(|| illegal("named capturing group is missing trailing '}'"))?;
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(illegal(format!(
            "capturing group name {{{name}}} starts with digit character"
        )));
    }
    match regex.group_named(name) {
        Some(group) => Ok((group, after)),
        None => Err(illegal(format!("No group with name {{{name}}}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(regex: &str, replacement: &str, text: &str) -> Result<String, String> {
        let regex = JavaRegex::new(regex).unwrap();
        regex
            .replace_first(text, &Replacement::new(replacement, &regex))
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn references_and_escapes_are_java_s() {
        for (regex, replacement, text, expected) in [
            ("foo", "bar", "foo", "bar"),
            ("(.*)", "prefix-$1", "orig", "prefix-orig"),
            ("(.*)", "$1-suffix", "orig", "orig-suffix"),
            (r"(.*)-(\d{8})", "$1", "index-20160117", "index"),
            ("(?<n>.*)", "x-${n}", "t", "x-t"),
            (".*", "$0$0", "t", "tt"),
            ("(a)?b", "$1x", "b", "x"),
            (".*", "", "t", ""),
            ("(.*)", r"\$1\\", "t", r"$1\"),
            ("(t)", "$12", "t", "t2"),
            ("a|ab", "x", "ab", "xb"),
            ("", "x", "", "x"),
        ] {
            assert_eq!(
                replaced(regex, replacement, text).as_deref(),
                Ok(expected),
                "{regex} {replacement}"
            );
        }
    }

    #[test]
    fn mistakes_are_told_when_the_text_is_used() {
        for (regex, replacement, message) in [
            ("(.*)", "$2", "No group 2"),
            ("(.*)", "a$", "Illegal group reference: group index is missing"),
            ("(.*)", "$x", "Illegal group reference"),
            ("(.*)", "$é", "Illegal group reference"),
            ("(.*)", "a\\", "character to be escaped is missing"),
            ("(.*)", "${", "named capturing group has 0 length name"),
            ("(.*)", "${}", "named capturing group has 0 length name"),
            ("(.*)", "${a", "named capturing group is missing trailing '}'"),
            (
                "(.*)",
                "${1a}",
                "capturing group name {1a} starts with digit character",
            ),
            ("(.*)", "${a}", "No group with name {a}"),
        ] {
            assert_eq!(replaced(regex, replacement, "t"), Err(message.to_owned()));
        }
    }
}
