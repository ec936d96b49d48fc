//! MySQL and MariaDB, through their own protocol.

use std::future::Future;
use std::io::ErrorKind;
use std::time::Duration;

use jiff::tz::TimeZone;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, IoError, Opts, OptsBuilder, Params, Value, params};

use super::mysql_cancel::Identity;
use super::mysql_tls::Tls;
use super::mysql_url::{self, Habits, Settings};
use super::mysql_values::{bytes, value};
use super::waiting::{Bound, Waiting};
use super::{Session, Stop, WriteFailure};
use crate::connection_config::ConnectionConfig;
use crate::dialect::{Bulk, Statement, Table, TableColumn, Verb};
use crate::failure::{Answer, Failure, Trouble, of_mysql_code};
use crate::sink::cell::Rows;
use crate::source::At;
use crate::table_id::{Quoting, TableId};

/// The most places that a statement has.
const MOST_PLACES: usize = 65_535;
/// The most values in the list of a deletion. Of 1,000 and more MariaDB makes a table, with types and an order of its own
/// (`in_predicate_conversion_threshold`); 11.4 does so where rows are read, and says nothing of other statements.
const MOST_LISTED: usize = 512;
/// The most rows of one statement; less where a packet holds no more.
const MOST_ROWS: usize = 1_024;
/// The most bytes of one statement of many rows, whatever the server takes.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How many rows are written one after the other before it is looked whether the task is to stop.
const CHUNK: usize = 100;
/// Room in a packet for what is no value.
const HEAD: usize = 1_024;
const DIVISION_BY_ZERO: &str = "1365";

/// No text is cut (but for spaces at its end) and no number or date made up to fit; digits after the point that a column has no place for
/// are rounded all the same, and those of a second cut (MySQL rounds them, too). A number 0 is no wish for a new one, and a backslash in
/// a literal is a backslash.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,\
    NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION";

pub(super) struct MySqlSession {
    /// Before the runtime: a connection that goes where its runtime is would be emptied there first.
    pub(super) connection: Conn,
    pub(super) link: Link,
    pub(super) zone: TimeZone,
    pub(super) habits: Habits,
    /// All tables that were looked at have engines with transactions.
    rolls_back: bool,
    /// The server's time before the transaction that reads.
    pub(super) began: At,
    /// The most bytes that the server takes at once.
    packet: usize,
}

/// What waits for answers.
pub(super) struct Link {
    waiting: Waiting,
    /// How the server is reached by somebody who cancels.
    options: Opts,
    /// Whose statements are cancelled.
    identity: Option<Identity>,
}

pub(super) fn connect(config: &ConnectionConfig, stop: Stop) -> Answer<Box<dyn Session>> {
    let (mut session, is_mariadb) = session(config, stop)?;
    session.execute(&format!("SET sql_mode = '{SQL_MODE}'"))?;
    let limit = config.statement_timeout;
    if !limit.is_zero() {
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        session.execute(&format!(
            "SET lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, {seconds})"
        ))?;
        if is_mariadb {
            session.execute(&format!("SET max_statement_time = {}", limit.as_secs_f64()))?;
        }
    }
    Ok(Box::new(session))
}

/// A connection in which statements have no limit of time, since a whole table may be read by one; `patience` is how long the server
/// may be silent.
pub(super) fn connect_to_read(
    config: &ConnectionConfig,
    stop: Stop,
    isolation: Option<&str>,
) -> Answer<Box<dyn super::ReadSession>> {
    let (mut session, is_mariadb) = session(config, stop)?;
    let limit = if is_mariadb {
        "max_statement_time"
    } else {
        "max_execution_time"
    };
    session.execute(&format!("SET {limit} = 0"))?;
    // What is read is not older than the database's time, which is asked for before.
    let isolation = isolation.unwrap_or("READ COMMITTED");
    session.execute(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"))?;
    Ok(Box::new(session))
}

/// A session, and whether it is one of MariaDB.
fn session(config: &ConnectionConfig, stop: Stop) -> Answer<(MySqlSession, bool)> {
    let settings = mysql_url::settings(config)?;
    let bound = Bound::of_statements_and_socket(config.statement_timeout, settings.socket_timeout);
    let (waiting, (connection, options)) = Waiting::connect(stop, bound, connected(&settings))?;
    let mut session = MySqlSession {
        link: Link {
            waiting,
            options,
            identity: None,
        },
        connection,
        zone: config.zone.clone(),
        habits: settings.habits,
        rolls_back: true,
        began: At::default(),
        packet: 0,
    };
    if let Some(variables) = &settings.session_variables {
        session.execute(&format!("SET {variables}"))?;
    }
    session.link.identity = session.link.run(Identity::of(&mut session.connection))?;
    // What the server keeps for a while is not given up because nobody takes rows for some minutes.
    session.execute("SET NAMES utf8mb4")?;
    session.execute("SET time_zone = '+00:00', net_write_timeout = 600, autocommit = 1")?;
    let facts: Option<(String, u64)> = session.link.run(
        session
            .connection
            .query_first("SELECT VERSION(), @@max_allowed_packet"),
    )?;
    let (version, packet) = facts.unwrap_or_default();
    session.packet = usize::try_from(packet).unwrap_or(usize::MAX);
    Ok((session, version.contains("MariaDB")))
}

/// The first server that lets us in.
async fn connected(settings: &Settings) -> Answer<(Conn, Opts)> {
    let mut last = Failure::new(Trouble::Unreachable, "no server is named");
    for server in &settings.servers {
        let secured = |tls: &Tls| match tls {
            Tls::Never => Opts::from(server.clone()),
            Tls::IfOffered(options) | Tls::Always(options) => OptsBuilder::from_opts(server.clone())
                .ssl_opts(options.clone())
                .into(),
        };
        let mut options: Opts = secured(&settings.tls);
        let mut tried = attempt(&options, settings.connect_timeout).await;
        if let (Tls::IfOffered(_), Err(Error::Driver(DriverError::NoClientSslFlagFromServer))) =
            (&settings.tls, &tried)
        {
            options = secured(&Tls::Never);
            tried = attempt(&options, settings.connect_timeout).await;
        }
        match tried.map_err(failure) {
            Ok(connection) => return Ok((connection, options)),
            Err(failure) if failure.is(Trouble::Unreachable) => last = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(last)
}

async fn attempt(options: &Opts, patience: Duration) -> Result<Conn, Error> {
    match tokio::time::timeout(patience, Conn::new(options.clone())).await {
        Ok(connected) => connected,
        Err(_) => Err(std::io::Error::new(ErrorKind::TimedOut, "the server has not answered in time").into()),
    }
}

pub(super) fn failure(error: Error) -> Failure {
    let trouble = match &error {
        Error::Server(server) => {
            let trouble = of_mysql_code(server.code, &server.state);
            return Failure::new(trouble, server.message.clone()).with_code(server.code.to_string());
        }
        // What is no packet, or not one of this protocol.
        Error::Io(IoError::Io(io)) if io.kind() == ErrorKind::Other => Trouble::Unknown,
        Error::Io(IoError::Io(io)) => {
            return Failure::new(Trouble::Unreachable, io.to_string());
        }
        Error::Driver(DriverError::ConnectionClosed) => Trouble::Unreachable,
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled,
        ) => Trouble::Permission,
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            return Failure::new(
                Trouble::Statement,
                "the server has no TLS, and the URL asks for it; leave sslMode out, or set up TLS in the server",
            );
        }
        _ => Trouble::Unknown,
    };
    Failure::new(trouble, error.to_string())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure(error)
    }
}

impl Link {
    /// As [`Waiting::run`].
    pub(super) fn run<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Answer<T> {
        self.waiting.run(asked, self.cancelled())
    }

    /// Breaks off what the connection is doing; it is of no more use.
    pub(super) fn cancel(&self) {
        self.waiting.break_off(self.cancelled());
    }

    async fn cancelled(&self) {
        if let Some(identity) = &self.identity {
            // Where the server cannot be told, there is nothing more to be done.
            let _ = identity.end_statement(&self.options).await;
        }
    }
}

impl MySqlSession {
    /// The values of a row.
    fn values(&self, statement: &Statement, rows: &Rows, start: usize) -> Answer<Vec<Value>> {
        let mut values = Vec::with_capacity(statement.places.len());
        let mut size = HEAD;
        for target in &statement.places {
            let value = value(rows.cell_at(start + target.slot), rows, target, &self.zone)?;
            size += bytes(&value);
            values.push(value);
        }
        if size > self.packet {
            let text = format!(
                "the row takes {size} bytes on its way, and the server takes {} at once (max_allowed_packet)",
                self.packet
            );
            return Err(Failure::new(Trouble::Data, text));
        }
        Ok(values)
    }

    /// Writes these rows, in as few statements of a size that comes again as there can be: each size is prepared once.
    fn write_rows(&mut self, bulk: &Bulk, rows: &mut Vec<Vec<Value>>) -> Answer<()> {
        let Bulk::Rows { before, row, after } = bulk else {
            return Ok(());
        };
        let mut left = std::mem::take(rows);
        while !left.is_empty() {
            let count = 1 << left.len().ilog2();
            let after_these = left.split_off(count);
            let places = vec![row.as_str(); count].join(",");
            let sql = format!("{before}{places}{after}");
            let values = left.into_iter().flatten().collect();
            self.link
                .run(self.connection.exec_drop(sql, Params::Positional(values)))?;
            left = after_these;
        }
        Ok(())
    }
}

/// What is said of an upsert whose first assignment failed.
fn explained(failure: Failure, verb: Verb) -> Failure {
    if verb == Verb::Upsert && failure.code.as_deref() == Some(DIVISION_BY_ZERO) {
        return failure.during(
            "another row has a value of this one in another unique index of the table, and would be changed in place of the one with the \
             record's key",
        );
    }
    failure
}

/// A name as the server compares it: it tells capital letters from small ones where its files do, and `ó` from `o` always, which the
/// collation of its catalogue does not.
pub(super) fn folded(name: &str) -> String {
    format!(
        "CONVERT(IF(@@lower_case_table_names = 0, {name}, LOWER({name})) USING utf8mb4) COLLATE utf8mb4_bin"
    )
}

/// The rows of a catalogue that tell of one table. The first two comparisons are those that it is looked up by.
fn of_this_table() -> String {
    const SCHEMA: &str = "COALESCE(:schema, DATABASE())";
    format!(
        "TABLE_SCHEMA = {SCHEMA} AND TABLE_NAME = :name AND {} = {} AND {} = {}",
        folded("TABLE_SCHEMA"),
        folded(SCHEMA),
        folded("TABLE_NAME"),
        folded(":name")
    )
}

/// What [`of_this_table`] asks for.
fn names(table: &TableId) -> Params {
    let schema = table.schema.as_ref().or(table.catalog.as_ref());
    params! { "schema" => schema, "name" => &table.name }
}

impl Session for MySqlSession {
    fn describe(&mut self, table: &TableId, _quoting: Quoting) -> Answer<Option<Table>> {
        let this_table = of_this_table();
        let columns = format!(
            "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE {this_table} ORDER BY ORDINAL_POSITION"
        );
        let parts = format!(
            "SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), SUB_PART IS NULL AND COLUMN_NAME IS NOT NULL \
             FROM information_schema.STATISTICS WHERE {this_table} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX"
        );
        let connection = &mut self.connection;
        let (columns, parts) = self.link.run(async {
            let columns: Vec<(String, String)> = connection.exec(columns, names(table)).await?;
            let parts: Vec<(String, String, bool)> = connection.exec(parts, names(table)).await?;
            Ok((columns, parts))
        })?;
        if columns.is_empty() {
            return Ok(None);
        }
        // An index of a part of a column or of an expression finds no row by its column.
        let mut unique: Vec<(String, Vec<String>, bool)> = Vec::new();
        for (index, column, is_whole) in parts {
            match unique.last_mut() {
                Some((name, columns, all)) if *name == index => {
                    columns.push(column);
                    *all &= is_whole;
                }
                _ => unique.push((index, vec![column], is_whole)),
            }
        }
        Ok(Some(Table {
            id: table.clone(),
            columns: columns
                .into_iter()
                .map(|(name, type_name)| TableColumn {
                    name,
                    type_name: type_name.to_ascii_lowercase(),
                })
                .collect(),
            unique: unique
                .into_iter()
                .filter(|(.., is_whole)| *is_whole)
                .map(|(_, columns, _)| columns)
                .collect(),
        }))
    }

    fn engine_without_transactions(&mut self, table: &TableId) -> Answer<Option<String>> {
        let this_table = of_this_table();
        let sql = format!(
            "SELECT t.ENGINE FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE {this_table} AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'"
        );
        let engine: Option<String> = self.link.run(self.connection.exec_first(sql, names(table)))?;
        self.rolls_back &= engine.is_none();
        Ok(engine)
    }

    fn execute(&mut self, sql: &str) -> Answer<()> {
        self.link.run(self.connection.query_drop(sql))
    }

    fn begin(&mut self) -> Answer<()> {
        self.execute("START TRANSACTION")
    }

    // Some engines without transactions know no savepoints either. Where there is one of them, rows may be written twice in any case.

    fn set_savepoint(&mut self) -> Answer<()> {
        if self.rolls_back {
            self.execute("SAVEPOINT wharf")
        } else {
            Ok(())
        }
    }

    fn release_savepoint(&mut self) -> Answer<()> {
        if self.rolls_back {
            self.execute("RELEASE SAVEPOINT wharf")
        } else {
            Ok(())
        }
    }

    fn back_to_savepoint(&mut self) -> Answer<bool> {
        if self.rolls_back {
            self.execute("ROLLBACK TO SAVEPOINT wharf")?;
            self.release_savepoint()?;
        }
        Ok(true)
    }

    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure> {
        let prepared = self.link.run(self.connection.prep(statement.sql.as_str()))?;
        for (number, chunk) in starts.chunks(CHUNK).enumerate() {
            let at = |index: usize| number * CHUNK + index;
            let mut values = Vec::with_capacity(chunk.len());
            let mut bad = None;
            for (index, start) in chunk.iter().enumerate() {
                match self.values(statement, rows, *start) {
                    Ok(row) => values.push(row),
                    Err(failure) => {
                        bad = Some(WriteFailure {
                            row: Some(at(index)),
                            failure,
                        });
                        break;
                    }
                }
            }
            // Each by itself: the time that a statement may take is one statement's.
            for (index, row) in values.into_iter().enumerate() {
                self.link
                    .run(self.connection.exec_drop(&prepared, Params::Positional(row)))
                    .map_err(|failure| WriteFailure {
                        row: Some(at(index)),
                        failure: explained(failure, statement.verb),
                    })?;
            }
            if let Some(bad) = bad {
                return Err(bad);
            }
        }
        Ok(())
    }

    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()> {
        let Some(bulk) = &statement.bulk else {
            return self
                .write(statement, rows, starts)
                .map_err(|failed| failed.failure);
        };
        let most_places = match statement.verb {
            Verb::Delete => MOST_LISTED,
            _ => MOST_PLACES,
        };
        let most_rows = (most_places / statement.places.len().max(1)).clamp(1, MOST_ROWS);
        let most_bytes = MOST_BYTES.min(self.packet) - HEAD.min(self.packet);
        let mut waiting: Vec<Vec<Value>> = Vec::new();
        let mut size = 0;
        for start in starts {
            let row = self.values(statement, rows, *start)?;
            let row_size: usize = row.iter().map(bytes).sum();
            if waiting.len() == most_rows || size + row_size > most_bytes {
                self.write_rows(bulk, &mut waiting)?;
                size = 0;
            }
            size += row_size;
            waiting.push(row);
        }
        self.write_rows(bulk, &mut waiting)
    }

    fn commit(&mut self) -> Answer<()> {
        self.link.waiting.finish(self.connection.query_drop("COMMIT"))
    }

    /// Also one that is told to end has an answer that says nothing of the commit.
    fn may_have_committed(&self, failure: &Failure) -> bool {
        const TOLD_TO_END: [&str; 3] = ["1317", "1969", "3024"];
        failure.is(Trouble::Unreachable)
            || failure.is(Trouble::Unknown)
            || failure
                .code
                .as_deref()
                .is_some_and(|code| TOLD_TO_END.contains(&code))
    }
}
