//! SQLite.

use jiff::tz::TimeZone;

use super::{Dialect, Statement, Target, Verb, all_equal};
use crate::sink::cell::Kind;
use crate::source::SourceType;
use crate::table_id::{Quote, Quoting, TableId};

pub(super) struct Sqlite;

impl Dialect for Sqlite {
    fn quote(&self) -> Quote {
        Quote {
            open: '`',
            close: '`',
        }
    }

    fn column_type(&self, kind: &Kind) -> Option<String> {
        Some(
            match kind {
                Kind::Boolean | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => "INTEGER",
                Kind::Float32 | Kind::Float64 => "REAL",
                Kind::Text => "TEXT",
                Kind::Bytes => "BLOB",
                Kind::Decimal(_) | Kind::Date | Kind::Time | Kind::Timestamp => "NUMERIC",
                Kind::Array(_) => return None,
            }
            .to_owned(),
        )
    }

    fn statement(&self, verb: Verb, table: &TableId, columns: &[Target], quoting: Quoting) -> Statement {
        let table = table.sql(quoting);
        let name = |column: &Target| quoting.name(&column.name);
        let (keys, others): (Vec<&Target>, Vec<&Target>) = columns.iter().partition(|column| column.key);
        let names = quoting.names(columns.iter().map(|column| column.name.as_str()));
        let marks = vec!["?"; columns.len()].join(",");
        let by_key = || all_equal(keys.iter().copied(), |column| (name(column), "?".to_owned()));
        let (sql, places): (String, Vec<&Target>) = match verb {
            Verb::Insert => (
                format!("INSERT INTO {table}({names}) VALUES({marks})"),
                columns.iter().collect(),
            ),
            // Not INSERT OR REPLACE, which would empty the columns that the record does not have.
            Verb::Upsert => {
                let key = quoting.names(keys.iter().map(|column| column.name.as_str()));
                let sets: Vec<String> = others
                    .iter()
                    .map(|column| format!("{0}=excluded.{0}", name(column)))
                    .collect();
                let action = match sets.as_slice() {
                    [] => "NOTHING".to_owned(),
                    sets => format!("UPDATE SET {}", sets.join(",")),
                };
                (
                    format!("INSERT INTO {table}({names}) VALUES({marks}) ON CONFLICT({key}) DO {action}"),
                    columns.iter().collect(),
                )
            }
            Verb::Update => {
                let sets: Vec<String> = others
                    .iter()
                    .map(|column| format!("{}=?", name(column)))
                    .collect();
                (
                    format!("UPDATE {table} SET {} WHERE {}", sets.join(","), by_key()),
                    others.iter().chain(&keys).copied().collect(),
                )
            }
            Verb::Delete => (format!("DELETE FROM {table} WHERE {}", by_key()), keys.clone()),
        };
        Statement {
            verb,
            sql,
            bulk: None,
            places: places.into_iter().cloned().collect(),
        }
    }

    fn insert_unless_there(
        &self,
        table: &TableId,
        columns: &[Target],
        unique: &[String],
        quoting: Quoting,
    ) -> Option<Statement> {
        let place = |column: &Target| {
            let at = columns.iter().position(|other| other.slot == column.slot);
            at.map(|at| format!("?{}", at + 1))
        };
        let mut conditions = Vec::new();
        for column in columns {
            let (name, place) = (quoting.name(&column.name), place(column)?);
            // Rows without a value in the index are not the same for it.
            let equal = if unique.contains(&column.name) { "=" } else { "IS" };
            conditions.push(format!("{name} {equal} {place}"));
            // A column's own equality may take no notice of capital letters or spaces.
            if column.kind == Kind::Text {
                conditions.push(format!("{name} COLLATE BINARY {equal} {place}"));
            }
        }
        let places: Option<Vec<String>> = columns.iter().map(place).collect();
        let table = table.sql(quoting);
        Some(Statement {
            verb: Verb::Insert,
            sql: format!(
                "INSERT INTO {table}({}) SELECT {} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {})",
                quoting.names(columns.iter().map(|column| column.name.as_str())),
                places?.join(","),
                conditions.join(" AND ")
            ),
            bulk: None,
            places: columns.to_vec(),
        })
    }

    /// Milliseconds since the epoch, whichever of SQLite's forms a value has.
    fn instant(&self, column: &str, _: &SourceType) -> String {
        format!(
            "CASE typeof({column}) WHEN 'integer' THEN {column} ELSE \
             CAST(round((julianday({column}) - 2440587.5) * 86400000) AS INTEGER) END"
        )
    }

    fn instant_literal(&self, (seconds, nanos): (i64, u32), _zoned: bool, _zone: &TimeZone) -> String {
        seconds
            .saturating_mul(1_000)
            .saturating_add(i64::from(nanos / 1_000_000))
            .to_string()
    }

    fn adds_many(&self) -> bool {
        false
    }
}
