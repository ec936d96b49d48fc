//! The rule that `wharf-cluster` decides without clock, I/O, threads and chance: simulations play it thousands of times, and
//! two workers that saw the same must come to the same answer.
//!
//! It goes by the words that stand in the code. What another crate could hide is the dependency rule's business.

use super::{Finding, code};

/// Where it holds. Tests within it need no exception: they turn their clock by hand too.
const PLACE: &str = "crates/wharf-cluster/src/";

/// Modules of the standard library that reach out of the program, or ask it for what differs from run to run.
const MODULES: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "random", "thread"];

/// Not allowed however they are called: by a path, from a `use`, below an alias.
const WORDS: [&str; 6] = [
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "RandomState",
    "getrandom",
    "tokio",
];

/// All findings of one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    if !file.starts_with(PLACE) {
        return Vec::new();
    }
    let code = code::only(text);
    let tokens = tokens(&code);
    let words = tokens.iter().filter(|(_, token)| WORDS.contains(token));
    let mut found: Vec<_> = words.map(|(line, word)| (*line, (*word).to_owned())).collect();
    for (at, (_, token)) in tokens.iter().enumerate() {
        if *token == "std" {
            let modules = modules(&tokens[at + 1..]).into_iter();
            let forbidden = modules.filter(|(_, module)| MODULES.contains(module));
            found.extend(forbidden.map(|(line, module)| (line, format!("std::{module}"))));
        }
    }
    let finding = |(line, what): (usize, String)| {
        let remedy = "let the caller bring the time, chance and what was read";
        Finding::new(
            file,
            line,
            format!("`{what}` is not allowed in a pure crate"),
            remedy,
        )
    };
    found.into_iter().map(finding).collect()
}

/// Words and single signs, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for (line, mut rest) in (1..).zip(code.lines()) {
        while let Some(first) = rest.chars().next() {
            let end = match rest.find(|c: char| !is_word(c)) {
                _ if !is_word(first) => first.len_utf8(),
                found => found.unwrap_or(rest.len()),
            };
            let (token, after) = rest.split_at(end);
            tokens.extend((!first.is_whitespace()).then_some((line, token)));
            rest = after;
        }
    }
    tokens
}

/// The modules that are named right behind a `std`: one, or those of a group in braces.
fn modules<'a>(after: &[(usize, &'a str)]) -> Vec<(usize, &'a str)> {
    let [(_, ":"), (_, ":"), rest @ ..] = after else {
        return Vec::new();
    };
    let mut modules = Vec::new();
    let (mut depth, mut is_first) = (0, true);
    for (line, token) in rest {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => is_first |= depth == 1,
            module if is_first => {
                modules.push((*line, module));
                is_first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(usize, String)> {
        let findings = check("crates/wharf-cluster/src/member/x.rs", text);
        findings.into_iter().map(|f| (f.line, f.what)).collect()
    }

    #[test]
    fn what_decides_asks_nobody_for_time_chance_or_bytes() {
        for (code, found) in [
            ("use std::time::Instant;", vec!["Instant"]),
            ("use std::time::{Duration, SystemTime};", vec!["SystemTime"]),
            ("use std::time as t; t::Instant::now();", vec!["Instant"]),
            ("std::thread::spawn(f);", vec!["std::thread"]),
            ("let x = ::std :: net::TcpStream::connect(a);", vec!["std::net"]),
            ("use std::fs;", vec!["std::fs"]),
            ("use std::{fmt, io::{self, Read}};", vec!["std::io"]),
            ("use tokio::sync::watch;", vec!["tokio"]),
            (
                "use std::{collections::{BTreeMap, env}, process};",
                vec!["std::process"],
            ),
        ] {
            let expected: Vec<_> = found
                .iter()
                .map(|what| (1, format!("`{what}` is not allowed in a pure crate")))
                .collect();
            assert_eq!(faults(code), expected, "{code}");
        }
        assert_eq!(faults("use std::{\n    fmt,\n    env,\n};\n").len(), 1);
        assert_eq!(faults("use std::{\n    fmt,\n    env,\n};\n")[0].0, 3);
    }

    #[test]
    fn words_in_texts_other_names_and_other_places_are_free() {
        for code in [
            "// no std::fs and no Instant",
            "let s = \"std::thread\";",
            "use std::time::Duration;",
            "use std::{fmt, sync::Arc};",
            "std::mem::take(&mut io)",
            "use crate::{fs, net};",
            "use std::collections::{BTreeMap, BTreeSet};",
            "let env = std::cmp::max(a, b);",
        ] {
            assert_eq!(faults(code), [], "{code}");
        }
        assert_eq!(
            check("crates/wharf-runtime/src/x.rs", "use std::time::Instant;"),
            []
        );
        assert_eq!(check("crates/wharf-cluster/tests/x.rs", "use std::fs;"), []);
    }
}
