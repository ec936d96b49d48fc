//! The form of references: `${provider:path:key}` and `${provider:key}`, anywhere in a value, as often as one likes.
//!
//! Upstream's pattern, read by hand: from `${` to the next `}`, split at the first two colons. There is no escaping, and what
//! a provider answers is not looked through again.

use wharf_api::ConfigMap;

/// One reference, and where it stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference<'t> {
    /// The provider's name.
    pub(super) provider: &'t str,
    /// The path; empty where there is none.
    pub(super) path: &'t str,
    /// The key.
    pub(super) key: &'t str,
    /// From the dollar sign on.
    pub(super) start: usize,
    /// Behind the closing brace.
    pub(super) end: usize,
}

/// The references of a text, in order.
pub(super) fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text.get(from..)?.find("${")?;
            let inside_at = start + 2;
            let inside = &text[inside_at..];
            // without a closing brace there is none behind it either
            let inside = &inside[..inside.find('}')?];
            let Some((provider, rest)) = inside.split_once(':') else {
                from = inside_at;
                continue;
            };
            let (path, key) = rest.split_once(':').unwrap_or(("", rest));
            let end = inside_at + inside.len() + 1;
            from = end;
            return Some(Reference {
                provider,
                path,
                key,
                start,
                end,
            });
        }
    })
}

/// Whether a value refers to a config provider, known or not.
#[must_use]
pub fn has_reference(value: &str) -> bool {
    references(value).next().is_some()
}

/// Puts references back where values stand: every key whose value in the connector's configuration, as it was given, has a
/// reference gets that value in the task's configuration, if it is there.
pub fn restore_references(given: &ConfigMap, task: &mut ConfigMap) {
    for (key, value) in task {
        if let Some(given) = given.get(key).filter(|given| has_reference(given)) {
            value.clone_from(given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_upstreams_pattern_finds_them() {
        type References = &'static [(&'static str, &'static str, &'static str)];
        let cases: &[(&str, References)] = &[
            ("${t:p:k}", &[("t", "p", "k")]),
            ("${t:k}", &[("t", "", "k")]),
            ("${t::k}", &[("t", "", "k")]),
            ("x${t:p:k}y${t:q:j}z", &[("t", "p", "k"), ("t", "q", "j")]),
            ("${t:p:}", &[("t", "p", "")]),
            ("${t:a:b:c}", &[("t", "a", "b:c")]),
            ("${t:C:/x:k}", &[("t", "C", "/x:k")]),
            ("${t: k }", &[("t", "", " k ")]),
            ("$${t:k}", &[("t", "", "k")]),
            ("\\${t:k}", &[("t", "", "k")]),
            ("${ t:k}", &[(" t", "", "k")]),
            ("${${t:k}}", &[("${t", "", "k")]),
            ("${a} ${t:k}", &[("t", "", "k")]),
            ("${t:a\nb}", &[("t", "", "a\nb")]),
            ("${:}", &[("", "", "")]),
            ("${t}", &[]),
            ("${t:k", &[]),
            ("$t:k}", &[]),
            ("ü${t:k}ü", &[("t", "", "k")]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<_> = references(text)
                .map(|found| (found.provider, found.path, found.key))
                .collect();
            assert_eq!(found, *expected, "{text}");
            assert_eq!(has_reference(text), !expected.is_empty(), "{text}");
        }
        let found = references("ü${t:k}x").next().unwrap();
        assert_eq!(&"ü${t:k}x"[found.start..found.end], "${t:k}");
    }

    #[test]
    fn references_stand_in_task_configurations_again() {
        let map = |entries: &[(&str, &str)]| -> ConfigMap {
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let given = map(&[("password", "x${f:p:k}"), ("url", "u"), ("unused", "${f:p:j}")]);
        let mut task = map(&[("password", "xsecret"), ("url", "other"), ("task", "1")]);
        restore_references(&given, &mut task);
        assert_eq!(
            task,
            map(&[("password", "x${f:p:k}"), ("url", "other"), ("task", "1")])
        );
    }
}
