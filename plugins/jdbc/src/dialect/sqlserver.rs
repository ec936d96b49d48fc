//! SQL Server.
//!
//! Places in [`Statement::sql`] are numbered, `@P1` and on; in the row of a list of rows they are question marks, because their numbers
//! depend on how many rows come before.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Bulk, Dialect, Statement, Target, Verb, is_after_one_by_one, literal};
use crate::sink::cell::Kind;
use crate::sink::shape::Column;
use crate::source::SourceType;
use crate::table_id::{Quote, Quoting, TableId};

pub(super) struct SqlServer {
    /// Whether an upsert locks the place of a row that is not there yet (`mssql.use.merge.holdlock`).
    pub(super) holdlock: bool,
}

/// The most digits of a decimal.
const MOST_DIGITS: i32 = 38;
/// Digits after the second of a `datetime`, which counts in steps of 3⅓ milliseconds.
pub(crate) const DATETIME_DIGITS: u32 = 2;

/// Types whose values are compared as texts.
const TEXTS: [&str; 6] = ["char", "varchar", "nchar", "nvarchar", "text", "ntext"];
/// Those of a code page, in which places, which are Unicode, have no index to be found by.
const OF_CODE_PAGE: [&str; 2] = ["char", "varchar"];

/// Whether values for this column are sent as texts. Numbers and times would turn all of its values into their own kind to compare
/// them.
pub(crate) fn takes_texts(column: &Target) -> bool {
    TEXTS.contains(&column.type_name.as_str()) && column.kind != Kind::Bytes
}

/// A place of a column. Decimals come as texts, so that one statement serves them all, however many digits each has.
fn place(column: &Target, mark: &str) -> String {
    match &column.kind {
        _ if takes_texts(column) => mark.to_owned(),
        Kind::Decimal(scale) => format!(
            "CAST({mark} AS decimal({MOST_DIGITS},{}))",
            scale.clamp(&0, &MOST_DIGITS)
        ),
        // Else the column is compared as a datetime2, which tells apart what such types round.
        Kind::Timestamp | Kind::Date
            if ["datetime", "smalldatetime"].contains(&column.type_name.as_str()) =>
        {
            format!("CAST({mark} AS {})", column.type_name)
        }
        _ => mark.to_owned(),
    }
}

/// Rows with these keys; `left` goes before the column's name.
fn by_key(keys: &[&Target], quoting: Quoting, left: &str, value: impl Fn(&Target) -> String) -> String {
    let mut parts = Vec::new();
    for key in keys {
        let (name, value) = (quoting.name(&key.name), value(key));
        if takes_texts(key) && OF_CODE_PAGE.contains(&key.type_name.as_str()) {
            // The first finds the row by an index. The second sees to it that no character was lost on the way.
            parts.push(format!("{left}{name}=CAST({value} AS varchar(8000))"));
        }
        parts.push(format!("{left}{name}={value}"));
    }
    parts.join(" AND ")
}

/// The places of one row in a list of them.
fn row(columns: &[&Target]) -> String {
    let places: Vec<String> = columns.iter().map(|column| place(column, "?")).collect();
    format!("({})", places.join(","))
}

/// `@P1` and on.
fn numbered(columns: &[&Target], at: usize) -> String {
    place(columns[at], &format!("@P{}", at + 1))
}

impl SqlServer {
    /// What stands before and after the rows of a MERGE.
    fn merge(&self, verb: Verb, table: &str, columns: &[&Target], quoting: Quoting) -> (String, String) {
        let name = |column: &Target| quoting.name(&column.name);
        let (keys, others): (Vec<&Target>, Vec<&Target>) =
            columns.iter().copied().partition(|column| column.key);
        let names = quoting.names(columns.iter().map(|column| column.name.as_str()));
        let hold = if self.holdlock { " WITH (HOLDLOCK)" } else { "" };
        let on = by_key(&keys, quoting, "target.", |column| {
            format!("incoming.{}", name(column))
        });
        let mut after = format!(") AS incoming({names}) ON ({on})");
        if !others.is_empty() {
            let sets: Vec<String> = others
                .iter()
                .map(|column| format!("{0}=incoming.{0}", name(column)))
                .collect();
            after.push_str(&format!(" WHEN MATCHED THEN UPDATE SET {}", sets.join(",")));
        }
        if verb == Verb::Upsert {
            let values: Vec<String> = columns
                .iter()
                .map(|column| format!("incoming.{}", name(column)))
                .collect();
            after.push_str(&format!(
                " WHEN NOT MATCHED THEN INSERT({names}) VALUES({})",
                values.join(",")
            ));
        }
        after.push(';');
        (format!("MERGE INTO {table}{hold} AS target USING (VALUES"), after)
    }
}

impl Dialect for SqlServer {
    fn quote(&self) -> Quote {
        Quote {
            open: '[',
            close: ']',
        }
    }

    fn column_type(&self, kind: &Kind) -> Option<String> {
        Some(
            match kind {
                Kind::Boolean => "bit",
                Kind::Int8 => "tinyint",
                Kind::Int16 => "smallint",
                Kind::Int32 => "int",
                Kind::Int64 => "bigint",
                Kind::Float32 => "real",
                Kind::Float64 => "float",
                // A varchar would lose what is not in its code page, and say nothing.
                Kind::Text => "nvarchar(max)",
                Kind::Bytes => "varbinary(max)",
                Kind::Decimal(scale) => {
                    return Some(format!(
                        "decimal({MOST_DIGITS},{})",
                        scale.clamp(&0, &MOST_DIGITS)
                    ));
                }
                Kind::Date => "date",
                Kind::Time => "time",
                Kind::Timestamp => "datetime2",
                Kind::Array(_) => return None,
            }
            .to_owned(),
        )
    }

    /// A key has 900 bytes at most.
    fn type_of(&self, column: &Column) -> Option<String> {
        match column.kind {
            Kind::Text if column.key => Some("nvarchar(450)".to_owned()),
            Kind::Bytes if column.key => Some("varbinary(900)".to_owned()),
            ref kind => self.column_type(kind),
        }
    }

    fn default_of(&self, kind: &Kind, literal: String) -> String {
        match (kind, literal.as_str()) {
            (Kind::Boolean, "TRUE") => "1".to_owned(),
            (Kind::Boolean, _) => "0".to_owned(),
            (Kind::Text, _) => format!("N{literal}"),
            _ => literal,
        }
    }

    fn statement(&self, verb: Verb, table: &TableId, columns: &[Target], quoting: Quoting) -> Statement {
        let table = table.sql(quoting);
        let name = |column: &Target| quoting.name(&column.name);
        let all: Vec<&Target> = columns.iter().collect();
        let (keys, others): (Vec<&Target>, Vec<&Target>) = all.iter().copied().partition(|column| column.key);
        let rows = |(before, after): (String, String), columns: &[&Target]| {
            Some(Bulk::Rows {
                before,
                row: row(columns),
                after,
            })
        };
        let list = |columns: &[&Target]| {
            let places: Vec<String> = (0..columns.len()).map(|at| numbered(columns, at)).collect();
            places.join(",")
        };
        let (sql, bulk, places) = match verb {
            Verb::Insert => {
                let names = quoting.names(columns.iter().map(|column| column.name.as_str()));
                let before = format!("INSERT INTO {table}({names}) VALUES");
                (
                    format!("{before}({})", list(&all)),
                    rows((before, String::new()), &all),
                    all,
                )
            }
            Verb::Upsert => {
                let (before, after) = self.merge(verb, &table, &all, quoting);
                (
                    format!("{before}({}){after}", list(&all)),
                    rows((before, after), &all),
                    all,
                )
            }
            Verb::Update => {
                let places: Vec<&Target> = others.iter().chain(&keys).copied().collect();
                let sets: Vec<String> = others
                    .iter()
                    .enumerate()
                    .map(|(at, column)| format!("{}={}", name(column), numbered(&places, at)))
                    .collect();
                let of_key = |key: &Target| {
                    let at = places.iter().position(|place| *place == key).unwrap_or_default();
                    numbered(&places, at)
                };
                let by_key = by_key(&keys, quoting, "", of_key);
                (
                    format!("UPDATE {table} SET {} WHERE {by_key}", sets.join(",")),
                    rows(self.merge(verb, &table, &places, quoting), &places),
                    places,
                )
            }
            Verb::Delete => {
                let of_key = |key: &Target| {
                    let at = keys.iter().position(|place| *place == key).unwrap_or_default();
                    numbered(&keys, at)
                };
                let names = quoting.names(keys.iter().map(|column| column.name.as_str()));
                let joined = by_key(&keys, quoting, "target.", |column| {
                    format!("incoming.{}", name(column))
                });
                let before = format!("DELETE target FROM {table} AS target INNER JOIN (VALUES");
                let after = format!(") AS incoming({names}) ON {joined}");
                (
                    format!("DELETE FROM {table} WHERE {}", by_key(&keys, quoting, "", of_key)),
                    rows((before, after), &keys),
                    keys,
                )
            }
        };
        Statement {
            verb,
            sql,
            bulk,
            places: places.into_iter().cloned().collect(),
        }
    }

    fn instant(&self, column: &str, source_type: &SourceType) -> String {
        match source_type {
            // What a datetime is as a datetime2 depends on the database's compatibility level: it is compared as what is read.
            SourceType::Date
            | SourceType::Timestamp {
                zoned: false,
                digits: DATETIME_DIGITS,
            } => format!("CAST({column} AS datetime2(7))"),
            _ => column.to_owned(),
        }
    }

    fn instant_literal(&self, (seconds, nanos): (i64, u32), zoned: bool, zone: &TimeZone) -> String {
        let (offset, type_name) = if zoned {
            ("+00:00", "datetimeoffset(7)")
        } else {
            ("", "datetime2(7)")
        };
        let steps = nanos / 100;
        let Ok(at) = Timestamp::new(seconds, (steps * 100).cast_signed()) else {
            let end = if seconds < 0 {
                "0001-01-01T00:00:00"
            } else {
                "9999-12-31T23:59:59.9999999"
            };
            return format!("CAST('{end}{offset}' AS {type_name})");
        };
        let shown = literal::clock(at, zoned, zone, 'T');
        format!("CAST('{shown}.{steps:07}{offset}' AS {type_name})")
    }

    /// A time without a zone would be compared as one of UTC.
    fn mixes_times(&self) -> bool {
        false
    }

    /// MERGE refuses it.
    fn refuses_one_key_twice(&self) -> bool {
        true
    }

    /// Rows are not compared as a whole.
    fn is_after(&self, columns: (&str, &str), after: (&str, i64)) -> String {
        is_after_one_by_one(columns, after)
    }

    fn add_words(&self) -> [&'static str; 2] {
        ["ADD ", ""]
    }
}

#[cfg(test)]
#[path = "sqlserver_tests.rs"]
mod tests;
