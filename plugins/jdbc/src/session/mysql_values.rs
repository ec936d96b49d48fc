//! Cells as MySQL takes them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mysql_async::Value;

use crate::dialect::mysql::{INTEGERS, TEXTS};
use crate::dialect::{Target, iso_date, iso_time};
use crate::failure::{Answer, Failure, Trouble};
use crate::sink::cell::{Cell, Rows};

/// About how many bytes a value takes beside its text.
const VALUE: usize = 16;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// The last day of the year 9999, in days since the epoch.
const LAST_DAY: i64 = 2_932_896;
/// The first day of the year 1.
const FIRST_DAY: i64 = -719_162;

/// The cell as the value of a place.
///
/// # Errors
/// [`Trouble::Data`] when MySQL has no form for it.
pub(super) fn value(cell: &Cell, rows: &Rows, target: &Target, zone: &TimeZone) -> Answer<Value> {
    let refused = |what: &str| {
        let text = format!("column '{}': {what} has no place in MySQL", target.name);
        Failure::new(Trouble::Data, text)
    };
    let text = |text: String| Ok(Value::Bytes(text.into_bytes()));
    let type_name = target.type_name.as_str();
    match cell {
        Cell::Null => Ok(Value::NULL),
        // Numbers are compared with texts as doubles, which takes large ones and those that look alike for the same.
        Cell::Boolean(value) if TEXTS.contains(&type_name) => text(u8::from(*value).to_string()),
        Cell::Integer(number) if TEXTS.contains(&type_name) => text(number.to_string()),
        // Of a text that is none, a cast makes the number that it begins with, or 0: another row's key.
        Cell::Text(span) if target.key && is_number(type_name) && !reads_as_number(rows.stored(*span)) => {
            let text = format!(
                "column '{}': a key that is no number, in a column of type {type_name}",
                target.name
            );
            Err(Failure::new(Trouble::Data, text))
        }
        Cell::Boolean(value) => Ok(Value::Int((*value).into())),
        // Eight bits are read as a number with a sign.
        Cell::Integer(number @ -128..0) if target.type_name == "bit" => Ok(Value::Int(number + 256)),
        Cell::Integer(number) => Ok(Value::Int(*number)),
        Cell::Float32(number) if !number.is_finite() => Err(refused(&number.to_string())),
        Cell::Float64(number) if !number.is_finite() => Err(refused(&number.to_string())),
        Cell::Float32(number) => Ok(Value::Float(*number)),
        Cell::Float64(number) => Ok(Value::Double(*number)),
        Cell::Decimal(decimal) => text(decimal.to_string()),
        Cell::Text(span) | Cell::Bytes(span) => Ok(Value::Bytes(rows.stored(*span).to_vec())),
        Cell::Date(days) if !(FIRST_DAY..=LAST_DAY).contains(days) => {
            Err(refused("a date before the year 1 or after 9999"))
        }
        // A year is read as its first day.
        Cell::Date(days) if target.type_name == "year" => {
            let date = iso_date(*days);
            text(date.split('-').next().unwrap_or_default().to_owned())
        }
        Cell::Date(days) => text(iso_date(*days)),
        Cell::Time(millis) => text(iso_time(*millis)),
        Cell::Timestamp(seconds, nanos) => {
            // The session is in UTC: so are values for columns that keep instants.
            let zone = match target.type_name.as_str() {
                "timestamp" => &TimeZone::UTC,
                _ => zone,
            };
            let shown =
                shown(*seconds, zone).ok_or_else(|| refused("a time before the year 1 or after 9999"))?;
            text(format!(
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
                shown.year(),
                shown.month(),
                shown.day(),
                shown.hour(),
                shown.minute(),
                shown.second(),
                nanos / 1_000
            ))
        }
        Cell::Array(_) => Err(refused("an array")),
    }
}

fn is_number(type_name: &str) -> bool {
    INTEGERS.contains(&type_name) || type_name == "decimal"
}

/// Whether this is a sign, digits, a point and digits, or a part of that with a digit in it.
fn reads_as_number(text: &[u8]) -> bool {
    let unsigned = text
        .strip_prefix(b"-")
        .or(text.strip_prefix(b"+"))
        .unwrap_or(text);
    let mut parts = unsigned.splitn(2, |byte| *byte == b'.');
    let digits = unsigned.iter().any(u8::is_ascii_digit);
    digits && parts.all(|part| part.iter().all(u8::is_ascii_digit))
}

/// What the clocks of a zone show at an instant, without fractions; nothing outside the years 1 to 9999.
fn shown(seconds: i64, zone: &TimeZone) -> Option<DateTime> {
    let local = seconds.checked_add(offset(seconds, zone))?;
    let shown = EPOCH.checked_add(SignedDuration::from_secs(local)).ok()?;
    (shown.year() >= 1).then_some(shown)
}

/// The instant at which the clocks of a zone show this, in seconds since the epoch; of two, the
/// second, as `java.util.Calendar` has it.
pub(super) fn instant(shown: DateTime, zone: &TimeZone) -> i64 {
    let seconds = shown.duration_since(EPOCH).as_secs();
    match zone.to_ambiguous_timestamp(shown).later() {
        Ok(at) => at.as_second(),
        Err(_) => seconds - offset(seconds, zone),
    }
}

/// How far a zone's clocks are ahead. The library's instants end with the year 9999 in all zones, a day before MySQL's.
pub(super) fn offset(seconds: i64, zone: &TimeZone) -> i64 {
    let end = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let at = Timestamp::from_second(seconds).unwrap_or(end);
    zone.to_offset(at).seconds().into()
}

/// About how many bytes a value takes on its way.
pub(super) fn bytes(value: &Value) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len() + VALUE,
        _ => VALUE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::cell::Kind;

    fn sent(cell: &Cell, type_name: &str) -> Answer<Value> {
        let target = Target {
            slot: 0,
            name: "c".to_owned(),
            kind: Kind::Text,
            type_name: type_name.to_owned(),
            key: false,
        };
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        value(cell, &Rows::default(), &target, &berlin)
    }

    #[test]
    fn cells_have_the_form_that_their_column_takes() {
        let summer = Cell::Timestamp(1_782_900_000, 123_456_789);
        for (cell, type_name, expected) in [
            (summer.clone(), "datetime", "2026-07-01 12:00:00.123456"),
            (summer, "timestamp", "2026-07-01 10:00:00.123456"),
            (
                Cell::Timestamp(253_402_297_199, 999_999_000),
                "datetime",
                "9999-12-31 23:59:59.999999",
            ),
            (Cell::Date(-1), "date", "1969-12-31"),
            (Cell::Date(20_454), "year", "2026"),
            (Cell::Time(3_723_004), "time", "01:02:03.004"),
        ] {
            assert_eq!(
                sent(&cell, type_name).unwrap(),
                Value::Bytes(expected.into()),
                "{type_name}"
            );
        }
        assert_eq!(sent(&Cell::Integer(-1), "bit").unwrap(), Value::Int(255));
        assert_eq!(sent(&Cell::Integer(-1), "int").unwrap(), Value::Int(-1));
    }

    #[test]
    fn what_has_no_form_is_the_rows_own_fault() {
        for cell in [
            Cell::Float64(f64::NAN),
            Cell::Float32(f32::INFINITY),
            Cell::Date(LAST_DAY + 1),
            Cell::Date(FIRST_DAY - 1),
            Cell::Timestamp(-62_200_000_000, 0),
            Cell::Timestamp(i64::MAX, 0),
            Cell::Array(Box::default()),
        ] {
            let failure = sent(&cell, "text").unwrap_err();
            assert!(failure.is(Trouble::Data), "{cell:?}: {failure}");
            assert!(failure.message.contains("column 'c'"), "{failure}");
        }
        assert_eq!(iso_date(LAST_DAY), "9999-12-31");
        assert_eq!(iso_date(FIRST_DAY), "0001-01-01");
    }

    #[test]
    fn keys_are_those_of_their_own_rows_only() {
        for (cell, type_name, expected) in [
            (
                Cell::Integer(1_234_567_890_123_456_789),
                "varchar",
                "1234567890123456789",
            ),
            (Cell::Boolean(true), "char", "1"),
        ] {
            assert_eq!(sent(&cell, type_name).unwrap(), Value::Bytes(expected.into()));
        }
        for (text, is_one) in [
            ("12", true),
            ("-12.50", true),
            ("+.5", true),
            ("12abc", false),
            ("abc", false),
            ("", false),
            ("-", false),
            ("1.2.3", false),
            ("1e3", false),
            (" 1", false),
        ] {
            assert_eq!(reads_as_number(text.as_bytes()), is_one, "{text}");
        }
    }
}
