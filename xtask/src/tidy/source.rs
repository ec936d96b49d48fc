//! Rules for Rust files.

use super::{Finding, code};

/// A file longer than this is two files.
const MAX_LINES: usize = 600;

/// Files that may be longer, each with the reason.
const LONG_FILES: [(&str, &str); 1] = [(
    "tests/oracle/src/cases/transform.rs",
    "one table of cases, a section for each class",
)];

/// The only places where `unsafe` may stand: the border, the loader of plugins, the calls into librdkafka, the
/// allocators of tests and benchmarks.
const UNSAFE_PLACES: [&str; 7] = [
    "crates/wharf-abi/",
    "crates/wharf-runtime/src/plugins/loader.rs",
    "crates/wharf-kafka/src/native/",
    "crates/wharf/src/broker_wait.rs",
    "tests/plugins/fixtures/src/checked_allocator.rs",
    "tests/services/src/heap.rs",
    "tests/bench/src/bare/native.rs",
];

/// What may not appear in code, as it looks without blanks, and what to do instead.
const FORBIDDEN: [(&str, &str); 3] = [
    (
        "#[ignore",
        "make the test run everywhere, or let it ask for its service",
    ),
    ("dbg!(", "remove it, or log with `tracing`"),
    ("todo!(", "write it, or leave the feature out"),
];

/// All rules for one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(opening(file, text));
    findings.extend(length(file, text));
    let code = code::only(text);
    for (index, line) in code.lines().enumerate() {
        let dense: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        for (word, remedy) in FORBIDDEN {
            if dense.contains(word) {
                findings.push(Finding::new(
                    file,
                    index + 1,
                    format!("`{word}` is not allowed"),
                    remedy,
                ));
            }
        }
    }
    findings.extend(unsafety(file, &code));
    findings
}

/// One finding for a whole file: who wrote the first one knows of the others.
fn unsafety(file: &str, code: &str) -> Option<Finding> {
    if UNSAFE_PLACES.iter().any(|place| file.starts_with(place)) {
        return None;
    }
    let lines: Vec<_> = (1..)
        .zip(code.lines())
        .filter(|(_, line)| has_word(line, "unsafe"))
        .collect();
    let (first, _) = lines.first()?;
    let what = format!("`unsafe` is not allowed here ({} lines have it)", lines.len());
    Some(Finding::new(
        file,
        *first,
        what,
        "move it behind a safe function of one of the modules named for it",
    ))
}

fn opening(file: &str, text: &str) -> Option<Finding> {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let opens = first.is_some_and(|line| {
        line.strip_prefix("//!")
            .is_some_and(|rest| !rest.trim().is_empty())
    });
    let remedy = "open with `//!`: what the module is for and what must stay true";
    (!opens).then(|| Finding::new(file, 1, "the module does not say what it is for", remedy))
}

fn length(file: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let allowed = LONG_FILES.iter().any(|(path, _)| *path == file);
    let remedy = "split it, or list it with a reason in xtask/src/tidy/source.rs";
    (lines > MAX_LINES && !allowed)
        .then(|| Finding::new(file, 0, format!("{lines} lines, more than {MAX_LINES}"), remedy))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(file: &str, text: &str) -> Vec<(usize, String)> {
        check(file, text).into_iter().map(|f| (f.line, f.what)).collect()
    }

    #[test]
    fn a_module_says_first_what_it_is_for() {
        assert_eq!(faults("a.rs", "//! For this.\nfn f() {}\n"), []);
        for text in [
            "fn f() {}\n",
            "// no\n",
            "//!\nfn f() {}\n",
            "",
            "use x;\n//! Late.\n",
        ] {
            assert_eq!(faults("a.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn forbidden_words_are_found_in_code_only() {
        let text = "//! A file about dbg!( and unsafe.\nlet s = \"#[ignore]\"; // todo!()\n# [ ignore = \"x\" ]\ndbg!(1);\n";
        let lines: Vec<_> = faults("a.rs", text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn unsafe_stays_where_it_is_allowed() {
        let text = "//! X.\nunsafe { f() }\n";
        assert_eq!(faults("crates/wharf-abi/src/x.rs", text), []);
        assert_eq!(faults("crates/wharf-kafka/src/native/mod.rs", text), []);
        assert_eq!(faults("crates/wharf-kafka/src/other.rs", text).len(), 1);
        assert_eq!(faults("a.rs", "//! X.\n#![deny(unsafe_code)]\n"), []);
    }

    #[test]
    fn long_files_are_found() {
        let text = |lines: usize| format!("//! X.\n{}", "fn f() {}\n".repeat(lines - 1));
        assert_eq!(faults("a.rs", &text(MAX_LINES)), []);
        assert_eq!(faults("a.rs", &text(MAX_LINES + 1)).len(), 1);
    }
}
