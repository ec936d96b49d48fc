//! The machine that a run was made on, and the versions of what ran.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use wharf_test_services::bundle::KAFKA_VERSION;

use crate::rows::{About, Handling};

/// Standard output, else standard error, of a program; empty when it cannot be run.
fn says(program: &str, args: &[&str], folder: &Path) -> String {
    Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .map(|output| {
            let text = if output.stdout.is_empty() {
                output.stderr
            } else {
                output.stdout
            };
            String::from_utf8_lossy(&text).trim().to_owned()
        })
        .unwrap_or_default()
}

/// The value of the first line `key : value` of a text of such lines.
fn field<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

/// What git says of the tree; `None` where it is no git tree.
fn git(args: &[&str], root: &Path) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(root).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Load average of the last minute.
pub(crate) fn load() -> f64 {
    fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(0.0)
}

/// What a run was told to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) mode: &'static str,
    pub(crate) work: Handling,
    pub(crate) rounds: u32,
    pub(crate) records: u64,
}

/// Describes machine and run.
pub(crate) fn about(amount: Amount, root: &Path, wharf: &Path, remarks: Vec<String>) -> About {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let distribution = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or("Linux")
        .trim_matches('"')
        .to_owned();
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let kcat = says("kcat", &["-V"], root);
    let mut versions: BTreeMap<String, String> = [
        ("kafka", KAFKA_VERSION.to_owned()),
        (
            "wharf",
            first_line(says(&wharf.display().to_string(), &["--version"], root)),
        ),
        ("java", first_line(says("java", &["-version"], root))),
        ("rustc", first_line(says("rustc", &["--version"], root))),
        ("librdkafka", rdkafka::util::get_rdkafka_version().1),
        (
            "kcat",
            kcat.lines()
                .find(|line| line.starts_with("Version"))
                .and_then(|line| line.split(['(', ',']).next())
                .unwrap_or_default()
                .trim()
                .to_owned(),
        ),
    ]
    .map(|(name, version)| (name.to_owned(), version))
    .into();
    versions.retain(|_, version| !version.is_empty());
    About {
        mode: amount.mode.to_owned(),
        work: amount.work,
        date: says("date", &["-u", "+%Y-%m-%d"], root),
        commit: git(&["rev-parse", "--short=12", "HEAD"], root).unwrap_or_else(|| "unknown".to_owned()),
        changed_since_commit: git(&["status", "--porcelain"], root).is_none_or(|changes| !changes.is_empty()),
        processor: field(&processor, "model name").unwrap_or("unknown").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kibibytes.unwrap_or(0) * 1024,
        system: format!("{distribution}, Linux {}", says("uname", &["-r"], root)),
        versions,
        rounds: amount.rounds,
        records: amount.records,
        remarks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: A B\nMemTotal:  10 kB\n";
        assert_eq!(field(text, "model name"), Some("A B"));
        assert_eq!(field(text, "MemTotal"), Some("10 kB"));
        assert_eq!(field(text, "name"), None);
    }
}
