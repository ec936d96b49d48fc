//! Cells in PostgreSQL's binary form.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use jiff::tz::TimeZone;
use num_bigint::Sign;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use wharf_api::Decimal;

use crate::dialect::{postgres_array, postgres_type};
use crate::sink::cell::{Cell, Rows};

/// Days from 1970-01-01 to PostgreSQL's first day, 2000-01-01.
pub(super) const FIRST_DAY: i64 = 10_957;
pub(super) const SECONDS_PER_DAY: i64 = 86_400;
pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
/// What the JVM's driver makes of `infinity` and `-infinity`, in seconds after 1970: what is read as these is written as those again.
pub(super) const INFINITY: i64 = 9_223_372_036_825_200;
pub(super) const MINUS_INFINITY: i64 = -9_223_372_036_832_400;

/// The type with this name, of those that [`postgres_type`](crate::dialect::postgres_type) gives.
pub(super) fn type_of(name: &str) -> Type {
    match name {
        "bool" => Type::BOOL,
        "int2" => Type::INT2,
        "int4" => Type::INT4,
        "int8" => Type::INT8,
        "float4" => Type::FLOAT4,
        "float8" => Type::FLOAT8,
        "bytea" => Type::BYTEA,
        "numeric" => Type::NUMERIC,
        "date" => Type::DATE,
        "time" => Type::TIME,
        "timestamp" => Type::TIMESTAMP,
        "timestamptz" => Type::TIMESTAMPTZ,
        "bool[]" => Type::BOOL_ARRAY,
        "int2[]" => Type::INT2_ARRAY,
        "int4[]" => Type::INT4_ARRAY,
        "int8[]" => Type::INT8_ARRAY,
        "float4[]" => Type::FLOAT4_ARRAY,
        "float8[]" => Type::FLOAT8_ARRAY,
        "bytea[]" => Type::BYTEA_ARRAY,
        "numeric[]" => Type::NUMERIC_ARRAY,
        "date[]" => Type::DATE_ARRAY,
        "time[]" => Type::TIME_ARRAY,
        "timestamp[]" => Type::TIMESTAMP_ARRAY,
        "timestamptz[]" => Type::TIMESTAMPTZ_ARRAY,
        "text[]" => Type::TEXT_ARRAY,
        _ => Type::TEXT,
    }
}

/// The type of the elements of an array.
fn element_of(array: &Type) -> Option<Type> {
    match array.kind() {
        tokio_postgres::types::Kind::Array(element) => Some(element.clone()),
        _ => None,
    }
}

/// A value that PostgreSQL has no form for: the row's own fault.
#[derive(Debug)]
pub(super) struct Unencodable(String);

impl fmt::Display for Unencodable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl Error for Unencodable {}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

fn refused(reason: String) -> Encoded {
    Err(Box::new(Unencodable(reason)))
}

/// A cell for a place of a statement.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) cell: &'a Cell,
    pub(super) rows: &'a Rows,
    pub(super) zone: &'a TimeZone,
}

impl ToSql for Place<'_> {
    fn to_sql(&self, to: &Type, out: &mut BytesMut) -> Encoded {
        encode(self.cell, self.rows, self.zone, to, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One column of many rows, as an array.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) rows: &'a Rows,
    pub(super) starts: &'a [usize],
    pub(super) slot: usize,
    pub(super) zone: &'a TimeZone,
}

impl ToSql for Column<'_> {
    fn to_sql(&self, to: &Type, out: &mut BytesMut) -> Encoded {
        let cells = self
            .starts
            .iter()
            .map(|start| self.rows.cell_at(start + self.slot));
        array(cells, self.rows, self.zone, to, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// One dimension, from 1, of which each element is a length and its bytes.
fn array<'a>(
    cells: impl ExactSizeIterator<Item = &'a Cell> + Clone,
    rows: &Rows,
    zone: &TimeZone,
    to: &Type,
    out: &mut BytesMut,
) -> Encoded {
    let Some(element) = element_of(to) else {
        return refused(format!("an array has no place in a {to}"));
    };
    let Ok(count) = i32::try_from(cells.len()) else {
        return refused("an array of more than 2147483647 elements".to_owned());
    };
    let has_nulls = cells.clone().any(|cell| *cell == Cell::Null);
    put_i32(out, 1);
    put_i32(out, has_nulls.into());
    out.extend_from_slice(&element.oid().to_be_bytes());
    put_i32(out, count);
    put_i32(out, 1);
    for cell in cells {
        let length_at = out.len();
        put_i32(out, -1);
        if let IsNull::No = encode(cell, rows, zone, &element, out)? {
            let Ok(length) = i32::try_from(out.len() - length_at - 4) else {
                return refused("a value of more than 2 GiB".to_owned());
            };
            out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(IsNull::No)
}

fn put_i32(out: &mut BytesMut, number: i32) {
    out.extend_from_slice(&number.to_be_bytes());
}

fn encode(cell: &Cell, rows: &Rows, zone: &TimeZone, to: &Type, out: &mut BytesMut) -> Encoded {
    match cell {
        Cell::Null => return Ok(IsNull::Yes),
        Cell::Boolean(value) => out.extend_from_slice(&[u8::from(*value)]),
        Cell::Integer(number) => match *to {
            Type::INT2 => match i16::try_from(*number) {
                Ok(number) => out.extend_from_slice(&number.to_be_bytes()),
                Err(_) => return refused(format!("{number} is out of range for {to}")),
            },
            Type::INT4 => match i32::try_from(*number) {
                Ok(number) => put_i32(out, number),
                Err(_) => return refused(format!("{number} is out of range for {to}")),
            },
            _ => out.extend_from_slice(&number.to_be_bytes()),
        },
        Cell::Float32(number) => out.extend_from_slice(&number.to_be_bytes()),
        Cell::Float64(number) => out.extend_from_slice(&number.to_be_bytes()),
        Cell::Decimal(decimal) => return numeric(decimal, out),
        Cell::Text(span) | Cell::Bytes(span) => out.extend_from_slice(rows.stored(*span)),
        Cell::Date(days) => match i32::try_from(days - FIRST_DAY) {
            Ok(days) => put_i32(out, days),
            Err(_) => return refused(format!("a date {days} days after 1970 is out of range")),
        },
        Cell::Time(millis) => out.extend_from_slice(&(millis * 1000).to_be_bytes()),
        Cell::Timestamp(INFINITY, _) => out.extend_from_slice(&i64::MAX.to_be_bytes()),
        Cell::Timestamp(MINUS_INFINITY, _) => out.extend_from_slice(&i64::MIN.to_be_bytes()),
        Cell::Timestamp(seconds, nanos) => {
            let local = if *to == Type::TIMESTAMPTZ {
                Some(*seconds)
            } else {
                seconds.checked_add(offset(*seconds, zone))
            };
            let micros = local
                .and_then(|local| local.checked_sub(FIRST_DAY * SECONDS_PER_DAY))
                .and_then(|since| since.checked_mul(MICROS_PER_SECOND))
                .and_then(|since| since.checked_add(i64::from(nanos / 1000)));
            match micros {
                Some(micros) => out.extend_from_slice(&micros.to_be_bytes()),
                None => return refused(format!("a time {seconds} seconds after 1970 is out of range")),
            }
        }
        Cell::Array(cells) => return array(cells.iter(), rows, zone, to, out),
    }
    Ok(IsNull::No)
}

/// How many seconds clocks in the zone are ahead at this instant.
fn offset(seconds: i64, zone: &TimeZone) -> i64 {
    if *zone == TimeZone::UTC {
        return 0;
    }
    jiff::Timestamp::from_second(seconds).map_or(0, |instant| zone.to_offset(instant).seconds().into())
}

/// Groups of four decimal digits, with the place of the first group before the point.
fn numeric(decimal: &Decimal, out: &mut BytesMut) -> Encoded {
    const GROUP: usize = 4;
    const NEGATIVE: u16 = 0x4000;
    let (sign, digits) = (
        decimal.unscaled().sign(),
        decimal.unscaled().magnitude().to_string(),
    );
    let scale = decimal.scale();
    let Ok(shown) = u16::try_from(scale.max(0)) else {
        return refused(format!("a decimal of scale {scale}"));
    };
    // The digits with zeros after them, so that the point stands between two groups.
    let mut text = digits.into_bytes();
    if sign == Sign::NoSign {
        text.clear();
    }
    let mut after_point = i64::from(scale);
    if !text.is_empty() {
        let missing = (-after_point).rem_euclid(GROUP as i64);
        text.resize(text.len() + usize::try_from(missing).unwrap_or(0), b'0');
        after_point += missing;
    }
    let groups_after = after_point / GROUP as i64;
    let mut groups: Vec<u16> = text
        .rchunks(GROUP)
        .map(|group| {
            group
                .iter()
                .fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
        })
        .collect();
    // The last groups come first here.
    let mut dropped = 0;
    while groups.first() == Some(&0) {
        groups.remove(0);
        dropped += 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let count = i64::try_from(groups.len()).unwrap_or(i64::MAX);
    let weight = if groups.is_empty() {
        0
    } else {
        count + dropped - groups_after - 1
    };
    let (Ok(count), Ok(weight)) = (u16::try_from(count), i16::try_from(weight)) else {
        return refused("a decimal of more digits than numeric holds".to_owned());
    };
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&if sign == Sign::Minus { NEGATIVE } else { 0 }.to_be_bytes());
    out.extend_from_slice(&shown.to_be_bytes());
    for group in groups.iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(IsNull::No)
}

/// The types of a statement's places, for one row or for arrays of rows.
pub(super) fn types(places: &[crate::dialect::Target], bulk: bool) -> Vec<Type> {
    places
        .iter()
        .map(|place| {
            let name = if bulk { postgres_array } else { postgres_type };
            type_of(name(&place.kind, &place.type_name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(decimal: Decimal) -> Vec<u16> {
        let mut out = BytesMut::new();
        numeric(&decimal, &mut out).unwrap();
        out.chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect()
    }

    #[test]
    fn decimals_are_groups_of_four_digits() {
        // Number of groups, place of the first, sign, digits shown after the point, groups.
        for (unscaled, scale, expected) in [
            (0, 2, vec![0, 0, 0, 2]),
            (1, 0, vec![1, 0, 0, 0, 1]),
            (314, 2, vec![2, 0, 0, 2, 3, 1400]),
            (-314, 2, vec![2, 0, 0x4000, 2, 3, 1400]),
            (12_345_678, 4, vec![2, 0, 0, 4, 1234, 5678]),
            (100_000_000, 0, vec![1, 2, 0, 0, 1]),
            (5, -3, vec![1, 0, 0, 0, 5000]),
            (5, -4, vec![1, 1, 0, 0, 5]),
            (1, 5, vec![1, 0xFFFE, 0, 5, 1000]),
        ] {
            assert_eq!(
                bytes(Decimal::new(unscaled, scale)),
                expected,
                "{unscaled}e-{scale}"
            );
        }
    }

    #[test]
    fn an_array_has_its_nulls() {
        let rows = Rows::default();
        let cells = [Cell::Integer(7), Cell::Null];
        let mut out = BytesMut::new();
        array(cells.iter(), &rows, &TimeZone::UTC, &Type::INT2_ARRAY, &mut out).unwrap();
        let expected = [
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0xFF, 0xFF, 0xFF,
            0xFF,
        ];
        assert_eq!(&out[..], expected);
    }

    #[test]
    fn infinity_is_written_as_it_is_read() {
        for (seconds, micros) in [(INFINITY, i64::MAX), (MINUS_INFINITY, i64::MIN)] {
            for to in [Type::TIMESTAMP, Type::TIMESTAMPTZ] {
                let mut out = BytesMut::new();
                let cell = Cell::Timestamp(seconds, 0);
                encode(&cell, &Rows::default(), &TimeZone::UTC, &to, &mut out).unwrap();
                assert_eq!(out[..], micros.to_be_bytes());
            }
        }
    }

    #[test]
    fn times_without_zone_are_those_of_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let micros = |to: &Type| {
            let mut out = BytesMut::new();
            encode(
                &Cell::Timestamp(946_684_800, 5000),
                &Rows::default(),
                &zone,
                to,
                &mut out,
            )
            .unwrap();
            i64::from_be_bytes(out[..].try_into().unwrap())
        };
        assert_eq!(micros(&Type::TIMESTAMPTZ), 5);
        assert_eq!(micros(&Type::TIMESTAMP), 3_600_000_005);
    }
}
