//! From fields to an instant: a lenient Java calendar in which only some fields were set.
//!
//! Several groups of fields can say the day. The group whose fields were set last counts, and fields of other groups do
//! not; what is missing in a group is taken from 1970-01-01.

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_api::calendar::{date_of, days_of};
use wharf_api::logical::MILLIS_PER_DAY;

/// A field of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Year,
    /// From 0.
    Month,
    DayOfMonth,
    DayOfYear,
    /// From 0, which is Sunday.
    DayOfWeek,
    DayOfWeekInMonth,
    WeekOfYear,
    WeekOfMonth,
    WeekYear,
    AmPm,
    Hour,
    HourOfDay,
    Minute,
    Second,
    Milli,
    /// Milliseconds east of UTC.
    Offset,
}

const FIELDS: usize = 17;

/// The fields that were set, and in which order.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    fields: [Option<(u8, i64)>; FIELDS],
    sets: u8,
    /// The year was given by two digits that could mean this century or the one before.
    is_ambiguous: bool,
}

impl Calendar {
    pub(super) fn set(&mut self, field: Field, value: i64) {
        self.sets = self.sets.saturating_add(1);
        self.fields[field as usize] = Some((self.sets, value));
    }

    pub(super) fn get(&self, field: Field) -> Option<i64> {
        self.fields[field as usize].map(|(_, value)| value)
    }

    /// When a field was set; 0 is never.
    fn stamp(&self, field: Field) -> u8 {
        self.fields[field as usize].map_or(0, |(stamp, _)| stamp)
    }

    /// When both were set.
    fn both(&self, one: Field, other: Field) -> u8 {
        match (self.stamp(one), self.stamp(other)) {
            (0, _) | (_, 0) => 0,
            (one, other) => one.max(other),
        }
    }

    /// Two digits mean a year between 80 years ago and 20 years ahead.
    pub(super) fn set_short_year(&mut self, digits: i64) {
        let start = century_start();
        let start_year = date_of(start.div_euclid(MILLIS_PER_DAY)).0;
        let first = start_year % 100;
        self.is_ambiguous = digits == first;
        let century = start_year / 100 * 100 + if digits < first { 100 } else { 0 };
        self.set(Field::Year, digits + century);
    }

    /// Milliseconds since the epoch.
    pub(super) fn millis(&self) -> i64 {
        let millis = self.resolve(self.year());
        if self.is_ambiguous && millis < century_start() {
            return self.resolve(self.year() + 100);
        }
        millis
    }

    fn year(&self) -> i64 {
        let year = self.get(Field::Year).unwrap_or(1970);
        if self.get(Field::Era) == Some(0) {
            1 - year
        } else {
            year
        }
    }

    fn resolve(&self, year: i64) -> i64 {
        let day = if self.stamp(Field::WeekYear) > self.stamp(Field::Year) {
            self.day_of_week_date()
        } else {
            self.day(year)
        };
        let get = |field| self.get(field).unwrap_or(0);
        let of_day = self.stamp(Field::HourOfDay);
        let hour = if of_day > 0 && of_day > self.both(Field::Hour, Field::AmPm) {
            get(Field::HourOfDay)
        } else {
            get(Field::Hour) + 12 * get(Field::AmPm)
        };
        let clock = ((hour * 60 + get(Field::Minute)) * 60 + get(Field::Second)) * 1000 + get(Field::Milli);
        // fields are of 32 bits, so days and clock are far from the limits
        let millis = i128::from(day) * i128::from(MILLIS_PER_DAY) + i128::from(clock - get(Field::Offset));
        i64::try_from(millis).unwrap_or(if millis < 0 { i64::MIN } else { i64::MAX })
    }

    fn day(&self, year: i64) -> i64 {
        let weekday = self.stamp(Field::DayOfWeek);
        let mut of_month = self.stamp(Field::DayOfMonth);
        let mut week_of_month = self.both(Field::WeekOfMonth, Field::DayOfWeek);
        let mut weekday_in_month = self.both(Field::DayOfWeekInMonth, Field::DayOfWeek);
        let of_year = self.stamp(Field::DayOfYear);
        let week_of_year = self.both(Field::WeekOfYear, Field::DayOfWeek);
        let mut best = of_month
            .max(week_of_month)
            .max(weekday_in_month)
            .max(of_year)
            .max(week_of_year);
        if best == 0 {
            week_of_month = self.stamp(Field::WeekOfMonth);
            weekday_in_month = self.stamp(Field::DayOfWeekInMonth).max(weekday);
            best = week_of_month
                .max(weekday_in_month)
                .max(self.stamp(Field::WeekOfYear));
            if best == 0 {
                of_month = self.stamp(Field::Month);
                best = of_month;
            }
        }
        let week = self.stamp(Field::WeekOfYear);
        let first = days_of(year, self.get(Field::Month).unwrap_or(0) + 1, 1);
        if best == of_month {
            return first + self.get(Field::DayOfMonth).unwrap_or(1) - 1;
        }
        if (best == week_of_month && self.stamp(Field::WeekOfMonth) >= week)
            || (best == weekday_in_month && self.stamp(Field::DayOfWeekInMonth) >= week)
        {
            let by_week = if week_of_month == weekday_in_month {
                self.stamp(Field::WeekOfMonth) >= self.stamp(Field::DayOfWeekInMonth)
            } else {
                best == week_of_month
            };
            return if by_week {
                self.in_week(first, self.get(Field::WeekOfMonth).unwrap_or(1))
            } else {
                self.weekday_in_month(first, year)
            };
        }
        let new_year = days_of(year, 1, 1);
        if best == of_year {
            return new_year + self.get(Field::DayOfYear).unwrap_or(1) - 1;
        }
        self.in_week(new_year, self.get(Field::WeekOfYear).unwrap_or(1))
    }

    /// A day in the n-th week after the one that a day is in; its Sunday when no day of the week is set.
    fn in_week(&self, first: i64, week: i64) -> i64 {
        let sunday = first - (first + 4).rem_euclid(7);
        sunday + 7 * (week - 1) + self.get(Field::DayOfWeek).unwrap_or(0)
    }

    /// The n-th Monday, say, of a month; from its end when n is negative.
    fn weekday_in_month(&self, first: i64, year: i64) -> i64 {
        let weekday = self.get(Field::DayOfWeek).unwrap_or(0);
        let nth = self.get(Field::DayOfWeekInMonth).unwrap_or(1);
        let last_day = if nth >= 0 {
            first + 7 * nth - 1
        } else {
            let next = days_of(year, self.get(Field::Month).unwrap_or(0) + 2, 1);
            next - 1 + 7 * (nth + 1)
        };
        last_day - (last_day + 4 - weekday).rem_euclid(7)
    }

    fn day_of_week_date(&self) -> i64 {
        let year = self.get(Field::WeekYear).unwrap_or(1970);
        self.in_week(days_of(year, 1, 1), self.get(Field::WeekOfYear).unwrap_or(1))
    }
}

/// The instant 80 years ago.
fn century_start() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
    let (year, month, day) = date_of(now.div_euclid(MILLIS_PER_DAY));
    days_of(year - 80, month, day) * MILLIS_PER_DAY + now.rem_euclid(MILLIS_PER_DAY)
}
