//! `jdbc:` URLs, read as the drivers of the JVM read them, and the plain `postgres://` and `mysql://` forms.

pub(crate) mod sqlserver;

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode_str;
use wharf_api::{ConnectError, Result};

/// The databases that this library speaks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// And MariaDB.
    MySql,
    Postgres,
    Sqlite,
    SqlServer,
}

impl Database {
    /// The name under which users know its dialect.
    pub(crate) fn dialect_name(self) -> &'static str {
        match self {
            Self::MySql => "MySqlDatabaseDialect",
            Self::Postgres => "PostgreSqlDatabaseDialect",
            Self::Sqlite => "SqliteDatabaseDialect",
            Self::SqlServer => "SqlServerDatabaseDialect",
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
    /// Whether it is one of MariaDB's driver, some of whose parameters mean something else than those of MySQL's.
    pub(crate) is_mariadb: bool,
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
        let product = match self.database {
            Database::Sqlite => return write!(to, "SQLite file {}", self.name),
            Database::MySql if self.is_mariadb => "MariaDB",
            Database::MySql => "MySQL",
            Database::Postgres => "PostgreSQL",
            Database::SqlServer => return sqlserver::show(self, to),
        };
        write!(to, "{product} database {} at ", self.name)?;
        for (index, server) in self.servers.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(to, "{separator}{}:{}", server.host, server.port)?;
        }
        Ok(())
    }
}

const POSTGRES_PORT: u16 = 5432;
const MYSQL_PORT: u16 = 3306;

/// Databases that users have `jdbc:` URLs for and that are not built in, with what is said of them.
const OTHERS: [(&str, &str); 10] = [
    (
        "mysql+srv",
        "write the names of the servers in place of one that stands for them",
    ),
    (
        "jtds",
        "write jdbc:sqlserver://host:port;databaseName=name in its place",
    ),
    (
        "oracle",
        "the only driver for it that needs no libraries of Oracle's is a pre-release",
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
            return of_server(Database::Postgres, rest);
        }
        if let Some(rest) = plain.strip_prefix("mysql:") {
            return mysql(rest);
        }
        if let Some(rest) = plain.strip_prefix("mariadb:") {
            return mysql(rest).map(|url| DatabaseUrl {
                is_mariadb: true,
                ..url
            });
        }
        if let Some(rest) = plain.strip_prefix("sqlite:") {
            return sqlite(rest);
        }
        if let Some(rest) = plain
            .strip_prefix("sqlserver:")
            .or_else(|| plain.strip_prefix("microsoft:sqlserver:"))
        {
            return sqlserver::parse(rest);
        }
        let scheme = plain.split([':', '/']).next().unwrap_or_default();
        let reason = OTHERS
            .iter()
            .find(|(name, _)| scheme.eq_ignore_ascii_case(name))
            .map_or("no such database is known", |(_, reason)| reason);
        Err(refused(format!(
            "the database '{scheme}' cannot be used: {reason}; URLs begin with jdbc:postgresql:, jdbc:mysql:, \
             jdbc:mariadb:, jdbc:sqlserver: or jdbc:sqlite:"
        )))
    }
}

/// The key that URLs stand under.
pub(crate) const URL_CONFIG: &str = "connection.url";

fn refused(reason: impl fmt::Display) -> ConnectError {
    ConnectError::config(format!("Invalid value for configuration {URL_CONFIG}: {reason}"))
}

/// As [`of_server`], with `//` in any case.
fn mysql(rest: &str) -> Result<DatabaseUrl> {
    let address = rest.split('?').next().unwrap_or_default();
    if !address.starts_with("//") || address.contains('(') {
        return Err(refused(
            "of the forms that the drivers know, jdbc:mysql://host:port,host:port/database?key=value is the one that is understood; \
             the servers are tried in turn",
        ));
    }
    of_server(Database::MySql, rest)
}

/// `//host:port,host:port/database?key=value`, `//user:password@host/database`, `database`, `/`.
fn of_server(database: Database, rest: &str) -> Result<DatabaseUrl> {
    let port = match database {
        Database::MySql => MYSQL_PORT,
        _ => POSTGRES_PORT,
    };
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parameters = parameters(query, '&')?;
    let mut url = DatabaseUrl {
        database,
        servers: Vec::new(),
        name: String::new(),
        user: parameters.remove("user"),
        password: parameters.remove("password"),
        is_mariadb: false,
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
                url.servers.push(server(host, port)?);
            }
            name
        }
    };
    if url.servers.is_empty() {
        url.servers.push(server("localhost", port)?);
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
        is_mariadb: false,
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

/// One value each: the drivers take the last one, which may undo what the first one is there for.
fn parameters(query: &str, separator: char) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for part in query.split(separator).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (decoded(key)?, decoded(value)?);
        if parameters.get(&key).is_some_and(|other| *other != value) {
            return Err(refused(format!(
                "parameter {key} is there twice, with two values; take one of them out"
            )));
        }
        parameters.insert(key, value);
    }
    Ok(parameters)
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
            (
                "jdbc:mysql://db,other:3307/shop?useSSL=false",
                "MySQL database shop at db:3306,other:3307",
            ),
            ("jdbc:mariadb://db/shop", "MariaDB database shop at db:3306"),
            ("mysql://me@db/shop", "MySQL database shop at db:3306"),
            (
                "mysql://h/d?useSSL=true&useSSL=true",
                "MySQL database d at h:3306",
            ),
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
                "'oracle' cannot be used: the only driver",
            ),
            (
                "jdbc:jtds:sqlserver://h/d;password=secret",
                "'jtds' cannot be used: write jdbc:sqlserver:",
            ),
            (
                "jdbc:mysql:replication://h,i/d?password=secret",
                "jdbc:mysql://host:port,host:port/database",
            ),
            (
                "jdbc:mysql://(host=h,password=secret)/d",
                "jdbc:mysql://host:port,host:port/database",
            ),
            ("jdbc:postgresql://me:s3cret/x@h/d", "is no port"),
            ("nonsense", "no such database is known"),
            ("jdbc:sqlite:", "names no file"),
            ("jdbc:postgresql://h:port/d", "is no port"),
            (
                "jdbc:postgresql://h/d?sslmode=verify-full&password=secret&sslmode=disable",
                "parameter sslmode is there twice",
            ),
            (
                "jdbc:mysql://h/d?password=secret&password=secret2",
                "parameter password is there twice",
            ),
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
