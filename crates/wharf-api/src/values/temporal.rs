//! Dates, times and timestamps as text, in the patterns that upstream uses: `yyyy-MM-dd`, `HH:mm:ss.SSS'Z'` and both
//! joined by `T`. The `Z` is only a letter: the wall clock is that of the process's default time zone.
//!
//! Java's lenient `SimpleDateFormat` decides what is read: numbers of any length, fields that roll over, and nothing
//! said about text after the last field. The whole length of the text chooses the pattern.

use std::iter::Peekable;
use std::str::Chars;

use jiff::tz::TimeZone;

use super::digit_value;
use crate::converter::SchemaAndValue;
use crate::java_text::write_display;
use crate::logical::{self, MILLIS_PER_DAY};
use crate::value::Value;
use crate::zone::{self, Wall};

const DATE_LENGTH: usize = 10;
const TIME_LENGTH: usize = 13;
const TIMESTAMP_LENGTH: usize = 24;

/// The date, time or timestamp that this text is.
pub(super) fn parse_temporal(text: &str, zone: &TimeZone) -> Option<SchemaAndValue> {
    let unescaped;
    let text = if text.contains("\\:") {
        unescaped = text.replace("\\:", ":");
        &unescaped
    } else {
        text
    };
    let (schema, has_date, has_time) = match text.encode_utf16().take(TIMESTAMP_LENGTH + 1).count() {
        DATE_LENGTH => (logical::date(), true, false),
        TIME_LENGTH => (logical::time(), false, true),
        TIMESTAMP_LENGTH => (logical::timestamp(), true, true),
        _ => return None,
    };
    let mut fields = Fields {
        text: text.chars().peekable(),
    };
    let mut wall = Wall {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        milli: 0,
        weekday: 0,
    };
    if has_date {
        wall.year = fields.number()?;
        fields.literal('-')?;
        wall.month = fields.number()?;
        fields.literal('-')?;
        wall.day = fields.number()?;
    }
    if has_date && has_time {
        fields.literal('T')?;
    }
    if has_time {
        wall.hour = fields.number()?;
        fields.literal(':')?;
        wall.minute = fields.number()?;
        fields.literal(':')?;
        wall.second = fields.number()?;
        fields.literal('.')?;
        wall.milli = fields.number()?;
        fields.literal('Z')?;
    }
    Some(SchemaAndValue {
        schema: Some(schema),
        value: Value::Date(zone::from_wall(wall, zone)),
    })
}

struct Fields<'a> {
    text: Peekable<Chars<'a>>,
}

impl Fields<'_> {
    /// A number, after blanks, perhaps with a minus; narrowed to 32 bits as Java's fields are.
    fn number(&mut self) -> Option<i64> {
        while self.text.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let is_negative = self.text.next_if_eq(&'-').is_some();
        let mut number = i64::from(digit_value(self.text.next()?)?);
        while let Some(digit) = self.text.peek().copied().and_then(digit_value) {
            number = number.saturating_mul(10).saturating_add(i64::from(digit));
            self.text.next();
        }
        #[allow(clippy::cast_possible_truncation, reason = "Java drops the high bits")]
        let narrow = (if is_negative { -number } else { number }) as i32;
        Some(i64::from(narrow))
    }

    fn literal(&mut self, expected: char) -> Option<()> {
        self.text.next_if_eq(&expected).map(|_| ())
    }
}

/// Writes milliseconds since the epoch. What lies before 1970-01-02 is a time, a whole number of days a date, anything
/// else a timestamp: a date before that day loses its day, as upstream.
pub(super) fn write_temporal(millis: i64, zone: &TimeZone, out: &mut Vec<u8>) {
    let (wall, _) = zone::to_wall(millis, zone);
    let has_date = millis >= MILLIS_PER_DAY;
    let has_time = !has_date || millis % MILLIS_PER_DAY != 0;
    if has_date {
        write_display(
            out,
            &format_args!("{:04}-{:02}-{:02}", wall.year, wall.month, wall.day),
        );
    }
    if has_date && has_time {
        out.push(b'T');
    }
    if has_time {
        let (hour, minute, second, milli) = (wall.hour, wall.minute, wall.second, wall.milli);
        write_display(
            out,
            &format_args!("{hour:02}:{minute:02}:{second:02}.{milli:03}Z"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_written_in_the_default_time_zone() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let parsed = parse_temporal("2019-08-23T14:34:54.346Z", &zone).unwrap();
        assert_eq!(parsed.value, Value::Date(1_566_570_894_346 - 7_200_000));
        let mut out = Vec::new();
        write_temporal(1_566_570_894_346 - 7_200_000, &zone, &mut out);
        assert_eq!(out, b"2019-08-23T14:34:54.346Z");
        let midnight = parse_temporal("2019-01-02", &zone).unwrap();
        assert_eq!(midnight.value, Value::Date(1_546_383_600_000));
    }

    #[test]
    fn values_are_written_by_what_they_could_be() {
        for (millis, text) in [
            (0, "00:00:00.000Z"),
            (52_494_346, "14:34:54.346Z"),
            (-1, "23:59:59.999Z"),
            (-MILLIS_PER_DAY, "00:00:00.000Z"),
            (MILLIS_PER_DAY, "1970-01-02"),
            (MILLIS_PER_DAY + 1, "1970-01-02T00:00:00.001Z"),
            (1_566_518_400_000, "2019-08-23"),
        ] {
            let mut out = Vec::new();
            write_temporal(millis, &TimeZone::UTC, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
