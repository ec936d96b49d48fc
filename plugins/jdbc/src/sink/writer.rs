//! Writes rows that wait into their tables: first the tables as they have to be, then all rows in one transaction.
//!
//! A failure that is a row's own fault is traced to the row: everything is rolled back and done again with a savepoint, and the
//! row that the database names is left out; where it names none, halves are tried. What is left out is told to the caller before
//! the others are committed: when it may not be left out, nothing is written at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wharf_api::ConnectError;

use super::config::{InsertMode, SinkConfig};
use super::pending::{Pending, PendingRow, Segment};
use super::shape::Shape;
use crate::connection_config::ConnectionConfig;
use crate::dialect::{self, Dialect, Statement, Table, Target, Verb, dialect};
use crate::failure::{Answer, Failure, Trouble};
use crate::session::{self, Session, Stop, WriteFailure};
use crate::table_id::{Quoting, TableId};

const LOG: &str = "io.confluent.connect.jdbc.sink.JdbcDbWriter";

/// Two rows of one statement have one key by the database's own equality.
const SAME_KEY_TWICE: &str = "21000";
/// The most shapes of one table whose statements are kept.
const MOST_STATEMENTS: usize = 64;
/// The most rows of one bulk statement.
const BULK_ROWS: usize = 10_000;

/// A row that the database does not take, and why.
#[derive(Debug)]
pub(crate) struct BadRow {
    pub(crate) row: PendingRow,
    pub(crate) table: Arc<TableId>,
    pub(crate) failure: Failure,
}

impl BadRow {
    fn new(row: PendingRow, segment: &Segment, failure: &Failure) -> Self {
        Self {
            row,
            table: Arc::clone(&segment.table),
            failure: failure.clone(),
        }
    }

    /// What is said of it.
    pub(crate) fn error(&self, pending: &Pending) -> ConnectError {
        let at = pending.partition(&self.row);
        ConnectError::data(format!(
            "table {} does not take the record at topic {}, partition {}, offset {}: {}",
            self.table, at.topic, at.partition, self.row.offset, self.failure
        ))
    }
}

/// The statement for records of one shape.
struct Made {
    shape: Arc<Shape>,
    statement: Arc<Statement>,
}

/// When constraints are looked at that may wait for the end of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    AtCommit,
    EachPart,
}

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The database failed, or it is not to be had.
    Database(Failure),
    /// A bad row may not be left out.
    Refused(ConnectError),
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        Self::Database(failure)
    }
}

/// Where the database is at present, and how it is logged into.
pub(crate) type Present = Box<dyn Fn() -> Result<ConnectionConfig, ConnectError> + Send>;

/// Told of each row that is to be left out; an error means that it may not be.
pub(crate) type LeaveOut<'a> = dyn FnMut(&BadRow) -> Result<(), ConnectError> + 'a;

/// Writes into one database.
pub(crate) struct Writer {
    config: Arc<SinkConfig>,
    dialect: &'static dyn Dialect,
    quoting: Quoting,
    stop: Stop,
    present: Present,
    session: Option<Box<dyn Session>>,
    /// The connection was lost in the middle of a COMMIT: its rows may be in the table.
    is_in_doubt: bool,
    tables: HashMap<Arc<TableId>, Table>,
    /// By table, for each shape of its records.
    statements: HashMap<Arc<TableId>, Vec<Made>>,
}

impl Writer {
    pub(crate) fn new(config: Arc<SinkConfig>, stop: Stop, present: Present) -> Self {
        let dialect = dialect(config.connection.url.database);
        Self {
            dialect,
            quoting: Quoting {
                quote: dialect.quote(),
                always: config.connection.quote_always,
            },
            config,
            stop,
            present,
            session: None,
            is_in_doubt: false,
            tables: HashMap::new(),
            statements: HashMap::new(),
        }
    }

    pub(crate) fn quoting(&self) -> Quoting {
        self.quoting
    }

    /// Writes everything but the rows that are left out. When it fails, nothing was written.
    pub(crate) fn write(
        &mut self,
        pending: &Pending,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<(), WriteError> {
        let was_connected = self.session.is_some();
        let mut written = self.try_write(pending, leave_out);
        // A connection that ended while nothing was asked of it, or what is known of a table no longer holds.
        if was_connected
            && !self.is_in_doubt
            && let Err(WriteError::Database(failure)) = &written
            && (failure.is(Trouble::Unreachable) || failure.is(Trouble::Statement))
        {
            tracing::debug!(target: LOG, "tried again with a new connection: {failure}");
            self.forget();
            written = self.try_write(pending, leave_out);
        }
        match &written {
            Ok(()) => self.is_in_doubt = false,
            Err(_) => self.forget(),
        }
        written
    }

    /// Whatever state the connection is in: what is not committed ends with it.
    fn forget(&mut self) {
        self.session = None;
        self.tables.clear();
        self.statements.clear();
    }

    fn try_write(&mut self, pending: &Pending, leave_out: &mut LeaveOut<'_>) -> Result<(), WriteError> {
        self.session()?;
        let mut work = Vec::with_capacity(pending.segments.len());
        for segment in pending.segments.iter().filter(|segment| !segment.rows.is_empty()) {
            match self.statement(segment) {
                Ok(Some(statement)) => work.push((segment, statement)),
                Ok(None) => {}
                Err(failure) if failure.is(Trouble::Data) => {
                    for row in &segment.rows {
                        leave_out(&BadRow::new(*row, segment, &failure)).map_err(WriteError::Refused)?;
                    }
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        match self.write_fast(&work, pending) {
            Ok(()) => Ok(()),
            Err(failure) if failure.is(Trouble::Data) && self.is_in_doubt => Err(in_doubt(&failure).into()),
            Err(failure) if failure.is(Trouble::Data) || is_same_key_twice(&failure) => {
                tracing::debug!(target: LOG, "written again, row by row: {failure}");
                self.roll_back()?;
                let mut left_out = HashSet::new();
                match self.write_carefully(&work, pending, Check::AtCommit, &mut left_out, leave_out) {
                    // A constraint that is looked at by the commit only, and names no row.
                    Err(WriteError::Database(failure)) if failure.is(Trouble::Data) => {
                        self.roll_back()?;
                        self.write_carefully(&work, pending, Check::EachPart, &mut left_out, leave_out)
                    }
                    written => written,
                }
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// A commit that failed has ended its transaction in some databases, and in others not.
    fn roll_back(&mut self) -> Answer<()> {
        match self.session()?.execute("ROLLBACK") {
            Err(failure) if !failure.is(Trouble::Statement) => Err(failure),
            _ => Ok(()),
        }
    }

    fn commit(&mut self) -> Answer<()> {
        let committed = self.session()?.commit();
        if let Err(failure) = &committed {
            self.is_in_doubt = !failure.is(Trouble::Data);
        }
        committed
    }

    fn session(&mut self) -> Answer<&mut Box<dyn Session>> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                // Where the present one cannot be read, the one of the start.
                let present = (self.present)();
                let connection = present.as_ref().unwrap_or(&self.config.connection);
                session::connect(connection, &self.stop)?
            }
        };
        Ok(self.session.insert(session))
    }

    /// Everything in as few statements as the database allows.
    fn write_fast(&mut self, work: &[(&Segment, Arc<Statement>)], pending: &Pending) -> Answer<()> {
        let is_refused_twice = self.dialect.refuses_one_key_twice();
        let session = self.session()?;
        session.begin()?;
        for (segment, statement) in work {
            let folded;
            let rows = match statement.verb {
                Verb::Insert => &segment.rows,
                _ if statement.bulk.is_none() => &segment.rows,
                _ => {
                    folded = segment.last_of_each_key(&pending.rows, is_refused_twice);
                    &folded
                }
            };
            for chunk in rows.chunks(BULK_ROWS) {
                session
                    .write_bulk(statement, &pending.rows, &Segment::starts(chunk))
                    .map_err(|failure| {
                        failure.during(format_args!("writing into table {}", segment.table))
                    })?;
            }
        }
        self.commit()
    }

    /// Row by row, with a savepoint to come back to, without the rows that are left out already.
    fn write_carefully(
        &mut self,
        work: &[(&Segment, Arc<Statement>)],
        pending: &Pending,
        check: Check,
        left_out: &mut HashSet<usize>,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<(), WriteError> {
        let session = self.session()?;
        session.begin()?;
        for (segment, statement) in work {
            let rows = segment.rows.iter().filter(|row| !left_out.contains(&row.start));
            // Parts that are still to be written, the first one last.
            let mut parts: Vec<Vec<PendingRow>> = vec![rows.copied().collect()];
            while let Some(mut rows) = parts.pop() {
                session.execute("SAVEPOINT wharf")?;
                let starts = Segment::starts(&rows);
                let written = session
                    .write(statement, &pending.rows, &starts)
                    .and_then(|()| match check {
                        Check::AtCommit => Ok(()),
                        Check::EachPart => session.check_constraints().map_err(WriteFailure::from),
                    });
                let failed = match written {
                    Ok(()) => {
                        session.execute("RELEASE SAVEPOINT wharf")?;
                        continue;
                    }
                    Err(failed) if failed.failure.is(Trouble::Data) => failed,
                    Err(failed) => {
                        let what = format!("writing into table {}", segment.table);
                        return Err(failed.failure.during(what).into());
                    }
                };
                session.execute("ROLLBACK TO SAVEPOINT wharf")?;
                session.execute("RELEASE SAVEPOINT wharf")?;
                let at = match failed.row {
                    Some(row) => row,
                    None if rows.len() == 1 => 0,
                    None => {
                        let second = rows.split_off(rows.len() / 2);
                        parts.push(second);
                        parts.push(rows);
                        continue;
                    }
                };
                let after = rows.split_off(at + 1);
                if let Some(row) = rows.pop() {
                    left_out.insert(row.start);
                    leave_out(&BadRow::new(row, segment, &failed.failure)).map_err(WriteError::Refused)?;
                }
                // In this order again.
                for part in [after, rows] {
                    if !part.is_empty() {
                        parts.push(part);
                    }
                }
            }
        }
        self.commit().map_err(WriteError::from)
    }

    /// The statement for a segment, with its table as it has to be.
    ///
    /// Nothing for rows that are to be deleted from a table that is yet to be made.
    fn statement(&mut self, segment: &Segment) -> Answer<Option<Arc<Statement>>> {
        let known = self.statements.get(&segment.table).into_iter().flatten();
        for made in known {
            if Arc::ptr_eq(&made.shape, &segment.shape) {
                return Ok(Some(Arc::clone(&made.statement)));
            }
        }
        let Some(table) = self.table(segment)? else {
            return Ok(None);
        };
        let verb = match self.config.insert_mode {
            _ if segment.deletes() => Verb::Delete,
            InsertMode::Insert => Verb::Insert,
            InsertMode::Upsert => Verb::Upsert,
            InsertMode::Update => Verb::Update,
        };
        let mut columns = Vec::with_capacity(segment.shape.columns.len());
        for (slot, column) in segment.shape.columns.iter().enumerate() {
            let Some(found) = table.column(&column.name) else {
                return Err(self.missing(&table, &[column.name.as_str()]));
            };
            columns.push(Target {
                slot,
                name: found.name.clone(),
                kind: column.kind.clone(),
                type_name: found.type_name.clone(),
                key: column.key,
            });
        }
        if verb == Verb::Upsert {
            needs_unique(&table, &columns, self.quoting)?;
        }
        if verb == Verb::Update && columns.iter().all(|column| column.key) {
            let text = format!(
                "the record has no field beside the key of table {}, so there is nothing to update",
                table.id
            );
            return Err(Failure::new(Trouble::Data, text));
        }
        let statement = Arc::new(
            self.dialect
                .statement(verb, &segment.table, &columns, self.quoting),
        );
        tracing::debug!(target: LOG, "statement for table {}: {}", segment.table, statement.sql);
        let made = self.statements.entry(Arc::clone(&segment.table)).or_default();
        if made.len() >= MOST_STATEMENTS {
            made.clear();
        }
        made.push(Made {
            shape: Arc::clone(&segment.shape),
            statement: Arc::clone(&statement),
        });
        Ok(Some(statement))
    }

    /// The table, made or extended where that is wanted. Nothing for rows that are to be deleted from a table that is yet to be made.
    fn table(&mut self, segment: &Segment) -> Answer<Option<Table>> {
        let (id, shape) = (&segment.table, &segment.shape);
        let quoting = self.quoting;
        let missing = |table: &Table| -> Vec<usize> {
            let columns = shape.columns.iter().enumerate();
            let missing = columns.filter(|(_, column)| table.column(&column.name).is_none());
            missing.map(|(index, _)| index).collect()
        };
        if let Some(known) = self.tables.get(id)
            && missing(known).is_empty()
        {
            return Ok(Some(known.clone()));
        }
        // Also when it is known: somebody may have added the column.
        let table = match self.session()?.describe(id, quoting)? {
            Some(table) => table,
            None if self.config.auto_create && segment.deletes() => return Ok(None),
            None => self.create(segment)?,
        };
        let absent = missing(&table);
        if absent.is_empty() {
            self.tables.insert(Arc::clone(id), table.clone());
            return Ok(Some(table));
        }
        let columns: Vec<_> = absent.iter().map(|index| &shape.columns[*index]).collect();
        if !self.config.auto_evolve {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(self.missing(&table, &names));
        }
        let statements = dialect::add_columns(self.dialect, id, &columns, quoting)
            .map_err(|error| Failure::new(Trouble::Data, error.message()))?;
        let mut failed = None;
        for sql in &statements {
            tracing::info!(target: LOG, "extending table {id}: {sql}");
            failed = failed.or(self.session()?.execute(sql).err());
        }
        // Another task may have been faster: what counts is how the table is now.
        let table = self.session()?.describe(id, quoting)?;
        match (table, failed) {
            (Some(table), _) if missing(&table).is_empty() => {
                self.statements.remove(id);
                self.tables.insert(Arc::clone(id), table.clone());
                Ok(Some(table))
            }
            (_, Some(failure)) => Err(of_definition(failure).during(format_args!("extending table {id}"))),
            (_, None) => Err(Failure::new(
                Trouble::Unknown,
                format!("table {id} was extended, and does not have its new columns"),
            )),
        }
    }

    fn create(&mut self, segment: &Segment) -> Answer<Table> {
        let id = &segment.table;
        if !self.config.auto_create {
            return Err(Failure::new(
                Trouble::Statement,
                format!(
                    "table {id} does not exist in the {}, and auto.create is false",
                    self.config.connection.url
                ),
            ));
        }
        let sql = dialect::create_table(self.dialect, id, &segment.shape.columns, self.quoting)
            .map_err(|error| Failure::new(Trouble::Data, error.message()))?;
        tracing::info!(target: LOG, "creating table {id}: {sql}");
        let quoting = self.quoting;
        let created = self.session()?.execute(&sql);
        match (self.session()?.describe(id, quoting)?, created) {
            // Also when another task was faster.
            (Some(table), _) => Ok(table),
            (None, Err(failure)) => Err(of_definition(failure).during(format_args!("creating table {id}"))),
            (None, Ok(())) => Err(Failure::new(
                Trouble::Unknown,
                format!("table {id} was created, and cannot be found"),
            )),
        }
    }

    fn missing(&self, table: &Table, columns: &[&str]) -> Failure {
        let hint = if self.config.auto_evolve {
            ""
        } else {
            ", and auto.evolve is false"
        };
        Failure::new(
            Trouble::Data,
            format!(
                "table {} has no column for {}{hint}",
                table.id,
                columns.join(", ")
            ),
        )
    }
}

/// A table that cannot be made or extended is no record's fault.
fn of_definition(failure: Failure) -> Failure {
    match failure.trouble {
        Trouble::Data => Failure {
            trouble: Trouble::Statement,
            ..failure
        },
        _ => failure,
    }
}

fn in_doubt(failure: &Failure) -> Failure {
    Failure::new(
        Trouble::Statement,
        format!(
            "the connection was lost while rows were being committed, and the database does not take them now: {failure}; they may \
             be in the table already. Look, and restart the task with insert.mode=upsert, or with the connector's offsets set behind \
             them"
        ),
    )
}

fn is_same_key_twice(failure: &Failure) -> bool {
    failure.code.as_deref() == Some(SAME_KEY_TWICE)
}

/// An upsert finds rows by a unique index on exactly the key's columns.
fn needs_unique(table: &Table, columns: &[Target], quoting: Quoting) -> Answer<()> {
    let mut keys: Vec<&str> = columns
        .iter()
        .filter(|column| column.key)
        .map(|column| column.name.as_str())
        .collect();
    keys.sort_unstable();
    let found = table.unique.iter().any(|index| {
        let mut index: Vec<&str> = index.iter().map(String::as_str).collect();
        index.sort_unstable();
        index == keys
    });
    if found {
        return Ok(());
    }
    Err(Failure::new(
        Trouble::Statement,
        format!(
            "insert.mode=upsert finds rows of table {0} by {1}, and no unique index is on exactly these columns: ALTER TABLE {2} ADD \
             PRIMARY KEY ({3})",
            table.id,
            keys.join(", "),
            table.id.sql(quoting),
            quoting.names(keys.iter().copied())
        ),
    ))
}
