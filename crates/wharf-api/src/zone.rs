//! Wall-clock time in the process's default time zone, as Java's `Date` and `SimpleDateFormat` see it.
//!
//! The zone comes from `TZ`, else from the system's setting; `jiff` knows its rules. The calendar is Java's: Gregorian
//! from 1582-10-15, Julian before, and any 64-bit number of milliseconds has a wall clock. Where a wall-clock time
//! does not exist or exists twice, Java takes it in standard time; so does [`from_wall`].

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

const MILLIS_PER_DAY: i64 = 86_400_000;
/// The day number of 1582-10-15, the first of the Gregorian calendar.
const GREGORIAN_START: i64 = -141_427;

/// A wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wall {
    /// Proleptic year; 0 is 1 BC.
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) milli: i64,
    /// 0 is Sunday.
    pub(crate) weekday: usize,
}

impl Wall {
    /// The clock that shows this number of milliseconds since 1970-01-01T00:00 by its own time.
    fn at(local: i128) -> Self {
        let per_day = i128::from(MILLIS_PER_DAY);
        // An i64 of milliseconds is far fewer days than an i64 holds.
        let days = i64::try_from(local.div_euclid(per_day)).unwrap_or(0);
        let rest = i64::try_from(local.rem_euclid(per_day)).unwrap_or(0);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            milli: rest % 1000,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        }
    }
}

/// The wall clock at this instant in the zone, and the zone's short name then.
pub(crate) fn to_wall(millis: i64, zone: &TimeZone) -> (Wall, String) {
    let instant = Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    let info = zone.to_offset_info(instant);
    let local = i128::from(millis) + i128::from(info.offset().seconds()) * 1000;
    (Wall::at(local), info.abbreviation().to_owned())
}

/// The instant at which a clock in the zone shows this time. Fields beyond their range roll over, as in a lenient
/// Java calendar.
pub(crate) fn from_wall(wall: Wall, zone: &TimeZone) -> i64 {
    // Fields come from text and may be as large as 32 bits allow, which is more than 64 bits of milliseconds.
    let clock = i128::from((wall.hour * 60 + wall.minute) * 60 + wall.second) * 1000 + i128::from(wall.milli);
    let days = i128::from(days_of(wall.year, wall.month, wall.day));
    let local = days * i128::from(MILLIS_PER_DAY) + clock;
    let offset = civil(local).map_or(0, |civil| match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
        AmbiguousOffset::Gap { before, .. } => before.seconds(),
        AmbiguousOffset::Fold { after, .. } => after.seconds(),
    });
    let millis = local - i128::from(offset) * 1000;
    i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
}

/// The zone that `TZ` or the system names.
pub(crate) fn system() -> TimeZone {
    TimeZone::system()
}

fn civil(local: i128) -> Option<DateTime> {
    let instant = Timestamp::from_millisecond(i64::try_from(local).ok()?).ok()?;
    Some(TimeZone::UTC.to_datetime(instant))
}

/// Year, month and day of a day number (0 is 1970-01-01).
fn date_of(days: i64) -> (i64, i64, i64) {
    // Years are counted from March, so that the leap day is the last one (day numbers from 0000-03-01).
    let (year, day_of_year) = if days >= GREGORIAN_START {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day = shifted.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        (era * 400 + year, day - (365 * year + year / 4 - year / 100))
    } else {
        let shifted = days + 719_470;
        let era = shifted.div_euclid(1461);
        let day = shifted.rem_euclid(1461);
        let year = (day - day / 1460) / 365;
        (era * 4 + year, day - 365 * year)
    };
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

/// The day number of a date whose month and day may lie outside their range.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let months = year * 12 + month - 1;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let gregorian =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468;
    if gregorian >= GREGORIAN_START {
        gregorian
    } else {
        year * 365 + year.div_euclid(4) + day_of_year - 719_470
    }
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
    fn fields_beyond_their_range_roll_over() {
        assert_eq!(days_of(2019, 13, 45), days_of(2020, 2, 14));
        assert_eq!(days_of(2024, 2, 30), days_of(2024, 3, 1));
        assert_eq!(days_of(2024, 0, 0), days_of(2023, 11, 30));
    }

    #[test]
    fn missing_and_repeated_hours_are_taken_in_standard_time() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = |month, day, hour| Wall {
            year: 2024,
            month,
            day,
            hour,
            minute: 30,
            second: 0,
            milli: 0,
            weekday: 0,
        };
        // 02:30 does not exist on 31 March: 01:30 UTC, shown as 03:30. On 27 October it exists twice.
        assert_eq!(from_wall(at(3, 31, 2), &zone), 1_711_848_600_000);
        assert_eq!(to_wall(1_711_848_600_000, &zone).0.hour, 3);
        assert_eq!(from_wall(at(10, 27, 2), &zone), 1_729_992_600_000);
        assert_eq!(to_wall(1_729_992_600_000, &zone).1, "CET");
    }

    #[test]
    fn any_number_of_milliseconds_has_a_wall_clock() {
        for millis in [i64::MIN, i64::MAX, 0] {
            let (wall, name) = to_wall(millis, &TimeZone::UTC);
            assert_eq!(name, "UTC");
            assert!((1..=12).contains(&wall.month) && (1..=31).contains(&wall.day));
        }
        assert_eq!(to_wall(i64::MAX, &TimeZone::UTC).0.year, 292_278_994);
    }
}
