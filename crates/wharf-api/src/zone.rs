//! Wall-clock time in the process's default time zone, as Java's `Date` and `SimpleDateFormat` see it.
//!
//! The zone comes from `TZ`, else from the system's setting; `jiff` knows its rules. The calendar is Java's
//! ([`crate::calendar`]), and any 64-bit number of milliseconds has a wall clock. Where a wall-clock time
//! does not exist or exists twice, Java takes it in standard time; so does [`from_wall`].

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::calendar::{date_of, days_of};

const MILLIS_PER_DAY: i64 = 86_400_000;

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

#[cfg(test)]
mod tests {
    use super::*;

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
