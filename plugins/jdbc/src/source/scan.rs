//! The statements that read a table or a query, and how each row says where it stands.

use wharf_api::{ConnectError, Result};

use super::column::{SourceColumn, SourceType};
use super::config::{Mode, SourceConfig};
use super::offset::Position;
use crate::dialect::Dialect;
use crate::table_id::{Quoting, TableId};

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    Table(TableId),
    Query(String),
}

/// A statement without its position.
#[derive(Debug)]
pub(crate) struct Scan {
    mode: Mode,
    /// Everything before the WHERE clause.
    select: String,
    /// What is put around a query whose columns have to be cast.
    around: Option<String>,
    suffix: String,
    incrementing: Option<String>,
    timestamp: Option<String>,
    zoned: bool,
    /// Where the columns are among those that are read.
    pub(crate) incrementing_at: Option<usize>,
    pub(crate) timestamps_at: Vec<usize>,
}

impl Scan {
    /// The statement for these columns.
    ///
    /// # Errors
    /// When a column that says which rows are new is not there, is of a type that cannot say it, or may be null.
    pub(crate) fn new(
        relation: &Relation,
        columns: &[SourceColumn],
        config: &SourceConfig,
        dialect: &dyn Dialect,
        quoting: Quoting,
    ) -> Result<Self> {
        let (name, from) = match relation {
            Relation::Table(table) => (table.to_string(), table.sql(quoting)),
            Relation::Query(_) => ("the query".to_owned(), String::new()),
        };
        let list = |alias: bool| {
            let items = columns.iter().map(|column| {
                let plain = quoting.name(&column.name);
                match (column.cast, alias) {
                    ("", _) => plain,
                    (cast, true) => format!("{plain}{cast} AS {plain}"),
                    (cast, false) => format!("{plain}{cast}"),
                }
            });
            items.collect::<Vec<_>>().join(", ")
        };
        let casts = columns.iter().any(|column| !column.cast.is_empty());
        let (select, around) = match relation {
            Relation::Table(_) => (format!("SELECT {} FROM {from}", list(false)), None),
            Relation::Query(query) if casts => (query.clone(), Some(format!("SELECT {} FROM (", list(true)))),
            Relation::Query(query) => (query.clone(), None),
        };
        let mut this = Self {
            mode: config.mode,
            select,
            around,
            suffix: config.query_suffix.clone(),
            incrementing: None,
            timestamp: None,
            zoned: false,
            incrementing_at: None,
            timestamps_at: Vec::new(),
        };
        let find = |column: &str| find(columns, column, &name);
        // Of a query nobody says what may be null.
        let validates = config.validate_non_null && matches!(relation, Relation::Table(_));
        if config.mode.counts() {
            let at = match config.incrementing_column(&name)? {
                Some(column) => find(column)?,
                None => counting(columns, &name)?,
            };
            check_counts(&columns[at], &name, validates)?;
            this.incrementing = Some(quoting.name(&columns[at].name));
            this.incrementing_at = Some(at);
        }
        if config.mode.has_time() {
            for column in config.timestamp_columns(&name)? {
                this.timestamps_at.push(find(column)?);
            }
            let times: Vec<&SourceColumn> = this.timestamps_at.iter().map(|at| &columns[*at]).collect();
            check_times(&times, &name, validates)?;
            this.zoned = matches!(times[0].source_type, SourceType::Timestamp { zoned: true });
            let names: Vec<String> = times
                .iter()
                .map(|column| dialect.instant(&quoting.name(&column.name)))
                .collect();
            this.timestamp = Some(match names.as_slice() {
                [only] => only.clone(),
                several => format!("COALESCE({})", several.join(", ")),
            });
        }
        Ok(this)
    }

    /// The statement for rows after `from` and, by time, before `until`.
    pub(crate) fn sql(
        &self,
        from: &Position,
        until: super::offset::At,
        config: &SourceConfig,
        dialect: &dyn Dialect,
    ) -> String {
        let mut sql = String::new();
        if let Some(around) = &self.around {
            sql.push_str(around);
        }
        sql.push_str(&self.select);
        let literal = |at| dialect.instant_literal(at, self.zoned, &config.connection.zone);
        let after = literal(from.timestamp.unwrap_or_default());
        let number = from.incrementing.unwrap_or(config.incrementing_initial);
        match (self.mode, &self.timestamp, &self.incrementing) {
            (Mode::Incrementing, _, Some(column)) => {
                sql.push_str(&format!(" WHERE {column} > {number} ORDER BY {column} ASC"));
            }
            (Mode::Timestamp, Some(time), _) => {
                sql.push_str(&format!(
                    " WHERE {time} > {after} AND {time} < {} ORDER BY {time} ASC",
                    literal(until)
                ));
            }
            // A comparison of rows is what indexes of both columns serve.
            (Mode::TimestampIncrementing, Some(time), Some(column)) => {
                sql.push_str(&format!(
                    " WHERE {time} < {} AND ({time}, {column}) > ({after}, {number}) ORDER BY {time}, {column} ASC",
                    literal(until)
                ));
            }
            _ => {}
        }
        if !self.suffix.is_empty() {
            sql.push(' ');
            sql.push_str(&self.suffix);
        }
        if self.around.is_some() {
            sql.push_str(") AS q");
        }
        sql
    }
}

/// The column of this name; else the only one whose name differs by case alone.
fn find(columns: &[SourceColumn], wanted: &str, table: &str) -> Result<usize> {
    let exact = columns.iter().position(|column| column.name == wanted);
    let mut near = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.name.eq_ignore_ascii_case(wanted));
    exact
        .or_else(|| match (near.next(), near.next()) {
            (Some((at, _)), None) => Some(at),
            _ => None,
        })
        .ok_or_else(|| {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            ConnectError::config(format!(
                "{table} has no column '{wanted}'; it has {}",
                names.join(", ")
            ))
        })
}

fn counting(columns: &[SourceColumn], table: &str) -> Result<usize> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| column.counts);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (None, _) => Err(ConnectError::config(format!(
            "{table} has no column that the database counts up by itself; name one with incrementing.column.name"
        ))),
        _ => Err(ConnectError::config(format!(
            "{table} has several columns that the database counts up by itself; name one with incrementing.column.name"
        ))),
    }
}

fn check_counts(column: &SourceColumn, table: &str, validate: bool) -> Result<()> {
    let is_whole = match &column.source_type {
        SourceType::Int8 | SourceType::Int16 | SourceType::Int32 | SourceType::Int64 => true,
        SourceType::Numeric { scale, .. } => scale.is_none_or(|scale| scale <= 0),
        _ => false,
    };
    if !is_whole {
        return Err(ConnectError::config(format!(
            "column '{}' of {table} cannot be the incrementing one: it does not hold whole numbers",
            column.name
        )));
    }
    if validate && column.optional {
        return Err(ConnectError::config(format!(
            "column '{}' of {table} may be NULL, and such rows would never be read; declare it NOT NULL, or set \
             validate.non.null=false",
            column.name
        )));
    }
    Ok(())
}

fn check_times(times: &[&SourceColumn], table: &str, validate: bool) -> Result<()> {
    for column in times {
        if !matches!(
            column.source_type,
            SourceType::Timestamp { .. } | SourceType::Date
        ) {
            return Err(ConnectError::config(format!(
                "column '{}' of {table} cannot tell when a row was changed: it holds no timestamps",
                column.name
            )));
        }
    }
    if validate && times.iter().all(|column| column.optional) {
        let names: Vec<&str> = times.iter().map(|column| column.name.as_str()).collect();
        return Err(ConnectError::config(format!(
            "timestamp columns of {table} may all be NULL ({}), and such rows would never be read; declare one NOT NULL, or set \
             validate.non.null=false",
            names.join(", ")
        )));
    }
    Ok(())
}
