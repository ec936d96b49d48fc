//! Every dependency must be under a licence that an Apache-2.0 project may ship.

use serde_json::Value;

use super::Finding;

/// Licences without conditions beyond notice, and the weak copyleft ones that a library may stay under.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that name a file instead of a licence, each with what that file is.
const READ_BY_HAND: [(&str, &str); 0] = [];

/// Checks the output of `cargo metadata`.
pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let remedy = "use another crate, or allow the licence in xtask/src/tidy/licences.rs after reading it";
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|package| {
            let name = package["name"].as_str().unwrap_or_default();
            let licence = package["license"].as_str().unwrap_or_default();
            let known = READ_BY_HAND.iter().any(|(crate_name, _)| *crate_name == name);
            let version = package["version"].as_str().unwrap_or_default();
            let what = format!("{name} {version} is under `{licence}`, which is not on the list");
            (!known && !allows(licence)).then(|| Finding::new("Cargo.lock", 0, what, remedy))
        })
        .collect()
}

/// Whether an SPDX expression can be satisfied with allowed licences; a slash is the old way to write OR.
fn allows(expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let tokens: Vec<_> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    let ok = any(&mut rest);
    ok == Some(true) && rest.is_empty()
}

/// `a OR b`: the operands of both are always read, so that what follows is found. `None` is a malformed expression.
fn any(rest: &mut &[&str]) -> Option<bool> {
    let mut ok = all(rest)?;
    while let Some(("OR", tail)) = rest.split_first().map(|(head, tail)| (*head, tail)) {
        *rest = tail;
        ok |= all(rest)?;
    }
    Some(ok)
}

fn all(rest: &mut &[&str]) -> Option<bool> {
    let mut ok = one(rest)?;
    while let Some(("AND", tail)) = rest.split_first().map(|(head, tail)| (*head, tail)) {
        *rest = tail;
        ok &= one(rest)?;
    }
    Some(ok)
}

fn one(rest: &mut &[&str]) -> Option<bool> {
    let (head, tail) = rest.split_first()?;
    *rest = tail;
    match *head {
        "(" => {
            let ok = any(rest)?;
            let (close, tail) = rest.split_first()?;
            *rest = tail;
            (*close == ")").then_some(ok)
        }
        ")" | "AND" | "OR" | "WITH" => None,
        licence => match rest {
            ["WITH", exception, tail @ ..] => {
                *rest = tail;
                Some(ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()))
            }
            _ => Some(ALLOWED.contains(&licence)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let cases = [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(GPL-3.0-only OR AGPL-3.0-only) AND MIT", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("GPL-3.0-only OR MIT AND ISC", true),
            ("", false),
            ("MIT OR", false),
            ("(MIT", false),
            ("MIT MIT", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(allows(expression), expected, "{expression}");
        }
    }

    #[test]
    fn a_crate_without_a_licence_is_found_by_name() {
        let metadata = json!({"packages": [
            {"name": "good", "version": "1.0.0", "license": "MIT"},
            {"name": "bare", "version": "2.0.0", "license": null},
        ]});
        let findings = check(&metadata);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("bare 2.0.0"), "{findings:?}");
    }
}
