//! From an instant to its text.

use std::fmt::Write as _;

use wharf_api::calendar::{date_of, days_of};
use wharf_api::logical::MILLIS_PER_DAY;

use super::{DAYS, ERAS, HALVES, MONTHS, SimpleDateFormat, Token};

/// An instant taken apart.
struct Parts {
    day: i64,
    year: i64,
    month: i64,
    day_of_month: i64,
    milli_of_day: i64,
}

impl Parts {
    fn of(millis: i64) -> Self {
        let day = millis.div_euclid(MILLIS_PER_DAY);
        let (year, month, day_of_month) = date_of(day);
        Self {
            day,
            year,
            month,
            day_of_month,
            milli_of_day: millis.rem_euclid(MILLIS_PER_DAY),
        }
    }

    fn hour(&self) -> i64 {
        self.milli_of_day / 3_600_000
    }

    /// From 0, which is Sunday.
    fn weekday(&self) -> i64 {
        (self.day + 4).rem_euclid(7)
    }

    /// Week year and week of the year: weeks start on Sunday, and that of 1 January is the first.
    fn week(&self) -> (i64, i64) {
        let next_new_year = days_of(self.year + 1, 1, 1);
        let next_start = next_new_year - (next_new_year + 4).rem_euclid(7);
        if self.day >= next_start {
            return (self.year + 1, 1);
        }
        (self.year, weeks_since(days_of(self.year, 1, 1), self.day))
    }
}

/// The week that a day is in, counted from 1 in the week that the first day is in.
fn weeks_since(first: i64, day: i64) -> i64 {
    let start = first - (first + 4).rem_euclid(7);
    (day - start) / 7 + 1
}

impl SimpleDateFormat {
    /// The text of an instant, in milliseconds since the epoch.
    pub(crate) fn format(&self, millis: i64) -> String {
        let mut out = String::with_capacity(self.pattern.len() + 8);
        let parts = Parts::of(millis);
        for token in &self.tokens {
            match token {
                Token::Literal(text) => out.push_str(text),
                Token::Field(letter, count) => write_field(&mut out, *letter, *count, &parts),
            }
        }
        out
    }
}

fn write_field(out: &mut String, letter: char, count: usize, parts: &Parts) {
    let number = match letter {
        'G' => return out.push_str(ERAS[usize::from(parts.year > 0)]),
        'y' => return write_year(out, year_of_era(parts.year), count),
        'Y' => return write_year(out, year_of_era(parts.week().0), count),
        'M' | 'L' if count >= 3 => return write_name(out, &MONTHS, parts.month - 1, count),
        'E' => return write_name(out, &DAYS, parts.weekday(), count),
        'a' => return out.push_str(HALVES[usize::from(parts.hour() >= 12)]),
        'z' if count >= 4 => return out.push_str("Coordinated Universal Time"),
        'z' => return out.push_str("UTC"),
        'Z' => return out.push_str("+0000"),
        'X' => return out.push('Z'),
        'M' | 'L' => parts.month,
        'd' => parts.day_of_month,
        'k' => (parts.hour() + 23) % 24 + 1,
        'H' => parts.hour(),
        'm' => parts.milli_of_day / 60_000 % 60,
        's' => parts.milli_of_day / 1000 % 60,
        'S' => parts.milli_of_day % 1000,
        'D' => parts.day - days_of(parts.year, 1, 1) + 1,
        'F' => (parts.day_of_month - 1) / 7 + 1,
        'w' => parts.week().1,
        'W' => weeks_since(parts.day - parts.day_of_month + 1, parts.day),
        'h' => (parts.hour() + 11) % 12 + 1,
        'K' => parts.hour() % 12,
        // from 1, which is Monday
        'u' => (parts.weekday() + 6) % 7 + 1,
        _ => return,
    };
    write_number(out, number, count);
}

fn year_of_era(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

fn write_year(out: &mut String, year: i64, count: usize) {
    write_number(out, if count == 2 { year % 100 } else { year }, count);
}

fn write_name(out: &mut String, names: &[&str], index: i64, count: usize) {
    let name = usize::try_from(index).ok().and_then(|index| names.get(index));
    let name = name.copied().unwrap_or_default();
    out.push_str(if count >= 4 {
        name
    } else {
        &name[..name.len().min(3)]
    });
}

/// A number that is not negative, filled with zeros.
fn write_number(out: &mut String, number: i64, width: usize) {
    if width <= 2 && (0..100).contains(&number) {
        let digit = |value: i64| char::from_digit(u32::try_from(value).unwrap_or(0), 10).unwrap_or('0');
        if width == 2 || number >= 10 {
            out.push(digit(number / 10));
        }
        out.push(digit(number % 10));
        return;
    }
    // writing to memory cannot fail
    let _ = write!(out, "{number:0width$}");
}
