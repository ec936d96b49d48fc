//! SQL Server, through its own protocol.
//!
//! Each statement goes with the types of its places, which `sp_executesql` keeps a plan for. Some errors (a text that is no number, a
//! trigger that rolls back) end the whole transaction and not the statement alone: [`Session::back_to_savepoint`] says so.

use std::io::ErrorKind;

use jiff::tz::TimeZone;
use tiberius::error::Error;
use tiberius::{Client, ColumnData, Query, Row, SqlBrowser};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::sqlserver_url::{self, Settings};
use super::sqlserver_values::{bytes, value};
use super::waiting::{Bound, Waiting};
use super::{Session, Stop, WriteFailure};
use crate::connection_config::ConnectionConfig;
use crate::dialect::{Bulk, Statement, Table, TableColumn};
use crate::failure::{Answer, Failure, Trouble, of_sqlserver_code};
use crate::sink::cell::Rows;
use crate::table_id::{Quoting, TableId};
use crate::url::Server;

/// `transaction.isolation.mode=SQL_SERVER_SNAPSHOT`, with spaces.
pub(crate) const SNAPSHOT: &str = "SQL SERVER SNAPSHOT";

/// The most places that a statement has, but for the two that the statement itself and its types take.
const MOST_PLACES: usize = 2_098;
/// The most rows of one list.
const MOST_ROWS: usize = 1_000;
/// The most bytes of one statement of many rows.
const MOST_BYTES: usize = 8 * 1024 * 1024;
const NOT_OPENED: &str = "4060";
const NULL_REFUSED: &str = "515";
/// How many times a server may send us on to another one.
const MOST_REDIRECTS: usize = 4;

/// Nothing is cut to fit, an error ends its statement and not the transaction wherever the server lets us choose, and a statement is a
/// transaction of its own outside of one.
const SETTINGS: &str = "SET NOCOUNT ON; SET XACT_ABORT OFF; SET IMPLICIT_TRANSACTIONS OFF; SET ANSI_NULLS ON; SET ANSI_PADDING ON; \
    SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; \
    SET TEXTSIZE 2147483647; SET ROWCOUNT 0";

pub(super) type Connection = Client<Compat<TcpStream>>;

pub(super) struct SqlServerSession {
    pub(super) connection: Connection,
    pub(super) waiting: Waiting,
    pub(super) zone: TimeZone,
}

pub(super) fn connect(config: &ConnectionConfig, stop: Stop) -> Answer<Box<dyn Session>> {
    Ok(Box::new(session(config, stop)?))
}

/// A connection whose statements may take as long as rows come; the bound is for the server's silence.
pub(super) fn connect_to_read(
    config: &ConnectionConfig,
    stop: Stop,
    isolation: Option<&str>,
) -> Answer<Box<dyn super::ReadSession>> {
    let mut session = session(config, stop)?;
    let isolation = match isolation {
        Some(SNAPSHOT) => "SNAPSHOT",
        other => other.unwrap_or("READ COMMITTED"),
    };
    session.batch(&format!("SET TRANSACTION ISOLATION LEVEL {isolation}"))?;
    Ok(Box::new(session))
}

fn session(config: &ConnectionConfig, stop: Stop) -> Answer<SqlServerSession> {
    let settings = sqlserver_url::settings(config)?;
    let bound = Bound::of_statements_and_socket(config.statement_timeout, settings.socket_timeout);
    let (waiting, connection) = quietly(|| Waiting::connect(stop, bound, connected(&settings)))?;
    let mut session = SqlServerSession {
        connection,
        waiting,
        zone: config.zone.clone(),
    };
    let limit = Some(config.statement_timeout).filter(|limit| !limit.is_zero());
    let lock = limit.into_iter().chain(settings.lock_timeout).min();
    let lock = lock.map_or(-1, |time| i32::try_from(time.as_millis()).unwrap_or(i32::MAX));
    session.batch(&format!("{SETTINGS}; SET LOCK_TIMEOUT {lock}"))?;
    Ok(session)
}

/// The first server that lets us in.
async fn connected(settings: &Settings) -> Answer<Connection> {
    let mut last = Failure::new(Trouble::Unreachable, "no server is named");
    for server in &settings.servers {
        let tried = match timeout(settings.login_timeout, login(settings, server)).await {
            Ok(tried) => tried,
            Err(_) => Err(Failure::new(
                Trouble::Unreachable,
                "the server has not answered in time (loginTimeout)",
            )),
        };
        match tried {
            // A mirror says that it cannot open the database.
            Err(failure)
                if failure.is(Trouble::Unreachable) || failure.code.as_deref() == Some(NOT_OPENED) =>
            {
                last = failure
            }
            other => return other,
        }
    }
    Err(last)
}

async fn login(settings: &Settings, server: &Server) -> Answer<Connection> {
    let mut config = settings.config.clone();
    let (mut host, mut port) = (server.host.clone(), server.port);
    let mut by_instance = settings.by_instance;
    for _ in 0..MOST_REDIRECTS {
        // Certificates are compared with it.
        config.host(&host);
        let stream = if by_instance {
            TcpStream::connect_named(&config).await.map_err(of_network)?
        } else {
            config.port(port);
            TcpStream::connect((host.as_str(), port))
                .await
                .map_err(|error| Failure::new(Trouble::Unreachable, error.to_string()))?
        };
        // What is not set goes slower, and nothing else.
        let _ = stream.set_nodelay(true);
        match Client::connect(config.clone(), stream.compat_write()).await {
            Err(Error::Routing {
                host: other_host,
                port: other_port,
            }) => {
                (host, port, by_instance) = (other_host, other_port, false);
            }
            Err(error) => return Err(of_login(error)),
            Ok(connection) => return Ok(connection),
        }
    }
    Err(Failure::new(
        Trouble::Unreachable,
        format!("the server sends us on and on, at last to {host}:{port}"),
    ))
}

/// Where an instance is has not been said.
fn of_network(error: Error) -> Failure {
    let text = match error {
        Error::Io { message, .. } => message,
        Error::Conversion(text) => text.into_owned(),
        other => other.to_string(),
    };
    Failure::new(Trouble::Unreachable, text)
}

fn of_login(error: Error) -> Failure {
    match &error {
        Error::Tls(text) if text.contains("certificate") => Failure::new(
            Trouble::Statement,
            format!(
                "the server's certificate is not trusted: {text}; name its authority by trustStore or its name by hostNameInCertificate in \
                 connection.url, or set trustServerCertificate=true"
            ),
        ),
        Error::Tls(text) => Failure::new(Trouble::Unreachable, format!("TLS: {text}")),
        Error::Protocol(text) if text.contains("encryption level") => Failure::new(
            Trouble::Statement,
            "the server has no TLS, and the URL asks for it; set encrypt=false, or set up TLS in the server",
        ),
        _ => failure(error),
    }
}

pub(super) fn failure(error: Error) -> Failure {
    let trouble = match &error {
        Error::Server(server) => {
            let trouble = of_sqlserver_code(server.code(), server.class());
            let failure = Failure::new(trouble, server.message()).with_code(server.code().to_string());
            return match server.procedure() {
                "" => failure,
                trigger => failure.during(trigger),
            };
        }
        // What is not of this protocol.
        Error::Io {
            kind: ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other,
            ..
        } => Trouble::Unknown,
        Error::Io { message, .. } => return Failure::new(Trouble::Unreachable, message.clone()),
        Error::Tls(_) => Trouble::Unreachable,
        // A text of the database that is none.
        Error::Utf8 | Error::Utf16 | Error::Encoding(_) => Trouble::Statement,
        _ => Trouble::Unknown,
    };
    Failure::new(trouble, error.to_string())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        failure(error)
    }
}

/// A column that has to have a value, and that no record has a field for, is no row's fault. What a trigger says begins with its name.
fn of_absent_column(failure: Failure, statement: &Statement) -> Failure {
    let column = failure
        .message
        .strip_prefix("Cannot insert the value NULL into column '")
        .filter(|_| failure.code.as_deref() == Some(NULL_REFUSED))
        .and_then(|rest| rest.split_once("', table '"))
        .map(|(column, _)| column.to_owned());
    match column {
        Some(column) => failure.unless_written(&column, statement),
        None => failure,
    }
}

/// Without what the library logs: it has every error of the server, with the values of its row, whatever becomes of it.
pub(super) fn quietly<T>(act: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), act)
}

/// Breaks off what the connection is doing; it is of no more use.
pub(super) fn cancel(waiting: &Waiting, connection: &mut Connection) {
    quietly(|| {
        waiting.break_off(async {
            // Where the server cannot be told, the statement ends with its connection.
            let _ = connection.cancel_query().await;
        });
    });
}

impl SqlServerSession {
    /// Waits for an answer. A statement that is no longer waited for is cancelled by its own connection.
    pub(super) fn run<T>(&mut self, ask: impl AsyncFnOnce(&mut Connection) -> Result<T, Error>) -> Answer<T> {
        let Self {
            connection, waiting, ..
        } = self;
        match quietly(|| waiting.wait(ask(&mut *connection))) {
            Ok(answer) => answer.map_err(failure),
            Err(why) => {
                cancel(waiting, connection);
                Err(why)
            }
        }
    }

    /// Runs a text as it is. What it sets stays set, which in a statement with places it would not.
    pub(super) fn batch(&mut self, sql: &str) -> Answer<()> {
        self.run(async |connection| all(connection, sql).await.map(drop))
    }

    /// The rows of a query with texts in its places.
    pub(super) fn query(&mut self, sql: &str, places: &[Option<&str>]) -> Answer<Vec<Row>> {
        self.run(async |connection| {
            let mut query = Query::new(sql);
            for place in places {
                query.bind(*place);
            }
            query.query(connection).await?.into_first_result().await
        })
    }

    fn values<'r>(&self, statement: &Statement, rows: &'r Rows, start: usize) -> Answer<Vec<ColumnData<'r>>> {
        let places = statement.places.iter();
        places
            .map(|target| value(rows.cell_at(start + target.slot), rows, target, &self.zone))
            .collect()
    }

    /// Runs a statement with values in its places.
    fn send<'v>(&mut self, sql: &str, values: impl IntoIterator<Item = ColumnData<'v>>) -> Answer<()> {
        let mut query = Query::new(sql);
        for value in values {
            query.bind(value);
        }
        self.run(async |connection| query.execute(connection).await.map(drop))
    }

    /// Writes rows in lists, each as large as the server takes it.
    fn write_lists(
        &mut self,
        bulk: &Bulk,
        statement: &Statement,
        rows: &Rows,
        starts: &[usize],
    ) -> Answer<()> {
        let most = (MOST_PLACES / statement.places.len().max(1)).clamp(1, MOST_ROWS);
        let mut waiting: Vec<Vec<ColumnData<'_>>> = Vec::new();
        let mut size = 0;
        for start in starts {
            let row = self.values(statement, rows, *start)?;
            let row_size: usize = row.iter().map(bytes).sum();
            if waiting.len() == most || size + row_size > MOST_BYTES {
                self.write_rows(bulk, std::mem::take(&mut waiting), most)?;
                size = 0;
            }
            size += row_size;
            waiting.push(row);
        }
        self.write_rows(bulk, waiting, most)
    }

    /// Writes these rows; all statements but the largest have a number of rows that comes again, for the sake of their plans.
    fn write_rows(&mut self, bulk: &Bulk, rows: Vec<Vec<ColumnData<'_>>>, most: usize) -> Answer<()> {
        let mut left = rows;
        while !left.is_empty() {
            let count = if left.len() >= most {
                most
            } else {
                1 << left.len().ilog2()
            };
            let after_these = left.split_off(count);
            let sql = listed(bulk, left.len());
            self.send(&sql, left.into_iter().flatten())?;
            left = after_these;
        }
        Ok(())
    }
}

/// The statement for so many rows, its places numbered.
fn listed(bulk: &Bulk, count: usize) -> String {
    let Bulk::Rows { before, row, after } = bulk else {
        return String::new();
    };
    let mut sql = before.clone();
    let mut number = 0;
    for index in 0..count {
        if index > 0 {
            sql.push(',');
        }
        let mut parts = row.split('?');
        sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            number += 1;
            sql.push_str(&format!("@P{number}"));
            sql.push_str(part);
        }
    }
    sql.push_str(after);
    sql
}

async fn all(connection: &mut Connection, sql: &str) -> Result<Vec<Vec<Row>>, Error> {
    connection.simple_query(sql).await?.into_results().await
}

/// What goes before `sys.` for tables of another database.
pub(super) fn of_catalog(table: &TableId, quoting: Quoting) -> String {
    match &table.catalog {
        Some(catalog) => format!("{}.", exact(quoting).name(catalog)),
        None => String::new(),
    }
}

/// With quotes always: as `OBJECT_ID` has to have it.
pub(super) fn exact(quoting: Quoting) -> Quoting {
    Quoting {
        always: true,
        ..quoting
    }
}

/// A type of another code page than places would be cast to is told as one that they are not cast to.
fn columns_of(catalog: &str) -> String {
    format!(
        "SELECT c.name, CASE WHEN t.name IN ('char', 'varchar') AND CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int) <> \
         CAST(COLLATIONPROPERTY(CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)), 'CodePage') AS int) \
         THEN 'nvarchar' ELSE COALESCE(t.name, 'other') END \
         FROM {catalog}sys.columns AS c LEFT JOIN {catalog}sys.types AS t \
         ON t.user_type_id = c.system_type_id WHERE c.object_id = OBJECT_ID(@P1) ORDER BY c.column_id"
    )
}

fn unique_of(catalog: &str) -> String {
    format!(
        "SELECT i.name, c.name FROM {catalog}sys.indexes AS i \
         JOIN {catalog}sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
         JOIN {catalog}sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
         WHERE i.object_id = OBJECT_ID(@P1) AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 \
         AND k.is_included_column = 0 ORDER BY i.index_id, k.key_ordinal"
    )
}

/// The text of a column that is one.
pub(super) fn text(row: &Row, at: usize) -> Answer<String> {
    Ok(row.try_get::<&str, _>(at)?.unwrap_or_default().to_owned())
}

impl Session for SqlServerSession {
    fn describe(&mut self, table: &TableId, quoting: Quoting) -> Answer<Option<Table>> {
        let catalog = of_catalog(table, quoting);
        let name = table.sql(exact(quoting));
        let mut columns = Vec::new();
        for row in self.query(&columns_of(&catalog), &[Some(&name)])? {
            columns.push(TableColumn {
                name: text(&row, 0)?,
                type_name: text(&row, 1)?,
            });
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let mut indexes: Vec<(String, Vec<String>)> = Vec::new();
        for row in self.query(&unique_of(&catalog), &[Some(&name)])? {
            let (index, column) = (text(&row, 0)?, text(&row, 1)?);
            match indexes.last_mut() {
                Some((name, columns)) if *name == index => columns.push(column),
                _ => indexes.push((index, vec![column])),
            }
        }
        Ok(Some(Table {
            id: table.clone(),
            columns,
            unique: indexes.into_iter().map(|(_, columns)| columns).collect(),
        }))
    }

    fn execute(&mut self, sql: &str) -> Answer<()> {
        self.batch(sql)
    }

    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure> {
        for (index, start) in starts.iter().enumerate() {
            self.values(statement, rows, *start)
                .and_then(|values| self.send(&statement.sql, values))
                .map_err(|failure| WriteFailure {
                    row: Some(index),
                    failure: of_absent_column(failure, statement),
                })?;
        }
        Ok(())
    }

    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()> {
        let places = statement.places.len().max(1);
        let Some(bulk) = statement.bulk.as_ref().filter(|_| places <= MOST_PLACES) else {
            return self
                .write(statement, rows, starts)
                .map_err(|failed| failed.failure);
        };
        self.write_lists(bulk, statement, rows, starts)
            .map_err(|failure| of_absent_column(failure, statement))
    }

    fn begin(&mut self) -> Answer<()> {
        self.batch("BEGIN TRANSACTION")
    }

    fn commit(&mut self) -> Answer<()> {
        let Self {
            connection, waiting, ..
        } = self;
        quietly(|| waiting.finish(all(connection, "COMMIT TRANSACTION"))).map(drop)
    }

    fn roll_back(&mut self) -> Answer<()> {
        self.batch("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")
    }

    fn set_savepoint(&mut self) -> Answer<()> {
        self.batch("SAVE TRANSACTION wharf")
    }

    /// The next one of the same name takes its place.
    fn release_savepoint(&mut self) -> Answer<()> {
        Ok(())
    }

    fn back_to_savepoint(&mut self) -> Answer<bool> {
        const BACK: &str = "IF XACT_STATE() = 1 BEGIN ROLLBACK TRANSACTION wharf; SELECT 1 END \
            ELSE BEGIN IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SELECT 0 END";
        let found = self.run(async |connection| all(connection, BACK).await)?;
        let is_whole = found.iter().flatten().next();
        let is_whole = is_whole.map(|row| row.try_get::<i32, _>(0)).transpose()?;
        Ok(is_whole.flatten() == Some(1))
    }
}

#[cfg(test)]
#[path = "sqlserver_tests.rs"]
mod tests;
