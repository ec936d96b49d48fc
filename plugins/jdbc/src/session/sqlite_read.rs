//! Reading from SQLite. Its columns hold what was put into them; what they are declared as says what is made of it.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::ValueRef;

use super::sqlite::{SqliteSession, failure};
use super::{Go, ReadFailure, ReadSession};
use crate::failure::Answer;
use crate::source::{At, Raw, Relation, Row, Shape, SourceColumn, SourceType, TableFilter};
use crate::table_id::{Quoting, TableId};

const TABLES: &str =
    "SELECT name FROM sqlite_master WHERE type = ?1 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
const COLUMNS: &str = "SELECT name, \"notnull\", pk FROM pragma_table_info(?1, ?2)";

impl ReadSession for SqliteSession {
    fn tables(&mut self, filter: &TableFilter) -> Answer<Vec<TableId>> {
        let mut found = Vec::new();
        for kind in [("TABLE", "table"), ("VIEW", "view")] {
            if !filter
                .types
                .iter()
                .any(|name| name.trim().eq_ignore_ascii_case(kind.0))
            {
                continue;
            }
            let mut statement = self.connection.prepare_cached(TABLES).map_err(failure)?;
            let names = statement
                .query_map([kind.1], |row| row.get::<_, String>(0))
                .map_err(failure)?;
            for name in names {
                found.push(TableId {
                    catalog: None,
                    schema: None,
                    name: name.map_err(failure)?,
                });
            }
        }
        found.sort();
        Ok(found)
    }

    fn begin(&mut self) -> Answer<()> {
        // The first thing that is read decides of when everything is that follows.
        const BEGIN: &str = "BEGIN; SELECT 1 FROM sqlite_master LIMIT 1";
        self.began = SystemTime::now();
        self.connection.execute_batch(BEGIN).map_err(failure)
    }

    fn end(&mut self) -> Answer<()> {
        self.connection.execute_batch("COMMIT").map_err(failure)
    }

    fn columns(&mut self, relation: &Relation, quoting: Quoting) -> Answer<Vec<SourceColumn>> {
        // Name, NOT NULL, and the place in the primary key.
        let mut known: Vec<(String, bool, i64)> = Vec::new();
        let sql = match relation {
            Relation::Table(table) => {
                let schema = table.schema.as_deref().unwrap_or("main");
                let mut statement = self.connection.prepare_cached(COLUMNS).map_err(failure)?;
                let rows = statement
                    .query_map([&table.name, schema], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })
                    .map_err(failure)?;
                for row in rows {
                    known.push(row.map_err(failure)?);
                }
                format!("SELECT * FROM {}", table.sql(quoting))
            }
            Relation::Query(query) => query.clone(),
        };
        let keys = known.iter().filter(|(_, _, key)| *key > 0).count();
        let statement = self.connection.prepare(&sql).map_err(failure)?;
        let columns = statement.columns();
        Ok(columns
            .map(|column| {
                let declared = column.decl_type().unwrap_or_default();
                let found = known.iter().find(|(name, ..)| name == column.name());
                // Such a column is the number of the row. Other keys may be null.
                let counts = keys == 1
                    && declared.eq_ignore_ascii_case("INTEGER")
                    && found.is_some_and(|(_, _, key)| *key > 0);
                SourceColumn {
                    name: column.name().to_owned(),
                    source_type: source_type(declared),
                    optional: !counts && found.is_none_or(|(_, not_null, _)| !not_null),
                    zero_is_null: false,
                    is_key: found.is_some_and(|(_, _, key)| *key > 0),
                    counts,
                    cast: "",
                }
            })
            .collect())
    }

    fn now(&mut self) -> Answer<At> {
        // The file is where this worker is: so is the clock of those who write to it.
        let now = self.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((
            i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            now.subsec_nanos(),
        ))
    }

    fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        shape: &Shape,
        each: &mut dyn FnMut(&mut Row) -> Go,
    ) -> Result<bool, ReadFailure> {
        let mut statement = self.connection.prepare(sql).map_err(failure)?;
        let mut rows = statement.query([]).map_err(failure)?;
        let mut row = shape.row();
        while let Some(found) = rows.next().map_err(failure)? {
            for (at, column) in columns.iter().enumerate() {
                let raw = raw(found.get_ref(at).map_err(failure)?, &column.source_type);
                row.set(shape, at, raw).map_err(ReadFailure::Refused)?;
            }
            if each(&mut row) == Go::Stop {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn raw<'v>(value: ValueRef<'v>, source_type: &SourceType) -> Raw<'v> {
    match (source_type, value) {
        (_, ValueRef::Null) => Raw::Null,
        // Times are numbers as the JVM's driver writes them, milliseconds since the epoch, or texts in ISO 8601.
        (SourceType::Date, ValueRef::Integer(millis)) => Raw::Date(millis.div_euclid(86_400_000)),
        (SourceType::Time, ValueRef::Integer(millis)) => Raw::Time(millis.rem_euclid(86_400_000)),
        (SourceType::Timestamp { .. }, ValueRef::Integer(millis)) => of_millis(millis),
        (SourceType::Date | SourceType::Time | SourceType::Timestamp { .. }, ValueRef::Real(day)) => {
            of_julian_day(day, source_type)
        }
        (SourceType::Date | SourceType::Time | SourceType::Timestamp { .. }, ValueRef::Text(text)) => {
            let text = std::str::from_utf8(text).unwrap_or_default();
            of_text(text, source_type).unwrap_or(Raw::Text(text))
        }
        (_, ValueRef::Integer(number)) => Raw::Integer(number),
        (_, ValueRef::Real(number)) => Raw::Float64(number),
        (_, ValueRef::Text(text)) => match std::str::from_utf8(text) {
            Ok(text) => Raw::Text(text),
            Err(_) => Raw::Bytes(text),
        },
        (_, ValueRef::Blob(bytes)) => Raw::Bytes(bytes),
    }
}

fn of_millis(millis: i64) -> Raw<'static> {
    let nanos = u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000;
    Raw::Timestamp(millis.div_euclid(1_000), nanos)
}

/// SQLite's third form of times: days since noon of the first day of the Julian calendar.
fn of_julian_day(day: f64, source_type: &SourceType) -> Raw<'static> {
    const EPOCH: f64 = 2_440_587.5;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "rounded, and far from the bounds of i64"
    )]
    let millis = ((day - EPOCH) * 86_400_000.0).round() as i64;
    match source_type {
        SourceType::Date => Raw::Date(millis.div_euclid(86_400_000)),
        SourceType::Time => Raw::Time(millis.rem_euclid(86_400_000)),
        _ => of_millis(millis),
    }
}

/// `2026-01-31`, `12:34:56.789`, `2026-01-31 12:34:56.789`, the last with an offset or without, which is then UTC.
fn of_text(text: &str, source_type: &SourceType) -> Option<Raw<'static>> {
    use jiff::civil::{Date, DateTime, Time};
    let text = text.trim();
    let midnight = |date: Date| date.to_datetime(Time::midnight());
    if *source_type == SourceType::Time {
        let time: Time = text.parse().ok()?;
        let nanos = time.duration_since(Time::midnight()).as_nanos();
        return Some(Raw::Time(i64::try_from(nanos / 1_000_000).ok()?));
    }
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let local = text
                .parse::<DateTime>()
                .or_else(|_| text.parse::<Date>().map(midnight))
                .ok()?;
            jiff::tz::TimeZone::UTC.to_timestamp(local).ok()?
        }
    };
    if *source_type == SourceType::Date {
        return Some(Raw::Date(at.as_second().div_euclid(86_400)));
    }
    let nanos = at.as_nanosecond();
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    Some(Raw::Timestamp(
        seconds,
        u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
    ))
}

/// By the words of the declaration, as SQLite itself and the JVM's driver read them. Integers have 64 bits, whatever they are called
/// short of SMALLINT: the file holds such.
fn source_type(declared: &str) -> SourceType {
    let upper = declared.to_ascii_uppercase();
    let (name, sizes) = upper.split_once('(').unwrap_or((&upper, ""));
    let mut sizes = sizes
        .trim_end()
        .trim_end_matches(')')
        .split(',')
        .map_while(|size| size.trim().parse::<i32>().ok());
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match name.trim() {
        "BOOLEAN" | "BOOL" => SourceType::Boolean,
        "TINYINT" => SourceType::Int8,
        "SMALLINT" | "INT2" => SourceType::Int16,
        "DATE" => SourceType::Date,
        "TIME" => SourceType::Time,
        // CURRENT_TIMESTAMP, the usual default, gives whole seconds.
        "DATETIME" | "TIMESTAMP" => SourceType::Timestamp {
            zoned: true,
            digits: 0,
        },
        "NUMERIC" | "DECIMAL" => {
            let precision = sizes.next().and_then(|size| u32::try_from(size).ok());
            SourceType::Numeric {
                precision: precision.unwrap_or(0),
                scale: sizes.next().or(precision.map(|_| 0)),
            }
        }
        _ if has(&["INT"]) => SourceType::Int64,
        _ if has(&["CHAR", "CLOB", "TEXT", "JSON", "UUID", "XML"]) => SourceType::Text,
        _ if has(&["REAL", "FLOA", "DOUB"]) => SourceType::Float64,
        _ if has(&["BLOB", "BINARY"]) => SourceType::Bytes,
        // An expression has no declaration.
        _ => SourceType::Text,
    }
}
