//! Rules for the tree as a whole: what must be there, and what must not.

use super::Finding;

/// Endings of what a build makes or a registry serves.
const BUILD_OUTPUTS: [&str; 14] = [
    ".jar", ".class", ".so", ".dylib", ".dll", ".a", ".o", ".rlib", ".rmeta", ".exe", ".tar.gz", ".tgz",
    ".zip", ".pyc",
];

/// The first two commands that a newcomer shall see.
const FIRST_COMMANDS: [&str; 2] = ["cargo xtask demo", "cargo xtask test"];

/// All rules; `read` gives the text of a file of the tree.
pub(super) fn check(files: &[String], read: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings: Vec<_> = files.iter().filter_map(|file| build_output(file)).collect();
    match read("README.md") {
        None => findings.push(Finding::new(
            "README.md",
            0,
            "missing",
            "write what Wharf is and how to try it",
        )),
        Some(text) => findings.extend(first_commands(&text)),
    }
    for (file, remedy) in [
        ("CHANGELOG.md", "start it with an `Unreleased` section"),
        (
            "ARCHITECTURE.md",
            "describe the crates and what each must not know",
        ),
        ("LICENSE", "add the text of Apache-2.0"),
    ] {
        if !files.iter().any(|path| path == file) {
            findings.push(Finding::new(file, 0, "missing", remedy));
        }
    }
    findings
}

fn build_output(file: &str) -> Option<Finding> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let built =
        BUILD_OUTPUTS.iter().any(|end| name.ends_with(end)) || file.split('/').any(|part| part == "target");
    built.then(|| {
        Finding::new(
            file,
            0,
            "a build output in the tree",
            "remove it from git and make it when needed",
        )
    })
}

fn first_commands(readme: &str) -> Option<Finding> {
    let mut fenced = false;
    let commands: Vec<_> = readme
        .lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            fenced && !fence
        })
        .map(|line| {
            line.trim()
                .trim_start_matches("$ ")
                .split(" #")
                .next()
                .unwrap_or_default()
                .trim()
        })
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .take(FIRST_COMMANDS.len())
        .collect();
    let remedy = "let the first code block start with `cargo xtask demo` and `cargo xtask test`";
    (commands != FIRST_COMMANDS).then(|| {
        Finding::new(
            "README.md",
            0,
            format!("the first commands are `{}`", commands.join("`, `")),
            remedy,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_starts_with_the_two_commands() {
        let good = "# Wharf\n\n```sh\n# try it\n$ cargo xtask demo   # a minute\ncargo xtask test\n```\n";
        assert_eq!(first_commands(good), None);
        for bad in [
            "",
            "cargo xtask demo\ncargo xtask test\n",
            "```\ncargo build\ncargo xtask demo\n```\n",
        ] {
            assert!(first_commands(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn build_outputs_are_found_by_name_and_by_place() {
        for bad in [
            "a/libwharf_x.so",
            "x.jar",
            "plugins/target/x.txt",
            "dist/wharf.tar.gz",
        ] {
            assert!(build_output(bad).is_some(), "{bad}");
        }
        for good in ["src/a.rs", "docs/targets.md", "config/x.properties", "so"] {
            assert_eq!(build_output(good), None, "{good}");
        }
    }

    #[test]
    fn what_a_tree_must_have_is_missed() {
        let all = ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "LICENSE"].map(str::to_owned);
        let readme = |_: &str| Some("```\ncargo xtask demo\ncargo xtask test\n```\n".to_owned());
        assert_eq!(check(&all, readme), []);
        assert_eq!(check(&all[..1], readme).len(), 3);
        assert_eq!(check(&all, |_| None).len(), 1);
    }
}
