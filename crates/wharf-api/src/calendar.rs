//! Days and dates without zone: Java's calendar, Gregorian from 1582-10-15 and Julian before, and the proleptic Gregorian
//! one of ISO 8601.
//!
//! A day number counts from 1970-01-01, which is 0. Year 0 is 1 BC; months and days count from 1.

/// The day number of 1582-10-15, the first of the Gregorian calendar.
const GREGORIAN_START: i64 = -141_427;

/// Year, month and day of a day number in Java's calendar.
#[must_use]
pub fn date_of(days: i64) -> (i64, i64, i64) {
    if days >= GREGORIAN_START {
        return gregorian_date_of(days);
    }
    let shifted = days + 719_470;
    let era = shifted.div_euclid(1461);
    let day = shifted.rem_euclid(1461);
    let year = (day - day / 1460) / 365;
    counted_from_march(era * 4 + year, day - 365 * year)
}

/// Year, month and day of a day number in the proleptic Gregorian calendar.
#[must_use]
pub fn gregorian_date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day = shifted.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    counted_from_march(era * 400 + year, day - (365 * year + year / 4 - year / 100))
}

/// The date of a day (from 0) of a year that starts in March, so that the leap day is its last one.
fn counted_from_march(year: i64, day_of_year: i64) -> (i64, i64, i64) {
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

/// The day number of a date in Java's calendar; its month and day may lie outside their range and roll over.
#[must_use]
pub fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let gregorian = gregorian_days_of(year, month, day);
    if gregorian >= GREGORIAN_START {
        return gregorian;
    }
    let (year, day_of_year) = to_count_from_march(year, month, day);
    year * 365 + year.div_euclid(4) + day_of_year - 719_470
}

/// The day number of a date in the proleptic Gregorian calendar; its month and day may lie outside their range and roll over.
#[must_use]
pub fn gregorian_days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, day_of_year) = to_count_from_march(year, month, day);
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// The reverse of [`counted_from_march`].
fn to_count_from_march(year: i64, month: i64, day: i64) -> (i64, i64) {
    let months = year * 12 + month - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let year = if month <= 2 { year - 1 } else { year };
    (year, (153 * ((month + 9) % 12) + 2) / 5 + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_java_s_calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (10_000, (1997, 5, 19)),
            (11_016, (2000, 2, 29)),
            (-1, (1969, 12, 31)),
            (GREGORIAN_START, (1582, 10, 15)),
            (GREGORIAN_START - 1, (1582, 10, 4)),
            (-719_164, (1, 1, 1)),
            (-719_165, (0, 12, 31)),
        ] {
            assert_eq!(date_of(days), date, "day {days}");
            assert_eq!(days_of(date.0, date.1, date.2), days, "{date:?}");
        }
        for days in (-1_500_000..1_500_000).step_by(17) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn gregorian_dates_go_back_beyond_its_first_day() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (GREGORIAN_START, (1582, 10, 15)),
            (GREGORIAN_START - 1, (1582, 10, 14)),
            (-719_162, (1, 1, 1)),
            (-719_163, (0, 12, 31)),
        ] {
            assert_eq!(gregorian_date_of(days), date, "day {days}");
            assert_eq!(gregorian_days_of(date.0, date.1, date.2), days, "{date:?}");
        }
    }

    #[test]
    fn fields_beyond_their_range_roll_over() {
        assert_eq!(days_of(2019, 13, 45), days_of(2020, 2, 14));
        assert_eq!(days_of(2024, 2, 30), days_of(2024, 3, 1));
        assert_eq!(days_of(2024, 0, 0), days_of(2023, 11, 30));
    }
}
