//! Names that Avro takes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Java's `URLEncoder` leaves as it is; a blank becomes `+`.
const URL_ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'*')
    .remove(b'_');

/// A name in which every character that Avro does not take is replaced: URL-encoded first, then `_` for what is still
/// not a letter, digit or `_`. A digit at the beginning gets an `x` before it.
pub(crate) fn scrub_name(name: &str, scrub: bool) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_good = !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_plain);
    if !scrub || is_good || name.is_empty() {
        return name.to_owned();
    }
    let mut encoded = utf8_percent_encode(name, URL_ENCODED)
        .to_string()
        .replace("%20", "+");
    if encoded.starts_with(|c: char| c.is_ascii_digit()) {
        encoded.insert(0, 'x');
    }
    encoded
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect()
}

/// Namespace and name of a full name, each part scrubbed.
pub(crate) fn split_name(full: &str, scrub: bool) -> (Option<String>, String) {
    let parts: Vec<String> = full
        .trim_end_matches('.')
        .split('.')
        .map(|part| scrub_name(part, scrub))
        .collect();
    match parts.split_last() {
        Some((name, namespace)) if !namespace.is_empty() => (Some(namespace.join(".")), name.clone()),
        _ => (None, parts.concat()),
    }
}

/// A full name, each part scrubbed.
pub(crate) fn scrub_full_name(full: &str, scrub: bool) -> String {
    if !scrub {
        return full.to_owned();
    }
    match split_name(full, true) {
        (Some(namespace), name) => format!("{namespace}.{name}"),
        (None, name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_scrubbed_as_upstream_does() {
        for (name, expected) in [
            ("good_1", "good_1"),
            ("1a", "x1a"),
            ("a-b", "a_b"),
            ("a b", "a_b"),
            ("a.b", "a_b"),
            ("é", "_C3_A9"),
            ("a/b", "a_2Fb"),
            ("", ""),
        ] {
            assert_eq!(scrub_name(name, true), expected);
            assert_eq!(scrub_name(name, false), name);
        }
        assert_eq!(scrub_full_name("1.b-c.d", true), "x1.b_c.d");
        assert_eq!(
            split_name("a.b.C", false),
            (Some("a.b".to_owned()), "C".to_owned())
        );
        assert_eq!(split_name("C", false), (None, "C".to_owned()));
    }
}
