//! Writes rows that wait into their tables: first the tables as they have to be, then all rows in one transaction.
//!
//! A failure that is a row's own fault is traced to the row: everything is rolled back and done again with a savepoint, and the
//! row that the database names is left out; where it names none, halves are tried. What is left out is told to the caller before
//! the others are committed: when it may not be left out, nothing is written at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use wharf_api::ConnectError;

use super::careful::{ROWS_BETWEEN_LOOKS, Work};
use super::config::{InsertMode, SinkConfig};
use super::deadline::Deadline;
use super::pending::{Pending, PendingRow, Segment};
use super::shape::Shape;
use crate::connection_config::ConnectionConfig;
use crate::dialect::{self, Dialect, Statement, Table, Target, Verb};
use crate::failure::{Answer, Failure, Trouble};
use crate::session::{self, Session, Stop};
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
    pub(super) fn new(row: PendingRow, segment: &Segment, failure: &Failure) -> Self {
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
    /// Says when the task is to stop.
    task: Stop,
    deadline: Arc<Deadline>,
    present: Present,
    session: Option<Box<dyn Session>>,
    /// A user was let in since the start.
    was_let_in: bool,
    /// No answer came to the COMMIT of inserts: their rows may be in the table.
    is_in_doubt: bool,
    tables: HashMap<Arc<TableId>, Table>,
    /// By table, for each shape of its records.
    statements: HashMap<Arc<TableId>, Vec<Made>>,
}

impl Writer {
    pub(crate) fn new(config: Arc<SinkConfig>, task: Stop, present: Present) -> Self {
        Self {
            dialect: dialect::dialect_to_write(config.connection.url.database, config.merge_holdlock),
            quoting: config.connection.quoting(),
            config,
            task,
            deadline: Arc::default(),
            present,
            session: None,
            was_let_in: false,
            is_in_doubt: false,
            tables: HashMap::new(),
            statements: HashMap::new(),
        }
    }

    pub(crate) fn quoting(&self) -> Quoting {
        self.quoting
    }

    pub(super) fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    pub(super) fn known_table(&self, id: &TableId) -> Option<&Table> {
        self.tables.get(id)
    }

    /// No row waits any more whose COMMIT nobody answered to.
    pub(crate) fn no_row_waits(&mut self) {
        self.is_in_doubt = false;
    }

    /// The worker waits from now on.
    pub(crate) fn time_runs(&self) {
        self.deadline.begin(self.config.write_timeout);
    }

    /// Nothing is begun when it is too late to commit it.
    pub(super) fn in_time(&self) -> Answer<()> {
        if self.deadline.has_passed() {
            return Err(Failure::new(Trouble::Contention, "it takes too long"));
        }
        Ok(())
    }

    /// What a failure is called that is due to the time alone.
    fn late(&self, error: WriteError) -> WriteError {
        match error {
            WriteError::Database(failure)
                if self.deadline.has_passed()
                    && (failure.is(Trouble::Cancelled) || failure.is(Trouble::Contention))
                    && !(self.task)(Duration::ZERO) =>
            {
                let mut text = format!(
                    "the rows could not be written within {} ms (wharf.write.timeout.ms), and none of them is; fewer at once take less \
                     time (batch.size)",
                    self.config.write_timeout.as_millis()
                );
                // What the database said last.
                if failure.code.is_some() {
                    text.push_str(&format!(": {failure}"));
                }
                WriteError::Database(Failure::new(Trouble::Contention, text))
            }
            error => error,
        }
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
            && !self.deadline.has_passed()
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
        written.map_err(|error| self.late(error))
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
            Err(failure) if failure.is(Trouble::Data) || is_same_key_twice(&failure) => {
                tracing::debug!(target: LOG, "written again: {failure}");
                self.roll_back()?;
                self.write_again(&work, pending, leave_out)
            }
            written => written.map_err(WriteError::from),
        }
    }

    /// Without rows that are there already with the same values, and without bad ones.
    fn write_again(
        &mut self,
        work: &[Work<'_>],
        pending: &Pending,
        leave_out: &mut LeaveOut<'_>,
    ) -> Result<(), WriteError> {
        let is_in_doubt = self.is_in_doubt;
        let mut leave_out = |bad: &BadRow| {
            if is_in_doubt {
                return Err(in_doubt(&bad.failure).to_error());
            }
            leave_out(bad)
        };
        let mut left_out = HashSet::new();
        if let Some(work) = self.unless_there(work) {
            let written = match self.write_fast(&work, pending) {
                Err(failure) if failure.is(Trouble::Data) || is_same_key_twice(&failure) => {
                    self.roll_back()?;
                    self.write_row_by_row(&work, pending, &mut left_out, &mut leave_out)
                }
                written => written.map_err(WriteError::from),
            };
            match written {
                Err(WriteError::Database(failure)) if cannot_look(&failure) => {
                    tracing::warn!(
                        target: LOG,
                        "whether rows are in the table already cannot be seen, which asks for the right to SELECT and UPDATE: {failure}"
                    );
                    self.roll_back()?;
                }
                Ok(()) => {
                    tracing::info!(
                        target: LOG,
                        "of {} rows some were refused; those whose tables have them already, with the same values, were passed over, and {} \
                         left out",
                        pending.len(),
                        left_out.len()
                    );
                    return Ok(());
                }
                failed => return failed,
            }
        }
        self.write_row_by_row(work, pending, &mut left_out, &mut leave_out)
    }

    pub(super) fn roll_back(&mut self) -> Answer<()> {
        self.session()?.roll_back()
    }

    /// Commits, unless it is too late: somebody else may have the partitions by then.
    pub(super) fn commit(&mut self) -> Answer<()> {
        self.in_time()?;
        let is_insert = self.config.insert_mode == InsertMode::Insert;
        let session = self.session()?;
        let committed = session.commit();
        if let Err(failure) = &committed {
            // All but inserts come to the same when they are done twice.
            let is_in_doubt = is_insert && session.may_have_committed(failure);
            self.is_in_doubt |= is_in_doubt;
        }
        committed
    }

    pub(super) fn session(&mut self) -> Answer<&mut Box<dyn Session>> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                // Where the present one cannot be read, the one of the start.
                let present = (self.present)();
                let connection = present.as_ref().unwrap_or(&self.config.connection);
                let stop = self.deadline.stop(Arc::clone(&self.task));
                let discreet = self.config.trim_sensitive_log;
                match session::connect(connection, &stop, discreet) {
                    Err(failure) if self.was_let_in && failure.is(Trouble::Permission) => {
                        return Err(Failure {
                            trouble: Trouble::Login,
                            ..failure
                        });
                    }
                    connected => connected?,
                }
            }
        };
        self.was_let_in = true;
        Ok(self.session.insert(session))
    }

    /// Everything in as few statements as the database allows.
    fn write_fast(&mut self, work: &[Work<'_>], pending: &Pending) -> Answer<()> {
        let is_refused_twice = self.dialect.refuses_one_key_twice();
        self.session()?.begin()?;
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
            let most = match statement.bulk {
                Some(_) => BULK_ROWS,
                None => ROWS_BETWEEN_LOOKS,
            };
            for chunk in rows.chunks(most) {
                self.in_time()?;
                self.session()?
                    .write_bulk(statement, &pending.rows, &Segment::starts(chunk))
                    .map_err(|failure| {
                        failure.during(format_args!("writing into table {}", segment.table))
                    })?;
            }
        }
        self.commit()
    }

    /// The statement for a segment, with its table as it has to be.
    ///
    /// Nothing for rows that are to be deleted from a table that is yet to be made.
    pub(super) fn statement(&mut self, segment: &Segment) -> Answer<Option<Arc<Statement>>> {
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
        self.check_engine(id)?;
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

    /// Rows that are not rolled back are written again: an insert would have them twice, or be refused for their own sake. All else makes
    /// the same of them.
    fn check_engine(&mut self, table: &TableId) -> Answer<()> {
        let Some(engine) = self.session()?.engine_without_transactions(table)? else {
            return Ok(());
        };
        if self.config.insert_mode != InsertMode::Insert {
            tracing::warn!(
                target: LOG,
                "the engine of table {table}, {engine}, has no transactions: rows of a batch that fails stay in it, and are written again"
            );
            return Ok(());
        }
        Err(Failure::new(
            Trouble::Statement,
            format!(
                "the engine of table {table}, {engine}, has no transactions, and with insert.mode=insert rows of a batch that fails would be \
                 in it twice: ALTER TABLE {} ENGINE=InnoDB, or set insert.mode=upsert",
                table.sql(self.quoting)
            ),
        ))
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
            ", and auto.evolve is false: set it to true, add the column, or leave the field out with fields.whitelist"
        };
        // As with a missing table: all records of the topic would become dead letters.
        Failure::new(
            Trouble::Statement,
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

/// Whether a statement that passes over rows cannot be had here, unlike the plain one.
fn cannot_look(failure: &Failure) -> bool {
    // In PostgreSQL: no such index for ON CONFLICT, and no ON CONFLICT for this kind of table.
    const NO_SUCH_STATEMENT: [&str; 2] = ["42P10", "0A000"];
    let code = failure.code.as_deref();
    failure.is(Trouble::Permission) || code.is_some_and(|code| NO_SUCH_STATEMENT.contains(&code))
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
