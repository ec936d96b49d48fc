//! What the machine must have before a build makes sense, and the one command that brings what is missing.
//!
//! librdkafka and OpenSSL are built from source with the features `ssl-vendored`, `libz-static` and `zstd`: that
//! takes a C compiler, make and perl, and neither cmake nor pkg-config.

use anyhow::{Result, bail};
use wharf_test_services::process::on_path;

/// One thing needed, and the programs that each satisfy it.
struct Need {
    what: &'static str,
    programs: &'static [&'static str],
    package: fn(System) -> &'static str,
}

/// Systems whose package manager is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Debian,
    Fedora,
    Alpine,
    MacOs,
    Unknown,
}

const NEEDS: [Need; 3] = [
    Need {
        what: "a C compiler (cc)",
        programs: &["cc"],
        package: |system| match system {
            System::Debian | System::Alpine => "build-base",
            System::Fedora => "gcc gcc-c++",
            System::MacOs | System::Unknown => "a C compiler",
        },
    },
    Need {
        what: "make",
        programs: &["make", "gmake"],
        package: |_| "make",
    },
    Need {
        what: "perl",
        programs: &["perl"],
        package: |_| "perl",
    },
];

/// Fails with the command that installs what is missing.
pub(crate) fn check() -> Result<()> {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = if cfg!(target_os = "macos") {
        System::MacOs
    } else {
        system_of(&os_release)
    };
    match advice(on_path, system, is_root()) {
        None => Ok(()),
        Some(advice) => bail!("{advice}"),
    }
}

/// Whose process this is; where /proc does not say, `sudo` in a command does no harm.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn system_of(os_release: &str) -> System {
    let ids: String = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .map(|value| format!(" {} ", value.trim_matches('"')))
        .collect();
    let is = |id: &str| ids.contains(&format!(" {id} "));
    if is("debian") || is("ubuntu") {
        System::Debian
    } else if is("fedora") || is("rhel") || is("centos") {
        System::Fedora
    } else if is("alpine") {
        System::Alpine
    } else {
        System::Unknown
    }
}

fn advice(has: impl Fn(&str) -> bool, system: System, root: bool) -> Option<String> {
    let missing: Vec<_> = NEEDS
        .iter()
        .filter(|need| !need.programs.iter().any(|p| has(p)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let what = missing
        .iter()
        .map(|need| need.what)
        .collect::<Vec<_>>()
        .join(", ");
    let packages = missing
        .iter()
        .map(|need| (need.package)(system))
        .collect::<Vec<_>>()
        .join(" ");
    let sudo = if root { "" } else { "sudo " };
    let command = match system {
        System::Debian => {
            // One package brings compiler and make; Debian calls it otherwise than Alpine.
            let packages = packages
                .replace("build-base make", "build-essential")
                .replace("build-base", "build-essential");
            format!("{sudo}apt-get update && {sudo}apt-get install -y {packages}")
        }
        System::Fedora => format!("{sudo}dnf install -y {packages}"),
        System::Alpine => format!("{sudo}apk add {packages} linux-headers"),
        System::MacOs => "xcode-select --install".to_owned(),
        System::Unknown => {
            return Some(format!(
                "building librdkafka and OpenSSL needs {what}, which this machine lacks; install it with your package \
                 manager"
            ));
        }
    };
    Some(format!(
        "building librdkafka and OpenSSL needs {what}, which this machine lacks; install it with:\n\n    {command}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_told_apart_by_id_and_by_kinship() {
        let cases = [
            ("ID=debian\n", System::Debian),
            (
                "NAME=x\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
                System::Debian,
            ),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", System::Fedora),
            ("ID=alpine\n", System::Alpine),
            ("ID=arch\n", System::Unknown),
            ("", System::Unknown),
        ];
        for (text, expected) in cases {
            assert_eq!(system_of(text), expected, "{text}");
        }
    }

    #[test]
    fn advice_is_one_command_for_exactly_what_is_missing() {
        let cases: [(&[&str], System, bool, &str); 5] = [
            (
                &[],
                System::Debian,
                true,
                "    apt-get update && apt-get install -y build-essential perl\n",
            ),
            (
                &["cc", "make"],
                System::Debian,
                false,
                "    sudo apt-get update && sudo apt-get install -y perl\n",
            ),
            (
                &["make", "perl"],
                System::Fedora,
                false,
                "    sudo dnf install -y gcc gcc-c++\n",
            ),
            (
                &["gmake", "perl"],
                System::Alpine,
                true,
                "    apk add build-base linux-headers\n",
            ),
            (&["make"], System::MacOs, false, "    xcode-select --install\n"),
        ];
        for (present, system, root, command) in cases {
            let text = advice(|p| present.contains(&p), system, root).unwrap();
            assert!(text.ends_with(command), "{text}");
        }
        assert_eq!(advice(|_| true, System::Unknown, false), None);
    }
}
