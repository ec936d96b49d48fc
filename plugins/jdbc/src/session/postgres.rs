//! PostgreSQL, through its own protocol.

use std::collections::HashMap;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::tz::TimeZone;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config};

use super::postgres_values::{Column, Place, Unencodable, types};
use super::tls::{self, Tls};
use super::waiting::{Bound, Waiting};
use super::{Session, Stop, WriteFailure};
use crate::connection_config::ConnectionConfig;
use crate::dialect::{Bulk, POSTGRES_FOLDED_TEXT, Statement, Table, TableColumn};
use crate::failure::{Answer, Failure, Trouble, of_sqlstate};
use crate::sink::cell::Rows;
use crate::table_id::{Quoting, TableId};

/// How long a connection may take to come about, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many rows are on their way to the server at once.
const PIPELINE: usize = 200;
/// The most statements that are kept prepared.
const MOST_PREPARED: usize = 256;
/// When an idle connection is asked whether it still lives, how often, and when it is given up.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// When a connection is given up whose other end takes nothing, unless the URL says otherwise.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);
/// How long a lock is waited for, unless the server or the URL's `options` say otherwise.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// A value is missing.
const NOT_NULL: &str = "23502";
/// The function of the server that holds a row against row security; its code is that of a user without rights.
const ROW_SECURITY: &str = "ExecWithCheckOptions";
const NO_RIGHT: &str = "42501";
/// What all statements after a failed one of the same transaction are answered with.
const IN_FAILED_TRANSACTION: &str = "25P02";

/// Parameters of the JVM's driver that have no meaning here and no bearing on safety.
const MEANINGLESS: [&str; 13] = [
    "allowEncodingChanges",
    "autosave",
    "binaryTransfer",
    "cleanupSavepoints",
    "defaultRowFetchSize",
    "loggerLevel",
    "logUnclosedConnections",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "preparedStatementCacheSizeMiB",
    "reWriteBatchedInserts",
    "stringtype",
    "unknownLength",
];

pub(super) struct PostgresSession {
    waiting: Waiting,
    pub(super) client: Client,
    tls: Tls,
    /// By text and types: a text for one row says nothing of its types.
    statements: HashMap<(String, Vec<Type>), tokio_postgres::Statement>,
    pub(super) zone: TimeZone,
}

pub(super) fn connect(config: &ConnectionConfig, stop: Stop) -> Answer<Box<dyn Session>> {
    let mut session = session(config, stop)?;
    // Floats as texts have all digits, by which rows are compared.
    session.execute(&format!(
        "SET extra_float_digits = 3; \
         SELECT set_config('lock_timeout', '{}', false) WHERE current_setting('lock_timeout') = '0'",
        LOCK_TIMEOUT.as_millis()
    ))?;
    Ok(Box::new(session))
}

/// A connection in which statements have no limit of time, since a whole table may be read by one; `patience` is how long the server
/// may be silent.
pub(super) fn connect_to_read(
    config: &ConnectionConfig,
    stop: Stop,
    isolation: Option<&str>,
) -> Answer<Box<dyn super::ReadSession>> {
    let mut session = session(config, stop)?;
    session.execute("SET statement_timeout = 0")?;
    if let Some(isolation) = isolation {
        session.execute(&format!(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {isolation}"
        ))?;
    }
    Ok(Box::new(session))
}

fn session(config: &ConnectionConfig, stop: Stop) -> Answer<PostgresSession> {
    let tls = tls::tls(&config.url.parameters)?;
    let settings = settings(config, tls.mode)?;
    let connector = tls.connector.clone();
    let connecting = async {
        let (client, connection) = settings.connect(connector).await?;
        // Ends with the client, or tells of its end through it.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(target: super::LOG, "the connection ended: {error}");
            }
        });
        Ok(client)
    };
    let bound = Bound::of_statements(config.statement_timeout);
    let (waiting, client) = Waiting::connect(stop, bound, async {
        match tokio::time::timeout(CONNECT_TIMEOUT * 3, connecting).await {
            Ok(connected) => connected.map_err(failure),
            Err(_) => Err(Failure::new(
                Trouble::Unreachable,
                "the server took the connection and said nothing more",
            )),
        }
    })?;
    let mut session = PostgresSession {
        waiting,
        client,
        tls,
        statements: HashMap::new(),
        zone: config.zone.clone(),
    };
    session.set_up(config)?;
    Ok(session)
}

/// Refuses what of the URL cannot be held.
pub(super) fn check_url(config: &ConnectionConfig) -> Answer<()> {
    let tls = tls::tls(&config.url.parameters)?;
    settings(config, tls.mode).map(drop)
}

/// The same without the files that it names.
pub(super) fn check_text(config: &ConnectionConfig) -> Answer<()> {
    let wanted = tls::wanted(&config.url.parameters)?;
    settings(config, wanted.mode).map(drop)
}

fn settings(config: &ConnectionConfig, mode: SslMode) -> Answer<Config> {
    let url = &config.url;
    let mut settings = Config::new();
    for server in &url.servers {
        settings.host(&server.host).port(server.port);
    }
    settings
        .dbname(&url.name)
        .application_name("wharf")
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(UNACKNOWLEDGED)
        .ssl_mode(mode);
    if let Some(user) = &config.user {
        settings.user(user);
    }
    if let Some(password) = &config.password {
        settings.password(password.reveal());
    }
    for (key, value) in &url.parameters {
        let wrong = || {
            let text = format!("'{value}' is no value for parameter {key} of connection.url");
            Failure::new(Trouble::Statement, text)
        };
        match key.as_str() {
            "ApplicationName" => drop(settings.application_name(value)),
            "connectTimeout" | "loginTimeout" => {
                let seconds: u64 = value.parse().map_err(|_| wrong())?;
                if seconds > 0 {
                    settings.connect_timeout(Duration::from_secs(seconds));
                }
            }
            "tcpKeepAlive" => drop(settings.keepalives(value == "true")),
            "socketTimeout" => {
                let seconds: u64 = value.parse().map_err(|_| wrong())?;
                if seconds > 0 {
                    settings.tcp_user_timeout(Duration::from_secs(seconds));
                }
            }
            "options" => drop(settings.options(value)),
            "targetServerType" => drop(settings.target_session_attrs(match value.as_str() {
                "primary" | "master" => TargetSessionAttrs::ReadWrite,
                "secondary" | "slave" => TargetSessionAttrs::ReadOnly,
                "any" | "preferSecondary" | "preferPrimary" | "preferSlave" => TargetSessionAttrs::Any,
                _ => return Err(wrong()),
            })),
            "currentSchema" => {}
            _ if tls::PARAMETERS.contains(&key.as_str()) => {}
            _ if MEANINGLESS.contains(&key.as_str()) => {
                tracing::debug!(target: super::LOG, "parameter {key} of connection.url has no meaning here");
            }
            "gssEncMode" if matches!(value.as_str(), "disable" | "allow" | "prefer") => {}
            "channelBinding" if matches!(value.as_str(), "disable" | "prefer") => {}
            _ => match tls::REFUSED.iter().find(|(name, _)| name == key) {
                Some((_, remedy)) => {
                    let text = format!("parameter {key} of connection.url is not built in: {remedy}");
                    return Err(Failure::new(Trouble::Statement, text));
                }
                None => {
                    tracing::warn!(target: super::LOG, "parameter {key} of connection.url is not known, and not used");
                }
            },
        }
    }
    Ok(settings)
}

pub(super) fn failure(error: tokio_postgres::Error) -> Failure {
    if let Some(database) = error.as_db_error() {
        return answered(database);
    }
    let source = error.source();
    if let Some(unencodable) = source.and_then(|source| source.downcast_ref::<Unencodable>()) {
        return Failure::new(Trouble::Data, unencodable.to_string());
    }
    let is_network = error.is_closed() || source.is_some_and(|source| source.is::<io::Error>());
    let trouble = if is_network {
        Trouble::Unreachable
    } else {
        Trouble::Unknown
    };
    let text = match source {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    // What the library says of a wrong or a missing password before the server does.
    let trouble = if text.contains("password") {
        Trouble::Permission
    } else {
        trouble
    };
    Failure::new(trouble, text)
}

fn answered(error: &DbError) -> Failure {
    let mut text = error.message().to_owned();
    if let Some(detail) = error.detail() {
        text.push_str(": ");
        text.push_str(detail);
    }
    let code = error.code().code();
    let trouble = match of_sqlstate(code) {
        Trouble::Permission if code == NO_RIGHT && error.routine() == Some(ROW_SECURITY) => Trouble::Data,
        trouble => trouble,
    };
    let failure = Failure::new(trouble, text).with_code(code);
    if trouble != Trouble::Data {
        return failure;
    }
    // A message, too, may have values in it.
    let mut names = "the database does not take it".to_owned();
    for (what, name) in [
        ("constraint", error.constraint()),
        ("column", error.column()),
        ("table", error.table()),
    ] {
        if let Some(name) = name {
            names.push_str(&format!(", {what} {name}"));
        }
    }
    failure.with_discreet(names)
}

/// What a statement that writes failed with.
fn of_write(error: tokio_postgres::Error, statement: &Statement) -> Failure {
    let absent = error
        .as_db_error()
        // Not by a trigger.
        .filter(|error| error.code().code() == NOT_NULL && error.where_().is_none())
        .and_then(DbError::column)
        .map(str::to_owned);
    match absent {
        Some(column) => failure(error).unless_written(&column, statement),
        None => failure(error),
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        failure(error)
    }
}

impl PostgresSession {
    fn set_up(&mut self, config: &ConnectionConfig) -> Answer<()> {
        let timeout = config.statement_timeout.as_millis();
        self.execute(&format!("SET statement_timeout = {timeout}; SET TIME ZONE 'UTC'"))?;
        match config.url.parameters.get("currentSchema") {
            // A list as the server reads it: names without quotes are in small letters.
            Some(schemas) => self
                .run(
                    self.client
                        .execute("SELECT set_config('search_path', $1, false)", &[schemas]),
                )
                .map(drop),
            None => Ok(()),
        }
    }

    /// As [`Waiting::run`].
    pub(super) fn run<T>(&self, asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Answer<T> {
        self.waiting.run(asked, self.cancelled())
    }

    /// Breaks off what the connection is doing; it is of no more use.
    pub(super) fn cancel(&self) {
        self.waiting.break_off(self.cancelled());
    }

    async fn cancelled(&self) {
        let connector = self.tls.connector.clone();
        // Where the server cannot be told, there is nothing more to be done.
        let _ = self.client.cancel_token().cancel_query(connector).await;
    }

    fn prepared(
        &mut self,
        sql: &str,
        statement: &Statement,
        bulk: bool,
    ) -> Answer<tokio_postgres::Statement> {
        let key = (sql.to_owned(), types(&statement.places, bulk));
        if let Some(prepared) = self.statements.get(&key) {
            return Ok(prepared.clone());
        }
        let prepared = self.run(self.client.prepare_typed(sql, &key.1))?;
        if self.statements.len() >= MOST_PREPARED {
            self.statements.clear();
        }
        self.statements.insert(key, prepared.clone());
        Ok(prepared)
    }
}

const TABLE: &str = "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)::oid";
// A domain is what it is made of: a cast to the domain itself would cut texts to its length. A bit string has its length, which
// numbers are cast to. Before PostgreSQL 12 no collation says whether it is deterministic.
const COLUMNS: &str = "SELECT a.attname::text, \
    COALESCE((to_jsonb(c) ->> 'collisdeterministic')::bool, true), \
    format_type(b.base, CASE WHEN b.base = 'bit'::regtype THEN b.modifier END) \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation, \
    LATERAL (SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END AS base, \
    CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier) b \
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
const UNIQUE: &str = "SELECT (SELECT array_agg(a.attname::text ORDER BY k.n) \
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts) \
    FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
    AND i.indpred IS NULL AND i.indexprs IS NULL";

impl Session for PostgresSession {
    fn describe(&mut self, table: &TableId, quoting: Quoting) -> Answer<Option<Table>> {
        let name = table.sql(quoting);
        let client = &self.client;
        self.run(async {
            let Some(row) = client.query_opt(TABLE, &[&name]).await? else {
                return Ok(None);
            };
            let oid: u32 = row.try_get(0)?;
            let mut columns = Vec::new();
            for row in client.query(COLUMNS, &[&oid]).await? {
                let (is_exact, type_name): (bool, String) = (row.try_get(1)?, row.try_get(2)?);
                let is_text = matches!(type_name.as_str(), "text" | "character varying");
                columns.push(TableColumn {
                    name: row.try_get(0)?,
                    type_name: match is_exact || !is_text {
                        true => type_name,
                        false => POSTGRES_FOLDED_TEXT.to_owned(),
                    },
                });
            }
            let mut unique = Vec::new();
            for row in client.query(UNIQUE, &[&oid]).await? {
                unique.push(row.try_get::<_, Option<Vec<String>>>(0)?.unwrap_or_default());
            }
            Ok(Some(Table {
                id: table.clone(),
                columns,
                unique,
            }))
        })
    }

    fn execute(&mut self, sql: &str) -> Answer<()> {
        self.run(self.client.batch_execute(sql))
    }

    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure> {
        let prepared = self.prepared(&statement.sql, statement, false)?;
        let mut done = 0;
        for chunk in starts.chunks(PIPELINE) {
            let places: Vec<Vec<Place<'_>>> = chunk
                .iter()
                .map(|start| {
                    statement
                        .places
                        .iter()
                        .map(|target| Place {
                            cell: rows.cell_at(start + target.slot),
                            rows,
                            zone: &self.zone,
                        })
                        .collect()
                })
                .collect();
            let client = &self.client;
            let answers = self.run(async {
                let sent = places
                    .iter()
                    .map(|places| client.execute_raw(&prepared, places.iter()));
                Ok(join_all(sent).await)
            })?;
            for (index, answer) in answers.into_iter().enumerate() {
                let Err(error) = answer else { continue };
                let failure = of_write(error, statement);
                // Those after it are refused for its sake; what is refused before it is sent does not stop them.
                if failure.code.as_deref() != Some(IN_FAILED_TRANSACTION) {
                    return Err(WriteFailure {
                        row: Some(done + index),
                        failure,
                    });
                }
            }
            done += chunk.len();
        }
        Ok(())
    }

    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()> {
        let Some(Bulk::Arrays(sql)) = &statement.bulk else {
            return self
                .write(statement, rows, starts)
                .map_err(|failed| failed.failure);
        };
        let prepared = self.prepared(sql, statement, true)?;
        let columns: Vec<Column<'_>> = statement
            .places
            .iter()
            .map(|target| Column {
                rows,
                starts,
                slot: target.slot,
                zone: &self.zone,
            })
            .collect();
        let places: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        let written = self.run(async { Ok(self.client.execute(&prepared, &places).await) })?;
        written.map(drop).map_err(|error| of_write(error, statement))
    }

    fn commit(&mut self) -> Answer<()> {
        let committed = self
            .waiting
            .finish(async { Ok::<_, Failure>(self.client.batch_execute("COMMIT").await) })?;
        committed.map_err(|error| {
            // It ends the connection, whenever it comes: what became of the commit was not said.
            let severity = error.as_db_error().and_then(DbError::parsed_severity);
            let is_end = matches!(severity, Some(Severity::Fatal | Severity::Panic));
            let failure = failure(error);
            match is_end {
                true => Failure {
                    trouble: Trouble::Unreachable,
                    ..failure
                },
                false => failure,
            }
        })
    }

    fn check_constraints(&mut self) -> Answer<()> {
        self.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    }
}
