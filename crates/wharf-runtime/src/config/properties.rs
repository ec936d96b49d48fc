//! Reader of Java properties files, the form of worker files and connector files.
//!
//! Bytes are ISO-8859-1, as Java reads them; other characters are written `\uXXXX`. A file saved as UTF-8 therefore
//! shows each of its non-ASCII characters as two or more Latin-1 ones, here as there. `#` and `!` start a comment,
//! `=`, `:` or a blank separates key and value, a backslash at the end of a line continues it, and of repeated keys
//! the last wins.

use std::path::Path;

use wharf_api::{ConfigMap, ConnectError, Result};

/// Reads a properties file.
///
/// # Errors
///
/// The file cannot be read, or holds a malformed `\u` escape.
pub fn read_properties(path: &Path) -> Result<ConfigMap> {
    let bytes = std::fs::read(path)
        .map_err(|error| ConnectError::from(error).context(format!("cannot read {}", path.display())))?;
    parse_properties(&bytes).map_err(|error| error.context(format!("cannot read {}", path.display())))
}

/// Reads the content of a properties file.
///
/// # Errors
///
/// A `\u` that is not followed by four hexadecimal digits.
pub fn parse_properties(bytes: &[u8]) -> Result<ConfigMap> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    parse_properties_text(&text)
}

/// Reads properties that are text already, such as a file known to be UTF-8.
///
/// # Errors
///
/// A `\u` that is not followed by four hexadecimal digits.
pub fn parse_properties_text(text: &str) -> Result<ConfigMap> {
    logical_lines(text).iter().map(|line| entry(line)).collect()
}

/// Joins continued lines and drops comments and blank lines. Blanks at the start of each natural line are dropped.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current: Option<String> = None;
    for natural in text.replace("\r\n", "\n").split(['\n', '\r']) {
        let trimmed = natural.trim_start_matches(is_blank);
        if current.is_none() && (trimmed.is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        let mut line = current.take().unwrap_or_default();
        let continued = trimmed.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        line.push_str(if continued {
            &trimmed[..trimmed.len() - 1]
        } else {
            trimmed
        });
        if continued {
            current = Some(line);
        } else {
            lines.push(line);
        }
    }
    lines.extend(current.filter(|line| !line.is_empty()));
    lines
}

fn entry(line: &str) -> Result<(String, String)> {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(c));
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest
        .strip_prefix(['=', ':'])
        .unwrap_or(rest)
        .trim_start_matches(is_blank);
    Ok((unescape(key)?, unescape(rest)?))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn unescape(text: &str) -> Result<String> {
    // UTF-16 units, because `\u` escapes name these and a character above U+FFFF is written as two
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        let c = match (c, c == '\\') {
            (c, false) => c,
            (_, true) => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let unit = (digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                        .then(|| u16::from_str_radix(&digits, 16).ok())
                        .flatten()
                        .ok_or_else(|| {
                            ConnectError::config(format!(
                                "malformed escape \\u{digits}: write exactly four hexadecimal digits, \
                                 or a doubled backslash for a backslash"
                            ))
                        })?;
                    units.push(unit);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
                None => break,
            },
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: ConfigMap = expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(parse_properties(text.as_bytes()), Ok(expected), "{text:?}");
    }

    #[test]
    fn keys_and_values_are_separated_as_in_java() {
        check(
            "a=1\nb:2\nc 3\n  d  =  4  \r\ne\t:\t5\rf",
            &[
                ("a", "1"),
                ("b", "2"),
                ("c", "3"),
                ("d", "4  "),
                ("e", "5"),
                ("f", ""),
            ],
        );
        check("a==1\nb= =2\nc = : 3", &[("a", "=1"), ("b", "=2"), ("c", ": 3")]);
        check("=v", &[("", "v")]);
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        check(
            "# a=1\n ! b=2\n\n   \nc=3 # not a comment\n",
            &[("c", "3 # not a comment")],
        );
    }

    #[test]
    fn a_backslash_continues_a_line_and_drops_the_indent() {
        check(
            "a=1,\\\n   2,\\\r\n\t3\nb=x\\\\\nc=y",
            &[("a", "1,2,3"), ("b", "x\\"), ("c", "y")],
        );
        check("a=1\\\n# still a value", &[("a", "1# still a value")]);
        check("# comment \\\na=1", &[("a", "1")]);
        check("a=1\\", &[("a", "1")]);
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        check("a\\ b\\=c=C:\\\\dir\\tx\\n\\q", &[("a b=c", "C:\\dir\tx\nq")]);
        check("u=\\u00e9\\uD83D\\uDE00", &[("u", "é\u{1f600}")]);
    }

    #[test]
    fn a_malformed_escape_is_an_error() {
        for text in ["a=\\u00g1", "a=\\u12", "a=\\u+123"] {
            let error = parse_properties(text.as_bytes()).unwrap_err();
            assert!(error.message().starts_with("malformed escape \\u"), "{error}");
        }
    }

    #[test]
    fn the_last_of_repeated_keys_wins() {
        check("a=1\na=2", &[("a", "2")]);
    }

    #[test]
    fn bytes_are_latin_1() {
        let parsed = parse_properties(b"a=\xe9").unwrap();
        assert_eq!(parsed["a"], "é");
        assert_eq!(parse_properties("a=é".as_bytes()).unwrap()["a"], "Ã©");
        assert_eq!(parse_properties_text("a=é").unwrap()["a"], "é");
    }
}
