//! What is asked of the database when a configuration is validated: by one connection, for a few seconds at most, whatever the server does.
//!
//! A database that lets nobody in is an error, as with the JVM's connectors: a connector is not made that could not run. One that lets us
//! in and is slow afterwards is not: what it has not said is left to the tasks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::connection_config::{ConnectionConfig, PASSWORD_CONFIG, USER_CONFIG};
use crate::failure::{Failure, Trouble};
use crate::session::{self, Stop};
use crate::url::{Database, URL_CONFIG};

const LOG: &str = "io.confluent.connect.jdbc.validation";
/// When what is being asked is broken off.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much later the answer is given without it: a file of a network that hangs cannot be broken off.
const GRACE: Duration = Duration::from_secs(1);
/// How long a file that others write to is waited for.
const BUSY_TIMEOUT: &str = "2000";
/// The codes of PostgreSQL, MySQL and SQL Server for a wrong password. The latter two do not say whether it is the name.
const WRONG_PASSWORD: [&str; 3] = ["28P01", "1045", "18456"];

/// What is wrong with a configuration: the keys it is said of, and the messages.
pub(crate) type Findings = Vec<(&'static str, String)>;

/// What is handed to those who ask.
pub(crate) struct Asking {
    pub(crate) stop: Stop,
    pub(crate) connection: ConnectionConfig,
    is_connected: Arc<AtomicBool>,
}

impl Asking {
    /// What follows from an attempt to connect.
    ///
    /// # Errors
    /// What is to be said of it.
    pub(crate) fn connected<T>(&self, answer: Result<T, Failure>) -> Result<T, Findings> {
        if answer.is_ok() {
            self.is_connected.store(true, Ordering::Relaxed);
        }
        answer.map_err(|failure| vec![of_login(&self.connection, &failure)])
    }

    /// Whether there is no file of SQLite yet. That is no error: it comes with its tables.
    pub(crate) fn is_without_file(&self) -> bool {
        let url = &self.connection.url;
        let is_plain = !url.name.starts_with("file:") && !url.name.starts_with(':');
        url.database == Database::Sqlite && !(is_plain && Path::new(&url.name).exists())
    }

    /// Whether there is no time for more.
    pub(crate) fn is_over(&self) -> bool {
        (self.stop)(Duration::ZERO)
    }

    /// Says that something could not be asked.
    pub(crate) fn warn(&self, failure: &Failure) {
        tracing::warn!(target: LOG, "the configuration is not compared with the {}: {failure}", self.connection.url);
    }
}

/// Looks at the URL, and then lets `ask` connect, in a thread that nobody waits for when the time is over.
pub(crate) fn ask(
    connection: &ConnectionConfig,
    ask: impl FnOnce(&Asking) -> Findings + Send + 'static,
) -> Findings {
    if let Err(failure) = session::check_url(connection) {
        return vec![(URL_CONFIG, failure.to_string())];
    }
    if let Some(folder) = missing_folder(connection) {
        let text = format!("the {} has no folder {}", connection.url, folder.display());
        return vec![of_login(connection, &Failure::new(Trouble::Statement, text))];
    }
    let until = Instant::now() + PATIENCE;
    let is_connected = Arc::new(AtomicBool::new(false));
    let asking = Asking {
        stop: Arc::new(move |wait| {
            let left = until.saturating_duration_since(Instant::now());
            thread::sleep(wait.min(left));
            Instant::now() >= until
        }),
        connection: in_haste(connection),
        is_connected: Arc::clone(&is_connected),
    };
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name("jdbc-validation".to_owned());
    let spawned = thread.spawn(move || {
        // Nobody may be there any more to hear it.
        let _ = tell.send(ask(&asking));
    });
    if let Err(error) = spawned {
        tracing::warn!(target: LOG, "no thread to compare the configuration with the database: {error}");
        return Vec::new();
    }
    match told.recv_timeout(PATIENCE + GRACE) {
        Ok(findings) => findings,
        Err(RecvTimeoutError::Timeout) if !is_connected.load(Ordering::Relaxed) => {
            vec![of_login(connection, &Failure::new(Trouble::Cancelled, ""))]
        }
        // A panic was told when it happened.
        Err(_) => {
            tracing::warn!(target: LOG, "the configuration is not compared with the {}, which does not answer in time", connection.url);
            Vec::new()
        }
    }
}

/// Where a file of SQLite would have to be, if there is no such place.
fn missing_folder(connection: &ConnectionConfig) -> Option<&Path> {
    let url = &connection.url;
    let is_file =
        url.database == Database::Sqlite && !url.name.starts_with("file:") && !url.name.starts_with(':');
    let folder = is_file.then(|| Path::new(&url.name).parent()).flatten()?;
    (!folder.as_os_str().is_empty() && !folder.is_dir()).then_some(folder)
}

/// The same connection, tried once.
fn in_haste(connection: &ConnectionConfig) -> ConnectionConfig {
    let mut connection = connection.clone();
    connection.attempts = 1;
    if connection.url.database == Database::Sqlite {
        let parameters = &mut connection.url.parameters;
        parameters.retain(|key, _| !key.eq_ignore_ascii_case("busy_timeout"));
        parameters.insert("busy_timeout".to_owned(), BUSY_TIMEOUT.to_owned());
    }
    connection
}

/// What is said of a database that lets nobody in, and of which key.
fn of_login(connection: &ConnectionConfig, failure: &Failure) -> (&'static str, String) {
    let reason = match failure.trouble {
        Trouble::Cancelled => Failure::new(
            Trouble::Unreachable,
            format!(
                "connecting to the {}: no answer within {} seconds",
                connection.url,
                PATIENCE.as_secs()
            ),
        )
        .to_final_error()
        .message()
        .to_owned(),
        // What is to be done then is of no use here.
        Trouble::Statement | Trouble::Unknown => failure.to_string(),
        _ => failure.to_final_error().message().to_owned(),
    };
    (
        key_of_login(connection, failure),
        format!("Could not connect to database. {reason}"),
    )
}

fn key_of_login(connection: &ConnectionConfig, failure: &Failure) -> &'static str {
    let url = &connection.url;
    if !failure.is(Trouble::Permission) || url.database == Database::Sqlite {
        return URL_CONFIG;
    }
    let is_password = match failure.code.as_deref() {
        Some(code) => WRONG_PASSWORD.contains(&code),
        None => failure.message.contains("password"),
    };
    let password = connection.password.as_ref().map(|password| password.reveal());
    let (key, is_of_url) = match is_password {
        true => (
            PASSWORD_CONFIG,
            url.password.is_some() && url.password.as_deref() == password,
        ),
        false => (USER_CONFIG, url.user.is_some() && url.user == connection.user),
    };
    if is_of_url { URL_CONFIG } else { key }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wharf_api::config::ConfigDef;
    use wharf_testkit::config;

    use super::*;
    use crate::connection_config::define;

    fn connection(url: &str, more: &[(&str, &str)]) -> ConnectionConfig {
        let all: Vec<(&str, &str)> = [("connection.url", url)].iter().chain(more).copied().collect();
        ConnectionConfig::of(&define(ConfigDef::new()).parse(&config(all)).unwrap()).unwrap()
    }

    #[test]
    fn who_is_not_let_in_is_told_where_the_login_stands() {
        const PLAIN: &str = "jdbc:postgresql://h/d";
        let login = [("connection.user", "me"), ("connection.password", "s3cret")];
        let refused = |code: &str| Failure::new(Trouble::Permission, "no").with_code(code);
        for (url, more, failure, key) in [
            (PLAIN, &login[..], refused("28P01"), "connection.password"),
            (PLAIN, &login, refused("28000"), "connection.user"),
            (
                PLAIN,
                &[],
                Failure::new(Trouble::Permission, "password missing"),
                "connection.password",
            ),
            (
                "jdbc:postgresql://me:s3cret@h/d",
                &[],
                refused("28P01"),
                "connection.url",
            ),
            (
                "jdbc:postgresql://me:s3cret@h/d",
                &[],
                refused("28000"),
                "connection.url",
            ),
            (
                "jdbc:postgresql://me:other@h/d",
                &login,
                refused("28P01"),
                "connection.password",
            ),
            ("jdbc:mysql://h/d", &login, refused("1045"), "connection.password"),
            ("jdbc:mysql://h/d", &login, refused("1044"), "connection.user"),
            (
                "jdbc:sqlite:/tmp/a.db",
                &[],
                Failure::new(Trouble::Permission, "no"),
                "connection.url",
            ),
            (
                PLAIN,
                &login,
                Failure::new(Trouble::Unreachable, "refused"),
                "connection.url",
            ),
        ] {
            let (found, message) = of_login(&connection(url, more), &failure);
            assert_eq!(found, key, "{url}: {message}");
            assert!(
                message.starts_with("Could not connect to database. ") && !message.contains("s3cret"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_database_that_never_answers_holds_nobody() {
        let (release, held) = mpsc::channel::<()>();
        let began = Instant::now();
        let findings = ask(&connection("jdbc:postgresql://h:1/d", &[]), move |_| {
            // As a file of a network that is gone.
            let _ = held.recv();
            Vec::new()
        });
        drop(release);
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        let [(key, message)] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(*key, "connection.url");
        assert!(
            message.contains("PostgreSQL database d at h:1: no answer within 5 seconds"),
            "{message}"
        );
    }

    #[test]
    fn what_is_slow_after_the_login_is_not_the_configurations_fault() {
        let findings = ask(&connection("jdbc:postgresql://h:1/d", &[]), |asking| {
            asking.connected(Ok(())).unwrap();
            while !asking.is_over() {
                (asking.stop)(Duration::from_secs(1));
            }
            (asking.stop)(Duration::from_secs(1));
            thread::sleep(GRACE * 2);
            vec![("connection.url", "too late".to_owned())]
        });
        assert_eq!(findings, []);
    }

    #[test]
    fn parameters_that_cannot_be_held_are_refused_without_a_connection() {
        for (url, name) in [
            ("jdbc:postgresql://h/d?sslfactory=x", "sslfactory"),
            ("jdbc:mysql://h/d?socketFactory=x", "socketFactory"),
            (
                "jdbc:sqlserver://h;databaseName=d;trustManagerClass=x",
                "trustManagerClass",
            ),
            ("jdbc:sqlite:/tmp/a.db?journal_mode=a;b", "journal_mode"),
        ] {
            let findings = ask(&connection(url, &[]), |_| panic!("it is asked"));
            let [(key, message)] = findings.as_slice() else {
                panic!("{url}: {findings:?}")
            };
            assert_eq!(*key, "connection.url");
            assert!(
                message.contains(&format!("parameter {name} of connection.url")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_is_not_waited_for_as_long_as_the_url_says() {
        let connection = in_haste(&connection(
            "jdbc:sqlite:/tmp/a.db?Busy_Timeout=60000&foreign_keys=on",
            &[],
        ));
        let expected: BTreeMap<String, String> = [("busy_timeout", BUSY_TIMEOUT), ("foreign_keys", "on")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        assert_eq!(connection.url.parameters, expected);
    }
}
