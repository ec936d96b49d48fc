//! What is asked of a connection that reads.

use wharf_api::ConnectError;

use super::{Stop, mysql, postgres, sqlite, sqlserver, with_attempts};
use crate::failure::{Answer, Failure};
use crate::source::{At, Relation, Row, Shape, SourceColumn, SourceConfig, TableFilter};
use crate::table_id::{Quoting, TableId};
use crate::url::Database;

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    Stop,
}

/// Why nothing more was read.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    Database(Failure),
    /// The configuration does not fit the table, or a row cannot become a record.
    Refused(ConnectError),
}

impl ReadFailure {
    /// A value that cannot become one of a record.
    pub(super) fn of_column(column: &str, reason: &str) -> Self {
        Self::Refused(ConnectError::data(format!("column '{column}': {reason}")))
    }
}

impl From<Failure> for ReadFailure {
    fn from(failure: Failure) -> Self {
        Self::Database(failure)
    }
}

/// One connection that reads. After a failure it is of no more use.
pub(crate) trait ReadSession {
    /// Tables of these kinds, in these schemas; what the database itself keeps is left out.
    fn tables(&mut self, filter: &TableFilter) -> Answer<Vec<TableId>>;

    /// From here to [`end`](Self::end) tables whose columns were asked for keep them: a row is not read without a column that it has.
    fn begin(&mut self) -> Answer<()>;

    /// Lets tables go.
    fn end(&mut self) -> Answer<()>;

    /// The columns of a table or query.
    fn columns(&mut self, relation: &Relation, quoting: Quoting) -> Answer<Vec<SourceColumn>>;

    /// The database's time at [`begin`](Self::begin), or a later one as long as nothing was seen of tables: a row that is not seen is
    /// not older.
    fn now(&mut self) -> Answer<At>;

    /// Whether the database says who is writing to a table.
    fn tells_writers(&self) -> bool {
        false
    }

    /// Transactions that have been writing to what was read since [`begin`](Self::begin): those that have taken a number which was smaller than
    /// the greatest that was read, and have not committed it, are among them. Names for [`unfinished`](Self::unfinished).
    fn writers(&mut self) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    /// Those of these transactions that have not ended.
    fn unfinished(&mut self, _writers: &[String]) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    /// Runs a statement whose columns are these and gives each row to `each`, which may put another one in its
    /// place to be filled, for as long as it wants more. Rows come from the
    /// server as they are taken. Says whether there are no more.
    fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        shape: &Shape,
        each: &mut dyn FnMut(&mut Row) -> Go,
    ) -> Result<bool, ReadFailure>;
}

/// Connects to read, as often as the configuration says.
pub(crate) fn connect_to_read(config: &SourceConfig, stop: &Stop) -> Answer<Box<dyn ReadSession>> {
    let isolation = config.isolation.as_deref();
    with_attempts(&config.connection, stop, || {
        match config.connection.url.database {
            Database::Sqlite => sqlite::connect_to_read(&config.connection, stop),
            Database::MySql => mysql::connect_to_read(&config.connection, stop.clone(), isolation),
            Database::Postgres => postgres::connect_to_read(&config.connection, stop.clone(), isolation),
            Database::SqlServer => sqlserver::connect_to_read(&config.connection, stop.clone(), isolation),
        }
    })
}
