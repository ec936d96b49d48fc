//! Reading from MySQL and MariaDB: rows come as a prepared statement gives them, in binary, and stream.

use futures_util::FutureExt as _;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Column, QueryResult, Value, params};
use num_bigint::BigInt;
use wharf_api::Decimal;

use super::mysql::{MySqlSession, folded};
use super::mysql_url::{Habits, ZeroDate};
use super::mysql_values::{bytes, instant as seconds_of};
use super::{Go, ReadFailure, ReadSession};
use crate::failure::{Answer, Failure, Trouble};
use crate::source::{At, Raw, Relation, Row, Shape, SourceColumn, SourceType, TableFilter};
use crate::table_id::{Quoting, TableId};

/// How many rows are taken from the connection at once, and of how many bytes.
const CHUNK: usize = 512;
const CHUNK_BYTES: usize = 1024 * 1024;
/// The character set of what is no text.
const BINARY: u16 = 63;
const SECONDS_PER_DAY: i64 = 86_400;

impl MySqlSession {
    fn time(&mut self) -> Answer<At> {
        // The session is in UTC.
        const NOW: &str = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) AS CHAR)";
        let now: Option<String> = self.link.run(self.connection.query_first(NOW))?;
        let now = now.unwrap_or_default();
        let (seconds, fraction) = now.split_once('.').unwrap_or((&now, ""));
        let micros = format!("{fraction:0<6}");
        seconds
            .parse()
            .ok()
            .zip(micros.get(..6).and_then(|micros| micros.parse::<u32>().ok()))
            .map(|(seconds, micros)| (seconds, micros * 1_000))
            .ok_or_else(|| Failure::new(Trouble::Unknown, format!("'{now}' is no time")))
    }
}

impl ReadSession for MySqlSession {
    fn tables(&mut self, filter: &TableFilter) -> Answer<Vec<TableId>> {
        let database = folded("TABLE_SCHEMA");
        // The database of the URL, unless others are named; all where it names none.
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
             AND (:catalog IS NULL OR {database} = {}) AND (:schema IS NULL OR {database} LIKE {}) \
             AND (:is_named OR DATABASE() IS NULL OR {database} = {}) ORDER BY 1, 2",
            folded(":catalog"),
            folded(":schema"),
            folded("DATABASE()")
        );
        let catalog = filter.catalog.as_ref().filter(|name| !name.is_empty());
        let parameters = params! {
            "is_named" => catalog.is_some() || filter.schema.is_some(),
            catalog,
            "schema" => &filter.schema,
        };
        let found: Vec<(String, String, String)> = self.link.run(self.connection.exec(sql, parameters))?;
        let wanted = |name: &str| {
            let mut types = filter.types.iter();
            types.any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
        };
        Ok(found
            .into_iter()
            .filter(|(.., kind)| match kind.as_str() {
                "BASE TABLE" | "SYSTEM VERSIONED" => wanted("TABLE"),
                "VIEW" => wanted("VIEW"),
                _ => false,
            })
            .map(|(database, name, _)| TableId {
                catalog: Some(database),
                schema: None,
                name,
            })
            .collect())
    }

    fn begin(&mut self) -> Answer<()> {
        // Before the transaction: where it sees one state from its beginning to its end, columns of a query may be the first that it sees.
        self.began = self.time()?;
        // A table that is read in a transaction keeps its definition until the end.
        self.link.run(self.connection.query_drop("START TRANSACTION"))
    }

    fn end(&mut self) -> Answer<()> {
        self.link.run(self.connection.query_drop("COMMIT"))
    }

    fn columns(&mut self, relation: &Relation, quoting: Quoting) -> Answer<Vec<SourceColumn>> {
        let (sql, is_query) = match relation {
            Relation::Table(table) => (format!("SELECT * FROM {} LIMIT 0", table.sql(quoting)), false),
            // What follows may end in a comment.
            Relation::Query(query) => (format!("SELECT * FROM (\n{query}\n) AS q LIMIT 0"), true),
        };
        let connection = &mut self.connection;
        let found = self.link.run(async {
            let result = connection.query_iter(sql).await?;
            let columns = result.columns();
            result.drop_result().await?;
            Ok(columns)
        })?;
        let has = |column: &Column, flag| column.flags().contains(flag);
        Ok(found
            .iter()
            .flat_map(|columns| columns.iter())
            .map(|column| {
                let source_type = source_type(column, self.habits);
                SourceColumn {
                    name: column.name_str().into_owned(),
                    zero_is_null: self.habits.zero_date == ZeroDate::Null
                        && matches!(source_type, SourceType::Date | SourceType::Timestamp { .. }),
                    source_type,
                    // An outer join makes nulls of what is none in its table.
                    optional: is_query || !has(column, ColumnFlags::NOT_NULL_FLAG),
                    is_key: has(column, ColumnFlags::PRI_KEY_FLAG),
                    counts: has(column, ColumnFlags::AUTO_INCREMENT_FLAG),
                    cast: "",
                }
            })
            .collect())
    }

    fn now(&mut self) -> Answer<At> {
        Ok(self.began)
    }

    fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        shape: &Shape,
        each: &mut dyn FnMut(&mut Row) -> Go,
    ) -> Result<bool, ReadFailure> {
        let Self {
            connection,
            link,
            zone,
            habits,
            ..
        } = self;
        let mut result = link.run(connection.exec_iter(sql, ()))?;
        let count = result.columns_ref().len();
        if count != columns.len() {
            let text = format!("a row has {count} columns instead of {}", columns.len());
            return Err(Failure::new(Trouble::Statement, text).into());
        }
        let mut row = shape.row();
        loop {
            let (found, ended) = link.run(next_rows(&mut result))?;
            for values in found {
                for (at, column) in columns.iter().enumerate() {
                    let value = values.as_ref(at).unwrap_or(&Value::NULL);
                    let raw = raw(value, &column.source_type, zone, *habits)
                        .map_err(|reason| ReadFailure::of_column(&column.name, &reason))?;
                    row.set(shape, at, raw).map_err(ReadFailure::Refused)?;
                }
                if each(&mut row) == Go::Stop {
                    // What is on its way would come before the next answer: the connection is of no more use.
                    link.cancel();
                    return Ok(false);
                }
            }
            if ended {
                return Ok(true);
            }
        }
    }
}

/// Waits for the next row, and takes those that have come with it; says whether there are no more.
async fn next_rows(
    result: &mut QueryResult<'_, '_, BinaryProtocol>,
) -> mysql_async::Result<(Vec<mysql_async::Row>, bool)> {
    let mut rows = Vec::new();
    let mut size = 0;
    while rows.len() < CHUNK && size < CHUNK_BYTES {
        let next = if rows.is_empty() {
            result.next().await?
        } else {
            match result.next().now_or_never() {
                Some(next) => next?,
                None => break,
            }
        };
        let Some(row) = next else {
            return Ok((rows, true));
        };
        size += (0..row.len())
            .filter_map(|at| row.as_ref(at))
            .map(bytes)
            .sum::<usize>();
        rows.push(row);
    }
    Ok((rows, false))
}

/// The value as the source takes it. It is what the column's type says, also where the type is known from the value alone.
fn raw<'v>(
    value: &'v Value,
    source_type: &SourceType,
    zone: &TimeZone,
    habits: Habits,
) -> Result<Raw<'v>, String> {
    Ok(match (source_type, value) {
        (_, Value::NULL) => Raw::Null,
        // BIT comes as bytes, the last bit in the last of them.
        (SourceType::Boolean, Value::Bytes(bits)) => Raw::Boolean(bits.iter().any(|byte| *byte != 0)),
        (SourceType::Int8, Value::Bytes(bits)) => {
            Raw::Integer(bits.last().copied().unwrap_or(0).cast_signed().into())
        }
        (SourceType::Date, Value::Int(_) | Value::UInt(_)) => year(value, habits)?,
        (_, Value::Int(number)) => Raw::Integer(*number),
        (_, Value::UInt(number)) => Raw::Integer(i64::try_from(*number).map_err(|_| {
            format!(
                "{number} has no place in an INT64; read the column by a query with CAST(… AS DECIMAL(20)) or CAST(… AS CHAR)"
            )
        })?),
        (_, Value::Float(number)) => Raw::Float32(*number),
        (_, Value::Double(number)) => Raw::Float64(*number),
        (SourceType::Bytes, Value::Bytes(bytes)) => Raw::Bytes(bytes),
        (SourceType::Numeric { .. }, Value::Bytes(text)) => Raw::Decimal(decimal(text)?),
        (_, Value::Bytes(text)) => Raw::Text(std::str::from_utf8(text).map_err(|error| error.to_string())?),
        (_, Value::Date(year, month, day, hour, minute, second, micros)) => {
            let digits = [*month, *day, *hour, *minute, *second];
            match civil(*year, digits) {
                Some(at) => instant(at, *micros, source_type, zone),
                None => return zero(source_type, habits),
            }
        }
        (_, Value::Time(is_negative, days, hours, minutes, seconds, micros)) => {
            let seconds = i64::from(*hours) * 3_600 + i64::from(*minutes) * 60 + i64::from(*seconds);
            if *is_negative || *days > 0 {
                return Err(
                    "a TIME before 00:00:00 or after 23:59:59 has no place in a Time; read the column by a query with \
                     TIME_TO_SEC(…) or CAST(… AS CHAR)"
                        .to_owned(),
                );
            }
            Raw::Time(seconds * 1_000 + i64::from(*micros) / 1_000)
        }
    })
}

/// Digits with a point among them, as DECIMAL is sent.
fn decimal(text: &[u8]) -> Result<Decimal, String> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let unscaled: Option<BigInt> = format!("{whole}{fraction}").parse().ok();
    unscaled
        .zip(i32::try_from(fraction.len()).ok())
        .map(|(unscaled, scale)| Decimal::new(unscaled, scale))
        .ok_or_else(|| format!("a text of {} bytes is no number", text.len()))
}

fn civil(year: u16, [month, day, hour, minute, second]: [u8; 5]) -> Option<DateTime> {
    let year = i16::try_from(year).ok().filter(|year| *year > 0)?;
    DateTime::new(
        year,
        month.cast_signed(),
        day.cast_signed(),
        hour.cast_signed(),
        minute.cast_signed(),
        second.cast_signed(),
        0,
    )
    .ok()
}

fn year(value: &Value, habits: Habits) -> Result<Raw<'static>, String> {
    let number = match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        Value::UInt(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    match civil(number.unwrap_or(0), [1, 1, 0, 0, 0]) {
        Some(at) => Ok(instant(at, 0, &SourceType::Date, &TimeZone::UTC)),
        None => zero(&SourceType::Date, habits),
    }
}

fn instant(at: DateTime, micros: u32, source_type: &SourceType, zone: &TimeZone) -> Raw<'static> {
    let seconds = |zone: &TimeZone| seconds_of(at, zone);
    match source_type {
        SourceType::Date => Raw::Date(seconds(&TimeZone::UTC).div_euclid(SECONDS_PER_DAY)),
        SourceType::Time => {
            let clock = at.time().duration_since(Time::midnight()).as_millis();
            Raw::Time(i64::try_from(clock).unwrap_or(0) + i64::from(micros) / 1_000)
        }
        // The session is in UTC: so are the values of columns that keep instants.
        SourceType::Timestamp { zoned: true, .. } => Raw::Timestamp(seconds(&TimeZone::UTC), micros * 1_000),
        _ => Raw::Timestamp(seconds(zone), micros * 1_000),
    }
}

/// What is made of a date that is none.
fn zero(source_type: &SourceType, habits: Habits) -> Result<Raw<'static>, String> {
    match habits.zero_date {
        ZeroDate::Null => Ok(Raw::Null),
        ZeroDate::Round => {
            let first = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
            Ok(instant(first, 0, source_type, &TimeZone::UTC))
        }
        ZeroDate::Fail => Err(
            "it holds a date that is none, such as 0000-00-00; set zeroDateTimeBehavior=CONVERT_TO_NULL or ROUND in connection.url, or \
             exclude the row by a query"
                .to_owned(),
        ),
    }
}

/// What a column is, by what the server says of it.
fn source_type(column: &Column, habits: Habits) -> SourceType {
    let length = column.column_length();
    let is_unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    let digits = match u32::from(column.decimals()) {
        digits @ 0..=6 => digits,
        // Of an expression nobody says how many there are.
        _ => 6,
    };
    match column.column_type() {
        ColumnType::MYSQL_TYPE_TINY if length == 1 && !is_unsigned && habits.tiny_is_boolean => {
            SourceType::Boolean
        }
        ColumnType::MYSQL_TYPE_TINY if is_unsigned => SourceType::Int16,
        ColumnType::MYSQL_TYPE_TINY => SourceType::Int8,
        ColumnType::MYSQL_TYPE_SHORT if is_unsigned => SourceType::Int32,
        ColumnType::MYSQL_TYPE_SHORT => SourceType::Int16,
        ColumnType::MYSQL_TYPE_INT24 => SourceType::Int32,
        ColumnType::MYSQL_TYPE_LONG if is_unsigned => SourceType::Int64,
        ColumnType::MYSQL_TYPE_LONG => SourceType::Int32,
        ColumnType::MYSQL_TYPE_LONGLONG => SourceType::Int64,
        ColumnType::MYSQL_TYPE_YEAR if habits.year_is_date => SourceType::Date,
        ColumnType::MYSQL_TYPE_YEAR => SourceType::Int16,
        ColumnType::MYSQL_TYPE_FLOAT => SourceType::Float32,
        ColumnType::MYSQL_TYPE_DOUBLE => SourceType::Float64,
        ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
            let scale = i32::from(column.decimals());
            // The length has room for the point and the sign.
            let precision = length
                .saturating_sub((scale > 0).into())
                .saturating_sub((!is_unsigned).into());
            SourceType::Numeric {
                precision,
                scale: Some(scale),
            }
        }
        ColumnType::MYSQL_TYPE_BIT => match length {
            1 => SourceType::Boolean,
            2..=8 => SourceType::Int8,
            _ => SourceType::Bytes,
        },
        ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => SourceType::Date,
        ColumnType::MYSQL_TYPE_TIME => SourceType::Time,
        ColumnType::MYSQL_TYPE_DATETIME => SourceType::Timestamp { zoned: false, digits },
        ColumnType::MYSQL_TYPE_TIMESTAMP => SourceType::Timestamp { zoned: true, digits },
        ColumnType::MYSQL_TYPE_JSON | ColumnType::MYSQL_TYPE_NULL => SourceType::Text,
        ColumnType::MYSQL_TYPE_GEOMETRY => SourceType::Bytes,
        _ if column.character_set() == BINARY => SourceType::Bytes,
        _ => SourceType::Text,
    }
}
