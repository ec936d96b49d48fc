//! MySQL and MariaDB, by statements that both understand.
//!
//! Many rows go as one statement with a list of rows. An upsert changes whatever row has the same value in any unique index; that
//! it is the row with the record's key is made sure of by the first assignment, which divides by zero for another one. (A NULL would
//! not do: a column that counts by itself takes it for 0.)

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Bulk, Dialect, Statement, Target, Verb, all_equal, is_after_one_by_one, literal};
use crate::sink::cell::Kind;
use crate::sink::shape::Column;
use crate::source::SourceType;
use crate::table_id::{Quote, Quoting, TableId};

pub(super) struct MySql;

/// The most digits after the point that both take in a cast.
const MOST_SCALE: i32 = 30;
/// Digits that DECIMAL has at most.
const MOST_DIGITS: u32 = 65;

/// Types whose values are compared as texts.
pub(crate) const TEXTS: [&str; 6] = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"];
/// Types whose values are whole numbers.
pub(crate) const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];

/// The value of a place as it is compared with its column, which is a key. A number that comes as a text would be compared as a
/// double, which tells large ones not apart.
fn compared(column: &Target) -> String {
    match column.kind {
        // All that a column of texts is compared with is sent as a text.
        Kind::Decimal(_) if TEXTS.contains(&column.type_name.as_str()) => "?".to_owned(),
        Kind::Decimal(scale) => {
            let scale = scale.clamp(0, MOST_SCALE);
            format!("CAST(? AS DECIMAL({MOST_DIGITS},{scale}))")
        }
        Kind::Text if INTEGERS.contains(&column.type_name.as_str()) || column.type_name == "decimal" => {
            format!("CAST(? AS DECIMAL({MOST_DIGITS},{MOST_SCALE}))")
        }
        _ => "?".to_owned(),
    }
}

/// Whether a list of such values is compared like each of them by itself.
fn may_stand_in_list(column: &Target) -> bool {
    let name = column.type_name.as_str();
    match column.kind {
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => INTEGERS.contains(&name),
        Kind::Text => TEXTS.contains(&name),
        _ => false,
    }
}

impl Dialect for MySql {
    fn quote(&self) -> Quote {
        Quote {
            open: '`',
            close: '`',
        }
    }

    fn column_type(&self, kind: &Kind) -> Option<String> {
        Some(
            match kind {
                Kind::Boolean | Kind::Int8 => "TINYINT",
                Kind::Int16 => "SMALLINT",
                Kind::Int32 => "INT",
                Kind::Int64 => "BIGINT",
                Kind::Float32 => "FLOAT",
                Kind::Float64 => "DOUBLE",
                Kind::Text => "TEXT",
                Kind::Bytes => "VARBINARY(1024)",
                Kind::Decimal(scale) => return Some(format!("DECIMAL({MOST_DIGITS},{})", scale.max(&0))),
                Kind::Date => "DATE",
                Kind::Time => "TIME(3)",
                Kind::Timestamp => "DATETIME(3)",
                Kind::Array(_) => return None,
            }
            .to_owned(),
        )
    }

    fn type_of(&self, column: &Column) -> Option<String> {
        match column.kind {
            // A TEXT cannot be a key without a length.
            Kind::Text if column.key => Some("VARCHAR(255)".to_owned()),
            Kind::Timestamp if column.counts_instants() => Some("DATETIME(6)".to_owned()),
            ref kind => self.column_type(kind),
        }
    }

    /// A text has a default only as an expression.
    fn default_of(&self, kind: &Kind, literal: String) -> String {
        match kind {
            Kind::Text => format!("({literal})"),
            _ => literal,
        }
    }

    fn statement(&self, verb: Verb, table: &TableId, columns: &[Target], quoting: Quoting) -> Statement {
        let table = table.sql(quoting);
        let name = |column: &Target| quoting.name(&column.name);
        let (keys, others): (Vec<&Target>, Vec<&Target>) = columns.iter().partition(|column| column.key);
        let by_key = || all_equal(keys.iter().copied(), |column| (name(column), compared(column)));
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let names = quoting.names(columns.iter().map(|column| column.name.as_str()));
        let insert = format!("INSERT INTO {table}({names}) VALUES");
        let all = || columns.iter().collect::<Vec<_>>();
        let many = |after: &str| {
            Some(Bulk::Rows {
                before: insert.clone(),
                row: row.clone(),
                after: after.to_owned(),
            })
        };
        let (sql, bulk, places) = match verb {
            Verb::Insert => (format!("{insert}{row}"), many(""), all()),
            Verb::Upsert => {
                let is_same = all_equal(keys.iter().copied(), |column| {
                    (name(column), format!("VALUES({})", name(column)))
                });
                let mut sets: Vec<String> = keys
                    .first()
                    .map(|key| {
                        format!(
                            "{0}=IF({is_same},{0},IF(1/(NOT {0}<=>{0}) IS NULL,{0},{0}))",
                            name(key)
                        )
                    })
                    .into_iter()
                    .collect();
                sets.extend(
                    others
                        .iter()
                        .map(|column| format!("{0}=VALUES({0})", name(column))),
                );
                let action = format!(" ON DUPLICATE KEY UPDATE {}", sets.join(","));
                (format!("{insert}{row}{action}"), many(&action), all())
            }
            Verb::Update => {
                let sets: Vec<String> = others
                    .iter()
                    .map(|column| format!("{}=?", name(column)))
                    .collect();
                (
                    format!("UPDATE {table} SET {} WHERE {}", sets.join(","), by_key()),
                    None,
                    others.iter().chain(&keys).copied().collect(),
                )
            }
            Verb::Delete => {
                let key = quoting.names(keys.iter().map(|column| column.name.as_str()));
                let bulk = Bulk::Rows {
                    before: format!("DELETE FROM {table} WHERE ({key}) IN ("),
                    row: format!("({})", vec!["?"; keys.len()].join(",")),
                    after: ")".to_owned(),
                };
                (
                    format!("DELETE FROM {table} WHERE {}", by_key()),
                    keys.iter().all(|key| may_stand_in_list(key)).then_some(bulk),
                    keys.clone(),
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

    fn insert_unless_there(
        &self,
        table: &TableId,
        columns: &[Target],
        unique: &[String],
        quoting: Quoting,
    ) -> Option<Statement> {
        let insert = self.statement(Verb::Insert, table, columns, quoting);
        // As bytes, since texts may be equal that are not the same; VALUES has the type of its column. A document is a text first, and
        // numbers are compared as such, too, where their text has not all digits.
        let bytes = |column: &Target, value: &str| match column.type_name.as_str() {
            "json" => format!("CAST(CAST({value} AS CHAR) AS BINARY)"),
            _ => format!("CAST({value} AS BINARY)"),
        };
        let all: Vec<String> = columns
            .iter()
            .map(|column| {
                let name = quoting.name(&column.name);
                let new = format!("VALUES({name})");
                let same = format!("{}<=>{}", bytes(column, &name), bytes(column, &new));
                match column.type_name.as_str() {
                    "float" | "double" => format!("{same} AND {name}<=>{new}"),
                    _ => same,
                }
            })
            .collect();
        let first = quoting.name(unique.first()?);
        let is_same = all.join(" AND ");
        let action = format!(
            " ON DUPLICATE KEY UPDATE {first}=IF({is_same},{first},IF(1/(NOT {first}<=>{first}) IS NULL,{first},{first}))"
        );
        Some(Statement {
            sql: format!("{}{action}", insert.sql),
            bulk: insert.bulk.map(|bulk| match bulk {
                Bulk::Rows { before, row, after } => Bulk::Rows {
                    before,
                    row,
                    after: format!("{after}{action}"),
                },
                other => other,
            }),
            ..insert
        })
    }

    fn instant(&self, column: &str, source_type: &SourceType) -> String {
        match source_type {
            SourceType::Date => format!("CAST({column} AS DATETIME(6))"),
            _ => column.to_owned(),
        }
    }

    fn instant_literal(&self, (seconds, nanos): (i64, u32), zoned: bool, zone: &TimeZone) -> String {
        let micros = nanos / 1_000;
        let Ok(at) = Timestamp::new(seconds, (micros * 1_000).cast_signed()) else {
            let end = if seconds < 0 {
                "0001-01-01 00:00:00"
            } else {
                "9999-12-31 23:59:59.999999"
            };
            return format!("TIMESTAMP '{end}'");
        };
        // Sessions are in UTC: so are the values of columns that keep instants.
        let shown = literal::clock(at, zoned, zone, ' ');
        format!("TIMESTAMP '{shown}.{micros:06}'")
    }

    /// Values are compared by what they show.
    fn mixes_times(&self) -> bool {
        false
    }

    /// A comparison of rows would be served by no index.
    fn is_after(&self, columns: (&str, &str), after: (&str, i64)) -> String {
        is_after_one_by_one(columns, after)
    }
}
