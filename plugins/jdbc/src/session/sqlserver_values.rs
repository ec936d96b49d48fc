//! Cells as SQL Server takes them.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use tiberius::ColumnData;
use tiberius::time::{Date, DateTime2, DateTimeOffset, Time};

use super::mysql_values::offset;
use crate::dialect::sqlserver::takes_texts;
use crate::dialect::{Target, iso_date, iso_time};
use crate::failure::{Answer, Failure, Trouble};
use crate::sink::cell::{Cell, Kind, Rows};

/// About how many bytes a value takes beside its text.
const VALUE: usize = 16;
/// Days from the first day of the year 1, which the server counts from, to the epoch.
pub(super) const EPOCH: i64 = 719_162;
/// The last day of the year 9999, counted from there.
const LAST_DAY: i64 = 3_652_058;
const SECONDS_PER_DAY: i64 = 86_400;
/// Digits after the second, and what the last of them counts.
const DIGITS: u8 = 7;
const NANOS: u32 = 100;
const STEPS_PER_SECOND: u64 = 10_000_000;

/// The cell as the value of a place.
///
/// # Errors
/// [`Trouble::Data`] when SQL Server has no form for it.
pub(super) fn value<'r>(
    cell: &Cell,
    rows: &'r Rows,
    target: &Target,
    zone: &TimeZone,
) -> Answer<ColumnData<'r>> {
    let refused = |what: &str| {
        let text = format!("column '{}': {what} has no place in SQL Server", target.name);
        Failure::new(Trouble::Data, text)
    };
    let is_instant = target.type_name == "datetimeoffset";
    let text = |text: String| ColumnData::String(Some(Cow::Owned(text)));
    let as_text = takes_texts(target);
    Ok(match cell {
        Cell::Null => null(target),
        Cell::Boolean(value) if as_text => text(u8::from(*value).to_string()),
        Cell::Boolean(value) => ColumnData::Bit(Some(*value)),
        Cell::Integer(number) if as_text => text(number.to_string()),
        Cell::Integer(number) => match (&target.kind, ColumnData::I64(Some(*number))) {
            (Kind::Int8 | Kind::Int16, wide) => {
                i16::try_from(*number).map_or(wide, |number| ColumnData::I16(Some(number)))
            }
            (Kind::Int32, wide) => {
                i32::try_from(*number).map_or(wide, |number| ColumnData::I32(Some(number)))
            }
            (_, wide) => wide,
        },
        Cell::Float32(number) if !number.is_finite() => return Err(refused(&number.to_string())),
        Cell::Float64(number) if !number.is_finite() => return Err(refused(&number.to_string())),
        Cell::Float32(number) if as_text => text(number.to_string()),
        Cell::Float64(number) if as_text => text(number.to_string()),
        Cell::Float32(number) => ColumnData::F32(Some(*number)),
        Cell::Float64(number) => ColumnData::F64(Some(*number)),
        Cell::Decimal(decimal) => text(decimal.to_string()),
        Cell::Text(span) => {
            let text =
                std::str::from_utf8(rows.stored(*span)).map_err(|_| refused("a text that is not UTF-8"))?;
            ColumnData::String(Some(Cow::Borrowed(text)))
        }
        Cell::Bytes(span) => ColumnData::Binary(Some(Cow::Borrowed(rows.stored(*span)))),
        Cell::Date(days) => {
            let date = date(*days).ok_or_else(|| refused("a date before the year 1 or after 9999"))?;
            if as_text {
                text(iso_date(*days))
            } else {
                ColumnData::Date(Some(date))
            }
        }
        Cell::Time(millis) if as_text => text(iso_time(*millis)),
        Cell::Time(millis) => {
            // 24:00 is 00:00 here.
            let millis = u64::try_from(*millis).map_err(|_| refused("a time before midnight"))? % 86_400_000;
            ColumnData::Time(Some(Time::new(millis * (STEPS_PER_SECOND / 1_000), DIGITS)))
        }
        Cell::Timestamp(seconds, nanos) => {
            let local = match is_instant {
                true => Some(*seconds),
                false => seconds.checked_add(offset(*seconds, zone)),
            };
            let of_day = |local: i64| u64::try_from(local.rem_euclid(SECONDS_PER_DAY)).unwrap_or(0);
            let (local, date) = local
                .and_then(|local| Some((local, date(local.div_euclid(SECONDS_PER_DAY))?)))
                .ok_or_else(|| refused("a time before the year 1 or after 9999"))?;
            if as_text {
                let millis = local.rem_euclid(SECONDS_PER_DAY) * 1_000 + i64::from(nanos / 1_000_000);
                let day = iso_date(local.div_euclid(SECONDS_PER_DAY));
                return Ok(text(format!("{day} {}", iso_time(millis))));
            }
            let steps = of_day(local) * STEPS_PER_SECOND + u64::from(nanos / NANOS);
            let at = DateTime2::new(date, Time::new(steps, DIGITS));
            if is_instant {
                ColumnData::DateTimeOffset(Some(DateTimeOffset::new(at, 0)))
            } else {
                ColumnData::DateTime2(Some(at))
            }
        }
        Cell::Array(_) => return Err(refused("an array")),
    })
}

/// NULL, of the type that other values of the column have: they may stand in one list of rows.
fn null(target: &Target) -> ColumnData<'static> {
    if takes_texts(target) {
        return ColumnData::String(None);
    }
    match &target.kind {
        Kind::Boolean => ColumnData::Bit(None),
        Kind::Int8 | Kind::Int16 => ColumnData::I16(None),
        Kind::Int32 => ColumnData::I32(None),
        Kind::Int64 => ColumnData::I64(None),
        Kind::Float32 => ColumnData::F32(None),
        Kind::Float64 => ColumnData::F64(None),
        Kind::Text | Kind::Decimal(_) | Kind::Array(_) => ColumnData::String(None),
        Kind::Bytes => ColumnData::Binary(None),
        Kind::Date => ColumnData::Date(None),
        Kind::Time => ColumnData::Time(None),
        Kind::Timestamp if target.type_name == "datetimeoffset" => ColumnData::DateTimeOffset(None),
        Kind::Timestamp => ColumnData::DateTime2(None),
    }
}

/// From days since the epoch; nothing outside the years 1 to 9999.
fn date(days: i64) -> Option<Date> {
    let days = days
        .checked_add(EPOCH)
        .filter(|days| (0..=LAST_DAY).contains(days))?;
    u32::try_from(days).ok().map(Date::new)
}

/// About how many bytes a value takes on its way.
pub(super) fn bytes(value: &ColumnData<'_>) -> usize {
    match value {
        ColumnData::String(Some(text)) => 2 * text.len() + VALUE,
        ColumnData::Binary(Some(bytes)) => bytes.len() + VALUE,
        ColumnData::Xml(Some(text)) => 2 * text.as_ref().as_ref().len() + VALUE,
        _ => VALUE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::Decimal;

    fn sent(cell: &Cell, kind: Kind, type_name: &str) -> Answer<ColumnData<'static>> {
        let target = Target {
            slot: 0,
            name: "c".to_owned(),
            kind,
            type_name: type_name.to_owned(),
            key: false,
        };
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        static NONE: std::sync::LazyLock<Rows> = std::sync::LazyLock::new(Rows::default);
        value(cell, &NONE, &target, &berlin)
    }

    fn datetime2(days: u32, steps: u64) -> DateTime2 {
        DateTime2::new(Date::new(days), Time::new(steps, 7))
    }

    #[test]
    fn cells_have_the_form_that_their_column_takes() {
        // 2026-07-01 at ten o'clock, which is noon in Berlin.
        let summer = Cell::Timestamp(1_782_900_000, 123_456_789);
        const DAY: u32 = 739_797;
        const HOUR: u64 = 3_600 * STEPS_PER_SECOND;
        for (cell, kind, type_name, expected) in [
            (
                summer.clone(),
                Kind::Timestamp,
                "datetime2",
                ColumnData::DateTime2(Some(datetime2(DAY, 12 * HOUR + 1_234_567))),
            ),
            (
                summer.clone(),
                Kind::Timestamp,
                "datetimeoffset",
                ColumnData::DateTimeOffset(Some(DateTimeOffset::new(
                    datetime2(DAY, 10 * HOUR + 1_234_567),
                    0,
                ))),
            ),
            (
                summer,
                Kind::Timestamp,
                "varchar",
                ColumnData::String(Some("2026-07-01 12:00:00.123".into())),
            ),
            (
                Cell::Date(0),
                Kind::Date,
                "date",
                ColumnData::Date(Some(Date::new(719_162))),
            ),
            (
                Cell::Date(-1),
                Kind::Date,
                "nchar",
                ColumnData::String(Some("1969-12-31".into())),
            ),
            (
                Cell::Time(3_723_004),
                Kind::Time,
                "time",
                ColumnData::Time(Some(Time::new(37_230_040_000, 7))),
            ),
            (
                Cell::Integer(-3),
                Kind::Int8,
                "tinyint",
                ColumnData::I16(Some(-3)),
            ),
            (Cell::Integer(7), Kind::Int32, "bigint", ColumnData::I32(Some(7))),
            (Cell::Integer(7), Kind::Int64, "int", ColumnData::I64(Some(7))),
            (
                Cell::Integer(7),
                Kind::Int64,
                "varchar",
                ColumnData::String(Some("7".into())),
            ),
            (
                Cell::Boolean(true),
                Kind::Boolean,
                "bit",
                ColumnData::Bit(Some(true)),
            ),
            (
                Cell::Boolean(true),
                Kind::Boolean,
                "char",
                ColumnData::String(Some("1".into())),
            ),
            (
                Cell::Float32(0.5),
                Kind::Float32,
                "real",
                ColumnData::F32(Some(0.5)),
            ),
            (
                Cell::Decimal(Box::new(Decimal::new(-105, 2))),
                Kind::Decimal(2),
                "decimal",
                ColumnData::String(Some("-1.05".into())),
            ),
            (Cell::Null, Kind::Int64, "bigint", ColumnData::I64(None)),
            (Cell::Null, Kind::Int64, "nvarchar", ColumnData::String(None)),
            (Cell::Null, Kind::Bytes, "varchar", ColumnData::Binary(None)),
            (Cell::Null, Kind::Decimal(2), "money", ColumnData::String(None)),
            (
                Cell::Null,
                Kind::Timestamp,
                "datetime",
                ColumnData::DateTime2(None),
            ),
            (
                Cell::Null,
                Kind::Timestamp,
                "datetimeoffset",
                ColumnData::DateTimeOffset(None),
            ),
        ] {
            assert_eq!(
                sent(&cell, kind, type_name).unwrap(),
                expected,
                "{cell:?} for {type_name}"
            );
        }
        assert_eq!(iso_date(i64::from(DAY) - EPOCH), "2026-07-01");
    }

    #[test]
    fn what_has_no_form_is_the_rows_own_fault() {
        for (cell, kind) in [
            (Cell::Float64(f64::NAN), Kind::Float64),
            (Cell::Float32(f32::INFINITY), Kind::Float32),
            (Cell::Date(LAST_DAY - EPOCH + 1), Kind::Date),
            (Cell::Date(-EPOCH - 1), Kind::Date),
            (Cell::Timestamp(-62_200_000_000, 0), Kind::Timestamp),
            (Cell::Timestamp(i64::MAX, 0), Kind::Timestamp),
            (Cell::Time(-1), Kind::Time),
            (Cell::Array(Box::default()), Kind::Text),
        ] {
            let failure = sent(&cell, kind, "sql_variant").unwrap_err();
            assert!(failure.is(Trouble::Data), "{cell:?}: {failure}");
            assert!(failure.message.contains("column 'c'"), "{failure}");
        }
        assert_eq!(iso_date(LAST_DAY - EPOCH), "9999-12-31");
        assert_eq!(iso_date(-EPOCH), "0001-01-01");
    }
}
