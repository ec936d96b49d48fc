//! Reading from PostgreSQL: rows come as `COPY … TO STDOUT` in binary, which is the fastest that there is, and streams.

use std::collections::HashMap;

use futures_util::StreamExt;
use num_bigint::{BigInt, Sign};
use tokio_postgres::Column;
use tokio_postgres::types::{Kind, Type};
use wharf_api::{Decimal, Value};

use super::postgres::{PostgresSession, failure};
use super::postgres_values::{FIRST_DAY, INFINITY, MICROS_PER_SECOND, MINUS_INFINITY, SECONDS_PER_DAY};
use super::{Go, ReadFailure, ReadSession};
use crate::failure::{Answer, Failure, Trouble};
use crate::source::{At, Raw, Reading, Relation, Row, Shape, SourceColumn, SourceType, TableFilter};
use crate::table_id::{Quoting, TableId};

/// How many rows are taken from the connection at once.
const CHUNK: usize = 512;
/// The first bytes of all that COPY sends in binary.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

const TABLES: &str = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind::text = ANY($1) AND ($2::text IS NULL OR n.nspname LIKE $2) \
    AND ($3::text IS NULL OR $3 IN ('', current_database())) \
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
    AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1, 2";
const COLUMNS: &str = "SELECT a.attrelid, a.attnum, a.attnotnull OR t.typnotnull, \
    a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false) \
    FROM unnest($1::oid[], $2::int2[]) AS wanted(relation, number) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = wanted.relation AND a.attnum = wanted.number \
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum";

// What this transaction has read is what it has locked itself. An INSERT locks its table before it takes a number. Catalogues, which
// definitions are written to, have small numbers; to indexes VACUUM writes, too.
const WRITERS: &str = "WITH locks AS (SELECT relation, database, virtualtransaction, pid, mode FROM pg_catalog.pg_locks \
    WHERE locktype = 'relation' AND granted AND relation >= 16384), \
    own AS (SELECT DISTINCT l.relation, l.database FROM locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
    WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessShareLock' AND c.relkind IN ('r', 'p')) \
    SELECT DISTINCT l.virtualtransaction FROM locks l JOIN own ON own.relation = l.relation AND own.database = l.database \
    WHERE l.mode = 'RowExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()";
const UNFINISHED: &str =
    "SELECT DISTINCT virtualtransaction FROM pg_catalog.pg_locks WHERE virtualtransaction = ANY($1)";

/// The modifier that each of these domains gives to the type below it, be it by a domain in between.
const DOMAINS: &str = "WITH RECURSIVE d(top, base, modifier) AS ( \
    SELECT oid, typbasetype, typtypmod FROM pg_catalog.pg_type WHERE oid = ANY($1::oid[]) \
    UNION ALL SELECT d.top, t.typbasetype, t.typtypmod FROM d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd') \
    SELECT top, max(modifier) FROM d GROUP BY top";

impl ReadSession for PostgresSession {
    fn tables(&mut self, filter: &TableFilter) -> Answer<Vec<TableId>> {
        let kinds: Vec<&str> = filter
            .types
            .iter()
            .filter_map(|name| match name.trim().to_ascii_uppercase().as_str() {
                "TABLE" => Some("r"),
                "PARTITIONED TABLE" => Some("p"),
                "VIEW" => Some("v"),
                "MATERIALIZED VIEW" => Some("m"),
                "FOREIGN TABLE" => Some("f"),
                _ => None,
            })
            .collect();
        let rows = self.run(
            self.client
                .query(TABLES, &[&kinds, &filter.schema, &filter.catalog]),
        )?;
        rows.iter()
            .map(|row| {
                Ok(TableId {
                    catalog: None,
                    schema: Some(row.try_get(0).map_err(failure)?),
                    name: row.try_get(1).map_err(failure)?,
                })
            })
            .collect()
    }

    fn begin(&mut self) -> Answer<()> {
        // What is prepared in a transaction locks its tables against changes of their definition until the end.
        self.run(self.client.batch_execute("BEGIN"))
    }

    fn end(&mut self) -> Answer<()> {
        self.run(self.client.batch_execute("COMMIT"))
    }

    fn columns(&mut self, relation: &Relation, quoting: Quoting) -> Answer<Vec<SourceColumn>> {
        let sql = match relation {
            Relation::Table(table) => format!("SELECT * FROM {}", table.sql(quoting)),
            Relation::Query(query) => query.clone(),
        };
        let client = &self.client;
        let prepared = self.run(client.prepare(&sql))?;
        let found = prepared.columns();
        let origin = |column: &Column| column.table_oid().zip(column.column_id());
        let (tables, numbers): (Vec<u32>, Vec<i16>) = found.iter().filter_map(origin).unzip();
        let mut known = HashMap::new();
        for row in self.run(client.query(COLUMNS, &[&tables, &numbers]))? {
            let read = || -> Result<_, tokio_postgres::Error> {
                let place: (u32, i16) = (row.try_get(0)?, row.try_get(1)?);
                let facts: (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
                Ok((place, facts))
            };
            let (place, facts) = read().map_err(failure)?;
            known.insert(place, facts);
        }
        let domains: Vec<u32> = found
            .iter()
            .filter(|column| matches!(column.type_().kind(), Kind::Domain(_)))
            .map(|column| column.type_().oid())
            .collect();
        let mut modifiers = HashMap::new();
        if !domains.is_empty() {
            for row in self.run(client.query(DOMAINS, &[&domains]))? {
                let read = || Ok((row.try_get(0)?, row.try_get(1)?));
                let (domain, modifier): (u32, i32) = read().map_err(failure)?;
                modifiers.insert(domain, modifier);
            }
        }
        let columns = found.iter().map(|column| {
            let facts = origin(column).and_then(|place| known.get(&place));
            let (not_null, counts) = facts.copied().unwrap_or_default();
            let modifier = modifiers.get(&column.type_().oid()).copied();
            let (source_type, cast) = source_type(column.type_(), modifier.unwrap_or(column.type_modifier()));
            SourceColumn {
                name: column.name().to_owned(),
                source_type,
                // An outer join makes nulls of what is none in its table.
                optional: !not_null || matches!(relation, Relation::Query(_)),
                zero_is_null: false,
                is_key: false,
                counts,
                cast,
            }
        });
        Ok(columns.collect())
    }

    fn now(&mut self) -> Answer<At> {
        const NOW: &str = "SELECT (extract(epoch FROM CURRENT_TIMESTAMP) * 1000000)::bigint";
        let row = self.run(self.client.query_one(NOW, &[]))?;
        Ok(at(row.try_get(0).map_err(failure)?))
    }

    fn tells_writers(&self) -> bool {
        true
    }

    fn writers(&mut self) -> Answer<Vec<String>> {
        let rows = self.run(self.client.query(WRITERS, &[]))?;
        rows.iter().map(|row| row.try_get(0).map_err(failure)).collect()
    }

    fn unfinished(&mut self, writers: &[String]) -> Answer<Vec<String>> {
        let rows = self.run(self.client.query(UNFINISHED, &[&writers]))?;
        rows.iter().map(|row| row.try_get(0).map_err(failure)).collect()
    }

    fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        shape: &Shape,
        each: &mut dyn FnMut(&mut Row) -> Go,
    ) -> Result<bool, ReadFailure> {
        // A comment at its end must not take the bracket with it.
        let copy = format!("COPY ({sql}\n) TO STDOUT (FORMAT binary)");
        let stream = self.run(self.client.copy_out(&copy))?;
        let mut chunks = Box::pin(stream.ready_chunks(CHUNK));
        let mut row = shape.row();
        let mut decoder = Decoder {
            columns,
            shape,
            zone: self.zone.clone(),
        };
        let mut begins = true;
        // What is left of a message when a row does not end with it.
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let chunk = self.run(async { Ok(chunks.next().await) })?;
            let Some(chunk) = chunk else { return Ok(true) };
            for message in chunk {
                let message = message.map_err(failure)?;
                let mut bytes: &[u8] = &message;
                let joined;
                if !rest.is_empty() {
                    rest.extend_from_slice(bytes);
                    joined = std::mem::take(&mut rest);
                    bytes = &joined;
                }
                if begins {
                    bytes = after_head(bytes)?;
                    begins = false;
                }
                while !bytes.is_empty() {
                    match decoder.row(bytes, &mut row)? {
                        Decoded::Row(length) => {
                            bytes = &bytes[length..];
                            if each(&mut row) == Go::Stop {
                                // What is on its way would come before the next answer: the connection is of no more use.
                                self.cancel();
                                return Ok(false);
                            }
                        }
                        Decoded::End => bytes = &[],
                        Decoded::Part => {
                            rest = bytes.to_vec();
                            break;
                        }
                    }
                }
            }
        }
    }
}

/// A COPY begins with a signature, flags, and the length of what else may stand there.
fn after_head(bytes: &[u8]) -> Answer<&[u8]> {
    let wrong = || Failure::new(Trouble::Unknown, "COPY does not begin as it has to");
    let after = bytes.strip_prefix(SIGNATURE).ok_or_else(wrong)?;
    let (length, after) = after
        .get(4..)
        .and_then(<[u8]>::split_first_chunk)
        .ok_or_else(wrong)?;
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| wrong())?;
    after.get(length..).ok_or_else(wrong)
}

enum Decoded {
    /// With the bytes that it took.
    Row(usize),
    End,
    /// More of it has to come.
    Part,
}

struct Decoder<'a> {
    columns: &'a [SourceColumn],
    shape: &'a Shape,
    zone: jiff::tz::TimeZone,
}

impl Decoder<'_> {
    fn row(&mut self, bytes: &[u8], row: &mut Row) -> Result<Decoded, ReadFailure> {
        let Some((count, mut rest)) = bytes.split_first_chunk() else {
            return Ok(Decoded::Part);
        };
        let count = i16::from_be_bytes(*count);
        if count < 0 {
            return Ok(Decoded::End);
        }
        if usize::try_from(count).ok() != Some(self.columns.len()) {
            let text = format!("a row has {count} columns instead of {}", self.columns.len());
            return Err(Failure::new(Trouble::Statement, text).into());
        }
        for (at, column) in self.columns.iter().enumerate() {
            let Some((length, after)) = rest.split_first_chunk() else {
                return Ok(Decoded::Part);
            };
            let length = i32::from_be_bytes(*length);
            let raw = match usize::try_from(length) {
                Err(_) => {
                    rest = after;
                    Raw::Null
                }
                Ok(length) => {
                    let Some((value, after)) = after.split_at_checked(length) else {
                        return Ok(Decoded::Part);
                    };
                    rest = after;
                    self.value(&column.source_type, self.shape.reading(at), value)
                        .map_err(|reason| ReadFailure::of_column(&column.name, &reason))?
                }
            };
            row.set(self.shape, at, raw).map_err(ReadFailure::Refused)?;
        }
        Ok(Decoded::Row(bytes.len() - rest.len()))
    }

    fn value<'v>(
        &self,
        source_type: &SourceType,
        reading: Option<&Reading>,
        bytes: &'v [u8],
    ) -> Result<Raw<'v>, String> {
        Ok(match source_type {
            SourceType::Boolean => Raw::Boolean(bytes.first() == Some(&1)),
            SourceType::Int8 | SourceType::Int16 | SourceType::Int32 | SourceType::Int64 => {
                Raw::Integer(integer(bytes)?)
            }
            SourceType::Float32 => Raw::Float32(f32::from_be_bytes(fixed(bytes)?)),
            SourceType::Float64 => Raw::Float64(f64::from_be_bytes(fixed(bytes)?)),
            SourceType::Numeric { .. } => numeric(bytes)?,
            SourceType::Text | SourceType::Bits(_) | SourceType::Other => {
                Raw::Text(std::str::from_utf8(bytes).map_err(|error| error.to_string())?)
            }
            SourceType::Bytes => Raw::Bytes(bytes),
            SourceType::Date => match i32::from_be_bytes(fixed(bytes)?) {
                i32::MAX | i32::MIN => {
                    return Err("infinity has no place in a Date; exclude the row by a query".to_owned());
                }
                days => Raw::Date(i64::from(days) + FIRST_DAY),
            },
            SourceType::Time => Raw::Time(i64::from_be_bytes(fixed(bytes)?) / 1_000),
            SourceType::Timestamp { zoned, .. } => {
                let (seconds, nanos) = match i64::from_be_bytes(fixed(bytes)?) {
                    i64::MAX => (INFINITY, 0),
                    i64::MIN => (MINUS_INFINITY, 0),
                    micros => {
                        let (seconds, nanos) = at(micros);
                        let seconds = seconds + FIRST_DAY * SECONDS_PER_DAY;
                        let seconds = if *zoned {
                            seconds
                        } else {
                            in_zone(seconds, &self.zone)
                        };
                        (seconds, nanos)
                    }
                };
                Raw::Timestamp(seconds, nanos)
            }
            SourceType::Array(element) => match reading {
                Some(reading) => Raw::Array(self.array(element, reading, bytes)?),
                None => Raw::Null,
            },
        })
    }

    fn array(&self, element: &SourceType, reading: &Reading, bytes: &[u8]) -> Result<Vec<Value>, String> {
        let mut rest = bytes;
        let dimensions = next(&mut rest)?;
        let (_nulls, _type) = (next(&mut rest)?, next(&mut rest)?);
        if dimensions == 0 {
            return Ok(Vec::new());
        }
        if dimensions > 1 {
            return Err(format!(
                "an array of {dimensions} dimensions has no place in a field; read the column as a text by a query (::text), or set \
                 sql.complex.types.enable=false"
            ));
        }
        let (count, _lower) = (next(&mut rest)?, next(&mut rest)?);
        let mut items = Vec::new();
        for _ in 0..count {
            let raw = match usize::try_from(next(&mut rest)?) {
                Err(_) => Raw::Null,
                Ok(length) => {
                    let (value, after) = rest.split_at_checked(length).ok_or_else(cut)?;
                    rest = after;
                    self.value(element, None, value)?
                }
            };
            items.push(reading.element(raw).map_err(|error| error.message().to_owned())?);
        }
        Ok(items)
    }
}

fn cut() -> String {
    "its value is cut off".to_owned()
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes
        .try_into()
        .map_err(|_| format!("its value has {} bytes instead of {N}", bytes.len()))
}

fn next(rest: &mut &[u8]) -> Result<i32, String> {
    let (number, after) = rest.split_first_chunk().ok_or_else(cut)?;
    *rest = after;
    Ok(i32::from_be_bytes(*number))
}

fn integer(bytes: &[u8]) -> Result<i64, String> {
    Ok(match bytes.len() {
        2 => i16::from_be_bytes(fixed(bytes)?).into(),
        // Only oid has no sign, and is read as a text.
        4 => i32::from_be_bytes(fixed(bytes)?).into(),
        _ => i64::from_be_bytes(fixed(bytes)?),
    })
}

/// Microseconds as seconds and nanoseconds.
fn at(micros: i64) -> At {
    let nanos = micros.rem_euclid(MICROS_PER_SECOND) * 1_000;
    (
        micros.div_euclid(MICROS_PER_SECOND),
        u32::try_from(nanos).unwrap_or(0),
    )
}

/// The instant at which clocks of the zone show this; of two, the second, as `java.util.Calendar` and the database itself have it.
fn in_zone(seconds: i64, zone: &jiff::tz::TimeZone) -> i64 {
    if *zone == jiff::tz::TimeZone::UTC {
        return seconds;
    }
    let local = jiff::Timestamp::from_second(seconds).map(|shown| jiff::tz::TimeZone::UTC.to_datetime(shown));
    local
        .and_then(|local| zone.to_ambiguous_timestamp(local).later())
        .map_or(seconds, jiff::Timestamp::as_second)
}

/// Groups of four digits, the place of the first, and how many digits are shown after the point.
fn numeric(bytes: &[u8]) -> Result<Raw<'static>, String> {
    const NEGATIVE: u16 = 0x4000;
    const NAN: u16 = 0xC000;
    const PLUS_INFINITY: u16 = 0xD000;
    const NEGATIVE_INFINITY: u16 = 0xF000;
    let (head, groups) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign, scale) = (i32::from(word(2).cast_signed()), word(4), i32::from(word(6)));
    match sign {
        NAN => return Ok(Raw::Float64(f64::NAN)),
        PLUS_INFINITY => return Ok(Raw::Float64(f64::INFINITY)),
        NEGATIVE_INFINITY => return Ok(Raw::Float64(f64::NEG_INFINITY)),
        _ => {}
    }
    let digits = groups
        .chunks_exact(2)
        .map(|group| u16::from_be_bytes([group[0], group[1]]));
    let count = i32::try_from(groups.len() / 2).map_err(|_| cut())?;
    // As long as it fits, which is nearly always.
    let small = (count <= 9).then(|| {
        digits
            .clone()
            .fold(0u128, |number, group| number * 10_000 + u128::from(group))
    });
    let mut unscaled = match small {
        Some(number) => BigInt::from(number),
        None => digits.fold(BigInt::ZERO, |number, group| number * 10_000 + group),
    };
    // The last group stands at this power of ten; the number is shown with `scale` digits.
    let power = 4 * (weight - count + 1) + scale;
    let factor = BigInt::from(10).pow(power.unsigned_abs());
    if power >= 0 {
        unscaled *= factor;
    } else {
        unscaled /= factor;
    }
    if sign == NEGATIVE && unscaled.sign() != Sign::NoSign {
        unscaled = -unscaled;
    }
    Ok(Raw::Decimal(Decimal::new(unscaled, scale)))
}

/// What a column of this type is, and what is done to it in the select list.
fn source_type(found: &Type, modifier: i32) -> (SourceType, &'static str) {
    const AS_TEXT: &str = "::text";
    if let Kind::Domain(of) = found.kind() {
        return source_type(of, modifier);
    }
    if let Kind::Array(element) = found.kind() {
        return match source_type(element, modifier) {
            (SourceType::Array(_), _) => (SourceType::Other, AS_TEXT),
            (SourceType::Text, AS_TEXT) | (SourceType::Other, _) => {
                (SourceType::Array(Box::new(SourceType::Text)), "::text[]")
            }
            (element, "") => (SourceType::Array(Box::new(element)), ""),
            _ => (SourceType::Other, AS_TEXT),
        };
    }
    // Of an expression nobody says how many there are.
    let bits = u32::try_from(modifier).unwrap_or(u32::MAX);
    let digits = u32::try_from(modifier).unwrap_or(6);
    match *found {
        Type::BOOL => (SourceType::Boolean, ""),
        Type::INT2 => (SourceType::Int16, ""),
        Type::INT4 => (SourceType::Int32, ""),
        Type::INT8 => (SourceType::Int64, ""),
        Type::OID => (SourceType::Int64, "::bigint"),
        Type::FLOAT4 => (SourceType::Float32, ""),
        Type::FLOAT8 => (SourceType::Float64, ""),
        Type::MONEY => (SourceType::Float64, "::numeric::float8"),
        Type::NUMERIC => (numeric_type(modifier), ""),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => (SourceType::Text, ""),
        Type::CHAR | Type::XML | Type::JSON | Type::JSONB | Type::UUID => (SourceType::Text, AS_TEXT),
        Type::BYTEA => (SourceType::Bytes, ""),
        Type::BIT => (SourceType::Bits(bits), AS_TEXT),
        Type::VARBIT => (SourceType::Bits(u32::MAX), AS_TEXT),
        Type::DATE => (SourceType::Date, ""),
        Type::TIME => (SourceType::Time, ""),
        Type::TIMETZ => (SourceType::Time, "::time"),
        Type::TIMESTAMP => (SourceType::Timestamp { zoned: false, digits }, ""),
        Type::TIMESTAMPTZ => (SourceType::Timestamp { zoned: true, digits }, ""),
        _ if matches!(found.kind(), Kind::Enum(_)) => (SourceType::Text, AS_TEXT),
        _ => (SourceType::Other, AS_TEXT),
    }
}

/// The modifier of a numeric holds its precision and its scale.
fn numeric_type(modifier: i32) -> SourceType {
    const HEADER: i32 = 4;
    if modifier < HEADER {
        return SourceType::Numeric {
            precision: 0,
            scale: None,
        };
    }
    let packed = modifier - HEADER;
    // Eleven bits, of which the first is the sign.
    let scale = (packed & 0x7ff) ^ 1024;
    SourceType::Numeric {
        precision: u32::try_from(packed >> 16 & 0xffff).unwrap_or(0),
        scale: Some(scale - 1024),
    }
}
