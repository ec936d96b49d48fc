//! What of a database can be seen before it is opened.

use std::io::ErrorKind;
use std::path::Path;

use crate::connection_config::ConnectionConfig;
use crate::failure::{Failure, Trouble};
use crate::url::Database;

/// Where the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Server,
    File,
    /// A file that is not there, in a folder that is.
    NoFile,
    /// In memory, or where SQLite's own URL says.
    Unknown,
}

pub(super) fn look(connection: &ConnectionConfig) -> Result<Place, Failure> {
    let url = &connection.url;
    if url.database != Database::Sqlite {
        return Ok(Place::Server);
    }
    if url.name.starts_with("file:") || url.name.starts_with(':') {
        return Ok(Place::Unknown);
    }
    let path = Path::new(&url.name);
    let wrong = |text: String| Err(Failure::new(Trouble::Statement, format!("the {url} {text}")));
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(Place::File),
        // A pipe is not opened: it waits for somebody.
        Ok(_) => wrong("is no file, but something else of that name".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                wrong(format!("has no folder {}", folder.display()))
            }
            _ => Ok(Place::NoFile),
        },
        Err(error) => wrong(format!("cannot be looked at: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use wharf_api::config::ConfigDef;
    use wharf_testkit::config;

    use super::*;

    #[test]
    fn a_file_says_before_it_is_opened_whether_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("a.db");
        std::fs::write(&there, "").unwrap();
        let at = |path: std::path::PathBuf| format!("jdbc:sqlite:{}", path.display());
        for (url, expected) in [
            (at(there), Ok(Place::File)),
            (at(folder.path().join("b.db")), Ok(Place::NoFile)),
            ("jdbc:sqlite:nowhere.db".to_owned(), Ok(Place::NoFile)),
            ("jdbc:sqlite::memory:".to_owned(), Ok(Place::Unknown)),
            ("jdbc:sqlite:file:/no/such/a.db".to_owned(), Ok(Place::Unknown)),
            (at(folder.path().to_owned()), Err("is no file")),
            (at(folder.path().join("no/a.db")), Err("has no folder")),
            ("jdbc:postgresql://h/d".to_owned(), Ok(Place::Server)),
        ] {
            let parsed = crate::connection_config::define(ConfigDef::new())
                .parse(&config([("connection.url", url.as_str())]))
                .unwrap();
            let found = look(&ConnectionConfig::of(&parsed).unwrap());
            match expected {
                Ok(place) => assert_eq!(found.unwrap(), place, "{url}"),
                Err(part) => {
                    let failure = found.unwrap_err();
                    assert!(failure.message.contains(part), "{failure}");
                }
            }
        }
    }
}
