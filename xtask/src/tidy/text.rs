//! Rules for every text file: whitespace, and nothing that is true on one machine only.

use super::Finding;

/// Beginnings of absolute paths that exist on one person's machine; in halves, so that this file does not break its
/// own rule.
const PRIVATE_PATHS: [(&str, &str); 7] = [
    ("/wo", "rk/"),
    ("/fa", "rm/"),
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Use", "rs/"),
    ("/tmp/br", "ief"),
    ("/.lib", "rary"),
];

/// Formats in which a tab is part of the language.
const TABS_ALLOWED: [&str; 3] = ["Makefile", ".mk", ".tsv"];

/// Not written here and not read by anyone: the licence's text, lock files.
const LEFT_ALONE: [&str; 2] = ["LICENSE", "Cargo.lock"];

/// All rules for one file.
pub(super) fn check(file: &str, text: &str) -> Vec<Finding> {
    if LEFT_ALONE.iter().any(|name| file.ends_with(name)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let tabs_allowed = TABS_ALLOWED.iter().any(|end| file.ends_with(end));
    for (index, line) in text.split('\n').enumerate() {
        let mut found = |what: &str, remedy| findings.push(Finding::new(file, index + 1, what, remedy));
        if line.ends_with([' ', '\t', '\r']) {
            found("whitespace at the end of the line", "remove it");
        }
        if !tabs_allowed && line.trim_end().contains('\t') {
            found("a tab", "use blanks");
        }
        if let Some(path) = private_path(line) {
            found(
                &format!("`{path}` exists on one machine only"),
                "use a relative path, or an example that is nobody's",
            );
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::new(
            file,
            text.lines().count(),
            "no line end at the end of the file",
            "add one",
        ));
    }
    findings
}

/// A private path that begins in this line; one in the middle of another path does not count.
fn private_path(line: &str) -> Option<String> {
    PRIVATE_PATHS.iter().map(|(a, b)| format!("{a}{b}")).find(|path| {
        line.match_indices(path.as_str()).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            // Hidden folders count wherever they are; the others only as the beginning of a path.
            path.starts_with("/.")
                || !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(file: &str, text: &str) -> Vec<(usize, String)> {
        check(file, text).into_iter().map(|f| (f.line, f.what)).collect()
    }

    #[test]
    fn whitespace_that_nobody_sees_is_found() {
        let cases = [
            ("a.md", "clean\n", 0),
            ("a.md", "", 0),
            ("a.md", "end \n", 1),
            ("a.md", "dos\r\n", 1),
            ("a.rs", "\tx\n", 1),
            ("Makefile", "\tx\n", 0),
            ("a.md", "no end", 1),
            ("LICENSE", "end \n", 0),
        ];
        for (file, text, expected) in cases {
            assert_eq!(faults(file, text).len(), expected, "{file} {text:?}");
        }
    }

    #[test]
    fn paths_of_one_machine_are_found_where_a_path_begins() {
        for (a, b) in PRIVATE_PATHS {
            assert_eq!(faults("a.md", &format!("see {a}{b}x\n")).len(), 1, "{a}{b}");
        }
        let (a, b) = PRIVATE_PATHS[0];
        for fine in [
            format!("target{a}{b}x"),
            "/tmp/connect.offsets".to_owned(),
            "~/.cache".to_owned(),
        ] {
            assert_eq!(faults("a.md", &format!("{fine}\n")), [], "{fine}");
        }
    }
}
