//! SQLite, through the library itself.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};
use wharf_api::Decimal;

use super::{Session, Stop, WriteFailure};
use crate::connection_config::ConnectionConfig;
use crate::dialect::{Statement, Table, TableColumn, Target};
use crate::failure::{Answer, Failure, Trouble};
use crate::sink::cell::{Cell, Rows};
use crate::table_id::{Quoting, TableId};

/// How long a write waits for others who write to the same file, unless the URL says otherwise.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a write that waits tries again, and looks whether the task is to stop.
const BUSY_STEP: Duration = Duration::from_millis(20);
/// The most digits that a number with a point keeps, and one of any kind in a column of approximate numbers.
const MOST_DIGITS: usize = 15;

/// Settings that a URL may carry.
const PRAGMAS: [&str; 9] = [
    "busy_timeout",
    "cache_size",
    "foreign_keys",
    "journal_mode",
    "locking_mode",
    "mmap_size",
    "recursive_triggers",
    "synchronous",
    "temp_store",
];

pub(super) struct SqliteSession {
    pub(super) connection: Connection,
    /// The time before the transaction that reads.
    pub(super) began: SystemTime,
    /// How many rows refer to one that is not there, since constraints were looked at in this transaction.
    orphans: Option<i64>,
}

/// A connection that waits for others no longer when the task is to stop.
pub(super) fn connect(config: &ConnectionConfig, stop: &Stop) -> Answer<Box<dyn Session>> {
    let mut session = session(
        config,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    )?;
    let patience = session
        .connection
        .query_row("PRAGMA busy_timeout", [], |row| row.get(0))
        .map_err(failure)?;
    let patience = Duration::from_millis(u32::into(patience));
    let stop = Stop::clone(stop);
    let mut since = Instant::now();
    session
        .connection
        .busy_handler(Some(move |count| {
            if count == 0 {
                since = Instant::now();
            }
            let goes_on = since.elapsed() < patience && !super::is_stopping(&stop);
            if goes_on {
                thread::sleep(BUSY_STEP);
            }
            goes_on
        }))
        .map_err(failure)?;
    Ok(Box::new(session))
}

/// A connection whose statements are broken off when the task is to stop.
pub(super) fn connect_to_read(config: &ConnectionConfig, stop: &Stop) -> Answer<Box<dyn super::ReadSession>> {
    /// Some milliseconds of work.
    const STEPS: i32 = 100_000;
    // Not made when it is not there, and not opened for reading alone: what another process left unfinished is then finished.
    let mut session = session(config, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let stop = Stop::clone(stop);
    session
        .connection
        .progress_handler(STEPS, Some(move || super::is_stopping(&stop)))
        .map_err(failure)?;
    Ok(Box::new(session))
}

/// Refuses values that are none of a setting.
pub(super) fn check_url(config: &ConnectionConfig) -> Answer<()> {
    let is_good = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    for (key, value) in &config.url.parameters {
        let is_setting = PRAGMAS.contains(&key.to_ascii_lowercase().as_str());
        if is_setting && !value.chars().all(is_good) {
            let text = format!("'{value}' is no value for parameter {key} of connection.url");
            return Err(Failure::new(Trouble::Statement, text));
        }
    }
    Ok(())
}

fn session(config: &ConnectionConfig, flags: OpenFlags) -> Answer<SqliteSession> {
    check_url(config)?;
    let mut flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut name = config.url.name.clone();
    if config.only_looks {
        flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if is_at_rest(&name) {
            name = unchanging(&name);
        }
    }
    if name.starts_with("file:") {
        flags |= OpenFlags::SQLITE_OPEN_URI;
    }
    let connection = Connection::open_with_flags(&name, flags).map_err(failure)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failure)?;
    for (key, value) in &config.url.parameters {
        let pragma = key.to_ascii_lowercase();
        if !PRAGMAS.contains(&pragma.as_str()) {
            tracing::warn!(target: super::LOG, "parameter {key} of {} has no meaning here", config.url);
            continue;
        }
        // Some answer with a row.
        connection
            .pragma_update_and_check(None, &pragma, value, |_| Ok(()))
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(()),
                error => Err(failure(error)),
            })?;
    }
    Ok(SqliteSession {
        connection,
        began: SystemTime::UNIX_EPOCH,
        orphans: None,
    })
}

/// Whether nobody is writing: neither a log nor a journal is there. Whoever only reads a file with a log (WAL) makes the log and cannot take
/// it away again. The file itself is not opened here: closing it would take the locks that a task of this process has on it.
fn is_at_rest(name: &str) -> bool {
    let is_there = |end: &str| Path::new(&format!("{name}{end}")).exists();
    !is_there("-wal") && !is_there("-journal")
}

/// The name under which a file is read as one that nobody changes, and nothing is made beside it.
fn unchanging(name: &str) -> String {
    const PLAIN: AsciiSet = NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_');
    // Two slashes would begin the name of a host.
    let root = if name.starts_with('/') { "//" } else { "" };
    format!("file:{root}{}?immutable=1", utf8_percent_encode(name, &PLAIN))
}

pub(super) fn failure(error: rusqlite::Error) -> Failure {
    if let rusqlite::Error::ToSqlConversionFailure(reason) = &error {
        return Failure::new(Trouble::Data, reason.to_string());
    }
    // A statement that is none, or of a table or column that is not there.
    if let rusqlite::Error::SqlInputError { msg, .. } = &error {
        return Failure::new(Trouble::Statement, msg.clone());
    }
    let code = error.sqlite_error_code();
    let trouble = match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SchemaChanged) => {
            Trouble::Contention
        }
        Some(
            ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::ParameterOutOfRange,
        ) => Trouble::Data,
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => Trouble::Capacity,
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::NotFound) => {
            Trouble::Unreachable
        }
        Some(
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied,
        ) => Trouble::Permission,
        Some(ErrorCode::OperationInterrupted | ErrorCode::OperationAborted) => Trouble::Cancelled,
        Some(
            ErrorCode::Unknown | ErrorCode::ApiMisuse | ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt,
        ) => Trouble::Statement,
        _ => Trouble::Unknown,
    };
    let failure = Failure::new(trouble, error.to_string());
    match error.sqlite_error() {
        Some(code) => failure.with_code(format!("SQLITE {}", code.extended_code)),
        None => failure,
    }
}

impl SqliteSession {
    fn names(&self, sql: &str, parameters: &[&dyn ToSql]) -> Answer<Vec<String>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failure)?;
        let names = statement
            .query_map(parameters, |row| row.get::<_, Option<String>>(0))
            .map_err(failure)?;
        // A part of an index that is an expression has no name.
        names
            .map(|name| name.map(Option::unwrap_or_default).map_err(failure))
            .collect()
    }
}

impl Session for SqliteSession {
    fn describe(&mut self, table: &TableId, _quoting: Quoting) -> Answer<Option<Table>> {
        let schema = table.schema.as_deref().unwrap_or("main");
        let mut keys: Vec<(i64, String)> = Vec::new();
        let mut columns = Vec::new();
        {
            let mut statement = self
                .connection
                .prepare_cached("SELECT name, type, pk FROM pragma_table_info(?1, ?2)")
                .map_err(failure)?;
            let mut found = statement.query([&table.name, schema]).map_err(failure)?;
            while let Some(row) = found.next().map_err(failure)? {
                let read = || -> rusqlite::Result<_> {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, i64>(2)?,
                    ))
                };
                let (name, type_name, key) = read().map_err(failure)?;
                if key > 0 {
                    keys.push((key, name.clone()));
                }
                columns.push(TableColumn { name, type_name });
            }
        }
        if columns.is_empty() {
            return Ok(None);
        }
        keys.sort();
        let mut unique: Vec<Vec<String>> = Vec::new();
        if !keys.is_empty() {
            unique.push(keys.into_iter().map(|(_, name)| name).collect());
        }
        let indexes = self.names(
            "SELECT name FROM pragma_index_list(?1, ?2) WHERE \"unique\" = 1 AND partial = 0",
            &[&table.name, &schema],
        )?;
        for index in indexes {
            unique.push(self.names(
                "SELECT name FROM pragma_index_info(?1, ?2) ORDER BY seqno",
                &[&index, &schema],
            )?);
        }
        Ok(Some(Table {
            id: table.clone(),
            columns,
            unique,
        }))
    }

    fn execute(&mut self, sql: &str) -> Answer<()> {
        self.connection.execute_batch(sql).map_err(failure)
    }

    fn begin(&mut self) -> Answer<()> {
        self.orphans = None;
        // Waits for others here, and not in the middle of the rows.
        self.execute("BEGIN IMMEDIATE")
    }

    /// What the library answers it has done.
    fn may_have_committed(&self, _failure: &Failure) -> bool {
        false
    }

    /// References alone can wait for the end of a transaction.
    fn check_constraints(&mut self) -> Answer<()> {
        let orphans = self
            .connection
            .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
                row.get(0)
            })
            .map_err(failure)?;
        if self.orphans.is_some_and(|before| before < orphans) {
            return Err(Failure::new(Trouble::Data, "FOREIGN KEY constraint failed")
                .with_code(format!("SQLITE {}", rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY)));
        }
        self.orphans = Some(orphans);
        Ok(())
    }

    fn write(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Result<(), WriteFailure> {
        let mut prepared = self.connection.prepare_cached(&statement.sql).map_err(failure)?;
        for (index, start) in starts.iter().enumerate() {
            let at_row = |error| WriteFailure {
                row: Some(index),
                failure: failure(error),
            };
            for (place, target) in statement.places.iter().enumerate() {
                let cell = Bound {
                    cell: rows.cell_at(start + target.slot),
                    rows,
                    target,
                };
                prepared.raw_bind_parameter(place + 1, cell).map_err(at_row)?;
            }
            prepared.raw_execute().map_err(|error| {
                let mut failed = at_row(error);
                failed.failure = of_absent_column(failed.failure, statement);
                failed
            })?;
        }
        Ok(())
    }

    fn write_bulk(&mut self, statement: &Statement, rows: &Rows, starts: &[usize]) -> Answer<()> {
        // There is no bulk form: nothing lies between the statement and the file.
        self.write(statement, rows, starts)
            .map_err(|failed| failed.failure)
    }
}

/// A cell as SQLite keeps it. Times are kept as the JVM's driver keeps them, milliseconds since the epoch, unless the column is
/// declared as text: then in ISO 8601.
struct Bound<'a> {
    cell: &'a Cell,
    rows: &'a Rows,
    target: &'a Target,
}

impl Bound<'_> {
    fn is_text_column(&self) -> bool {
        self.is_declared_as(&["CHAR", "CLOB", "TEXT"])
    }

    fn is_declared_as(&self, words: &[&str]) -> bool {
        let declared = self.target.type_name.to_ascii_uppercase();
        words.iter().any(|word| declared.contains(word))
    }

    /// A column of numbers keeps whole ones of 64 bits, and of all others so many digits.
    fn decimal(&self, decimal: &Decimal) -> rusqlite::Result<Value> {
        let text = decimal.to_string();
        let keeps_all =
            self.is_text_column() || self.is_declared_as(&["BLOB"]) || self.target.type_name.is_empty();
        if keeps_all {
            return Ok(Value::Text(text));
        }
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => Some(whole),
            Some(_) => None,
            None => Some(text.as_str()),
        };
        let is_approximate = self.is_declared_as(&["REAL", "FLOA", "DOUB"]) && !self.is_declared_as(&["INT"]);
        if let Some(Ok(number)) = whole.map(str::parse).filter(|_| !is_approximate) {
            return Ok(Value::Integer(number));
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_matches('0').len();
        if digits > MOST_DIGITS {
            let text = format!(
                "column '{}' of type {} keeps {MOST_DIGITS} digits of a number, and this one has {digits}; declare the column as TEXT",
                self.target.name, self.target.type_name
            );
            return Err(rusqlite::Error::ToSqlConversionFailure(text.into()));
        }
        Ok(Value::Text(text))
    }
}

/// A column that has to have a value, and that no record has a field for, is no row's fault.
fn of_absent_column(failure: Failure, statement: &Statement) -> Failure {
    let not_null = format!("SQLITE {}", rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL);
    if failure.code != Some(not_null) {
        return failure;
    }
    // `NOT NULL constraint failed: table.column`
    let column = failure.message.rsplit('.').next().unwrap_or_default().to_owned();
    failure.unless_written(&column, statement)
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use crate::dialect::{iso_date, iso_time};
        let owned = |value: Value| Ok(ToSqlOutput::Owned(value));
        match self.cell {
            Cell::Null => owned(Value::Null),
            Cell::Boolean(value) => owned(Value::Integer((*value).into())),
            Cell::Integer(number) => owned(Value::Integer(*number)),
            Cell::Float32(number) => owned(Value::Real((*number).into())),
            Cell::Float64(number) => owned(Value::Real(*number)),
            Cell::Decimal(decimal) => owned(self.decimal(decimal)?),
            Cell::Text(span) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.rows.stored(*span)))),
            Cell::Bytes(span) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.rows.stored(*span)))),
            Cell::Date(days) if self.is_text_column() => owned(Value::Text(iso_date(*days))),
            Cell::Date(days) => owned(Value::Integer(days * 86_400_000)),
            Cell::Time(millis) if self.is_text_column() => owned(Value::Text(iso_time(*millis))),
            Cell::Time(millis) => owned(Value::Integer(*millis)),
            Cell::Timestamp(seconds, nanos) => {
                let millis = i64::from(nanos / 1_000_000);
                if self.is_text_column() {
                    let of_day = seconds.rem_euclid(86_400) * 1000 + millis;
                    let date = iso_date(seconds.div_euclid(86_400));
                    return owned(Value::Text(format!("{date} {}", iso_time(of_day))));
                }
                owned(Value::Integer(
                    seconds.saturating_mul(1000).saturating_add(millis),
                ))
            }
            Cell::Array(_) => Err(rusqlite::Error::ToSqlConversionFailure(
                "an array has no place in SQLite".into(),
            )),
        }
    }
}
