//! What is asked of the database when a configuration is validated: by one connection, for less than a minute, whatever the server does.
//!
//! A database that lets nobody in is an error, as with the JVM's connectors: a connector is not made that could not run. One that lets us
//! in and is slow afterwards is not, and neither is one that has no room for us at the moment: what it has not said is left to the tasks.
//! Nothing is changed by it, and in the thread that asks for validation no file is touched.

mod place;
mod progress;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use self::place::{Place, look};
use self::progress::{Limits, Progress, Step, Threads};
use crate::connection_config::{ConnectionConfig, PASSWORD_CONFIG, USER_CONFIG};
use crate::failure::{Failure, Trouble};
use crate::session::{self, Stop};
use crate::url::{Database, URL_CONFIG};

const LOG: &str = "io.confluent.connect.jdbc.validation";
/// How much later than what is asked an answer is given without it: a file of a network that hangs cannot be broken off.
const GRACE: Duration = Duration::from_secs(1);
/// How long a file that others write to is waited for.
const BUSY_TIMEOUT: &str = "2000";
/// The parameter of a URL of SQLite that may stay for who only looks. Others change the file, or how it is written.
const LOOKING: &str = "foreign_keys";
/// The codes of PostgreSQL, MySQL and SQL Server for a wrong password. The latter two do not say whether it is the name.
const WRONG_PASSWORD: [&str; 3] = ["28P01", "1045", "18456"];

/// What is wrong with a configuration: the keys it is said of, and the messages.
pub(crate) type Findings = Vec<(&'static str, String)>;

const LIMITS: Limits = Limits {
    files: Duration::from_secs(5),
    login: Duration::from_secs(35),
    questions: Duration::from_secs(5),
};

static THREADS: Threads = Threads::at_most(8);

/// What is handed to those who ask.
pub(crate) struct Asking {
    pub(crate) stop: Stop,
    pub(crate) connection: ConnectionConfig,
    /// Whether there is no file of SQLite yet. That is no error: it comes with its tables.
    pub(crate) is_without_file: bool,
    progress: Arc<Progress>,
}

impl Asking {
    /// What follows from an attempt to connect.
    ///
    /// # Errors
    /// What is to be said of it.
    pub(crate) fn connected<T>(&self, answer: Result<T, Failure>) -> Result<T, Findings> {
        match answer {
            Ok(session) => {
                self.progress.enter(Step::Questions);
                Ok(session)
            }
            Err(failure) if failure.is(Trouble::Cancelled) => Err(vec![too_late(
                &self.connection,
                Step::Login,
                self.progress.limits,
            )]),
            Err(failure) if failure.is_crowded() => {
                self.warn(&failure);
                Err(Vec::new())
            }
            Err(failure) => Err(vec![of_login(&self.connection, &failure)]),
        }
    }

    /// Whether there is no time for more.
    pub(crate) fn is_over(&self) -> bool {
        (self.stop)(Duration::ZERO)
    }

    /// Says that something could not be asked.
    pub(crate) fn warn(&self, failure: &Failure) {
        tracing::warn!(target: LOG, "the configuration is not compared with the {}: {failure}", self.connection.url);
    }

    /// Says what is no error, since it may come to be right without another configuration.
    pub(crate) fn note(&self, text: &str) {
        tracing::warn!(target: LOG, "{}: {text}", self.connection.url);
    }
}

/// What is wrong with the URL, as far as its text alone says it.
pub(crate) fn check_text(connection: &ConnectionConfig) -> Findings {
    of_url(session::check_text(connection)).err().unwrap_or_default()
}

/// Looks at the URL, and then lets `ask` connect, in a thread that nobody waits for when the time is over.
pub(crate) fn ask(
    connection: &ConnectionConfig,
    ask: impl FnOnce(&Asking) -> Findings + Send + 'static,
) -> Findings {
    ask_within(connection, LIMITS, &THREADS, ask)
}

fn ask_within(
    connection: &ConnectionConfig,
    limits: Limits,
    threads: &'static Threads,
    ask: impl FnOnce(&Asking) -> Findings + Send + 'static,
) -> Findings {
    let Some(entered) = threads.enter() else {
        tracing::warn!(
            target: LOG,
            "the configuration is not compared with the {}: {} other validations wait for an answer",
            connection.url,
            threads.most()
        );
        return check_text(connection);
    };
    let progress = Arc::new(Progress::new(limits));
    let asked = Arc::clone(&progress);
    let of_thread = connection.clone();
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name("jdbc-validation".to_owned());
    let spawned = thread.spawn(move || {
        let findings = look_and_ask(&of_thread, asked, ask);
        drop(entered);
        // Nobody may be there any more to hear it.
        let _ = tell.send(findings);
    });
    if let Err(error) = spawned {
        tracing::warn!(target: LOG, "no thread to compare the configuration with the database: {error}");
        return check_text(connection);
    }
    loop {
        let (step, until) = progress.present();
        let left = (until + GRACE).saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(findings) => return findings,
            // It has come further meanwhile.
            Err(RecvTimeoutError::Timeout) if progress.present() != (step, until) => {}
            Err(RecvTimeoutError::Timeout) if step != Step::Questions => {
                return vec![too_late(connection, step, limits)];
            }
            // A panic was told when it happened.
            Err(_) => {
                tracing::warn!(target: LOG, "the configuration is not compared with the {}, which does not answer in time", connection.url);
                return Vec::new();
            }
        }
    }
}

/// What the thread does.
fn look_and_ask(
    connection: &ConnectionConfig,
    progress: Arc<Progress>,
    ask: impl FnOnce(&Asking) -> Findings,
) -> Findings {
    if let Err(findings) = of_url(session::check_url(connection)) {
        return findings;
    }
    let is_without_file = match look(connection) {
        Ok(Place::Server | Place::File) => false,
        Ok(Place::NoFile) => true,
        Ok(Place::Unknown) => return Vec::new(),
        Err(failure) => return vec![of_login(connection, &failure)],
    };
    progress.enter(Step::Login);
    let watched = Arc::clone(&progress);
    ask(&Asking {
        stop: Arc::new(move |wait| {
            let left = watched.present().1.saturating_duration_since(Instant::now());
            thread::sleep(wait.min(left));
            Instant::now() >= watched.present().1
        }),
        connection: only_looking(connection),
        is_without_file,
        progress,
    })
}

fn of_url(checked: Result<(), Failure>) -> Result<(), Findings> {
    checked.map_err(|failure| vec![(URL_CONFIG, failure.to_string())])
}

/// The same connection, tried once, and changing nothing.
fn only_looking(connection: &ConnectionConfig) -> ConnectionConfig {
    let mut connection = connection.clone();
    connection.attempts = 1;
    connection.only_looks = true;
    if connection.url.database == Database::Sqlite {
        let parameters = &mut connection.url.parameters;
        parameters.retain(|key, _| key.eq_ignore_ascii_case(LOOKING));
        parameters.insert("busy_timeout".to_owned(), BUSY_TIMEOUT.to_owned());
    }
    connection
}

/// What is said of what has not come to an end.
fn too_late(connection: &ConnectionConfig, step: Step, limits: Limits) -> (&'static str, String) {
    let seconds = limits.of(step).as_secs();
    let text = match step {
        Step::Files => format!(
            "looking at the files of {URL_CONFIG} for the {}: no end within {seconds} seconds",
            connection.url
        ),
        _ => format!(
            "connecting to the {}: no answer within {seconds} seconds",
            connection.url
        ),
    };
    of_login(connection, &Failure::new(Trouble::Unreachable, text))
}

/// What is said of a database that lets nobody in, and of which key.
fn of_login(connection: &ConnectionConfig, failure: &Failure) -> (&'static str, String) {
    let reason = match failure.trouble {
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

    const SHORT: Limits = Limits {
        files: Duration::from_secs(1),
        login: Duration::from_secs(2),
        questions: Duration::from_secs(1),
    };

    fn at_most(most: usize) -> &'static Threads {
        Box::leak(Box::new(Threads::at_most(most)))
    }

    #[test]
    fn a_database_that_never_answers_holds_nobody() {
        let (release, held) = mpsc::channel::<()>();
        let began = Instant::now();
        let findings = ask_within(
            &connection("jdbc:postgresql://h:1/d", &[]),
            SHORT,
            at_most(1),
            move |_| {
                // As a name that is looked up without end.
                let _ = held.recv();
                Vec::new()
            },
        );
        drop(release);
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        let [(key, message)] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(*key, "connection.url");
        assert!(
            message.contains("PostgreSQL database d at h:1: no answer within 2 seconds"),
            "{message}"
        );
    }

    #[test]
    fn questions_have_a_time_of_their_own_after_a_login_that_was_slow() {
        let limits = Limits {
            login: Duration::from_secs(60),
            ..SHORT
        };
        let findings = ask_within(
            &connection("jdbc:postgresql://h:1/d", &[]),
            limits,
            at_most(1),
            |asking| {
                let began = Instant::now();
                // Longer than files and questions may take together.
                assert!(!(asking.stop)(Duration::from_secs(3)));
                asking.connected(Ok(())).unwrap();
                while !asking.is_over() {
                    (asking.stop)(Duration::from_secs(1));
                }
                assert!(began.elapsed() >= Duration::from_secs(4));
                vec![(URL_CONFIG, "in the moment that is left".to_owned())]
            },
        );
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn what_is_slow_after_the_login_is_not_the_configurations_fault() {
        let (release, held) = mpsc::channel::<()>();
        let findings = ask_within(
            &connection("jdbc:postgresql://h:1/d", &[]),
            SHORT,
            at_most(1),
            move |asking| {
                asking.connected(Ok(())).unwrap();
                let _ = held.recv();
                vec![("connection.url", "too late".to_owned())]
            },
        );
        drop(release);
        assert_eq!(findings, []);
    }

    #[test]
    fn a_file_that_hangs_holds_nobody_and_is_named_as_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("root.pem");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let url = format!(
            "jdbc:postgresql://h:1/d?sslmode=verify-full&sslrootcert={}",
            pipe.display()
        );
        let findings = ask_within(&connection(&url, &[]), SHORT, at_most(1), |_| {
            panic!("it is asked")
        });
        // Who waits for the pipe goes on.
        std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let [(key, message)] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!(*key, "connection.url");
        assert!(
            message.contains("looking at the files of connection.url")
                && message.contains("no end within 1 seconds"),
            "{message}"
        );
    }

    #[test]
    fn no_more_threads_are_begun_than_may_hang() {
        let threads = at_most(2);
        let there = connection("jdbc:postgresql://h:1/d", &[]);
        let held: Vec<mpsc::Sender<()>> = (0..2)
            .map(|_| {
                let (release, held) = mpsc::channel::<()>();
                let findings = ask_within(&there, SHORT, threads, move |asking| {
                    asking.connected(Ok(())).unwrap();
                    let _ = held.recv();
                    Vec::new()
                });
                assert_eq!(findings, []);
                release
            })
            .collect();
        assert_eq!(ask_within(&there, SHORT, threads, |_| panic!("it is asked")), []);
        assert_eq!(threads.count(), 2);
        // The text is looked at all the same.
        let refused = connection("jdbc:postgresql://h:1/d?sslfactory=x", &[]);
        let findings = ask_within(&refused, SHORT, threads, |_| panic!("it is asked"));
        assert_eq!(findings.len(), 1, "{findings:?}");
        drop(held);
        let until = Instant::now() + Duration::from_secs(60);
        while threads.count() > 0 {
            assert!(
                Instant::now() < until,
                "threads that have ended keep their places"
            );
            thread::yield_now();
        }
        let wrong = || vec![(URL_CONFIG, "wrong".to_owned())];
        assert_eq!(ask_within(&there, SHORT, threads, move |_| wrong()), wrong());
    }

    #[test]
    fn a_database_that_has_no_room_is_not_the_configurations_fault() {
        for code in ["53300", "1040", "1203", "1226"] {
            let findings = ask(&connection("jdbc:postgresql://h:1/d", &[]), move |asking| {
                let full = Failure::new(Trouble::Unreachable, "too many").with_code(code);
                asking.connected(Err::<(), _>(full)).unwrap_err()
            });
            assert_eq!(findings, [], "{code}");
        }
        let findings = ask(&connection("jdbc:postgresql://h:1/d", &[]), |asking| {
            let away = Failure::new(Trouble::Unreachable, "refused");
            asking.connected(Err::<(), _>(away)).unwrap_err()
        });
        assert_eq!(findings.len(), 1, "{findings:?}");
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
    fn who_only_looks_waits_a_moment_and_changes_nothing() {
        let connection = only_looking(&connection(
            "jdbc:sqlite:/tmp/a.db?Busy_Timeout=60000&foreign_keys=on&journal_mode=WAL&synchronous=off",
            &[("connection.attempts", "7")],
        ));
        let expected: BTreeMap<String, String> = [("busy_timeout", BUSY_TIMEOUT), ("foreign_keys", "on")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        assert_eq!(connection.url.parameters, expected);
        assert!(connection.only_looks && connection.attempts == 1);
    }

    #[test]
    fn without_the_network_the_text_alone_is_looked_at() {
        for (url, part) in [
            (
                "jdbc:postgresql://h/d?sslmode=verify-full&sslrootcert=/no/such.pem",
                None,
            ),
            (
                "jdbc:postgresql://h/d?sslmode=verify-full&sslcert=/no/such.pem",
                Some("sslcert and sslkey"),
            ),
            (
                "jdbc:postgresql://h/d?sslmode=sure",
                Some("sslmode=sure is not known"),
            ),
            (
                "jdbc:mysql://h/d?sslMode=VERIFY_CA&trustCertificateKeyStoreUrl=file:/no/such&clientCertificateKeyStoreUrl=file:/no",
                None,
            ),
            ("jdbc:mysql://h/d?sslMode=sure", Some("sslMode=sure is not known")),
            ("jdbc:sqlserver://h;databaseName=d;trustStore=/no/such", None),
            (
                "jdbc:sqlserver://h;databaseName=d;encrypt=perhaps",
                Some("encrypt=perhaps is not known"),
            ),
            ("jdbc:sqlite:/no/such/folder/a.db", None),
            ("jdbc:sqlite:/tmp/a.db?journal_mode=a;b", Some("journal_mode")),
        ] {
            let findings = check_text(&connection(url, &[]));
            match part {
                None => assert_eq!(findings, [], "{url}"),
                Some(part) => assert!(findings[0].1.contains(part), "{url}: {findings:?}"),
            }
        }
    }
}
