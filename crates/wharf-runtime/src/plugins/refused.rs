//! Why a plugin library is not used: a stable code and one line for the operator.

use std::fmt;
use std::path::{Path, PathBuf};

/// The kinds of reasons. Their codes are stable and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The file cannot be read.
    Unreadable,
    /// The file is no shared library at all.
    NotALibrary,
    /// The file is shorter than it says it is.
    Truncated,
    /// The library was built for another machine.
    WrongMachine,
    /// The library is none of ours.
    NotAPlugin,
    /// The manifest is damaged, or the library's code says something else than its file.
    BadManifest,
    /// The interface version does not fit.
    WrongInterface,
    /// A panic in it would end the worker.
    PanicAbort,
    /// The system's loader refused it, most often for want of another library.
    NotLoadable,
    /// Its tables of functions are not those of the interface it names.
    WrongLayout,
    /// Its initialiser failed.
    InitFailed,
    /// It offers a class in a version that another library offers already.
    Duplicate,
    /// Loading it ended the process that tried.
    Crashed,
}

impl Refusal {
    const ALL: [Self; 13] = [
        Self::Unreadable,
        Self::NotALibrary,
        Self::Truncated,
        Self::WrongMachine,
        Self::NotAPlugin,
        Self::BadManifest,
        Self::WrongInterface,
        Self::PanicAbort,
        Self::NotLoadable,
        Self::WrongLayout,
        Self::InitFailed,
        Self::Duplicate,
        Self::Crashed,
    ];

    /// The code that logs and `wharf plugin verify` show.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "WHARF-PLUGIN-001",
            Self::NotALibrary => "WHARF-PLUGIN-002",
            Self::Truncated => "WHARF-PLUGIN-003",
            Self::WrongMachine => "WHARF-PLUGIN-004",
            Self::NotAPlugin => "WHARF-PLUGIN-005",
            Self::BadManifest => "WHARF-PLUGIN-006",
            Self::WrongInterface => "WHARF-PLUGIN-007",
            Self::PanicAbort => "WHARF-PLUGIN-008",
            Self::NotLoadable => "WHARF-PLUGIN-009",
            Self::WrongLayout => "WHARF-PLUGIN-010",
            Self::InitFailed => "WHARF-PLUGIN-011",
            Self::Duplicate => "WHARF-PLUGIN-012",
            Self::Crashed => "WHARF-PLUGIN-013",
        }
    }

    /// The kind with this [`code`](Self::code).
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A library that is not used. Shown as one line: code, file, reason and remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPlugin {
    /// The file.
    pub path: PathBuf,
    /// The kind of reason.
    pub code: Refusal,
    /// Reason and remedy, without line breaks.
    pub reason: String,
}

impl RefusedPlugin {
    /// A refusal. Line breaks in the reason become blanks.
    #[must_use]
    pub fn new(path: &Path, code: Refusal, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref().split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            path: path.to_owned(),
            code,
            reason,
        }
    }
}

impl fmt::Display for RefusedPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.path.display(), self.reason)
    }
}

impl std::error::Error for RefusedPlugin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_of_code_file_and_reason() {
        let refused = RefusedPlugin::new(
            Path::new("/p/a.so"),
            Refusal::NotLoadable,
            "libx.so:\n\tnot found\n",
        );
        assert_eq!(
            refused.to_string(),
            "WHARF-PLUGIN-009 /p/a.so: libx.so: not found"
        );
    }

    #[test]
    fn codes_are_unique_and_lead_back_to_their_kind() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert_eq!(Refusal::from_code("WHARF-PLUGIN-999"), None);
    }
}
