//! Headers that an operator adds to every answer: the rules of `response.http.headers.config`.
//!
//! Upstream checks the rules by itself and then has Jetty's filter read them. Both are strict in their own way, and both count: what
//! the filter could not read is refused here with the rest, where upstream ends with an exception of Java's.

use wharf_api::config::{ParsedValue, Validator};
use wharf_api::{ConnectError, Result};

pub(super) const RESPONSE_HEADERS: &str = "response.http.headers.config";

/// One rule: a header, and how it gets into an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    /// Its name, which HTTP allows.
    pub name: String,
    /// Its value.
    pub value: HeaderRuleValue,
    /// Whether a header of the same name stays beside it.
    pub adds: bool,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderRuleValue {
    /// This text.
    Text(String),
    /// The time of the answer, and so many milliseconds later.
    Date(i64),
}

const ACTIONS: [&str; 4] = ["set", "add", "setDate", "addDate"];

impl HeaderRule {
    /// Reads the rules of the key.
    ///
    /// # Errors
    /// The first rule that is none.
    pub(super) fn read_all(text: &str) -> Result<Vec<Self>> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        csv_split(text).iter().map(|rule| Self::read(rule)).collect()
    }

    fn read(rule: &str) -> Result<Self> {
        let mistake = |message: String| Err(ConnectError::config(format!("{RESPONSE_HEADERS}: {message}")));
        let Some((action, header)) = rule.trim().split_once(char::is_whitespace) else {
            return mistake(format!(
                "Invalid format of header config '{rule}'. Expected: '[action] [header name]:[header value]'"
            ));
        };
        if !ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(action)) {
            return mistake(format!(
                "Invalid header config action: '{action}'. Expected one of [{}]",
                ACTIONS.join(", ")
            ));
        }
        let header = header.trim();
        let (name, value) = match header.split_once(':') {
            Some((name, value)) if is_one_value(value) => (name.trim(), value.trim()),
            _ => {
                return mistake(format!(
                    "Invalid format of header name and header value pair '{header}'. Expected: '[header name]:[header value]'"
                ));
            }
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return mistake(format!(
                "Invalid header name '{name}'. The '[header name]' cannot contain whitespace"
            ));
        }
        if let Some(odd) = name.chars().find(|&c| !is_token_char(c)) {
            return mistake(format!(
                "Invalid header name '{name}'. HTTP does not allow '{odd}' in it"
            ));
        }
        // Jetty's filter looks for these words in this case only: `ADD` sets, and `setdate` sets a text.
        let value = if action.ends_with("Date") {
            match value.parse() {
                Ok(offset) => HeaderRuleValue::Date(offset),
                Err(_) => {
                    return mistake(format!(
                        "Invalid value '{value}' of {name}. {action} takes the milliseconds between now and the date"
                    ));
                }
            }
        } else {
            HeaderRuleValue::Text(value.to_owned())
        };
        Ok(Self {
            name: name.to_owned(),
            value,
            adds: action.starts_with("add"),
        })
    }
}

/// The check of the key, with upstream's text for listings.
pub(super) fn validator() -> Validator {
    Validator::custom(
        "Comma-separated header rules, where each header rule is of the form '[action] [header name]:[header value]' and \
         optionally surrounded by double quotes if any part of a header rule contains a comma",
        |_, value| match value {
            ParsedValue::String(text) => HeaderRule::read_all(text).map(|_| ()),
            _ => Ok(()),
        },
    )
}

/// Not empty and without a colon, those at its end aside.
fn is_one_value(value: &str) -> bool {
    let value = value.trim_end_matches(':');
    !value.is_empty() && !value.contains(':')
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// The items of a list, as Jetty splits them: blanks around them are dropped unless they are in quotes, where `\` makes the next
/// character an ordinary one. Nothing after the last comma is no item.
fn csv_split(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut item = String::new();
            let mut chars = quoted.chars();
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => item.extend(chars.next()),
                    other => item.push(other),
                }
            }
            items.push(item);
            // whatever stands between the quotes and the comma is passed over
            rest = chars.as_str().split_once(',').map_or("", |(_, after)| after);
        } else {
            let (item, after) = rest.split_once(',').unwrap_or((rest, ""));
            items.push(item.trim().to_owned());
            rest = after;
        }
        rest = rest.trim_start();
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str, adds: bool) -> HeaderRule {
        HeaderRule {
            name: name.to_owned(),
            value: HeaderRuleValue::Text(value.to_owned()),
            adds,
        }
    }

    #[test]
    fn lists_are_split_as_jetty_splits_them() {
        let cases: [(&str, &[&str]); 8] = [
            ("a, b c ,d", &["a", "b c", "d"]),
            ("a,,b", &["a", "", "b"]),
            ("a,", &["a"]),
            (" , ", &[""]),
            (r#""a, b" x, c"#, &["a, b", "c"]),
            (r#""a \"b\" \\""#, &[r#"a "b" \"#]),
            (r#""a, b"#, &["a, b"]),
            (r#"a "b, c""#, &[r#"a "b"#, r#"c""#]),
        ];
        for (list, items) in cases {
            assert_eq!(csv_split(list), items, "{list}");
        }
    }

    #[test]
    fn rules_are_read_in_all_their_forms() {
        let rules = r#"set X-A: b, add  X-B:c , ADD X-C:d::, setdate X-D: 5, addDate X-E: -1, setDate Expires: 9,
            "add Strict-Transport-Security: max-age=1, includeSubDomains","#;
        let date = |name: &str, offset, adds| HeaderRule {
            name: name.to_owned(),
            value: HeaderRuleValue::Date(offset),
            adds,
        };
        assert_eq!(
            HeaderRule::read_all(rules).unwrap(),
            [
                text("X-A", "b", false),
                text("X-B", "c", true),
                text("X-C", "d::", false),
                text("X-D", "5", false),
                date("X-E", -1, true),
                date("Expires", 9, false),
                text("Strict-Transport-Security", "max-age=1, includeSubDomains", true),
            ]
        );
        assert_eq!(HeaderRule::read_all(" "), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_rule_is_told_as_upstream_tells_it() {
        let pair = "Invalid format of header name and header value pair";
        let cases = [
            (
                "add X-A",
                format!("{pair} 'X-A'. Expected: '[header name]:[header value]'"),
            ),
            (
                "set X-A:",
                format!("{pair} 'X-A:'. Expected: '[header name]:[header value]'"),
            ),
            (
                "set X-A::",
                format!("{pair} 'X-A::'. Expected: '[header name]:[header value]'"),
            ),
            (
                "set X-A: b:c",
                format!("{pair} 'X-A: b:c'. Expected: '[header name]:[header value]'"),
            ),
            (
                "sat X-A: b",
                "Invalid header config action: 'sat'. Expected one of [set, add, setDate, addDate]"
                    .to_owned(),
            ),
            (
                "set X A: b",
                "Invalid header name 'X A'. The '[header name]' cannot contain whitespace".to_owned(),
            ),
            (
                "set :b",
                "Invalid header name ''. The '[header name]' cannot contain whitespace".to_owned(),
            ),
            (
                "set X-A: b,,set X-B: c",
                "Invalid format of header config ''. Expected: '[action] [header name]:[header value]'"
                    .to_owned(),
            ),
            (
                "set X-A: b, set",
                "Invalid format of header config 'set'. Expected: '[action] [header name]:[header value]'"
                    .to_owned(),
            ),
            (
                "set X(A: b",
                "Invalid header name 'X(A'. HTTP does not allow '(' in it".to_owned(),
            ),
            (
                "setDate X-A: soon",
                "Invalid value 'soon' of X-A. setDate takes the milliseconds between now and the date"
                    .to_owned(),
            ),
        ];
        for (rules, message) in cases {
            let error = HeaderRule::read_all(rules).unwrap_err();
            assert_eq!(
                error.message(),
                format!("{RESPONSE_HEADERS}: {message}"),
                "{rules}"
            );
        }
    }
}
