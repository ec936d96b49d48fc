//! The statements that read a table or a query, and how each row says where it stands.

use std::fmt;

use jiff::tz::TimeZone;
use wharf_api::{ConnectError, Result};

use super::column::{SourceColumn, SourceType};
use super::config::{Mode, SourceConfig};
use super::definition::SPLIT_SIZE_CONFIG;
use super::offset::{At, Position};
use crate::dialect::Dialect;
use crate::table_id::{Quoting, TableId};

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    Table(TableId),
    Query(String),
}

/// As people are told of it.
impl fmt::Display for Relation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(to, "table {table}"),
            Self::Query(_) => to.write_str("the query"),
        }
    }
}

/// What a row's position by time is called in the select list.
const POSITION: &str = "wharf_position";
const SECOND: u32 = 1_000_000_000;

/// A statement without its position.
#[derive(Debug)]
pub(crate) struct Scan {
    mode: Mode,
    /// Everything before the WHERE clause.
    select: String,
    /// What stands behind FROM.
    from: String,
    suffix: String,
    incrementing: Option<String>,
    timestamp: Option<String>,
    zoned: bool,
    /// How many nanoseconds the time columns tell apart.
    unit: u32,
    /// All columns that are selected: those of records and, by time, one more that says where the row stands. It is the expression
    /// that rows are found by, so that what is compared and what is remembered are the same.
    pub(crate) columns: Vec<SourceColumn>,
    /// Where the columns are that say where a row stands.
    pub(crate) incrementing_at: Option<usize>,
    pub(crate) timestamp_at: Option<usize>,
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
        // Names of columns are those that the database has: without quotes some of them mean something else.
        let exact = Quoting {
            always: true,
            ..quoting
        };
        let mut this = Self {
            mode: config.mode,
            select: String::new(),
            from: match relation {
                Relation::Table(table) => table.sql(quoting),
                // What follows may end in a comment.
                Relation::Query(query) => format!("(\n{query}\n) AS q"),
            },
            suffix: config.query_suffix.clone(),
            incrementing: None,
            timestamp: None,
            zoned: false,
            unit: 1,
            columns: columns.to_vec(),
            incrementing_at: None,
            timestamp_at: None,
        };
        let wanted = Wanted {
            relation,
            columns,
            config,
            dialect,
        };
        if let Some(at) = wanted.number().map_err(|fault| fault.error)? {
            this.incrementing = Some(exact.name(&columns[at].name));
            this.incrementing_at = Some(at);
        }
        let times = wanted.times().map_err(|fault| fault.error)?;
        if !times.is_empty() {
            this.add_time(&times, dialect, exact, &config.connection.zone);
        }
        let mut items: Vec<String> = columns
            .iter()
            .map(|column| {
                let plain = exact.name(&column.name);
                match column.cast {
                    "" => plain,
                    cast => format!("{plain}{cast} AS {plain}"),
                }
            })
            .collect();
        items.extend(
            this.timestamp
                .iter()
                .map(|time| format!("{time} AS {}", exact.name(POSITION))),
        );
        let list = items.join(", ");
        let casts = columns.iter().any(|column| !column.cast.is_empty());
        this.select = match relation {
            Relation::Query(query) if !casts && config.mode == Mode::Bulk => format!("{query}\n"),
            _ => format!("SELECT {list} FROM {}", this.from),
        };
        Ok(this)
    }

    fn add_time(&mut self, times: &[&SourceColumn], dialect: &dyn Dialect, exact: Quoting, zone: &TimeZone) {
        let kinds = times.iter().map(|column| &column.source_type);
        for kind in kinds {
            if let SourceType::Timestamp { zoned, digits } = kind {
                self.zoned |= zoned;
                self.unit = self.unit.max(10_u32.pow(9 - (*digits).min(9)));
            }
        }
        let names: Vec<String> = times
            .iter()
            .map(|column| {
                let instant = dialect.instant(&exact.name(&column.name), &column.source_type);
                match column.source_type {
                    SourceType::Timestamp { zoned: true, .. } => instant,
                    _ if self.zoned => dialect.clock_as_instant(instant, zone),
                    _ => instant,
                }
            })
            .collect();
        self.timestamp = Some(match names.as_slice() {
            [only] => only.clone(),
            several => format!("COALESCE({})", several.join(", ")),
        });
        self.timestamp_at = Some(self.columns.len());
        self.columns.push(SourceColumn {
            name: POSITION.to_owned(),
            source_type: SourceType::Timestamp {
                zoned: self.zoned,
                digits: 9,
            },
            optional: true,
            zero_is_null: false,
            is_key: false,
            counts: false,
            cast: "",
        });
    }

    /// The statement for rows after `from` and, by time, before `until`, by number alone up to `last`.
    pub(crate) fn sql(
        &self,
        from: &Position,
        until: At,
        last: Option<i64>,
        config: &SourceConfig,
        dialect: &dyn Dialect,
    ) -> String {
        let mut sql = self.select.clone();
        let literal = |at| dialect.instant_literal(at, self.zoned, &config.connection.zone);
        let after = from.timestamp.map(literal);
        let until = literal(self.whole(until));
        let number = from.incrementing.unwrap_or(config.incrementing_initial);
        match (self.mode, &self.timestamp, &self.incrementing) {
            (Mode::Incrementing, _, Some(column)) => {
                sql.push_str(&between(column, Some(number), last));
                sql.push_str(&format!(" ORDER BY {column} ASC"));
            }
            (Mode::Timestamp, Some(time), _) => {
                let after = after.map_or_else(String::new, |after| format!("{time} > {after} AND "));
                sql.push_str(&format!(" WHERE {after}{time} < {until} ORDER BY {time} ASC"));
            }
            (Mode::TimestampIncrementing, Some(time), Some(column)) => {
                let after = after.map_or_else(String::new, |after| {
                    format!(" AND {}", dialect.is_after((time, column), (&after, number)))
                });
                sql.push_str(&format!(
                    " WHERE {time} < {until}{after} ORDER BY {time}, {column} ASC"
                ));
            }
            _ => {}
        }
        self.with_suffix(sql)
    }

    /// The statement for all rows that stand here, without the suffix, whose limit may have parted them.
    pub(crate) fn at(&self, at: Position, config: &SourceConfig, dialect: &dyn Dialect) -> String {
        let time = self.timestamp.as_ref().zip(at.timestamp).map(|(time, at)| {
            let literal = dialect.instant_literal(at, self.zoned, &config.connection.zone);
            format!("{time} = {literal}")
        });
        let number = self.incrementing.as_ref().zip(at.incrementing);
        let number = number.map(|(column, at)| format!("{column} = {}", literal(at)));
        let conditions: Vec<String> = time.into_iter().chain(number).collect();
        format!("{} WHERE {}", self.select, conditions.join(" AND "))
    }

    /// The columns that rows are found by, for a message.
    pub(crate) fn order(&self) -> String {
        let columns = self.timestamp.iter().chain(&self.incrementing);
        columns.map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The statement for a piece of the table: rows after this number and up to that one.
    pub(crate) fn piece(&self, after: Option<i64>, last: i64) -> String {
        let column = self.incrementing.as_deref().unwrap_or_default();
        let condition = between(column, after, Some(last));
        // In bulk there are no positions that follow from it.
        let order = match self.mode {
            Mode::Bulk => String::new(),
            _ => format!(" ORDER BY {column} ASC"),
        };
        self.with_suffix(format!("{}{condition}{order}", self.select))
    }

    /// The statement for the least (`min`) or the greatest (`max`) number after this one and up to that one; NULL where there is none.
    pub(crate) fn extreme(&self, function: &str, after: Option<i64>, last: Option<i64>) -> String {
        let column = self.incrementing.as_deref().unwrap_or_default();
        let cast = self.number_column().map_or("", |column| column.cast);
        let condition = between(column, after, last);
        format!(
            "SELECT {function}({column}){cast} AS {column} FROM {}{condition}",
            self.from
        )
    }

    /// The column that counts.
    pub(crate) fn number_column(&self) -> Option<&SourceColumn> {
        self.incrementing_at.map(|at| &self.columns[at])
    }

    fn with_suffix(&self, mut sql: String) -> String {
        if !self.suffix.is_empty() {
            sql.push(' ');
            sql.push_str(&self.suffix);
        }
        sql
    }

    /// An instant without what the columns do not tell apart: a row that is stamped later may get the same stamp.
    fn whole(&self, (seconds, nanos): At) -> At {
        if self.unit >= SECOND {
            return (seconds, 0);
        }
        (seconds, nanos - nanos % self.unit)
    }
}

/// What a configuration wants of the columns of a table or query.
pub(crate) struct Wanted<'a> {
    pub(crate) relation: &'a Relation,
    pub(crate) columns: &'a [SourceColumn],
    pub(crate) config: &'a SourceConfig,
    pub(crate) dialect: &'a dyn Dialect,
}

/// Why columns cannot say which rows are new, and the key that wants it of them.
pub(crate) struct Fault {
    pub(crate) key: &'static str,
    pub(crate) error: ConnectError,
}

impl Fault {
    fn of(key: &'static str) -> impl Fn(ConnectError) -> Self {
        move |error| Self { key, error }
    }
}

impl<'a> Wanted<'a> {
    fn name(&self) -> String {
        match self.relation {
            Relation::Table(table) => table.to_string(),
            Relation::Query(_) => "the query".to_owned(),
        }
    }

    /// Of a query nobody says what may be null.
    fn validates(&self) -> bool {
        self.config.validate_non_null && matches!(self.relation, Relation::Table(_))
    }

    /// Where the column is that only grows, if one is needed.
    fn number(&self) -> Result<Option<usize>, Fault> {
        let config = self.config;
        if !config.mode.counts() && config.split_size.is_none() {
            return Ok(None);
        }
        let name = self.name();
        let key = config.incrementing_key();
        let found = config.incrementing_column(&name).and_then(|column| match column {
            Some(column) => self.find(column, &name),
            None => counting(self.columns, &name),
        });
        let at = found.map_err(Fault::of(key))?;
        check_counts(&self.columns[at], &name, self.validates()).map_err(Fault::of(key))?;
        if config.split_size.is_some() {
            check_splits(&self.columns[at], &name, config.mode).map_err(Fault::of(SPLIT_SIZE_CONFIG))?;
        }
        Ok(Some(at))
    }

    /// The columns that tell when a row was changed; none where the mode does not ask for it.
    fn times(&self) -> Result<Vec<&'a SourceColumn>, Fault> {
        let config = self.config;
        if !config.mode.has_time() {
            return Ok(Vec::new());
        }
        let name = self.name();
        let found = config.timestamp_columns(&name).and_then(|wanted| {
            let columns = wanted.iter();
            let times: Vec<&SourceColumn> = columns
                .map(|column| self.find(column, &name).map(|at| &self.columns[at]))
                .collect::<Result<_>>()?;
            check_times(&times, &name, self.validates())?;
            check_one_kind(&times, &name, self.dialect)?;
            Ok(times)
        });
        found.map_err(Fault::of(config.timestamp_key()))
    }

    /// The column of this name. Where the query is masked, nothing is said of its other columns.
    fn find(&self, column: &str, name: &str) -> Result<usize> {
        let is_masked = matches!(self.relation, Relation::Query(_)) && self.config.query_is_masked();
        find(self.columns, column).ok_or_else(|| {
            let mut text = format!("{name} has no column '{column}'");
            if !is_masked {
                let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
                text.push_str(&format!("; it has {}", names.join(", ")));
            }
            ConnectError::config(text)
        })
    }

    /// All that is wrong with the columns.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let number = self.number().err();
        number.into_iter().chain(self.times().err()).collect()
    }
}

/// The WHERE clause for numbers after this one and up to that one.
fn between(column: &str, after: Option<i64>, last: Option<i64>) -> String {
    let after = after.map(|after| format!("{column} > {}", literal(after)));
    let last = last.map(|last| format!("{column} <= {}", literal(last)));
    let conditions: Vec<String> = after.into_iter().chain(last).collect();
    match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    }
}

fn literal(number: i64) -> String {
    match number {
        // Read as minus a number that has no place in 64 bits.
        i64::MIN => format!("({} - 1)", i64::MIN + 1),
        number => number.to_string(),
    }
}

/// The column of this name; else the only one whose name differs by case alone.
fn find(columns: &[SourceColumn], wanted: &str) -> Option<usize> {
    let exact = columns.iter().position(|column| column.name == wanted);
    let mut near = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.name.eq_ignore_ascii_case(wanted));
    exact.or_else(|| match (near.next(), near.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
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
    if validate && column.optional && !column.is_key {
        return Err(ConnectError::config(format!(
            "column '{}' of {table} may be NULL, and such rows would never be read; declare it NOT NULL, or set \
             validate.non.null=false",
            column.name
        )));
    }
    Ok(())
}

fn check_splits(column: &SourceColumn, table: &str, mode: Mode) -> Result<()> {
    let is_integer = matches!(
        column.source_type,
        SourceType::Int8 | SourceType::Int16 | SourceType::Int32 | SourceType::Int64
    );
    if !is_integer {
        return Err(ConnectError::config(format!(
            "{table} cannot be read in ranges (wharf.split.size): its column '{}' is not of a type of integers",
            column.name
        )));
    }
    // Also a key, which in SQLite may be NULL unless it is the number of the row.
    if mode == Mode::Bulk && column.optional {
        return Err(ConnectError::config(format!(
            "{table} cannot be read in ranges (wharf.split.size): its column '{}' may be NULL, and such rows would be in none; declare it \
             NOT NULL",
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

fn check_one_kind(times: &[&SourceColumn], table: &str, dialect: &dyn Dialect) -> Result<()> {
    let is_instant =
        |column: &&&SourceColumn| matches!(column.source_type, SourceType::Timestamp { zoned: true, .. });
    let instants = times.iter().filter(is_instant).count();
    if dialect.mixes_times() || instants == 0 || instants == times.len() {
        return Ok(());
    }
    let names: Vec<&str> = times.iter().map(|column| column.name.as_str()).collect();
    Err(ConnectError::config(format!(
        "timestamp columns of {table} hold instants and what clocks show ({}), which this database compares as if they were the same; \
         name columns of one type",
        names.join(", ")
    )))
}
