//! What differs between databases, as text: quotes, types, statements. Nothing here speaks with a server.
//!
//! A database is added by one [`Dialect`] here, one [`Session`](crate::session::Session) that runs what it says, and a line in
//! [`crate::url`].

mod literal;
pub(crate) mod mysql;
mod postgres;
mod sqlite;
pub(crate) mod sqlserver;

use jiff::tz::TimeZone;
use wharf_api::{ConnectError, Result};

use crate::sink::cell::Kind;
use crate::sink::shape::Column;
use crate::source::SourceType;
use crate::table_id::{Quote, Quoting, TableId};
use crate::url::Database;

pub(crate) use literal::{date as iso_date, time as iso_time};
pub(crate) use postgres::{
    FOLDED_TEXT as POSTGRES_FOLDED_TEXT, array_type as postgres_array, value_type as postgres_type,
};

/// A column of a table, as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    /// In the database's own words, without length or precision.
    pub(crate) type_name: String,
}

/// A table, as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) id: TableId,
    pub(crate) columns: Vec<TableColumn>,
    /// The columns of each unique index that covers all rows, the primary key's among them.
    pub(crate) unique: Vec<Vec<String>>,
}

impl Table {
    /// The column of this name; else the only one whose name differs by case alone.
    pub(crate) fn column(&self, name: &str) -> Option<&TableColumn> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| {
            let mut near = self
                .columns
                .iter()
                .filter(|column| column.name.eq_ignore_ascii_case(name));
            match (near.next(), near.next()) {
                (Some(only), None) => Some(only),
                _ => None,
            }
        })
    }
}

/// A column of a statement: what it is called in the table, and what values come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Index in the row.
    pub(crate) slot: usize,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) type_name: String,
    pub(crate) key: bool,
}

/// What a statement does with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Insert,
    Upsert,
    Update,
    Delete,
}

/// A statement with places for the cells of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) verb: Verb,
    /// For one row.
    pub(crate) sql: String,
    /// For many rows at once, where the database can do that.
    pub(crate) bulk: Option<Bulk>,
    /// What stands in the places, in their order.
    pub(crate) places: Vec<Target>,
}

/// A statement for many rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// Each column is one array, which stands in its place.
    Arrays(String),
    /// The part in the middle stands once for each row, with commas between.
    Rows {
        before: String,
        row: String,
        after: String,
    },
}

/// One database's language.
pub(crate) trait Dialect: Send + Sync {
    /// The quotes of names.
    fn quote(&self) -> Quote;

    /// The type of a new column; nothing where values of this kind have none.
    fn column_type(&self, kind: &Kind) -> Option<String>;

    /// The type of this new column, where it depends on more than its values.
    fn type_of(&self, column: &Column) -> Option<String> {
        self.column_type(&column.kind)
    }

    /// What stands behind `DEFAULT` for this literal.
    fn default_of(&self, _kind: &Kind, literal: String) -> String {
        literal
    }

    /// A statement that does this with rows of these columns.
    fn statement(&self, verb: Verb, table: &TableId, columns: &[Target], quoting: Quoting) -> Statement;

    /// An insert that takes no offence at a row that is there already, found by the columns of a unique index, if it has the same values
    /// in all of these columns: then it does nothing. A row with other values is refused. Nothing where there is no such statement.
    fn insert_unless_there(
        &self,
        _table: &TableId,
        _columns: &[Target],
        _unique: &[String],
        _quoting: Quoting,
    ) -> Option<Statement> {
        None
    }

    /// The value of a column, or of what stands for one, as an instant that compares with [`instant_literal`](Self::instant_literal).
    fn instant(&self, column: &str, source_type: &SourceType) -> String;

    /// An instant (seconds since the epoch, and nanoseconds after them), for columns that hold one or the time of the zone's clocks.
    fn instant_literal(&self, at: (i64, u32), zoned: bool, zone: &TimeZone) -> String;

    /// What clocks of the zone show as an instant, for a database that takes it for UTC's where it is compared with one.
    fn clock_as_instant(&self, shown: String, _zone: &TimeZone) -> String {
        shown
    }

    /// Whether a column that holds instants and one that holds what clocks show can be compared as one.
    fn mixes_times(&self) -> bool {
        true
    }

    /// Whether a statement that writes the row of one key twice is refused, also where the database takes two different values for one
    /// key (by case, accents, spaces at the end, digits that are cut off). Elsewhere the later of them counts, and has to stay the later one.
    fn refuses_one_key_twice(&self) -> bool {
        false
    }

    /// The condition for rows that stand behind this instant and number, in this order; by default a comparison of rows, which is
    /// what an index of both columns serves.
    fn is_after(&self, (time, number): (&str, &str), (after, last): (&str, i64)) -> String {
        format!("({time}, {number}) > ({after}, {last})")
    }

    /// Whether several columns are added by one statement.
    fn adds_many(&self) -> bool {
        true
    }

    /// What goes before the first of the columns that a statement adds, and before each of the others.
    fn add_words(&self) -> [&'static str; 2] {
        ["ADD COLUMN "; 2]
    }
}

/// The dialect of a database.
pub(crate) fn dialect(database: Database) -> &'static dyn Dialect {
    match database {
        Database::MySql => &mysql::MySql,
        Database::Postgres => &postgres::Postgres,
        Database::Sqlite => &sqlite::Sqlite,
        Database::SqlServer => &sqlserver::SqlServer { holdlock: true },
    }
}

/// The dialect to write with; `holdlock` as in `mssql.use.merge.holdlock`.
pub(crate) fn dialect_to_write(database: Database, holdlock: bool) -> &'static dyn Dialect {
    match database {
        Database::SqlServer if !holdlock => &sqlserver::SqlServer { holdlock: false },
        other => dialect(other),
    }
}

fn no_type(column: &Column) -> ConnectError {
    ConnectError::data(format!(
        "column '{}' cannot be made: this database has no type for {:?}; leave the field out with fields.whitelist, or make the \
         column yourself",
        column.name, column.kind
    ))
}

/// The default of a new column, as SQL; nothing for kinds whose values have no such form.
fn default(column: &Column) -> Option<String> {
    let is_plain = !matches!(column.kind, Kind::Timestamp | Kind::Date | Kind::Time);
    column
        .default
        .as_ref()
        .filter(|_| is_plain)
        .and_then(literal::literal)
}

/// A column in `CREATE TABLE` and `ALTER TABLE`.
fn definition(dialect: &dyn Dialect, column: &Column, quoting: Quoting) -> Result<String> {
    let mut text = quoting.name(&column.name);
    text.push(' ');
    text.push_str(&dialect.type_of(column).ok_or_else(|| no_type(column))?);
    if let Some(default) = default(column) {
        text.push_str(" DEFAULT ");
        text.push_str(&dialect.default_of(&column.kind, default));
    }
    text.push_str(if column.optional { " NULL" } else { " NOT NULL" });
    Ok(text)
}

/// Makes a table for these columns.
///
/// # Errors
/// When a column's values have no type in this database.
pub(crate) fn create_table(
    dialect: &dyn Dialect,
    table: &TableId,
    columns: &[Column],
    quoting: Quoting,
) -> Result<String> {
    let mut parts = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        parts.push(definition(dialect, column, quoting)?);
    }
    let keys = columns.iter().filter(|column| column.key);
    let keys = quoting.names(keys.map(|column| column.name.as_str()));
    if !keys.is_empty() {
        parts.push(format!("PRIMARY KEY({keys})"));
    }
    Ok(format!(
        "CREATE TABLE {} (\n{}\n)",
        table.sql(quoting),
        parts.join(",\n")
    ))
}

/// Adds these columns to a table.
///
/// # Errors
/// As [`create_table`], and when a column is neither optional nor has a default: rows that are there would have no value.
pub(crate) fn add_columns(
    dialect: &dyn Dialect,
    table: &TableId,
    columns: &[&Column],
    quoting: Quoting,
) -> Result<Vec<String>> {
    let mut parts = Vec::with_capacity(columns.len());
    for column in columns {
        if !column.optional && default(column).is_none() {
            return Err(ConnectError::data(format!(
                "column '{}' cannot be added to table {table}: its field is neither optional nor has a default, and the rows that \
                 are there would have no value; make the field optional, or add the column yourself",
                column.name
            )));
        }
        let [first, next] = dialect.add_words();
        let word = if parts.is_empty() { first } else { next };
        parts.push(format!("{word}{}", definition(dialect, column, quoting)?));
    }
    let table = table.sql(quoting);
    Ok(if dialect.adds_many() {
        vec![format!("ALTER TABLE {table}\n{}", parts.join(",\n"))]
    } else {
        parts
            .into_iter()
            .map(|part| format!("ALTER TABLE {table} {part}"))
            .collect()
    })
}

/// [`Dialect::is_after`] where rows are not compared as a whole, or no index would serve that.
fn is_after_one_by_one((time, number): (&str, &str), (after, last): (&str, i64)) -> String {
    format!("{time} >= {after} AND ({time} > {after} OR {number} > {last})")
}

/// `a=1 AND b=2`, by what `side` makes of each column.
fn all_equal<'a>(
    columns: impl IntoIterator<Item = &'a Target>,
    mut side: impl FnMut(&Target) -> (String, String),
) -> String {
    let mut text = String::new();
    for column in columns {
        if !text.is_empty() {
            text.push_str(" AND ");
        }
        let (left, right) = side(column);
        text.push_str(&left);
        text.push('=');
        text.push_str(&right);
    }
    text
}

#[cfg(test)]
mod tests;
