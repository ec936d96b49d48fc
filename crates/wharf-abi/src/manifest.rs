//! The manifest: what a plugin library says of itself, in a section of its own, readable without running any of it.
//!
//! It is text: a first line [`MAGIC`], then `key=value` lines, then `end`. Unknown keys are skipped. Lists in a
//! class line are separated by `|`: kind, class, version, task class (empty when there is none).

use std::fmt;

use wharf_api::PluginKind;

/// Joins constant texts into one at compile time.
macro_rules! const_text {
    ($($part:expr),+) => {{
        const PARTS: &[&str] = &[$($part),+];
        const BYTES: [u8; $crate::manifest::total_length(PARTS)] = $crate::manifest::concatenate(PARTS);
        match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("texts joined are text"),
        }
    }};
}

/// Name of the section that holds the manifest.
pub const SECTION: &str = ".wharf_manifest";

/// The manifest's first line.
pub const MAGIC: &str = "WHARF-PLUGIN-MANIFEST";

/// A plugin class, as its manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestClass {
    /// The kind.
    pub kind: PluginKind,
    /// The class name that configurations use.
    pub class: String,
    /// Its version.
    pub version: String,
    /// The class name of its tasks; connectors only.
    pub task_class: Option<String>,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Interface version that the plugin was built against.
    pub interface: (u32, u32),
    /// What happens on a panic: `unwind` or `abort`.
    pub panic: String,
    /// Architecture and system, such as `x86_64-linux`.
    pub target: String,
    /// The crate and its version.
    pub package: String,
    /// The classes, by position. `None` stands for one of a kind that this reader does not know.
    pub classes: Vec<Option<ManifestClass>>,
}

/// Why a manifest is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestError {
    /// The bytes are not a manifest.
    Malformed(String),
    /// Another major version, or a minor version that is too new.
    Interface(u32, u32),
    /// Built with `panic=abort`: a panic would end the worker.
    PanicAbort,
    /// Built for another machine.
    Target(String),
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = (crate::INTERFACE_MAJOR, crate::INTERFACE_MINOR);
        match self {
            Self::Malformed(what) => write!(f, "its manifest is damaged ({what}); build the plugin again"),
            Self::Interface(theirs, _) if *theirs != major => write!(
                f,
                "it was built for plugin interface {theirs}.x and this worker has {major}.{minor}; \
                 build it with wharf-abi {major}.x"
            ),
            Self::Interface(theirs, their_minor) => write!(
                f,
                "it needs plugin interface {theirs}.{their_minor} and this worker has {major}.{minor}; use a newer worker"
            ),
            Self::PanicAbort => f.write_str(
                "it was built with panic=abort, so a panic in it would end the worker; build it with panic=unwind",
            ),
            Self::Target(theirs) => {
                write!(f, "it was built for {theirs} and this worker runs on {}; build it for this machine", TARGET)
            }
        }
    }
}

impl std::error::Error for ManifestError {}

/// Architecture and system of this build.
pub const TARGET: &str = const_text!(std::env::consts::ARCH, "-", std::env::consts::OS);

/// How panics end in this build.
pub const PANIC: &str = if cfg!(panic = "abort") { "abort" } else { "unwind" };

/// The interface version of this build.
pub const INTERFACE: &str = if cfg!(wharf_interface_1_0) { "1.0" } else { "1.1" };

impl Manifest {
    /// Reads a manifest from the bytes of its section. Bytes after its last line are padding.
    ///
    /// # Errors
    /// [`ManifestError::Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let malformed = |what: &str| ManifestError::Malformed(what.to_owned());
        let end = bytes
            .windows(5)
            .position(|window| window == b"\nend\n")
            .ok_or_else(|| malformed("its end is missing"))?;
        let text = std::str::from_utf8(&bytes[..=end]).map_err(|_| malformed("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return Err(malformed("its first line is not a manifest's"));
        }
        let mut manifest = Self {
            interface: (0, 0),
            panic: String::new(),
            target: String::new(),
            package: String::new(),
            classes: Vec::new(),
        };
        for line in lines {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| malformed("a line without ="))?;
            match key {
                "interface" => {
                    manifest.interface = value
                        .split_once('.')
                        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
                        .ok_or_else(|| malformed("its interface version is not a number"))?;
                }
                "panic" => value.clone_into(&mut manifest.panic),
                "target" => value.clone_into(&mut manifest.target),
                "package" => value.clone_into(&mut manifest.package),
                "class" => manifest
                    .classes
                    .push(class_line(value).ok_or_else(|| malformed("a class line"))?),
                _ => {}
            }
        }
        Ok(manifest)
    }

    /// Whether a plugin that says this of itself can be loaded here.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), ManifestError> {
        let (major, minor) = self.interface;
        if major != crate::INTERFACE_MAJOR || minor > crate::INTERFACE_MINOR {
            return Err(ManifestError::Interface(major, minor));
        }
        if self.target != TARGET {
            return Err(ManifestError::Target(self.target.clone()));
        }
        if self.panic == "abort" {
            return Err(ManifestError::PanicAbort);
        }
        Ok(())
    }
}

/// `None` for a malformed line, `Some(None)` for a kind of a newer interface.
fn class_line(line: &str) -> Option<Option<ManifestClass>> {
    let mut parts = line.split('|');
    let (kind, class, version, task) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if class.is_empty() {
        return None;
    }
    Some(PluginKind::from_name(kind).map(|kind| ManifestClass {
        kind,
        class: class.to_owned(),
        version: version.to_owned(),
        task_class: Some(task.to_owned()).filter(|task| !task.is_empty()),
    }))
}

/// The total length of these texts; used at compile time.
#[must_use]
pub const fn total_length(parts: &[&str]) -> usize {
    let (mut total, mut index) = (0, 0);
    while index < parts.len() {
        total += parts[index].len();
        index += 1;
    }
    total
}

/// These texts, one after the other; used at compile time. `N` is their [`total_length`].
#[must_use]
pub const fn concatenate<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut at, mut index) = (0, 0);
    while index < parts.len() {
        let bytes = parts[index].as_bytes();
        let mut byte = 0;
        while byte < bytes.len() {
            out[at] = bytes[byte];
            at += 1;
            byte += 1;
        }
        index += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(interface: &str, panic: &str, target: &str) -> Vec<u8> {
        format!(
            "{MAGIC}\ninterface={interface}\npanic={panic}\ntarget={target}\npackage=p 1\nfuture=x\n\
             class=source|a.B|1.0|a.Task\nclass=hologram|c.D|1.0|\nclass=converter|e.F|2.0|\nend\n\0\0"
        )
        .into_bytes()
    }

    #[test]
    fn a_manifest_is_read_with_unknown_keys_and_kinds_skipped() {
        let manifest = Manifest::parse(&text("1.0", "unwind", TARGET)).unwrap();
        assert_eq!(manifest.check(), Ok(()), "an older minor version is taken");
        assert_eq!(manifest.classes.len(), 3);
        assert_eq!(
            manifest.classes[0].as_ref().unwrap().task_class.as_deref(),
            Some("a.Task")
        );
        assert_eq!(manifest.classes[1], None);
        assert_eq!(manifest.classes[2].as_ref().unwrap().kind, PluginKind::Converter);
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_with_its_reason() {
        let check = |interface: &str, panic, target| {
            Manifest::parse(&text(interface, panic, target)).unwrap().check()
        };
        assert_eq!(
            check("2.0", "unwind", TARGET),
            Err(ManifestError::Interface(2, 0))
        );
        assert_eq!(
            check("0.9", "unwind", TARGET),
            Err(ManifestError::Interface(0, 9))
        );
        let newer = crate::INTERFACE_MINOR + 1;
        assert_eq!(
            check(&format!("1.{newer}"), "unwind", TARGET),
            Err(ManifestError::Interface(1, newer))
        );
        assert_eq!(check("1.0", "abort", TARGET), Err(ManifestError::PanicAbort));
        assert_eq!(
            check("1.0", "unwind", "sparc-sunos"),
            Err(ManifestError::Target("sparc-sunos".into()))
        );
    }

    #[test]
    fn damaged_manifests_are_named_as_such() {
        let good = text("1.0", "unwind", TARGET);
        for damaged in [
            &good[..20],
            b"",
            b"x\nend\n",
            b"WHARF-PLUGIN-MANIFEST\nno separator\nend\n",
        ] {
            assert!(
                matches!(Manifest::parse(damaged), Err(ManifestError::Malformed(_))),
                "{damaged:?}"
            );
        }
    }

    #[test]
    fn the_interface_text_says_the_version_numbers() {
        assert_eq!(
            INTERFACE,
            format!("{}.{}", crate::INTERFACE_MAJOR, crate::INTERFACE_MINOR)
        );
    }
}
