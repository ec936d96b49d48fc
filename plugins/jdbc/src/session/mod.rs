//! Connections to databases, and what is asked of them.

mod discreet;
mod mysql;
mod mysql_cancel;
mod mysql_read;
mod mysql_tls;
mod mysql_url;
mod mysql_values;
mod parameters;
mod postgres;
mod postgres_read;
mod postgres_values;
mod read;
mod sqlite;
mod sqlite_read;
mod sqlserver;
mod sqlserver_read;
mod sqlserver_url;
mod sqlserver_values;
mod tls;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use crate::connection_config::ConnectionConfig;
use crate::dialect::{Statement, Table};
use crate::failure::{Answer, Failure, Trouble};
use crate::sink::cell::Rows;
use crate::table_id::{Quoting, TableId};
use crate::url::Database;

pub(crate) use read::{Go, ReadFailure, ReadSession, connect_to_read};
pub(crate) use sqlserver::SNAPSHOT;

/// Waits at most this long, less when the task is to stop, and says whether it is. Asked about twenty times a second, without a wait,
/// while a statement runs.
pub(crate) type Stop = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

fn is_stopping(stop: &Stop) -> bool {
    stop(Duration::ZERO)
}

fn stopping() -> Failure {
    Failure::new(Trouble::Cancelled, "the task is stopping")
}

/// A failed write, and the row at fault where it is known.
#[derive(Debug)]
pub(crate) struct WriteFailure {
    /// Index among the rows given.
    pub(crate) row: Option<usize>,
    pub(crate) failure: Failure,
}

impl From<Failure> for WriteFailure {
    fn from(failure: Failure) -> Self {
        Self { row: None, failure }
    }
}

/// One connection. After a failure that is [`Trouble::Unreachable`] or [`Trouble::Cancelled`] it is of no more use.
pub(crate) trait Session: Send {
    /// What the database knows of a table; nothing when there is none.
    fn describe(&mut self, table: &TableId, quoting: Quoting) -> Answer<Option<Table>>;

    /// The engine of a table, where it is one that rolls nothing back.
    fn engine_without_transactions(&mut self, _table: &TableId) -> Answer<Option<String>> {
        Ok(None)
    }

    /// Runs a statement without rows.
    fn execute(&mut self, sql: &str) -> Answer<()>;

    /// Writes rows one after the other; `rows` begin at `starts`. Within a transaction, rows before a failed one may have been
    /// written.
    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure>;

    /// Writes all rows with [`Statement::bulk`].
    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()>;

    /// Begins a transaction that is going to write.
    fn begin(&mut self) -> Answer<()> {
        self.execute("BEGIN")
    }

    /// Ends a transaction. Not broken off when the task is to stop: what became of it would not be known.
    fn commit(&mut self) -> Answer<()> {
        self.execute("COMMIT")
    }

    /// Whether a commit that failed so may have taken place all the same: nobody answered, or the answer was of something else.
    fn may_have_committed(&self, failure: &Failure) -> bool {
        failure.is(Trouble::Unreachable) || failure.is(Trouble::Unknown)
    }

    /// Takes back what was not committed. A commit that failed has ended its transaction in some databases, and in others not.
    fn roll_back(&mut self) -> Answer<()> {
        match self.execute("ROLLBACK") {
            Err(failure) if !failure.is(Trouble::Statement) => Err(failure),
            _ => Ok(()),
        }
    }

    /// Sets a savepoint. There is one at most.
    fn set_savepoint(&mut self) -> Answer<()> {
        self.execute("SAVEPOINT wharf")
    }

    /// Forgets the savepoint.
    fn release_savepoint(&mut self) -> Answer<()> {
        self.execute("RELEASE SAVEPOINT wharf")
    }

    /// Takes back what was done since the savepoint, after a row's failure, and forgets it. False when the whole transaction is gone:
    /// the database has taken back what was before it, too.
    fn back_to_savepoint(&mut self) -> Answer<bool> {
        self.execute("ROLLBACK TO SAVEPOINT wharf")?;
        self.release_savepoint().map(|()| true)
    }

    /// Makes constraints speak that would speak at the end of the transaction only. Called for the first time before anything is
    /// written: what fails after that, or less than that, is not due to the transaction.
    fn check_constraints(&mut self) -> Answer<()> {
        Ok(())
    }
}

/// Connects to write, as often as the configuration says; where it is to be discreet, failures have no values of rows.
pub(crate) fn connect(config: &ConnectionConfig, stop: &Stop, is_discreet: bool) -> Answer<Box<dyn Session>> {
    let session = with_attempts(config, stop, || match config.url.database {
        Database::Sqlite => sqlite::connect(config, stop),
        Database::MySql => mysql::connect(config, Arc::clone(stop)),
        Database::Postgres => postgres::connect(config, Arc::clone(stop)),
        Database::SqlServer => sqlserver::connect(config, Arc::clone(stop)),
    })?;
    Ok(if is_discreet {
        Box::new(discreet::Discreet(session))
    } else {
        session
    })
}

/// Refuses what of the URL cannot be held, without a connection.
pub(crate) fn check_url(config: &ConnectionConfig) -> Answer<()> {
    match config.url.database {
        Database::Sqlite => sqlite::check_url(config),
        Database::MySql => mysql_url::settings(config).map(drop),
        Database::Postgres => postgres::check_url(config),
        Database::SqlServer => sqlserver_url::settings(config).map(drop),
    }
}

/// The same of its text alone: no file that it names is touched.
pub(crate) fn check_text(config: &ConnectionConfig) -> Answer<()> {
    // Of MySQL and SQL Server, whose drivers take names in any letter case.
    const FILES: [&str; 5] = [
        "clientcertificatekeystoreurl",
        "keystore",
        "serversslcert",
        "trustcertificatekeystoreurl",
        "truststore",
    ];
    if config.url.database == Database::Postgres {
        return postgres::check_text(config);
    }
    let mut config = config.clone();
    let parameters = &mut config.url.parameters;
    parameters.retain(|key, _| !FILES.contains(&key.to_ascii_lowercase().as_str()));
    check_url(&config)
}

fn with_attempts<T>(config: &ConnectionConfig, stop: &Stop, connect: impl Fn() -> Answer<T>) -> Answer<T> {
    let mut attempt = 1;
    loop {
        match connect() {
            Err(failure) if failure.is(Trouble::Unreachable) && attempt < config.attempts => {
                tracing::warn!(target: LOG, "connecting to {}: {failure}; attempt {attempt} of {}", config.url, config.attempts);
                attempt += 1;
                if stop(config.backoff) {
                    return Err(stopping());
                }
            }
            Err(failure) => return Err(failure.during(format_args!("connecting to {}", config.url))),
            Ok(session) => return Ok(session),
        }
    }
}

/// The name under which connections log.
const LOG: &str = "io.confluent.connect.jdbc.util.CachedConnectionProvider";
