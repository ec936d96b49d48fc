//! `jdbc:` URLs, read as the drivers of the JVM read them, and the plain `postgres://` and `mysql://` forms.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode_str;
use wharf_api::{ConnectError, Result};

/// The databases that this library speaks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Postgres,
    Sqlite,
}

impl Database {
    /// The name under which users know its dialect.
    pub(crate) fn dialect_name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSqlDatabaseDialect",
            Self::Sqlite => "SqliteDatabaseDialect",
        }
    }
}

/// Host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    pub(crate) database: Database,
    /// Tried in turn; none for a file.
    pub(crate) servers: Vec<Server>,
    /// The database's name on its server, or the path of its file.
    pub(crate) name: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// All other parameters, by their names as written.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Without the password and without parameters, which may hold secrets.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.database {
            Database::Sqlite => write!(to, "SQLite file {}", self.name),
            Database::Postgres => {
                write!(to, "PostgreSQL database {} at ", self.name)?;
                for (index, server) in self.servers.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "," };
                    write!(to, "{separator}{}:{}", server.host, server.port)?;
                }
                Ok(())
            }
        }
    }
}

const POSTGRES_PORT: u16 = 5432;

/// Databases that users have `jdbc:` URLs for and that are not built in, with what is said of them.
const OTHERS: [(&str, &str); 12] = [
    ("mysql", "not built in yet"),
    ("mariadb", "not built in yet"),
    ("sqlserver", "not built in yet"),
    ("jtds", "not built in yet"),
    (
        "oracle",
        "there is no driver for it that works without Oracle's own libraries",
    ),
    ("db2", "there is no native driver for it"),
    ("derby", "it lives inside a JVM"),
    ("h2", "it lives inside a JVM"),
    ("sap", "there is no native driver for it"),
    ("sybase", "there is no native driver for it"),
    ("vertica", "there is no native driver for it"),
    (
        "redshift",
        "it lacks parts of PostgreSQL's catalogue that are needed",
    ),
];

impl DatabaseUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// A config error that says what is wrong, without repeating what may hold a secret.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let plain = text.strip_prefix("jdbc:").unwrap_or(text);
        if let Some(rest) = plain
            .strip_prefix("postgresql:")
            .or_else(|| plain.strip_prefix("postgres:"))
        {
            return postgres(rest);
        }
        if let Some(rest) = plain.strip_prefix("sqlite:") {
            return sqlite(rest);
        }
        let scheme = plain.split([':', '/']).next().unwrap_or_default();
        let reason = OTHERS
            .iter()
            .find(|(name, _)| scheme.eq_ignore_ascii_case(name))
            .map_or("no such database is known", |(_, reason)| reason);
        Err(refused(format!(
            "the database '{scheme}' cannot be used: {reason}; URLs begin with jdbc:postgresql: or jdbc:sqlite:"
        )))
    }
}

/// The key that URLs stand under.
pub(crate) const URL_CONFIG: &str = "connection.url";

fn refused(reason: impl fmt::Display) -> ConnectError {
    ConnectError::config(format!("Invalid value for configuration {URL_CONFIG}: {reason}"))
}

/// `//host:port,host:port/database?key=value`, `//user:password@host/database`, `database`, `/`.
fn postgres(rest: &str) -> Result<DatabaseUrl> {
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parameters = parameters(query, '&')?;
    let mut url = DatabaseUrl {
        database: Database::Postgres,
        servers: Vec::new(),
        name: String::new(),
        user: parameters.remove("user"),
        password: parameters.remove("password"),
        parameters,
    };
    let name = match address.strip_prefix("//") {
        None => address.trim_start_matches('/'),
        Some(address) => {
            let (authority, name) = address.split_once('/').unwrap_or((address, ""));
            let hosts = match authority.rsplit_once('@') {
                None => authority,
                Some((login, hosts)) => {
                    let (user, password) = login.split_once(':').unwrap_or((login, ""));
                    url.user.get_or_insert(decoded(user)?);
                    if !password.is_empty() {
                        url.password.get_or_insert(decoded(password)?);
                    }
                    hosts
                }
            };
            for host in hosts.split(',').filter(|host| !host.is_empty()) {
                url.servers.push(server(host, POSTGRES_PORT)?);
            }
            name
        }
    };
    if url.servers.is_empty() {
        url.servers.push(server("localhost", POSTGRES_PORT)?);
    }
    url.name = decoded(name)?;
    Ok(url)
}

/// `path`, `:memory:`, `file:path?…`.
fn sqlite(rest: &str) -> Result<DatabaseUrl> {
    let (path, query) = match rest.split_once('?') {
        // SQLite's own URI form says what its parameters mean.
        Some(_) if rest.starts_with("file:") => (rest, ""),
        Some((path, query)) => (path, query),
        None => (rest, ""),
    };
    if path.is_empty() {
        return Err(refused(
            "jdbc:sqlite: names no file; write jdbc:sqlite:/path/of/the/file.db",
        ));
    }
    Ok(DatabaseUrl {
        database: Database::Sqlite,
        servers: Vec::new(),
        name: path.to_owned(),
        user: None,
        password: None,
        parameters: parameters(query, '&')?,
    })
}

fn server(text: &str, default_port: u16) -> Result<Server> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        None | Some("") => default_port,
        Some(port) => port
            .parse()
            // Not repeated: in a mistyped URL it may be part of a password.
            .map_err(|_| refused("what stands behind the colon of a host is no port"))?,
    };
    Ok(Server {
        host: host.to_owned(),
        port,
    })
}

fn parameters(query: &str, separator: char) -> Result<BTreeMap<String, String>> {
    query
        .split(separator)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decoded(key)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| refused("a part that is written with % is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        DatabaseUrl::parse(text).unwrap().to_string()
    }

    #[test]
    fn urls_that_people_have_are_understood() {
        for (text, meant) in [
            (
                "jdbc:postgresql://db.example:6432/shop",
                "PostgreSQL database shop at db.example:6432",
            ),
            (
                "jdbc:postgresql://a,b:5433/shop?ssl=true",
                "PostgreSQL database shop at a:5432,b:5433",
            ),
            (
                "jdbc:postgresql:shop",
                "PostgreSQL database shop at localhost:5432",
            ),
            (
                "jdbc:postgresql://[::1]:7/x%2Fy",
                "PostgreSQL database x/y at ::1:7",
            ),
            ("postgres://h/shop", "PostgreSQL database shop at h:5432"),
            ("jdbc:sqlite:/tmp/a.db", "SQLite file /tmp/a.db"),
            ("jdbc:sqlite::memory:", "SQLite file :memory:"),
            (" jdbc:sqlite:a.db?foreign_keys=on ", "SQLite file a.db"),
        ] {
            assert_eq!(shown(text), meant);
        }
    }

    #[test]
    fn login_and_parameters_are_taken_out_and_not_shown() {
        let url =
            DatabaseUrl::parse("jdbc:postgresql://me:p%40ss@h/d?sslmode=require&currentSchema=shop").unwrap();
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("me"), Some("p@ss"))
        );
        assert_eq!(url.parameters["sslmode"], "require");
        assert_eq!(url.parameters["currentSchema"], "shop");
        let url = DatabaseUrl::parse("jdbc:postgresql://h/d?user=u&password=secret").unwrap();
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("u"), Some("secret"))
        );
        assert!(!format!("{url:?} {url}").contains("secret"));
    }

    #[test]
    fn what_is_not_built_in_is_named_with_the_reason() {
        for (text, part) in [
            (
                "jdbc:oracle:thin:@//h:1521/x",
                "'oracle' cannot be used: there is no driver",
            ),
            (
                "jdbc:mysql://h/d?password=secret",
                "'mysql' cannot be used: not built in yet",
            ),
            ("jdbc:postgresql://me:s3cret/x@h/d", "is no port"),
            ("nonsense", "no such database is known"),
            ("jdbc:sqlite:", "names no file"),
            ("jdbc:postgresql://h:port/d", "is no port"),
        ] {
            let message = DatabaseUrl::parse(text).unwrap_err().message().to_owned();
            assert!(message.contains(part), "{message}");
            assert!(
                message.contains("connection.url") && !message.contains("cret"),
                "{message}"
            );
        }
    }
}
