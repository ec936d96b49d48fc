//! Reading from SQL Server: rows stream as the server sends them.

use futures_util::{FutureExt as _, StreamExt as _};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use num_bigint::BigInt;
use tiberius::error::Error;
use tiberius::{ColumnData, QueryItem, QueryStream, Row as ServerRow, time};
use wharf_api::Decimal;

use super::mysql_values::instant;
use super::sqlserver::{SqlServerSession, cancel, exact, of_catalog, quietly, text};
use super::sqlserver_values::{EPOCH, bytes};
use super::waiting::Waiting;
use super::{Go, ReadFailure, ReadSession};
use crate::dialect::sqlserver::DATETIME_DIGITS;
use crate::failure::{Answer, Failure, Trouble, of_sqlserver_code};
use crate::source::{At, Raw, Relation, Row, Shape, SourceColumn, SourceType, TableFilter};
use crate::table_id::{Quoting, TableId};

/// How many rows are taken from the connection at once, and of how many bytes.
const CHUNK: usize = 512;
const CHUNK_BYTES: usize = 1024 * 1024;
/// Days from the first day of 1900, which older types count from, to the epoch.
const EPOCH_OF_1900: i64 = 25_567;
const SECONDS_PER_DAY: i64 = 86_400;

/// What a query gives, without running it.
const COLUMNS: &str = "SELECT COALESCE(name, ''), CAST(COALESCE(is_nullable, 1) AS int), CAST(COALESCE(system_type_id, 0) AS int), \
    CAST(COALESCE(precision, 0) AS int), CAST(COALESCE(scale, 0) AS int), CAST(COALESCE(is_identity_column, 0) AS int), \
    error_number, COALESCE(error_message, '') \
    FROM sys.dm_exec_describe_first_result_set(@P1, NULL, 0) WHERE COALESCE(is_hidden, 0) = 0 ORDER BY column_ordinal";

fn tables_of(catalog: &str) -> String {
    format!(
        "SELECT s.name, o.name, CASE o.type WHEN 'V' THEN 'VIEW' ELSE 'TABLE' END FROM {catalog}sys.objects AS o \
         JOIN {catalog}sys.schemas AS s ON s.schema_id = o.schema_id \
         WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name LIKE COALESCE(@P1, '%') ORDER BY 1, 2"
    )
}

fn key_of(catalog: &str) -> String {
    format!(
        "SELECT c.name FROM {catalog}sys.indexes AS i \
         JOIN {catalog}sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
         JOIN {catalog}sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
         WHERE i.object_id = OBJECT_ID(@P1) AND i.is_primary_key = 1"
    )
}

/// What a row of [`COLUMNS`] says.
struct Described {
    name: String,
    nullable: bool,
    type_id: i32,
    precision: i32,
    scale: i32,
    counts: bool,
}

impl Described {
    fn of(row: &ServerRow) -> Answer<Self> {
        let number = |at: usize| -> Answer<i32> { Ok(row.try_get::<i32, _>(at)?.unwrap_or(0)) };
        if let Some(code) = row.try_get::<i32, _>(6)? {
            let trouble = match of_sqlserver_code(code.unsigned_abs(), 16) {
                // Why is in the message; nobody else's row is to blame.
                Trouble::Unknown | Trouble::Data => Trouble::Statement,
                known => known,
            };
            return Err(Failure::new(trouble, text(row, 7)?).with_code(code.to_string()));
        }
        Ok(Self {
            name: text(row, 0)?,
            nullable: number(1)? != 0,
            type_id: number(2)?,
            precision: number(3)?,
            scale: number(4)?,
            counts: number(5)? != 0,
        })
    }

    /// What the column is, and what is done to it in the select list.
    fn source_type(&self) -> (SourceType, &'static str) {
        let numeric = |precision: i32, scale: i32| SourceType::Numeric {
            precision: precision.unsigned_abs(),
            scale: Some(scale),
        };
        let timestamp = |digits: i32| SourceType::Timestamp {
            zoned: false,
            digits: digits.unsigned_abs(),
        };
        let source_type = match self.type_id {
            104 => SourceType::Int8,
            48 | 52 => SourceType::Int16,
            56 => SourceType::Int32,
            127 => SourceType::Int64,
            59 => SourceType::Float32,
            62 => SourceType::Float64,
            106 | 108 => numeric(self.precision, self.scale),
            // The library makes doubles of them, which do not hold them.
            60 => return (numeric(19, 4), " + CAST(0 AS decimal(19, 4))"),
            122 => return (numeric(10, 4), " + CAST(0 AS decimal(10, 4))"),
            40 => SourceType::Date,
            41 => SourceType::Time,
            42 => timestamp(self.scale),
            43 => SourceType::Timestamp {
                zoned: true,
                digits: self.scale.unsigned_abs(),
            },
            58 => timestamp(0),
            61 => SourceType::Timestamp {
                zoned: false,
                digits: DATETIME_DIGITS,
            },
            // uniqueidentifier, char, varchar, text, nchar, nvarchar, ntext, xml.
            36 | 175 | 167 | 35 | 239 | 231 | 99 | 241 => SourceType::Text,
            // binary, varbinary, image, rowversion.
            173 | 165 | 34 | 189 => SourceType::Bytes,
            // hierarchyid, geometry, geography and types that users make in .NET.
            240 => return (SourceType::Other, ".ToString()"),
            _ => SourceType::Other,
        };
        (source_type, "")
    }
}

/// Where reading has come to.
enum Outcome {
    All,
    /// Nobody wants more.
    Enough,
    /// The server is no longer waited for.
    BrokenOff(Failure),
}

impl ReadSession for SqlServerSession {
    fn tables(&mut self, filter: &TableFilter) -> Answer<Vec<TableId>> {
        let quoting = Quoting {
            quote: crate::dialect::dialect(crate::url::Database::SqlServer).quote(),
            always: true,
        };
        let catalog = match filter.catalog.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => match self.query("SELECT DB_NAME()", &[])?.first() {
                Some(row) => text(row, 0)?,
                None => String::new(),
            },
        };
        // Brackets mean something in patterns here, and nothing in those of a configuration.
        let schema = filter.schema.as_ref().map(|pattern| pattern.replace('[', "[[]"));
        let sql = tables_of(&format!("{}.", quoting.name(&catalog)));
        let mut tables = Vec::new();
        for row in self.query(&sql, &[schema.as_deref()])? {
            let kind = text(&row, 2)?;
            let mut types = filter.types.iter();
            if types.any(|wanted| wanted.trim().eq_ignore_ascii_case(&kind)) {
                tables.push(TableId {
                    catalog: Some(catalog.clone()),
                    schema: Some(text(&row, 0)?),
                    name: text(&row, 1)?,
                });
            }
        }
        Ok(tables)
    }

    /// A definition may change between the look at it and the statement, which then reads the columns that were there before.
    fn begin(&mut self) -> Answer<()> {
        self.batch("BEGIN TRANSACTION")
    }

    fn end(&mut self) -> Answer<()> {
        self.batch("COMMIT TRANSACTION")
    }

    fn columns(&mut self, relation: &Relation, quoting: Quoting) -> Answer<Vec<SourceColumn>> {
        let mut keys = Vec::new();
        let (sql, is_query) = match relation {
            Relation::Table(table) => {
                let name = table.sql(exact(quoting));
                for row in self.query(&key_of(&of_catalog(table, quoting)), &[Some(&name)])? {
                    keys.push(text(&row, 0)?);
                }
                (format!("SELECT * FROM {}", table.sql(quoting)), false)
            }
            Relation::Query(query) => (query.clone(), true),
        };
        let mut columns = Vec::new();
        for row in self.query(COLUMNS, &[Some(&sql)])? {
            let described = Described::of(&row)?;
            let (source_type, cast) = described.source_type();
            columns.push(SourceColumn {
                source_type,
                // An outer join makes nulls of what is none in its table.
                optional: is_query || described.nullable,
                zero_is_null: false,
                is_key: keys.contains(&described.name),
                counts: described.counts,
                cast,
                name: described.name,
            });
        }
        Ok(columns)
    }

    fn now(&mut self) -> Answer<At> {
        let rows = self.query("SELECT SYSUTCDATETIME()", &[])?;
        let value = rows.first().and_then(|row| row.cells().next());
        match value {
            Some((_, ColumnData::DateTime2(Some(now)))) => Ok(of_datetime2(*now, &TimeZone::UTC)),
            _ => Err(Failure::new(
                Trouble::Unknown,
                "the server has not said what time it is",
            )),
        }
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
            waiting,
            zone,
        } = self;
        let outcome = match quietly(|| waiting.wait(connection.simple_query(sql))) {
            Ok(stream) => {
                let stream = stream.map_err(Failure::from)?;
                take_rows(waiting, stream, columns, shape, zone, each)?
            }
            Err(why) => Outcome::BrokenOff(why),
        };
        // What is on its way would come before the next answer: the connection is of no more use.
        if !matches!(outcome, Outcome::All) {
            cancel(waiting, connection);
        }
        match outcome {
            Outcome::All => Ok(true),
            Outcome::Enough => Ok(false),
            Outcome::BrokenOff(why) => Err(why.into()),
        }
    }
}

fn take_rows(
    waiting: &Waiting,
    mut stream: QueryStream<'_>,
    columns: &[SourceColumn],
    shape: &Shape,
    zone: &TimeZone,
    each: &mut dyn FnMut(&mut Row) -> Go,
) -> Result<Outcome, ReadFailure> {
    let mut row = shape.row();
    let mut scratch = String::new();
    loop {
        let (found, ended) = match quietly(|| waiting.wait(next_rows(&mut stream))) {
            Ok(found) => found.map_err(Failure::from)?,
            Err(why) => return Ok(Outcome::BrokenOff(why)),
        };
        for values in found {
            if values.len() != columns.len() {
                let text = format!("a row has {} columns instead of {}", values.len(), columns.len());
                return Err(Failure::new(Trouble::Statement, text).into());
            }
            for (at, (column, (_, value))) in columns.iter().zip(values.cells()).enumerate() {
                let raw = raw(value, &column.source_type, zone, &mut scratch)
                    .map_err(|reason| ReadFailure::of_column(&column.name, &reason))?;
                row.set(shape, at, raw).map_err(ReadFailure::Refused)?;
            }
            if each(&mut row) == Go::Stop {
                return Ok(Outcome::Enough);
            }
        }
        if ended {
            return Ok(Outcome::All);
        }
    }
}

/// Waits for the next row, and takes those that have come with it; says whether there are no more.
async fn next_rows(stream: &mut QueryStream<'_>) -> Result<(Vec<ServerRow>, bool), Error> {
    let mut rows = Vec::new();
    let mut size = 0;
    while rows.len() < CHUNK && size < CHUNK_BYTES {
        let next = if rows.is_empty() {
            stream.next().await
        } else {
            match stream.next().now_or_never() {
                Some(next) => next,
                None => break,
            }
        };
        match next.transpose()? {
            None => return Ok((rows, true)),
            Some(QueryItem::Metadata(_)) => {}
            Some(QueryItem::Row(row)) => {
                size += row.cells().map(|(_, value)| bytes(value)).sum::<usize>();
                rows.push(row);
            }
        }
    }
    Ok((rows, false))
}

/// The value as the source takes it; `scratch` holds texts that are made of it.
fn raw<'v>(
    value: &'v ColumnData<'_>,
    source_type: &SourceType,
    zone: &TimeZone,
    scratch: &'v mut String,
) -> Result<Raw<'v>, String> {
    let is_other = matches!(source_type, SourceType::Other);
    let timestamp = |(seconds, nanos): At| Raw::Timestamp(seconds, nanos);
    let raw = match value {
        ColumnData::U8(Some(number)) => Raw::Integer((*number).into()),
        ColumnData::I16(Some(number)) => Raw::Integer((*number).into()),
        ColumnData::I32(Some(number)) => Raw::Integer((*number).into()),
        ColumnData::I64(Some(number)) => Raw::Integer(*number),
        ColumnData::F32(Some(number)) => Raw::Float32(*number),
        ColumnData::F64(Some(number)) => Raw::Float64(*number),
        ColumnData::Bit(Some(value)) => Raw::Boolean(*value),
        ColumnData::Numeric(Some(number)) => {
            Raw::Decimal(Decimal::new(BigInt::from(number.value()), number.scale().into()))
        }
        ColumnData::String(Some(text)) => Raw::Text(text),
        ColumnData::Xml(Some(text)) => Raw::Text(text.as_ref().as_ref()),
        ColumnData::Guid(Some(id)) => {
            // In capital letters, as the JVM's driver has them.
            *scratch = format!("{id:X}");
            return Ok(Raw::Text(scratch));
        }
        ColumnData::Binary(Some(bytes)) => Raw::Bytes(bytes),
        ColumnData::Date(Some(date)) => Raw::Date(i64::from(date.days()) - EPOCH),
        ColumnData::Time(Some(time)) => Raw::Time(of_time(*time) / 1_000_000),
        ColumnData::DateTime2(Some(at)) => timestamp(of_datetime2(*at, zone)),
        ColumnData::DateTimeOffset(Some(at)) => timestamp(of_datetime2(at.datetime2(), &TimeZone::UTC)),
        ColumnData::DateTime(Some(at)) => timestamp(of_datetime(*at, zone)),
        ColumnData::SmallDateTime(Some(at)) => {
            let minutes = i64::from(at.seconds_fragments());
            timestamp((
                shown(i64::from(at.days()) - EPOCH_OF_1900, minutes * 60, zone)?,
                0,
            ))
        }
        _ => Raw::Null,
    };
    if !is_other || matches!(raw, Raw::Null | Raw::Text(_)) {
        return Ok(raw);
    }
    *scratch = match raw {
        Raw::Boolean(value) => u8::from(value).to_string(),
        Raw::Integer(number) => number.to_string(),
        Raw::Float32(number) => number.to_string(),
        Raw::Float64(number) => number.to_string(),
        Raw::Decimal(number) => number.to_string(),
        Raw::Date(days) => crate::dialect::iso_date(days),
        Raw::Time(millis) => crate::dialect::iso_time(millis),
        other => {
            return Err(format!(
                "{other} of this type cannot be read; cast the column in a query"
            ));
        }
    };
    Ok(Raw::Text(scratch))
}

/// Nanoseconds after midnight.
fn of_time(time: time::Time) -> i64 {
    let unit = 10_i64.pow(9_u32.saturating_sub(time.scale().into()));
    i64::try_from(time.increments()).unwrap_or(0) * unit
}

/// The instant at which the clocks of a zone show this.
fn of_datetime2(at: time::DateTime2, zone: &TimeZone) -> At {
    let nanos = of_time(at.time());
    let seconds = shown(
        i64::from(at.date().days()) - EPOCH,
        nanos.div_euclid(1_000_000_000),
        zone,
    );
    (
        seconds.unwrap_or_default(),
        u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
    )
}

/// The same of an older type, which counts three hundredths of a second. Milliseconds, as the server shows them.
fn of_datetime(at: time::DateTime, zone: &TimeZone) -> At {
    let parts = i64::from(at.seconds_fragments());
    let millis = (parts.rem_euclid(300) * 10 + 1) / 3;
    let seconds = shown(i64::from(at.days()) - EPOCH_OF_1900, parts.div_euclid(300), zone);
    (
        seconds.unwrap_or_default(),
        u32::try_from(millis * 1_000_000).unwrap_or(0),
    )
}

/// Seconds since the epoch when the clocks of a zone show this day and this second of it.
fn shown(days: i64, second: i64, zone: &TimeZone) -> Result<i64, String> {
    const DAY_0: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    DAY_0
        .checked_add(SignedDuration::from_secs(days * SECONDS_PER_DAY + second))
        .map(|shown| instant(shown, zone))
        .map_err(|_| "a time that is none".to_owned())
}

#[cfg(test)]
#[path = "sqlserver_read_tests.rs"]
mod tests;
