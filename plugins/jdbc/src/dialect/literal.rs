//! Defaults of new columns, as SQL.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use wharf_api::calendar::gregorian_date_of;
use wharf_api::{Value, logical};

/// The value as it stands after `DEFAULT`; nothing for values without such a form.
pub(super) fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Boolean(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Value::Int8(number) => number.to_string(),
        Value::Int16(number) => number.to_string(),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::Float32(number) if number.is_finite() => number.to_string(),
        Value::Float64(number) if number.is_finite() => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Decimal(decimal) => decimal.to_string(),
        _ => return None,
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `2026-01-31` for days since the epoch.
pub(crate) fn date(days: i64) -> String {
    let (year, month, day) = gregorian_date_of(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `12:34:56.789` for milliseconds after midnight.
pub(crate) fn time(millis: i64) -> String {
    let millis = millis.rem_euclid(logical::MILLIS_PER_DAY);
    let seconds = millis / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        millis % 1000
    )
}

/// `2026-01-31 12:34:56` for an instant, as clocks of the zone show it, or those of UTC for columns that hold instants; with what parts
/// date and time.
pub(super) fn clock(at: Timestamp, zoned: bool, zone: &TimeZone, between: char) -> String {
    let shown = at.to_zoned(if zoned { TimeZone::UTC } else { zone.clone() });
    format!(
        "{:04}-{:02}-{:02}{between}{:02}:{:02}:{:02}",
        shown.year().max(1),
        shown.month(),
        shown.day(),
        shown.hour(),
        shown.minute(),
        shown.second()
    )
}
