//! Texts for points in time, all UTC: log lines, the request log, headers of answers, and instants in messages.
//!
//! Own code because a date is thirty lines and the log writes one per line; proved against known dates.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

struct Parts {
    year: i64,
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
}

/// `2026-11-21 12:00:00,123`, appended.
pub fn append_log_time(line: &mut String, time: SystemTime) {
    let Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        milli,
    } = parts(millis(time));
    // writing to a String cannot fail
    let _ = write!(
        line,
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{milli:03}"
    );
}

/// `21/Nov/2026:12:00:00 +0000`.
#[must_use]
pub fn ncsa(time: SystemTime) -> String {
    let Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = parts(millis(time));
    format!(
        "{day:02}/{}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000",
        MONTHS[month - 1]
    )
}

/// `Sat, 21 Nov 2026 12:00:00 GMT`, as headers of HTTP have it, from milliseconds since the epoch.
#[must_use]
pub fn http_date(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = parts(millis);
    // 0 to 6 by construction; the epoch was a Thursday
    let weekday = millis.div_euclid(86_400_000).rem_euclid(7) as usize;
    format!(
        "{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        DAYS[weekday],
        MONTHS[month - 1]
    )
}

/// `2026-11-21T12:00:00.123Z` from milliseconds since the epoch, as Java prints an instant: no fraction when it is zero.
#[must_use]
pub fn iso_instant(millis: i64) -> String {
    let Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        milli,
    } = parts(millis);
    let fraction = if milli == 0 {
        String::new()
    } else {
        format!(".{milli:03}")
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn parts(millis: i64) -> Parts {
    let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // days from 0000-03-01, so that the leap day ends a year; then years of 146097 days per 400 (the usual era algorithm)
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    Parts {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        // 1 to 12 by construction
        month: month as usize,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        hour: in_day / 3_600_000,
        minute: in_day / 60_000 % 60,
        second: in_day / 1_000 % 60,
        milli: in_day % 1_000,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn instants_are_printed_as_java_prints_them() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_709_251_199_050, "2024-02-29T23:59:59.050Z"),
            (1_795_262_400_123, "2026-11-21T12:00:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ];
        for (millis, expected) in cases {
            assert_eq!(iso_instant(millis), expected);
        }
    }

    #[test]
    fn dates_of_headers_have_their_weekday() {
        for (millis, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_795_262_400_123, "Sat, 21 Nov 2026 12:00:00 GMT"),
        ] {
            assert_eq!(http_date(millis), expected);
        }
        for far in [i64::MIN, i64::MAX] {
            assert!(http_date(far).ends_with(" GMT"));
        }
    }

    #[test]
    fn log_and_request_lines_have_their_own_forms() {
        let time = UNIX_EPOCH + Duration::from_millis(1_795_262_400_007);
        let mut line = String::from("[");
        append_log_time(&mut line, time);
        assert_eq!(line, "[2026-11-21 12:00:00,007");
        assert_eq!(ncsa(time), "21/Nov/2026:12:00:00 +0000");
    }
}
